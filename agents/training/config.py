"""Configs of training runs: what all agents share, and what those of one kind of task share.

An agent's config inherits from the class whose fields all mean something for it; a field that is
inherited and then refused does not exist. Ranges are checked when a config is made.
Hyperparameters have stable-baselines3's names, those of boosted trees scikit-learn's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lal.data.prior import PriorConfig
from lal.errors import UsageError

Control = Literal["none", "untrained", "shuffled_reward", "shuffled_everywhere", "uncertainty_only"]
"""What a run leaves out.

untrained: all of training; every agent has it. shuffled_reward: rewards or targets are those of
other times (in a regression, of other candidates of the same state). shuffled_everywhere: targets
are those of any other row, which leaves no information at all. uncertainty_only: all inputs but the
model's uncertainty.
"""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What all agents have in common."""

    seed: int = 0
    """Names every random stream of the run."""

    control: Control = "none"
    """none: learn. What a policy achieves under any other is not learning. untrained: random
    weights. shuffled_reward: rewards that were earned at other times. shuffled_everywhere: targets
    of any other row. uncertainty_only: no input but the model's uncertainty. Not every agent has
    every one."""

    def __post_init__(self) -> None:
        """Check ranges; a subclass calls this one first."""

    @property
    def training_size(self) -> Mapping[str, int]:
        """What the whole run learns from, by the names of `lal.policies.card.COUNTS`.

        The card gets the share of it that the policy's checkpoint had seen. Empty: the learner
        writes a count of its own to the card.
        """
        return {}


@dataclass(frozen=True, kw_only=True)
class DataConfig(RunConfig):
    """Agents that learn from real data sets, some families of which are held out."""

    datasets: tuple[str, ...] = ("sklearn:iris", "sklearn:digits")
    """Real data sets to train on, or "suite:NAME" for all of a suite."""

    hold_out: tuple[str, ...] = ("sklearn:wine", "sklearn:breast_cancer", "synthetic:network")
    """Families (or members of them) that are never trained or validated on, real or synthetic."""


