"""Mean ranks, cliques and duplicates: by hand, and against scikit-posthocs."""

import numpy as np
import pytest

from lal.evaluation.analysis.ranks import _cliques, complete_block, duplicates, rank_strategies

pandas = pytest.importorskip("pandas", reason="pandas is absent")


def test_ranks_by_hand_ties_share():
    areas = np.array([[0.9, 0.5, 0.5], [0.4, 0.8, 0.2]])
    found = rank_strategies(areas, ["a", "b", "c"])
    assert found.names == ("a", "b", "c")
    np.testing.assert_allclose(found.ranks, [1.5, 1.75, 2.75])
    assert found.n_sets == 2


def test_clear_differences_leave_no_clique_and_noise_leaves_one():
    rng = np.random.default_rng(0)
    base = rng.normal(0.7, 0.1, (30, 1))
    steps = base + np.array([[0.0, 0.05, 0.1]]) + rng.normal(0, 0.001, (30, 3))
    assert rank_strategies(steps, ["low", "mid", "top"]).cliques == ()
    level = base + rng.normal(0, 0.02, (30, 3))
    assert rank_strategies(level, ["a", "b", "c"]).cliques == ((0, 2),)


def test_two_overlapping_cliques():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.01, (12, 3))
    areas = np.array([[0.010, 0.005, 0.0]]) + noise
    found = rank_strategies(areas, ["a", "b", "c"], alpha=0.02)
    pairs = {pair: p > 0.02 for pair, p in found.p_values.items()}
    for first, last in found.cliques:
        members = found.names[first : last + 1]
        assert all(pairs[a, b] for i, a in enumerate(members) for b in members[i + 1 :])


def test_equal_sets_count_by_the_rule_of_pratt():
    from scipy.stats import wilcoxon

    gains = np.array([0.0, 0.0, 0.0, 0.01, 0.02, -0.03, 0.04, 0.05, 0.06, 0.07])
    areas = np.column_stack([0.5 + gains, np.full(10, 0.5)])
    found = rank_strategies(areas, ["a", "b"]).p_values[("a", "b")]
    by_rule = {z: wilcoxon(gains, zero_method=z).pvalue for z in ("pratt", "wilcox")}
    assert found == pytest.approx(by_rule["pratt"])
    assert abs(by_rule["pratt"] - by_rule["wilcox"]) > 0.01


def test_adjusted_p_values_agree_with_scikit_posthocs():
    posthocs = pytest.importorskip("scikit_posthocs", reason="scikit-posthocs is absent")
    rng = np.random.default_rng(2)
    areas = rng.normal(0.7, 0.05, (15, 4)) + np.array([0.0, 0.01, 0.02, 0.06])
    names = ["a", "b", "c", "d"]
    found = rank_strategies(areas, names)
    theirs = posthocs.posthoc_wilcoxon(list(areas.T), p_adjust="holm", zero_method="pratt")
    for (x, y), p in found.p_values.items():
        want = theirs.iloc[names.index(x), names.index(y)]
        assert p == pytest.approx(want, abs=1e-12)


def cells(areas):
    rows = [
        {"run_key": f"{s}{r}", "dataset": "d", "learner": "l", "split": r, "start": 0,
         "strategy": s, "area": v}
        for s, values in areas.items() for r, v in enumerate(values)
    ]  # fmt: skip
    return pandas.DataFrame(rows)


def test_groups_need_only_their_own_pairs():
    # b and c cannot be told apart, whatever a is to either of them
    p = {("a", "b"): 0.01, ("a", "c"): 0.01, ("b", "c"): 0.5}
    assert _cliques(("a", "b", "c"), p, 0.05) == ((1, 2),)
    # a pair at exactly the level is significant
    assert _cliques(("a", "b"), {("a", "b"): 0.05}, 0.05) == ()


def test_equal_ranks_keep_the_order_of_the_list():
    names = [f"s{i}" for i in range(20)]
    assert rank_strategies(np.ones((3, 20)), names).names == tuple(names)


def test_runs_that_only_one_finished_do_not_tell_two_rules_apart():
    table = cells({"a": [0.1, 0.2, 0.3], "b": [0.1, 0.2, np.nan]})
    assert duplicates(table) == {"b": "a"}
    almost = {"a": np.arange(100) / 100, "b": np.append(np.arange(99) / 100, 0.0)}
    assert duplicates(cells(almost)) == {"b": "a"}  # 99 of 100 equal is the share that counts


def test_a_rule_under_two_names_is_noticed():
    table = cells({"margin": [0.1, 0.2], "entropy": [0.1, 0.2], "random": [0.1, 0.3]})
    assert duplicates(table) == {"margin": "entropy"}


def test_unfinished_strategies_are_named():
    means = pandas.DataFrame({"a": [0.1, 0.2], "b": [0.1, np.nan]})
    block, left_out = complete_block(means, ["a", "b", "c"])
    assert list(block.columns) == ["a"]
    assert left_out == ["b", "c"]
