"""lal/Synthesis-v0: both checkers, every kind of question, rewards and costs."""

from functools import partial

import gymnasium
import numpy as np
import pytest

import envs  # noqa: F401  (registers the ids)
from envs.checks import check_by_gymnasium, check_by_stable_baselines3
from envs.synthesis_env import QUERIES, SynthesisEnv
from lal.errors import UsageError
from lal.synthesis.tasks import BoardSampler, board_task, sentence_task

TASKS = BoardSampler(budget=4)


@pytest.mark.parametrize("query", QUERIES)
def test_both_checkers(query):
    env = SynthesisEnv(TASKS, query=query, render_mode="ansi")
    check_by_gymnasium(env)
    check_by_stable_baselines3(env)


@pytest.mark.parametrize("query", QUERIES)
def test_rewards_add_up_to_the_gain_and_every_question_costs_one(query):
    env = SynthesisEnv(TASKS, query=query)
    _, first = env.reset(seed=1)
    total, over = 0.0, False
    while not over:
        action = (1.0 - total) * np.linspace(-0.5, 0.7, QUERIES[query] * 2)
        observation, reward, over, _, info = env.step(action.astype(np.float32))
        total += float(reward)
    assert env.observation_space.contains(observation)
    assert total == pytest.approx(info["accuracy"] - first["accuracy"])
    assert info["n_asked"] == 4
    assert env.task.test is None


def test_what_makes_no_sense_is_paid_and_shown():
    def tasks(rng):
        task = sentence_task(rng, budget=3)
        from dataclasses import replace

        return replace(
            task, oracle=lambda X: np.where(X[:, 0] > 2, 1, -1) if fresh else task.oracle(X)
        )

    fresh: list[int] = []
    env = SynthesisEnv(tasks, render_mode="ansi")
    env.reset(seed=0)
    fresh.append(1)
    observation, reward, _, _, info = env.step(np.zeros(20, np.float32))
    assert (reward, info["n_invalid"], info["valid"], info["n_asked"]) == (0.0, 1, False, 1)
    assert observation.reshape(3, -1)[0, -2:].tolist() == [1.0, 1.0]
    assert "invalid" in str(env.render())


def test_vectorised_and_drawn():
    env = gymnasium.make_vec("lal/Synthesis-v0", num_envs=2, vectorization_mode="sync", tasks=TASKS)
    env.reset(seed=0)
    assert env.step(env.action_space.sample())[1].shape == (2,)
    drawn = SynthesisEnv(TASKS, render_mode="rgb_array")
    drawn.reset(seed=0)
    assert drawn.render().ndim == 3


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="unknown query 'text'; known: point, row, line, rule"):
        SynthesisEnv(query="text")
    with pytest.raises(UsageError, match="render_mode must be None"):
        SynthesisEnv(render_mode="human")
    env = SynthesisEnv(partial(sentence_task, budget=2), query="rule")
    env.reset(seed=0)
    with pytest.raises(UsageError, match="rules need a BoxDecoder"):
        env.step(np.zeros(40, np.float32))
    sizes = iter((2, 3))
    mixed = SynthesisEnv(lambda rng: board_task(rng, n_columns=next(sizes), budget=3))
    with pytest.raises(UsageError, match=r"expected \(2, 2, 3\), as the first task drawn"):
        mixed.reset(seed=0)
