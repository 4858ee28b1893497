"""FastDQNConfig: everything that decides a run; the defaults are the published agent's."""

from dataclasses import dataclass, replace
from typing import Literal

from agents.registry import Agent, TrainConfig

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
class FastDQNConfig(TrainConfig):
    """Candidate double DQN on the compiled LAL-RL workload.

    Source of the defaults: Konyushkova, Sznitman and Fua (arXiv 1810.04114) and their notebook:
    1000 times (10 episodes, 60 gradient steps of 32) after 128 random episodes and 100 steps. Here
    E episodes run at once and the same number of gradient steps is spread evenly.
    """

    datasets: tuple[str, ...] = ("sklearn:breast_cancer",)
    """Binary data sets to train on: names, suites or folders."""

    hold_out: tuple[str, ...] = ()
    """Data sets, or families, that are left out of these."""

    variant: Literal["published", "symmetric"] = "published"
    """What the network sees. published: P(class 0) and mean cosine distances. symmetric: in place
    of P(class 0), 1 - |2 p - 1|, which renaming the classes does not change, and the distances in
    deviations from their mean over the candidates."""

    n_episodes: int = 0
    """Episodes of the whole run; 0: `n_steps` decides."""

    updates_per_episode: float = 6.0
    """Gradient steps for every episode, where `n_episodes` decides."""

    n_steps: int = 1_000_000
    """Environment steps of the whole run."""

    n_envs: int = 64
    """Episodes advanced together."""

    updates_per_step: float = 0.27
    """Gradient steps for every environment step."""

    batch_size: int = 32
    """Transitions of a gradient step."""

    learning_rate: float = 1e-3
    """Of Adam."""

    learning_rate_final: float = 1.0
    """Share of it that is left at the end; it falls in a straight line."""

    polyak: float = 0.01
    """Share of the online network that enters the target network after every gradient step."""

    priority_exponent: float = 3.0
    """Transitions are replayed with probability proportional to |TD error| to this power."""

    buffer_size: int = 10_000
    """Transitions kept."""

    warm_episodes: int = 128
    """Random episodes before learning."""

    warm_updates: int = 100
    """Gradient steps on these."""

    exploration_final: float = 0.1
    """Share of random steps at the end; it falls from 1 in a straight line."""

    exploration_share: float = 1.0
    """Share of the run after which it has fallen."""

    judge_on: tuple[str, ...] = ()
    """Data sets of other families, on which the policy is compared with its controls."""

    n_judged: int = 512
    """Episodes on each of them; 0: none are played."""


OTHERS = (
    "banana", "bace_maccs", "ionosphere", "magic", "parkinsons", "phoneme", "ringnorm", "sonar",
    "spambase", "tic_tac_toe",
)  # fmt: skip
"""Binary sets of the same folder that are of other families."""

PUBLISHED = FastDQNConfig(
    datasets=named_files(FOLDER), judge_on=named_files(FOLDER, OTHERS), n_episodes=10_000, n_envs=10
)

PRESETS = {
    "published": PUBLISHED,
    "symmetric": replace(PUBLISHED, variant="symmetric"),
    "demo": FastDQNConfig(variant="symmetric", n_episodes=1500, n_envs=10, n_judged=0),
    "smoke": FastDQNConfig(n_steps=600, n_envs=10, warm_episodes=5, n_judged=0),
}
"""published, symmetric: 10 000 episodes, seconds. demo: on a bundled set. smoke: learns nothing."""

AGENT = Agent(
    name="lal_rl",
    summary="LAL-RL: double DQN on the number of labels to a target, in compiled kernels",
    config_type=FastDQNConfig,
    presets=PRESETS,
    train_path="agents.lal_rl.agent:train_policy",
    untrained_path="agents.lal_rl.agent:export_untrained",
    controls=("shuffled_reward", "uncertainty_only"),
)
