"""Methods: what an evaluation compares, from names, policy files and options."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from lal.arrays import Floats
from lal.errors import PolicyFileError, UsageError
from lal.policies.kinds import list_policies, load_as, policy_path
from lal.policies.pool_policy import PoolPolicy
from lal.registry import parse_options
from lal.state import QueryState, Strategy
from lal.strategies.base import FILE_MARK, STRATEGIES, make_strategy

Role = Literal["strategy", "policy", "untrained", "shuffled", "linear", "oracle", "full_labels"]
"""What a method is for: a hand-written strategy, a learned policy, one of a policy's controls
(untrained copy, copy trained on shuffled targets, linear scorer), an oracle, or the full-label
level."""

COPY_ROLES: tuple[Role, ...] = ("untrained", "shuffled", "linear")
"""Controls made from a policy; a report is about none of them unless asked."""

FULL_LABEL = "@full"
"""Label of the reference that is the learner fitted to the whole labelled pool."""

ORACLE_LABELS = {"seen": "@oracle_seen", "other": "@oracle_other"}
"""Labels of the greedy oracles, measured on the half they selected by and on the other half."""

RESERVED: Mapping[str, Role] = {
    FULL_LABEL: "full_labels",
    **dict.fromkeys(ORACLE_LABELS.values(), "oracle"),
}
"""Roles of labels that only this package gives."""


@dataclass(frozen=True)
class MethodSpec:
    """A method as it is listed.

    Attributes:
        label: Name in tables; different for every method.
        spec: What it is made from: a registry name, ``"policy:PATH"``, a shipped policy's name, or
            ``"FILE.py:name"``.
        options: Constructor options, as JSON text.
        sha256: Hash of the policy file, or of the Python file that a strategy comes from; empty
            for strategies of ours.
        seen: Families seen in training.
        role: What it is for.
    """

    label: str
    spec: str
    options: str = "{}"
    sha256: str = ""
    seen: tuple[str, ...] = ()
    role: Role = "strategy"

    @property
    def identity(self) -> dict[str, str]:
        """What determines the method's choices; a policy is its content, not its path."""
        what = self.sha256 or self.spec
        if FILE_MARK in self.spec:
            what = f"{self.sha256}:{self.spec.rpartition(':')[2]}"  # one file may hold several
        return {"label": self.label, "strategy": what, "options": self.options}

    @classmethod
    def from_mapping(cls, found: Mapping[str, Any]) -> "MethodSpec":
        """Return the method that a manifest lists; see `read_methods` for old ones."""
        return cls(**{**found, "seen": tuple(found.get("seen", ()))})

    def make(self) -> Strategy:
        """Return a fresh strategy.

        Raises:
            PolicyFileError: The policy file is not the one that was listed.
        """
        options = json.loads(self.options)
        stream = options.pop("stream", None)
        is_policy = self.sha256 and not self._from_python()
        strategy = self._policy() if is_policy else make_strategy(self.spec, **options)
        return strategy if stream is None else ReseededStrategy(strategy, int(stream))

    def _from_python(self) -> bool:
        """Whether it comes from a Python file, which must be the one that was listed."""
        file, mark, _ = self.spec.rpartition(":")
        if not (mark and file.endswith(".py")):
            return False
        if file_sha256(Path(file)) != self.sha256:
            raise UsageError(f"the Python file {file!r} changed while the evaluation ran")
        return True

    def _policy(self) -> Strategy:
        name = self.spec.removeprefix("policy:")
        if self.spec.startswith("policy:") and file_sha256(Path(name)) != self.sha256:
            raise PolicyFileError(f"policy file {name!r} changed while the evaluation ran")
        return load_as(PoolPolicy, name)


class ReseededStrategy:
    """A strategy with a private stream, for A/A tests: same rule, different draws."""

    def __init__(self, strategy: Strategy, stream: int) -> None:
        self.strategy, self.stream = strategy, stream

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the strategy's utilities under draws of its own, shape (N,)."""
        own = np.random.default_rng([self.stream, int(rng.integers(2**63))])
        return self.strategy.utilities(state, own)


def parse_method(text: str) -> MethodSpec:
    """Return the method that a text names.

    Args:
        text: ``"margin"``, ``"skactiveml:Name"``, ``"FILE.py:name"`` (a class or function of
            yours), a shipped policy's name or a policy file (both
            also as ``"policy:..."``, where a strategy has the same name). ``"name?key=value"``
            adds constructor options; two are ours: ``stream`` gives it a random stream of its
            own, ``role`` says what it is for (a policy's card says so by itself).
            ``"label=..."`` names it for the tables.

    Raises:
        UnknownNameError: No such strategy or policy.
        PolicyFileError: The policy file is missing or damaged.
        UsageError: An option, a role or a Python file that does not exist.
    """
    label, spec = _split_label(text)
    query = spec.partition("?")[2]
    spec, options = parse_options(spec)
    role = _given_role(options.pop("role", None), text)
    found = _find_method(label, spec, query, json.dumps(options, sort_keys=True))
    return found if role is None else replace(found, role=role)


