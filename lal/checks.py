"""Checkers anyone may run over a strategy, feature, learner, policy or data set of their own.

Each raises a `CheckError` that says in one sentence which part of the contract is broken, and
returns nothing when all of it is kept. Our own tests run them over the registries.
"""

import copy
import pickle
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.view import make_geometry
from lal.errors import CheckError
from lal.features import FEATURES, Feature, candidate_matrix
from lal.learners import make_learner
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PolicyRangeWarning, PoolPolicy
from lal.state import QueryState, Strategy
from lal.strategies.base import make_strategy, select
from lal.task import Learner

CLOSE = 1e-6
"""Largest difference that counts as equal."""


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise CheckError(sentence)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sample_pool(n: int = 60, d: int = 4, n_classes: int = 3) -> tuple[Floats, Ints]:
    """Return the rows and true codes that the checks use: overlapping clusters, all classes."""
    rng = _rng(n + d + n_classes)
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


def _states() -> Iterator[tuple[str, QueryState]]:
    for title, (n_classes, n_labelled) in STATES.items():
        yield title, sample_state(n_classes, n_labelled)


@contextmanager
def _globals_untouched(name: str) -> Iterator[None]:
    """Refuse draws from numpy's or Python's global generators."""
    python = sys.modules.get("random")
    before = _global_state(), None if python is None else python.getstate()
    yield
    after = _global_state(), None if python is None else python.getstate()
    _require(before == after, f"{name} draws from a global random generator; use the one passed")


def _global_state() -> object:
    state: Any = np.random.get_state()  # noqa: NPY002  (the legacy generator is what is watched)
    return state[0], state[1].tobytes(), state[2:]


def _shuffled(state: QueryState) -> tuple[QueryState, Ints]:
    """Return the same pool in another row order, and the order (new row i was order[i])."""
    order = _rng(1).permutation(state.N)
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
    )
    return changed, order


def check_strategy(strategy: Strategy | str) -> None:
    """Check a strategy: shape, purity, seeding, row order, batches, pickling.

    Args:
        strategy: A strategy, or a name of the registry.

    Raises:
        CheckError: The first sentence of the contract that is broken.
    """
    for _, check in strategy_checks(strategy):
        check()


