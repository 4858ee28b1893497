"""Check a feature: shape, bounds, row order, class names, slates, undefined values."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lal.checks.states import (
    CLOSE,
    REGRESSION_STATES,
    STATES,
    globals_untouched,
    renamed,
    require,
    sample_regression_state,
    sample_state,
    shuffled,
)
from lal.features import FEATURES, Feature
from lal.state import QueryState
from lal.task_kind import CLASSIFICATION, REGRESSION, TaskKind


def check_feature(feature: Feature | str) -> None:
    """Check a feature: shape, bounds, order of rows, names of classes, slates, undefined values.

    Args:
        feature: A feature, or an id of the registry.

    Raises:
        CheckError: The first sentence of the contract that is broken.
    """
    feature = FEATURES[feature] if isinstance(feature, str) else feature
    name = feature.id
    require("@" in name, f"{name} has no version; ids look like margin@1")
    for title, state in _states(feature.kinds):
        _check_values(feature, state, f"{name} ({title})")
        _check_feature_order(feature, state, f"{name} ({title})")
    if feature.class_symmetric and CLASSIFICATION in feature.kinds:
        _check_feature_names(feature, sample_state(), name)


def _states(kinds: tuple[TaskKind, ...]) -> Iterator[tuple[str, QueryState]]:
    if CLASSIFICATION in kinds:
        for learner in ("logistic_regression", "random_forest"):
            for title, (n_classes, n_labelled) in STATES.items():
                yield title, sample_state(n_classes, n_labelled, learner)
    if REGRESSION in kinds:
        for learner in ("ridge", "gp", "random_forest"):
            for title, n_labelled in REGRESSION_STATES.items():
                yield title, sample_regression_state(n_labelled, learner)


def _check_values(feature: Feature, state: QueryState, name: str) -> None:
    rows = np.arange(state.N)
    wanted = (state.N, feature.dim) if feature.scope == "candidate" else (feature.dim,)
    if all(getattr(state, need) is not None for need in feature.needs):
        raw = np.asarray(feature.compute(state, rows), dtype=np.float64)
        fits = raw.size == int(np.prod(wanted))
        require(fits, f"{name} computes shape {raw.shape}, expected {wanted}")
        require(bool(np.isfinite(raw).all()), f"{name} is not finite")
    with globals_untouched(name):
        values = feature.values(state, rows)
    inside = feature.low - CLOSE <= values.min() and values.max() <= feature.high + CLOSE
    require(bool(inside), f"{name} leaves its bounds {feature.low} to {feature.high}")
    if feature.scope == "candidate":
        slate = rows[::4][::-1].copy()
        alone = feature.values(replace(state), slate)
        same = np.allclose(alone, values[slate], atol=CLOSE)
        require(same, f"{name} depends on which rows are asked about")


def _check_feature_order(feature: Feature, state: QueryState, name: str) -> None:
    other, order = shuffled(state)
    rows = np.arange(state.N)
    ours, theirs = feature.values(state, rows), feature.values(other, rows)
    ours = ours[order] if feature.scope == "candidate" else ours
    require(np.allclose(ours, theirs, atol=CLOSE), f"{name} depends on the order of rows")


def _check_feature_names(feature: Feature, state: QueryState, name: str) -> None:
    other = renamed(state)
    rows = np.arange(state.N)
    same = np.allclose(feature.values(state, rows), feature.values(other, rows), atol=CLOSE)
    require(same, f"{name} depends on the names of classes; say class_symmetric=False")
