"""Bootstrap intervals: known answers, what is resampled, and simulated coverage."""

import numpy as np
import pytest
from scipy.stats import norm

from lal.evaluation.analysis.bootstrap import Paired, bootstrap_interval, resampled_means


def paired(values, family=None, dataset=None, split=None):
    n = len(values)
    dataset = np.arange(n) if dataset is None else np.asarray(dataset)
    family = dataset if family is None else np.asarray(family)
    split = np.zeros(n, dtype=np.int64) if split is None else np.asarray(split)
    zeros = np.zeros(n, dtype=np.int64)
    return Paired(np.asarray(values, dtype=float), family, dataset, zeros, split, zeros)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_the_level_is_what_lies_between_the_ends(level):
    sample = paired(np.random.default_rng(0).normal(0, 1, 60))
    found = bootstrap_interval(sample, np.random.default_rng(1), n_samples=4000, level=level)
    means = resampled_means(sample, np.random.default_rng(1), scope="new_sets", n_samples=4000)
    assert np.mean((means > found.low) & (means < found.high)) == pytest.approx(level, abs=0.001)
    assert np.mean(means < found.low) == pytest.approx((1 - level) / 2, abs=0.001)
    half = norm.ppf((1 + level) / 2) * sample.values.std() / np.sqrt(60)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.06)


@pytest.mark.parametrize(("level", "low", "high"), [(0.95, 0.915, 0.97), (0.8, 0.75, 0.84)])
def test_intervals_cover_the_truth_as_often_as_their_level_says(level, low, high):
    rng = np.random.default_rng(2)
    held = []
    for _ in range(600):
        found = bootstrap_interval(
            paired(0.3 + rng.normal(0, 1, 40)), rng, n_samples=400, level=level
        )
        held.append(found.low < 0.3 < found.high)
    assert low < np.mean(held) < high


def test_fixed_sets_are_never_redrawn():
    # two sets of one family without noise of runs: nothing is left that could vary
    sample = paired([1.0, 1.0, 0.0, 0.0], [0] * 4, [0, 0, 1, 1], [0, 1, 0, 1])
    fixed = bootstrap_interval(sample, np.random.default_rng(0), scope="these_sets", n_samples=200)
    assert (fixed.low, fixed.mean, fixed.high) == (0.5, 0.5, 0.5)
    fresh = bootstrap_interval(sample, np.random.default_rng(0), scope="new_sets", n_samples=200)
    assert (fresh.low, fresh.high) == (0.0, 1.0)


def test_fixed_sets_redraw_their_splits_and_the_starts_on_them():
    sample = paired([0.0, 2.0], [0, 0], [0, 0], [0, 1])
    means = resampled_means(sample, np.random.default_rng(0), scope="these_sets", n_samples=8000)
    shares = [np.mean(means == value) for value in (0.0, 1.0, 2.0)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.02)


def test_families_are_redrawn_before_their_sets():
    # one family of three sets at 1, one of one set at 0: two draws of two families
    sample = paired([1.0, 1.0, 1.0, 0.0], [0, 0, 0, 1])
    means = resampled_means(sample, np.random.default_rng(0), scope="new_sets", n_samples=8000)
    shares = [np.mean(means == value) for value in (0.0, 0.75, 1.0)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.02)


def test_means_of_chunks_are_all_there():
    sample = paired([0.0, 1.0])
    for n in (1, 255, 256, 257, 700):
        rng = np.random.default_rng(0)
        assert len(resampled_means(sample, rng, scope="new_sets", n_samples=n)) == n
