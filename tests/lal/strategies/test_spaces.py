"""Space x selector: brute force on tiny pools, other libraries' picks, known answers."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from lal.checks import check_strategy, sample_state
from lal.data.view import make_geometry
from lal.errors import DataError, UsageError
from lal.state import QueryState
from lal.strategies.base import make_strategy, select
from lal.strategies.core_set import cover
from lal.strategies.drop_query import nearest_to_centres
from lal.strategies.fisher_kernel import out_of_fold_proba
from lal.strategies.geal import Geal, Patterns, quadrants
from lal.strategies.graph_signal import SmoothSignals, laplacian, reconstruct
from lal.strategies.hierarchical import best_pruning, bounds, get_tree, leaf_labels, pool_labels
from lal.strategies.prob_cover import pure_radius
from lal.strategies.spaces import Nearest, SquaredDistance


def streams() -> tuple[np.random.Generator, np.random.Generator]:
    return np.random.default_rng(0), np.random.default_rng(1)


def bare_state(X, labelled=(), labels=()) -> QueryState:
    return QueryState(
        X=X,
        geometry=make_geometry(X),
        labelled=np.array(labelled, dtype=np.int64),
        labels=np.array(labels, dtype=np.int64),
        n_classes=len(set(labels)),
        classes_known=False,
        proba=None,
    )


def points(n, d=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def radius(X, centres):
    distance = np.linalg.norm(X[:, None] - X[list(centres)], axis=2)
    return distance.min(axis=1).max()


def test_nearest_keeps_the_distances_up_to_date():
    X = points(30, 4)
    kept = Nearest(X, np.array([3, 7]))
    kept.take(11)
    expected = (np.linalg.norm(X[:, None] - X[[3, 7, 11]], axis=2) ** 2).min(axis=1)
    np.testing.assert_allclose(kept.squares, expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_greedy_core_set_is_within_twice_the_best(seed):
    state = bare_state(points(11, 2, seed), [4], [0])
    picked = select(make_strategy("core_set"), state, *streams(), 3)
    best = min(radius(state.Z, (4, *three)) for three in combinations(state.open.tolist(), 3))
    assert radius(state.Z, (4, *picked)) <= 2 * best + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_robust_core_set_without_outliers_is_the_best(seed):
    state = bare_state(points(11, 2, seed), [4], [0])
    picked = select(make_strategy("core_set_robust", outliers=0.0), state, *streams(), 3)
    best = min(radius(state.Z, (4, *three)) for three in combinations(state.open.tolist(), 3))
    assert radius(state.Z, (4, *picked)) == pytest.approx(best)


def test_robust_core_set_leaves_an_outlier_alone():
    X = np.r_[points(20), [[40.0, 40.0]]]
    distance = np.linalg.norm(X[:, None] - X, axis=2)
    known, greedy = np.arange(21) == 0, np.isin(np.arange(21), [7, 20])
    covered = cover(distance, known, greedy, 0.05)
    best = min(
        np.sort(distance[:, [0, *pair]].min(axis=1))[-2] for pair in combinations(range(1, 21), 2)
    )
    assert np.sort(distance[:, covered].min(axis=1))[-2] == pytest.approx(best)
    assert not covered[20]
    assert cover(distance, known, greedy, 0.0)[20]


def test_core_set_picks_what_scikit_activeml_picks():
    skactiveml = pytest.importorskip("skactiveml.pool")
    state = sample_state(3, 12)
    y = np.full(state.N, np.nan)
    y[state.labelled] = state.labels
    theirs = skactiveml.CoreSet(random_state=0).query(state.Z, y, batch_size=8)
    ours = select(make_strategy("core_set"), state, *streams(), 8)
    assert ours.tolist() == list(theirs)


def test_badge_draws_with_the_probabilities_of_scikit_activeml_but_for_the_origin():
    """scikit-activeml 1.0 counts the origin as a centre, which the paper and its code do not."""
    pytest.importorskip("skactiveml.pool")
    state, theirs = sample_state(3, 12), make_strategy("skactiveml:Badge")
    ours: Any = make_strategy("badge")
    selector = ours.begin(state, np.random.default_rng(0), 4)
    chosen, table = theirs._ask(state, np.random.default_rng(0), 4)  # type: ignore[attr-defined]
    assert chosen[0] == state.open[selector.utilities()[state.open].argmax()]
    for step in range(1, 4):
        selector.take(int(chosen[step - 1]))
        squares = np.minimum(selector.squares, selector.norms)[state.open]
        share = squares / squares.sum()
        expected = np.nan_to_num(table[step][state.open])  # nan where chosen already
        np.testing.assert_allclose(share, expected, atol=1e-9)


def test_gradients_are_no_longer_than_those_of_any_label():
    state = sample_state(3, 12)
    model: Any = state.model
    proba, lengths = model.predict_proba(state.X), np.linalg.norm(state.X, axis=1)
    found = np.linalg.norm(model.gradient_embedding(state.X), axis=1)
    by_label = [np.linalg.norm(proba - np.eye(3)[c], axis=1) * lengths for c in range(3)]
    np.testing.assert_allclose(found, np.min(by_label, axis=0))


def test_draws_follow_the_squared_distances():
    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(4000):
        selector = SquaredDistance(X, np.array([0]), rng)
        drawn.append(int(selector.utilities().argmax()))
    share = np.bincount(drawn, minlength=4) / 4000
    np.testing.assert_allclose(share, np.array([0, 1, 4, 9]) / 14, atol=0.025)


def test_strategies_that_need_a_last_layer_refuse_a_forest():
    state = sample_state(learner="random_forest")
    for name in ("badge", "drop_query", "fisher_kernel"):
        with pytest.raises(UsageError, match=r"needs a learner with .*random_forest does not have"):
            make_strategy(name).utilities(state, np.random.default_rng(0))


def test_the_purest_radius_by_hand():
    X = np.array([0.0, 1.0, 2.0, 5.0, 6.0])
    distance = np.abs(X[:, None] - X)
    clusters = np.array([0, 0, 0, 1, 1])
    assert pure_radius(distance, clusters, 0.5) == 4.0  # distances to the other cluster: 5 4 3 3 4
    assert pure_radius(distance, np.zeros(5, dtype=int), 0.5) == 0.0


def test_prob_cover_begins_where_most_rows_are():
    X = np.r_[0.2 * points(40), 0.2 * points(12, seed=1) + 8.0]
    state = bare_state(X)
    picked = select(make_strategy("prob_cover", purity=0.9), state, *streams(), 2)
    assert picked[0] < 40
    assert picked[1] >= 40


def test_typiclust_takes_one_row_of_every_cluster():
    X = np.concatenate([0.1 * points(15, seed=s) + 5.0 * np.eye(2)[s % 2] * s for s in range(4)])
    state = bare_state(X, [0], [0])
    picked = select(make_strategy("typiclust"), state, *streams(), 3)
    assert sorted((picked // 15).tolist()) == [1, 2, 3]


def test_drop_query_takes_one_row_of_every_cluster_of_candidates():
    X = np.concatenate([0.1 * points(15, seed=s) + 5.0 * s for s in range(3)])
    rows, distance = nearest_to_centres(X, 3, np.random.default_rng(0))
    assert sorted((rows // 15).tolist()) == [0, 1, 2]
    assert (distance < 0.3).all()


def test_drop_query_asks_only_where_the_label_changes():
    state = sample_state(3, 12)
    strategy = make_strategy("drop_query", n_masks=15)
    utilities = strategy.utilities(state, np.random.default_rng(0))
    assert utilities.max() > 2.0  # the row nearest to the centre of the candidates
    share = np.where(utilities > 1.0, 1.0, utilities)
    proba: Any = state.proba
    margin = np.sort(proba, axis=1)[:, -1] - np.sort(proba, axis=1)[:, -2]
    assert margin[share > 0.5].mean() < margin[share == 0].mean()


def test_fisher_kernel_predicts_each_labelled_row_without_it():
    state = sample_state(3, 12)
    true = out_of_fold_proba(state, np.random.default_rng(0))
    model: Any = state.model
    fitted = model.predict_proba(state.X[state.labelled])[np.arange(12), state.labels]
    assert true.mean() < fitted.mean()
    assert true.shape == (12,)


def test_quadrants_of_a_drawing():
    X = np.arange(16.0)[None]
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    np.testing.assert_array_equal(quadrants(X)[0], expected)
    with pytest.raises(DataError, match="rows of 15 columns are no square drawings"):
        quadrants(X[:, 1:])


def test_geal_with_one_pattern_is_k_means_seeding_and_looks_at_no_label():
    X = points(20, 3)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    ours, plain = (np.random.default_rng(5) for _ in range(2))
    selector, reference = Patterns(X[:, None], ours), SquaredDistance(unit, np.array([2]), plain)
    selector.take(2)
    np.testing.assert_allclose(selector.utilities(), reference.utilities(), atol=1e-9)
    state, other = bare_state(X, [2, 3], [0, 1]), bare_state(X, [2, 3], [1, 0])
    pair = [Geal().utilities(s, np.random.default_rng(0)) for s in (state, other)]
    np.testing.assert_array_equal(pair[0], pair[1])
    drawings = bare_state(np.random.default_rng(0).random((30, 16)), [1], [0])
    check = select(make_strategy("geal", quadrants=True), drawings, *streams(), 5)
    assert len(set(check.tolist())) == 5


def blobs(n_blobs=10, each=30):
    rng = np.random.default_rng(3)
    centres = 12.0 * rng.normal(size=(n_blobs, 5))
    y = np.repeat(np.arange(n_blobs), each)
    return centres[y] + 0.3 * rng.normal(size=(len(y), 5)), y


def test_hierarchical_sampling_labels_ten_pure_blobs_with_sixty_queries():
    X, y = blobs()
    rng, ties = streams()
    labelled: list[int] = []
    state = bare_state(X)
    for _ in range(60):
        row = int(select(make_strategy("hierarchical_sampling"), state, rng, ties)[0])
        labelled = sorted([*labelled, row])
        state = replace(bare_state(X, labelled, y[labelled].tolist()), n_classes=10)
    rows, labels = pool_labels(state)
    assert (labels == y[rows]).mean() >= 0.95
    tree = get_tree(state.geometry)
    counts = tree.counts(leaf_labels(state), 10)
    n = len(tree.leaves)
    for place, pair in enumerate(tree.children):
        np.testing.assert_array_equal(counts[n + place], counts[pair].sum(axis=0))
    low, high = bounds(counts)
    assert ((low >= 0) & (low <= high) & (high <= 1)).all()
    assert len(best_pruning(tree, counts)[0]) >= 10


def test_the_cut_off_of_greedy_nodes_is_above_that_of_random_ones():
    X = points(80, 3)
    state = bare_state(X)
    picked = select(make_strategy("graph_signal"), state, *streams(), 10)
    powered = np.linalg.matrix_power(laplacian(state.Z), 4)

    def cut_off(rows):
        signals = SmoothSignals(np.arange(80), powered, state)
        for row in rows:
            signals.take(int(row))
        return signals.smallest()[0] ** 0.25

    rng = np.random.default_rng(0)
    others = [cut_off(rng.choice(80, 10, replace=False)) for _ in range(50)]
    assert cut_off(picked) > max(others)


@pytest.mark.parametrize("name", ["core_set", "core_set_robust", "geal", "prob_cover"])
def test_other_spaces_keep_the_contract(name):
    check_strategy(make_strategy(name, space="embedding"))


def test_a_smooth_signal_is_given_back_from_a_few_values():
    X = np.random.default_rng(0).normal(size=(40, 2))
    waves = np.linalg.eigh(laplacian(X))[1]
    known = np.arange(0, 40, 2)
    signal = waves[:, :2] @ np.array([[1.0, 0.0], [2.0, 3.0]])
    np.testing.assert_allclose(reconstruct(X, known, signal[known]), signal, atol=1e-8)
    every = np.arange(40)
    noise = np.random.default_rng(1).normal(size=(40, 1))
    np.testing.assert_allclose(reconstruct(X, every, noise), noise, atol=1e-8)
    with pytest.raises(UsageError, match="cannot be reconstructed from no values"):
        reconstruct(X, every[:0], noise[:0])
