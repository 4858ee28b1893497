"""Did it learn? Labels to the target on sets left out, beside random, untrained and shuffled."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.lal_rl.config import FastDQNConfig
from agents.lal_rl.kernels import DOUBT_ONLY, N_FEATURES, N_HIDDEN, N_JOINT, N_STATE
from agents.lal_rl.network import QNetwork
from agents.lal_rl.train import episode_lengths, view_of
from lal.arrays import Floats, Ints
from lal.rng import integer_seed

N_SAMPLES = 2000
"""Resamples of the episodes for an interval."""

NEEDED = ("random", "untrained", "shuffled")
"""Opponents that a policy which learned is ahead of."""


def doubt_network() -> QNetwork:
    """Return the network that asks for what is least certain, given symmetric inputs."""
    joint = np.zeros((N_HIDDEN + N_FEATURES, N_JOINT), dtype=np.float32)
    joint[N_HIDDEN, 0] = 1.0
    out = np.zeros(N_JOINT, dtype=np.float32)
    out[0] = 1.0
    zeros = [np.zeros(n, dtype=np.float32) for n in (N_HIDDEN, N_JOINT, 1)]
    state = np.zeros((N_STATE, N_HIDDEN), dtype=np.float32)
    return QNetwork(state, zeros[0], joint, zeros[1], out, zeros[2])


def judge(
    config: FastDQNConfig, network: QNetwork, controls: dict[str, list[QNetwork]]
) -> dict[str, Any]:
    """Return the share of labels that the policy saves against each opponent, for its card.

    Args:
        config: The sets and the number of episodes; what the networks see.
        network: The policy.
        controls: Opponents by name; several copies count with their mean.

    Returns:
        ``"did_it_learn"``: opponent to ``[share, half the width of its 95 % interval]``, one minus
        the geometric mean over the sets of the ratio of mean labels, and ``"learned"``; and what
        was measured.
    """
    view = view_of(config)
    found: dict[str, Any] = {}
    ours: list[Floats] = []
    theirs: dict[str, list[Floats]] = {name: [] for name in ("random", "uncertainty", *controls)}
    for name in config.judge_on:
        ours.append(_lengths(config, name, [network], view))
        theirs["random"].append(_lengths(config, name, [None], 0))
        theirs["uncertainty"].append(_lengths(config, name, [doubt_network()], DOUBT_ONLY))
        for control, copies in controls.items():
            theirs[control].append(_lengths(config, name, copies, view))
    for opponent, lengths in theirs.items():
        percent, low, high = saving(ours, lengths, seed=config.seed)
        found[opponent] = [round(percent / 100, 4), round((high - low) / 200, 4)]
    learned = all(found[name][0] > found[name][1] for name in NEEDED)
    return {
        "did_it_learn": {**found, "learned": learned},
        "measure": "% fewer labels to the target",
        "judged_on": [name.rsplit("/", 1)[-1].removesuffix(".npz") for name in config.judge_on],
    }


def _lengths(
    config: FastDQNConfig, name: str, networks: Sequence[QNetwork | None], view: int
) -> Floats:
    seed = integer_seed(config.seed, "judge", name.rsplit("/", 1)[-1])
    played = [
        episode_lengths(network, name, view=view, n_episodes=config.n_judged, seed=seed)
        for network in networks
    ]
    mean: Floats = np.mean(played, axis=0)
    return mean


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
