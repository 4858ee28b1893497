"""Temperature scaling: probabilities of rows held out, their calibration error, the temperature.

Source: Guo, Pleiss, Sun and Weinberger (ICML 2017), "On calibration of modern neural networks".
"""

from collections.abc import Sequence

import numpy as np

from lal.arrays import Floats, Ints
from lal.pool import take
from lal.state import QueryState

TEMPERATURES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)
"""What a temperature is chosen from."""

BINS = 15
"""Bins of confidence of the calibration error."""

FEWEST = 6
"""Labelled rows below which nothing is held out."""


def scale_temperature(proba: Floats, temperature: float) -> Floats:
    """Return probabilities (n, C) raised to 1 / temperature, summing to one again."""
    if temperature == 1.0:
        return proba
    logits = np.log(np.maximum(proba, 1e-12)) / temperature
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: Floats = raised / raised.sum(axis=1, keepdims=True)
    return scaled


def calibration_error(proba: Floats, labels: Ints) -> float:
    """Return the expected calibration error: mean gap of confidence and accuracy over bins."""
    confidence, hit = proba.max(axis=1), proba.argmax(axis=1) == labels
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(place, confidence - hit, minlength=BINS)
    return float(np.abs(gaps).sum() / len(labels))


def select_temperature(
    proba: Floats, labels: Ints, temperatures: Sequence[float] = TEMPERATURES
) -> float:
    """Return the temperature of least calibration error, of equal ones the nearest to 1.

    Args:
        proba: Probabilities of rows that the model was not fitted to, shape (n, C).
        labels: Their codes, shape (n,).
        temperatures: What is chosen from.
    """
    if len(labels) == 0:
        return 1.0
    order = sorted(temperatures, key=lambda t: abs(np.log(t)))
    errors = [calibration_error(scale_temperature(proba, t), labels) for t in order]
    return float(order[int(np.argmin(np.round(errors, 12)))])


def held_out(state: QueryState, n_splits: int) -> tuple[Floats, Ints]:
    """Return probabilities and codes of labelled rows, each given by a refit without it.

    Rows are dealt out by their content, so that row order has no part in it; parts whose rest has
    one class alone are left out. Nothing with fewer than `FEWEST` labelled rows.
    """
    part = np.empty(len(state.labels), dtype=np.int64)
    content = np.rint(state.Z_labelled * 1e4).astype(np.int64)
    part[np.lexsort(content.T)] = np.arange(len(part)) % n_splits
    found: list[tuple[Floats, Ints]] = [(np.zeros((0, state.n_classes)), state.labels[:0])]
    for k in range(n_splits if len(part) >= FEWEST else 0):
        rest = part != k
        if len(np.unique(state.labels[rest])) > 1:
            weights = None if state.sample_weight is None else state.sample_weight[rest]
            model = state.learner.fit(
                take(state.X, state.labelled[rest]), state.labels[rest],
                n_classes=state.n_classes, sample_weight=weights,
            )  # fmt: skip
            proba = model.predict_proba(take(state.X, state.labelled[~rest]))
            found.append((proba, state.labels[~rest]))
    return np.concatenate([p for p, _ in found]), np.concatenate([y for _, y in found])
