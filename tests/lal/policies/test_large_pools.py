"""Large pools: parts at a time, screened by name, the same answer in any order and in any host."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lal.data import view
from lal.data.view import make_geometry, smallest
from lal.errors import UnknownNameError
from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES, candidate_matrix
from lal.features.base import context_vector
from lal.policies import pool_policy
from lal.policies.margin import margin_policy
from lal.policies.query import scoring, screening
from lal.policies.query.request import Options, read_request
from lal.policies.query.screening import SCREENS, scored_rows
from lal.strategies.base import select, select_top

N = 900


@pytest.fixture
def large(monkeypatch):
    """Call anything beyond 300 rows large, everywhere."""
    for module, name in (
        (view, "HELD"),
        (screening, "SCREENED"),
        (pool_policy, "SCREENED"),
        (scoring, "CHUNK"),
        (screening, "PART"),
    ):
        monkeypatch.setattr(module, name, 300)
    monkeypatch.setattr("lal.features.geometry.WHOLE", 300)
    monkeypatch.setattr("lal.features.labelled.WHOLE", 300)


def pool(n_classes: int = 3, n: int = N):
    rng = np.random.default_rng(n_classes)
    truth = rng.integers(n_classes, size=n)
    X = rng.normal(size=(n, 5)) + rng.normal(size=(n_classes, 5))[truth]
    y = np.full(n, np.nan)
    y[::60] = truth[::60]
    return X, y


CLF = LogisticRegression(max_iter=500)


def state_of(X, y):
    return read_request(X, y, CLF, Options()).state


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_in_parts_are_the_rows_at_once(dtype, large, tmp_path):
    X = pool()[0].astype(dtype)
    X[3, 2] = np.nan
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    parts = make_geometry(mapped)
    rows = np.array([5, 3, 899, 0])
    some = parts.rows(rows)
    assert "Z" not in parts.view.__dict__  # never encoded as a whole
    whole = view._fit(X)[1]
    np.testing.assert_allclose(some, whole[rows], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(parts.Z[rows], some)
    few = view._View(X)
    few.streamed = False
    np.testing.assert_array_equal(parts.reference, few.reference)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_features_do_not_mind_parts(n_classes, large, monkeypatch):
    X, y = pool(n_classes)
    parts = state_of(X, y)
    rows = np.arange(100, 400)
    ours = candidate_matrix(parts, DEFAULT_CANDIDATE_FEATURES, rows)
    context = context_vector(parts, DEFAULT_CONTEXT_FEATURES)
    monkeypatch.undo()
    whole = state_of(X, y)
    theirs = candidate_matrix(whole, DEFAULT_CANDIDATE_FEATURES, rows)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(context, context_vector(whole, DEFAULT_CONTEXT_FEATURES), atol=1e-6)


def test_the_margin_of_a_large_pool_needs_no_view(large):
    X, y = pool(2)
    clf = LogisticRegression(max_iter=500).fit(X[::60], y[::60])
    request = read_request(X, y, clf, Options(fit_clf=False))
    margin_policy().utilities(request.state)
    assert not {"_encoder", "Z", "reference"} & set(request.state.geometry.view.__dict__)
    picked = margin_policy().query(X, y, clf, fit_clf=False)
    gap = np.abs(clf.predict_proba(X) @ [1.0, -1.0])
    assert picked[0] == request.rows[np.argmin(gap[request.rows])]


def test_a_policy_scores_the_screened_rows_alone(large, make_policy):
    policy = make_policy(screening="half_uncertain")
    X, y = pool()
    state = state_of(X, y)
    utilities = policy.utilities(state)
    kept = scored_rows("half_uncertain", state, state.open, 1)
    assert len(kept) == 300
    exact = policy.score(state, np.arange(N))
    np.testing.assert_allclose(utilities[kept], exact[kept], atol=1e-9)
    left = np.setdiff1d(np.arange(N), kept)
    assert utilities[left].max() == utilities[left].min() < utilities[kept].min()
    gap = -np.diff(np.sort(state.proba, axis=1)[:, -2:], axis=1)[:, 0]
    surest = np.sort(-gap[state.open])[:150]
    assert np.isin(np.flatnonzero(-gap <= surest[-1] - 1e-8), [*kept, *state.labelled]).all()


def test_loop_and_query_agree_in_a_large_pool(large, make_policy):
    policy = make_policy(screening="half_uncertain", selection="greedy_diverse")
    X, y = pool()
    for size in (1, 40):
        request = read_request(X, y, CLF, Options())
        streams = request.streams
        looped = select(policy, request.state, streams["strategy"], streams["ties"], size)
        asked, table = policy.query(X, y, CLF, batch_size=size, return_utilities=True)
        np.testing.assert_array_equal(looped, asked)
        assert len(set(asked.tolist())) == size
        scored = np.flatnonzero(~np.isnan(table[0]))
        np.testing.assert_allclose(table[0, scored], policy.score(request.state, scored), atol=1e-9)


def test_rows_that_are_named_are_scored(large, make_policy):
    """Screening is for those who name no rows; a short list is scored whatever it holds."""
    policy = make_policy(screening="half_uncertain")
    X, y = pool()
    state = state_of(X, y)
    left = np.setdiff1d(state.open, scored_rows("half_uncertain", state, state.open, 1))[:20]
    picked, table = policy.query(X, y, CLF, candidates=left, return_utilities=True)
    assert picked[0] in left
    np.testing.assert_allclose(table[0, left], policy.score(state, left), atol=1e-9)


@pytest.mark.parametrize("screen", ["hashed", "half_uncertain"])
@pytest.mark.parametrize("labelled", [True, False])
def test_screens_follow_content_not_order(screen, labelled, large):
    X, y = pool()
    y = y if labelled else np.full(N, np.nan)
    order = np.random.default_rng(4).permutation(N)
    ours, theirs = state_of(X, y), state_of(X[order], y[order])
    kept = scored_rows(screen, ours, ours.open, 1)
    moved = scored_rows(screen, theirs, theirs.open, 1)
    assert sorted(order[moved].tolist()) == kept.tolist()
    assert len(kept) == 300


def test_a_large_batch_widens_the_screen(large):
    X, y = pool()
    state = state_of(X, y)
    assert len(scored_rows("hashed", state, state.open, 500)) == 500
    assert len(scored_rows("none", state, state.open, 1)) == len(state.open)
    assert SCREENS["none"](state, state.open, 1) is state.open


def test_what_is_screened_by_default(make_policy):
    assert margin_policy().screening == "none"
    assert make_policy().screening == "half_uncertain"
    with pytest.raises(UnknownNameError, match="half_uncertain"):
        make_policy(screening="half_certain")


def test_smallest_takes_the_first_of_equal_keys():
    keys = np.array([5, 1, 1, 0, 1, 9])
    assert smallest(keys, 3).tolist() == [1, 2, 3]
    assert smallest(keys, 6).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [1, 3, 12, 40])
def test_selecting_without_a_full_sort(size):
    rng = np.random.default_rng(size)
    utilities = rng.integers(4, size=60).astype(float)  # many ties
    rows = np.sort(rng.choice(60, 40, replace=False))
    keys = np.random.default_rng(1).random(60)
    expected = rows[np.lexsort((keys[rows], -utilities[rows]))[:size]]
    found = select_top(utilities, rows, np.random.default_rng(1), size)
    np.testing.assert_array_equal(found, expected)


def test_explain_in_a_large_pool(large, make_policy):
    policy = make_policy()
    X, y = pool()
    assert set(policy.explain(X, y, CLF, 7)) == set(policy.candidate_features)


def test_half_of_a_screen_is_uncertain_and_half_a_sample(large):
    """Of rows whose order of margins is known, exactly the first half is of smallest margin."""
    X, y = pool()
    state = state_of(X, y)
    kept = SCREENS["half_uncertain"](state, state.open, 100)
    two = np.sort(state.proba[state.open], axis=1)[:, -2:]
    by_margin = state.open[np.argsort(two[:, 1] - two[:, 0], kind="stable")]
    assert len(kept) == 100
    assert set(by_margin[:50].tolist()) <= set(kept.tolist())
    assert len(set(by_margin[:80].tolist()) & set(kept.tolist())) < 70
