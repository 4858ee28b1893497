"""Entrants: the strategies of an evaluation, from names, policy files and options."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.errors import PolicyFileError, UsageError
from lal.policies.kinds import list_policies, load_as, policy_path
from lal.policies.pool_policy import PoolPolicy
from lal.state import QueryState, Strategy
from lal.strategies.base import STRATEGIES, make_strategy

FULL_LABEL = "@full"
"""Label of the reference that is the learner fitted to the whole labelled pool."""


@dataclass(frozen=True)
class Entrant:
    """A strategy as it is listed.

    Attributes:
        label: Name in tables; different for every entrant.
        spec: What it is made from: a registry name, ``"policy:PATH"`` or a shipped policy's name.
        options: Constructor options, as JSON text.
        sha256: Hash of the policy file; empty for hand-written rules.
        seen: Families met in training.
    """

    label: str
    spec: str
    options: str = "{}"
    sha256: str = ""
    seen: tuple[str, ...] = ()

    @property
    def identity(self) -> dict[str, str]:
        """What determines the entrant's choices; a policy is its content, not its path."""
        what = self.sha256 or self.spec
        return {"label": self.label, "strategy": what, "options": self.options}

    def make(self) -> Strategy:
        """Return a fresh strategy.

        Raises:
            PolicyFileError: The policy file is not the one that was listed.
        """
        options = json.loads(self.options)
        stream = options.pop("stream", None)
        strategy = self._policy() if self.sha256 else make_strategy(self.spec, **options)
        return strategy if stream is None else Restreamed(strategy, int(stream))

    def _policy(self) -> Strategy:
        name = self.spec.removeprefix("policy:")
        if self.spec.startswith("policy:") and file_sha256(Path(name)) != self.sha256:
            raise PolicyFileError(f"policy file {name!r} changed while the evaluation ran")
        return load_as(PoolPolicy, name)


class Restreamed:
    """A strategy with a private stream, for A/A tests: same rule, different draws."""

    def __init__(self, strategy: Strategy, stream: int) -> None:
        self.strategy, self.stream = strategy, stream

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the strategy's utilities under draws of its own, shape (N,)."""
        own = np.random.default_rng([self.stream, int(rng.integers(2**63))])
        return self.strategy.utilities(state, own)


def parse_entrant(text: str) -> Entrant:
    """Return the entrant that a text names.

    Args:
        text: ``"margin"``, ``"skactiveml:Name"``, a shipped policy's name or a policy file (both
            also as ``"policy:..."``, where a strategy has the same name). ``"name?key=value"``
            adds constructor options (``stream`` gives the rule a random stream of its own),
            ``"label=..."`` names it for the tables.

    Raises:
        UnknownNameError: No such strategy or policy.
        PolicyFileError: The policy file is missing or damaged.
    """
    label, spec = _split_label(text)
    spec, _, query = spec.partition("?")
    options = json.dumps(_options(query, text), sort_keys=True)
    bare = spec.removeprefix("policy:")
    if spec != bare and bare in list_policies(PoolPolicy.kind):
        return _shipped_entrant(label or spec, bare, options)
    if _is_file(spec):
        return _file_entrant(label, Path(spec.removeprefix("policy:")).expanduser(), options)
    if spec not in STRATEGIES and ":" not in spec and spec in list_policies(PoolPolicy.kind):
        return _shipped_entrant(label, spec, options)
    entrant = Entrant(label or (f"{spec}?{query}" if query else spec), spec, options)
    _try_make(entrant)
    return entrant


def parse_entrants(texts: Sequence[str]) -> list[Entrant]:
    """Return the entrants of a list; labels must differ."""
    found = [parse_entrant(text) for text in texts]
    labels = [e.label for e in found]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise UsageError(
            f"strategies {', '.join(twice)} are listed twice; name them apart as label=strategy"
        )
    if not found:
        raise UsageError("no strategies are listed; expected at least one, for example margin")
    return found


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def families_seen(policy: PoolPolicy) -> tuple[str, ...]:
    """Return the families that a policy's card says were met in training, sorted."""
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


def _options(query: str, text: str) -> dict[str, Any]:
    options = {}
    for part in filter(None, query.split("&")):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(f"option {part!r} of {text!r} has no value; expected ?key=value")
        try:
            options[key] = json.loads(value)
        except json.JSONDecodeError:
            options[key] = value
    return options


def _is_file(spec: str) -> bool:
    if spec.startswith("policy:"):
        return True
    return spec.endswith(".safetensors") or os.sep in spec or Path(spec).is_file()


def _file_entrant(label: str, path: Path, options: str) -> Entrant:
    if not path.is_file():
        raise PolicyFileError(f"there is no policy file {str(path)!r}; check the path")
    policy = load_as(PoolPolicy, str(path))
    spec = f"policy:{path.resolve()}"
    return Entrant(label or path.stem, spec, options, file_sha256(path), families_seen(policy))


def _shipped_entrant(label: str, name: str, options: str) -> Entrant:
    policy, sha256 = load_as(PoolPolicy, name), file_sha256(policy_path(name))
    return Entrant(label or name, name, options, sha256, families_seen(policy))


def _try_make(entrant: Entrant) -> None:
    try:
        entrant.make()
    except TypeError as error:
        raise UsageError(f"strategy {entrant.label!r} cannot be made: {error}") from error
