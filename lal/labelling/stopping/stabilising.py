"""Stabilising predictions: stop when they no longer change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.labelling.stopping.base import STOP_ROWS, STOP_STEP, Checkpoints, check_threshold
from lal.rng import generator, integer_seed
from lal.task import Learner

STOP_KAPPA = 0.99
"""Agreement from which predictions count as stable; the value is the source's."""

STOP_WINDOW = 3
"""Comparisons that the agreement is averaged over; the value is the source's."""


@dataclass(frozen=True)
class Stability:
    """Whether predictions have stopped changing.

    Attributes:
        kappa: Mean agreement of the last comparisons, None before there are enough.
        stop: Whether the rule says that labelling may stop.
        threshold: Agreement from which it may.
    """

    kappa: float | None
    stop: bool
    threshold: float = STOP_KAPPA

    def __str__(self) -> str:
        """Return it as a sentence."""
        if self.kappa is None:
            return "too few labels to say whether predictions are stable"
        said = "stable: labelling may stop" if self.stop else "still changing: go on"
        return f"predictions are {said} (agreement {self.kappa:.3f}, threshold {self.threshold})"


class StabilisingPredictions:
    """Stop when models on ever more labels predict the same on rows set aside for comparison.

    Every tenth label a model is fitted; its predictions on at most 2 000 rows, chosen once and
    without labels, are compared with the model's before by Cohen's kappa. The rule stops when the
    mean of the last three kappas is at least 0.99. Source: Bloodgood and Vijay-Shanker (2009), "A
    method for stopping active learning based on stabilizing predictions and the need for
    user-adjustable stopping", CoNLL.

    Args:
        learner: What is fitted.
        X: Encoded rows, shape (N, d).
        n_classes: C.
        seed: Chooses the rows and seeds the learner.
        threshold: Agreement from which labelling may stop.
    """

    def __init__(
        self,
        learner: Learner,
        X: Rows,
        *,
        n_classes: int,
        seed: int,
        threshold: float = STOP_KAPPA,
    ) -> None:
        self.threshold = check_threshold("stabilising_predictions", threshold, -1.0, 1.0)
        self.learner, self.X, self.n_classes, self.seed = learner, X, n_classes, seed
        size = min(STOP_ROWS, len(X))
        self.rows = generator(seed, "stopping").choice(len(X), size=size, replace=False)
        self._kept: Mapping[tuple[tuple[int, int], ...], Ints] = {}

    def judge(self, labels: Sequence[tuple[int, int]]) -> Stability:
        """Return what the rule says about labels in the order given, as (row, code) pairs."""
        last = len(labels) // STOP_STEP
        if last < STOP_WINDOW + 1:
            return Stability(None, False, self.threshold)
        points = [n * STOP_STEP for n in range(last - STOP_WINDOW, last + 1)]
        prefixes = [tuple(labels[:n]) for n in points]
        self._kept = {p: self._kept[p] if p in self._kept else self._predict(p) for p in prefixes}
        said = [self._kept[p] for p in prefixes]
        kappas = [kappa(a, b, self.n_classes) for a, b in pairwise(said)]
        mean = float(np.mean(kappas))
        return Stability(mean, mean >= self.threshold, self.threshold)

    def _predict(self, labels: Sequence[tuple[int, int]]) -> Ints:
        rows, codes = np.array(sorted(labels), dtype=np.int64).T
        model = self.learner.fit(
            self.X[rows], codes, n_classes=self.n_classes, seed=integer_seed(self.seed, "stopping")
        )
        return model.predict(self.X[self.rows])


def kappa(a: Ints, b: Ints, n_classes: int) -> float:
    """Return Cohen's kappa of two labellings; 0 where both are one same class throughout.

    There it is undefined, and a model that knows one class does not justify stopping. Source: Cohen
    (1960), "A coefficient of agreement for nominal scales".
    """
    share_a: Floats = np.bincount(a, minlength=n_classes) / len(a)
    share_b: Floats = np.bincount(b, minlength=n_classes) / len(b)
    chance = float(share_a @ share_b)
    if chance == 1.0:
        return 0.0
    return (float(np.mean(a == b)) - chance) / (1.0 - chance)


def stabilising_predictions(
    checkpoints: Checkpoints, threshold: float = STOP_KAPPA
) -> StabilisingPredictions:
    """Return the rule on what `STOPPING_RULES` gives every rule."""
    c = checkpoints
    return StabilisingPredictions(
        c.learner, c.X, n_classes=c.n_classes, seed=c.seed, threshold=threshold
    )
