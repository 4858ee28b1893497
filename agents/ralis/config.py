"""RalisConfig: everything that decides a run of RALIS."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.registry import Agent
from agents.training.config import RunConfig, check_above, check_at_least, check_within


@dataclass(frozen=True, kw_only=True)
class RalisConfig(RunConfig):
    """Double DQN in ``lal/Regions-v0``."""

    base: str = "logistic_regression"
    """Learner of the class of a pixel."""

    budget: int = 32
    """Regions that are labelled in an episode."""

    regions: int = 4
    """Regions that are labelled together, K: one from each of as many slates."""

    slate_size: int = 20
    """Random regions offered in each, N; the trained policy ranks whole pools."""

    price: float = 0.0
    """What a click takes off the reward, in mean IoU."""

    total_timesteps: int = 3200
    """Regions labelled in the whole run: 100 episodes."""

    n_segments: int = 2
    """Parts of the run; after each there is a validation and a checkpoint to resume from."""

    n_envs: int = 4
    """Environments that are stepped together."""

    n_dev_tasks: int = 6
    """Tasks of textures of their own on whose reward images the best policy is chosen."""

    net_arch: tuple[int, ...] = (64, 32)
    """Widths of the hidden layers."""

    learning_rate: float = 1e-3
    """Learning rate of Adam."""

    gamma: float = 0.9
    """Discount of a step; a batch of K regions has K of them."""

    batch_size: int = 64
    """Transitions of a gradient step."""

    gradient_steps: int = 4
    """Gradient steps after every step of all environments."""

    learning_starts: int = 400
    """Regions labelled at random before learning."""

    buffer_size: int = 4000
    """Transitions kept for replay."""

    target_update_interval: int = 200
    """Regions between copies of the online network into the target network."""

    exploration_fraction: float = 0.6
    """Share of the run over which exploration falls."""

    exploration_final_eps: float = 0.05
    """Share of random steps after that."""

    reward_scale: float = 20.0
    """Rewards are multiplied by it before learning; gains of mean IoU are small numbers."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(
            self, budget=1, regions=1, slate_size=self.regions, n_segments=1, n_envs=1,
            n_dev_tasks=1, batch_size=1, gradient_steps=1, learning_starts=0, buffer_size=1,
            target_update_interval=1, total_timesteps=self.n_segments * self.n_envs, price=0.0,
        )  # fmt: skip
        check_above(self, 0.0, "learning_rate", "reward_scale")
        for name in ("gamma", "exploration_fraction", "exploration_final_eps"):
            check_within(self, name, 0.0, 1.0)

    @property
    def training_size(self) -> Mapping[str, int]:
        """Episodes, which take `budget` steps each."""
        return {"n_episodes": max(self.total_timesteps // self.budget, 1)}


PRESETS = {
    "demo": RalisConfig(),
    "smoke": RalisConfig(
        budget=4, regions=2, slate_size=4, total_timesteps=16, n_envs=2, n_dev_tasks=1,
        net_arch=(8,), batch_size=4, learning_starts=4, buffer_size=100,
    ),
}  # fmt: skip
"""demo: about two minutes on two cores. smoke: seconds, learns nothing."""

AGENT = Agent(
    name="ralis",
    summary="RALIS: double DQN over random candidate regions of images",
    config_type=RalisConfig,
    presets=PRESETS,
    learner="agents.ralis.learner:RalisLearner",
)
"""The learner of RALIS; see `agents.training.trainer` for the run around it."""
