"""The rules that few-shot policies are compared with, and the tables."""

from dataclasses import replace

import numpy as np
import pytest

from agents import AGENTS
from agents.few_shot.config import FewShotConfig
from envs.class_banks import ClassBank
from envs.few_shot.episodes import Layout
from envs.few_shot.tasks import Classes
from lal.policies.subset_features import coverage_gains, coverage_order, covered_by, similarities
from scripts.benchmarks.agents.few_shot import CHOOSERS, FROM_SUPPORT, Config, Similar, run
from scripts.benchmarks.base import Results

ANGLES = np.deg2rad([0.0, 10.0, 5.0, 90.0, 100.0, 95.0, 180.0])
"""Two groups of three directions, the middle one last, and one alone."""

Z = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def rules(support: np.ndarray, budget: int) -> dict[str, set[int]]:
    S = similarities(np.concatenate([Z, support])).S
    given = Similar(S[:7, :7], S[7:, :7])
    labels = np.array([0, 0, 0, 1, 1, 1, -1])
    rng = np.random.default_rng(0)
    return {
        name: set(choose(given, labels, budget, rng).tolist()) for name, choose in CHOOSERS.items()
    }


def test_rules_by_hand():
    found = rules(Z[[2]], 3)
    assert found["k-medoids"] == {2, 5, 6}  # the middles and the one alone
    assert 6 in found["farthest first"]
    assert 6 in found[FROM_SUPPORT]
    assert len(found["random"]) == 3
    assert 6 not in found["balanced oracle"]


def test_coverage_by_hand():
    """The first gain is the row sum of the kernel; what is chosen adds nothing more."""
    given = similarities(Z)
    none = covered_by(given.K, np.zeros(7, dtype=bool))
    gains = coverage_gains(given.K, none)
    sums = given.K.sum(axis=-1).T
    assert gains == pytest.approx(sums / sums.max(axis=0))
    chosen = np.arange(7) == 2
    assert coverage_gains(given.K, covered_by(given.K, chosen))[2] == pytest.approx([0, 0, 0])
    place, worth = coverage_order(given.K, Z)
    assert sorted(place.tolist()) == list(range(7))
    assert set(np.argsort(place)[:3].tolist()) == {2, 5, 6}
    assert worth.max(axis=0) == pytest.approx([1.0, 1.0, 1.0])


@pytest.mark.parametrize("seed", range(20))
def test_ties_of_the_coverage_order_are_decided_by_the_items(seed):
    """The last two items are often each other's nearest, and then add exactly the same."""
    rng = np.random.default_rng(seed)
    Z, order = rng.standard_normal((6, 4)), rng.permutation(6)
    noise = 1e-14 * rng.standard_normal((2, 3, 6, 6))  # another processor, another order of sums
    place, worth = coverage_order(similarities(Z).K + noise[0], Z)
    permuted, worth_permuted = coverage_order(similarities(Z[order]).K + noise[1], Z[order])
    assert permuted.tolist() == place[order].tolist()
    assert worth_permuted == pytest.approx(worth[order])


def test_pair_has_an_order_of_its_own():
    """Both items of a pair add the same; swapping the rows swaps their places."""
    Z = np.array([[1.0, 0.0], [0.6, 0.8]])
    place, swapped = (coverage_order(similarities(X).K, X)[0] for X in (Z, Z[::-1]))
    assert swapped.tolist() == place[::-1].tolist()


def test_order_of_the_set_does_not_matter():
    """The one-step head reads a set in its coverage order, however it lies."""
    agent = AGENTS["few_shot"]
    config = agent.preset("smoke")
    assert isinstance(config, FewShotConfig)
    policy = agent.export_untrained(replace(config, head="one_step"), 1)[0]
    items = np.random.default_rng(0).standard_normal((8, 16))
    order = np.random.default_rng(1).permutation(8)
    there, shuffled = (policy.scores(policy.start({"items": X})) for X in (items, items[order]))
    assert shuffled == pytest.approx(there[order])


