import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from agents.dad.sb3 import ScaledHistory, history_scale, sb3_rule, train_sb3
from envs.design.env import DesignEnv
from envs.design.models import make_model


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
@pytest.mark.parametrize("model", ["location_finding", "gp_regression"])
def test_the_rule_plays_what_was_trained(algorithm, model):
    """The rule sees a history as the environment shows it, and stays in the box."""
    trained = train_sb3(algorithm, model=model, n_steps=2, timesteps=16, seed=0)
    rule, env = (
        sb3_rule(trained, model=model, n_steps=2),
        ScaledHistory(DesignEnv(model, n_steps=2)),
    )
    seen, _ = env.reset(seed=0)
    designs, outcomes = np.zeros((0, make_model(model).n_design)), np.zeros(0)
    for _ in range(2):
        action, _ = trained.predict(seen, deterministic=True)
        found = rule(designs, outcomes, np.random.default_rng(0))
        seen, _, _, _, info = env.step(action)
        assert found == pytest.approx(info["design"], abs=1e-5)
        designs, outcomes = np.vstack([designs, found]), np.append(outcomes, info["outcome"])


def test_history_scale_by_hand():
    """Designs by half the box (4 and 1), outcomes by 0.3, the flag as it is; two experiments."""
    assert history_scale(DesignEnv(n_steps=2)).tolist() == [0.5, 0.5, 0.3, 1.0] * 2
    assert history_scale(DesignEnv("gp_regression", n_steps=1)).tolist() == [2.0, 0.3, 1.0]
