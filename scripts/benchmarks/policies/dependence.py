"""Partial dependence of a policy: what it likes in a row, early and late.

``python -m scripts.benchmark dependence --policy default --picture docs/results/dependence.png``
runs the policy on a suite in the compiled simulator, keeps the rows it was offered, then sets one
feature of all rows to a value and averages the utility, for ten values of every feature. Features
that go together (margin and its rank) are moved one by one, so read shapes, not sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats
from lal.data.suites import load_suite
from lal.learners import make_learner
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.registry import require
from lal.task import Task
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Results

STAGES = ((2, 6), (7, 20), (21, 100))
"""Numbers of labels, both included, that are shown apart."""

N_VALUES = 10
"""Quantiles of a feature that its values are set to."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which policy, on what, and where the picture goes."""

    policy: str = "default"
    """Shipped name or file."""

    suites: tuple[str, ...] = ("bundled",)
    """Suites or folders with a manifest."""

    learners: tuple[str, ...] = ("logistic_regression", "gaussian_nb")
    """Learners with a kernel."""

    runs: int = 4
    """Runs of every data set and learner."""

    budget: int = 60
    """Labels after the start."""

    max_pool: int = 150
    """Larger pools are cut at random."""

    n_states: int = 150
    """States kept of every stage."""

    n_shown: int = 9
    """Features in the picture, the most moving first."""

    picture: Path | None = None
    """PNG file; none: the table alone."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Rows that a policy was offered in one state: candidates (K, F), context (G,)."""

    candidates: Floats
    context: Floats


def run(config: Config, results: Results) -> None:
    """Add, by feature, the range of the mean utility in every stage, and draw the shapes."""
    require("numba", "fast")
    policy = load_as(PoolPolicy, config.policy)
    stages = collect(policy, config)
    shapes = {
        name: [dependence(policy, states, column) for states in stages]
        for column, name in enumerate(policy.candidate_features)
    }
    ranges = {
        name: [float(np.ptp(mean)) if len(mean) else 0.0 for _, mean in found]
        for name, found in shapes.items()
    }
    order = sorted(ranges, key=lambda name: -sum(ranges[name]))
    results.note("range of the mean utility, in standard deviations of it within a state")
    heads = [f"{low}-{high} labels" for low, high in STAGES]
    for name in order:
        values = [f"{value:.2f}" for value in ranges[name]]
        results.add("dependence", {"feature": name, **dict(zip(heads, values, strict=True))})
    if config.picture is not None:
        _draw(shapes, order[: config.n_shown], config.picture)


def collect(policy: PoolPolicy, config: Config) -> list[list[Kept]]:
    """Return the states met, by stage, at most `n_states` of each, drawn by a fixed seed."""
    found: list[list[Kept]] = [[] for _ in STAGES]
    for learner in config.learners:
        _collect(policy, draw_tasks(config, learner), found)
    rng = np.random.default_rng(0)
    return [
        [states[i] for i in rng.permutation(len(states))[: config.n_states]] for states in found
    ]


def _collect(policy: PoolPolicy, tasks: Sequence[Task], found: list[list[Kept]]) -> None:
    """Let the policy run on tasks and keep what it is offered, by stage."""
    from envs.simulator.pool import PoolSimulator
    from envs.simulator.rankers import View, policy_ranker
    from envs.simulator.rollout import play

    simulator = PoolSimulator(
        tasks, len(tasks), slate_size=max(len(task.pool) for task in tasks), slate_rule="random",
        candidate_features=policy.candidate_features, context_features=policy.context_features,
    )  # fmt: skip
    simulator.reset(tasks=np.arange(len(tasks)))
    rank, view = policy_ranker(policy), View(simulator, slice(None), ())

    def utilities(alive: NDArray[np.bool_]) -> NDArray[Any]:
        for e in np.flatnonzero(alive):
            for stage, (low, high) in enumerate(STAGES):
                if low <= view.n_labelled[e] <= high:
                    rows = view.candidates[e, view.mask[e]].astype(np.float64)
                    found[stage].append(Kept(rows, view.context[e].astype(np.float64)))
        return rank(view)

    for _ in play(simulator, utilities):
        pass


def draw_tasks(config: Config, learner: str) -> list[Task]:
    """Return the tasks of a learner, half of the rows of a data set each, small pools first."""
    found = []
    for dataset in (d for name in config.suites for d in load_suite(name)):
        for number in range(config.runs):
            task = make_task(
                dataset, make_learner(learner), seed=number, budget=1, reward_share=0.5,
                test_share=0.0, max_pool=config.max_pool,
            )  # fmt: skip
            found.append(replace(task, budget=max(1, min(config.budget, len(task.pool) // 2))))
    return sorted(found, key=lambda task: len(task.pool))


def dependence(
    policy: PoolPolicy, states: Sequence[Kept], column: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values of a feature and the mean utility there, minus its mean over all values.

    Utilities are measured in their standard deviation among the rows of a state.
    """
    if not states:
        return np.zeros(0), np.zeros(0)
    pooled = np.concatenate([state.candidates[:, column] for state in states])
    values = np.unique(np.quantile(pooled, np.linspace(0.02, 0.98, N_VALUES)))
    means = np.zeros(len(values))
    for state in states:
        spread = max(float(_utilities(policy, state.candidates, state.context).std()), 1e-9)
        for i, value in enumerate(values):
            moved = state.candidates.copy()
            moved[:, column] = value
            means[i] += _utilities(policy, moved, state.context).mean() / spread
    means /= len(states)
    return values, means - means.mean()


def _utilities(policy: PoolPolicy, candidates: Floats, context: Floats) -> Floats:
    return policy.scorer.run({"candidates": candidates, "context": context})


def _draw(
    shapes: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]],
    names: Sequence[str],
    path: Path,
) -> None:
    plt = require("matplotlib.pyplot", "report")
    n_rows = -(-len(names) // 3)
    figure, axes = plt.subplots(n_rows, 3, figsize=(9, 2.3 * n_rows), squeeze=False)
    marks = zip(("o", "s", "^"), ("#0072b2", "#d55e00", "#009e73"), strict=True)
    styles = list(marks)
    for axis, name in zip(axes.flat, names, strict=False):
        for (values, mean), (low, high), (mark, colour) in zip(
            shapes[name], STAGES, styles, strict=True
        ):
            axis.plot(
                values, mean, marker=mark, color=colour, markersize=3, label=f"{low}-{high} labels"
            )
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
    for axis in list(axes.flat)[len(names) :]:
        axis.set_visible(False)
    axes[0][0].legend(fontsize=7)
    figure.supylabel("mean utility, in spreads within a state", fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)


main = Benchmark("dependence", Config, run)
