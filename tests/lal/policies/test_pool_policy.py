"""PoolPolicy as a strategy: pure, the same in the loop and in query, lossless for margin."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lal.data.view import make_geometry
from lal.episode import Episode, run_episode
from lal.errors import PolicyFileError, UnknownNameError, UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES
from lal.policies.kinds import load_policy
from lal.policies.margin import margin_policy
from lal.policies.pool_policy import PolicyRangeWarning
from lal.state import QueryState, Strategy
from lal.strategies.base import make_strategy

LEARNERS = {
    "logistic": LogisticRegression(max_iter=500),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "forest, fixed seed": RandomForestClassifier(15, random_state=3),
    "forest, our seed": RandomForestClassifier(15),
    "naive Bayes": GaussianNB(),
}


@pytest.mark.parametrize("seed", range(20))
def test_margin_as_a_policy_picks_what_margin_picks(seed, make_small_task):
    task = make_small_task(seed, n_classes=2 + seed % 3)
    ours = run_episode(load_policy("margin"), task, seed=seed)
    theirs = run_episode(make_strategy("margin"), task, seed=seed)
    np.testing.assert_array_equal(ours.queried, theirs.queried)


@pytest.mark.parametrize("learner", list(LEARNERS))
@pytest.mark.parametrize("n_classes", [2, 4])
def test_loop_and_query_give_equal_utilities(learner, n_classes, policy, make_small_task):
    """Classes are unknown to both; also for the default learner seed and class subsets."""
    task = make_small_task(n_classes, LEARNERS[learner], n_classes)
    episode = Episode(task, seed=11)
    for step in range(3):
        if step:
            episode.label(int(episode.pool.open[5 * step]))
        in_loop = policy.utilities(episode.state())
        y = np.full(len(task.pool), np.nan)
        y[episode.pool.labelled] = episode.pool.labels
        _, table = policy.query(
            task.pool.X, y, LEARNERS[learner], random_state=11, return_utilities=True
        )
        still_open = episode.pool.open
        np.testing.assert_allclose(table[0, still_open], in_loop[still_open], atol=1e-9)
        assert np.isnan(table[0, episode.pool.labelled]).all()


def test_known_classes_and_budget_agree_too(policy, make_small_task):
    task = make_small_task(1, n_classes=4, classes_known=True, budget_known=True)
    episode = Episode(task, seed=2)
    y = np.full(len(task.pool), np.nan)
    y[episode.pool.labelled] = episode.pool.labels
    learner = LogisticRegression(C=1.0, max_iter=1000, tol=1e-6)
    _, table = policy.query(
        task.pool.X,
        y,
        learner,
        classes=range(4),
        budget=episode.budget_total,
        return_utilities=True,
    )
    rows = episode.pool.open
    np.testing.assert_allclose(table[0, rows], policy.utilities(episode.state())[rows], atol=1e-9)


def global_state():
    state: Any = np.random.get_state()  # noqa: NPY002  (the legacy generator is what is watched)
    return state[1].tolist()


def test_it_is_a_pure_strategy(policy, make_small_task):
    state = Episode(make_small_task(0), seed=0).state()
    before = global_state()
    first = policy.utilities(state)
    np.testing.assert_array_equal(policy.utilities(state, np.random.default_rng(1)), first)
    again = pickle.loads(pickle.dumps(policy)).utilities(state)
    np.testing.assert_array_equal(again, first)
    assert global_state() == before
    assert isinstance(policy, Strategy)


def test_utilities_in_chunks_are_the_same(policy, make_small_task, monkeypatch):
    task = make_small_task(0)
    whole = policy.utilities(Episode(task, seed=0).state())
    monkeypatch.setattr("lal.policies.query.scoring.CHUNK", 17)
    np.testing.assert_allclose(policy.utilities(Episode(task, seed=0).state()), whole, atol=1e-9)


def test_invariance_to_class_names_row_order_and_column_scale(policy, make_small_task):
    task = make_small_task(3, n_classes=3)
    X, hidden = task.pool.X, task.pool.y
    clf = make_pipeline(StandardScaler(), GaussianNB())
    y = np.full(len(X), np.nan)
    y[:12] = hidden[:12]
    pick = policy.query(X, y, clf)[0]
    names = np.array(["zebra", "ant", "cow"], dtype=object)
    text = np.array([None if np.isnan(v) else names[int(v)] for v in y], dtype=object)
    assert policy.query(X, text, clf)[0] == pick
    order = np.argsort(np.sin(np.arange(len(X)) * 2.1))
    assert order[policy.query(X[order], y[order], clf)[0]] == pick
    assert policy.query(X * 10.0 ** np.arange(-2, 4) - 3.0, y, clf)[0] == pick


def test_attention_over_the_reference_set(make_policy, make_small_task):
    """A scorer may look at the reference set; the candidates asked about change nothing."""
    eye = np.eye(len(DEFAULT_CANDIDATE_FEATURES))
    ops = [
        {"op": "masked_mean", "in": ["reference"], "out": ["m"]},
        {"op": "affine", "in": ["m"], "out": ["minus"], "weight": "minus"},
        {"op": "add", "in": ["candidates", "minus"], "out": ["d"]},
        {"op": "attention", "in": ["d", "reference", "reference"], "out": ["a"]},
        {"op": "select", "in": ["a"], "out": ["u"], "columns": [3]},
    ]
    policy = make_policy(program={"ops": ops, "output": "u"}, tensors={"minus": -eye})
    task = make_small_task(0)
    y = np.full(len(task.pool), np.nan)
    y[:9] = task.pool.y[:9]
    _, some = policy.query(
        task.pool.X, y, GaussianNB(), candidates=np.array([30, 20]), return_utilities=True
    )
    _, everything = policy.query(task.pool.X, y, GaussianNB(), return_utilities=True)
    assert some[0, 30] == everything[0, 30]
    assert np.isfinite(some).sum() == 2


def test_pooling_over_candidates_is_refused(make_policy):
    ops = [
        {"op": "masked_mean", "in": ["candidates"], "out": ["m"]},
        {"op": "select", "in": ["m"], "out": ["u"], "columns": [0]},
    ]
    with pytest.raises(PolicyFileError, match="pool over 'reference' instead"):
        make_policy(program={"ops": ops, "output": "u"}, tensors={})


def test_specification_is_checked(make_policy):
    with pytest.raises(UnknownNameError, match="unknown feature 'margin@9'; did you mean"):
        make_policy(candidate_features=("margin@9",))
    with pytest.raises(UsageError, match="'n_labelled@1' is a context feature"):
        make_policy(candidate_features=("n_labelled@1",))
    with pytest.raises(UnknownNameError, match="unknown batch rule 'best'"):
        make_policy(selection="best")
    with pytest.raises(PolicyFileError, match="expected \\(12, 40\\)"):
        make_policy(context_features=("n_labelled@1",) * 15)


def test_explain_of_margin_is_the_margin_itself(make_small_task):
    task = make_small_task(4)
    y = np.full(len(task.pool), np.nan)
    y[:15] = task.pool.y[:15]
    clf = GaussianNB().fit(task.pool.X[:15], task.pool.y[:15])
    proba = clf.predict_proba(task.pool.X)
    margins = np.abs(proba[:, 0] - proba[:, 1])
    change = margin_policy().explain(task.pool.X, y, GaussianNB(), 50)
    assert change == {"margin@1": pytest.approx(margins[50] - np.median(margins))}
    with pytest.raises(UsageError, match="index must be 0 to 119, got 500"):
        margin_policy().explain(task.pool.X, y, GaussianNB(), 500)


def test_outside_its_range_it_warns_once(make_policy, make_small_task):
    policy = make_policy(card={"ranges": {"n_columns": [2, 4], "n_pool": [10, 1000]}})
    task = make_small_task(0)
    y = np.full(len(task.pool), np.nan)
    with pytest.warns(PolicyRangeWarning, match="trained with n_columns from 2 to 4; here it is 6"):
        policy.query(task.pool.X, y)
    policy.query(task.pool.X, y)  # warnings are errors: a second one would fail here


def test_more_than_the_reference_set_of_rows(policy):
    X = np.sin(np.outer(np.arange(1, 3001), [0.7, 1.3, 2.9]))
    y = np.full(3000, np.nan)
    y[:30] = X[:30, 0] > 0
    picked = policy.query(X, y, GaussianNB(), batch_size=5)
    assert len(set(picked.tolist())) == 5
    assert picked.min() >= 30


def test_thirty_classes(policy):
    X = np.sin(np.outer(np.arange(1, 401), np.arange(1, 6)))
    y = np.full(400, np.nan)
    y[:90] = np.arange(90) % 30
    assert 90 <= policy.query(X, y, GaussianNB())[0] < 400


def test_a_state_without_model_is_scored_by_the_other_features(policy):
    X = np.sin(np.outer(np.arange(1, 51), np.arange(1, 4)))
    none = np.zeros(0, dtype=np.int64)
    state = QueryState(X, make_geometry(X), none, none, 0, False, None)
    assert len(np.unique(policy.utilities(state))) > 10
    assert len(np.unique(margin_policy().utilities(state))) == 1
