"""FastDQNConfig: everything that decides a run; the defaults are the published agent's."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FastDQNConfig:
    """Candidate double DQN on the compiled LAL-RL workload.

    Source of the defaults: Konyushkova, Sznitman and Fua (arXiv 1810.04114) and their notebook:
    1000 times (10 episodes, 60 gradient steps of 32) after 128 random episodes and 100 steps. Here
    E episodes run at once and the same number of gradient steps is spread evenly.
    """

    data: tuple[str, ...] = ("sklearn:breast_cancer",)
    """Binary data sets to train on: names, suites or folders."""

    seed: int = 0
    """Names every random stream of the run."""

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

    symmetric: bool = False
    """See 1 - |2 p - 1| in place of P(class 0), so that renaming the classes changes nothing."""
