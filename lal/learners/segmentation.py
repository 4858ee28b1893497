"""Segmentation: a learner whose rows are regions of images and whose answers are pixels.

A row of X is a region: the columns of its first pixel, of its second one, and so on. The label of
a region is the class of each of its pixels, or one class for all of them.
"""

import copy

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.learners.capabilities import find_capability
from lal.learners.pool_aware import bind_pool
from lal.pool import dense
from lal.task import Learner, Model


class SegmentationLearner:
    """Fits a learner of classes to the pixels of labelled regions.

    Args:
        base: Learns the class of a pixel from its columns.
        n_pixels: Pixels of a region, P.
        n_names: The last columns of a pixel that only name it (the point of the surface that it
            shows, for instance); they are not learned from.

    Raises:
        UsageError: A number below what makes sense.
    """

    def __init__(self, base: Learner, *, n_pixels: int = 1, n_names: int = 0) -> None:
        if n_pixels < 1 or n_names < 0:
            raise UsageError(
                f"n_pixels must be at least 1 and n_names at least 0, got {n_pixels} and {n_names}"
            )
        self.base, self.n_pixels, self.n_names = base, n_pixels, n_names
        self.name = f"segmentation({base.name}, n_pixels={n_pixels})"

    def bind(self, X: Rows) -> "SegmentationLearner":
        """Return the learner whose base has seen the pixels of a pool, never their classes."""
        bound = copy.copy(self)
        bound.base = bind_pool(self.base, self.pixels(X))
        return bound

    def blocks(self, X: Rows) -> Floats:
        """Return rows pixel by pixel, shape (n, P, columns of a pixel)."""
        rows = dense(X)
        width = rows.shape[1] // self.n_pixels
        if rows.shape[1] % self.n_pixels or width <= self.n_names:
            raise UsageError(
                f"rows of {rows.shape[1]} columns are not {self.n_pixels} pixels of more than "
                f"{self.n_names} columns each; set n_pixels and n_names of the learner"
            )
        return rows.reshape(len(rows), self.n_pixels, width)

    def pixels(self, X: Rows) -> Floats:
        """Return the columns that are learned from, one row a pixel, shape (n P, f)."""
        blocks = self.blocks(X)
        seen = blocks[:, :, : blocks.shape[2] - self.n_names]
        return np.ascontiguousarray(seen.reshape(-1, seen.shape[2]))

    def fit(
        self,
        X: Rows,
        y: Ints,
        *,
        n_classes: int,
        sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> "SegmentationModel":
        """Return a model of the pixels; see `Learner.fit`.

        Args:
            X: Labelled regions, shape (L, D).
            y: Class of each region, shape (L,), or of each of its pixels, shape (L, P).
            n_classes: C.
            sample_weight: Weights of the regions, shape (L,).
            seed: Of the base.
        """
        codes = np.asarray(y, dtype=np.int64)
        if codes.ndim == 1:
            codes = np.repeat(codes[:, None], self.n_pixels, axis=1)
        weight = None if sample_weight is None else np.repeat(sample_weight, self.n_pixels)
        base = self.base.fit(
            self.pixels(X), codes.ravel(), n_classes=n_classes, sample_weight=weight, seed=seed
        )
        return SegmentationModel(base, self)


class SegmentationModel:
    """Speaks of pixels (`pixel_proba`), and of regions as the mean of their pixels."""

    def __init__(self, base: Model, learner: SegmentationLearner) -> None:
        self.base, self.learner, self.n_classes = base, learner, base.n_classes

    def _by_region(self, pixels: Floats) -> Floats:
        """Return values of pixels, (..., n P, k), as (..., n, P, k)."""
        split = (*pixels.shape[:-2], -1, self.learner.n_pixels, pixels.shape[-1])
        blocks: Floats = pixels.reshape(split)
        return blocks

    def pixel_proba(self, X: Rows) -> Floats:
        """Return the probabilities of every pixel, shape (n, P, C)."""
        return self._by_region(self.base.predict_proba(self.learner.pixels(X)))

    def pixel_samples(self, X: Rows, n: int, rng: np.random.Generator) -> Floats | None:
        """Return what n members or draws of the base say of every pixel, shape (M, n, P, C).

        None where the base has neither. A forest has its trees, whatever `n` is.
        """
        pixels = self.learner.pixels(X)
        drawn = find_capability(self.base, "sample_proba", pixels, n, rng)
        members = self.base.committee_proba(pixels) if drawn is None else drawn
        return None if members is None else self._by_region(members)

    def pixel_names(self, X: Rows) -> Floats | None:
        """Return the columns that name every pixel, shape (n, P, names); None without any."""
        n = self.learner.n_names
        return self.learner.blocks(X)[:, :, -n:] if n else None

    def predict_proba(self, X: Rows) -> Floats:
        """Return the expected share of each class in a region, shape (n, C)."""
        return np.asarray(self.pixel_proba(X).mean(axis=1))

    def predict(self, X: Rows) -> Ints:
        """Return the class with the largest share of each region, shape (n,)."""
        codes: Ints = np.argmax(self.predict_proba(X), axis=1)
        return codes

    def committee_proba(self, X: Rows) -> Floats | None:
        """Return the members' shares of each class, shape (M, n, C); None without members."""
        members = self.base.committee_proba(self.learner.pixels(X))
        return None if members is None else np.asarray(self._by_region(members).mean(axis=2))

    def variance(self, X: Rows) -> Floats | None:
        """Return the mean variance of the pixels, shape (n,); None where the base has none."""
        found = self.base.variance(self.learner.pixels(X))
        return None if found is None else np.asarray(self._by_region(found[:, None]).mean((1, 2)))

    def embed(self, X: Rows) -> Floats | None:
        """Return the mean of what the base's last layer sees of the pixels, shape (n, h)."""
        found = find_capability(self.base, "embed", self.learner.pixels(X))
        return None if found is None else np.asarray(self._by_region(found).mean(axis=1))
