"""Untrained and shuffled copies in the benchmarks of policies that play whole episodes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from agents import AGENTS
from lal.arrays import Floats
from lal.policies.kinds import Policy, load_as
from lal.serialization import from_mapping, read_json

P = TypeVar("P", bound=Policy)

NAMES = {"untrained": "untrained", "shuffled_reward": "shuffled"}
"""What a control is called on a card, by the control that a policy's own card names."""


def with_untrained(path: Path, kind: type[P], n: int) -> Iterator[tuple[str, P]]:
    """Yield the policy of a run or a file by its name, then `n` untrained copies of it.

    A file holds no config, and controls need no copies: both come alone.
    """
    policy = load_as(kind, path / "policy.safetensors" if path.is_dir() else path)
    yield path.name, policy
    if n and path.is_dir() and policy.card.get("control", "none") == "none":
        saved = read_json(path / "config.json")
        agent = AGENTS[saved["agent"]]
        options = from_mapping(agent.config_type, saved["options"])
        for i, copy in enumerate(agent.export_untrained(options, n)):
            yield f"{path.name}, untrained {i}", cast("P", copy)


def mean_by_control(found: Mapping[str, tuple[str, Floats]]) -> dict[str, Floats]:
    """Return the mean over all copies of a control, by the name that cards give it.

    Args:
        found: A policy's name to its control and its figures, one per episode.
    """
    groups: dict[str, list[Floats]] = {}
    for control, values in found.values():
        if control in NAMES:
            groups.setdefault(NAMES[control], []).append(values)
    return {name: np.mean(values, axis=0) for name, values in groups.items()}
