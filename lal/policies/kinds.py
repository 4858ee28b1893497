"""Every kind of policy by name, and one loader for all: `load_policy` and `list_policies`.

A kind is a class with ``kind``, ``FIELDS`` (what its files hold), ``to_fields`` and
``from_fields``. It is imported when a file of that kind is loaded, not before.

Kinds with memory share one protocol. The memory is a dictionary of plain arrays that the caller
holds, so an episode can be saved with numpy and resumed; no call changes what it is given::

    memory = policy.start(info)
    action = policy.act(memory, observation)
    memory = policy.update(memory, event)
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast

import numpy as np

from lal.errors import LalError, PolicyFileError, UnknownNameError, UsageError, printable
from lal.policies.files import (
    UNNAMED_KIND,
    WHEN_DAMAGED,
    Field,
    PolicyFile,
    check_fields,
    read_file,
)
from lal.policies.hub import PREFIX, download
from lal.registry import Registry

LONGEST_NAME = 100
"""Letters of the longest name of a shipped policy."""

SHIPPED = Path(__file__).parent / "shipped"
"""Folder of the shipped policies, those of each kind with memory in a folder of their own."""


class Policy(Protocol):
    """What policies of all kinds have."""

    kind: ClassVar[str]
    FIELDS: ClassVar[Mapping[str, Field]]

    @property
    def name(self) -> str:
        """Name, for tables and messages."""
        ...

    @property
    def card(self) -> Mapping[str, Any]:
        """What it was trained on, its evidence, its ranges."""
        ...

    @property
    def tensors(self) -> Mapping[str, np.ndarray]:
        """Arrays by name."""
        ...

    def save(self, path: str | Path) -> None:
        """Write the policy to a file."""
        ...

    def to_fields(self) -> dict[str, Any]:
        """Return what its file says besides the tensors, as plain JSON values."""
        ...

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Return the policy of a file's fields and tensors."""
        ...


P = TypeVar("P", bound=Policy)

KINDS: Registry[type[Policy]] = Registry("policy kind")
for _kind, _where in {
    UNNAMED_KIND: "lal.policies.pool_policy:PoolPolicy",
    "regression": "lal.policies.regression_policy:RegressionPolicy",
    "stream": "lal.streams.policy:StreamPolicy",
    "design": "lal.policies.design_policy:DesignPolicy",
    "predict_or_ask": "lal.policies.predict_or_ask_policy:PredictOrAskPolicy",
    "subset": "lal.policies.subset_policy:SubsetPolicy",
    "two_stage": "lal.policies.two_stage_policy:TwoStagePolicy",
}.items():
    KINDS.add_lazy(_kind, _where)


def load_policy(name_or_path: str | Path, *, missing_label: Any = None) -> Any:
    """Return a policy of any kind, shipped or from a file; loading never runs code.

    Args:
        name_or_path: Name from `list_policies`, a path that ends in .safetensors, or
            ``hf://owner/name`` on the Hugging Face Hub (extra ``hub``).
        missing_label: What stands for a missing label in `query`, besides None and nan; for
            policies over pools.

    Raises:
        UnknownNameError: No shipped policy of that name.
        PolicyFileError: The file is missing, damaged, of an unknown version, or needs a feature
            or an operation that is not here.
        UsageError: `missing_label` for a policy that has no `query`.
    """
    policy = _made(read_file(policy_path(name_or_path)))
    return policy if missing_label is None else _with_missing_label(policy, missing_label)


def load_as(kind: type[P], name_or_path: str | Path) -> P:
    """Return what `load_policy` does, of the class that is expected or one derived from it.

    Raises:
        PolicyFileError: The file holds a policy of another kind, or cannot be loaded.
    """
    path = policy_path(name_or_path)
    file = read_file(path)
    if file.kind != kind.kind and not _is_derived(file.kind, kind):
        raise PolicyFileError(
            f"{path} holds a policy of kind {printable(file.kind)!r}, expected {kind.kind!r}; "
            "lal.load_policy loads every kind"
        )
    return cast("P", _made(file))


def _is_derived(name: str, kind: type[Policy]) -> bool:
    return name in KINDS and issubclass(KINDS[name], cast("type", kind))


def _with_missing_label(policy: Any, missing_label: Any) -> Any:
    if not hasattr(policy, "missing_label"):
        raise UsageError(
            f"a {policy.kind} policy reads no labels of a pool; load it without missing_label"
        )
    changed: Any = replace(policy, missing_label=missing_label)
    return changed


def _made(file: PolicyFile) -> Policy:
    try:
        cls = KINDS[file.kind]
        check_fields(file.fields, cls.FIELDS)
        return cls.from_fields(file.fields, file.tensors)
    except LalError as error:
        raise PolicyFileError(f"{file.path}: {printable(error)}") from error
    except WHEN_DAMAGED as error:
        raise PolicyFileError(
            f"{file.path}: the policy is malformed ({printable(error)})"
        ) from error


def list_policies(kind: str | None = None) -> dict[str, str]:
    """Return the shipped policies: name to one line of description.

    Args:
        kind: Only those of this kind: "pool", "regression", "stream", ...; all when None.
    """
    lines = {}
    for name, path in _shipped().items():
        file = read_file(path)
        if kind in (None, file.kind):
            lines[name] = str(file.fields["card"].get("summary", ""))
    for alias, target in _aliases().items():
        if target in lines:
            lines[alias] = f"alias of {target}: {lines[target]}"
    return lines


def policy_path(name_or_path: str | Path) -> Path:
    """Return the file of a shipped policy or of a hub's repository, or the path itself.

    Raises:
        UnknownNameError: Neither a path that ends in .safetensors nor a shipped policy's name.
    """
    text = str(name_or_path)
    if text.startswith(PREFIX):
        return download(text)
    if text.endswith(".safetensors") or os.sep in text:
        return Path(text)
    shipped = _shipped()
    resolved = _aliases().get(text, text)
    if resolved not in shipped:
        aliases = [alias for alias, target in _aliases().items() if target in shipped]
        known = ", ".join(printable(name, longest=LONGEST_NAME) for name in [*shipped, *aliases])
        raise UnknownNameError(
            f"unknown policy {text[:LONGEST_NAME]!r}; shipped: {known}; "
            "a file's name ends in .safetensors"
        )
    return shipped[resolved]


def _shipped() -> dict[str, Path]:
    """Return the files of the shipped policies by name, those over pools first."""
    files = sorted(SHIPPED.rglob("*.safetensors"), key=lambda path: (path.parent, path.name))
    return {path.stem: path for path in files}


@cache
def _aliases() -> dict[str, str]:
    path = SHIPPED / "aliases.json"
    try:
        aliases = json.loads(path.read_text()) if path.is_file() else {}
    except (ValueError, RecursionError) as error:
        raise PolicyFileError(f"{path}: damaged ({printable(error)})") from error
    named = aliases.items() if isinstance(aliases, dict) else [(None, None)]
    if not all(isinstance(target, str) and alias for alias, target in named):
        raise PolicyFileError(f"{path}: expected a JSON object of alias to policy name")
    return dict(named)
