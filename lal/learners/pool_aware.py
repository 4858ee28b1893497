"""Learners that train on the pool, too: bound to its rows once an episode, never to its labels."""

import copy
from typing import Any, Protocol

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.pool import stacked, take
from lal.task import Learner, Model


class BindsPool(Protocol):
    """A learner that can be given the rows of a pool before it is fitted."""

    def bind(self, X: Rows) -> Learner:
        """Return the learner with the rows of a pool, shape (N, D)."""
        ...


def bind_pool(learner: Any, X: Rows) -> Learner:
    """Return the learner bound to a pool, or itself where it does not look at pools."""
    bind = getattr(learner, "bind", None)
    bound: Learner = learner if bind is None else bind(X)
    return bound


class PseudoLabels:
    """Fits a learner, then again with the rows of the pool that it is sure of.

    A row gets its predicted class as a pseudo-label where the entropy of its prediction is below
    ``threshold - decay L`` (never below 0), L the number of labels. Pseudo-labels are made anew at
    each fit; they cost nothing and are no labels of the pool. Without a pool it is the base
    learner. Source: Wang, Zhang, Li, Zhang & Lin (2016), "Cost-effective active learning for deep
    image classification" (CEAL).

    Args:
        base: The learner.
        threshold: In nats, not negative.
        decay: By label, not negative.
    """

    def __init__(self, base: Learner, *, threshold: float = 0.05, decay: float = 1e-4) -> None:
        if threshold < 0 or decay < 0:
            raise UsageError(
                f"threshold and decay must not be negative, got {threshold} and {decay}"
            )
        self.base, self.threshold, self.decay = base, threshold, decay
        self.name = f"pseudo_labels({base.name})"
        self.pool: Rows | None = None

    def bind(self, X: Rows) -> "PseudoLabels":
        """Return the learner with the rows of a pool, shape (N, D)."""
        bound = copy.copy(self)
        bound.pool = X
        return bound

    def threshold_at(self, n_labels: int) -> float:
        """Return the largest entropy of a pseudo-label."""
        return max(self.threshold - self.decay * n_labels, 0.0)

    def fit(
        self,
        X: Rows,
        y: Ints,
        *,
        n_classes: int,
        sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> Model:
        """Return the base learner fitted to labels and pseudo-labels; see `Learner.fit`."""
        given = {"n_classes": n_classes, "seed": seed}
        model = self.base.fit(X, y, sample_weight=sample_weight, **given)
        rows, codes = self.pseudo_labels(model, X, y)
        if not len(rows) or self.pool is None:
            return model
        if sample_weight is not None:
            sample_weight = np.append(sample_weight, np.ones(len(rows)))
        more = stacked(X, take(self.pool, rows))
        return self.base.fit(more, np.append(y, codes), sample_weight=sample_weight, **given)

    def pseudo_labels(self, model: Model, X: Rows, y: Ints) -> tuple[Ints, Ints]:
        """Return rows of the pool with their pseudo-labels; rows equal to labelled ones have none.

        Args:
            model: Predicts.
            X: Labelled rows, shape (L, D).
            y: Their codes, shape (L,).
        """
        if self.pool is None or len(np.unique(y)) < 2:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        proba = model.predict_proba(self.pool)
        entropy = -(proba * np.log(np.where(proba > 0, proba, 1.0))).sum(axis=1)
        sure = np.flatnonzero(entropy < self.threshold_at(len(y)))
        known = set(_contents(X))
        kept = [row for row, content in zip(sure, _contents(take(self.pool, sure)), strict=True)
                if content not in known]  # fmt: skip
        rows = np.array(kept, dtype=np.int64)
        return rows, proba[rows].argmax(axis=1)


def _contents(X: Rows) -> list[bytes]:
    rows = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    return [row.tobytes() if row.dtype != object else repr(row.tolist()).encode() for row in rows]
