"""From what a caller of `query` holds (X, y, a classifier) to a state and rows to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows, detached
from lal.data.view import make_geometry
from lal.errors import DataError, UsageError
from lal.learners import make_named_learner, wrap_fitted
from lal.learners.pool_aware import bind_pool
from lal.learners.targets import known_labels
from lal.policies.query.labels import Labels, read_labels
from lal.policies.query.probabilities import checked_proba
from lal.policies.query.regression import fitted_regressor, read_numbers
from lal.policies.query.samples import (
    check_index,
    extended,
    read_candidates,
    refuse_masked,
    samples,
)
from lal.pool import n_rows, take
from lal.rng import Streams
from lal.state import Geometry, QueryState
from lal.strategies.selection import Picks, whole_number
from lal.task import Learner, Model
from lal.task_kind import CLASSIFICATION, REGRESSION, TaskKind


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
    task: TaskKind = CLASSIFICATION


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
    X = samples(X, "X")
    n = n_rows(X)
    for name, other in (
        ("y", y),
        ("proba", options.proba),
        ("sample_weight", options.sample_weight),
        ("candidates", options.candidates),
    ):
        check_index(X, other, name)
    geometry, pool = make_geometry(X), X
    streams = Streams(read_seed(options.random_state))
    if options.task == REGRESSION:
        return _read_regression((X, geometry), y, clf, options, streams)
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
        geometry, X = extended(geometry, X, more)
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
        learner=_learner(clf, pool, labels, options),
    )
    return Request(state, rows, 0 if more is None else n, width, streams)


def _read_regression(
    pool: tuple[Rows, Geometry], y: Any, reg: Any, options: Options, streams: Streams
) -> Request:
    if options.proba is not None or options.classes is not None:
        raise UsageError(
            'proba= and classes= are for classification; with task="regression" pass a regressor'
        )
    X, geometry = pool
    n = n_rows(X)
    labelled, numbers = read_numbers(y, n, options.missing_label)
    weights = _weights(options.sample_weight, n, labelled)
    seed = streams.learner_seed(len(labelled))
    model, learner = fitted_regressor(
        X, (labelled, numbers), reg, seed, fit=options.fit_clf, sample_weight=weights
    )
    rows, more = read_candidates(options.candidates, labelled, n)
    width = n
    if more is not None:
        geometry, X = extended(geometry, X, more)
        width, rows = n_rows(more), np.arange(n, n_rows(X))
    state = QueryState(
        X=X,
        geometry=geometry,
        labelled=labelled,
        labels=numbers,
        n_classes=0,
        classes_known=False,
        proba=None,
        model=model,
        budget=_budget(options.budget),
        sample_weight=weights,
        learner=learner,
        kind=REGRESSION,
        prediction=None if model is None else np.asarray(model.predict(X), dtype=np.float64),
    )
    return Request(state, rows, 0 if more is None else n, width, streams)


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
    refuse_masked(frame, "proba", "the probabilities of every class")
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
    model = bind_pool(make_named_learner(clf, labels.classes), X).fit(
        take(X, labels.rows),
        labels.codes,
        n_classes=len(labels.classes),
        sample_weight=weights,
        seed=streams.learner_seed(len(labels.rows)),
    )
    return labels, model


def _learner(clf: Any, X: Rows, labels: Labels, options: Options) -> Learner | None:
    if clf is None or not options.fit_clf:
        return None
    return bind_pool(make_named_learner(clf, labels.classes), X)


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
