"""Control policies for LAL: shuffled targets, uncertainty only, untrained.

Gains shuffled over all rows keep nothing. Gains shuffled within a task keep the task's mean, and
the first two features go with it: tasks in which labels pay hold more uncertain rows, so such a
copy still comes to prefer uncertain rows. Both are trained on shuffled targets, and a policy which
learned is ahead of both.
"""

from dataclasses import replace

import numpy as np

from agents.lal_regression.config import LalConfig
from agents.lal_regression.fits import card, fit_boosted, make_policy, training_data
from agents.lal_regression.folding import fold
from agents.lal_regression.rows import GainRows, make_rows
from agents.training.config import Control
from lal.arrays import Floats
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator

N_COPIES = {"shuffled": 3, "shuffled_within_tasks": 3, "uncertainty_only": 1, "untrained": 5}
"""Copies of every control, whose mean a policy is compared with."""

NEEDED = ("random", "untrained", "shuffled", "shuffled_within_tasks")
"""Opponents that a policy which learned is ahead of."""


def seen_by(config: LalConfig, rows: GainRows) -> tuple[Floats, Floats]:
    """Return the features and targets that a run under the config's control is fitted to."""
    return inputs_under(config, rows, config.control, 0)


def inputs_under(
    config: LalConfig, rows: GainRows, control: Control, copy: int
) -> tuple[Floats, Floats]:
    """Return the features and targets of the given copy of a control, shapes (n, 8) and (n,)."""
    features = fold(rows.features) if config.folded else rows.features
    if control == "uncertainty_only":
        alone = np.zeros_like(features)  # trees never split a constant column
        alone[:, 0] = features[:, 0]
        return alone, rows.gains
    if control == "none":
        return features, rows.gains
    within = control == "shuffled_reward"
    return features, shuffled_targets(config, rows, within=within, copy=copy)


def shuffled_targets(
    config: LalConfig, rows: GainRows, *, within: bool = True, copy: int = 0
) -> Floats:
    """Return the gains permuted within every task, or over all rows."""
    stream = ("shuffle",) if within and copy == 0 else ("shuffle", int(within), copy)
    keys = generator(config.seed, *stream).random(len(rows.gains))
    order = np.lexsort((keys, rows.task)) if within else np.argsort(keys)
    shuffled: Floats = rows.gains[order]
    return shuffled


def controls(config: LalConfig, rows: GainRows) -> dict[str, list[PoolPolicy]]:
    """Return copies to beat, by kind; every one but the untrained ones is fitted to all rows."""
    kinds: dict[str, Control] = {
        "shuffled": "shuffled_everywhere",
        "shuffled_within_tasks": "shuffled_reward",
        "uncertainty_only": "uncertainty_only",
    }
    found = {
        name: [_fitted(config, rows, kind, i) for i in range(N_COPIES[name])]
        for name, kind in kinds.items()
    }
    few = replace(config, n_tasks=min(config.n_tasks, 100))
    return {**found, "untrained": untrained(few, N_COPIES["untrained"])}


def _fitted(config: LalConfig, rows: GainRows, kind: Control, copy: int) -> PoolPolicy:
    boosted = fit_boosted(config, *inputs_under(config, rows, kind, copy))
    return make_policy(config, boosted, {"control": kind})


def untrained(config: LalConfig, n: int) -> list[PoolPolicy]:
    """Return `n` ensembles of the same shape, fitted to noise on the features of one size."""
    rows = make_rows(config, config.first_size)
    features = inputs_under(config, rows, "none", 0)[0]
    about = {**card(config, training_data(config)), "control": "untrained"}
    policies = []
    for i in range(n):
        noise = generator(config.seed, "untrained", i).normal(size=len(rows.gains))
        policy = make_policy(config, fit_boosted(config, features, noise), about)
        policies.append(replace(policy, name=f"{policy.name}-untrained-{i}"))
    return policies