def _find_method(label: str, spec: str, query: str, options: str) -> MethodSpec:
    bare = spec.removeprefix("policy:")
    if spec != bare and bare in _ranking_policies():
        return _shipped_method(label or spec, bare, options)
    if FILE_MARK in spec:
        return _python_method(label, spec, options)
    if _is_file(spec):
        return _file_method(label, Path(spec.removeprefix("policy:")).expanduser(), options)
    if spec not in STRATEGIES and ":" not in spec and spec in _ranking_policies():
        return _shipped_method(label, spec, options)
    method = MethodSpec(label or (f"{spec}?{query}" if query else spec), spec, options)
    _try_make(method)
    return method


def _ranking_policies() -> set[str]:
    """Return the names of the shipped policies that rank pools."""
    return {*list_policies(PoolPolicy.kind), *list_policies("regression")}


def _given_role(role: Any, text: str) -> Role | None:
    known: tuple[Role, ...] = tuple(r for r in get_args(Role) if r not in RESERVED.values())
    if role is None:
        return None
    if role not in known:
        raise UsageError(f"unknown role {role!r} of {text!r}; expected one of {', '.join(known)}")
    return known[known.index(role)]


def parse_methods(texts: Sequence[str]) -> list[MethodSpec]:
    """Return the methods of a list; labels must differ."""
    found = [parse_method(text) for text in texts]
    labels = [e.label for e in found]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise UsageError(
            f"strategies {', '.join(twice)} are listed twice; name them apart as label=strategy"
        )
    if not found:
        raise UsageError("no strategies are listed; expected at least one, for example margin")
    return found


def read_methods(manifest: Mapping[str, Any]) -> list[MethodSpec]:
    """Return the methods that a store's manifest lists.

    Manifests of the first releases call them ``entrants`` and have no roles: there a label that
    began with the name of a control was one.
    """
    listed = manifest.get("methods", manifest.get("entrants", ()))
    return [MethodSpec.from_mapping({"role": _role_before_roles(m), **m}) for m in listed]


def _role_before_roles(listed: Mapping[str, Any]) -> Role:
    label = str(listed["label"])
    if label in RESERVED:
        return RESERVED[label]
    copies = (role for role in COPY_ROLES if label.startswith(role))
    return next(copies, "policy" if listed.get("sha256") else "strategy")


def policy_role(policy: PoolPolicy) -> Role:
    """Return what a policy's card says it is: a control, or a policy."""
    training = policy.card.get("training")
    nested = training.get("control") if isinstance(training, Mapping) else None
    control = str(policy.card.get("control") or nested or "none")
    return CARD_CONTROLS.get(control, "policy")


CARD_CONTROLS: Mapping[str, Role] = {
    "untrained": "untrained",
    "linear": "linear",
    "shuffled_reward": "shuffled",
    "shuffled_everywhere": "shuffled",
    "shuffled": "shuffled",
}
"""Roles by the control that a card names."""


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def families_seen(policy: PoolPolicy) -> tuple[str, ...]:
    """Return the families that a policy's card says were seen in training, sorted."""
    card = policy.card
    found: set[str] = set()
    for part in (card, card.get("training", {})):
        found.update(str(f) for f in part.get("families", ()))
        found.update(str(entry["family"]) for entry in part.get("data", {}).values())
    return tuple(sorted(found))


def _split_label(text: str) -> tuple[str, str]:
    label, equals, rest = text.partition("=")
    if equals and re.fullmatch(r"[\w.+-]+", label) and rest:
        return label, rest
    return "", text


def _is_file(spec: str) -> bool:
    if spec.startswith("policy:"):
        return True
    return spec.endswith(".safetensors") or os.sep in spec or Path(spec).is_file()


def _python_method(label: str, spec: str, options: str) -> MethodSpec:
    file, _, name = spec.rpartition(":")
    path = Path(file).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no Python file {file!r} with a strategy; check the path")
    listed = MethodSpec(label or name, f"{path.resolve()}:{name}", options, file_sha256(path))
    _try_make(listed)
    return listed


def _file_method(label: str, path: Path, options: str) -> MethodSpec:
    if not path.is_file():
        raise PolicyFileError(f"there is no policy file {str(path)!r}; check the path")
    policy = load_as(PoolPolicy, str(path))
    spec = f"policy:{path.resolve()}"
    return _policy_method(policy, label or path.stem, spec, options, file_sha256(path))


def _shipped_method(label: str, name: str, options: str) -> MethodSpec:
    policy, sha256 = load_as(PoolPolicy, name), file_sha256(policy_path(name))
    return _policy_method(policy, label or name, name, options, sha256)


def _policy_method(
    policy: PoolPolicy, label: str, spec: str, options: str, sha256: str
) -> MethodSpec:
    return MethodSpec(label, spec, options, sha256, families_seen(policy), policy_role(policy))


def _try_make(method: MethodSpec) -> None:
    try:
        method.make()
    except TypeError as error:
        raise UsageError(f"strategy {method.label!r} cannot be made: {error}") from error
