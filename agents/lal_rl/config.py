"""LalRlConfig: everything that decides a run; the defaults are the published agent's."""

from dataclasses import dataclass, replace
from typing import Literal

from agents.registry import Agent
from agents.training.config import DataConfig, check_above, check_at_least, check_within
from lal.errors import UsageError

SETS = (
    "adult", "australian", "breast_cancer", "diabetis", "flare_solar", "german", "heart",
    "mushrooms", "waveform", "wdbc",
)  # fmt: skip
"""The ten UCI sets of the paper, as files of a folder."""

FOLDER = "../shared/data/dev"
"""Where the files of these sets lie, unless said otherwise."""


def named_files(folder: str, names: tuple[str, ...] = SETS) -> tuple[str, ...]:
    """Return the data set names of the files of a folder."""
    return tuple(f"file:{folder}/{name}.npz" for name in names)


@dataclass(frozen=True, kw_only=True)
class GameConfig(DataConfig):
    """What learning on the LAL-RL workload has in common, by double DQN or by search."""

    datasets: tuple[str, ...] = ("sklearn:breast_cancer",)
    """Binary data sets to train on: names, suites or folders."""

    hold_out: tuple[str, ...] = ()
    """Data sets, or families, that are left out of these."""

    eval_datasets: tuple[str, ...] = ()
    """Data sets of other families, on which the policy is compared with its controls."""

    n_eval_episodes: int = 512
    """Episodes on each of them; 0: no comparison."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(self, n_eval_episodes=0)


@dataclass(frozen=True, kw_only=True)
class LalRlConfig(GameConfig):
    """Candidate double DQN on the compiled LAL-RL workload.

    Source of the defaults: Konyushkova, Sznitman and Fua (arXiv 1810.04114) and their notebook:
    1000 times (10 episodes, 60 gradient steps of 32) after 128 random episodes and 100 steps. Here
    E episodes run at once and the same number of gradient steps is spread evenly.
    """

    variant: Literal["published", "symmetric"] = "published"
    """What the network sees. published: P(class 0) and mean cosine distances. symmetric: in place
    of P(class 0), 1 - |2 p - 1|, which renaming the classes does not change, and the distances in
    deviations from their mean over the candidates."""

    n_episodes: int = 0
    """Episodes of the whole run; 0: `total_timesteps` decides."""

    gradient_steps_per_episode: float = 6.0
    """Gradient steps for every episode, where `n_episodes` decides."""

    total_timesteps: int = 1_000_000
    """Environment steps of the whole run."""

    n_envs: int = 64
    """Episodes advanced together."""

    gradient_steps: float = 0.27
    """Gradient steps for every environment step."""

    batch_size: int = 32
    """Transitions of a gradient step."""

    learning_rate: float = 1e-3
    """Learning rate of Adam."""

    learning_rate_final: float = 1.0
    """Share of it that is left at the end; it falls in a straight line."""

    tau: float = 0.01
    """Share of the online network that enters the target network after every gradient step."""

    priority_alpha: float = 3.0
    """Transitions are replayed with probability proportional to |TD error| to this power."""

    buffer_size: int = 10_000
    """Transitions kept."""

    learning_starts: int = 128
    """Random episodes before learning."""

    initial_gradient_steps: int = 100
    """Gradient steps on these."""

    exploration_final_eps: float = 0.1
    """Share of random steps at the end; it falls from 1 in a straight line."""

    exploration_fraction: float = 1.0
    """Share of the run after which it has fallen."""

    def __post_init__(self) -> None:
        """Check ranges."""
        super().__post_init__()
        check_at_least(
            self, n_episodes=0, n_envs=1, batch_size=1, gradient_steps=0.0, learning_starts=0,
            gradient_steps_per_episode=0.0, initial_gradient_steps=0, priority_alpha=0.0,
        )  # fmt: skip
        check_above(self, 0.0, "learning_rate", "exploration_fraction")
        for name in ("learning_rate_final", "tau", "exploration_final_eps"):
            check_within(self, name, 0.0, 1.0)
        if self.buffer_size < self.batch_size:
            raise UsageError(
                f"buffer_size must be at least batch_size {self.batch_size}, got {self.buffer_size}"
            )
        if not self.n_episodes and self.total_timesteps < self.n_envs:
            raise UsageError(
                f"total_timesteps must be at least n_envs {self.n_envs}, got {self.total_timesteps}"
            )


OTHERS = (
    "banana", "bace_maccs", "ionosphere", "magic", "parkinsons", "phoneme", "ringnorm", "sonar",
    "spambase", "tic_tac_toe",
)  # fmt: skip
"""Binary sets of the same folder that are of other families."""

PUBLISHED = LalRlConfig(
    datasets=named_files(FOLDER),
    eval_datasets=named_files(FOLDER, OTHERS),
    n_episodes=10_000,
    n_envs=10,
)

PRESETS = {
    "published": PUBLISHED,
    "symmetric": replace(PUBLISHED, variant="symmetric"),
    "demo": LalRlConfig(variant="symmetric", n_episodes=1500, n_envs=10, n_eval_episodes=0),
    "smoke": LalRlConfig(total_timesteps=600, n_envs=10, learning_starts=5, n_eval_episodes=0),
}
"""published, symmetric: 10 000 episodes, seconds. demo: on a bundled set. smoke: learns nothing."""

AGENT = Agent(
    name="lal_rl",
    summary="LAL-RL: double DQN on the number of labels to a target, in compiled kernels",
    config_type=LalRlConfig,
    presets=PRESETS,
    learner="agents.lal_rl.learner:LalRlLearner",
    controls=("shuffled_reward", "uncertainty_only"),
)
