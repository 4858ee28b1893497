"""Coverage: how much more of the pool lies near a label once a row has one, and rare classes.

A row covers another one by a Gaussian kernel whose radius shrinks as labels grow; the strategy
`uncertainty_herding` ranks by the gain in coverage, the features here say how it compares with the
gains of the reference set.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats, Ints
from lal.features.base import define
from lal.features.geometry import CHUNK, get_reference, rank_in, squared_distances, squash
from lal.features.labelled import for_rows, get_proba, min_distances, top_two
from lal.state import QueryState

Float32Array = NDArray[np.float32]

PAIRS = 4_000_000
"""Squared distances between rows and reference rows that are kept with a pool: 16 MB."""

LEAST_UNCERTAINTY = 1e-3
"""Rows that the model is surer of weigh as much: where it is sure of all, all weigh the same."""

DIGITS = 5
"""Digits to which ranked values are compared: sums of float32 do not hold more."""


def covering_radius(Z_labelled: Floats, default: float) -> float:
    """Return the smallest distance above 0 between two labelled rows.

    It shrinks as labels grow, so that coverage rules at first and uncertainty in the end.

    Args:
        Z_labelled: Encoded labelled rows, shape (L, d).
        default: Returned while there are no two different labelled rows.
    """
    squares = squared_distances(Z_labelled, Z_labelled)
    apart = squares[squares > 0.0]
    return float(np.sqrt(apart.min())) if len(apart) else default


def covering_kernel(squares: Float32Array, radius: float) -> Float32Array:
    """Return ``exp(-d^2 / radius^2)`` of squared distances."""
    kernel: Float32Array = np.exp(squares * np.float32(-(radius**-2)))
    return kernel


def coverage_gain(kernel: Float32Array, covered: Float32Array, *weights: Float32Array) -> Floats:
    """Return what each row adds to the weighted coverage, shape (W, n).

    The coverage of a set is the mean over the reference rows of the weight times the largest
    kernel value to a member of the set. A row's sum does not depend on the rows beside it.

    Args:
        kernel: Kernel between rows and reference rows, shape (n, R).
        covered: Largest kernel value of each reference row to a labelled row, shape (R,).
        weights: W times weights of the reference rows, each of shape (R,).
    """
    more = np.maximum(kernel - covered, np.float32(0.0))
    sums = np.stack([np.einsum("nr,r->n", more, weight) for weight in weights])
    return sums.astype(np.float64) / len(covered)


def squares_to_reference(
    state: QueryState, rows: Ints, points: Callable[[Ints], Floats] | None = None, form: str = ""
) -> Float32Array:
    """Return squared distances of some rows to the reference set, in content order, shape (n, R).

    Args:
        state: The state; small pools keep the distances of all rows.
        rows: The rows.
        points: Rows to what distances are measured between; None: encoded rows.
        form: Names what `points` does.
    """
    encode = points or state.geometry.rows
    reference = get_reference(state.geometry).rows

    def measure(wanted: Ints) -> Float32Array:
        anchors = encode(reference)
        squares = np.empty((len(wanted), len(reference)), dtype=np.float32)
        for first in range(0, len(wanted), CHUNK):
            part = slice(first, first + CHUNK)
            squares[part] = squared_distances(encode(wanted[part]), anchors)
        return squares

    if state.N * len(reference) > PAIRS:
        return measure(rows)
    key = f"features.reference_squares.{form}"
    whole = state.geometry.memo(key, lambda: measure(np.arange(state.N)))
    return whole[rows]


def _gains(state: QueryState, rows: Ints) -> Floats:
    """Return gains in coverage, uncertainty-weighted and plain, shape (2, n)."""
    return for_rows(state, "coverage", rows, lambda: _measure_gains(state, rows))


def _measure_gains(state: QueryState, rows: Ints) -> Floats:
    scale = get_reference(state.geometry).scale
    radius = covering_radius(state.Z_labelled, scale)
    covered, weight = _covered(state, radius / scale), _uncertainty(state)
    gains = np.empty((2, len(rows)))
    for first in range(0, len(rows), CHUNK):  # the arrays of a chunk stay in the cache
        part = slice(first, first + CHUNK)
        kernel = covering_kernel(squares_to_reference(state, rows[part]), radius)
        gains[:, part] = coverage_gain(kernel, covered, weight, np.ones_like(weight))
    return gains


def _covered(state: QueryState, radius: float) -> Float32Array:
    """Return how well each reference row is covered, shape (R,), the radius in pool scales."""
    reference = get_reference(state.geometry)
    if len(state.labelled) == 0:
        return np.zeros(len(reference.rows), dtype=np.float32)
    nearest = min_distances(state, state.reference)[reference.order]
    return covering_kernel((nearest**2).astype(np.float32), radius)


def _uncertainty(state: QueryState) -> Float32Array:
    """Return 1 - margin of the reference rows, shape (R,); ones while there is no model."""
    reference = get_reference(state.geometry)
    if state.proba is None:
        return np.ones(len(reference.rows), dtype=np.float32)
    first, second = top_two(state, state.reference)
    weight = np.maximum(1.0 - (first - second), LEAST_UNCERTAINTY)
    return weight[reference.order].astype(np.float32)


def _compared(state: QueryState, rows: Ints, kind: int) -> Floats:
    """Return gains over the mean gain of the reference set, r / (1 + r), shape (n,)."""
    return _over_mean(_gains(state, rows)[kind], _reference_gains(state, rows)[kind])


def _reference_gains(state: QueryState, rows: Ints) -> Floats:
    """Return the gains of the reference set, read off those of the rows where these are all."""
    if len(rows) == state.N and (rows == np.arange(state.N)).all():
        taken: Floats = _gains(state, rows)[:, state.reference]
        return taken
    return _gains(state, state.reference)


def _over_mean(gains: Floats, reference: Floats) -> Floats:
    mean = float(reference.mean())
    return squash(gains / mean) if mean > 0.0 else np.zeros(len(gains))


def _compared_rank(state: QueryState, rows: Ints, kind: int) -> Floats:
    reference = _reference_gains(state, rows)[kind]
    return _rank(_compared(state, rows, kind), _over_mean(reference, reference))


def _rank(values: Floats, sample: Floats) -> Floats:
    return rank_in(np.round(values, DIGITS), np.round(sample, DIGITS))


@define(
    "herding@1",
    "candidate",
    cost="(N + R) R",
    source="uncertainty herding: Bae, Oliveira and Sutherland 2025",
)
def herding(state: QueryState, rows: Ints) -> Floats:
    """Gain in uncertainty-weighted coverage over the mean of the reference set, r / (1 + r)."""
    return _compared(state, rows, 0)


@define("herding_rank@1", "candidate", cost="(N + R) R")
def herding_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set with a smaller gain in uncertainty-weighted coverage."""
    return _compared_rank(state, rows, 0)


