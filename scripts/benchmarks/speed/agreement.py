"""Compiled logistic regression beside the exact optimum, set by set.

Episodes with random labels are run on standardised data; after every few labels the
simulator's probabilities are compared with scikit-learn's at ``tol=1e-10``, and so is the accuracy
on the reward part. The last sets are hard: columns far from unit scale, weak penalties.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints
from lal.learners import make_learner
from lal.task import Part, Task
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.speed.learners import blobs


@dataclass(frozen=True, kw_only=True)
class Config:
    """How many episodes."""

    episodes: int = 4
    """Episodes a set."""


REAL = ("breast_cancer", "iris", "wine", "digits")
MADE = ((2, 10), (2, 30), (2, 100), (3, 8), (8, 20))
"""Classes and columns of the synthetic sets."""

HARD = (
    (2, 6, 1.0, 1e4), (2, 6, 10.0, 1e4), (2, 6, 30.0, 100.0), (2, 6, 30.0, 1.0),
    (4, 6, 1.0, 1e4), (4, 6, 10.0, 1e4), (4, 6, 30.0, 100.0), (4, 6, 30.0, 1.0), (12, 30, 1.0, 1e4),
)  # fmt: skip
"""Classes and columns, what all columns are multiplied by, and C."""


def sets() -> Iterator[tuple[str, Floats, Ints, float]]:
    """Return names, samples, labels and C; all but the last samples are standardised."""
    from lal import load_dataset

    for name in REAL:
        data = load_dataset(f"sklearn:{name}")
        X = np.asarray(data.X, dtype=np.float64)
        X = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-12)
        yield name, X, np.asarray(data.y), 1.0
    for C, D in MADE:
        yield f"blobs of {C} classes, {D} columns", *blobs(C, D, 700), 1.0
    for C, D, scale, inverse_penalty in HARD:
        X, y = blobs(C, D, 700)
        name = f"{C} classes, {D} columns x {scale:g}, C = {inverse_penalty:g}"
        yield name, scale * X, y, inverse_penalty


def agreement(
    name: str, X: Floats, y: Ints, inverse_penalty: float, *, episodes: int = 4, every: int = 4
) -> tuple[float, float, float]:
    """Return the largest |dp|, the share of equal accuracies, and the worst difference in rows."""
    from sklearn.linear_model import LogisticRegression

    from envs.simulator.pool import PoolSimulator

    order = np.random.default_rng(0).permutation(len(X))
    split = min(len(X) // 2, 500)
    pool, held = order[:split], order[split : split + 500]
    C = int(y.max()) + 1
    learner = make_learner("logistic_regression", C=inverse_penalty)
    task = Task(
        name=name, family=name, n_classes=C, learner=learner,
        pool=Part(X[pool], y[pool]), test=None, reward=Part(X[held], y[held]), budget=50,
    )  # fmt: skip
    sim = PoolSimulator(
        [task], episodes, candidate_features=["margin@1"], context_features=[], slate_size=1
    )
    sim.reset()
    worst, gaps = 0.0, []
    exact = LogisticRegression(
        C=inverse_penalty, tol=1e-10, max_iter=100_000, solver="newton-cholesky"
    )
    for step in range(48):
        if step % every == 0:
            for e in range(episodes):
                rows = pool[sim.labelled_rows(e)]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # a line search stopped by rounding; few rows
                    exact.fit(X[rows], y[rows])
                wanted = np.zeros((len(pool) + len(held), C))
                wanted[:, exact.classes_] = exact.predict_proba(X[np.r_[pool, held]])
                worst = max(worst, float(np.abs(sim.proba(e) - wanted).max()))
                right = wanted[len(pool) :].argmax(axis=1) == y[held]
                gaps.append(abs(round(float(right.mean() - sim.metrics[e, 0]) * len(held))))
        sim.step(np.zeros(episodes, dtype=np.int64))
    return worst, gaps.count(0) / len(gaps), max(gaps) / len(held)


def run(config: Config, results: Results) -> None:
    """Add a row per set."""
    for name, X, y, inverse_penalty in sets():
        worst, same, gap = agreement(name, X, y, inverse_penalty, episodes=config.episodes)
        results.add("agreement", {
            "set": name,
            "largest difference of a probability": f"{worst:.1e}",
            "same accuracy": f"{same:.1%}",
            "worst difference, accuracy points": f"{100 * gap:.2f}",
        })  # fmt: skip


main = Benchmark("agreement", Config, run)
