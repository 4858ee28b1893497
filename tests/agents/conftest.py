"""A maker of small DQN agents, shared by the tests of this folder."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from agents.training.candidate_dqn import CandidateDQN


class DQNMaker:
    """Makes CandidateDQN agents for `agents.checks`."""

    def make(self, env: gymnasium.Env[Any, Any], seed: int) -> CandidateDQN:
        return CandidateDQN(
            env=env,
            seed=seed,
            planned_steps=3000,
            learning_rate=1e-3,
            learning_starts=100,
            gamma=0.2,
            train_freq=2,
            gradient_steps=1,
            target_update_interval=200,
            buffer_size=5000,
            exploration_fraction=0.5,
            policy_kwargs={"net_arch": [32]},
            replay_buffer_kwargs={"reward_scale": 10.0},
            device="cpu",
        )

    def load(self, path: str) -> CandidateDQN:
        return CandidateDQN.load(path, device="cpu")

    def weights(self, agent: CandidateDQN) -> Any:
        parts = [p.detach().numpy().ravel() for p in agent.policy.parameters()]
        return np.concatenate(parts)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def maker():
    return DQNMaker()
