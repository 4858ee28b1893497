"""Row 88: how many labels a threshold costs."""

import numpy as np

import lal
from lal.arrays import Floats
from lal.task import Part, Task
from scripts.row_checks.base import Outcome, all_of


def count_queries(
    points: Floats, threshold: float, noise: float = 0.0, rng: np.random.Generator | None = None
) -> tuple[int, float]:
    """Return the labels asked of a stream of points, and the share of inferred labels wrong.

    A label is asked where the thresholds that agree with all labels so far disagree, and inferred
    elsewhere; with noise, an answer that contradicts the others moves the nearer end.

    Args:
        points: In [0, 1], in the order of the stream.
        threshold: Labels are 1 from here on.
        noise: Probability that an answer is wrong.
        rng: Draws the noise; not needed without.
    """
    low, high, asked, wrong = -np.inf, np.inf, 0, 0
    flips = np.zeros(len(points)) if rng is None else rng.random(len(points)) < noise
    for point, flip in zip(points, flips, strict=True):
        label = bool(point >= threshold)
        if not low < point < high:
            wrong += (point >= high) != label
            continue
        asked += 1
        if label != bool(flip):
            high = point
        else:
            low = point
    return asked, wrong / max(len(points) - asked, 1)


def label_complexity() -> Outcome:
    """Queries grow as log n, on streams and by margin sampling; noise breaks what is inferred."""
    rng = np.random.default_rng(0)
    sizes = np.array([100, 1000, 10_000])
    counts = np.array(
        [[count_queries(rng.random(n), rng.uniform(0.2, 0.8)) for _ in range(50)] for n in sizes]
    )
    mean = counts[:, :, 0].mean(axis=1)
    slope = np.polyfit(np.log(sizes), mean, 1)[0]
    noisy = np.mean([count_queries(rng.random(1000), 0.4, 0.1, rng)[1] for _ in range(50)])
    searches = [_labels_of_margin(n) for n in (32, 128, 512)]
    steps = np.diff(searches) / 2.0  # labels for each doubling
    told = ", ".join(f"{m:.1f}" for m in mean)
    return all_of(
        (bool(1.5 < slope < 2.5), f"labels for 100, 1 000, 10 000 points {told}: slope in log n "
         f"{slope:.2f}"),
        (bool(counts[:, :, 1].max() == 0.0 and noisy > 0.0),
         f"no inferred label wrong without noise; with 10 %, {100 * noisy:.0f} %"),
        (bool((steps <= 2.0).all() and (steps > 0.0).all()), "margin sampling until all is right, "
         f"32, 128, 512 points: {', '.join(f'{n:.1f}' for n in searches)} labels"),
    )  # fmt: skip


def _labels_of_margin(n: int) -> float:
    """Return the mean number of labels until a margin sampler has the whole pool right."""
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = np.sort(rng.random(n))[:, None]
        y = (X[:, 0] >= rng.uniform(0.3, 0.7)).astype(np.int64)
        learner = lal.make_learner("logistic_regression", C=1e4)
        whole = Part(X, y)
        task = Task("threshold", "threshold", learner, 2, whole, whole, budget=24)
        curve = lal.run_episode(lal.make_strategy("margin"), task, seed=seed)
        right = curve.metrics["accuracy"] == 1.0
        found.append(curve.n_labels[right.argmax()] if right.any() else curve.n_labels[-1])
    return float(np.mean(found))
