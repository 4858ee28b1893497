"""Policies on every data set of some folders, played side by side in the compiled simulator.

``python -m scripts.benchmark panel --policies default --suites ../shared/data/dev`` answers in
minutes what the evaluation over scikit-learn answers in hours: for choosing between versions and
for many runs of the learners that have kernels. Half of the rows are the pool, half are measured
on; the start is random labels until two classes are seen. Finished parts are kept in ``--out``.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats
from lal.curve import aubc
from lal.data.dataset import Dataset
from lal.errors import DataError, UsageError
from lal.evaluation.analysis.bootstrap import bootstrap_interval
from lal.evaluation.analysis.metrics import area_from
from lal.evaluation.analysis.summary import format_summary, summarise
from lal.evaluation.analysis.tables import cell_rows, paired
from lal.evaluation.runs.cells import DONE
from lal.evaluation.runs.methods import families_seen
from lal.learners import make_learner
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.policies.scoring.scorer import run as run_program
from lal.registry import require
from lal.serialization import config_hash, read_json, write_json
from lal.task import Task
from scripts.benchmarks.policies.panel_parts import write_panel
from scripts.benchmarks.policies.panel_rules import RULES, Ranker, chance, margin, rule
from scripts.entry import flags_of, run_main
from scripts.provenance import git_state

METRICS = ("accuracy", "balanced_accuracy")

MEAN_UNTRAINED = "mean of the untrained"


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is played, and by whom."""

    policies: tuple[str, ...] = ("default",)
    """Shipped names, files, or LABEL=NAME_OR_FILE."""

    suites: tuple[str, ...] = ("bundled",)
    """Suites or folders with a manifest."""

    datasets: tuple[str, ...] = ()
    """Only these, by name; none named: all."""

    learners: tuple[str, ...] = ("logistic_regression", "random_forest", "knn", "gaussian_nb")
    """Learners with a kernel."""

    rules: tuple[str, ...] = RULES
    """Hand-written rules beside margin and random."""

    runs: int = 3
    """Paired runs (split and start) of every data set and learner."""

    first_run: int = 0
    """Number of the first run; other numbers are other splits."""

    budget: int = 100
    """Labels after the start; at most half of the pool."""

    max_pool: int = 300
    """Larger pools are cut at random, by class."""

    together: int = 48
    """Episodes side by side."""

    out: Path = Path("runs/panel")
    """Folder of the finished parts."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is missing and print both tables."""
    return run_main(run, Config, arguments)


def run(config: Config) -> Any:
    """Play, print, and return the table, one row per cell."""
    require("numba", "fast")
    pandas = require("pandas", "tables")
    rankers = rankers_of(config)
    parts = [_part_path(config, one, label).name for one in config.learners for label in rankers]
    write_panel(config.out, manifest(config), parts)
    rows: list[dict[str, Any]] = []
    for learner in config.learners:
        for label, ranker in rankers.items():
            rows += _part(config, learner, label, ranker)
    table = pandas.DataFrame(rows)
    _print_tables(table)
    for label in config.policies:
        _print_sets(table, label.partition("=")[0])
    for first in [label.partition("=")[0] for label in config.policies[:1]]:
        for name, found in learned(table, first).items():
            print(f"{first} minus {name}: {found}")
    return table


def learned(table: Any, label: str) -> dict[str, str]:
    """Return what "did it learn?" asks of a policy, in points with 95 % intervals.

    Compared are random and, where such labels were played, the mean of all copies whose label
    begins with ``untrained`` and every one that begins with ``shuffled``.
    """
    pandas = require("pandas", "tables")
    labels = sorted(set(table["strategy"]))
    copies = [name for name in labels if name.startswith("untrained")]
    shuffled = [name for name in labels if name.startswith("shuffled")]
    if not copies and not shuffled:
        return {}
    if copies:
        values = [column for column in table if str(column).startswith("area")]
        kept = [column for column in table if column not in (*values, "strategy", "cell")]
        mean = table[table["strategy"].isin(copies)].groupby(kept, as_index=False)[values].mean()
        mean["strategy"] = MEAN_UNTRAINED
        mean["cell"] = [f"{MEAN_UNTRAINED}/{i}" for i in range(len(mean))]
        table = pandas.concat([table, mean], ignore_index=True)
    found = {}
    for other in ("random", *shuffled, *([MEAN_UNTRAINED] if copies else [])):
        for metric in METRICS:
            sample = paired(cell_rows(table), label, other, f"area_{metric}")
            gap = bootstrap_interval(sample, np.random.default_rng(0))
            low, high = 100 * gap.low, 100 * gap.high
            found[f"{other}, {metric}"] = f"{100 * gap.mean:+.2f} [{low:+.2f}, {high:+.2f}]"
    return found


