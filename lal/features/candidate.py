"""Candidate features: one value per row, bounded, the same for 2 and for 30 classes."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.base import define
from lal.features.geometry import get_reference, rank_in, squash
from lal.features.labelled import (
    around,
    class_counts,
    class_distances,
    encoded,
    entropy,
    for_rows,
    get_assumption,
    get_proba,
    mean_distances,
    min_distances,
    nearest_classes,
    predicted_classes,
    seen_classes,
    smallest,
    top_two,
)
from lal.state import QueryState
from lal.task_kind import TASK_KINDS


@define(
    "margin@1",
    "candidate",
    of_labels="nothing",
    needs=("proba",),
    cost="N C",
    source="Scheffer et al. 2001",
)
def margin(state: QueryState, rows: Ints) -> Floats:
    """Largest minus second largest probability; 0 is least certain."""
    first, second = top_two(state, rows)
    return first - second


@define(
    "max_proba@1",
    "candidate",
    of_labels="nothing",
    undefined=0.5,
    needs=("proba",),
    cost="N C",
    source="least confident: Lewis and Gale 1994",
)
def max_proba(state: QueryState, rows: Ints) -> Floats:
    """Largest probability."""
    return top_two(state, rows)[0]


@define(
    "entropy@1",
    "candidate",
    of_labels="nothing",
    undefined=1.0,
    needs=("proba",),
    cost="N C",
    source="Shannon 1948, over log C",
)
def proba_entropy(state: QueryState, rows: Ints) -> Floats:
    """Entropy of the probabilities over log C."""
    return entropy(get_proba(state, rows))


@define(
    "margin_rank@1",
    "candidate",
    of_labels="nothing",
    undefined=0.5,
    needs=("proba",),
    cost="R log R + N log R",
)
def margin_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set with a smaller margin."""
    return rank_in(margin(state, rows), margin(state, state.reference))


@define(
    "margin_z@1",
    "candidate",
    of_labels="nothing",
    low=-3.0,
    high=3.0,
    needs=("proba",),
    cost="N + R",
)
def margin_z(state: QueryState, rows: Ints) -> Floats:
    """Margin in standard deviations from the mean of the reference set, clipped to 3."""
    reference = margin(state, state.reference)
    spread = float(reference.std())
    if spread < 1e-9:
        return np.zeros(len(rows))
    return (margin(state, rows) - float(reference.mean())) / spread


@define(
    "min_distance@1",
    "candidate",
    kinds=TASK_KINDS,
    undefined=1.0,
    cost="N L D",
    source="Sener and Savarese 2018",
)
def min_distance(state: QueryState, rows: Ints) -> Floats:
    """Distance to the nearest labelled row, r / (1 + r) in pool scales; 1 without labels."""
    if len(state.labelled) == 0:
        return np.ones(len(rows))
    return squash(min_distances(state, rows))


@define(
    "mean_distance@1",
    "candidate",
    kinds=TASK_KINDS,
    undefined=1.0,
    cost="N L D",
    source="Konyushkova et al. 2018",
)
def mean_distance(state: QueryState, rows: Ints) -> Floats:
    """Mean distance to the labelled rows, r / (1 + r) in pool scales; 1 without labels."""
    if len(state.labelled) == 0:
        return np.ones(len(rows))
    return squash(mean_distances(state, rows))


@define("min_distance_rank@1", "candidate", kinds=TASK_KINDS, undefined=0.5, cost="(N + R) L D")
def min_distance_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set nearer to a labelled row; 1/2 without labels."""
    return rank_in(min_distance(state, rows), min_distance(state, state.reference))


@define("mean_distance_rank@1", "candidate", kinds=TASK_KINDS, undefined=0.5, cost="(N + R) L D")
def mean_distance_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set nearer to the labelled rows on average; 1/2 without labels."""
    return rank_in(mean_distance(state, rows), mean_distance(state, state.reference))


def _to_classes(state: QueryState, rows: Ints, *, predicted: bool) -> Floats:
    """Return r / (1 + r) to the nearest labelled row of the predicted or of the other classes."""
    if len(state.labelled) == 0:
        return np.ones(len(rows))
    wanted = predicted_classes(state, rows)[:, seen_classes(state)] == predicted
    distances = np.where(wanted, class_distances(state, rows), np.inf)
    return squash(smallest(distances))


@define("predicted_distance@1", "candidate", undefined=1.0, needs=("proba",), cost="N L D")
def predicted_distance(state: QueryState, rows: Ints) -> Floats:
    """Distance to the nearest labelled row of the predicted class, r / (1 + r); 1 if none."""
    return _to_classes(state, rows, predicted=True)


