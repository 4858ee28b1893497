"""Row 76: a target domain with something that the source domain does not have."""

from typing import Any

import numpy as np

import lal
from lal.arrays import Floats
from lal.data.view import make_geometry
from lal.episode import run_episode
from lal.state import QueryState
from lal.task import Task
from lal.tasks.domains import adaptation_task
from lal.tasks.splits import make_task
from scripts.row_checks.base import Outcome, all_of, lead

RUNS = range(100, 120)
"""Seeds; shift, learner and budget were chosen on seeds 0 to 2."""

LABELS, START = 38, 2


def mada() -> Outcome:
    """Asks for what is only in the target domain, and is more accurate there for it."""
    found: dict[str, list[list[float]]] = {"mada": [], "one anchor": [], "random": [], "margin": []}
    for seed in RUNS:
        task = rotated_digits(seed)
        for label, rows in found.items():
            name, options = ("mada", {"n_anchors": 1}) if label == "one anchor" else (label, {})
            strategy = lal.make_strategy(name, **options)
            curve = run_episode(strategy, task, seed=seed, batch_size=LABELS)
            new = np.asarray(task.pool.groups)
            rate = new[curve.queried[START:]].mean() / new.mean()
            rows.append([100.0 * float(curve.metrics["accuracy"][-1]), float(rate)])
    accuracy, rate = np.array(list(found.values())).transpose(2, 0, 1)
    rates = dict(zip(found, rate.mean(axis=1), strict=True))
    gap, difference = centroid_gap(rotated_digits(0)), accuracy[0] - accuracy[2]
    low = difference.mean() - 1.96 * difference.std(ddof=1) / np.sqrt(len(difference))
    return all_of(
        (gap < 1e-9, f"one anchor against the distance to the source's mean: {gap:.0e}"),
        (
            rates["mada"] >= 2.0,
            f"digits, 30 % of the target rotated, {len(RUNS)} runs: rotated rows among the picks "
            "over their share " + ", ".join(f"{name} {value:.2f}" for name, value in rates.items()),
        ),
        (bool(low > 0.0), f"accuracy after {LABELS} labels {lead(accuracy[0], accuracy[2])} to "
         f"random, {lead(accuracy[0], accuracy[1])} to one anchor, "
         f"{lead(accuracy[0], accuracy[3])} to margin"),
    )  # fmt: skip


def rotated_digits(seed: int) -> Task:
    """Return digits of which 400 are a source, and 400 a target with 30 % rotated ones."""
    data, learner = lal.load_dataset("sklearn:digits"), lal.make_learner("rbf_svm")
    task = make_task(data, learner, seed=seed, budget=LABELS, start=START, max_pool=800)
    return adaptation_task(task, np.random.default_rng(seed), by="rotated")


def centroid_gap(task: Task) -> float:
    """Return how far utilities of one anchor are from distances to the mean of the source."""
    geometry = make_geometry(task.pool.X)
    none = np.zeros(0, dtype=np.int64)
    state = QueryState(
        X=task.pool.X, geometry=geometry, labelled=none, labels=none, n_classes=task.n_classes,
        classes_known=True, proba=None, learner=task.learner,
    )  # fmt: skip
    found = lal.make_strategy("mada", n_anchors=1).utilities(state, np.random.default_rng(0))
    learner: Any = task.learner
    source: Floats = geometry.encode(learner.source_X)
    return float(np.abs(found - ((state.Z - source.mean(axis=0)) ** 2).sum(axis=1)).max())
