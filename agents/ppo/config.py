"""PPOConfig: everything that decides a run of the PPO agent."""

from dataclasses import dataclass

from agents.registry import Agent, TrainConfig


@dataclass(frozen=True, kw_only=True)
class PPOConfig(TrainConfig):
    """Proximal policy optimisation over slates of candidates, closed slots masked."""

    start: str = ""
    """Policy (shipped name or file) that is fine-tuned: its utility stays in the logits and a
    network that begins at zero is added; features are the policy's. None: from nothing."""

    start_scale: float = 3.0
    """What the start's utility is multiplied by in the logits; larger explores less."""

    reward: str = "accuracy_gain"
    """Name of the environment's reward."""

    slate_size: int = 30
    """Rows offered in a training step; the trained policy ranks whole pools."""

    slate_rule: str = "half_uncertain"
    """How the offered rows are drawn: random or half_uncertain."""

    n_steps: int = 8192
    """Environment steps of the whole run."""

    n_segments: int = 4
    """Parts of the run; after each there is a validation and a checkpoint to resume from."""

    n_envs: int = 8
    """Environments that are stepped together."""

    rollout: int = 64
    """Steps of every environment between two updates."""

    net_arch: tuple[int, ...] = (32, 32)
    """Widths of the hidden layers of the scorer."""

    learning_rate: float = 1e-3
    """Of Adam."""

    gamma: float = 0.5
    """Discount; 0 only looks at the next label."""

    gae_lambda: float = 0.9
    """Of generalised advantage estimation."""

    batch_size: int = 128
    """Steps of a gradient step."""

    n_epochs: int = 6
    """Passes over every rollout."""

    entropy: float = 0.003
    """Weight of the entropy bonus."""

    reward_scale: float = 20.0
    """Rewards are multiplied by it; gains of accuracy are small numbers."""


PRESETS = {
    "demo": PPOConfig(share_synthetic=1.0, datasets=()),
    "thorough": PPOConfig(n_steps=131_072, n_segments=16, n_dev_tasks=40),
    "tune": PPOConfig(
        start="lookahead-2026-11-22-b", share_synthetic=1.0, datasets=(), reward="area", gamma=1.0,
        learners=("logistic_regression", "gaussian_nb", "knn"), budget=40, n_steps=16_384,
        learning_rate=3e-4, reward_scale=100.0,
    ),
    "smoke": PPOConfig(
        n_steps=64, n_segments=2, n_envs=2, rollout=8, n_dev_tasks=1, budget=4, slate_size=8,
        max_pool=40, net_arch=(8,), batch_size=8, n_epochs=1,
    ),
}  # fmt: skip
"""demo: minutes, on synthetic tasks only. tune: minutes, from the default. thorough: an hour
or two. smoke: learns nothing."""

AGENT = Agent(
    name="ppo",
    summary="MaskablePPO with shared candidate weights",
    config_type=PPOConfig,
    presets=PRESETS,
    train_path="agents.ppo.train:train",
    untrained_path="agents.ppo.train:export_untrained",
    controls=("shuffled_reward", "uncertainty_only"),
)
