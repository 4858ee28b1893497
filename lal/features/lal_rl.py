"""The inputs of LAL-RL, and the same without class names. Cosines are between rows of Z.

Source: Konyushkova, Sznitman and Fua (2018), arXiv 1810.04114. Their state is P(class 0), sorted,
on 30 points that are held aside; a pool that is queried has none, so here it is 30 quantiles over
the reference set: the values that 30 points drawn from it show on average.
"""

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.base import define
from lal.features.candidate import margin
from lal.features.labelled import (
    TIE,
    class_counts,
    for_rows,
    get_assumption,
    get_proba,
    predicted_classes,
    seen_classes,
    top_two,
    unchanged,
)
from lal.state import QueryState

N_STATE = 30
"""Numbers that describe a state."""

SOURCE = "Konyushkova, Sznitman and Fua 2018"
LEVELS = np.arange(1, N_STATE + 1) / (N_STATE + 1)


@define(
    "first_proba@1",
    "candidate",
    of_labels="nothing",
    undefined=0.5,
    needs=("proba",),
    class_symmetric=False,
    source=SOURCE,
)
def first_proba(state: QueryState, rows: Ints) -> Floats:
    """Probability of the first class."""
    return get_proba(state, rows)[:, 0]


@define("cosine_open@1", "candidate", high=2.0, undefined=1.0, cost="(N + R) D", source=SOURCE)
def cosine_open(state: QueryState, rows: Ints) -> Floats:
    """Mean cosine distance to the rows of the reference set that are open, itself included."""
    return _to_mean(state, rows, _open_reference(state))


@define("cosine_labelled@1", "candidate", high=2.0, undefined=1.0, cost="N D", source=SOURCE)
def cosine_labelled(state: QueryState, rows: Ints) -> Floats:
    """Mean cosine distance to the labelled rows; 1 without labels."""
    return _to_mean(state, rows, state.labelled)


@define("cosine_open_z@1", "candidate", low=-3.0, high=3.0, cost="(N + R) D")
def cosine_open_z(state: QueryState, rows: Ints) -> Floats:
    """Mean cosine distance to open rows, in deviations from its mean over these, within 3."""
    sample = _open_reference(state)
    return _standardised(cosine_open(state, rows), cosine_open(state, sample))


@define("cosine_labelled_z@1", "candidate", low=-3.0, high=3.0, cost="(N + R) D")
def cosine_labelled_z(state: QueryState, rows: Ints) -> Floats:
    """Mean cosine distance to labels, in deviations from its mean over open rows, within 3."""
    sample = _open_reference(state)
    return _standardised(cosine_labelled(state, rows), cosine_labelled(state, sample))


@define(
    "log_odds_z@1",
    "candidate",
    of_labels="counts",
    low=-3.0,
    high=3.0,
    needs=("proba",),
    cost="N + R",
)
def log_odds_z(state: QueryState, rows: Ints) -> Floats:
    """Log-odds of the two likeliest classes, in deviations from its mean over open rows."""
    sample = _open_reference(state)
    return _standardised(_log_odds(state, rows), _log_odds(state, sample))


@define(
    "angle_z@1",
    "candidate",
    of_labels="counts",
    low=-3.0,
    high=3.0,
    needs=("proba",),
    cost="(N + R) D",
)
def angle_z(state: QueryState, rows: Ints) -> Floats:
    """Log-odds over the length of the row, in deviations from its mean over open rows."""
    sample = _open_reference(state)
    return _standardised(_per_length(state, rows), _per_length(state, sample))


@define("cosine_nearest_z@1", "candidate", low=-3.0, high=3.0, cost="(N + R) L D")
def cosine_nearest_z(state: QueryState, rows: Ints) -> Floats:
    """Cosine distance to the nearest labelled row, in deviations from its mean over open rows."""
    sample = _open_reference(state)
    return _standardised(_nearest_cosine(state, rows), _nearest_cosine(state, sample))


@define(
    "cosine_classes_z@1",
    "candidate",
    low=-3.0,
    high=3.0,
    needs=("proba",),
    cost="(N + R) L D",
    source="distances told apart by class, as in predicted_distance@1 and other_distance@1",
)
def cosine_classes_z(state: QueryState, rows: Ints) -> Floats:
    """Mean cosine to labels of the predicted class, less that to others, in deviations."""
    sample = _open_reference(state)
    return _standardised(_class_gap(state, rows), _class_gap(state, sample))


@define("cosine_disagreement@1", "candidate", undefined=0.5, needs=("proba",), cost="N L D")
def cosine_disagreement(state: QueryState, rows: Ints) -> Floats:
    """Probability the model leaves to classes other than that of the label nearest by cosine."""
    seen = seen_classes(state)
    if len(seen) == 0:
        return np.full(len(rows), 0.5)
    best = _cosines(state, rows)[0]
    nearest = best >= best.max(axis=1, keepdims=True) - TIE
    agreed = (get_proba(state, rows)[:, seen] * nearest).sum(axis=1) / nearest.sum(axis=1)
    left: Floats = 1.0 - agreed
    return left


@define(
    "first_proba_quantiles@1",
    "context",
    of_labels="nothing",
    dim=N_STATE,
    undefined=0.5,
    needs=("proba",),
    class_symmetric=False,
    cost="R log R",
    source=SOURCE,
)
def first_proba_quantiles(state: QueryState, rows: Ints) -> Floats:
    """Thirty quantiles of the probability of the first class over the reference set."""
    quantiles: Floats = np.quantile(first_proba(state, state.reference), LEVELS)
    return quantiles


