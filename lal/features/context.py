"""Context features: values of the whole state, against the reference set."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.base import define
from lal.features.candidate import margin, min_distance, nearest_disagreement, proba_entropy
from lal.features.geometry import get_reference, squared_distances, surroundings
from lal.features.labelled import TIE, class_counts, entropy, get_proba, seen_classes
from lal.state import QueryState
from lal.task_kind import TASK_KINDS


def _log_share(value: float, whole: float) -> Floats:
    return np.array([np.log1p(value) / np.log1p(whole)])


@define("n_labelled@1", "context", kinds=TASK_KINDS, of_labels="counts", cost="1")
def n_labelled(state: QueryState, rows: Ints) -> Floats:
    """Labels acquired, log(1 + L) / log(1001)."""
    return _log_share(len(state.labelled), 1000.0)


@define("labels_per_class@1", "context", of_labels="counts", cost="1")
def labels_per_class(state: QueryState, rows: Ints) -> Floats:
    """Labels per seen class, log(1 + L / S) / log(1001)."""
    return _log_share(len(state.labelled) / max(len(seen_classes(state)), 1), 1000.0)


@define("class_entropy@1", "context", of_labels="counts", cost="L")
def class_entropy(state: QueryState, rows: Ints) -> Floats:
    """Entropy of the labels acquired over log S; 0 with fewer than two seen classes."""
    counts = class_counts(state)[seen_classes(state)]
    if len(counts) < 2:
        return np.zeros(1)
    return np.array([float(entropy(counts / counts.sum()))])


@define("smallest_share@1", "context", of_labels="counts", cost="L")
def smallest_share(state: QueryState, rows: Ints) -> Floats:
    """Share of the rarest seen class times S: 1 when balanced, 0 without two classes."""
    counts = class_counts(state)[seen_classes(state)]
    if len(counts) < 2:
        return np.zeros(1)
    return np.array([counts.min() * len(counts) / counts.sum()])


@define("n_classes@1", "context", of_labels="counts", cost="1")
def n_classes(state: QueryState, rows: Ints) -> Floats:
    """Classes seen, log(1 + S) / log(31)."""
    return _log_share(len(seen_classes(state)), 30.0)


@define("margin_mean@1", "context", of_labels="nothing", needs=("proba",), cost="R C")
def margin_mean(state: QueryState, rows: Ints) -> Floats:
    """Mean margin of the reference set."""
    return np.array([margin(state, state.reference).mean()])


@define("margin_std@1", "context", of_labels="nothing", needs=("proba",), cost="R C")
def margin_std(state: QueryState, rows: Ints) -> Floats:
    """Standard deviation of the margin over the reference set, doubled to reach 1."""
    return np.array([2.0 * margin(state, state.reference).std()])


@define(
    "entropy_mean@1", "context", of_labels="nothing", undefined=1.0, needs=("proba",), cost="R C"
)
def entropy_mean(state: QueryState, rows: Ints) -> Floats:
    """Mean entropy over log C of the reference set."""
    return np.array([proba_entropy(state, state.reference).mean()])


@define(
    "predicted_entropy@1",
    "context",
    of_labels="nothing",
    undefined=1.0,
    needs=("proba",),
    cost="R C",
)
def predicted_entropy(state: QueryState, rows: Ints) -> Floats:
    """Entropy over log C of the mean probabilities of the reference set."""
    return np.array([float(entropy(get_proba(state, state.reference).mean(axis=0)))])


@define(
    "loo_neighbour_accuracy@1",
    "context",
    undefined=0.5,
    cost="L^2 D",
    source="leave-one-out accuracy of the 1-nearest-neighbour rule on Z",
)
def loo_neighbour_accuracy(state: QueryState, rows: Ints) -> Floats:
    """Share of labelled rows whose nearest other labelled row has the same label; ties shared."""
    if len(state.labelled) < 2:
        return np.array([0.5])
    squares = squared_distances(state.Z_labelled, state.Z_labelled)
    np.fill_diagonal(squares, np.inf)
    nearest = squares <= squares.min(axis=1, keepdims=True) * (1.0 + TIE) + TIE
    same = state.labels[:, None] == state.labels[None, :]
    return np.array([((nearest & same).sum(axis=1) / nearest.sum(axis=1)).mean()])


@define("neighbour_disagreement@1", "context", undefined=0.5, needs=("proba",), cost="R L D")
def neighbour_disagreement(state: QueryState, rows: Ints) -> Floats:
    """Mean disagreement of the model with the nearest-neighbour rule on the reference set."""
    return np.array([nearest_disagreement(state, state.reference).mean()])


@define("reached@1", "context", kinds=TASK_KINDS, undefined=1.0, cost="R L D")
def reached(state: QueryState, rows: Ints) -> Floats:
    """Mean squashed distance of the reference set to its nearest label; 1 without labels."""
    return np.array([min_distance(state, state.reference).mean()])


@define("spacing@1", "context", kinds=TASK_KINDS, of_labels="nothing", cost="R^2 D once")
def spacing(state: QueryState, rows: Ints) -> Floats:
    """Mean distance to the ten nearest over the pool scale: near 1 in many effective columns."""
    near = surroundings(state.geometry, get_reference(state.geometry).rows)
    return np.array([near.distance.mean()])


@define(
    "spent_share@1",
    "context",
    kinds=TASK_KINDS,
    of_labels="counts",
    low=-1.0,
    undefined=-1.0,
    cost="1",
)
def spent_share(state: QueryState, rows: Ints) -> Floats:
    """Labels acquired over the budget; -1 when the budget is unknown."""
    if state.budget is None:
        return np.array([-1.0])
    return np.array([len(state.labelled) / max(state.budget, 1)])


@define("n_columns@1", "context", kinds=TASK_KINDS, of_labels="nothing", cost="1")
def n_columns(state: QueryState, rows: Ints) -> Floats:
    """Columns of Z, log(1 + d) / log(513)."""
    return _log_share(state.Z_labelled.shape[1], 512.0)


@define("n_reference@1", "context", kinds=TASK_KINDS, of_labels="nothing", cost="1")
def n_reference(state: QueryState, rows: Ints) -> Floats:
    """Rows of the pool up to 1 024, log(1 + R) / log(1025)."""
    return _log_share(len(state.reference), 1024.0)
