"""Training rows of LAL: one file a number of labels, each a function of config and number."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.lal_regression.config import LalConfig
from agents.lal_regression.rankers import Ranker, no_ranker
from agents.lal_regression.tasks import GainTask, make_sampler
from lal.arrays import Floats, Ints
from lal.rng import generator
from lal.serialization import write_atomic

N_FEATURES = 8


@dataclass(frozen=True, eq=False)
class GainRows:
    """Candidates of many tasks.

    Attributes:
        features: The published features, shape (n, 8).
        gains: Test accuracy with the candidate's label minus without, shape (n,).
        task: Number of the task a row belongs to, shape (n,).
    """

    features: Floats
    gains: Floats
    task: Ints

    def save(self, path: Path) -> None:
        """Write to an npz file, atomically."""

        def write(part: Path) -> None:
            with part.open("wb") as handle:
                np.savez_compressed(
                    handle,
                    features=self.features.astype(np.float32),
                    gains=self.gains.astype(np.float32),
                )

        write_atomic(path, write)


def load_rows(paths: list[Path], n_candidates: int) -> GainRows:
    """Return the rows of several files, in their order."""
    features, gains = [], []
    for path in paths:
        with np.load(path) as found:
            features.append(found["features"].astype(np.float64))
            gains.append(found["gains"].astype(np.float64))
    joined = np.concatenate(gains)
    return GainRows(np.concatenate(features), joined, np.arange(len(joined)) // n_candidates)


def make_rows(config: LalConfig, size: int, rankers: Ranker | None = None) -> GainRows:
    """Return the rows of one number of labels.

    Args:
        config: How many, and of which tasks.
        size: Labels before a candidate is tried.
        rankers: Regressors of the smaller sizes that grow the labelled sets; None: at random.
    """
    sampler = make_sampler(config)
    shape = (config.n_tasks, config.n_candidates)
    features, gains = np.zeros((*shape, N_FEATURES)), np.zeros(shape)
    for number in range(config.n_tasks):
        task = sampler(generator(config.seed, "lal_task", size, number))
        try_candidates(task, size, rankers, config.n_trees, features[number], gains[number])
    number_of = np.repeat(np.arange(config.n_tasks), config.n_candidates)
    return GainRows(features.reshape(-1, N_FEATURES), gains.reshape(-1), number_of)


def try_candidates(
    task: GainTask,
    size: int,
    rankers: Ranker | None,
    n_trees: int,
    features: Floats,
    gains: Floats,
) -> None:
    """Write the features and gains of a task's candidates; see `kernels.label_gains`."""
    kernels = compiled()
    kernels.label_gains(
        task.points,
        task.codes,
        task.n_pool,
        task.start,
        size,
        kernels.RANDOM if rankers is None else kernels.RANKER,
        rankers or no_ranker(),
        max(int(np.sqrt(len(task.points))), 1),
        n_trees,
        task.seed,
        features,
        gains,
    )


def play(
    task: GainTask, rule: str, n_labels: int, *, n_trees: int = 50, ranker: Ranker | None = None
) -> Floats:
    """Return the test accuracies with 2 to `n_labels` labels, shape (n_labels - 1,).

    Args:
        task: What is run.
        rule: ``"random"``, ``"uncertainty"`` or ``"ranker"``.
        n_labels: Labels at the end.
        n_trees: Trees of the learner.
        ranker: A regressor, for ``"ranker"``.
    """
    kernels = compiled()
    numbers = {
        "random": kernels.RANDOM,
        "uncertainty": kernels.UNCERTAINTY,
        "ranker": kernels.RANKER,
    }
    accuracies = np.zeros(n_labels - 1)
    kernels.accuracy_curve(
        task.points,
        task.codes,
        task.n_pool,
        task.start,
        numbers[rule],
        ranker or no_ranker(),
        max(int(np.sqrt(len(task.points))), 1),
        n_trees,
        task.seed,
        accuracies,
    )
    return accuracies


def compiled() -> Any:
    """Return the compiled kernels; numba's functions carry no types."""
    from envs.simulator.kernels import label_gains

    return label_gains
