import numpy as np
import pytest
from scipy.stats import trim_mean

from lal.errors import UsageError
from lal.evaluation.analysis.run_aggregates import interquartile_interval, interquartile_mean


@pytest.mark.parametrize("shape", [(5, 1), (5, 3), (4, 2), (1, 1), (10, 7)])
def test_the_interquartile_mean_is_the_trimmed_mean_of_all_scores(shape):
    """As in the paper's own code: a quarter is cut at each end, rounded down."""
    scores = np.random.default_rng(0).normal(size=shape)
    assert interquartile_mean(scores) == pytest.approx(trim_mean(scores, 0.25, axis=None))


def test_one_lucky_run_does_not_move_it():
    scores = np.array([[1.0], [1.1], [0.9], [1.0], [50.0]])
    found = interquartile_interval(scores, np.random.default_rng(0))
    assert found.mean == pytest.approx(3.1 / 3)
    assert found.scope == "new_runs"


def test_runs_are_resampled_within_each_task():
    """Tasks that differ a lot do not widen the interval: they are kept, runs are drawn."""
    apart = np.array([[0.0, 10.0]] * 6)
    found = interquartile_interval(apart, np.random.default_rng(0))
    assert (found.low, found.mean, found.high) == (5.0, 5.0, 5.0)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        found = interquartile_interval(rng.normal(size=(10, 3)), rng, n_samples=300)
        inside += found.low <= 0.0 <= found.high
    assert 0.86 <= inside / 200 <= 0.99


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros((0, 2))])
def test_scores_have_runs_and_tasks(scores):
    with pytest.raises(UsageError, match="scores must have shape"):
        interquartile_interval(scores, np.random.default_rng(0))