def rankers_of(config: Config) -> dict[str, Ranker]:
    """Return the rules and policies by label; unreadable policies are refused before any work."""
    found: dict[str, Ranker] = {"margin": margin, "random": chance}
    for spec in config.rules:
        found[spec] = rule(spec)
    for name in config.policies:
        label, _, source = name.rpartition("=")
        policy = load_as(PoolPolicy, source)
        found[label or source] = rank_by_policy(policy)
    return found


def play(tasks: Sequence[Task], ranker: Ranker, *, seed: int) -> NDArray[np.float64]:
    """Return each task's areas under accuracy and balanced accuracy, shape (n, 2, 2).

    The last axis: from the start, and from the label at which all classes of the pool are seen
    (nan where they never are).
    """
    from envs.simulator.pool import PoolSimulator

    size = max(len(task.pool) for task in tasks)
    simulator = PoolSimulator(tasks, len(tasks), slate_size=size, slate_rule="random", seed=seed)
    simulator.reset(tasks=np.arange(len(tasks)))
    curves = [[row[:2].copy()] for row in simulator.metrics]
    seen = [set(t.pool.y[simulator.labelled_rows(e)]) for e, t in enumerate(tasks)]
    wanted = [len(np.unique(t.pool.y)) for t in tasks]
    begins = [0 if len(s) == n else None for s, n in zip(seen, wanted, strict=True)]
    alive = np.ones(len(tasks), dtype=bool)
    while alive.any():
        open_ = simulator.observations.mask > 0
        actions = np.where(open_, ranker(simulator), -np.inf).argmax(axis=1)
        _, steps = simulator.step(actions)
        for e in np.flatnonzero(alive):
            curves[e].append(steps.metrics[e, :2].copy())
            seen[e].add(tasks[int(e)].pool.y[steps.queried[e]])
            if begins[e] is None and len(seen[e]) == wanted[e]:
                begins[e] = len(curves[e]) - 1
        alive &= ~steps.done
    return np.array([_areas(np.array(c), begin) for c, begin in zip(curves, begins, strict=True)])


def _areas(curve: NDArray[np.float64], begin: int | None) -> NDArray[np.float64]:
    """Return the areas of a curve of shape (n, 2), whole and from `begin`, shape (2, 2)."""
    n = np.arange(len(curve))
    return np.array([[aubc(n, column), area_from(n, column, begin)] for column in curve.T])


def _part(config: Config, learner: str, label: str, ranker: Ranker) -> list[dict[str, Any]]:
    """Return the rows of one learner and strategy, from disk where they are finished."""
    path = _part_path(config, learner, label)
    if path.exists():
        kept: list[dict[str, Any]] = read_json(path)
        return kept
    drawn = draw_tasks(config, learner)
    rows: list[dict[str, Any]] = []
    for first in range(0, len(drawn), config.together):
        some = drawn[first : first + config.together]
        areas = play([task for _, _, task in some], ranker, seed=config.first_run)
        for (dataset, number, task), area in zip(some, areas, strict=True):
            n = len(task.pool)
            rows.append(_row(dataset, learner, number, label, area=area, n_pool=n))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, rows)
    return rows


def _part_path(config: Config, learner: str, label: str) -> Path:
    """Return where the part of one learner and strategy is kept."""
    source = {name.rpartition("=")[0] or name: name for name in config.policies}.get(label, "")
    about = replace(config, policies=(source,), learners=(learner,), rules=(), out=Path())
    key = config_hash({"config": about, "label": label, "policy": _digest(source)})
    return config.out / f"{key}.json"


