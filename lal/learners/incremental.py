"""Task models that learn one label at a time, for streams."""

from typing import Any, Protocol

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.registry import Registry


class IncrementalLearner(Protocol):
    """What learns on a stream."""

    def predict_proba(self, x: Floats) -> Floats:
        """Return class probabilities of one row, (D,) to (C,); of several, (n, D) to (n, C)."""
        ...

    def partial_fit(self, x: Floats, y: int) -> None:
        """Learn the label of one row."""
        ...


class WindowedSoftmax:
    """Softmax regression that follows its last labels.

    Every new label moves the weights by a few gradient steps on the last `window` labels, which
    keeps what is current and forgets the rest. Memory and time per label are constant.

    Args:
        n_columns: D.
        n_classes: C.
        window: Labels remembered.
        n_steps: Gradient steps per label.
        rate: Step size.
        ridge: Pull of the weights towards 0.
    """

    def __init__(
        self,
        n_columns: int,
        n_classes: int,
        *,
        window: int = 40,
        n_steps: int = 4,
        rate: float = 0.5,
        ridge: float = 0.01,
    ) -> None:
        self.weights = np.zeros((n_columns + 1, n_classes))
        self._X = np.zeros((window, n_columns + 1))
        self._Y = np.zeros((window, n_classes))
        self._n = 0
        self._n_steps, self._rate, self._ridge = n_steps, rate, ridge

    def predict_proba(self, x: Floats) -> Floats:
        """Return class probabilities, (D,) to (C,) or (n, D) to (n, C)."""
        scores = x @ self.weights[:-1] + self.weights[-1]
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        proba: Floats = e / e.sum(axis=-1, keepdims=True)
        return proba

    def partial_fit(self, x: Floats, y: int) -> None:
        """Learn the label of one row."""
        slot = self._n % len(self._X)
        self._X[slot, :-1], self._X[slot, -1] = x, 1.0
        self._Y[slot] = 0.0
        self._Y[slot, y] = 1.0
        self._n += 1
        m = min(self._n, len(self._X))
        X, Y = self._X[:m], self._Y[:m]
        for _ in range(self._n_steps):
            errors = self.predict_proba(X[:, :-1]) - Y
            self.weights -= self._rate * (X.T @ errors / m + self._ridge * self.weights)


class PartialFit:
    """Any classifier of scikit-learn with ``partial_fit``; uniform before its first label."""

    def __init__(self, estimator: Any, n_classes: int) -> None:
        if not hasattr(estimator, "partial_fit") or not hasattr(estimator, "predict_proba"):
            raise UsageError(
                f"{type(estimator).__name__} cannot learn on a stream; expected partial_fit and "
                "predict_proba"
            )
        self.estimator, self._n_classes, self._fitted = estimator, n_classes, False

    def predict_proba(self, x: Floats) -> Floats:
        """Return class probabilities, (D,) to (C,) or (n, D) to (n, C)."""
        rows = np.atleast_2d(x)
        if self._fitted:
            proba: Floats = self.estimator.predict_proba(rows)
        else:
            proba = np.full((len(rows), self._n_classes), 1.0 / self._n_classes)
        return proba[0] if x.ndim == 1 else proba

    def partial_fit(self, x: Floats, y: int) -> None:
        """Learn the label of one row."""
        self.estimator.partial_fit(x[None], [y], classes=np.arange(self._n_classes))
        self._fitted = True


class IncrementalMaker(Protocol):
    """Makes a fresh learner."""

    def __call__(self, n_columns: int, n_classes: int) -> IncrementalLearner:
        """Return a learner that has seen nothing."""
        ...


def _sgd(n_columns: int, n_classes: int) -> IncrementalLearner:
    from sklearn.linear_model import SGDClassifier

    estimator = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.05, random_state=0)
    return PartialFit(estimator, n_classes)


INCREMENTAL_LEARNERS: Registry[IncrementalMaker] = Registry("incremental learner")
"""Learners for streams by name."""

INCREMENTAL_LEARNERS.add("windowed_softmax", WindowedSoftmax)
INCREMENTAL_LEARNERS.add("sgd", _sgd)
