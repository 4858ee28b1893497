"""What-if features: what a small model would predict if a row had each of its likeliest labels.

The model is a surrogate, whatever the learner: a softmax regression with ridge penalty on the
encoded rows, fitted to the labelled ones. For a row and a label, it takes a few damped Newton
steps from its weights; then its predictions of some reference rows are compared with those before.
Each statistic of the comparison comes in several forms over the labels tried (`FORMS`).

The cost is bounded, but large for a whole pool: policies compute these features for a shortlist.
Sources: expected error reduction, Roy and McCallum 2001; expected model (output) change, Settles
et al. 2008 and Freytag et al. 2014; "likelier" and "surprising" after Guo and Greiner 2007.
"""

from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.base import define
from lal.features.geometry import get_reference, squared_distances
from lal.features.labelled import TIE, for_rows, get_proba, seen_classes
from lal.state import Geometry, QueryState

REFERENCE = 300
"""Reference rows whose predictions are compared, at most."""

COLUMNS = 32
"""Columns of the surrogate: the leading principal directions of Z where it has more."""

LABELS = 3
"""Labels tried for a row: the likeliest of the classes that have a label."""

MOST_LABELLED = 256
"""Labelled rows that the surrogate is fitted to; of more, a part by content, weighted up."""

FIT_STEPS, STEPS = 16, 3
"""Newton steps of the surrogate itself, and from there for each label tried."""

PENALTY, INTERCEPT_PENALTY = 1.0, 0.1
"""Ridge penalties, of the size of scikit-learn's default ``C=1``."""

WIDTH = 0.5
"""Width of the kernel that smooths labels, in pool scales; one more label counts for no class."""

CHUNK = 32
"""Rows tried at once."""

STATISTICS = {
    "flips": (0.0, 1.0, "share of the predictions that change"),
    "change": (0.0, 1.0, "mean total variation between the predictions"),
    "squared_change": (0.0, 1.0, "mean squared distance between the predictions, halved"),
    "error": (-1.0, 1.0, "increase of the error that the model expects, 1 - max p"),
    "entropy": (-1.0, 1.0, "increase of the mean entropy over log S"),
    "fit": (0.0, 1.0, "accuracy on the labelled rows, the new one included"),
    "shares": (0.0, 1.0, "total variation between the shares of the predicted classes"),
}
"""Statistics of a refit: smallest and largest value, and what it is."""

FORMS = {
    "expected": "weighted by the model's probabilities",
    "smoothed": "weighted by a kernel estimate from the labelled rows",
    "least": "smallest over the labels",
    "most": "largest over the labels",
    "likelier": "under the likeliest label",
    "surprising": "under the least likely label that is tried",
}
"""What is made of a statistic's values under the labels tried."""


@dataclass(frozen=True, eq=False)
class _Surrogate:
    """A fitted surrogate and what it is compared on.

    Attributes:
        A: Labelled rows with a one before, shape (l, h).
        y: Position of their class among those seen, shape (l,).
        weight: How often each counts.
        W: Weights, shape (S, h).
        rest: Slope that is left there, which counts as none when a label is tried, shape (S, h).
        inverse: Inverse curvature of each class, shape (S, h, h).
        V: Reference rows with a one before, shape (r, h).
        P: Probabilities of these, shape (r, S).
    """

    A: Floats
    y: Ints
    weight: float
    W: Floats
    rest: Floats
    inverse: Floats
    V: Floats
    P: Floats


def what_if(state: QueryState, rows: Ints) -> Floats:
    """Return all statistics in all forms, shape (n, len(STATISTICS), len(FORMS)).

    Zeros before two classes have a label.
    """
    return for_rows(state, "what_if", rows, lambda: _what_if(state, rows))


def _what_if(state: QueryState, rows: Ints) -> Floats:
    found = np.zeros((len(rows), len(STATISTICS), len(FORMS)))
    if len(seen_classes(state)) < 2:
        return found
    surrogate = state.memo("features.surrogate", lambda: _fit(state))
    for first in range(0, len(rows), CHUNK):
        part = slice(first, first + CHUNK)
        found[part] = _try(state, rows[part], surrogate)
    return found


# -- the surrogate ---------------------------------------------------------------------------


def _design(geometry: Geometry, rows: Ints) -> Floats:
    """Return rows as the surrogate takes them, a one before, shape (n, h)."""
    Z = geometry.rows(rows)
    if Z.shape[1] > COLUMNS:
        Z = Z @ geometry.memo("features.directions", lambda: _directions(geometry.Z_reference))
    return np.column_stack([np.ones(len(Z)), Z])


def _directions(Z: Floats) -> Floats:
    """Return the leading principal directions, shape (d, COLUMNS)."""
    _, vectors = np.linalg.eigh(np.cov(Z, rowvar=False))
    directions: Floats = vectors[:, : -COLUMNS - 1 : -1]
    return directions


