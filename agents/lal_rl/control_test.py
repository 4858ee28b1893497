"""Did it learn? Labels to the target on sets left out, compared with controls."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from agents.lal_rl.config import GameConfig
from agents.lal_rl.kernels import N_FEATURES, N_HIDDEN, N_JOINT, N_STATE
from agents.lal_rl.network import QNetwork
from lal.arrays import Floats, Ints
from lal.evaluation.analysis.control_tests import passes_controls
from lal.rng import integer_seed

Play = Callable[[str, int], Floats]
"""Name of a data set and a seed to the labels of its episodes, shape (n,); a seed pairs them."""

N_SAMPLES = 2000
"""Resamples of the episodes for an interval."""

NEEDED = ("random", "untrained", "shuffled")
"""Opponents that a policy which learned is ahead of."""


def uncertainty_network() -> QNetwork:
    """Return the network that asks for what is least certain, given symmetric inputs."""
    joint = np.zeros((N_HIDDEN + N_FEATURES, N_JOINT), dtype=np.float32)
    joint[N_HIDDEN, 0] = 1.0
    out = np.zeros(N_JOINT, dtype=np.float32)
    out[0] = 1.0
    zeros = [np.zeros(n, dtype=np.float32) for n in (N_HIDDEN, N_JOINT, 1)]
    state = np.zeros((N_STATE, N_HIDDEN), dtype=np.float32)
    return QNetwork(state, zeros[0], joint, zeros[1], out, zeros[2])


def control_test(config: GameConfig, policy: Play, opponents: Mapping[str, Play]) -> dict[str, Any]:
    """Return the share of labels that the policy saves against each opponent, for its card.

    Args:
        config: The sets and the number of episodes.
        policy: Runs the paired episodes of a set.
        opponents: The same by name, "random" and the controls among them.

    Returns:
        ``"did_it_learn"``: opponent to ``[share, half the width of its 95 % interval]``, one minus
        the geometric mean over the sets of the ratio of mean labels, and ``"learned"``; and what
        was measured.
    """
    sets = [
        (name, integer_seed(config.seed, "judge", _short(name))) for name in config.eval_datasets
    ]
    ours = [policy(name, seed) for name, seed in sets]
    found: dict[str, Any] = {}
    for opponent, play in opponents.items():
        theirs = [play(name, seed) for name, seed in sets]
        percent, low, high = saving(ours, theirs, seed=config.seed)
        found[opponent] = [round(percent / 100, 4), round((high - low) / 200, 4)]
    learned = passes_controls({name: f[0] - f[1] for name, f in found.items()}, NEEDED)
    return {
        "did_it_learn": {**found, "learned": learned},
        "measure": "% fewer labels to the target",
        "judged_on": [_short(name).removesuffix(".npz") for name in config.eval_datasets],
    }


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def mean_lengths(plays: Sequence[Play]) -> Play:
    """Return what runs the mean of several copies."""

    def play(name: str, seed: int) -> Floats:
        mean: Floats = np.mean([one(name, seed) for one in plays], axis=0)
        return mean

    return play


def saving(
    ours: Sequence[Floats | Ints], theirs: Sequence[Floats | Ints], *, seed: int = 0
) -> list[float]:
    """Return 100 (1 - geometric mean over sets of mean ours / mean theirs), with its interval.

    Args:
        ours: Labels of the paired episodes of every set.
        theirs: The opponent's.
        seed: Of the resampling of episodes, whole pairs at a time.

    Returns:
        Percent, and the 2.5 % and 97.5 % quantiles of its resamples.
    """
    rng = np.random.default_rng(seed)
    logs = np.zeros(N_SAMPLES + 1)
    for mine, other in zip(ours, theirs, strict=True):
        n = len(mine)
        counts = rng.multinomial(n, np.full(n, 1.0 / n), size=N_SAMPLES)
        weights = np.concatenate([np.ones((1, n)), counts])
        logs += np.log(weights @ mine) - np.log(weights @ other)
    percents = 100.0 * (1.0 - np.exp(logs / len(ours)))
    low, high = np.quantile(percents[1:], (0.025, 0.975))
    return [round(float(value), 2) for value in (percents[0], low, high)]
