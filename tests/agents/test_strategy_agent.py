import gymnasium
import numpy as np
import pytest

from agents.strategy_agent import StrategyAgent, play
from envs.pool_env import PoolEnv
from envs.sanity_task import giveaway_task
from lal.episode import run_episode
from lal.errors import UsageError


def test_a_rule_on_the_whole_pool_buys_what_the_loop_buys():
    """Slate of the whole pool: environment and loop ask for the same rows, label by label."""
    task = giveaway_task()
    env = PoolEnv(task, slate_size=len(task.pool), reward="accuracy_gain")
    agent = StrategyAgent("margin", gymnasium.wrappers.TimeLimit(env, 1000))
    observation, _ = env.reset(seed=3)
    bought, over = [], False
    while not over:
        action, _ = agent.predict(observation)
        observation, _, terminated, truncated, info = env.step(action)
        bought.append(info["queried"])
        over = terminated or truncated
    curve = run_episode(agent.strategy, task, seed=3, part="reward")
    assert bought == curve.queried[curve.n_start :].tolist()


def test_the_obvious_rule_earns_more_than_random_on_the_giveaway_task():
    env = PoolEnv(giveaway_task(), slate_size=16, reward="accuracy_gain")
    returns = {
        name: np.mean([play(StrategyAgent(name, env), env, seed=i) for i in range(5)])
        for name in ("margin", "random")
    }
    assert returns["margin"] > returns["random"]


def test_an_environment_without_states_is_refused():
    with pytest.raises(UsageError, match="a strategy plays lal/Pool-v0"):
        StrategyAgent("margin", gymnasium.make("CartPole-v1"))
