"""Hand-written rules: formulas by hand, the contract over the registry, schedules."""

import numpy as np
import pytest

from lal.data.view import make_geometry
from lal.episode import Episode, run_episode
from lal.errors import UnknownNameError, UsageError
from lal.learners import make_learner
from lal.state import QueryState, Strategy
from lal.strategies.base import STRATEGIES, make_strategy, select
from lal.strategies.committee import consensus_divergence, vote_entropy
from lal.strategies.farthest import distance_to_nearest, exploration_labels
from lal.strategies.typiclust import typicality
from lal.strategies.uncertainty import entropy_utility, least_confident_utility, margin_utility
from lal.task import Part, Task
from lal.task_kind import served_kinds

NEED_A_NETWORK = {"learning_loss", "ta_vaal", "cartography"}
NEED_A_CROWD = {"crowd_expertise", "multilabel_crowd"}
NEED_A_SOURCE = {"mada"}
NEED_PIXELS = {
    "seg_propagation",
    "region_entropy",
    "region_margin",
    "region_bald",
    "region_impurity",
    "region_clusters",
    "viewal",
}
NEED_A_LAST_LAYER = {
    "badge", "drop_query", "fisher_kernel", "probit_bald", "isal", "expected_gradient_length",
    "virtual_adversary",
}  # fmt: skip

PROBA = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])


