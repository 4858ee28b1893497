"""PangConfig: everything that decides a run of the policy with weights for every data set."""

from dataclasses import dataclass

from agents.grpo.config import GRPOConfig
from agents.registry import Agent
from agents.training.config import check_at_least
from lal.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class PangConfig(GRPOConfig):
    """Weights of the scorer from an embedding of the data set, after Pang et al. (2018)."""

    embedded: bool = True
    """Whether there is an embedding. False is its ablation: one set of weights for all data sets,
    and no context either."""

    embedding: int = 8
    """Width of the embedding."""

    rank: int = 4
    """Matrices that the weights of the first layer are mixed from, data set by data set."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, embedding=1, rank=1)
        if self.start:
            raise UsageError("the weights are made by a network, not tuned; leave start out")


AGENT = Agent(
    name="pang",
    summary="a policy whose weights are made from an embedding of the data set (Pang et al. 2018)",
    config_type=PangConfig,
    presets={
        "demo": PangConfig(
            total_timesteps=40_960,
            n_segments=4,
            rows=(300, 800),
            n_tasks=24,
            n_dev_tasks=12,
            budget=20,
            max_pool=120,
        ),
        "full": PangConfig(
            total_timesteps=122_880,
            rows=(500, 1500),
            n_segments=6,
            n_dev_tasks=32,
            hold_out=("synthetic:network", "synthetic:tree", "synthetic:xor"),
        ),
        "smoke": PangConfig(
            total_timesteps=128,
            n_segments=2,
            n_envs=4,
            group_size=2,
            n_tasks=2,
            n_dev_tasks=1,
            budget=4,
            slate_size=8,
            max_pool=40,
            rows=(150, 200),
            columns=(2, 6),
            net_arch=(8,),
            batch_size=8,
            n_epochs=1,
            learners=("gaussian_nb",),
            embedding=3,
            rank=2,
        ),
    },
    learner="agents.grpo.pang:PangLearner",
    controls=("shuffled_reward", "uncertainty_only"),
)
"""demo: seconds. full: a minute or two, three families of synthetic data held out. smoke: learns
nothing."""
