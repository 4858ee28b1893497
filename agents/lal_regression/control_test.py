"""Did it learn? Learning curves of a policy compared with random and with its controls."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from agents.lal_regression.config import LalConfig
from agents.lal_regression.controls import NEEDED
from agents.lal_regression.folding import FOLDED, fold, unfolded
from agents.lal_regression.rankers import Ranker, stacked
from agents.lal_regression.rows import play
from agents.lal_regression.tasks import GainTask, make_sampler
from agents.lal_regression.validation import Advantage
from lal.arrays import Floats
from lal.evaluation.analysis.control_tests import passes_controls
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator


def control_test(
    config: LalConfig,
    policy: PoolPolicy,
    controls: dict[str, list[PoolPolicy]],
    *,
    note: Callable[[str], Any] = lambda line: None,
) -> dict[str, Any]:
    """Return paired differences of areas, policy minus each opponent, on fresh tasks.

    Args:
        config: Kind and number (`n_dev_tasks`) of tasks.
        policy: The policy under test.
        controls: Opponents by name; several copies count with their mean.
        note: Called with a line per opponent.

    Returns:
        Opponent to ``[mean, half-width of the 95 % interval]``, and ``"learned"``: whether the
        intervals of the opponents that count (`agents.lal_regression.controls.NEEDED`) lie above 0.
    """
    sampler = make_sampler(config)
    tasks = [sampler(generator(config.seed, "lal_dev", i)) for i in range(config.n_dev_tasks)]
    n_labels = config.last_size + 1
    ours = areas(tasks, "ranker", n_labels, [policy], n_trees=config.n_trees)
    opponents = {
        rule: areas(tasks, rule, n_labels, n_trees=config.n_trees)
        for rule in ("random", "uncertainty")
    }
    for name, copies in controls.items():
        opponents[name] = areas(tasks, "ranker", n_labels, copies, n_trees=config.n_trees)
    found: dict[str, Any] = {}
    for name, theirs in opponents.items():
        difference = Advantage.from_values(ours - theirs)
        found[name] = [difference.mean, difference.half_width]
        note(f"area minus {name}: {difference}")
    learned = passes_controls({name: f[0] - f[1] for name, f in found.items()}, NEEDED)
    return {**found, "learned": learned}


def areas(
    tasks: Sequence[GainTask],
    rule: str,
    n_labels: int,
    copies: Sequence[PoolPolicy] = (),
    *,
    n_trees: int = 50,
) -> Floats:
    """Return the mean accuracy over 2 to `n_labels` labels of every task, shape (tasks,).

    Args:
        tasks: What is run.
        rule: ``"random"``, ``"uncertainty"`` or ``"ranker"``.
        n_labels: Labels at the end.
        copies: Policies, for ``"ranker"``; their mean is returned.
        n_trees: Trees of the learner.
    """
    rankers: list[Ranker | None] = [get_ranker(policy) for policy in copies] or [None]
    curves = [
        [play(task, rule, n_labels, n_trees=n_trees, ranker=r).mean() for r in rankers]
        for task in tasks
    ]
    means: Floats = np.mean(curves, axis=1)
    return means


def get_ranker(policy: PoolPolicy) -> Ranker:
    """Return a policy's trees as the kernels walk them."""
    trees = {name.removeprefix("trees."): tensor for name, tensor in policy.tensors.items()}
    return stacked([unfolded(trees) if policy.candidate_features == (FOLDED,) else trees])


def predictions(policy: PoolPolicy, features: Floats) -> Floats:
    """Return what a policy predicts from the published features, shape (n, 8): shape (n,)."""
    seen = fold(features) if policy.candidate_features == (FOLDED,) else features
    return policy.scorer.run({"candidates": seen, "context": np.zeros(0)})
