"""How far a project is, and how good its labels make a learner: cross-validated accuracy."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lal.arrays import Ints, Rows
from lal.rng import generator, integer_seed
from lal.task import Learner

N_FOLDS = 5

WIDER = 1.0 + N_FOLDS / (N_FOLDS - 1)
"""What the variance is multiplied by because folds share training rows."""

MIN_LABELS = 20
"""Fewer labels give no accuracy."""

MIN_PER_CLASS = 5
"""So many labels at least two classes must have."""


@dataclass(frozen=True)
class Progress:
    """How far a project is.

    Attributes:
        n_rows: Rows of the table, N.
        n_labelled: Rows with a label, L.
        n_answers: Labels and skips given in this project that still stand.
        skipped: Names of the skipped rows.
        counts: Labels of each class.
        unsure: Names of the rows without a label that somebody was not sure about.
    """

    n_rows: int
    n_labelled: int
    n_answers: int
    skipped: tuple[str, ...]
    counts: Mapping[str, int]
    unsure: tuple[str, ...] = ()

    @property
    def n_left(self) -> int:
        """Rows that may still be queried."""
        return self.n_rows - self.n_labelled - len(self.skipped)

    def __str__(self) -> str:
        """Return it as a line."""
        counts = ", ".join(f"{name} {n}" for name, n in self.counts.items())
        unsure = f" ({len(self.unsure)} of them not sure)" if self.unsure else ""
        return (
            f"{self.n_labelled} of {self.n_rows} rows labelled ({counts}), "
            f"{len(self.skipped)} skipped, {self.n_left} left{unsure}"
        )


@dataclass(frozen=True)
class Accuracy:
    """Accuracy by cross-validation over the labelled rows.

    Attributes:
        right: Labelled rows predicted right by a model that did not see them.
        of: Labelled rows.
        low: Lower end of the 95 % interval.
        high: Its upper end.
        commonest: Share of the commonest class among the labels.
    """

    right: int
    of: int
    low: float
    high: float
    commonest: float

    @property
    def value(self) -> float:
        """The share predicted right."""
        return self.right / self.of

    def __str__(self) -> str:
        """Return it as a sentence that says what it is measured on."""
        return (
            f"accuracy {self.value:.1%} (95 % interval {self.low:.1%} to {self.high:.1%}) by "
            f"{N_FOLDS}-fold cross-validation on the {self.of} labelled rows; always answering "
            f"the commonest class: {self.commonest:.1%}"
        )


def labels_missing(codes: Ints) -> str | None:
    """Return why there is no accuracy yet, or None when there are enough labels."""
    counts = np.bincount(codes) if len(codes) else np.zeros(1, dtype=np.int64)
    if len(codes) < MIN_LABELS:
        return f"no accuracy yet: {len(codes)} of at least {MIN_LABELS} labels"
    if int((counts >= MIN_PER_CLASS).sum()) < 2:
        return f"no accuracy yet: two classes need at least {MIN_PER_CLASS} labels each"
    return None


def cross_validated(
    learner: Learner, X: Rows, codes: Ints, *, n_classes: int, seed: int
) -> Accuracy | None:
    """Return the accuracy on rows held out in turn, None while there are too few labels.

    The interval is Wilson's over the held-out predictions taken together (Wilson 1927; Brown, Cai
    and DasGupta 2001), as if they were fewer: folds share training rows, which Nadeau and Bengio
    (2003, "Inference for the generalization error") correct by multiplying the variance by
    ``1 + K / (K - 1)`` for K folds. On rows drawn at random this errs to the wide side.

    Args:
        learner: Fitted once a fold.
        X: Labelled rows, shape (L, D).
        codes: Their classes, shape (L,).
        n_classes: C.
        seed: Deals the rows to the folds and seeds the learner.
    """
    if labels_missing(codes):
        return None
    folds = _folds(codes, generator(seed, "folds"))
    hits = np.zeros(len(codes), dtype=bool)
    for fold in range(N_FOLDS):
        inside = folds != fold
        model = learner.fit(
            X[inside], codes[inside], n_classes=n_classes, seed=integer_seed(seed, "fold", fold)
        )
        hits[~inside] = model.predict(X[~inside]) == codes[~inside]
    right = int(hits.sum())
    low, high = wilson(right / len(codes), len(codes) / WIDER)
    commonest = float(np.bincount(codes).max() / len(codes))
    return Accuracy(right, len(codes), low, high, commonest)


def _folds(codes: Ints, rng: np.random.Generator) -> Ints:
    """Return the fold of every row: rows are dealt class by class, so classes are spread evenly."""
    shuffled = rng.permutation(len(codes))
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    folds = np.empty(len(codes), dtype=np.int64)
    folds[order] = np.arange(len(codes)) % N_FOLDS
    return folds


def wilson(share: float, of: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return the ends of Wilson's score interval for a share of `of` draws."""
    middle = share + z * z / (2 * of)
    reach = z * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    low, high = (middle - reach) / scale, (middle + reach) / scale
    return max(0.0, float(low)), min(1.0, float(high))
