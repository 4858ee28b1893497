"""How good a version is: what its picks gain on held-out states, and whole episodes beside margin.

R2 and the loss mislead: most candidates are alike, and only the first of a ranking is acquired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agents.imitation.config import ImitationConfig
from agents.imitation.fit import get_set
from agents.imitation.states import States, pick_gains
from agents.training.intervals import mean_interval
from agents.training.prior_tasks import prior_tasks
from agents.training.tasks import feature_lists
from envs.simulator.rankers import margin, policy_ranker
from envs.simulator.rollout import rollout
from envs.simulator.scoring import SlateBatch, score_slates
from lal.arrays import Floats, Ints
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator, integer_seed

PHASES: Mapping[str, tuple[int, int]] = {
    "all": (0, 10_000), "to 8": (0, 8), "9 to 32": (9, 32), "from 33": (33, 10_000)
}  # fmt: skip
"""Parts of an episode, by labels acquired."""

TOGETHER = 24
"""Tasks run side by side."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """States that nothing was fitted to, and the block that each comes from, (S,)."""

    states: States
    block: Ints


def score_states(policy: PoolPolicy, states: States, held: Sequence[str] | None = None) -> Floats:
    """Return a policy's utilities of all slots, shape (S, K), 0 where there is no candidate.

    A policy that reads the reference set is given the half of each candidate set that stands for it
    in training.

    Args:
        policy: The policy.
        states: The states.
        held: Ids of the candidate features that the states hold; None: those of the policy.
    """
    held = list(held or policy.candidate_features)
    in_set = get_set(states, held.index("margin@1")) > 0
    rows = states.candidates[:, :, [held.index(name) for name in policy.candidate_features]]
    return score_slates(policy.scorer, SlateBatch(rows, states.context, states.mask, rows, in_set))


def pick_table(
    held_out: HeldOut, versions: Mapping[str, Floats], config: ImitationConfig
) -> dict[str, dict[str, list[float]]]:
    """Return pick advantages over the mean candidate by version and phase: mean, low, high.

    Args:
        held_out: The states; intervals are over their blocks.
        versions: Utilities by name, shape (S, K).
        config: Of the run.
    """
    table: dict[str, dict[str, list[float]]] = {}
    n = held_out.states.n_labelled
    for name, utilities in versions.items():
        gains = pick_gains(held_out.states, utilities, config.balanced_share)
        table[name] = {}
        for phase, (low, high) in PHASES.items():
            there = (n >= low) & (n <= high)
            if there.any():
                means = block_means(gains[there], held_out.block[there])
                table[name][phase] = list(mean_interval(means))
    return table


def block_means(values: Floats, block: Ints) -> Floats:
    """Return the mean of every block's values, in the order of the blocks."""
    names = np.unique(block)
    means: Floats = np.array([values[block == b].mean() for b in names])
    return means


def play_check(policy: PoolPolicy, config: ImitationConfig) -> dict[str, Any]:
    """Return areas over margin and over a baseline on synthetic tasks, with paired intervals.

    Whole pools of at most 150 rows; accuracy and balanced accuracy mixed as in the gains.
    """
    margins, baseline, own = check_areas([load_as(PoolPolicy, config.baseline), policy], config)
    return {
        "n_tasks": config.check_tasks,
        "over_margin": mean_interval(own - margins),
        "baseline_over_margin": mean_interval(baseline - margins),
        "over_baseline": mean_interval(own - baseline),
    }


def check_areas(policies: Sequence[PoolPolicy], config: ImitationConfig) -> Floats:
    """Return the areas of margin, then of each policy, on the tasks of the check, shape (P, T)."""
    tasks = _check_tasks(config)
    features = feature_lists(config)
    rankers = [margin, *(policy_ranker(p, np.float32) for p in policies)]
    parts = [
        rollout(
            tasks[i : i + TOGETHER], rankers, features=features, slate_size=150,
            seed=integer_seed(0, "check_starts", i),
        )
        for i in range(0, len(tasks), TOGETHER)
    ]  # fmt: skip
    return np.concatenate([part.mixed_areas(config.balanced_share) for part in parts], axis=1)


def _check_tasks(config: ImitationConfig) -> list[Any]:
    """Return tasks of the training prior, from a stream of their own that no seed changes."""
    small = replace(config, budget=config.check_budget, max_pool=150)
    draw = prior_tasks(small, config.check_budget)
    return [draw(generator(0, "imitation_check", i)) for i in range(config.check_tasks)]
