"""From what a caller of `query` holds (X, y, a classifier) to a state and rows to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows, detached
from lal.data.view import make_geometry
from lal.errors import DataError, UsageError
from lal.learners import make_named_learner, wrap_fitted
from lal.learners.targets import known_labels
from lal.policies.query.labels import Labels, read_labels, refuse_lazy
from lal.policies.query.probabilities import checked_proba
from lal.pool import n_rows, take
from lal.rng import Streams
from lal.state import Geometry, QueryState
from lal.strategies.selection import Picks, whole_number
from lal.task import Learner, Model


@dataclass(frozen=True, eq=False)
class Options:
    """What a caller may tell `query` besides X, y and the classifier; see `PoolPolicy.query`."""

    proba: Any = None
    classes: Sequence[Any] | None = None
    budget: int | None = None
    candidates: Any = None
    fit_clf: bool = True
    sample_weight: Any = None
    random_state: Any = 0
    missing_label: Any = float("nan")


@dataclass(frozen=True, eq=False)
class Request:
    """A query ready to be answered.

    Attributes:
        state: The pool, and behind it the candidates that are no pool rows.
        rows: Rows of the state that may be asked, shape (n,).
        offset: Subtract it from a row to get what the caller is told.
        width: Columns of the table of utilities.
        streams: Random streams of this query.
    """

    state: QueryState
    rows: Ints
    offset: int
    width: int
    streams: Streams

    @property
    def pair(self) -> tuple[np.random.Generator, np.random.Generator]:
        """The strategy's stream and the one that breaks ties."""
        return self.streams["strategy"], self.streams["ties"]

    def index(self, rows: Ints) -> Ints:
        """Return what the caller is told of rows of the state."""
        return rows - self.offset


def answer(request: Request, picks: Picks, scored: Ints) -> tuple[Ints, Floats]:
    """Return the picks as the caller counts rows, and the utilities before each of them.

    Args:
        request: What was asked.
        picks: What was chosen.
        scored: Rows whose utilities are shown; nan for the others, and for those chosen before.
    """
    index = request.index(picks.rows)
    table = np.full((len(index), request.width), np.nan)
    table[:, request.index(scored)] = [utilities[scored] for utilities in picks.utilities]
    for i, row in enumerate(index):
        table[i + 1 :, row] = np.nan
    return index, table


def read_request(X: Any, y: Any, clf: Any, options: Options) -> Request:
    """Return the request that the arguments of `query` make.

    Raises:
        DataError: Samples or labels that cannot be used.
        UsageError: Arguments that contradict each other.
    """
    if isinstance(clf, type):
        raise UsageError(f"clf is the class {clf.__name__}; pass an instance, {clf.__name__}(...)")
    X = _samples(X, "X")
    n = n_rows(X)
    for name, other in (
        ("y", y),
        ("proba", options.proba),
        ("sample_weight", options.sample_weight),
        ("candidates", options.candidates),
    ):
        _check_index(X, other, name)
    geometry = make_geometry(X)
    streams = Streams(read_seed(options.random_state))
    proba: Floats | None = None
    model: Model | None = None
    if options.proba is not None:
        labels, proba = _given_proba(y, n, clf, options)
    else:
        labels, model = _fitted(X, y, clf, options, streams)
    rows, more = read_candidates(options.candidates, labels.rows, n)
    width = n
    if more is not None:
        if options.proba is not None:
            raise UsageError("with proba=, candidates must be row numbers of X, not samples")
        geometry, X = _extended(geometry, X, more)
        width, rows = n_rows(more), np.arange(n, n_rows(X))
    if model is not None:
        proba = checked_proba(model.predict_proba(X), n_rows(X), len(labels.classes))
    state = QueryState(
        X=X,
        geometry=geometry,
        labelled=labels.rows,
        labels=labels.codes,
        n_classes=len(labels.classes),
        classes_known=labels.known,
        proba=proba,
        model=model,
        budget=_budget(options.budget),
        sample_weight=_weights(options.sample_weight, n, labels.rows),
        learner=_learner(clf, labels, options),
    )
    return Request(state, rows, 0 if more is None else n, width, streams)


WAYS = (
    "pass numbers that describe each row (for texts and images: embeddings or counts), and the "
    "model's probabilities in proba="
)