@define(
    "max_herding@1",
    "candidate",
    cost="(N + R) R",
    source="MaxHerding: Bae, Noh and Sutherland 2024",
)
def max_herding(state: QueryState, rows: Ints) -> Floats:
    """Gain in coverage, all rows weighing the same, over the reference set's mean, r / (1 + r)."""
    return _compared(state, rows, 1)


@define("max_herding_rank@1", "candidate", cost="(N + R) R")
def max_herding_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set with a smaller gain in coverage."""
    return _compared_rank(state, rows, 1)


@define(
    "rarity@1",
    "candidate",
    of_labels="nothing",
    undefined=0.5,
    needs=("proba",),
    cost="(N + R) C",
    source="scarcity@1 compares with the labels, which a policy has balanced; this with the pool",
)
def rarity(state: QueryState, rows: Ints) -> Floats:
    """Chance that a row of the reference set is of another class than this one, by the model."""
    share = get_proba(state, state.reference).mean(axis=0)
    values: Floats = 1.0 - get_proba(state, rows) @ share
    return values


@define(
    "rarity_rank@1",
    "candidate",
    of_labels="nothing",
    undefined=0.5,
    needs=("proba",),
    cost="(N + R) C",
)
def rarity_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set of more common classes."""
    return _rank(rarity(state, rows), rarity(state, state.reference))
