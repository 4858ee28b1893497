"""Images whose masks, once drawn, reach many images that are hard to segment."""

from typing import ClassVar

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.features.geometry import squared_distances
from lal.features.labelled import unchanged
from lal.state import QueryState
from lal.strategies.regions import pixel_mean, region_pixels
from lal.strategies.spaces import embedding
from lal.strategies.uncertainty import entropy_utility


class SegmentationPropagation:
    """Prefers images from which masks would reach hard images that no labelled one reaches.

    ``mean_j H_j max(w_ij - max_l w_lj, 0)`` over the reference set: w is
    ``exp(-|e_i - e_j|^2 / v)`` along edges of a graph of nearest neighbours (0 elsewhere), v the
    mean square of the edges, l the labelled images and those taken, e the mean embedding of an
    image's pixels and H_j the mean entropy of its pixels over log C, 1 before there is a model. So
    influence is weighted by difficulty, and images that reach the same ones exclude each other: the
    coverage of `uncertainty_herding` over a graph of images. Source: Jain & Grauman (2016), "Active
    image segmentation propagation", whose objective was not seen. Masks are propagated by the
    learner, ``segmentation`` on ``label_spreading``.

    Args:
        n_neighbors: Edges of an image to others, at least 1.
        difficulty: Weigh what is reached by H; otherwise all images alike.
    """

    batch_rule: ClassVar[str] = "greedy"

    def __init__(self, n_neighbors: int = 7, *, difficulty: bool = True) -> None:
        if n_neighbors < 1:
            raise UsageError(f"n_neighbors must be at least 1, got {n_neighbors}")
        self.n_neighbors, self.difficulty = n_neighbors, difficulty

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return what every image adds, shape (N,)."""
        who, rows = "seg_propagation", state.reference
        hard = np.ones(state.N)
        if self.difficulty and state.proba is not None:
            proba = region_pixels(state, who)
            hard = pixel_mean(entropy_utility, proba) / np.log(proba.shape[2])
        points = embedding(state, who)
        weights = state.memo(
            f"propagation graph {self.n_neighbors}",
            lambda: reach(points, rows, self.n_neighbors), unchanged,
        )  # fmt: skip
        covered = weights[state.labelled].max(axis=0, initial=0.0)
        gain: Floats = np.maximum(weights - covered, 0.0) @ hard[rows] / len(rows)
        return gain


def reach(points: Floats, rows: Ints, n_neighbors: int) -> Floats:
    """Return the weights of the edges from every image to the reference set, shape (N, R).

    Args:
        points: Embedding of the images, shape (N, h).
        rows: The reference set, shape (R,).
        n_neighbors: Edges of an image to others; if it is in the set, it reaches itself as well,
            with weight 1.
    """
    squares = squared_distances(points, points[rows])
    itself = np.isin(np.arange(len(points)), rows)
    last = np.minimum(n_neighbors - 1 + itself, len(rows) - 1)[:, None]
    ordered = np.partition(squares, np.unique(last), axis=1)
    edge = squares <= np.take_along_axis(ordered, last, axis=1)
    scale = max(float(squares[edge].mean()), 1e-12)
    weights: Floats = np.where(edge, np.exp(-squares / scale), 0.0)
    return weights
