"""A cell of the zoo: an agent trained in an environment with one seed, its controls, its curve."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from agents import AGENTS
from agents.training.config import PoolConfig, RunConfig
from lal.arrays import Floats
from lal.policies.kinds import load_policy
from lal.serialization import read_json, write_json
from scripts.benchmarks.base import half_width
from scripts.benchmarks.kept import kept
from scripts.benchmarks.zoo.scores import ENVIRONMENTS, POOL, Environment

LENGTHS = ("n_episodes", "total_timesteps", "gradient_steps")
"""Fields that say how long a run is, the first that an agent has and uses."""

SMOKE = "smoke"


@dataclass(frozen=True)
class Cell:
    """What is trained and evaluated.

    Attributes:
        agent: Its name.
        environment: Name in `ENVIRONMENTS`.
        seed: Of training.
        settings: "tuned" for those of ``agents/hyperparams``, or "smoke".
        length: What the length of training is multiplied by.
        episodes: Episodes of the evaluation.
        n_untrained: Untrained copies.
    """

    agent: str
    environment: str
    seed: int
    settings: str
    length: float
    episodes: int
    n_untrained: int

    def folder(self, out: Path) -> Path:
        """Return where the cell is kept."""
        return out / self.agent / self.environment.replace("/", "-") / f"seed-{self.seed}"

    def options(self) -> RunConfig:
        """Return the settings of training."""
        tuned = self.settings != SMOKE
        options: RunConfig = AGENTS[self.agent].preset(self.environment if tuned else SMOKE)
        if not tuned and isinstance(options, PoolConfig):
            options = replace(options, learners=(self.environment.removeprefix(f"{POOL}/"),))
        return scaled(replace(options, seed=self.seed), self.length)

    def depends(self) -> dict[str, Any]:
        """Return what determines the cell's results."""
        return {"cell": self, "options": self.options()}


def scaled(options: RunConfig, length: float) -> RunConfig:
    """Return settings of a run that is so many times as long, in whole segments."""
    if length == 1.0:
        return options
    known = {field.name for field in fields(options)}
    name = next(name for name in LENGTHS if name in known and getattr(options, name))
    segments = int(getattr(options, "n_segments", 1))
    each = max(1, round(length * getattr(options, name) / segments))
    changes: dict[str, Any] = {name: each * segments}
    return replace(options, **changes)


def run_cell(cell: Cell, out: Path) -> dict[str, Any]:
    """Train and evaluate what is not there yet; return the figures.

    Returns:
        ``scores`` of the policy, of random, of the shuffled copy where there is one, and the mean
        of the untrained copies, one an episode; ``curve``: share of the training that was done,
        mean score minus random's, and half of its 95 % interval over the episodes.
    """
    folder = cell.folder(out)
    return kept(folder, "cell", cell.depends(), lambda: _found(cell, folder))


def _found(cell: Cell, folder: Path) -> dict[str, Any]:
    environment, options = ENVIRONMENTS[cell.environment], cell.options()
    scores = {"policy": _train(cell, options, folder / "policy", environment)}
    agent = AGENTS[cell.agent]
    if "shuffled_reward" in agent.controls:
        shuffled = replace(options, control="shuffled_reward")
        path = agent.train(shuffled, folder / "shuffled")
        scores["shuffled"] = environment.scores(load_policy(path), cell.episodes, False)
    copies = agent.export_untrained(options, cell.n_untrained)
    untrained = [environment.scores(copy, cell.episodes, False) for copy in copies]
    scores["untrained"] = np.mean(untrained, axis=0)
    scores["random"] = environment.scores(copies[0], cell.episodes, True)
    return {
        "agent": cell.agent,
        "environment": cell.environment,
        "seed": cell.seed,
        "scores": {name: np.round(values, 6).tolist() for name, values in scores.items()},
        "curve": _curve(folder / "curve", scores["random"], scores["untrained"]),
    }


def _train(cell: Cell, options: RunConfig, folder: Path, environment: Environment) -> Floats:
    """Train, with an evaluation of every segment; return the final policy's scores."""
    curve = folder.with_name("curve")
    curve.mkdir(parents=True, exist_ok=True)
    watch = partial(_keep_point, cell, environment, curve)
    path = AGENTS[cell.agent].train(options, folder, watchers=(watch,))
    return environment.scores(load_policy(path), cell.episodes, False)


def _keep_point(
    cell: Cell, environment: Environment, folder: Path, row: Mapping[str, Any], policy: Any
) -> None:
    segments = int(getattr(cell.options(), "n_segments", 1))
    values = environment.scores(policy, cell.episodes, False)
    write_json(
        folder / f"{row['segment']:04d}.json",
        {"share": (row["segment"] + 1) / segments, "scores": np.round(values, 6).tolist()},
    )


def _curve(folder: Path, random: Floats, untrained: Floats) -> list[dict[str, float]]:
    """Return the points of a learning curve; the first is the mean of the untrained copies."""
    kept = [read_json(path) for path in sorted(folder.glob("*.json"))]
    points = [(0.0, untrained), *((one["share"], np.array(one["scores"])) for one in kept)]
    return [
        {"share": share, "gain": float((values - random).mean()),
         "half_width": half_width(values - random)}
        for share, values in points
    ]  # fmt: skip
