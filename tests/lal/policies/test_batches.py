"""Batches: the greedy rule equals doing it naively, for every policy that looks at distances."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from lal.data.view import make_geometry
from lal.episode import Episode, run_episode
from lal.errors import UnknownNameError, UsageError
from lal.features import FEATURES, candidate_matrix, context_vector
from lal.policies import pool_policy
from lal.policies.kinds import list_policies, load_policy
from lal.policies.query import screening
from lal.policies.query.request import Options, read_request
from lal.state import QueryState
from lal.strategies import selection
from lal.strategies.base import make_strategy, select
from lal.strategies.selection import SELECTIONS, select_top

LEARNERS = {
    "logistic": LogisticRegression(max_iter=300),
    "forest": RandomForestClassifier(10, random_state=0),
    "naive Bayes": GaussianNB(),
    "neighbours": KNeighborsClassifier(3),  # its probabilities tie
}
GREEDY = [n for n in list_policies("pool") if load_policy(n).batch_rule == "greedy"]


def pool(n=150, d=4, n_classes=3, seed=0, copies=30):
    """Return samples with duplicates, all labels, and y with 12 of them."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n)
    X = rng.normal(size=(n, d)) + 2.0 * (truth[:, None] == np.arange(d))
    X[-copies:], truth[-copies:] = X[:copies], truth[:copies]
    y = np.full(n, np.nan)
    rows = rng.choice(n, 12, replace=False)
    y[rows] = truth[rows]
    y[:n_classes] = np.arange(n_classes)
    return X, truth, y


def from_scratch(state: QueryState) -> QueryState:
    """Return the same state without anything that an earlier one kept."""
    return replace(state, geometry=make_geometry(state.X), assumption=None)


def naive(policy, state, rows, size, ties):
    """Return the picks and the utilities before each, every state made from nothing."""
    chosen, tables = [], []
    for _ in range(size):
        utilities = policy.score(from_scratch(state))
        tables.append(utilities)
        row = int(select_top(utilities, rows, ties)[0])
        chosen.append(row)
        rows = rows[rows != row]
        state = state.assume_label(row, int(np.argmax(state.proba[row])))
    return chosen, tables


@pytest.mark.filterwarnings("ignore::lal.policies.pool_policy.PolicyRangeWarning")
@pytest.mark.parametrize("name", GREEDY)
@pytest.mark.parametrize("learner", LEARNERS)
def test_a_batch_is_what_the_naive_greedy_rule_gives(name, learner):
    policy = load_policy(name)
    n_classes = 3 if policy.class_symmetric else 2
    X, _, y = pool(n_classes=n_classes)
    clf = LEARNERS[learner]
    rows, table = policy.query(X, y, clf, batch_size=6, return_utilities=True)
    request = read_request(X, y, clf, Options())
    expected, tables = naive(policy, request.state, request.rows, 6, request.streams["ties"])
    for step, utilities in enumerate(tables):
        shown = ~np.isnan(table[step])
        assert shown.sum() == len(request.rows) - step
        np.testing.assert_allclose(table[step, shown], utilities[shown], atol=1e-9)
    assert rows.tolist() == expected


def test_the_first_pick_is_that_of_a_single_query_and_the_others_look_elsewhere():
    policy = load_policy("default")
    X, _, y = pool(copies=60)
    clf = LEARNERS["logistic"]
    greedy = policy.query(X, y, clf, batch_size=8)
    old = policy.query(X, y, clf, batch_size=8, batch_rule="top")
    assert greedy[0] == old[0] == policy.query(X, y, clf)[0]
    assert greedy.tolist() != old.tolist()
    Z = make_geometry(X).Z
    spread = [
        np.min([np.linalg.norm(Z[i] - Z[j]) for i in b for j in b if i != j]) for b in (greedy, old)
    ]
    assert spread[0] > spread[1]


@pytest.mark.parametrize("labels", [[], [1, 1, 1]])
def test_without_a_model_the_commonest_label_is_assumed(labels):
    X, _, _ = pool()
    y = np.full(len(X), np.nan)
    y[: len(labels)] = labels
    policy = load_policy("default")
    rows = policy.query(X, y, LEARNERS["logistic"], batch_size=5, classes=[0, 1, 2])
    state = read_request(X, y, LEARNERS["logistic"], Options(classes=[0, 1, 2])).state
    assert state.predicted_label(int(rows[0])) == (1 if labels else 0)
    assert len(set(rows.tolist())) == 5
    assert not set(rows.tolist()) & set(range(len(labels)))