def manifest(config: Config) -> dict[str, Any]:
    """Return what is kept beside the parts, in the words of an evaluation."""
    rules = {"budget": config.budget, "batch_size": 1, "metric": "balanced_accuracy"}
    policies = [load_as(PoolPolicy, name.rpartition("=")[2]) for name in config.policies]
    labels = [name.rpartition("=")[0] or name for name in config.policies]
    return {
        "command": "python -m scripts.benchmark panel " + flags_of(config, Config()),
        "protocol": rules,
        "policies": dict(zip(labels, [p.name for p in policies], strict=True)),
        "n_pool": {d.name: min(config.max_pool, len(d) // 2) for d in _datasets(config)},
        "seen": {n: list(families_seen(p)) for n, p in zip(labels, policies, strict=True)},
        "git": git_state(Path(__file__).parent),
    }


def _digest(source: str) -> str:
    """Return what a policy ranks by as one hash; empty for a rule."""
    if not source:
        return ""
    policy = load_as(PoolPolicy, source.rpartition("=")[2])
    found = hashlib.sha256(config_hash(policy.program).encode())
    for name, values in sorted(policy.tensors.items()):
        found.update(name.encode() + np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def _row(
    dataset: Dataset,
    learner: str,
    number: int,
    label: str,
    *,
    area: NDArray[np.float64],
    n_pool: int,
) -> dict[str, Any]:
    return {
        "cell": f"{dataset.name}/{learner}/{number}/{label}",
        "dataset": dataset.name, "family": dataset.family, "learner": learner,
        "split": number, "start": 0, "strategy": label, "status": DONE, "error": "",
        "seconds": 0.0, "query_seconds": 0.0, "n_labels": 0, "area": float(area[1, 0]),
        "n_classes": dataset.n_classes, "n_pool": n_pool,
        **{f"area_{m}": float(a[0]) for m, a in zip(METRICS, area, strict=True)},
        **{f"area_all_seen_{m}": float(a[1]) for m, a in zip(METRICS, area, strict=True)},
    }  # fmt: skip


def draw_tasks(config: Config, learner: str) -> list[tuple[Dataset, int, Task]]:
    """Return (data set, run, task), small pools first so that neighbours cost the same."""
    from lal.tasks.splits import make_task

    found = []
    for dataset in _datasets(config):
        for number in range(config.first_run, config.first_run + config.runs):
            try:
                task = make_task(
                    dataset, make_learner(learner), seed=number, budget=1, reward_share=0.5,
                    test_share=0.0, max_pool=config.max_pool,
                )  # fmt: skip
            except DataError as error:
                raise DataError(f"{dataset.name} cannot be played: {error}") from error
            budget = max(1, min(config.budget, len(task.pool) // 2))
            found.append((dataset, number, replace(task, budget=budget).blind()))
    return sorted(found, key=lambda item: len(item[2].pool))


def _datasets(config: Config) -> list[Dataset]:
    from lal.data.suites import load_suite

    suites = [dataset for name in config.suites for dataset in load_suite(name)]
    names = {dataset.name for dataset in suites}
    missing = [name for name in config.datasets if name not in names]
    if missing:
        raise UsageError(f"{', '.join(missing)} is in none of {', '.join(config.suites)}")
    chosen = [d for d in suites if not config.datasets or d.name in config.datasets]
    if len({d.name for d in chosen}) < len(chosen):
        raise UsageError("two suites have a data set of one name; give one suite at a time")
    return chosen


def rank_by_policy(policy: PoolPolicy) -> Ranker:
    """Return what ranks the offered rows by a policy of the default feature lists."""

    def rank(simulator: Any) -> Floats:
        seen = simulator.observations
        wanted = (tuple(policy.candidate_features), tuple(policy.context_features))
        if wanted != (tuple(simulator.candidate_features), tuple(simulator.context_features)):
            raise UsageError(f"{policy.name} looks at other features than the default lists")
        return np.stack(
            [
                run_program(
                    policy.program,
                    policy.tensors,
                    {"candidates": one.astype(np.float64), "context": other.astype(np.float64)},
                )
                for one, other in zip(seen.candidates, seen.context, strict=True)
            ]
        )

    return rank


def _print_tables(table: Any) -> None:
    """Print the table of all sets, and those of the parts that the claim names apart."""
    binary = table["n_classes"] == 2
    for metric in reversed(METRICS):
        column = f"area_{metric}"
        seen = table[table[f"area_all_seen_{metric}"].notna()]
        for title, some, values in (
            (metric, table, column),
            (f"{metric}, binary sets", table[binary], column),
            (f"{metric}, multi-class sets", table[~binary], column),
            (f"{metric}, from where all classes are seen", seen, f"area_all_seen_{metric}"),
        ):
            if len(some):
                print(f"\n{title}: points of area, 95 % interval over new sets")
                print(format_summary(summarise(some, column=values)))


def _print_sets(table: Any, label: str) -> None:
    """Print the differences to margin set by set, the worst first."""
    wide = table.pivot_table(index="dataset", columns="strategy", values="area")
    both = table.pivot_table(index="dataset", columns="strategy", values="area_accuracy")
    names = [c for c in wide.columns if c == label]
    for name in names:
        found = (100 * (wide[name] - wide["margin"])).sort_values()
        plain = 100 * (both[name] - both["margin"])
        print(f"\n{name} minus margin, balanced accuracy (accuracy), every set")
        print(", ".join(f"{s} {found[s]:+.2f} ({plain[s]:+.2f})" for s in found.index))
