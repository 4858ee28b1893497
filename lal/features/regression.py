"""Features of regression: what a model says of numbers, in units that no data set fixes.

Differences in y are divided by the standard deviation of the labels so far, distances in x by the
pool's scale, so a policy sees the same in metres and in feet.
"""

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.base import define
from lal.features.candidate import density_rank
from lal.features.geometry import get_reference, rank_in, squared_distances, squash
from lal.features.labelled import for_rows, given
from lal.state import QueryState
from lal.task_kind import REGRESSION

NEAREST = 3
"""Labelled rows that count as near."""

ONLY = (REGRESSION,)


def label_scale(state: QueryState) -> float:
    """Return the standard deviation of the labels so far; 1 where all are equal."""
    spread = float(state.labels.std()) if len(state.labels) else 0.0
    return spread if spread > 1e-12 else 1.0


def predicted(state: QueryState, rows: Ints) -> Floats:
    """Return predictions of some rows, shape (n,)."""
    found: Floats = given(state.prediction, "prediction")[rows]
    return found


def label_distances(state: QueryState, rows: Ints) -> Floats:
    """Return distances over the scale to every labelled row, shape (n, L)."""

    def measure() -> Floats:
        squares = squared_distances(state.geometry.rows(rows), state.Z_labelled)
        far: Floats = np.sqrt(squares) / get_reference(state.geometry).scale
        return far

    return for_rows(state, "label_distances", rows, measure)


def value_gaps(state: QueryState, rows: Ints) -> Floats:
    """Return ``|f(x) - y_l|`` over the labels' scale, shape (n, L)."""
    gaps: Floats = np.abs(predicted(state, rows)[:, None] - state.labels) / label_scale(state)
    return gaps


def nearest_labels(state: QueryState, rows: Ints) -> tuple[Floats, Floats]:
    """Return the labels of the nearest labelled rows and their distances, each (n, k)."""
    far = label_distances(state, rows)
    k = min(NEAREST, far.shape[1])
    # by label within equal distances, so that row order has no part
    order = np.lexsort((np.broadcast_to(state.labels, far.shape), np.round(far, 9)), axis=1)[:, :k]
    return state.labels[order], np.take_along_axis(far, order, axis=1)


@define(
    "value_distance@1",
    "candidate",
    kinds=ONLY,
    undefined=1.0,
    needs=("prediction",),
    cost="N L",
    source="GSy: Wu, Lin and Huang 2019",
)
def value_distance(state: QueryState, rows: Ints) -> Floats:
    """Smallest difference of the prediction from a label, r / (1 + r) in label scales."""
    return squash(value_gaps(state, rows).min(axis=1))


@define("value_distance_rank@1", "candidate", kinds=ONLY, undefined=0.5, needs=("prediction",),
        cost="(N + R) L")  # fmt: skip
def value_distance_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set whose prediction is nearer to a label."""
    return rank_in(value_distance(state, rows), value_distance(state, state.reference))


def _product(state: QueryState, rows: Ints) -> Floats:
    found: Floats = (label_distances(state, rows) * value_gaps(state, rows)).min(axis=1)
    return found


@define(
    "greedy_product@1",
    "candidate",
    kinds=ONLY,
    undefined=1.0,
    needs=("prediction",),
    cost="N L D",
    source="iGS: Wu, Lin and Huang 2019",
)
def greedy_product(state: QueryState, rows: Ints) -> Floats:
    """Smallest product of the distances in x and in y to a labelled row, r / (1 + r)."""
    return squash(_product(state, rows))


@define("greedy_product_rank@1", "candidate", kinds=ONLY, undefined=0.5, needs=("prediction",),
        cost="(N + R) L D")  # fmt: skip
def greedy_product_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set with a smaller product."""
    return rank_in(greedy_product(state, rows), greedy_product(state, state.reference))


@define("predicted_rank@1", "candidate", kinds=ONLY, undefined=0.5, needs=("prediction",),
        of_labels="nothing", cost="N log R")  # fmt: skip