def _samples(X: Any, name: str) -> Rows:
    refuse_lazy(X, name)
    X = detached(X)
    if not hasattr(X, "shape"):
        X = _as_array(X, name)
    if hasattr(X, "columns") and not hasattr(X, "dtypes"):
        raise DataError(
            f"{name} is a {type(X).__name__}; expected an array, a sparse matrix, or a frame of "
            "pandas or polars (convert it, to_pandas() in pyarrow)"
        )
    if len(X.shape) != 2:
        raise DataError(f"{name} must have rows and columns, got shape {tuple(X.shape)}; {WAYS}")
    if getattr(getattr(X, "dtype", None), "kind", "f") in "cVmM":
        raise DataError(f"{name} holds {X.dtype}, expected numbers or texts; convert it first")
    _refuse_masked(X, name, "X.filled(np.nan), with a classifier that takes nan")
    return X.tocsr() if hasattr(X, "tocsr") else X


def _as_array(X: Any, name: str) -> Rows:
    try:
        return np.asarray(X)
    except ValueError:
        raise DataError(f"{name} has rows of different lengths; expected a table") from None


def _refuse_masked(values: Any, name: str, way_out: str) -> None:
    """Refuse masked cells, since what stands behind the mask would be read.

    Raises:
        DataError: A cell is masked.
    """
    if np.ma.is_masked(values):
        raise DataError(f"{name} has masked cells; expected numbers, or pass {way_out}")


def _check_index(X: Any, other: Any, name: str) -> None:
    """Refuse a series or frame that has the index of X in another order, and names as candidates.

    Raises:
        DataError: It would be read by position although its names say otherwise.
    """
    mine: Any = getattr(X, "index", None)
    theirs: Any = getattr(other, "index", None)
    is_index = mine is not None and hasattr(other, "get_indexer")
    if is_index and not np.array_equal(np.asarray(mine), np.arange(n_rows(X))):
        raise DataError(
            f"{name} is an index of names, expected row numbers; pass "
            f"np.flatnonzero(X.index.isin({name}))"
        )
    if not (hasattr(mine, "equals") and hasattr(theirs, "equals")) or mine.equals(theirs):
        return
    if len(mine) == len(theirs) and mine.is_unique and set(mine) == set(theirs):
        raise DataError(
            f"{name} has the index of X in another order; pass {name}.loc[X.index], or plain "
            "arrays to go by position"
        )


def _given_proba(y: Any, n: int, clf: Any, options: Options) -> tuple[Labels, Floats]:
    if clf is not None:
        raise UsageError("give either clf or proba=, not both")
    table, options = _columns_by_name(options)
    if table.ndim != 2:
        raise DataError(f"proba must have shape (N, C), got {table.shape}")
    labels = read_labels(
        y, n, missing_label=options.missing_label, classes=_named(y, n, table.shape[1], options)
    )
    return labels, checked_proba(table, n, len(labels.classes))


def _columns_by_name(options: Options) -> tuple[Floats, Options]:
    """Return the table and the options with classes, after the names of a frame's columns.

    Raises:
        DataError: The table is not numbers, or its names are not the classes.
    """
    frame = detached(options.proba)
    _refuse_masked(frame, "proba", "the probabilities of every class")
    try:
        table = np.asarray(frame)
        if table.dtype.kind in "cMmV":
            raise TypeError
        table = table.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        raise DataError("proba must be a table of numbers of shape (N, C)") from None
    if not hasattr(frame, "columns") or table.ndim != 2:
        return table, options
    names = list(frame.columns)
    if names == list(range(len(names))) and options.classes is not None:
        return table, options  # numbered, not named
    if options.classes is None:
        return table, replace(options, classes=names) if names != list(
            range(len(names))
        ) else options
    wanted = list(options.classes)
    if set(names) != set(wanted) or len(names) != len(wanted):
        raise DataError(f"proba has the columns {names}, and classes= names {wanted}")
    return table[:, [names.index(name) for name in wanted]], options


def _named(y: Any, n: int, width: int, options: Options) -> Sequence[Any] | None:
    """Return the classes of the columns of proba: as named, as seen, or the codes 0 to C - 1."""
    if options.classes is not None:
        return options.classes
    seen = read_labels(y, n, missing_label=options.missing_label).classes
    if len(seen) == width:
        return seen
    if len(seen) < width and all(c in range(width) for c in seen):
        return range(width)
    raise UsageError(
        f"proba has {width} columns and y shows the classes {list(seen)}; name the columns in "
        "classes="
    )