def _spread(order: Ints, most: int) -> Ints:
    """Return at most so many entries, evenly spread."""
    if len(order) <= most:
        return order
    picked: Ints = order[np.linspace(0, len(order) - 1, most).astype(np.int64)]
    return picked


def _fit(state: QueryState) -> _Surrogate:
    content = np.rint(state.Z_labelled * 1e4).astype(np.int64)
    kept = _spread(np.lexsort(content.T), MOST_LABELLED)
    A = _design(state.geometry, state.labelled[kept])
    y = np.searchsorted(seen_classes(state), state.labels[kept])
    weight = len(state.labelled) / len(kept)
    target = np.eye(len(seen_classes(state)))[y]
    W = np.zeros((target.shape[1], A.shape[1]))
    P, slope = _slope(W, A, target, weight)
    for _ in range(FIT_STEPS):
        W = W - 0.5 * np.linalg.solve(_curvature(A, P, weight), slope[..., None])[..., 0]
        P, slope = _slope(W, A, target, weight)
    V = _design(state.geometry, _spread(get_reference(state.geometry).rows, REFERENCE))
    inverse = np.asarray(np.linalg.inv(_curvature(A, P, weight)), dtype=np.float64)
    return _Surrogate(A, y, weight, W, slope, inverse, V, _softmax(V @ W.T))


def _slope(W: Floats, A: Floats, target: Floats, weight: float) -> tuple[Floats, Floats]:
    """Return the probabilities (l, S) under weights and the slope of the loss there, (S, h)."""
    P = _softmax(A @ W.T)
    slope: Floats = weight * (P - target).T @ A + _penalty(A) * W
    return P, slope


def _softmax(F: Floats) -> Floats:
    E = np.exp(F - F.max(axis=-1, keepdims=True))
    P: Floats = E / E.sum(axis=-1, keepdims=True)
    return P


def _penalty(A: Floats) -> Floats:
    penalty: Floats = np.r_[INTERCEPT_PENALTY, np.full(A.shape[1] - 1, PENALTY)]
    return penalty


def _curvature(A: Floats, P: Floats, weight: float) -> Floats:
    """Return the curvature in the weights of each class, shape (S, h, h).

    Twice these blocks bound the whole matrix, diag(p) - pp' being dominated by its diagonal; hence
    steps of one half. With two classes these are the steps of Newton.
    """
    weights = weight * (P * (1.0 - P)).T
    H: Floats = (A.T * weights[:, None, :]) @ A
    H += np.diag(_penalty(A))
    return H


# -- one more label --------------------------------------------------------------------------


def _try(state: QueryState, rows: Ints, s: _Surrogate) -> Floats:
    """Return the statistics of some rows in all forms, shape (n, statistics, forms)."""
    X = _design(state.geometry, rows)
    proba = get_proba(state, rows)[:, seen_classes(state)]
    labels = _likeliest(proba, _softmax(X @ s.W.T))
    n, tried = labels.shape
    W = _refit(np.repeat(X, tried, axis=0), labels.ravel(), s)
    values = _compare(W, np.repeat(X, tried, axis=0), labels.ravel(), s)
    values = values.reshape(n, tried, len(STATISTICS))
    model = np.take_along_axis(proba, labels, axis=1)
    smooth = np.take_along_axis(_smoothed(state, rows), labels, axis=1)
    return _forms(values, model, smooth)


def _likeliest(proba: Floats, own: Floats) -> Ints:
    """Return the likeliest classes of each row, equal ones as the surrogate has it, (n, tried)."""
    order = np.lexsort((own, np.round(proba, 9)), axis=-1)
    likeliest: Ints = order[:, ::-1][:, :LABELS]
    return likeliest


def _refit(X: Floats, labels: Ints, s: _Surrogate) -> Floats:
    """Return the weights after each row X (b, h) has its label, shape (b, S, h)."""
    classes = np.arange(len(s.W))
    old, new = s.y[:, None] == classes, labels[:, None] == classes
    along = np.einsum("sij,bj->bsi", s.inverse, X)
    reach = np.einsum("bsi,bi->bs", along, X)
    W = np.repeat(s.W[None], len(X), axis=0)
    for _ in range(STEPS):
        P = _softmax(s.A @ W.transpose(0, 2, 1))
        p = _softmax(np.einsum("bsi,bi->bs", W, X))
        G = s.weight * (P - old).transpose(0, 2, 1) @ s.A + _penalty(s.A) * W - s.rest
        G += (p - new)[..., None] * X[:, None, :]
        bend = _bend(p)
        step = np.einsum("sij,bsj->bsi", s.inverse, G)
        rest = bend * np.einsum("bsi,bi->bs", step, X) / (1.0 + bend * reach)
        W -= 0.5 * (step - rest[..., None] * along)  # Sherman and Morrison
    return W


