"""Properties of every registered feature, in every kind of state."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lal.errors import UnknownNameError, UsageError
from lal.features import (
    DEFAULT_CANDIDATE_FEATURES,
    DEFAULT_CONTEXT_FEATURES,
    FEATURES,
    candidate_matrix,
    context_vector,
)
from lal.features.base import check_scopes

CLASSES = [n for n in FEATURES if "classification" in FEATURES[n].kinds]
CANDIDATE = [n for n in CLASSES if FEATURES[n].scope == "candidate"]
CONTEXT = [n for n in CLASSES if FEATURES[n].scope == "context"]
CLIPPED = (
    "margin_z@1", "cosine_open_z@1", "cosine_labelled_z@1", "log_odds_z@1", "angle_z@1",
    "cosine_nearest_z@1", "cosine_classes_z@1",
)  # fmt: skip
GOLDEN = Path(__file__).parent / "golden.json"


def test_values_are_finite_and_bounded(case):
    state = case.state()
    for name in CANDIDATE:
        values = FEATURES[name].values(state, np.arange(state.N))
        assert values.shape == (state.N, FEATURES[name].dim)
        assert np.isfinite(values).all(), name
        assert values.min() >= FEATURES[name].low, name
        assert values.max() <= FEATURES[name].high, name
    for name in CONTEXT:
        values = FEATURES[name].values(state, np.zeros(0, dtype=np.int64))
        assert np.isfinite(values).all(), name
        assert FEATURES[name].low <= values.min() <= values.max() <= FEATURES[name].high, name


def test_bounds_are_not_reached_by_clipping(case):
    """Only z-scores are clipped; elsewhere the formula itself stays inside its bounds."""
    state = case.state()
    for name in [*CANDIDATE, *CONTEXT]:
        feature = FEATURES[name]
        if name in CLIPPED or any(getattr(state, need) is None for need in feature.needs):
            continue
        raw = np.asarray(feature.compute(state, np.arange(state.N)))
        assert raw.min() >= feature.low - 1e-9, name
        assert raw.max() <= feature.high + 1e-9, name


def test_row_order_does_not_matter(case):
    state = case.state()
    order = np.argsort(np.sin(np.arange(state.N) * 3.7))
    position = np.empty_like(order)
    position[order] = np.arange(state.N)
    moved = position[case.labelled]
    by_row = np.argsort(moved)
    other = replace(
        case, X=case.X[order], labelled=moved[by_row], labels=case.labels[by_row]
    ).state()
    for name in CANDIDATE:
        ours, theirs = (candidate_matrix(s, [name]) for s in (state, other))
        np.testing.assert_allclose(theirs, ours[order], atol=1e-6, err_msg=name)
    for name in CONTEXT:
        ours, theirs = (context_vector(s, [name]) for s in (state, other))
        np.testing.assert_allclose(theirs, ours, atol=1e-6, err_msg=name)


def test_class_names_do_not_matter(case):
    state = case.state()
    if state.proba is None or case.n_classes < 2:
        pytest.skip("nothing to rename: no probabilities in this state")
    new = np.roll(np.arange(case.n_classes), 1)[::-1]  # class c becomes new[c]
    members, pixels = state.committee, state.pixel_proba

    class Renamed(type(state.model)):  # type: ignore[misc]
        def committee_proba(self, X):
            return members[:, :, np.argsort(new)]

        def pixel_proba(self, X):
            return pixels[:, :, np.argsort(new)]

    renamed = case.state(
        labels=new[case.labels],
        proba=state.proba[:, np.argsort(new)],
        model=Renamed(case.n_classes),
    )
    for name in [*CANDIDATE, *CONTEXT]:
        if FEATURES[name].class_symmetric:
            read = candidate_matrix if FEATURES[name].scope == "candidate" else context_vector
            np.testing.assert_allclose(
                read(renamed, [name]), read(state, [name]), atol=1e-9, err_msg=name
            )


def test_tied_predictions_do_not_depend_on_class_names(cases):
    case = cases["five classes"]
    proba = np.full((len(case.X), 5), 0.1)
    proba[:, [1, 3]] = 0.35
    new = np.array([4, 3, 2, 1, 0])
    state = case.state(proba=proba)
    renamed = case.state(proba=proba[:, np.argsort(new)], labels=new[case.labels])
    ids = [n for n in CANDIDATE if n not in ("committee_spread@1", "variance@1")]
    ids = [n for n in ids if FEATURES[n].class_symmetric]
    np.testing.assert_allclose(candidate_matrix(renamed, ids), candidate_matrix(state, ids))


def test_a_slate_sees_what_the_pool_sees(case):
    state, other = case.state(), case.state()
    slate = np.arange(state.N)[::3][::-1].copy()
    for name in CANDIDATE:
        whole = candidate_matrix(state, [name])
        np.testing.assert_allclose(
            candidate_matrix(other, [name], slate), whole[slate], atol=1e-9, err_msg=name
        )


def test_scale_of_columns_does_not_matter(cases):
    case = cases["five classes"]
    factors = 10.0 ** np.arange(-3, 3)
    state = case.state()
    other = case.state(geometry=replace(case, X=case.X * factors + 7.0).state().geometry)
    for name in CANDIDATE:
        ours, theirs = (candidate_matrix(s, [name]) for s in (state, other))
        np.testing.assert_allclose(theirs, ours, atol=1e-6, err_msg=name)


def test_further_candidates_change_nothing(cases):
    case = cases["five classes"]
    state = case.state()
    more = case.X[:7] + 0.3
    X = np.concatenate([case.X, more])
    longer = case.state(
        X=X,
        geometry=state.geometry.extended(more),
        proba=state.model.predict_proba(X),
    )
    np.testing.assert_allclose(
        candidate_matrix(longer, CANDIDATE)[: state.N], candidate_matrix(state, CANDIDATE)
    )
    np.testing.assert_allclose(context_vector(longer, CONTEXT), context_vector(state, CONTEXT))


def test_undefined_values_without_a_model(cases):
    state = cases["one class"].state()
    for name in CANDIDATE:
        if FEATURES[name].needs:
            assert (candidate_matrix(state, [name]) == FEATURES[name].undefined).all(), name


def golden_values(cases):
    table = {}
    for title in ("binary", "five classes", "thirty classes"):
        state = cases[title].state()
        for name in CANDIDATE:
            table[f"{title}: {name}"] = candidate_matrix(state, [name], np.arange(5))[:, 0].tolist()
        for name in CONTEXT:
            table[f"{title}: {name}"] = context_vector(state, [name]).tolist()
    return table


def test_golden_values(cases):
    """A changed meaning takes a new version; these numbers are never edited."""
    frozen = json.loads(GOLDEN.read_text())
    now = golden_values(cases)
    assert set(now) == set(frozen)
    for name, values in frozen.items():
        np.testing.assert_allclose(now[name], values, atol=1e-6, err_msg=name)


def test_defaults_are_registered_and_need_no_special_learner():
    check_scopes(DEFAULT_CANDIDATE_FEATURES, "candidate")
    check_scopes(DEFAULT_CONTEXT_FEATURES, "context")
    for name in (*DEFAULT_CANDIDATE_FEATURES, *DEFAULT_CONTEXT_FEATURES):
        assert set(FEATURES[name].needs) <= {"proba"}


def test_every_feature_says_what_it_is():
    for name in FEATURES:
        assert FEATURES[name].compute.__doc__, name
        assert "@" in name, name


def test_names_are_checked():
    with pytest.raises(UnknownNameError, match="did you mean 'margin@1'"):
        check_scopes(["margin@2"], "candidate")
    with pytest.raises(UsageError, match="'margin@1' is a candidate feature, not context"):
        check_scopes(["margin@1"], "context")
