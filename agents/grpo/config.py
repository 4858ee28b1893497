"""GRPOConfig: everything that decides a run of the GRPO agent."""

from dataclasses import dataclass

from agents.registry import Agent
from agents.training.config import FineTuningConfig, check_above, check_at_least
from lal.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class GRPOConfig(FineTuningConfig):
    """Group-relative policy optimisation: a clipped policy gradient without a critic.

    A group of episodes runs the same task from the same initial labelled set; the baseline of each
    is the mean of the others (Shao et al., arXiv 2402.03300; leave-one-out: Ahmadian et al.,
    arXiv 2402.14740).
    """

    datasets: tuple[str, ...] = ()
    """Real data sets to train on, or "suite:NAME" for all of a suite; none: synthetic tasks."""

    share_synthetic: float = 1.0
    """Probability that a training task comes from the synthetic prior."""

    hold_out: tuple[str, ...] = ()
    """Families (or members of them) that are never trained or validated on, real or synthetic."""

    max_pool: int = 200
    """Largest pool; larger ones are cut at random."""

    rows: tuple[int, int] = (800, 2500)
    """Smallest and largest number of rows of a synthetic data set."""

    columns: tuple[int, int] = (2, 40)
    """Smallest and largest number of columns of a synthetic data set."""

    reward_share: float = 0.7
    """Share of the rows that rewards are measured on; gains of one label are small, so many."""

    reward: str = "mean_accuracy_gain"
    """Name of the environment's reward."""

    slate_size: int = 32
    """Rows offered in a training step; the trained policy ranks whole pools."""

    n_envs: int = 128
    """Environments that are stepped together."""

    episodes_per_task: int = 48
    """Episodes that play a task, on average, before fresh ones are drawn; drawing takes time."""

    group_size: int = 8
    """Environments with the same task and initial labelled set; n_envs is a multiple of it."""

    total_timesteps: int = 1_024_000
    """Environment steps of the whole run."""

    n_segments: int = 8
    """Parts of the run; after each there is a validation and a checkpoint to resume from."""

    n_dev_tasks: int = 32
    """Training-side tasks on which the best policy is chosen (on their reward part)."""

    net_arch: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers."""

    learning_rate: float = 1e-3
    """Learning rate of Adam; falls linearly to a twentieth."""

    gamma: float = 0.8
    """Discount of the rewards to go; 0 only looks at the next label."""

    batch_size: int = 512
    """Steps of a gradient step."""

    n_epochs: int = 2
    """Passes over the steps between two rollouts."""

    clip_range: float = 0.2
    """How far the probability ratio may move before its gradient is cut."""

    ent_coef: float = 0.003
    """Weight of the entropy bonus."""

    max_grad_norm: float = 0.5
    """Longest gradient."""

    kl_coef: float = 0.0
    """Weight of the divergence from the start policy."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, group_size=2, n_epochs=1, ent_coef=0.0, kl_coef=0.0)
        check_above(self, 0.0, "clip_range", "max_grad_norm")
        if self.n_envs % self.group_size:
            raise UsageError(
                f"n_envs must be a multiple of group_size ({self.group_size}), got {self.n_envs}"
            )
        least = self.n_segments * self.n_envs * self.budget
        if self.total_timesteps < least:
            raise UsageError(
                f"total_timesteps must be at least {least} (whole episodes of {self.budget} labels "
                f"in {self.n_envs} environments, {self.n_segments} segments), got "
                f"{self.total_timesteps}"
            )
        if self.kl_coef and not self.start:
            raise UsageError("kl_coef needs a start policy to stay near to; name one or leave it 0")


LEARNERS = ("logistic_regression", "logistic_regression", "random_forest", "gaussian_nb", "knn")

PRESETS = {
    "demo": GRPOConfig(
        learners=("logistic_regression", "gaussian_nb"), rows=(500, 1500), n_dev_tasks=24,
        n_epochs=1,
    ),
    "full": GRPOConfig(
        budget=100, max_pool=300, rows=(1200, 3000), total_timesteps=512_000,
        episodes_per_task=8, n_dev_tasks=64,
    ),
    "tune": GRPOConfig(
        start="lookahead-2026-11-22-b", learners=LEARNERS, budget=60, max_pool=300,
        rows=(1200, 3000), total_timesteps=5_000_000, n_segments=20, learning_rate=3e-4,
        kl_coef=0.02,
    ),
    "smoke": GRPOConfig(
        total_timesteps=128, n_segments=2, n_envs=4, group_size=2, n_tasks=2, n_dev_tasks=1,
        budget=4, slate_size=8, max_pool=40, rows=(150, 200), columns=(2, 6), net_arch=(8,),
        batch_size=8, n_epochs=1, learners=("gaussian_nb",),
    ),
}  # fmt: skip
"""demo: three minutes or so on two cores. full: three minutes, from scratch, for logistic
regression and budgets of a hundred labels. tune: an hour, from the default. smoke: seconds."""

AGENT = Agent(
    name="grpo",
    summary="group-relative clipped policy gradient on paired episodes, without a critic",
    config_type=GRPOConfig,
    presets=PRESETS,
    learner="agents.grpo.learner:GRPOLearner",
    controls=("shuffled_reward", "uncertainty_only"),
)
