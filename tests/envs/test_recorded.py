"""Recorded episodes: what was stored is what happened."""

import gymnasium
import numpy as np
import pytest

pytest.importorskip("minari")
from envs.pool_env import PoolEnv
from envs.recorded import read_transitions, record_episodes
from lal.errors import DataError, UsageError
from lal.strategies.base import make_strategy

pytestmark = [  # what Minari recommends to name: author, link and environment
    pytest.mark.filterwarnings("ignore:`.*` is set to None"),
    pytest.mark.filterwarnings("ignore:env_spec is None"),
    pytest.mark.filterwarnings("ignore:`eval_env` is set to None"),
]


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))


@pytest.fixture
def env(wine_task):
    return gymnasium.make("lal/Pool-v0", tasks=wine_task, slate_size=6)


def test_transitions_are_those_of_the_strategy(env, wine_task):
    record_episodes("pool/margin-v0", "margin", 2, env=env, seed=3)
    found = read_transitions("pool/margin-v0")
    assert len(found) == 2 * wine_task.budget
    assert found.ends.sum() == 2
    pool, margin = env.unwrapped, make_strategy("margin")
    assert isinstance(pool, PoolEnv)
    record_episodes("pool/again-v0", margin, 2, env=env, seed=3)
    again = read_transitions("pool/again-v0")
    np.testing.assert_array_equal(again.actions, found.actions)
    np.testing.assert_array_equal(again.rewards, found.rewards)
    for key, values in found.observations.items():
        inner = ~found.ends[:-1]
        np.testing.assert_array_equal(values[1:][inner], found.next_observations[key][:-1][inner])
    taken = found.observations["mask"][np.arange(len(found)), found.actions]
    assert (taken == 1).all()


def test_names_that_are_taken_or_unknown(env):
    record_episodes("pool/random-v0", "random", 1, env=env)
    with pytest.raises(UsageError, match="there is a data set 'pool/random-v0' already"):
        record_episodes("pool/random-v0", "random", 1, env=env)
    with pytest.raises(DataError, match=r"no Minari data set 'pool/other-v0'.*pool/random-v0"):
        read_transitions("pool/other-v0")


def test_other_environments_are_refused():
    with pytest.raises(UsageError, match="recorded in lal/Pool-v0, got"):
        record_episodes("pool/x-v0", "random", 1, env=gymnasium.make("lal/LalRl-v0"))