def _bend(p: Floats) -> Floats:
    """Return the curvature (p - 1/2) / logit(p), at least p (1 - p).

    It bounds the loss from above however far the step goes: Jaakkola and Jordan 2000.
    """
    p = np.clip(p, 1e-9, 1.0 - 1e-9)
    logit = np.log(p / (1.0 - p))
    near = np.abs(logit) < 1e-4
    bend: Floats = np.where(near, 0.25, (p - 0.5) / np.where(near, 1.0, logit))
    return bend


def _compare(W: Floats, X: Floats, labels: Ints, s: _Surrogate) -> Floats:
    """Return the statistics of refitted weights (b, S, h), shape (b, statistics)."""
    before, after = s.P, _softmax(s.V @ W.transpose(0, 2, 1))
    change = after - before
    was, now = before.argmax(axis=-1), after.argmax(axis=-1)
    shares = np.stack([(now == c).mean(axis=1) - (was == c).mean() for c in range(len(s.W))])
    hits = ((s.A @ W.transpose(0, 2, 1)).argmax(axis=-1) == s.y).mean(axis=1)
    hit = np.einsum("bsi,bi->bs", W, X).argmax(axis=-1) == labels
    n = s.weight * len(s.y)
    statistics = {
        "flips": (was != now).mean(axis=1),
        "change": 0.5 * np.abs(change).sum(axis=-1).mean(axis=1),
        "squared_change": 0.5 * (change**2).sum(axis=-1).mean(axis=1),
        "error": before.max(axis=-1).mean() - after.max(axis=-1).mean(axis=1),
        "entropy": _entropy(after).mean(axis=1) - _entropy(before).mean(),
        "fit": (n * hits + hit) / (n + 1.0),
        "shares": 0.5 * np.abs(shares).sum(axis=0),
    }
    return np.column_stack([statistics[name] for name in STATISTICS])


def _entropy(P: Floats) -> Floats:
    total: Floats = -(P * np.log(np.maximum(P, 1e-12))).sum(axis=-1)
    over: Floats = total / np.log(P.shape[-1])
    return over


def _smoothed(state: QueryState, rows: Ints) -> Floats:
    """Return a kernel estimate of the probabilities of the seen classes, shape (n, S)."""
    seen = seen_classes(state)
    squares = squared_distances(state.geometry.rows(rows), state.Z_labelled)
    near = 1.0 / (1.0 + squares / (WIDTH * get_reference(state.geometry).scale) ** 2)
    votes = near @ (state.labels[:, None] == seen).astype(np.float64)
    smoothed: Floats = (votes + 1.0 / len(seen)) / (votes.sum(axis=1, keepdims=True) + 1.0)
    return smoothed


def _forms(values: Floats, model: Floats, smooth: Floats) -> Floats:
    """Return values (n, tried, statistics) in all forms, shape (n, statistics, forms)."""
    likeliest = model >= model.max(axis=1, keepdims=True) - TIE
    surprising = model <= model.min(axis=1, keepdims=True) + TIE
    forms = {
        "expected": _weighted(values, model),
        "smoothed": _weighted(values, smooth),
        "least": values.min(axis=1),
        "most": values.max(axis=1),
        "likelier": _weighted(values, likeliest.astype(np.float64)),
        "surprising": _weighted(values, surprising.astype(np.float64)),
    }
    return np.stack([forms[name] for name in FORMS], axis=-1)


def _weighted(values: Floats, weights: Floats) -> Floats:
    """Return means over the labels; all count the same where no weight is above 0."""
    total = weights.sum(axis=1, keepdims=True)
    shares = np.where(total > 0.0, weights, 1.0)
    shares = shares / shares.sum(axis=1, keepdims=True)
    mean: Floats = np.einsum("nt,nts->ns", shares, values)
    return mean


# -- the features ----------------------------------------------------------------------------


def _define(statistic: str) -> str:
    """Register a statistic in all forms; return its id."""
    low, high, what = STATISTICS[statistic]
    column = list(STATISTICS).index(statistic)

    def compute(state: QueryState, rows: Ints) -> Floats:
        values: Floats = what_if(state, rows)[:, column]
        return values

    compute.__doc__ = f"{what[0].upper()}{what[1:]}, in the forms of `FORMS`."
    name = f"what_if_{statistic}@1"
    define(
        name,
        "candidate",
        dim=len(FORMS),
        low=low,
        high=high,
        needs=("proba",),
        cost="N (L + R) C D",
        source="Roy and McCallum 2001; Freytag et al. 2014",
    )(compute)
    return name


WHAT_IF_FEATURES = tuple(_define(statistic) for statistic in STATISTICS)
"""All of them."""
