"""Effects: seeded bootstrap, effect size, corrected t and power, by hand and against scipy."""

import numpy as np
import pytest

from lal.errors import UsageError
from lal.evaluation.analysis import effects as e
from lal.evaluation.analysis import statistics as st

RUNS = np.random.default_rng(0).normal(0.8, 0.05, (20, 6))


def interval(seed, statistic=st.iqm, *tables):
    return e.stratified_interval(
        statistic, *(tables or (RUNS,)), rng=np.random.default_rng(seed), n_samples=300
    )


def test_the_seed_decides_and_the_global_generator_does_not():
    before = repr(np.random.get_state())  # noqa: NPY002
    assert interval(1) == interval(1) != interval(2)
    assert repr(np.random.get_state()) == before  # noqa: NPY002


def test_interval_of_the_mean_follows_theory():
    found = interval(0, lambda x: float(x.mean()))
    error = np.sqrt(RUNS.var(axis=0).mean() / RUNS.size)
    assert found.mean == pytest.approx(RUNS.mean())
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(error, rel=0.15)


def test_sets_are_kept_and_runs_redrawn_within_them():
    levels = np.tile(np.arange(5.0), (8, 1))
    found = interval(0, lambda x: float(x.mean()), levels)
    assert (found.low, found.mean, found.high) == (2.0, 2.0, 2.0)


def test_probability_of_improvement_with_an_interval():
    found = interval(0, st.probability_of_improvement, RUNS + 0.05, RUNS)
    assert 0.5 < found.low < found.mean < found.high < 1.0
    same = interval(0, st.probability_of_improvement, RUNS, RUNS)
    assert same.low < 0.5 < same.high
    with pytest.raises(UsageError, match="shape"):
        interval(0, st.iqm, np.zeros(3))


def test_effect_size_by_hand():
    assert e.effect_size(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)
    assert e.effect_size(np.zeros(3)) == 0.0
    assert e.effect_size(np.full(3, -0.1)) == -np.inf
    assert np.isnan(e.effect_size(np.array([1.0])))


def test_corrected_t_is_the_t_test_with_a_larger_variance():
    from scipy.stats import t, ttest_1samp

    d = np.array([0.02, 0.01, -0.01, 0.03, 0.02])
    plain = ttest_1samp(d, 0)
    # J = 5, 40 % tested: variance 1/5 + 2/3 in place of 1/5
    shrunk = abs(plain.statistic) * np.sqrt((1 / 5) / (1 / 5 + 0.4 / 0.6))
    assert e.corrected_t_p(d, 0.4) == pytest.approx(2 * t.sf(shrunk, 4))
    assert e.corrected_t_p(d, 0.4) > plain.pvalue
    assert e.corrected_t_p(d, 1e-12) == pytest.approx(plain.pvalue)
    assert e.corrected_t_p(np.zeros(4), 0.4) == 1.0
    with pytest.raises(UsageError, match="two splits"):
        e.corrected_t_p(d[:1], 0.4)


def test_power_by_hand_and_in_the_limits():
    from scipy.stats import norm

    # no noise of runs: effect / s - 1.96 with s = 0.7 / sqrt(49) = 0.1
    found = e.expected_power(0.3, 49, 50, between=0.7, within=0.0)
    assert found == pytest.approx(norm.cdf(3 - 1.959964))
    # only noise: s = 1 / sqrt(100), the interval sqrt(2) as wide
    found = e.expected_power(0.3, 4, 25, between=0.0, within=1.0)
    assert found == pytest.approx(norm.cdf(3 - 1.959964 * np.sqrt(2)))
    assert e.expected_power(0.0, 30, 50, between=0.7, within=2.7) < 0.025
