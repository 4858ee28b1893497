"""Statistics against scipy, scikit-posthocs and baycomp, by hand, and on planted effects."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from lal.errors import UsageError
from lal.evaluation.analysis import statistics as st
from lal.evaluation.analysis.bootstrap import Paired, bootstrap_interval, resampled_means

GAINS = np.array([0.011, -0.004, 0.008, 0.0, 0.021, 0.003, -0.001, 0.013, 0.006, 0.0])


def paired(values, *, family=None, n_starts=1):
    """Return differences (D sets, J runs); runs are splits x starts, a family a set."""
    D, J = np.shape(values)
    dataset = np.repeat(np.arange(D), J)
    run = np.tile(np.arange(J), D)
    families = dataset if family is None else np.asarray(family)[dataset]
    zeros = np.zeros(D * J, dtype=np.int64)
    flat = np.ravel(values).astype(float)
    return Paired(flat, families, dataset, zeros, run // n_starts, run % n_starts)


def join(*parts):
    fields = ("values", "family", "dataset", "learner", "split", "start")
    columns: dict[str, Any] = {f: np.concatenate([getattr(p, f) for p in parts]) for f in fields}
    return Paired(**columns)


def moved(part):
    return Paired(
        part.values, part.family + 1, part.dataset + 1, part.learner, part.split, part.start
    )


def simulate(rng, *, effect, n_sets=30, n_runs=10, between=0.007, within=0.027):
    truth = effect + rng.normal(0, between, (n_sets, 1))
    return paired(truth + rng.normal(0, within, (n_sets, n_runs)), n_starts=5)


def test_wilcoxon_by_hand():
    # three positive gains: the largest of 2^3 rank sums
    assert st.wilcoxon_greater(np.array([0.1, 0.2, 0.3])) == pytest.approx(1 / 8)
    assert st.wilcoxon_greater(np.zeros(4)) == 1.0
    with pytest.raises(UsageError, match="at least one data set"):
        st.wilcoxon_greater(np.array([]))


def test_wilcoxon_has_a_direction():
    assert st.wilcoxon_greater(GAINS) < 0.05 < 0.9 < st.wilcoxon_greater(-GAINS)


def test_holm_by_hand():
    found = st.holm({"a": 0.01, "b": 0.04, "c": 0.03})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})


def test_holm_agrees_with_statsmodels_rule_used_by_posthocs():
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is absent")
    p = np.array([0.2, 0.001, 0.013, 0.04, 0.9])
    ours = st.holm({str(i): v for i, v in enumerate(p)})
    assert list(ours.values()) == pytest.approx(multitest.multipletests(p, method="holm")[1])


def test_posthoc_wilcoxon_holm_agrees():
    posthocs = pytest.importorskip("scikit_posthocs", reason="scikit-posthocs is absent")
    from scipy.stats import wilcoxon

    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (3, 15)) + np.array([[0.0], [0.8], [1.5]])
    theirs = posthocs.posthoc_wilcoxon(rows, p_adjust="holm").to_numpy()
    raw = {f"{i}{j}": wilcoxon(rows[i], rows[j]).pvalue for i in range(3) for j in range(i + 1, 3)}
    ours = st.holm({k: float(v) for k, v in raw.items()})
    for pair, p in ours.items():
        assert theirs[int(pair[0]), int(pair[1])] == pytest.approx(p)


def test_bayesian_signed_rank_agrees_with_baycomp():
    baycomp = pytest.importorskip("baycomp", reason="baycomp is absent")
    ours = st.signed_rank_rope(GAINS, np.random.default_rng(0), rope=0.002)
    theirs = baycomp.SignedRankTest.probs(
        np.zeros_like(GAINS), GAINS, rope=0.002, nsamples=20_000, random_state=0
    )
    assert (ours.worse, ours.equal, ours.better) == pytest.approx(theirs, abs=0.015)


def test_bayesian_signed_rank_knows_the_easy_answers():
    rng = np.random.default_rng(0)
    assert st.signed_rank_rope(np.full(20, 0.01), rng).better > 0.99
    assert st.signed_rank_rope(np.full(20, -0.01), rng).worse > 0.99
    assert st.signed_rank_rope(np.full(20, 0.0005), rng).equal > 0.99


def test_penalty_matrix_has_the_loser_in_rows():
    rng = np.random.default_rng(0)
    low = 0.5 + rng.normal(0, 0.001, (20, 4))
    high = low + 0.1 + rng.normal(0, 0.001, (20, 4))
    curves = np.stack([low, high, low])
    assert st.penalty_matrix(curves) == pytest.approx(np.array([[0, 1, 0], [0, 0, 0], [0, 1, 0]]))
    assert st.penalty_matrix(curves, ceiling=0.55).sum() == 0


def test_penalty_matrix_by_hand():
    """Three strategies, four budgets: ahead, ahead, behind, and ahead at p = 0.028."""
    base = np.tile([0.5, 0.6, 0.7, 0.8], (4, 1))
    jitter = np.array([0.01, -0.01, 0.01, -0.01])
    gains = np.stack([0.1 + jitter, 0.1 - jitter, jitter - 0.1, [0.1, 0.1, 0.1, 0.02]], axis=1)
    curves = np.stack([base, base + gains, base])  # the third is the first once more
    wins, losses = 3 / 4, 1 / 4
    expected = np.array([[0, wins, 0], [losses, 0, losses], [0, wins, 0]])
    np.testing.assert_array_equal(st.penalty_matrix(curves), expected)
    strict = st.penalty_matrix(curves, alpha=0.02)
    np.testing.assert_array_equal(strict[0], [0, 2 / 4, 0])
    below = st.penalty_matrix(curves, ceiling=float(curves[1].mean(axis=0)[1]))
    np.testing.assert_array_equal(below, [[0, 2 / 4, 0], [losses, 0, losses], [0, 2 / 4, 0]])
    lower = st.penalty_matrix(curves, ceiling=0.65)
    np.testing.assert_array_equal(lower, [[0, 1 / 4, 0], [0, 0, 0], [0, 1 / 4, 0]])


def test_power_table_of_the_protocol():
    found = st.detectable_difference(30, 50, between=0.7, within=2.7)
    assert found == pytest.approx(0.41, abs=0.005)
    assert st.detectable_difference(60, 50, between=0.7, within=2.7) == pytest.approx(
        0.29, abs=0.005
    )


def test_spread_recovers_what_was_put_in():
    sample = simulate(np.random.default_rng(0), effect=0, n_sets=400, n_runs=20)
    between, within = st.spread(sample)
    assert within == pytest.approx(0.027, rel=0.03)
    assert between == pytest.approx(0.007, rel=0.15)


def test_interval_of_a_constant_is_the_constant():
    found = bootstrap_interval(paired(np.full((4, 6), 0.25)), np.random.default_rng(0))
    assert (found.mean, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))


def test_sets_weigh_the_same_however_many_runs_they_have():
    both = join(paired(np.ones((1, 9))), moved(paired(np.zeros((1, 3)))))
    assert both.set_means() == pytest.approx([1.0, 0.0])
    fixed = resampled_means(both, np.random.default_rng(0), scope="these_sets", n_samples=50)
    assert fixed == pytest.approx(np.full(50, 0.5))
    new = resampled_means(both, np.random.default_rng(0), scope="new_sets", n_samples=2000)
    assert set(np.round(new, 6)) == {0.0, 0.5, 1.0}
    assert np.mean(np.round(new, 6) == 0.5) == pytest.approx(0.5, abs=0.05)


def test_learners_are_averaged_within_a_run():
    one = paired(np.array([[1.0, 3.0]]))
    two = Paired(one.values + 2, one.family, one.dataset, one.learner + 1, one.split, one.start)
    stacked = join(one, two)
    assert stacked.over_learners().values == pytest.approx([2.0, 4.0])


@pytest.mark.parametrize("scope", ["new_sets", "these_sets"])
def test_interval_width_follows_theory(scope):
    sample = simulate(np.random.default_rng(3), effect=0.01, n_sets=60, n_runs=20)
    found = bootstrap_interval(sample, np.random.default_rng(0), scope=scope, n_samples=3000)
    noise = 0.027**2 / 20
    variance = (noise + (0.007**2 if scope == "new_sets" else 0.0)) / 60
    width = (found.high - found.low) / (2 * 1.96)
    # nested resampling adds up to one more share of the inner noise
    assert np.sqrt(variance) * 0.75 < width < np.sqrt(variance + 2 * noise / 60) * 1.2


def test_families_move_together():
    values = np.repeat([[1.0], [-1.0]], 4, axis=0) * np.ones((8, 3))
    alone = bootstrap_interval(paired(values), np.random.default_rng(0), n_samples=2000)
    kin = paired(values, family=[0, 0, 0, 0, 1, 1, 1, 1])
    together = bootstrap_interval(kin, np.random.default_rng(0), n_samples=2000)
    assert together.high - together.low == pytest.approx(2.0)
    assert alone.high - alone.low < 1.6


def test_bootstrap_rng_matters_suffices_and_leaves_the_global_one_alone():
    sample = simulate(np.random.default_rng(3), effect=0.01)
    before = repr(np.random.get_state())  # noqa: NPY002
    first, again, other = (
        bootstrap_interval(sample, np.random.default_rng(s), n_samples=500) for s in (1, 1, 2)
    )
    assert first == again != other
    assert repr(np.random.get_state()) == before  # noqa: NPY002


def test_no_runs_no_interval():
    with pytest.raises(UsageError, match="no paired runs"):
        bootstrap_interval(paired(np.zeros((0, 0))), np.random.default_rng(0))


def test_the_primary_test_is_decided_by_the_interval_not_by_the_mean():
    # eleven small gains and one large loss: ranks reject, the mean is above 0, the interval is not
    sample = paired(np.array([[0.01 + 1e-4 * i] for i in range(11)] + [[-0.05]]))
    found = st.primary_test(sample, np.random.default_rng(0), n_samples=4000)
    assert found.p < st.ALPHA
    assert found.interval is not None
    assert found.interval.low < 0 < found.interval.mean
    assert not found.rejected
    better = paired(np.full((12, 1), 0.01))
    assert st.primary_test(better, np.random.default_rng(0), n_samples=200).rejected


def test_the_primary_interval_has_the_level_of_the_test():
    sample = paired(np.array([[0.01 + 1e-3 * i] for i in range(12)]))
    for alpha in (0.025, 0.1):
        found = st.primary_test(sample, np.random.default_rng(0), alpha=alpha, n_samples=200)
        assert found.interval is not None
        assert found.interval.level == pytest.approx(1 - 2 * alpha)
    assert st.primary_test(sample, np.random.default_rng(0), alpha=1e-9).interval is None


def test_a_against_a_rarely_rejects():
    rng = np.random.default_rng(20)
    rejected = [
        st.primary_test(simulate(rng, effect=0.0), rng, n_samples=500).rejected for _ in range(1000)
    ]
    assert np.mean(rejected) <= 0.035


def test_planted_effect_is_found_with_the_promised_power():
    rng = np.random.default_rng(21)
    effect = st.detectable_difference(30, 50, between=0.007, within=0.027)
    found = [
        st.primary_test(simulate(rng, effect=effect, n_runs=50), rng, n_samples=200).rejected
        for _ in range(60)
    ]
    assert np.mean(found) > 0.6  # 80 % promised for the t-test; two tests must agree here


def expected_power(effect, n_sets, n_runs, *, between, within):
    """Return the power when rank test and hierarchical interval must agree.

    The interval is the stricter: redrawing runs within redrawn sets counts their noise twice.
    """
    noise = within**2 / n_runs
    error = np.sqrt((between**2 + noise) / n_sets)
    wide = np.sqrt((between**2 + 2 * noise) / n_sets)
    return float(norm.cdf((effect - norm.ppf(0.975) * wide) / error))


def test_half_a_point_is_found_as_often_as_promised():
    rng = np.random.default_rng(22)
    promised = expected_power(0.005, 30, 50, between=0.007, within=0.027)
    found = [
        st.primary_test(simulate(rng, effect=0.005, n_runs=50), rng, n_samples=200).rejected
        for _ in range(100)
    ]
    assert promised == pytest.approx(0.895, abs=0.01)
    assert np.mean(found) > promised - 0.08  # 3 % is the noise of 100 draws
