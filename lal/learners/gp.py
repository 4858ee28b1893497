"""Gaussian-process regression on one-hot targets. Loaded lazily: it imports scikit-learn."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.pool import dense


class GPClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A Gaussian process with a fixed squared-exponential kernel, one regression for each class.

    Nothing is tuned, so a handful of labels is enough. Probabilities are the positive parts of the
    posterior means, drawn towards uniform by the posterior variance:
    ``p_c ~ max(m_c, 0) + v / C``. Source: Rasmussen & Williams (2006), section 2.2 (algorithm 2.1)
    and section 6.5 (least-squares classification); the pull towards uniform is ours.

    Args:
        length_scale: Of the kernel, in units of the columns; ``sqrt(D)`` when None.
        noise: Variance added to the diagonal, above 0.
    """

    def __init__(self, length_scale: float | None = None, noise: float = 0.1) -> None:
        self.length_scale = length_scale
        self.noise = noise

    def fit(self, X: Rows, y: Ints, sample_weight: Floats | None = None) -> "GPClassifier":
        """Factorise the kernel of the labelled rows; a weight w divides a row's noise by w."""
        scale = 1.0 if self.length_scale is None else self.length_scale
        if not (self.noise > 0 and scale > 0):
            raise UsageError(
                f"noise and length_scale must be above 0, got {self.noise} and {self.length_scale}"
            )
        self.rows_ = dense(X)
        self.classes_, codes = np.unique(y, return_inverse=True)
        weight = np.ones(len(codes)) if sample_weight is None else np.asarray(sample_weight)
        noise = self.noise / np.maximum(weight, 1e-12)
        self.factor_ = np.linalg.cholesky(self._kernel(self.rows_) + np.diag(noise))
        self.targets_ = np.linalg.solve(self.factor_, np.eye(len(self.classes_))[codes])
        return self

    def predict_proba(self, X: Rows) -> Floats:
        """Return class probabilities, shape (n, C)."""
        whitened = self._whiten(X)
        mean = whitened.T @ self.targets_
        raw = np.maximum(mean, 0.0) + _variance(whitened)[:, None] / mean.shape[1]
        total = np.maximum(raw.sum(axis=1, keepdims=True), 1e-300)
        proba: Floats = raw / total
        return proba

    def predict(self, X: Rows) -> Any:
        """Return the likeliest labels, shape (n,)."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def predictive_variance(self, X: Rows) -> Floats:
        """Return the posterior variance of the noise-free values, in [0, 1], shape (n,)."""
        return _variance(self._whiten(X))

    def _whiten(self, X: Rows) -> Floats:
        whitened: Floats = np.linalg.solve(self.factor_, self._kernel(dense(X)))
        return whitened

    def _kernel(self, rows: Floats) -> Floats:
        """Return the kernel between labelled rows and others, shape (L, n)."""
        width = self.rows_.shape[1]
        scale = np.sqrt(width) if self.length_scale is None else self.length_scale
        squares = (
            np.sum(self.rows_**2, axis=1)[:, None]
            + np.sum(rows**2, axis=1)
            - 2.0 * self.rows_ @ rows.T
        )
        kernel: Floats = np.exp(-0.5 * np.maximum(squares, 0.0) / scale**2)
        return kernel


def _variance(whitened: Floats) -> Floats:
    variance: Floats = np.maximum(1.0 - np.sum(whitened**2, axis=0), 0.0)
    return variance
