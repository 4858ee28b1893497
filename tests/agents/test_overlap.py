"""Gradient steps that are taken while the environments step."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnvWrapper

from agents.training.candidate_dqn import CandidateDQN
from agents.training.overlap import SteppedMeanwhile
from envs.pool_env import PoolEnv
from envs.sanity_task import giveaway_task


class SlowSteps(VecEnvWrapper):
    """Environments that take their time, and note who waits."""

    def __init__(self, venv, seconds):
        super().__init__(venv)
        self.seconds, self.threads = seconds, set()

    def reset(self):
        return self.venv.reset()

    def step_wait(self):
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        return self.venv.step_wait()


def learned(seconds):
    envs = SlowSteps(DummyVecEnv([lambda: PoolEnv(giveaway_task(), slate_size=4)] * 2), seconds)
    model = CandidateDQN(env=envs, seed=0, learning_starts=4, batch_size=4, device="cpu")
    model.learn(24)
    return model, envs


def test_a_slow_environment_ends_in_the_same_weights():
    quick, slow = learned(0.0), learned(0.01)
    for a, b in zip(quick[0].policy.parameters(), slow[0].policy.parameters(), strict=True):
        assert torch.equal(a, b)
    assert threading.get_ident() not in quick[1].threads


def test_no_gradient_step_is_left_over():
    model, envs = learned(0.0)
    # train_freq is 4 by stable-baselines3's default: 8 environment steps a round, the first
    # round of which ends after the warm-up.
    assert model._n_updates == 3
    assert model.env is envs
    model.train(2, 4)
    assert model._n_updates == 5


def test_learning_meanwhile_cannot_leave_a_step_running():
    ended = []

    def fail():
        raise RuntimeError("out of memory")

    class Noting(SlowSteps):
        def step_wait(self):
            step = super().step_wait()
            ended.append(True)
            return step

    envs = Noting(DummyVecEnv([lambda: PoolEnv(giveaway_task(), slate_size=4)]), 0.05)
    with ThreadPoolExecutor(1) as executor:
        both = SteppedMeanwhile(envs, executor, fail)
        both.reset()
        with pytest.raises(RuntimeError, match="out of memory"):
            both.step(np.zeros(1, dtype=np.int64))
        assert ended == [True]