def get_task(learner="logistic_regression", n_classes=3, n=40, start=6, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    X = rng.normal(size=(n, 3)) + 2.0 * np.eye(3)[y]
    return Task(
        "blobs",
        "blobs",
        make_learner(learner),
        n_classes,
        Part(X[: n // 2 + 10], y[: n // 2 + 10]),
        Part(X[n // 2 + 10 :], y[n // 2 + 10 :]),
        budget=5,
        start=start,
    )


def bare_state(X, labelled, labels, **more):
    fields = {"n_classes": 2, "classes_known": True, "proba": None}
    return QueryState(
        X=X,
        geometry=make_geometry(X),
        labelled=np.array(labelled, dtype=np.int64),
        labels=np.array(labels, dtype=np.int64),
        **(fields | more),
    )


def test_margin_by_hand():
    np.testing.assert_allclose(margin_utility(PROBA), [-0.2, -1.0, 0.0], atol=1e-15)


def test_least_confident_by_hand():
    np.testing.assert_allclose(least_confident_utility(PROBA), [0.5, 0.0, 2 / 3])


def test_entropy_by_hand():
    half = -(0.5 * np.log(0.5) + 0.3 * np.log(0.3) + 0.2 * np.log(0.2))
    np.testing.assert_allclose(entropy_utility(PROBA), [half, 0.0, np.log(3)])


def test_committee_disagreement_by_hand():
    agree = np.array([[[0.7, 0.3]], [[0.7, 0.3]]])
    split = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    np.testing.assert_allclose(consensus_divergence(agree), [0.0], atol=1e-15)
    np.testing.assert_allclose(consensus_divergence(split), [np.log(2)])
    np.testing.assert_allclose(vote_entropy(agree), [0.0])
    np.testing.assert_allclose(vote_entropy(split), [np.log(2)])
    three = np.array([[[0.6, 0.4]], [[0.6, 0.4]], [[0.1, 0.9]]])
    expected = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    np.testing.assert_allclose(vote_entropy(three), [expected])


FOR_CLASSES = [
    name for name in STRATEGIES.names() if "classification" in served_kinds(make_strategy(name))
]


def test_distance_to_nearest_by_hand():
    Z = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    np.testing.assert_allclose(distance_to_nearest(Z, Z[:1]), [0.0, 5.0, 10.0])
    np.testing.assert_allclose(distance_to_nearest(Z, Z[[0, 2]]), [0.0, 5.0, 0.0])
    np.testing.assert_array_equal(distance_to_nearest(Z, Z[:0]), np.zeros(3))


@pytest.mark.parametrize("name", FOR_CLASSES)
@pytest.mark.parametrize("learner", ["logistic_regression", "random_forest"])
def test_contract_of_every_rule(name, learner):
    strategy = make_strategy(name)
    assert isinstance(strategy, Strategy)
    assert type(strategy).__doc__
    episode = Episode(get_task(learner), seed=3)
    state = episode.state()
    known = "mlp" if name in NEED_A_NETWORK else "crowd" if name in NEED_A_CROWD else ""
    known = "segmentation" if name in NEED_PIXELS else known
    known = "with_source" if name in NEED_A_SOURCE else known
    if name in NEED_A_LAST_LAYER and learner != "logistic_regression":
        known = "logistic_regression"
    if known:
        with pytest.raises(UsageError, match=rf"learners that have it: .*'{known}"):
            strategy.utilities(state, np.random.default_rng(0))
        return
    utilities = strategy.utilities(state, np.random.default_rng(0))
    assert utilities.shape == (state.N,)
    assert np.isfinite(utilities).all()
    assert len(np.unique(utilities)) > 2
    again = make_strategy(name).utilities(episode.state(), np.random.default_rng(0))
    np.testing.assert_array_equal(utilities, again)


@pytest.mark.parametrize("name", FOR_CLASSES)
def test_no_label_and_one_class_are_legal(name):
    X = np.random.default_rng(0).normal(size=(12, 2))
    for labelled, labels in ([], []), ([4], [0]):
        state = bare_state(X, labelled, labels, n_classes=len(set(labels)), classes_known=False)
        strategy = make_strategy(name)
        picked = select(
            strategy, state, np.random.default_rng(0), np.random.default_rng(1), batch_size=3
        )
        assert len(set(picked.tolist()) - set(labelled)) == 3


@pytest.mark.parametrize("name", ["margin", "least_confident", "entropy", "query_by_committee"])
def test_without_a_model_ties_break_by_the_tie_stream(name):
    X = np.random.default_rng(0).normal(size=(200, 2))
    state = bare_state(X, [], [])
    rule, rng = make_strategy(name), np.random.default_rng(0)
    first = {int(select(rule, state, rng, np.random.default_rng(s))[0]) for s in range(8)}
    assert len(first) > 4


def test_uncertainty_rules_agree_on_two_classes():
    state = Episode(get_task(n_classes=2), seed=1).state()
    rng = np.random.default_rng(0)
    orders = [
        np.argsort(make_strategy(name).utilities(state, rng))
        for name in ("margin", "least_confident", "entropy")
    ]
    np.testing.assert_array_equal(orders[0], orders[1])
    np.testing.assert_array_equal(orders[0], orders[2])


def test_epsilon_is_the_share_of_random_queries():
    state = Episode(get_task(), seed=1).state()
    margin = make_strategy("margin").utilities(state, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    strategy = make_strategy("epsilon_margin", epsilon=0.25)
    same = [np.array_equal(strategy.utilities(state, rng), margin) for _ in range(400)]
    assert 0.68 < np.mean(same) < 0.82
    always = make_strategy("epsilon_margin", epsilon=0.0)
    np.testing.assert_array_equal(always.utilities(state, rng), margin)


def test_farthest_first_until_k_labels_then_margin():
    strategy = make_strategy("k_farthest_then_margin", k=8)
    rng = np.random.default_rng(0)
    episode = Episode(get_task(start=7), seed=1)
    state = episode.state()
    expected = distance_to_nearest(state.Z, state.Z_labelled)
    np.testing.assert_array_equal(strategy.utilities(state, rng), expected)
    episode.label(int(state.open[0]))
    state = episode.state()
    np.testing.assert_array_equal(
        strategy.utilities(state, rng), make_strategy("margin").utilities(state, rng)
    )


def test_exploration_counts_labels_or_classes():
    assert exploration_labels(7, 3) == 7
    assert exploration_labels("2C", 3) == 6
    assert vars(make_strategy("typiclust_then_margin", k="2C"))["k"] == "2C"


def test_typicality_by_hand():
    Z = np.array([[0.0], [1.0], [3.0], [10.0], [50.0]])
    found = typicality(Z, np.array([0, 0, 0, 1, 2]))
    # mean distances to the two others: (1 + 3)/2, (1 + 2)/2, (3 + 2)/2; alone: 0
    assert found == pytest.approx([1 / 2, 1 / 1.5, 1 / 2.5, 0.0, 0.0])


def test_typiclust_asks_the_middle_of_the_largest_cluster_without_a_label():
    X = np.array([[0.0], [0.1], [10.0], [10.1], [10.15], [10.4], [20.0], [20.1], [20.2]])
    rule = make_strategy("typiclust_then_margin", k=5)
    state = bare_state(X, [0, 6], [0, 1])
    assert np.argmax(rule.utilities(state, np.random.default_rng(0))) in (3, 4)
    proba = np.full((9, 2), 0.5)
    proba[:, 0] = np.linspace(0.5, 0.9, 9)
    proba[:, 1] = 1 - proba[:, 0]
    later = bare_state(X, [0, 2, 6, 7, 8], [0, 1, 1, 1, 1], proba=proba)
    expected = margin_utility(proba)
    assert np.array_equal(rule.utilities(later, np.random.default_rng(0)), expected)


def test_committee_uses_the_trees_of_a_forest_and_refits_other_learners():
    forest = Episode(get_task("random_forest"), seed=1).state()
    members = forest.committee
    assert members is not None
    rule = make_strategy("query_by_committee")
    np.testing.assert_array_equal(
        rule.utilities(forest, np.random.default_rng(0)), consensus_divergence(members)
    )
    linear = Episode(get_task(), seed=1).state()
    one, two = (rule.utilities(linear, np.random.default_rng(s)) for s in (0, 1))
    assert not np.array_equal(one, two), "bootstraps are drawn from the strategy's stream"


def test_committee_without_members_or_learner_is_refused():
    X = np.random.default_rng(0).normal(size=(12, 2))
    state = bare_state(X, [0, 1], [0, 1], proba=np.full((12, 2), 0.5))
    with pytest.raises(UsageError, match="needs a model with members"):
        make_strategy("query_by_committee").utilities(state, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("epsilon_margin", {"epsilon": 2.0}, r"epsilon must lie in \[0, 1\], got 2.0"),
        ("query_by_committee", {"n_members": 1}, "at least 2 members, got 1"),
        ("query_by_committee", {"method": "votes"}, "method must be one of kl, vote_entropy"),
        ("k_farthest_then_margin", {"k": -1}, "k must be at least 0, got -1"),
        ("typiclust_then_margin", {"k": "C"}, "k must be at least 0, got 'C'"),
    ],
)
def test_bad_options_are_refused(name, options, message):
    with pytest.raises(UsageError, match=message):
        make_strategy(name, **options)


def test_unknown_names_get_a_hint():
    with pytest.raises(UnknownNameError, match="did you mean 'margin'"):
        make_strategy("margine")


def test_margin_beats_random_where_the_border_is_narrow():
    """Two far blobs and a narrow border: margin must find it (a give-away task)."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(400, 2))
    y = (X[:, 0] + 0.2 * X[:, 1] > 0.1).astype(np.int64)
    learner = make_learner("logistic_regression", C=100.0)
    task = Task(
        "line", "line", learner, 2, Part(X[:200], y[:200]), Part(X[200:], y[200:]), budget=20
    )
    areas = {
        name: np.mean([run_episode(make_strategy(name), task, seed=s).area() for s in range(4)])
        for name in ("margin", "random")
    }
    assert areas["margin"] > areas["random"] + 0.01


def test_members_that_are_unsure_alike_do_not_disagree():
    """The mean of the members' entropies is taken off, not the largest of them."""
    members = np.array([[[0.5, 0.5]], [[1.0, 0.0]], [[1.0, 0.0]]])
    mean = np.array([2.5, 0.5]) / 3.0
    expected = -(mean * np.log(mean)).sum() - np.log(2.0) / 3.0
    np.testing.assert_allclose(consensus_divergence(members), [expected])
    assert consensus_divergence(np.full((3, 1, 2), 0.5)) == pytest.approx(0.0)
