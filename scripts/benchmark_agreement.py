"""Compiled logistic regression beside the exact optimum, set by set.

Episodes with random labels are played on standardised data; after every few labels the
simulator's probabilities are compared with scikit-learn's at ``tol=1e-10``, and so is the accuracy
on the reward part.
"""

from collections.abc import Iterator

import numpy as np

from lal.arrays import Floats, Ints
from lal.learners import make_learner
from lal.task import Part, Task

REAL = ("breast_cancer", "iris", "wine", "digits")
MADE = ((2, 10), (2, 30), (2, 100), (3, 8), (8, 20))
"""Classes and columns of the synthetic sets."""


def sets() -> Iterator[tuple[str, Floats, Ints]]:
    """Return names, standardised samples and labels."""
    from lal import load_dataset
    from scripts.benchmark_learners import blobs

    for name in REAL:
        data = load_dataset(f"sklearn:{name}")
        X = np.asarray(data.X, dtype=np.float64)
        yield name, (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-12), np.asarray(data.y)
    for C, D in MADE:
        yield f"blobs of {C} classes, {D} columns", *blobs(C, D, 700)


def agreement(
    name: str, X: Floats, y: Ints, *, episodes: int = 4, every: int = 4
) -> tuple[float, float, float]:
    """Return the largest |dp|, the share of equal accuracies, and the worst difference in rows."""
    from sklearn.linear_model import LogisticRegression

    from envs.simulator.pool_engine import PoolSimulator

    order = np.random.default_rng(0).permutation(len(X))
    split = min(len(X) // 2, 500)
    pool, held = order[:split], order[split : split + 500]
    C = int(y.max()) + 1
    task = Task(
        name=name, family=name, learner=make_learner("logistic_regression"), n_classes=C,
        pool=Part(X[pool], y[pool]), test=None, reward=Part(X[held], y[held]), budget=50,
    )  # fmt: skip
    sim = PoolSimulator(
        [task], episodes, candidate_features=["margin@1"], context_features=[], slate_size=1
    )
    sim.reset()
    worst, same, gaps = 0.0, 0, []
    exact = LogisticRegression(tol=1e-10, max_iter=100_000)
    for step in range(48):
        if step % every == 0:
            for e in range(episodes):
                rows = pool[sim.labelled_rows(e)]
                exact.fit(X[rows], y[rows])
                wanted = np.zeros((len(pool) + len(held), C))
                wanted[:, exact.classes_] = exact.predict_proba(X[np.r_[pool, held]])
                worst = max(worst, float(np.abs(sim.proba(e) - wanted).max()))
                right = wanted[len(pool) :].argmax(axis=1) == y[held]
                gaps.append(abs(round(float(right.mean() - sim.metrics[e, 0]) * len(held))))
        sim.step(np.zeros(episodes, dtype=np.int64))
    same = gaps.count(0)
    return worst, same / len(gaps), max(gaps) / len(held)


def main(arguments: list[str]) -> int:
    """Print the table; an optional argument is the number of episodes a set (4)."""
    episodes = int(arguments[0]) if arguments else 4
    print(f"{'':34s}{'max |dp|':>10s}{'same accuracy':>15s}{'worst, points':>15s}")
    for name, X, y in sets():
        worst, same, gap = agreement(name, X, y, episodes=episodes)
        print(f"{name:34s}{worst:10.1e}{same:15.1%}{100 * gap:15.2f}", flush=True)
    return 0
