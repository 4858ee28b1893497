import numpy as np
import pytest

from agents.checks import AgentCheckError, check_agent, check_giveaway, check_mask


@pytest.mark.slow
def test_dqn_passes_all_checks(maker):
    check_agent(maker)


def test_an_agent_that_ignores_the_mask_is_caught():
    class First:
        def predict(self, observation, deterministic=True):
            return np.zeros(len(observation["mask"]), dtype=np.int64), None

    with pytest.raises(AgentCheckError, match="are masked"):
        check_mask(First())


def test_an_agent_that_does_not_learn_is_caught():
    class Lazy:
        def learn(self, total_timesteps):
            return self

        def save(self, path):
            return None

        def predict(self, observation, deterministic=True):
            return int(np.flatnonzero(observation["mask"])[0]), None

    class Maker:
        def make(self, env, seed):
            return Lazy()

        def load(self, path):
            return Lazy()

        def weights(self, agent):
            return np.zeros(1)

    with pytest.raises(AgentCheckError, match="give-away task"):
        check_giveaway(Maker(), 10, n=5)
