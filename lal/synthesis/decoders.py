"""Decoders: from a few latent numbers to an item, and back."""

from typing import Protocol

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError

REACH = 2.5
"""How far latents of fitted decoders go, in standard deviations; further ones leave the data."""


class Decoder(Protocol):
    """Turns latents into items as the learner takes them."""

    @property
    def n_latent(self) -> int:
        """Number of latent numbers d."""
        ...

    @property
    def reach(self) -> float:
        """Latents are clipped to ``[-reach, reach]``."""
        ...

    def decode(self, Z: Floats) -> Floats:
        """Return items, (n, d) to (n, D)."""
        ...

    def encode(self, X: Floats) -> Floats:
        """Return latents of items, (n, D) to (n, d)."""
        ...

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Return latents as somebody without a strategy would draw them, shape (n, d)."""
        ...


class BoxDecoder:
    """Latents are the item, scaled from ``[-1, 1]`` to a box; drawn uniformly.

    Args:
        low: Lower corner, shape (D,).
        high: Upper corner, shape (D,).
    """

    reach = 1.0

    def __init__(self, low: Floats, high: Floats) -> None:
        self.low, self.high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        if self.low.shape != self.high.shape or not (self.low < self.high).all():
            raise UsageError(f"expected low below high in every column, got {low} and {high}")

    @property
    def n_latent(self) -> int:
        """Columns of the item."""
        return len(self.low)

    def decode(self, Z: Floats) -> Floats:
        """Return items, shape (n, D)."""
        items: Floats = self.low + (np.clip(Z, -1.0, 1.0) + 1.0) / 2.0 * (self.high - self.low)
        return items

    def encode(self, X: Floats) -> Floats:
        """Return latents, shape (n, D)."""
        latents: Floats = 2.0 * (X - self.low) / (self.high - self.low) - 1.0
        return latents

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Return uniform latents."""
        return rng.uniform(-1.0, 1.0, (n, self.n_latent))


class PcaDecoder:
    """The inverse of a principal component analysis; latents have unit variance on the data.

    Args:
        X: Items without labels, shape (n, D).
        n_latent: Components, at most min(n, D).
    """

    reach = REACH

    def __init__(self, X: Floats, n_latent: int) -> None:
        if not 1 <= n_latent <= min(X.shape):
            raise UsageError(f"n_latent must lie from 1 to {min(X.shape)}, got {n_latent}")
        self.mean = X.mean(axis=0)
        _, singular, axes = np.linalg.svd(X - self.mean, full_matrices=False)
        scale = np.maximum(singular[:n_latent] / np.sqrt(len(X)), 1e-9)
        self.axes, self.scale = axes[:n_latent], scale
        self.low, self.high = X.min(axis=0), X.max(axis=0)

    @property
    def n_latent(self) -> int:
        """Components."""
        return len(self.axes)

    def decode(self, Z: Floats) -> Floats:
        """Return items within the range of the data, shape (n, D)."""
        Z = np.clip(Z, -self.reach, self.reach)
        items: Floats = np.clip(self.mean + (Z * self.scale) @ self.axes, self.low, self.high)
        return items

    def encode(self, X: Floats) -> Floats:
        """Return latents, shape (n, d)."""
        latents: Floats = (X - self.mean) @ self.axes.T / self.scale
        return latents

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Return normal latents."""
        return np.clip(rng.normal(size=(n, self.n_latent)), -self.reach, self.reach)


class MixtureDecoder(PcaDecoder):
    """`PcaDecoder` whose latents are drawn from a mixture of Gaussians fitted to the data.

    Args:
        X: Items without labels, shape (n, D).
        n_latent: Components of the analysis.
        n_mixture: Gaussians.
        seed: Of the fit.
    """

    def __init__(self, X: Floats, n_latent: int, n_mixture: int = 10, seed: int = 0) -> None:
        from sklearn.mixture import GaussianMixture

        super().__init__(X, n_latent)
        mixture = GaussianMixture(n_mixture, covariance_type="diag", random_state=seed)
        mixture.fit(self.encode(X))
        self.shares = mixture.weights_ / mixture.weights_.sum()
        self.means, self.spreads = mixture.means_, np.sqrt(mixture.covariances_)

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Return latents of the mixture."""
        which = rng.choice(len(self.shares), n, p=self.shares)
        Z = self.means[which] + self.spreads[which] * rng.normal(size=(n, self.n_latent))
        latents: Floats = np.clip(Z, -self.reach, self.reach)
        return latents