def test_candidates_bound_the_batch_in_all_their_forms():
    X, _, y = pool()
    policy, clf = load_policy("default"), LEARNERS["logistic"]
    few = np.flatnonzero(np.isnan(y))[3:60:4]
    by_index = policy.query(X, y, clf, batch_size=4, candidates=few)
    assert set(by_index.tolist()) <= set(few.tolist())
    request = read_request(X, y, clf, Options(candidates=few))
    expected, _ = naive(policy, request.state, request.rows, 4, request.streams["ties"])
    assert by_index.tolist() == expected
    as_samples, table = policy.query(
        X, y, clf, batch_size=4, candidates=X[few], return_utilities=True
    )
    assert few[as_samples].tolist() == expected
    assert table.shape == (4, len(few))


def test_a_labelled_candidate_keeps_its_label():
    X, _, y = pool()
    state = read_request(X, y, LEARNERS["logistic"], Options()).state
    assert state.assume_label(int(state.labelled[2]), 0) is state
    rows = load_policy("default").query(
        X, y, LEARNERS["logistic"], candidates=state.labelled[:5], batch_size=5
    )
    assert sorted(rows.tolist()) == state.labelled[:5].tolist()


def test_large_pools_are_screened_once_and_then_chosen_from_greedily(monkeypatch):
    for module in (screening, pool_policy):
        monkeypatch.setattr(module, "SCREENED", 120)
    X, _, y = pool(n=400)
    policy, clf = load_policy("default"), LEARNERS["logistic"]
    rows, table = policy.query(X, y, clf, batch_size=7, return_utilities=True)
    request = read_request(X, y, clf, Options())
    scored = screening.scored_rows(policy.screening, request.state, request.rows, 70)
    assert len(scored) == 120
    expected, tables = naive(policy, request.state, scored, 7, request.streams["ties"])
    assert rows.tolist() == expected
    left = ~np.isnan(table[6])
    assert left.sum() == 120 - 6
    np.testing.assert_allclose(table[6, left], tables[6][left], atol=1e-9)


def test_a_very_large_batch_goes_on_among_the_best_rows(monkeypatch):
    monkeypatch.setattr(selection, "SCORINGS", 0)
    monkeypatch.setattr(selection, "FEWEST", 40)
    X, _, y = pool()
    policy, clf = load_policy("default"), LEARNERS["logistic"]
    rows, table = policy.query(X, y, clf, batch_size=10, return_utilities=True)
    best = np.argsort(-np.nan_to_num(table[0], nan=-np.inf))[:40]
    assert set(rows.tolist()) <= set(best.tolist())
    assert len(set(rows.tolist())) == 10


