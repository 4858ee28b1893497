"""Gaussian-process regression that tunes itself on a grid. Loaded lazily: it imports sklearn."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from lal.arrays import Floats, Rows
from lal.errors import UsageError
from lal.pool import dense

SCALES = (0.35, 0.7, 1.4, 2.8, 5.6)
"""Length scales that are tried, in units of ``sqrt(D)`` columns of unit variance."""

NOISES = (1e-3, 1e-2, 1e-1, 0.5)
"""Shares of the variance that may be noise."""


class GPRegression(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A Gaussian process with a squared-exponential kernel and a constant mean.

    The length scale and the share of noise are those of a small grid that make the labels
    likeliest; the signal's variance has a closed form given both. There is no search that may fail
    with a handful of labels, and a fit costs one eigendecomposition per length scale. Source:
    Rasmussen & Williams (2006), sections 2.2 and 5.4.1.

    Args:
        length_scales: Length scales that are tried, over the root of the number of columns.
        noises: Shares of noise that are tried, above 0.
    """

    def __init__(
        self, length_scales: tuple[float, ...] = SCALES, noises: tuple[float, ...] = NOISES
    ) -> None:
        self.length_scales = length_scales
        self.noises = noises

    def fit(self, X: Rows, y: Any, sample_weight: Floats | None = None) -> "GPRegression":
        """Choose the kernel by marginal likelihood; a weight w divides a row's noise by w."""
        if not (min(self.noises) > 0 and min(self.length_scales) > 0):
            raise UsageError(
                f"noises and length_scales must be above 0, got {self.noises} and "
                f"{self.length_scales}"
            )
        self.rows_ = dense(X)
        y = np.asarray(y, dtype=np.float64)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
        root = np.sqrt(np.maximum(weight / max(weight.mean(), 1e-12), 1e-6))
        self.mean_ = float(np.average(y, weights=root**2))
        squares = _mean_squares(self.rows_, self.rows_)
        best = -np.inf
        for scale in self.length_scales:
            values, vectors = np.linalg.eigh(root[:, None] * _kernel(squares, scale) * root)
            turned = vectors.T @ (root * (y - self.mean_))
            for noise in self.noises:
                spread = np.maximum(values, 0.0) + noise
                signal = max(float(np.mean(turned**2 / spread)), 1e-12)
                evidence = -0.5 * (len(y) * np.log(signal) + np.log(spread).sum())
                if evidence > best:
                    best = evidence
                    self.length_scale_, self.noise_, self.signal_ = scale, noise, signal
                    self.alpha_ = root * (vectors @ (turned / spread))
                    self.whiten_ = (vectors / np.sqrt(spread)).T * root
        return self

    def predict(self, X: Rows, return_std: bool = False) -> Any:
        """Return the posterior mean (n,), and with `return_std` the standard deviation as well.

        The deviation is that of the noise-free value.
        """
        rows = dense(X)
        kernel = _kernel(_mean_squares(self.rows_, rows), self.length_scale_)
        mean: Floats = self.mean_ + kernel.T @ self.alpha_
        if not return_std:
            return mean
        return mean, np.sqrt(self._variance(kernel))

    def steps(self, new: Rows, asked: Rows) -> Floats:
        """Return by how much predictions move per unit of a new label's residual, (m, n).

        The kernel is held. With C the posterior covariance: ``C(a, x) / (C(x, x) + noise)``.

        Args:
            new: Rows whose label may come, n of them.
            asked: Rows whose prediction is asked for, m of them.
        """
        new, asked = dense(new), dense(asked)
        known = [
            self.whiten_ @ _kernel(_mean_squares(self.rows_, rows), self.length_scale_)
            for rows in (new, asked)
        ]
        prior = _kernel(_mean_squares(asked, new), self.length_scale_)
        covariance = prior - known[1].T @ known[0]
        own = np.maximum(1.0 - (known[0] ** 2).sum(axis=0), 0.0) + self.noise_
        steps: Floats = covariance / own
        return steps

    def _variance(self, kernel: Floats) -> Floats:
        known = ((self.whiten_ @ kernel) ** 2).sum(axis=0)
        variance: Floats = self.signal_ * np.maximum(1.0 - known, 0.0)
        return variance


def _mean_squares(A: Floats, B: Floats) -> Floats:
    """Return squared distances over the number of columns, shape (n, m)."""
    squares: Floats = (A * A).sum(axis=1)[:, None] + (B * B).sum(axis=1) - 2.0 * A @ B.T
    mean: Floats = np.maximum(squares, 0.0) / A.shape[1]
    return mean


def _kernel(squares: Floats, scale: float) -> Floats:
    kernel: Floats = np.exp(-0.5 * squares / scale**2)
    return kernel