@define(
    "doubt_quantiles@1",
    "context",
    of_labels="nothing",
    dim=N_STATE,
    undefined=1.0,
    needs=("proba",),
    cost="R log R",
)
def doubt_quantiles(state: QueryState, rows: Ints) -> Floats:
    """Thirty quantiles of one minus the margin over the reference set."""
    quantiles: Floats = np.quantile(1.0 - margin(state, state.reference), LEVELS)
    return quantiles


def _directions(state: QueryState, rows: Ints) -> Floats:
    """Return rows of Z at length 1; rows of zeros stay, at distance 1 from everything."""
    return for_rows(state, "directions", rows, lambda: _unit(state.Z[rows]), unchanged)


def _unit(Z: Floats) -> Floats:
    lengths = np.sqrt((Z * Z).sum(axis=1, keepdims=True))
    directions: Floats = Z / np.where(lengths > 0.0, lengths, 1.0)
    return directions


def _to_mean(state: QueryState, rows: Ints, others: Ints) -> Floats:
    if len(others) == 0:
        return np.ones(len(rows))
    mean = _directions(state, others).mean(axis=0)
    distances: Floats = 1.0 - _directions(state, rows) @ mean
    return np.clip(distances, 0.0, 2.0)


def _open_reference(state: QueryState) -> Ints:
    return state.memo(
        "features.open_reference",
        lambda: np.setdiff1d(state.reference, state.labelled),
        lambda before: _without(before, get_assumption(state).row),
    )


def _without(rows: Ints, row: int) -> Ints:
    """Return the rows but one; the same array where it is not among them."""
    return rows[rows != row] if (rows == row).any() else rows


def _standardised(values: Floats, sample: Floats) -> Floats:
    spread = float(sample.std()) if len(sample) else 0.0
    if spread < 1e-6:
        return np.zeros(len(values))
    standardised: Floats = np.clip((values - float(sample.mean())) / spread, -3.0, 3.0)
    return standardised


def _log_odds(state: QueryState, rows: Ints) -> Floats:
    first, second = top_two(state, rows)
    odds: Floats = np.log(np.maximum(first, 1e-6)) - np.log(np.maximum(second, 1e-6))
    return odds


def _per_length(state: QueryState, rows: Ints) -> Floats:
    """Return log-odds over lengths in Z; 0 for a row that has none, as if it were on the border."""
    lengths = for_rows(state, "lengths", rows, lambda: _lengths(state.Z[rows]), unchanged)
    return np.where(lengths > 0.0, _log_odds(state, rows) / np.where(lengths > 0, lengths, 1), 0.0)


def _lengths(Z: Floats) -> Floats:
    lengths: Floats = np.sqrt((Z * Z).sum(axis=1))
    return lengths


def _cosines(state: QueryState, rows: Ints) -> tuple[Floats, Floats]:
    """Return the largest cosine to a label of each seen class, (n, S), and their sums, (n, C)."""
    return for_rows(
        state,
        "cosines",
        rows,
        lambda: _measure(state, rows),
        lambda before: _measure_one_more(state, rows, *before),
    )


def _measure(state: QueryState, rows: Ints) -> tuple[Floats, Floats]:
    cosines = _directions(state, rows) @ _directions(state, state.labelled).T
    codes = np.arange(len(class_counts(state)))
    sums = cosines @ (state.labels[:, None] == codes).astype(np.float64)
    members = [cosines[:, state.labels == code].max(axis=1) for code in seen_classes(state)]
    return np.stack(members, axis=1), sums


def _measure_one_more(
    state: QueryState, rows: Ints, best: Floats, sums: Floats
) -> tuple[Floats, Floats]:
    """Return what `_measure` does from its values before the last assumed label."""
    assumed = get_assumption(state)
    new = _unit(state.geometry.rows(np.array([assumed.row])))[0]
    cosines = _directions(state, rows) @ new
    seen = seen_classes(state)
    column = int(np.searchsorted(seen, assumed.code))
    if best.shape[1] < len(seen):
        best = np.insert(best, column, cosines, axis=1)
    else:
        best = best.copy()
        best[:, column] = np.maximum(best[:, column], cosines)
    wider = np.zeros((len(sums), len(class_counts(state)) - sums.shape[1]))
    sums = np.concatenate([sums, wider], axis=1)
    sums[:, int(assumed.code)] += cosines
    return best, sums


def _nearest_cosine(state: QueryState, rows: Ints) -> Floats:
    if len(state.labelled) == 0:
        return np.ones(len(rows))
    distances: Floats = 1.0 - _cosines(state, rows)[0].max(axis=1)
    return distances


def _class_gap(state: QueryState, rows: Ints) -> Floats:
    """Return mean cosines to the predicted class less those to others; classes that tie share."""
    predicted = predicted_classes(state, rows)
    if len(state.labelled) == 0:
        return np.zeros(len(rows))
    C = predicted.shape[1]
    counts = class_counts(state)[:C].astype(np.float64)
    sums = _cosines(state, rows)[1][:, :C]
    others = sums.sum(axis=1, keepdims=True) - sums
    gaps = sums / np.maximum(counts, 1) - others / np.maximum(counts.sum() - counts, 1)
    shared: Floats = (gaps * predicted).sum(axis=1) / predicted.sum(axis=1)
    return shared