def test_half_of_a_large_pool_contends_after_the_first_pick(monkeypatch):
    monkeypatch.setattr(selection, "FEWEST", 20)
    X, _, y = pool()
    policy, clf = load_policy("default"), LEARNERS["logistic"]
    rows, table = policy.query(X, y, clf, batch_size=5, return_utilities=True)
    first = table[0]
    least = np.sort(first[~np.isnan(first)])[-((~np.isnan(first)).sum() // 2)]
    changed = (table[1] != first) & ~np.isnan(table[1])  # of those that can still be picked
    assert changed.any()
    assert (first[changed] >= least).all()
    assert (first[rows] >= least).all()
    monkeypatch.setattr(selection, "CONTENDERS", 1.0)
    everyone = policy.query(X, y, clf, batch_size=5, return_utilities=True)[1]
    assert (first[(everyone[1] != first) & ~np.isnan(everyone[1])] < least).any()


def states(seed=0, n_classes=3, **options):
    X, _, y = pool(seed=seed, n_classes=n_classes)
    given = {"classes": range(n_classes + 1)} | options
    return read_request(X, y, LEARNERS["forest"], Options(**given)).state


@pytest.mark.parametrize(
    "name", [n for n in FEATURES.names() if "classification" in FEATURES[n].kinds]
)
@pytest.mark.parametrize("code", [0, 3])
def test_every_feature_follows_assumed_labels_and_says_what_it_reads(name, code):
    """Class 3 has no label before the second step."""
    feature = FEATURES[name]
    state, rows = states(), np.arange(150)
    first = feature.values(state, rows)
    for row, assumed in ((20, 1), (77, code), (101, 0)):
        state = state.assume_label(row, assumed)
        values = feature.values(state, rows)
        fresh = feature.values(from_scratch(state), rows)
        np.testing.assert_allclose(values, fresh, atol=1e-9)
    if feature.of_labels == "nothing":
        np.testing.assert_array_equal(values, first)
    if feature.of_labels == "counts" and (feature.scope == "context" or name == "scarcity@1"):
        moved = replace(state, labelled=np.sort((state.labelled + 31) % 150), assumption=None)
        np.testing.assert_allclose(feature.values(moved, rows), fresh, atol=1e-9)


def test_which_policies_take_which_rule(make_policy):
    rules = {name: load_policy(name).batch_rule for name in list_policies("pool")}
    assert rules["margin"] == rules["lal-independent"] == rules["lal-iterative"] == "top"
    assert {rules[n] for n in ("default", "lal-rl", "lal-rl-search", "lal-rl-published")} == {
        "greedy"
    }
    assert load_policy("default").selection == "top"  # the file's own word is kept
    assert make_policy(selection="gumbel").batch_rule == "gumbel"
    assert "batch: greedy" in str(load_policy("default").card)


def test_the_loop_and_query_choose_the_same_batches(make_small_task):
    task = make_small_task(1, n_classes=3)
    policy = load_policy("default")
    curve = run_episode(policy, task, seed=4, batch_size=5)
    episode = Episode(task, seed=4)
    y = np.full(len(task.pool), np.nan)
    y[episode.pool.labelled] = episode.pool.labels
    state = episode.state()
    picked = policy.query(task.pool.X, y, proba=state.proba, batch_size=5, random_state=4)
    start = curve.n_start
    assert curve.queried[start : start + 5].tolist() == picked.tolist()
    other = run_episode(policy, task, seed=4, batch_size=5, batch_rule="top")
    assert other.queried.tolist() != curve.queried.tolist()


def test_hand_written_strategies_take_the_rule_by_name():
    state = states()
    strategy = make_strategy("k_farthest_then_margin")
    rng = np.random.default_rng
    top = select(strategy, state, rng(0), rng(1), 6)
    greedy = select(strategy, state, rng(0), rng(1), 6, batch_rule="greedy")
    assert top[0] == greedy[0]
    assert len(set(greedy.tolist())) == 6
    margin = make_strategy("margin")
    assert (
        select(margin, state, rng(0), rng(1), 6, batch_rule="greedy").tolist()[0]
        == select(margin, state, rng(0), rng(1), 6)[0]
    )


def test_rows_that_may_be_asked_and_rules_are_checked():
    state = states()
    rng = np.random.default_rng
    few = state.open[5:25]
    chosen = select(load_policy("default"), state, rng(0), rng(1), 20, rows=few)
    assert sorted(chosen.tolist()) == few.tolist()
    with pytest.raises(UsageError, match="batch_size must be 1 to 20, the rows that may be asked"):
        select(load_policy("default"), state, rng(0), rng(1), 21, rows=few)
    with pytest.raises(UnknownNameError, match=r"unknown batch rule 'greddy'.*greedy"):
        select(load_policy("default"), state, rng(0), rng(1), 2, batch_rule="greddy")
    assert SELECTIONS.names() == ["greedy", "greedy_diverse", "gumbel", "top"]


def test_a_strategy_that_chooses_whole_batches_takes_no_rule():
    class Whole:
        def utilities(self, state, rng):
            return np.zeros(state.N)

        def select_batch(self, state, rng, ties, batch_size):
            return state.open[:batch_size]

    state = states()
    rng = np.random.default_rng
    assert select(Whole(), state, rng(0), rng(1), 3).tolist() == state.open[:3].tolist()
    with pytest.raises(UsageError, match="chooses whole batches itself"):
        select(Whole(), state, rng(0), rng(1), 3, batch_rule="top")
    with pytest.raises(UsageError, match="chooses whole batches itself"):
        select(Whole(), state, rng(0), rng(1), 3, rows=state.open[1:])


def test_an_assumed_state_leaves_the_one_before_it_as_it_was():
    state = states(sample_weight=np.ones(150))
    policy = load_policy("default")
    first = policy.utilities(state)
    after = state.assume_label(50, 2)
    policy.utilities(after)
    np.testing.assert_array_equal(policy.utilities(state), first)
    assert after.labelled.tolist() == sorted([*state.labelled.tolist(), 50])
    assert after.labels[np.searchsorted(after.labelled, 50)] == 2
    assert len(after.sample_weight) == len(after.labelled)
    assert after.proba is state.proba
    np.testing.assert_array_equal(
        context_vector(after, policy.context_features),
        context_vector(from_scratch(after), policy.context_features),
    )
    assert candidate_matrix(after, ()).shape == (150, 0)