@dataclass(frozen=True, kw_only=True)
class PoolConfig(DataConfig):
    """Agents that learn from tasks with a pool: where those tasks come from."""

    share_synthetic: float = 0.7
    """Probability that a training task comes from the synthetic prior."""

    learners: tuple[str, ...] = ("logistic_regression",)
    """Learners that the policy is trained with; drawn uniformly."""

    budget: int = 20
    """Labels that an episode may acquire after its initial labelled set."""

    max_pool: int = 150
    """Largest pool; larger ones are cut at random."""

    candidate_features: tuple[str, ...] = ()
    """Candidate features that the policy sees; none given: the default list."""

    context_features: tuple[str, ...] = ()
    """Context features that the policy sees; none given: the default list."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, budget=1, max_pool=2)
        check_within(self, "share_synthetic", 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class PoolEnvConfig(PoolConfig):
    """Agents that act in ``lal/Pool-v0``, in segments with a validation after each."""

    reward: str = "accuracy_gain"
    """Name of the environment's reward."""

    slate_size: int = 30
    """Rows offered in a training step; the trained policy ranks whole pools."""

    slate_rule: str = "half_uncertain"
    """How the offered rows are drawn: random or half_uncertain."""

    rows: tuple[int, int] = PriorConfig.rows
    """Smallest and largest number of rows of a synthetic data set."""

    columns: tuple[int, int] = PriorConfig.columns
    """Smallest and largest number of columns of a synthetic data set."""

    rare: float = PriorConfig.rare
    """Share of synthetic data sets that have rare classes."""

    reward_share: float = 0.4
    """Share of the rows that rewards are measured on; gains of one label are small, so many."""

    n_tasks: int = 48
    """Tasks drawn at a time."""

    episodes_per_task: int = 16
    """Episodes that play a task, on average, before fresh ones are drawn; drawing takes time."""

    n_envs: int = 8
    """Environments that are stepped together."""

    total_timesteps: int = 4000
    """Environment steps of the whole run."""

    n_segments: int = 4
    """Parts of the run; after each there is a validation and a checkpoint to resume from."""

    n_dev_tasks: int = 10
    """Training-side tasks on which the best policy is chosen (on their reward part)."""

    net_arch: tuple[int, ...] = (32, 32)
    """Widths of the hidden layers."""

    learning_rate: float = 1e-3
    """Learning rate of Adam."""

    gamma: float = 0.5
    """Discount; 0 only looks at the next label."""

    batch_size: int = 64
    """Transitions of a gradient step."""

    reward_scale: float = 20.0
    """Rewards are multiplied by it before learning; gains of accuracy are small numbers."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_within(self, "rare", 0.0, 1.0)
        check_at_least(
            self, total_timesteps=1, n_segments=1, n_envs=1, slate_size=2, batch_size=1,
            n_dev_tasks=1, n_tasks=1, episodes_per_task=1,
        )  # fmt: skip
        check_above(self, 0.0, "learning_rate", "reward_scale")
        check_within(self, "reward_share", 0.05, 0.95)
        check_within(self, "gamma", 0.0, 1.0)

    @property
    def training_size(self) -> Mapping[str, int]:
        """Episodes, which take `budget` steps each."""
        return {"n_episodes": max(self.total_timesteps // self.budget, 1)}


SYNTHETIC_TASKS: dict[str, Any] = {
    "datasets": (), "share_synthetic": 1.0, "hold_out": (), "rows": (500, 2500),
    "columns": (2, 40), "max_pool": 200, "slate_size": 32, "reward": "mean_accuracy_gain",
    "reward_share": 0.7, "n_envs": 128, "episodes_per_task": 48, "n_dev_tasks": 32,
    "net_arch": (64, 64),
}  # fmt: skip
"""Fields of presets that learn from synthetic tasks alone, a million steps in minutes; rewards are
measured on many rows, because the gain of one label is small."""


@dataclass(frozen=True, kw_only=True)
class FineTuningConfig(PoolEnvConfig):
    """Agents that act in ``lal/Pool-v0`` and may begin from another policy."""

    start: str = ""
    """Policy (shipped name or file) that is fine-tuned: its utility stays in the logits and a
    network that begins at zero is added; features are the policy's. None: from scratch."""

    start_scale: float = 3.0
    """What the start's utility is multiplied by in the logits; larger explores less."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_above(self, 0.0, "start_scale")
        if self.start and (self.candidate_features or self.context_features):
            raise UsageError("the features are those of the start; leave both lists out")
        if self.start and self.control in ("untrained", "uncertainty_only"):
            raise UsageError(f"control {self.control!r} has no meaning with a start; leave one out")


@dataclass(frozen=True, kw_only=True)
class StreamConfig(RunConfig):
    """Agents that decide item by item on a stream."""

    n_items: int = 300
    """Items of a training stream."""

    budget_fraction: float = 0.5
    """Share of a training stream's cost that may be spent; large, so that exploring is not cut."""

    price: float = 0.0
    """What a label costs, in units of the reward."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, n_items=1)
        check_within(self, "budget_fraction", 0.0, 1.0)
        check_at_least(self, price=0.0)


@dataclass(frozen=True, kw_only=True)
class EpisodeConfig(RunConfig):
    """Agents that take gradient steps on batches of whole simulated episodes."""

    gradient_steps: int = 4000
    """Gradient steps of the whole run."""

    n_segments: int = 8
    """Parts of the run, each with a checkpoint."""

    batch_size: int = 50
    """Episodes in a gradient step."""

    learning_rate: float = 1e-3
    """Learning rate of Adam."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, gradient_steps=1, n_segments=1, batch_size=1)
        check_above(self, 0.0, "learning_rate")
        if self.gradient_steps % self.n_segments:
            raise UsageError(
                f"gradient_steps must be a multiple of n_segments ({self.n_segments}), got "
                f"{self.gradient_steps}"
            )

    @property
    def training_size(self) -> Mapping[str, int]:
        """Episodes."""
        return {"n_episodes": self.gradient_steps * self.batch_size}


@dataclass(frozen=True, kw_only=True)
class ClassEpisodeConfig(EpisodeConfig):
    """Agents whose episodes have classes of a bank; see `envs.class_banks`."""

    n_dev_episodes: int = 500
    """Episodes of the bank's validation classes on which the best policy is chosen."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, n_dev_episodes=1)


def check_at_least(config: Any, **least: float) -> None:
    """Refuse fields that are smaller than given.

    Raises:
        UsageError: The first such field.
    """
    for name, low in least.items():
        value = getattr(config, name)
        if not value >= low:
            raise UsageError(f"{name} must be at least {low}, got {value}")


def check_above(config: Any, low: float, *names: str) -> None:
    """Refuse fields that are not greater than `low`.

    Raises:
        UsageError: The first such field.
    """
    for name in names:
        value = getattr(config, name)
        if not value > low:
            raise UsageError(f"{name} must be above {low:g}, got {value}")


def check_within(config: Any, name: str, low: float, high: float) -> None:
    """Refuse a field outside of a closed interval.

    Raises:
        UsageError: It lies outside.
    """
    value = getattr(config, name)
    if not low <= value <= high:
        raise UsageError(f"{name} must lie between {low:g} and {high:g}, got {value}")