def test_tables_of_two_seeds_end_in_their_mean(tmp_path, capsys):
    agent, runs = AGENTS["few_shot"], []
    for seed in (0, 1):
        config = replace(agent.preset("smoke-batch"), seed=seed, control="untrained")
        agent.train(config, tmp_path / f"run-{seed}")
        runs.append(tmp_path / f"run-{seed}")
    run(Config(runs=tuple(runs), episodes=5, n_query=10), Results())
    text = capsys.readouterr().out
    assert text.count("| k-medoids |") == 1  # one embedding: the rules are played once
    assert FROM_SUPPORT in text
    assert "| mean of 2: batch, untrained |" in text


def test_the_coverage_order_is_the_greedy_one():
    """Against the plain rule: every time, the item that adds most to the sum of coverages."""
    Z = np.random.default_rng(3).standard_normal((40, 5))
    K = similarities(Z).K
    place, worth = coverage_order(K, Z)
    covered, taken = np.zeros(40), np.zeros(40, dtype=bool)
    for t in range(40):
        gains = np.where(taken, -1.0, np.maximum(K[1] - covered, 0.0).sum(axis=1))
        best = int(np.flatnonzero(place == t)[0])
        assert gains[best] == pytest.approx(gains.max())
        assert worth[best, 1] * K[1].sum(axis=1).max() == pytest.approx(gains[best])
        taken[best], covered = True, np.maximum(covered, K[1][best])


def test_cards_compare_with_rules_and_both_controls(tmp_path):
    agent = AGENTS["few_shot"]
    for control in ("none", "shuffled_reward"):
        agent.train(replace(agent.preset("smoke"), control=control), tmp_path / control)
    results = Results()
    config = Config(
        runs=(tmp_path / "none", tmp_path / "shuffled_reward"), episodes=5, n_query=10, untrained=2
    )
    run(config, results)
    rows = results.tables["card"].rows
    assert {row["policy"] for row in rows} == {"none"}
    assert {"random", "k-medoids", "untrained", "shuffled"} <= {row["against"] for row in rows}
    assert [row["run"] for row in results.tables["policies"].rows] == [
        "none", "none, untrained 0", "none, untrained 1", "shuffled_reward",
        "mean of 2: sequential, untrained",
    ]  # fmt: skip


def test_herding_gives_every_group_its_share():
    """Eight items of one direction and two of another: one in five of the choices is of the two."""
    angles = np.deg2rad([*np.arange(8.0), 90.0, 91.0])
    Z = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    S, rng, none = Z @ Z.T, np.random.default_rng(0), np.zeros(10, dtype=int)
    found = CHOOSERS["herding"](Similar(S, S[:0]), none, 5, rng)
    assert len(set(found.tolist())) == 5
    assert sum(i >= 8 for i in found) == 1
    assert found[0] in (3, 4)  # the middle of the larger group


def test_queries_may_be_kept_apart_from_the_pool():
    """A pool and queries of three rows a class, six to draw from: never the same row."""
    X = np.arange(60.0, dtype=np.float32)[:, None]
    bank = ClassBank("made-up", X, np.repeat(np.arange(10), 6), np.arange(5, 10))
    layout = Layout(n_classes=2, n_pool=30, n_query=30)
    shared = {}
    for apart in (False, True):
        task = Classes(layout, apart=apart)
        drawn = task.draw(bank, np.random.default_rng(0), 4, "test")
        assert drawn.pool.min() >= 30  # test classes alone
        shared[apart] = bool(np.isin(drawn.query, drawn.pool).any())
    assert shared == {False: True, True: False}


def test_a_policy_is_measured_on_pools_and_queries_of_another_kind(tmp_path):
    agent = AGENTS["few_shot"]
    agent.train(agent.preset("smoke"), tmp_path / "run")
    results = Results()
    config = Config(runs=(tmp_path / "run",), episodes=3, n_query=8, pool=12, budget=4, apart=True)
    run(config, results)
    assert "n_pool=12" in results.notes[0]
    assert "4 labels, 3 episodes, queries apart from the pool" in results.notes[0]