def _fitted(
    X: Rows, y: Any, clf: Any, options: Options, streams: Streams
) -> tuple[Labels, Model | None]:
    own = clf is not None and not options.fit_clf
    labels = read_labels(
        y,
        n_rows(X),
        missing_label=options.missing_label,
        classes=options.classes,
        hinted=known_labels(clf, fitted=own),
    )
    if own:
        return labels, wrap_fitted(clf, labels.classes, take(X, labels.rows), labels.codes)
    if labels.n_seen < 2:
        return labels, None
    if clf is None:
        raise UsageError(f"y shows {labels.n_seen} classes but no model; give clf= or proba=")
    weights = _weights(options.sample_weight, n_rows(X), labels.rows)
    model = make_named_learner(clf, labels.classes).fit(
        take(X, labels.rows),
        labels.codes,
        n_classes=len(labels.classes),
        sample_weight=weights,
        seed=streams.learner_seed(len(labels.rows)),
    )
    return labels, model


def _learner(clf: Any, labels: Labels, options: Options) -> Learner | None:
    if clf is None or not options.fit_clf:
        return None
    return make_named_learner(clf, labels.classes)


def read_candidates(candidates: Any, labelled: Ints, n: int) -> tuple[Ints, Rows | None]:
    """Return the rows that may be asked, or samples outside the pool.

    An index array is taken at its word, labelled rows included; duplicates are refused.

    Args:
        candidates: None (all rows without a label), row numbers, a mask, or samples.
        labelled: Labelled rows.
        n: Rows of the pool.
    """
    if candidates is None:
        mask = np.ones(n, dtype=bool)
        mask[labelled] = False
        return np.flatnonzero(mask), None
    refuse_lazy(candidates, "candidates")
    candidates = detached(candidates)
    given = candidates if hasattr(candidates, "shape") else _as_array(candidates, "candidates")
    shape = given.shape
    if len(shape) == 2:
        return np.zeros(0, dtype=np.int64), _samples(candidates, "candidates")
    rows = np.asarray(given)
    if rows.dtype.kind == "f" and rows.size and (rows == np.rint(rows)).all():
        rows = rows.astype(np.int64)
    if rows.dtype == bool and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise UsageError("candidates must be row numbers (n,) or samples (n, D)")
    rows = rows.astype(np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= n):
        raise UsageError(f"candidates must be row numbers from 0 to {n - 1}")
    if len(np.unique(rows)) != len(rows):
        raise UsageError("candidates holds a row twice; expected different rows")
    return rows, None


def _extended(geometry: Geometry, X: Rows, more: Rows) -> tuple[Geometry, Rows]:
    if more.shape[1] != X.shape[1]:
        raise DataError(f"candidates have {more.shape[1]} columns, X has {X.shape[1]}")
    return geometry.extended(more), stacked(X, more)


def stacked(X: Rows, more: Rows) -> Rows:
    """Return rows and further rows below each other: arrays, frames or sparse matrices.

    Raises:
        DataError: One is a frame and the other is not.
    """
    if hasattr(X, "columns") != hasattr(more, "columns"):
        raise DataError(
            f"some rows come as {type(X).__name__} and others as {type(more).__name__}; expected "
            "all of one kind"
        )
    if hasattr(X, "tocsr"):
        from scipy import sparse

        return sparse.vstack([X, more]).tocsr()
    if hasattr(X, "iloc"):
        import pandas as pd

        return pd.concat([X, more], ignore_index=True)
    if hasattr(X, "vstack"):
        import polars as pl

        return pl.concat([X, more.select(X.columns)], how="vertical_relaxed")
    return np.concatenate([np.asarray(X), np.asarray(more)])


def _budget(budget: int | None) -> int | None:
    return None if budget is None else whole_number(budget, "budget", least=1)


def _weights(sample_weight: Any, n: int, labelled: Ints) -> Floats | None:
    if sample_weight is None:
        return None
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("sample_weight must be numbers, one a row") from None
    if weights.shape != (n,):
        raise DataError(f"sample_weight must have shape ({n},), got {weights.shape}")
    weights = weights[labelled]
    if weights.size and not weights.min() >= 0:  # catches nan
        raise DataError(f"sample_weight must be 0 or more where y has a label, got {weights.min()}")
    return weights


def read_seed(random_state: Any) -> int:
    """Return an integer seed from an integer, a generator, a RandomState, or None (fresh)."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    said = random_state if isinstance(random_state, int | str) else type(random_state).__name__
    raise UsageError(f"random_state must be an integer from 0, a generator or None, got {said!r}")
