"""The published features of LAL, which only forests have."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.base import define
from lal.features.labelled import class_counts, given, unchanged
from lal.state import QueryState

MOST = 1e6
"""Bound of depths and numbers of labels, which have none of their own."""


@define(
    "lal_forest@1",
    "candidate",
    dim=8,
    high=MOST,
    needs=("committee",),
    of_labels="counts",
    class_symmetric=False,
    cost="M N log L",
    source="Konyushkova, Sznitman and Fua 2017",
)
def lal_forest(state: QueryState, rows: Ints) -> Floats:
    """The eight features of LAL in their published order; all but the first two are per state.

    Mean and standard deviation over the trees of P(class 0), share of labels that are not of
    class 0, out-of-bag accuracy, standard deviation over the columns of importance / D, mean of
    the second over the open rows, mean depth of the trees, number of labels. All zero where the
    committee is not the trees of a forest.
    """
    statistics = state.memo("forest_statistics", lambda: forest_statistics(state), unchanged)
    if state.committee is None or statistics is None:
        return np.zeros((len(rows), 8))
    members = state.committee[:, :, 0]
    mean, spread = members.mean(axis=0), members.std(axis=0)
    out_of_bag, importance, depth = statistics
    whole = [
        float(np.mean(state.labels != 0)),
        out_of_bag,
        float(np.std(importance / len(importance))),
        float(spread[state.open].mean()) if len(state.open) else 0.0,
        depth,
        float(len(state.labels)),
    ]
    return np.column_stack([mean[rows], spread[rows], np.tile(whole, (len(rows), 1))])


@define(
    "lal_forest_folded@1",
    "candidate",
    dim=8,
    high=MOST,
    needs=("committee",),
    of_labels="counts",
    cost="M N log L + M N C",
    source="LAL's features without class names, for any number of classes; ours",
)
def lal_forest_folded(state: QueryState, rows: Ints) -> Floats:
    """The features of `lal_forest@1` without class names; with two classes these, folded.

    Gap between the two classes of the largest mean probability; standard deviation over the trees
    of half of it; smallest share of labels of a seen class times their number; the rest as
    published, the sixth being the mean of the second over the open rows.
    """
    statistics = state.memo("forest_statistics", lambda: forest_statistics(state), unchanged)
    if state.committee is None or statistics is None:
        return np.zeros((len(rows), 8))
    gap, spread = state.memo(
        "forest_gaps", lambda: _gaps(given(state.committee, "committee")), unchanged
    )
    out_of_bag, importance, depth = statistics
    counts = class_counts(state)
    seen = counts[counts > 0]
    whole = [
        float(seen.min() * len(seen) / seen.sum()),
        out_of_bag,
        float(np.std(importance / len(importance))),
        float(spread[state.open].mean()) if len(state.open) else 0.0,
        depth,
        float(len(state.labels)),
    ]
    return np.column_stack([gap[rows], spread[rows], np.tile(whole, (len(rows), 1))])


def _gaps(committee: Floats) -> tuple[Floats, Floats]:
    """Return the gap of the top two mean probabilities and its half's spread, each (N,)."""
    mean = committee.mean(axis=0)
    top = np.argsort(-mean, axis=1, kind="stable")[:, :2]
    first, second = (
        np.take_along_axis(committee, top[None, :, k : k + 1], axis=2)[:, :, 0] for k in (0, 1)
    )
    return (first - second).mean(axis=0), 0.5 * (first - second).std(axis=0)


def forest_statistics(state: QueryState) -> tuple[float, Floats, float] | None:
    """Return out-of-bag accuracy, importances (D,) and mean depth; None without a forest.

    A model offers them through an optional ``forest_statistics()``.
    """
    ask = getattr(state.model, "forest_statistics", None)
    found: tuple[float, Floats, float] | None = None if ask is None else ask()
    return found