def strategy_checks(strategy: Strategy | str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Return the checks of `check_strategy` one by one, each with what it tries.

    Args:
        strategy: A strategy, or a name of the registry.

    Raises:
        CheckError: It is no strategy at all.
    """
    name = strategy if isinstance(strategy, str) else type(strategy).__name__
    made = make_strategy(strategy) if isinstance(strategy, str) else strategy
    _require(hasattr(made, "utilities"), f"{name} has no method utilities(state, rng)")
    for title, state in _states():
        where = f"{name} ({title})"
        yield f"utilities, {title}", partial(_check_utilities, made, state, where)
        yield f"batch, {title}", partial(_check_choice, made, state, where)
    yield "order of rows", partial(_check_order, made, sample_state(), name)


def _check_utilities(strategy: Strategy, state: QueryState, name: str) -> None:
    before = [None if v is None else v.copy() for v in _held(state)]
    with _globals_untouched(name):
        first = np.asarray(strategy.utilities(state, _rng()))
    _require(first.shape == (state.N,), f"{name} gives shape {first.shape}, not {(state.N,)}")
    _require(bool(np.isfinite(first).all()), f"{name} gives utilities that are not finite")
    for old, new in zip(before, _held(state), strict=True):
        same = old is None or np.array_equal(old, new)
        _require(same, f"{name} changes the state that it is shown")
    again = strategy.utilities(state, _rng())
    _require(np.array_equal(first, again), f"{name} answers differently when asked again")
    copied = copy.deepcopy(strategy).utilities(state, _rng())
    _require(np.array_equal(first, copied), f"a copy of {name} answers differently")
    try:
        restored = pickle.loads(pickle.dumps(strategy))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise CheckError(
            f"{name} cannot be pickled, so it cannot run in workers: {error}"
        ) from None
    again = restored.utilities(state, _rng())
    _require(np.array_equal(first, again), f"{name} answers differently after pickling")


def _held(state: QueryState) -> list[Any]:
    proba = None if state.model is None else state.model.predict_proba(state.X)
    return [state.X, state.Z, state.labelled, state.labels, state.proba, proba]


def _check_choice(strategy: Strategy, state: QueryState, name: str) -> None:
    for size in (1, 5):
        chosen = select(strategy, state, _rng(), _rng(1), size)
        _require(len(chosen) == size, f"{name} chooses {len(chosen)} rows when asked for {size}")
        _require(len(set(chosen.tolist())) == size, f"{name} chooses a row twice in a batch")
        open_rows = set(state.open.tolist())
        _require(set(chosen.tolist()) <= open_rows, f"{name} chooses a row that has a label")


def _check_order(strategy: Strategy, state: QueryState, name: str) -> None:
    """Strategies that draw random numbers are excused: their draws follow the rows."""
    first = strategy.utilities(state, _rng())
    if not np.array_equal(first, strategy.utilities(state, _rng(9))):
        return
    other, order = _shuffled(state)
    moved = strategy.utilities(other, _rng())
    _require(np.allclose(moved, first[order], atol=CLOSE), f"{name} depends on the order of rows")


def check_feature(feature: Feature | str) -> None:
    """Check a feature: shape, bounds, order of rows, names of classes, slates, undefined values.

    Args:
        feature: A feature, or an id of the registry.

    Raises:
        CheckError: The first sentence of the contract that is broken.
    """
    feature = FEATURES[feature] if isinstance(feature, str) else feature
    name = feature.id
    _require("@" in name, f"{name} has no version; ids look like margin@1")
    for learner in ("logistic_regression", "random_forest"):
        for title, (n_classes, n_labelled) in STATES.items():
            state = sample_state(n_classes, n_labelled, learner)
            _check_values(feature, state, f"{name} ({title})")
            _check_feature_order(feature, state, f"{name} ({title})")
    if feature.class_symmetric:
        _check_feature_names(feature, sample_state(), name)


def _check_values(feature: Feature, state: QueryState, name: str) -> None:
    rows = np.arange(state.N)
    wanted = (state.N, feature.dim) if feature.scope == "candidate" else (feature.dim,)
    if all(getattr(state, need) is not None for need in feature.needs):
        raw = np.asarray(feature.compute(state, rows), dtype=np.float64)
        fits = raw.size == int(np.prod(wanted))
        _require(fits, f"{name} computes shape {raw.shape}, expected {wanted}")
        _require(bool(np.isfinite(raw).all()), f"{name} is not finite")
    with _globals_untouched(name):
        values = feature.values(state, rows)
    inside = feature.low - CLOSE <= values.min() and values.max() <= feature.high + CLOSE
    _require(bool(inside), f"{name} leaves its bounds {feature.low} to {feature.high}")
    if feature.scope == "candidate":
        slate = rows[::4][::-1].copy()
        alone = feature.values(replace(state), slate)
        same = np.allclose(alone, values[slate], atol=CLOSE)
        _require(same, f"{name} depends on which rows are asked about")


def _check_feature_order(feature: Feature, state: QueryState, name: str) -> None:
    other, order = _shuffled(state)
    rows = np.arange(state.N)
    ours, theirs = feature.values(state, rows), feature.values(other, rows)
    ours = ours[order] if feature.scope == "candidate" else ours
    _require(np.allclose(ours, theirs, atol=CLOSE), f"{name} depends on the order of rows")


def _check_feature_names(feature: Feature, state: QueryState, name: str) -> None:
    other = renamed(state)
    rows = np.arange(state.N)
    same = np.allclose(feature.values(state, rows), feature.values(other, rows), atol=CLOSE)
    _require(same, f"{name} depends on the names of classes; say class_symmetric=False")


def renamed(state: QueryState) -> QueryState:
    """Return the state with the order of its classes reversed."""
    new = np.arange(state.n_classes)[::-1]
    proba = None if state.proba is None else state.proba[:, ::-1]
    other = replace(state, labels=new[state.labels], proba=proba)
    if state.committee is not None:
        object.__setattr__(other, "committee", state.committee[:, :, ::-1])
    return other


def check_learner(learner: Learner | str) -> None:
    """Check a learner: 0 labels, one class, missing classes, probabilities, seeding.

    Args:
        learner: A learner, or a name of the registry, or a scikit-learn classifier.

    Raises:
        CheckError: The first sentence of the contract that is broken.
    """
    made = make_learner(learner)
    name = made.name
    X, y = sample_pool(n_classes=4)
    for title, rows in {
        "no labels": y < 0,
        "one class": y == 1,
        "a class unseen": (y < 3) & (np.arange(len(y)) < 30),
        "all classes": np.arange(len(y)) < 30,
    }.items():
        with _globals_untouched(name):
            model = made.fit(X[rows], y[rows], n_classes=4, seed=3)
            proba = model.predict_proba(X)
        where = f"{name} ({title})"
        _check_probabilities(proba, (len(X), 4), where)
        codes = model.predict(X)
        _require(codes.shape == (len(X),), f"{where} predicts shape {codes.shape}")
        _require(
            bool(np.isin(codes, np.arange(4)).all()), f"{where} predicts what is no class code"
        )
        again = made.fit(X[rows], y[rows], n_classes=4, seed=3).predict_proba(X)
        _require(np.array_equal(proba, again), f"{where} differs between fits of the same seed")
        _check_extras(model, X, where)


def _check_probabilities(proba: Floats, shape: tuple[int, ...], name: str) -> None:
    _require(proba.shape == shape, f"{name} gives probabilities {proba.shape}, not {shape}")
    legal = np.isfinite(proba).all() and proba.min() >= 0
    _require(bool(legal), f"{name} gives probabilities that are negative or not finite")
    sums = np.allclose(proba.sum(axis=-1), 1.0, atol=CLOSE)
    _require(sums, f"{name} gives probabilities that do not sum to one")


def _check_extras(model: Any, X: Floats, name: str) -> None:
    members = model.committee_proba(X)
    if members is not None:
        shape = (len(members), len(X), 4)
        _check_probabilities(members, shape, f"the committee of {name}")
    variance = model.variance(X)
    if variance is not None:
        good = variance.shape == (len(X),) and np.isfinite(variance).all() and variance.min() >= 0
        _require(bool(good), f"the variance of {name} must be (n,), finite and not negative")


def check_policy(policy: PoolPolicy | str) -> None:
    """Check a policy: all of a strategy's contract, query, files, and names of classes.

    Args:
        policy: A policy, or the name of a shipped one, or a path.

    Raises:
        CheckError: The first sentence of the contract that is broken.
    """
    made = load_as(PoolPolicy, policy) if isinstance(policy, str) else policy
    check_strategy(made)
    for title, state in _states():
        name = f"policy {made.name} ({title})"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PolicyRangeWarning)  # states are odd on purpose
            _check_query(made, state, name)
        if made.class_symmetric:
            same = np.allclose(made.utilities(renamed(state)), made.utilities(state), atol=CLOSE)
            _require(same, f"{name} depends on the names of classes; say class_symmetric=False")
    _check_file(made)


def _check_query(policy: PoolPolicy, state: QueryState, name: str) -> None:
    from sklearn.linear_model import LogisticRegression

    clf = LogisticRegression(max_iter=1000)
    y = np.full(state.N, None, dtype=object)
    y[state.labelled] = [f"class {c}" for c in state.labels]
    y[y == None] = policy.missing_label  # noqa: E711  (elementwise)
    with _globals_untouched(name):
        picked, table = policy.query(state.X, y, clf, batch_size=4, return_utilities=True)
    _require(not hasattr(clf, "classes_"), f"{name} fits the classifier that it was given")
    _require(table.shape == (4, state.N), f"{name} gives utilities of shape {table.shape}")
    hidden = np.isnan(table[0, state.labelled]).all() and np.isnan(table[3, picked[:3]]).all()
    _require(bool(hidden), f"{name} shows utilities of rows that cannot be asked")
    _require(len(set(picked.tolist())) == 4, f"{name} chooses a row twice in a batch")
    few = state.open[::5]
    one, part = policy.query(state.X, y, clf, candidates=few, return_utilities=True)
    _require(int(one[0]) in set(few.tolist()), f"{name} answers outside the candidates")
    same = np.allclose(part[0, few], table[0, few], atol=CLOSE)
    _require(same, f"{name} depends on which rows may be asked")
    given = state.X[few]
    one, part = policy.query(state.X, y, clf, candidates=given, return_utilities=True)
    _require(0 <= int(one[0]) < len(few), f"{name} must index candidates that are samples")
    _require(part.shape == (1, len(few)), f"{name} gives utilities of shape {part.shape}")


def _check_file(policy: PoolPolicy) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.safetensors"
        policy.save(path)
        loaded = load_as(PoolPolicy, path)
    state = sample_state()
    same = np.array_equal(loaded.utilities(state), policy.utilities(state))
    _require(same, f"policy {policy.name} answers differently after saving and loading")
    matrix = candidate_matrix(state, policy.candidate_features)
    _require(bool(np.isfinite(matrix).all()), f"policy {policy.name} reads features not finite")


def check_dataset(dataset: Any) -> None:
    """Check a data set: codes, names, lengths, at least two classes, a family and a hash.

    Args:
        dataset: A `lal.data.dataset.Dataset`, or a name for `lal.load_dataset`.

    Raises:
        CheckError: The first sentence of the contract that is broken.
    """
    if isinstance(dataset, str):
        from lal.data.datasets import load_dataset

        dataset = load_dataset(dataset)
    name = f"data set {dataset.name!r}"
    _require(
        bool(dataset.name and dataset.family and dataset.sha256),
        f"{name} lacks name, family or hash",
    )
    y = np.asarray(dataset.y)
    _require(y.ndim == 1 and y.dtype.kind in "iu", f"the labels of {name} must be integer codes")
    _require(len(dataset.X.shape) == 2, f"the rows of {name} must have rows and columns")
    _require(dataset.X.shape[0] == len(y), f"{name} has {dataset.X.shape[0]} rows, {len(y)} labels")
    _require(dataset.n_classes >= 2, f"{name} has fewer than two classes")
    codes = np.array_equal(np.unique(y), np.arange(dataset.n_classes))
    _require(codes, f"the labels of {name} must be the codes 0 to C - 1, each one used")
    _require(len(dataset.class_names) == dataset.n_classes, f"{name} must name every class once")
    _require(len(set(dataset.class_names)) == dataset.n_classes, f"{name} names two classes alike")
    Z = make_geometry(dataset.X).Z
    _require(bool(np.isfinite(Z).all()), f"{name} has rows that cannot be encoded")
