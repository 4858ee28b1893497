"""The small states that everything is tried in, and what all checks share."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.view import make_geometry
from lal.errors import CheckError
from lal.learners import make_learner
from lal.state import QueryState
from lal.task_kind import CLASSIFICATION, REGRESSION, TaskKind

CLOSE = 1e-6
"""Largest difference that counts as equal."""


def require(condition: bool, sentence: str) -> None:
    """Raise a CheckError with the sentence unless the condition holds."""
    if not condition:
        raise CheckError(sentence)


def make_rng(seed: int = 0) -> np.random.Generator:
    """Return a generator of the checks."""
    return np.random.default_rng(seed)


def sample_pool(n: int = 60, d: int = 4, n_classes: int = 3) -> tuple[Floats, Ints]:
    """Return the rows and true codes that the checks use: overlapping clusters, all classes."""
    rng = make_rng(n + d + n_classes)
    y = np.arange(n, dtype=np.int64) % n_classes
    centres = 1.5 * rng.normal(size=(n_classes, d))
    return centres[y] + rng.normal(size=(n, d)), y


def sample_state(
    n_classes: int = 3, n_labelled: int = 12, learner: str = "logistic_regression"
) -> QueryState:
    """Return a small state; without a model when fewer than two classes are labelled."""
    X, y = sample_pool(n_classes=max(n_classes, 2))
    labelled = np.arange(n_labelled, dtype=np.int64)
    labels = y[:n_labelled] if n_classes > 1 else np.zeros(n_labelled, dtype=np.int64)
    seen = len(np.unique(labels))
    fitted = make_learner(learner)
    model = fitted.fit(X[labelled], labels, n_classes=seen, seed=0) if seen > 1 else None
    return QueryState(
        X=X,
        geometry=make_geometry(X),
        labelled=labelled,
        labels=labels,
        n_classes=seen,
        classes_known=False,
        proba=None if model is None else model.predict_proba(X),
        model=model,
        learner=fitted,
    )


STATES = {
    "two classes": (2, 8),
    "three classes": (3, 12),
    "ten classes": (10, 25),
    "one class": (1, 3),
    "no labels": (2, 0),
}
"""Classes and labels of the states that strategies, features and policies are tried in."""


REGRESSION_STATES = {"ten numbers": 10, "two numbers": 2, "one number": 1, "no numbers": 0}
"""Labels of the states of regression."""


def sample_regression_state(n_labelled: int = 10, learner: str = "ridge") -> QueryState:
    """Return a small state of regression: a curved function with a little noise."""
    rng = make_rng(7)
    X = rng.normal(size=(60, 4))
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.normal(size=60)
    labelled = np.arange(n_labelled, dtype=np.int64)
    options = {"n_estimators": 5} if learner == "random_forest" else {}
    fitted = make_learner(learner, task=REGRESSION, **options)
    model = fitted.fit(X[labelled], y[labelled], n_classes=0) if n_labelled else None
    return QueryState(
        X=X,
        geometry=make_geometry(X),
        labelled=labelled,
        labels=y[labelled],
        n_classes=0,
        classes_known=False,
        proba=None,
        model=model,
        learner=fitted,
        kind=REGRESSION,
        prediction=None if model is None else np.asarray(model.predict(X), dtype=np.float64),
    )


def states(
    kinds: tuple[TaskKind, ...] = (CLASSIFICATION,), learner: str = "logistic_regression"
) -> Iterator[tuple[str, QueryState]]:
    """Return the states of some kinds of task with their titles; `learner` is for classes."""
    if CLASSIFICATION in kinds:
        for title, (n_classes, n_labelled) in STATES.items():
            yield title, sample_state(n_classes, n_labelled, learner)
    if REGRESSION in kinds:
        for title, n_labelled in REGRESSION_STATES.items():
            yield title, sample_regression_state(n_labelled)


@contextmanager
def globals_untouched(name: str) -> Iterator[None]:
    """Refuse draws from numpy's or Python's global generators."""
    python = sys.modules.get("random")
    before = _global_state(), None if python is None else python.getstate()
    yield
    after = _global_state(), None if python is None else python.getstate()
    require(before == after, f"{name} draws from a global random generator; use the one passed")


def _global_state() -> object:
    state: Any = np.random.get_state()  # noqa: NPY002  (the legacy generator is what is watched)
    return state[0], state[1].tobytes(), state[2:]


def shuffled(state: QueryState) -> tuple[QueryState, Ints]:
    """Return the same pool in another row order, and the order (new row i was order[i])."""
    order = make_rng(1).permutation(state.N)
    place = np.argsort(order)[state.labelled]
    by_row = np.argsort(place)
    X = state.X[order]
    changed = replace(
        state,
        X=X,
        geometry=make_geometry(X),
        labelled=place[by_row],
        labels=state.labels[by_row],
        proba=None if state.proba is None else state.proba[order],
        prediction=None if state.prediction is None else state.prediction[order],
    )
    return changed, order


def renamed(state: QueryState) -> QueryState:
    """Return the state with the order of its classes reversed."""
    new = np.arange(state.n_classes)[::-1]
    proba = None if state.proba is None else state.proba[:, ::-1]
    other = replace(state, labels=new[state.labels], proba=proba)
    if state.committee is not None:
        object.__setattr__(other, "committee", state.committee[:, :, ::-1])
    return other
