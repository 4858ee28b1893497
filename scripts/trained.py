"""A policy and its controls, trained together: what a control test compares."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from agents import AGENTS
from agents.training.config import DataConfig
from lal.data.dataset import Dataset
from lal.errors import UsageError

SYNTHETIC = "synthetic:"
"""How the names of the synthetic prior's families begin."""


@dataclass(frozen=True)
class Trained:
    """Files of a policy, of its copy trained on shuffled rewards and of untrained copies."""

    policy: Path
    shuffled: Path
    untrained: tuple[Path, ...] = ()

    def strategies(self, suffix: str = "") -> tuple[str, ...]:
        """Return them as an evaluation lists them, their labels with a suffix."""
        named = {f"policy{suffix}": self.policy, f"shuffled{suffix}": self.shuffled}
        named |= {f"untrained{suffix}-{i}": path for i, path in enumerate(self.untrained)}
        return tuple(f"{label}=policy:{path}" for label, path in named.items())


def get_settings(
    agent: str, preset: str, seed: int, datasets: Sequence[Dataset], changes: Sequence[str] = ()
) -> DataConfig:
    """Return an agent's settings, under which nothing of the data sets' families is trained on.

    Args:
        agent: Its name.
        preset: Name of its settings.
        seed: Seed of training.
        datasets: What it will be compared on. An agent that trains on no real data set can only
            meet families of the synthetic prior; those alone are held out then.
        changes: Fields to change, as name=value with values in JSON.

    Raises:
        UsageError: The agent does not train on data sets, or a change is not name=value.
    """
    options = AGENTS[agent].preset(preset)
    if not isinstance(options, DataConfig):
        raise UsageError(f"agent {agent!r} does not train on data sets; expected one that does")
    options = replace(options, **_read_changes(options, changes))
    families = {dataset.family for dataset in datasets}
    if not options.datasets:
        families = {family for family in families if family.startswith(SYNTHETIC)}
    return replace(options, seed=seed, hold_out=tuple(sorted(families)))


def _read_changes(options: DataConfig, changes: Sequence[str]) -> dict[str, Any]:
    """Return fields by name; a list becomes a tuple, as configs hold them."""
    known = {field.name for field in fields(options)}
    found: dict[str, Any] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or name not in known:
            raise UsageError(
                f"a change is a field of {type(options).__name__} and its value, such as gamma=0; "
                f"got {change!r}"
            )
        try:
            value = json.loads(text)
        except ValueError as error:
            raise UsageError(
                f"the value of {name} must be JSON (a text in double quotes), got {text!r}"
            ) from error
        found[name] = tuple(value) if isinstance(value, list) else value
    return found


def train_with_controls(
    agent: str, options: DataConfig, folder: Path, *, n_untrained: int, jobs: int
) -> Trained:
    """Train a policy and a copy on shuffled rewards, side by side; goes on where it stopped.

    Args:
        agent: Its name.
        options: Its settings.
        folder: Where the runs go: policy/, shuffled/ and untrained/.
        n_untrained: Copies with random weights.
        jobs: 1 trains one after the other.
    """
    shuffled = replace(options, control="shuffled_reward")
    wanted = [
        (agent, options, folder / "policy", True),
        (agent, shuffled, folder / "shuffled", False),
    ]
    # spawned, because torch's threads do not survive a fork
    with ProcessPoolExecutor(min(jobs, 2), mp_context=get_context("spawn")) as pool:
        policy, control = pool.map(_train_one, wanted)
    untrained: list[Path] = []
    copies = AGENTS[agent].export_untrained(options, n_untrained) if n_untrained else []
    for i, copy in enumerate(copies):
        untrained.append(folder / "untrained" / f"{i}.safetensors")
        untrained[-1].parent.mkdir(parents=True, exist_ok=True)
        copy.save(untrained[-1])
    return Trained(policy, control, tuple(untrained))


def _train_one(job: tuple[str, DataConfig, Path, bool]) -> Path:
    name, options, folder, progress = job
    return AGENTS[name].train(options, folder, progress=progress)
