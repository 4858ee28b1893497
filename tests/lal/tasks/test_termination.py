import pytest

from envs.pool_env import PoolEnv
from lal.tasks.termination import TERMINATIONS

# (termination, budget, rows bought) -> (terminated, truncated) after each; see tiny_task.
EXPECTED = {
    ("budget", 1, (3,)): [(True, False)],
    ("budget", 2, (2, 3)): [(False, False), (True, False)],
    ("target", 1, (3, 2)): [(False, False), (True, False)],
    ("target", 2, (2,)): [(True, False)],
    ("both", 1, (3,)): [(False, True)],
    ("both", 1, (2,)): [(True, False)],
    ("both", 2, (3, 2)): [(False, False), (True, False)],
}


@pytest.mark.parametrize(("termination", "budget", "rows"), EXPECTED, ids=lambda v: str(v))
def test_ending_by_hand(termination, budget, rows, tiny_task, tiny_seed, buy, with_budget):
    env = PoolEnv(with_budget(tiny_task, budget), slate_size=4, termination=termination)
    _, info = env.reset(seed=tiny_seed)
    flags = []
    for row in rows:
        _, _, terminated, truncated, info = buy(env, info, row)
        flags.append((terminated, truncated))
    assert flags == EXPECTED[termination, budget, rows]


def test_every_ending_is_tested_by_hand():
    assert {name for name, _, _ in EXPECTED} == set(TERMINATIONS)


def test_target_is_a_share_of_the_full_pool_quality(tiny_task, tiny_seed):
    env = PoolEnv(tiny_task, slate_size=4, termination="target")
    _, info = env.reset(seed=tiny_seed)
    assert env.target == pytest.approx(0.98)
    assert not info["target_reached"]


def test_target_is_not_computed_when_nothing_asks_for_it(tiny_task, tiny_seed):
    env = PoolEnv(tiny_task, slate_size=4)
    env.reset(seed=tiny_seed)
    assert env.target is None


def test_start_above_the_target_still_asks_once(tiny_task, with_budget):
    """With rows 0, 1 and 2 bought at the start, accuracy is 1 before the first step."""
    from dataclasses import replace

    env = PoolEnv(replace(with_budget(tiny_task, 1), start=3), slate_size=4, termination="target")
    for seed in range(100):
        _, info = env.reset(seed=seed)
        if info["accuracy"] == 1.0:
            break
    assert info["accuracy"] == 1.0
    assert not info["target_reached"]
    _, _, terminated, _, info = env.step(0)
    assert terminated
    assert info["target_reached"]
