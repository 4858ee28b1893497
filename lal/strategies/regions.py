"""Which regions of an image to have segmented, by the pixels that the model predicts.

The learner "segmentation" gives them. A region is worth the mean of its pixels, so that it does not
matter how many there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.scenes import count_clicks
from lal.errors import UsageError
from lal.features.labelled import unchanged
from lal.learners.capabilities import find_capability, require_capability
from lal.state import QueryState
from lal.strategies.committee import consensus_divergence
from lal.strategies.uncertainty import entropy_utility, margin_utility


def pixel_mean(utility: Callable[[Floats], Floats], proba: Floats) -> Floats:
    """Return the mean over the pixels of each region of a utility of rows.

    Args:
        utility: Probabilities (n, C), or those of members (M, n, C), to numbers (n,).
        proba: Of the pixels of regions, shape (..., N, P, C).

    Returns:
        Shape (N,).
    """
    *members, N, P, C = proba.shape
    mean: Floats = utility(proba.reshape(*members, N * P, C)).reshape(N, P).mean(axis=1)
    return mean


def region_pixels(state: QueryState, who: str) -> Floats:
    """Return the probabilities of every pixel, shape (N, P, C); predicted once per state.

    Raises:
        UsageError: The model predicts no pixels.
    """
    if state.pixel_proba is not None:
        return state.pixel_proba
    found: Floats = require_capability(state, "pixel_proba", who)
    return found


def shares_entropy(proba: Floats) -> Floats:
    """Return the entropy in nats of the shares of the likeliest classes, (N, P, C) to (N,)."""
    codes = proba.argmax(axis=2)
    return entropy_utility((codes[:, :, None] == np.arange(proba.shape[2])).mean(axis=1))


@dataclass(frozen=True)
class RegionEntropy:
    """Prefer regions whose pixels have a large mean entropy.

    Args:
        per_click: Divide by the clicks that the region would take if it were as predicted.
    """

    per_click: bool = False

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the utility of every region, shape (N,); 0 before there is a model."""
        if state.proba is None:
            return np.zeros(state.N)
        proba = region_pixels(state, "region_entropy")
        utility = pixel_mean(entropy_utility, proba)
        return utility / count_clicks(proba.argmax(axis=2)) if self.per_click else utility


@dataclass(frozen=True)
class RegionMargin:
    """Prefer regions whose pixels have a small mean margin between their likeliest classes."""

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the utility of every region, shape (N,); 0 before there is a model."""
        if state.proba is None:
            return np.zeros(state.N)
        proba = region_pixels(state, "region_margin")
        return pixel_mean(margin_utility, proba)


@dataclass(frozen=True)
class RegionBald:
    """Prefer regions about whose pixels draws from the posterior, or members, disagree.

    The mean over pixels of the mutual information of class and parameters.

    Args:
        n_draws: Draws from the posterior; a model without one uses its members.
    """

    n_draws: int = 20

    def __post_init__(self) -> None:
        """Refuse fewer than two draws, which cannot disagree."""
        if self.n_draws < 2:
            raise UsageError(f"n_draws must be at least 2, got {self.n_draws}")

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the utility of every region, shape (N,); 0 before there is a model."""
        if state.proba is None:
            return np.zeros(state.N)
        drawn = require_capability(state, "pixel_samples", "region_bald", self.n_draws, rng)
        return pixel_mean(consensus_divergence, drawn)


@dataclass(frozen=True)
class RegionImpurity:
    """Prefer regions of several predicted classes whose pixels are uncertain.

    The product of the entropy of the classes' shares and the mean entropy of the pixels. Source:
    Xie, Yuan, Li, Liu & Cheng (2022), "Towards fewer annotations: active learning via region
    impurity and prediction uncertainty"; for square regions that do not overlap.
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the utility of every region, shape (N,); 0 before there is a model."""
        if state.proba is None:
            return np.zeros(state.N)
        proba = region_pixels(state, "region_impurity")
        utility: Floats = shares_entropy(proba) * pixel_mean(entropy_utility, proba)
        return utility


@dataclass(frozen=True)
class ViewEntropy:
    """Prefer surfaces that views disagree about, once each, from the view that differs most.

    Pixels of several images may show one point of a surface; its name is the last column of each
    pixel (``n_names=1`` of the learner). The entropy of a point is that of the mean of its views;
    regions go by the mean entropy of their points. Of regions that show the same points, the one
    goes first whose predictions have the largest mean KL divergence to the other views, and regions
    that show a point labelled already come last. Source: Siddiqui, Valentin & Niessner (2020),
    "ViewAL: active learning with viewpoint entropy for semantic segmentation"; square regions in
    place of superpixels.
    """

    batch_rule: ClassVar[str] = "greedy"
    TIE: ClassVar[float] = 1e-6

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the utility of every region, shape (N,); 0 before there is a model."""
        if state.proba is None:
            return np.zeros(state.N)
        proba = region_pixels(state, "viewal")
        points = state.memo("surface_points", lambda: surface_points(state), unchanged)
        scores = state.memo("view_scores", lambda: view_scores(proba, points), unchanged)
        done = np.isin(points, points[state.labelled]).any(axis=1)
        spread = scores[1] / (1.0 + scores[1])
        return np.where(done, -1.0, scores[0] + self.TIE * spread)


def surface_points(state: QueryState) -> Ints:
    """Return the number of the point that each pixel shows, shape (N, P).

    Raises:
        UsageError: The learner was not told that pixels are named.
    """
    names = find_capability(state.model, "pixel_names", state.X)
    if names is None:
        raise UsageError(
            "viewal needs the point of the surface that each pixel shows: make it the last column "
            'of each pixel, and the learner with lal.make_learner("segmentation", n_names=1, ...)'
        )
    _, points = np.unique(names[:, :, 0], return_inverse=True)
    numbers: Ints = points.reshape(names.shape[:2])
    return numbers


def view_scores(proba: Floats, points: Ints) -> tuple[Floats, Floats]:
    """Return view entropy and view divergence of every region, two (N,).

    Args:
        proba: Of every pixel, shape (N, P, C).
        points: Which point each pixel shows, numbers from 0, shape (N, P).
    """
    flat, which = proba.reshape(-1, proba.shape[2]), points.ravel()
    logs = np.log(np.maximum(flat, 1e-12))
    views = np.bincount(which)[:, None]
    mean, mean_log = (
        np.column_stack([np.bincount(which, column) for column in values.T]) / views
        for values in (flat, logs)
    )
    divergence = (flat * (logs - mean_log[which])).sum(axis=1)
    entropy = entropy_utility(mean)[which]
    return entropy.reshape(points.shape).mean(axis=1), divergence.reshape(points.shape).mean(axis=1)