@define("other_distance@1", "candidate", undefined=1.0, needs=("proba",), cost="N L D")
def other_distance(state: QueryState, rows: Ints) -> Floats:
    """Distance to the nearest labelled row of any other class, r / (1 + r); 1 if none."""
    return _to_classes(state, rows, predicted=False)


@define(
    "distance_margin@1",
    "candidate",
    undefined=0.0,
    cost="N L D",
    source="relative margin of the nearest-neighbour rule",
)
def distance_margin(state: QueryState, rows: Ints) -> Floats:
    """Gap between the nearest and the second nearest class over their sum; 0 on the boundary."""
    if len(seen_classes(state)) < 2:
        return np.zeros(len(rows))
    two = np.partition(class_distances(state, rows), 1, axis=1)[:, :2]
    total = two.sum(axis=1)
    return np.where(total > 0.0, (two[:, 1] - two[:, 0]) / np.where(total > 0.0, total, 1.0), 0.0)


@define("neighbour_entropy@1", "candidate", undefined=1.0, cost="N L D")
def neighbour_entropy(state: QueryState, rows: Ints) -> Floats:
    """Entropy over log S of the S seen classes, weighted by inverse squared nearest distance."""
    if len(seen_classes(state)) < 2:
        return np.ones(len(rows))
    weight = 1.0 / (class_distances(state, rows) ** 2 + 1e-4)
    return entropy(weight / weight.sum(axis=1, keepdims=True))


@define(
    "density@1",
    "candidate",
    kinds=TASK_KINDS,
    of_labels="nothing",
    cost="N R D once",
    source="Settles and Craven 2008, k-nearest form",
)
def density(state: QueryState, rows: Ints) -> Floats:
    """Nearness of the ten nearest reference rows, 1 / (1 + mean distance in pool scales)."""
    mean: Floats = around(state, rows).distance.mean(axis=1)
    return 1.0 / (1.0 + mean)


@define(
    "wide_density@1",
    "candidate",
    kinds=TASK_KINDS,
    of_labels="nothing",
    cost="N R D once",
    source="Settles and Craven 2008",
)
def wide_density(state: QueryState, rows: Ints) -> Floats:
    """Mean similarity 1 / (1 + (d / h)^2) to the reference set, h half the pool scale."""
    return around(state, rows).wide


