"""Pareto fronts: by hand, and PAL against the whole set."""

import numpy as np
import pytest

from lal.errors import DataError, UsageError
from lal.search.pareto import EpsilonPAL, hypervolume, pareto_mask, reaches
from scripts.row_checks.pareto import objectives


def test_dominance_and_area_by_hand():
    values = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [1.0, 1.0], [2.0, 2.0]])
    assert pareto_mask(values).tolist() == [True, True, True, False, True]
    assert hypervolume(values, np.zeros(2)) == pytest.approx(3 + 2 + 1)
    assert hypervolume(values, np.array([2.5, 0.0])) == pytest.approx(0.5)
    assert hypervolume(np.array([[-1.0, 5.0]]), np.zeros(2)) == 0.0
    with pytest.raises(DataError, match=r"two objectives, got values of shape \(1, 3\)"):
        hypervolume(np.ones((1, 3)), np.zeros(3))


@pytest.mark.parametrize("seed", range(3))
def test_the_front_is_within_epsilon_for_few_evaluations(seed):
    X, Y = objectives(seed, 100)
    found = EpsilonPAL(X, epsilon=0.05, seed=seed).run(lambda row: Y[row])
    front = Y[found.front]
    assert found.decided
    assert len(found.evaluated) < 50
    assert not reaches(Y, front + 0.05 + 1e-9).any()
    assert reaches(front + 0.05 + 1e-9, Y[pareto_mask(Y)]).any(axis=0).all()


def test_each_design_is_evaluated_once_and_the_budget_holds():
    X, Y = objectives(0, 60)
    asked = []

    def evaluate(row):
        asked.append(row)
        return Y[row]

    found = EpsilonPAL(X, epsilon=1e-6, n_start=5).run(evaluate, budget=12)
    assert asked == found.evaluated.tolist()
    assert len(set(asked)) == 12
    assert not found.decided
    assert set(found.front) <= set(asked)
    np.testing.assert_array_equal(found.values, Y[asked])


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="epsilon and root must be above 0 and n_start 2 to 4"):
        EpsilonPAL(np.ones((4, 1)), epsilon=0.1)
    with pytest.raises(DataError, match=r"finite numbers of shape \(N, D\), got \(4,\)"):
        EpsilonPAL(np.ones(4), epsilon=0.1)
