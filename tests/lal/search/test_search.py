"""Active search: models by hand, rules against their optimum, problems."""

import numpy as np
import pytest

from lal.errors import DataError, UnknownNameError, UsageError
from lal.search.models import NeighbourModel, ising_model
from lal.search.problems import ClusteredSearch, SmallGraph, nearest
from lal.search.strategies import (
    SEARCH_STRATEGIES,
    expected_best,
    greedy,
    optimal_value,
    pruned_two_step,
    rule_value,
    two_step,
    two_step_scores,
)

PATH = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)


def graph(seed, n=8):
    edges = np.triu(np.random.default_rng(seed).random((n, n)) < 0.4, 1)
    return ising_model(edges | edges.T, coupling=1.5, field=-0.2)


def test_neighbour_model_by_hand():
    model = NeighbourModel(PATH, prior=0.2)
    np.testing.assert_allclose(model.probabilities(np.array([1, -1, -1])), [0.2, 0.6, 0.2])
    np.testing.assert_allclose(model.probabilities(np.array([1, -1, 0])), [0.2, 0.4, 0.2])


def test_expected_best_in_one_piece_is_that_of_the_loop():
    problem = ClusteredSearch(n=25)(np.random.default_rng(0))
    labels = problem.known
    p = problem.model.probabilities(labels)
    assert isinstance(problem.model, NeighbourModel)
    whole = problem.model.expected_best(labels)
    for row in np.flatnonzero(labels < 0).tolist():
        assert whole[row] == pytest.approx(expected_best(problem.model, labels, row, p[row]))


def test_no_probability_after_a_label_exceeds_its_bound():
    problem = ClusteredSearch(n=25)(np.random.default_rng(1))
    labels = problem.known
    bounds = problem.model.best_after(labels)
    for row in np.flatnonzero(labels < 0):
        for y in (0, 1):
            later = labels.copy()
            later[row] = y
            after = problem.model.probabilities(later)[later < 0].max()
            assert after <= bounds[y] + 1e-12


def test_ising_posterior_by_hand():
    """Two coupled rows, no field: the second agrees with the first in e : 1/e."""
    model = ising_model(np.array([[0, 1], [1, 0]], dtype=bool), coupling=2.0, field=0.0)
    expected = np.exp(1.0) / (np.exp(1.0) + np.exp(-1.0))
    assert model.probabilities(np.array([1, -1]))[1] == pytest.approx(expected)
    assert model.probabilities(np.array([-1, -1])) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("seed", range(3))
def test_rules_are_the_optima_of_their_horizons(seed):
    model, nothing = graph(seed), np.full(8, -1)
    for left, rule in ((1, greedy), (2, two_step)):
        assert rule_value(model, nothing, left, rule) == pytest.approx(
            optimal_value(model, nothing, left)
        )
    values = [rule_value(model, nothing, 4, rule) for rule in (two_step, greedy)]
    assert optimal_value(model, nothing, 4) >= max(values) - 1e-9
    random = 4 * model.probabilities(nothing).mean()
    assert min(values) > random


def test_the_optimum_is_that_of_its_own_rule():
    model, nothing = graph(5, n=6), np.full(6, -1)
    played = rule_value(model, nothing, 3, SEARCH_STRATEGIES["optimal"])
    assert played == pytest.approx(optimal_value(model, nothing, 3))


def test_pruning_changes_nothing_and_saves_work():
    problem = ClusteredSearch(n=60)(np.random.default_rng(2))
    labels = problem.known.copy()
    labels[:8] = problem.targets[:8]
    row, tried = pruned_two_step(problem.model, labels)
    rows, scores = np.flatnonzero(labels < 0), two_step_scores(problem.model, labels)
    assert row == rows[np.flatnonzero(scores >= scores.max() - 1e-9)[0]]
    assert row == two_step(problem.model, labels, 5, np.random.default_rng(0))
    assert tried < len(rows) / 2


def test_problems_hide_targets_and_know_one():
    problem = ClusteredSearch()(np.random.default_rng(3))
    assert (problem.known >= 0).sum() == 1
    assert problem.targets[problem.known == 1] == 1
    small = SmallGraph()(np.random.default_rng(3))
    assert (small.known == -1).all()
    assert (small.neighbours == small.neighbours.T).all()


def test_nearest_is_symmetric_and_without_the_row_itself():
    near = nearest(np.array([[0.0], [1.0], [1.1], [5.0]]), 1)
    assert near.astype(int).tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]]


def test_what_cannot_be_is_refused():
    model = ising_model(np.zeros((2, 2), dtype=bool), field=-1000.0)
    with pytest.raises(DataError, match="these labels have probability 0"):
        model.probabilities(np.array([1, -1]))
    with pytest.raises(DataError, match="at most 14 rows, got 15"):
        ising_model(np.zeros((15, 15), dtype=bool))
    large = ClusteredSearch()(np.random.default_rng(0))
    with pytest.raises(UsageError, match="at most 14 open rows or 3 labels, got 59 and 4"):
        optimal_value(large.model, large.known, 4)
    with pytest.raises(UnknownNameError, match="unknown search strategy 'greed'; did you mean"):
        SEARCH_STRATEGIES["greed"]
