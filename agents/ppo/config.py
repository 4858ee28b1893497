"""PPOConfig: everything that decides a run of the PPO agent."""

from dataclasses import dataclass

from agents.registry import Agent
from agents.training.config import (
    SYNTHETIC_TASKS,
    FineTuningConfig,
    check_at_least,
    check_within,
)
from lal.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class PPOConfig(FineTuningConfig):
    """Proximal policy optimisation over slates of candidates, closed slots masked."""

    total_timesteps: int = 8192
    """Environment steps of the whole run."""

    n_steps: int = 64
    """Steps of every environment between two updates."""

    gae_lambda: float = 0.9
    """Decay of generalised advantage estimation."""

    batch_size: int = 128
    """Steps of a gradient step."""

    n_epochs: int = 6
    """Passes over the steps between two updates."""

    ent_coef: float = 0.003
    """Weight of the entropy bonus."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, n_steps=2, n_epochs=1, ent_coef=0.0)
        check_within(self, "gae_lambda", 0.0, 1.0)
        least = self.n_steps * self.n_envs * self.n_segments
        if self.total_timesteps < least:
            raise UsageError(
                f"total_timesteps must be at least {least} for {self.n_segments} segments of "
                f"{self.n_steps} steps in {self.n_envs} environments, got {self.total_timesteps}"
            )


PRESETS = {
    "demo": PPOConfig(share_synthetic=1.0, datasets=()),
    "thorough": PPOConfig(total_timesteps=131_072, n_segments=16, n_dev_tasks=40),
    "full": PPOConfig(
        **SYNTHETIC_TASKS, total_timesteps=1_024_000, n_segments=8, n_steps=20, gamma=0.8,
        learning_rate=1e-3, batch_size=512, n_epochs=2,
    ),
    "tune": PPOConfig(
        start="lookahead-2026-11-22-b", share_synthetic=1.0, datasets=(), reward="area", gamma=1.0,
        learners=("logistic_regression", "gaussian_nb", "knn"), budget=40, total_timesteps=16_384,
        learning_rate=3e-4, reward_scale=100.0,
    ),
    "smoke": PPOConfig(
        total_timesteps=64, n_segments=2, n_envs=2, n_steps=8, n_dev_tasks=1, budget=4,
        slate_size=8, max_pool=40, net_arch=(8,), batch_size=8, n_epochs=1,
    ),
}  # fmt: skip
"""demo: minutes, on synthetic tasks only. tune: minutes, from the default. full: a million
steps on synthetic tasks alone, minutes. thorough: an hour or two. smoke: learns nothing."""

AGENT = Agent(
    name="ppo",
    summary="MaskablePPO with shared candidate weights",
    config_type=PPOConfig,
    presets=PRESETS,
    learner="agents.ppo.learner:PPOLearner",
    controls=("shuffled_reward", "uncertainty_only"),
)