@define("density_rank@1", "candidate", kinds=TASK_KINDS, of_labels="nothing", cost="N R D once")
def density_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set in a less dense place."""
    return rank_in(density(state, rows), density(state, state.reference))


@define(
    "wide_density_rank@1", "candidate", kinds=TASK_KINDS, of_labels="nothing", cost="N R D once"
)
def wide_density_rank(state: QueryState, rows: Ints) -> Floats:
    """Share of the reference set with a smaller wide density."""
    return rank_in(np.round(wide_density(state, rows), 5), _wide_reference(state))


def _wide_reference(state: QueryState) -> Floats:
    """Return wide densities of the reference set; five digits, being sums of float32."""
    return np.round(wide_density(state, state.reference), 5)


@define(
    "uncovered@1",
    "candidate",
    kinds=TASK_KINDS,
    undefined=1.0,
    cost="N k + R L D",
    source="ProbCover: Yehuda et al. 2022",
)
def uncovered(state: QueryState, rows: Ints) -> Floats:
    """Share of the ten nearest reference rows that are nearer to this row than to any label."""
    near = around(state, rows)
    if len(state.labelled) == 0:
        return np.ones(len(rows))
    reached = min_distances(state, state.reference)[get_reference(state.geometry).order]
    closer: Floats = (near.distance < reached[near.nearest] * (1.0 - 1e-6)).mean(axis=1)
    return closer


@define("novelty@1", "candidate", kinds=TASK_KINDS, undefined=1.0, cost="N L D")
def novelty(state: QueryState, rows: Ints) -> Floats:
    """Distance to the nearest label over the local spacing of the pool, r / (1 + r)."""
    if len(state.labelled) == 0:
        return np.ones(len(rows))
    spacing = around(state, rows).distance.mean(axis=1)
    return squash(min_distances(state, rows) / np.maximum(spacing, 1e-3))


@define(
    "leverage@1",
    "candidate",
    kinds=TASK_KINDS,
    cost="N min(L, D)^2",
    source="ridge leverage h = z'(Z_L'Z_L + I)^-1 z with an intercept",
)
def leverage(state: QueryState, rows: Ints) -> Floats:
    """How far a linear model must extrapolate from the labelled rows, h / (1 + h)."""
    return squash(_leverage(state, rows))


def _leverage(state: QueryState, rows: Ints) -> Floats:
    return for_rows(
        state,
        "leverage",
        rows,
        lambda: _ridge_leverage(state, rows),
        lambda before: _leverage_one_more(state, rows, before),
    )


def _ridge_leverage(state: QueryState, rows: Ints) -> Floats:
    A = np.column_stack([np.ones(len(state.labelled)), state.Z_labelled])
    Z = np.column_stack([np.ones(len(rows)), state.geometry.rows(rows)])
    if len(A) >= A.shape[1]:
        inverse = np.linalg.inv(A.T @ A + np.eye(A.shape[1]))
        values: Floats = ((Z @ inverse) * Z).sum(axis=1)
    else:  # the same number by the dual form, cheaper with few labels
        inner, K = np.linalg.inv(A @ A.T + np.eye(len(A))), Z @ A.T
        values = (Z * Z).sum(axis=1) - ((K @ inner) * K).sum(axis=1)
    return np.maximum(values, 0.0)


def _leverage_one_more(state: QueryState, rows: Ints, before: Floats) -> Floats:
    """Return the leverage from that before the last assumed label, by Sherman and Morrison.

    With a the assumed row and M the matrix with it, h falls by (z'M^-1 a)^2 / (1 - a'M^-1 a).
    """
    a, weights = state.memo("features.assumed_weights", lambda: _assumed_weights(state))
    shared = encoded(state, rows) @ weights[1:] + weights[0]
    values: Floats = before - shared**2 / (1.0 - float(a @ weights))
    return np.maximum(values, 0.0)


def _assumed_weights(state: QueryState) -> tuple[Floats, Floats]:
    """Return the last assumed row a with a one before it, and M^-1 a, both of shape (1 + d,)."""
    new = state.geometry.rows(np.array([get_assumption(state).row]))[0]
    a = np.concatenate([[1.0], new])
    A = np.column_stack([np.ones(len(state.labelled)), state.Z_labelled])
    if len(A) >= A.shape[1]:
        return a, np.linalg.solve(A.T @ A + np.eye(A.shape[1]), a)
    return a, a - A.T @ np.linalg.solve(A @ A.T + np.eye(len(A)), A @ a)


@define(
    "studentised_margin@1",
    "candidate",
    needs=("proba",),
    cost="N min(L, D)^2",
    source="expected-information form |logit| / sqrt(leverage)",
)
def studentised_margin(state: QueryState, rows: Ints) -> Floats:
    """Log-odds of the top two classes over the root of the leverage, r / (1 + r)."""
    first, second = top_two(state, rows)
    odds = np.log(np.maximum(first, 1e-6)) - np.log(np.maximum(second, 1e-6))
    return squash(odds / np.sqrt(np.maximum(_leverage(state, rows), 1e-6)))


@define("nearest_disagreement@1", "candidate", undefined=0.5, needs=("proba",), cost="N L D")
def nearest_disagreement(state: QueryState, rows: Ints) -> Floats:
    """Probability the model leaves to classes other than that of the nearest labelled row."""
    if len(state.labelled) == 0:
        return np.full(len(rows), 0.5)
    nearest = nearest_classes(state, rows)
    proba = get_proba(state, rows)[:, seen_classes(state)]
    agreed: Floats = (proba * nearest).sum(axis=1) / nearest.sum(axis=1)
    return 1.0 - agreed


@define(
    "scarcity@1",
    "candidate",
    of_labels="counts",
    undefined=0.5,
    needs=("proba",),
    cost="N C",
    source="a policy blind to it asked for one class only on ringnorm",
)
def scarcity(state: QueryState, rows: Ints) -> Floats:
    """Expected share of the labels that are of other classes than this row's."""
    if len(state.labelled) == 0:
        return np.full(len(rows), 0.5)
    proba = get_proba(state, rows)
    share = class_counts(state)[: proba.shape[1]] / len(state.labelled)
    return 1.0 - proba @ share


@define(
    "dense_doubt@1",
    "candidate",
    of_labels="nothing",
    undefined=0.5,
    needs=("proba",),
    cost="N R D once",
    source="information density: Settles and Craven 2008",
)
def dense_doubt(state: QueryState, rows: Ints) -> Floats:
    """(1 - margin) times the density rank."""
    return (1.0 - margin(state, rows)) * density_rank(state, rows)


@define("uncovered_doubt@1", "candidate", undefined=0.5, needs=("proba",), cost="N k + R L D")
def uncovered_doubt(state: QueryState, rows: Ints) -> Floats:
    """(1 - margin) times the uncovered share."""
    return (1.0 - margin(state, rows)) * uncovered(state, rows)