def predicted_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set with a smaller prediction."""
    return rank_in(predicted(state, rows), predicted(state, state.reference))


@define("predicted_extreme@1", "candidate", kinds=ONLY, needs=("prediction",),
        of_labels="nothing", cost="N log R")  # fmt: skip
def predicted_extreme(state: QueryState, rows: Ints) -> Floats:
    """How far the rank of the prediction is from the middle: 0 at the median, 1 at an end."""
    return np.abs(2.0 * predicted_rank(state, rows) - 1.0)


@define("neighbour_gap@1", "candidate", kinds=ONLY, undefined=0.5, needs=("prediction",),
        cost="N L D")  # fmt: skip
def neighbour_gap(state: QueryState, rows: Ints) -> Floats:
    """Difference of the prediction from the mean of the nearest labels, r / (1 + r).

    The labels are weighted by the inverse of their squared distances.
    """
    labels, far = nearest_labels(state, rows)
    weight = 1.0 / (far**2 + 1e-4)
    mean = (weight * labels).sum(axis=1) / weight.sum(axis=1)
    return squash(np.abs(predicted(state, rows) - mean) / label_scale(state))


@define("neighbour_spread@1", "candidate", kinds=ONLY, undefined=0.5, needs=("prediction",),
        cost="N L D")  # fmt: skip
def neighbour_spread(state: QueryState, rows: Ints) -> Floats:
    """Standard deviation of the nearest labels, r / (1 + r) in label scales."""
    return squash(nearest_labels(state, rows)[0].std(axis=1) / label_scale(state))


@define("neighbour_residual@1", "candidate", kinds=ONLY, undefined=0.5, needs=("prediction",),
        cost="N L D")  # fmt: skip
def neighbour_residual(state: QueryState, rows: Ints) -> Floats:
    """How badly the model fits the labels around: mean residual, by nearness, r / (1 + r)."""
    far = label_distances(state, rows)
    weight = 1.0 / (far**2 + 1e-4)
    residual = np.abs(predicted(state, state.labelled) - state.labels) / label_scale(state)
    return squash((weight @ residual) / weight.sum(axis=1))


@define("variance_rank@1", "candidate", kinds=ONLY, undefined=0.5, needs=("variance",),
        of_labels="nothing", cost="the model's own")  # fmt: skip
def variance_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set with a smaller predictive variance; 1/2 without one."""
    variance = _rounded(given(state.variance, "variance"))
    return rank_in(variance[rows], variance[state.reference])


@define("deviation@1", "candidate", kinds=ONLY, undefined=0.5, needs=("variance",),
        cost="the model's own")  # fmt: skip
def deviation(state: QueryState, rows: Ints) -> Floats:
    """Predictive standard deviation, r / (1 + r) in label scales; 1/2 without one."""
    variance = np.maximum(given(state.variance, "variance")[rows], 0.0)
    return squash(np.sqrt(variance) / label_scale(state))


@define("members_rank@1", "candidate", kinds=ONLY, undefined=0.5, needs=("members",),
        of_labels="nothing", cost="M N")  # fmt: skip
def members_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set that the members agree on more; 1/2 without members."""
    spread = _rounded(given(state.members, "members").var(axis=0))
    return rank_in(spread[rows], spread[state.reference])


@define("dense_product@1", "candidate", kinds=ONLY, undefined=0.5, needs=("prediction",),
        cost="N R D once + N L D")  # fmt: skip
def dense_product(state: QueryState, rows: Ints) -> Floats:
    """Rank of the greedy product times the rank of the density."""
    return greedy_product_rank(state, rows) * density_rank(state, rows)


@define("fit_residual@1", "context", kinds=ONLY, undefined=0.5, needs=("prediction",), cost="L")
def fit_residual(state: QueryState, rows: Ints) -> Floats:
    """Root mean square residual of the labelled rows, r / (1 + r) in label scales."""
    residual = predicted(state, state.labelled) - state.labels
    return squash(np.array([np.sqrt(np.mean(residual**2)) / label_scale(state)]))


@define("predicted_spread@1", "context", kinds=ONLY, undefined=0.5, needs=("prediction",),
        cost="R")  # fmt: skip
def predicted_spread(state: QueryState, rows: Ints) -> Floats:
    """Standard deviation of the reference set's predictions, r / (1 + r) in label scales."""
    return squash(np.array([predicted(state, state.reference).std() / label_scale(state)]))


@define("loo_neighbour_error@1", "context", kinds=ONLY, undefined=0.5, cost="L^2 D",
        source="leave-one-out error of the 1-nearest-neighbour rule on Z")  # fmt: skip
def loo_neighbour_error(state: QueryState, rows: Ints) -> Floats:
    """Mean difference of a label from that of the nearest other row, r / (1 + r)."""
    if len(state.labelled) < 2:
        return np.array([0.5])
    squares = np.round(squared_distances(state.Z_labelled, state.Z_labelled), 9)
    np.fill_diagonal(squares, np.inf)
    near = squares <= squares.min(axis=1, keepdims=True)
    gaps = np.abs(state.labels[:, None] - state.labels)
    mean = (near * gaps).sum(axis=1) / near.sum(axis=1)
    return squash(np.array([mean.mean() / label_scale(state)]))


def _rounded(values: Floats) -> Floats:
    """Return values to ten digits, so that the order of a sum decides no rank."""
    size = float(np.abs(values).max()) if len(values) else 0.0
    return np.round(values / size, 10) if size > 0 else values
