"""RBF-kernel SVM, one class against the rest. Loaded lazily: it imports scikit-learn."""

from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC

from lal.arrays import Floats, Ints, Rows


class OneVsRestSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One RBF-kernel SVM for every class, so decision values are true margins.

    scikit-learn's own one-vs-rest values for three classes and more are votes of pairs; through a
    logistic they would all be near one another. Unlike ``OneVsRestClassifier`` it takes sample
    weights.

    Args:
        C: Inverse strength of the ridge.
        gamma: Kernel width, as in ``sklearn.svm.SVC``.
    """

    def __init__(self, C: float = 1.0, gamma: float | Literal["scale", "auto"] = "scale") -> None:
        self.C = C
        self.gamma = gamma

    def fit(self, X: Rows, y: Ints, sample_weight: Floats | None = None) -> "OneVsRestSVC":
        """Fit one machine for two classes, C machines for more."""
        self.classes_ = np.unique(y)
        positives = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        # without a seed libsvm draws one from numpy's global generator, though nothing uses it
        self.machines_: list[Any] = [
            SVC(C=self.C, gamma=self.gamma, random_state=0).fit(
                X, np.asarray(y) == label, sample_weight
            )
            for label in positives
        ]
        return self

    def decision_function(self, X: Rows) -> Floats:
        """Return signed margins, shape (n,) for two classes, (n, C) for more."""
        values = [machine.decision_function(X) for machine in self.machines_]
        return values[0] if len(values) == 1 else np.stack(values, axis=1)

    def predict(self, X: Rows) -> Any:
        """Return the labels of largest margin, shape (n,)."""
        values = self.decision_function(X)
        if values.ndim == 1:
            return self.classes_[(values > 0).astype(np.int64)]
        return self.classes_[np.argmax(values, axis=1)]
