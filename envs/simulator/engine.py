"""The compiled engine of `lal.evaluation`: runs of learners and methods that have kernels.

Runs have the tasks and first labels of the reference engine. Curves are measured on the test part,
which no method sees. What one run gives depends on nothing that runs beside it.
"""

import json
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from envs.simulator.pool_rules import METRIC_NAMES, feature_lists
from envs.simulator.rankers import RULE_FEATURES, Ranker, policy_ranker, rule_ranker
from envs.simulator.rollout import rollout
from envs.simulator.tables import learner_spec
from lal.arrays import Ints
from lal.curve import Curve
from lal.episode import Episode
from lal.errors import LalError
from lal.evaluation.runs.limits import one_thread
from lal.evaluation.runs.methods import MethodSpec
from lal.evaluation.runs.protocol import count_labels
from lal.evaluation.runs.run import DONE, FAILED, Run, RunResult, about
from lal.policies.pool_policy import PoolPolicy
from lal.policies.query.screening import SCREENED
from lal.processes import bound_workers
from lal.task import Task

TOGETHER = 192
"""Episodes side by side: enough to share the cost of a step, few enough for the memory."""

Setting = tuple[str, str, int, int]
"""Data set, learner, split and start."""

Lists = tuple[tuple[str, ...], tuple[str, ...]]
"""Ids of candidate and of context features."""


class CompiledEngine:
    """Executes runs in the compiled simulator; see `lal.evaluation.runs.engine.Engine`.

    Args:
        jobs: Processes; the numbers do not depend on it.
        together: Episodes side by side; the numbers do not depend on it either.
    """

    name = "compiled-1"

    def __init__(self, jobs: int = 1, together: int = TOGETHER) -> None:
        self.jobs, self.together = jobs, together
        self._refusals: dict[Any, str] = {}

    def refusal(self, run: Run) -> str:
        """Return why a run cannot be executed here; empty if it can."""
        size = count_labels(run.protocol.batch_size, run.dataset.n_classes)
        if size != 1:
            return f"it acquires one label at a time, not {size}"
        if unknown := sorted(set(run.protocol.metrics) - set(METRIC_NAMES)):
            return f"it does not measure {', '.join(unknown)}"
        task = (run.dataset.sha256, run.learner)
        if task not in self._refusals:
            self._refusals[task] = _task_refusal(run)
        if run.method not in self._refusals:
            self._refusals[run.method] = _method_refusal(run.method, run.protocol.max_pool)
        return self._refusals[task] or self._refusals[run.method]

    def execute(self, runs: Sequence[Run]) -> Iterator[RunResult]:
        """Execute runs, those of one task together, and yield their results."""
        from joblib import Parallel, delayed

        settings: dict[Setting, list[Run]] = {}
        for run in sorted(runs, key=lambda run: len(run.dataset)):  # like pools cost the same
            settings.setdefault(_setting(run), []).append(run)
        tasks = list(settings.values())
        size = max(1, self.together // max(map(len, tasks), default=1))
        chunks = (tasks[i : i + size] for i in range(0, len(tasks), size))
        jobs = (delayed(_execute_chunk)([r for own in chunk for r in own]) for chunk in chunks)
        workers = bound_workers() if self.jobs != 1 else {}
        for results in Parallel(self.jobs, return_as="generator_unordered", **workers)(jobs):
            yield from results


def _setting(run: Run) -> Setting:
    at = run.repetition
    return run.dataset.sha256, run.learner, at.split, at.start


def _task_refusal(run: Run) -> str:
    """Return why the task of a run has no compiled form; empty if it has."""
    try:
        task = run.task()
        learner_spec(task)
        feasible = [np.isfinite(np.asarray(part.X, np.float64)).all()
                    for part in (task.pool, task.test_part())]  # fmt: skip
    except (LalError, TypeError, ValueError) as error:
        return str(error)
    return "" if all(feasible) else f"{run.dataset.name} has values that are not finite"


def _method_refusal(method: MethodSpec, max_pool: int) -> str:
    """Return why a method has no compiled form; empty if it has."""
    try:
        policy = CompiledMethod(method).policy
    except LalError as error:
        return str(error)
    if policy is not None and "reference" in policy.scorer.reads:
        return "its program reads the reference set, which slates do not carry"
    if policy is not None and max_pool > SCREENED:
        return f"pools of more than {SCREENED} rows are screened, which has no compiled form"
    return ""


class CompiledMethod:
    """A method in compiled form: what it ranks by, and the features that it reads.

    Raises:
        UsageError: It has none; the message names it.
    """

    def __init__(self, method: MethodSpec) -> None:
        self.method = method
        self.ranker, self.features = self._compile()

    @cached_property
    def strategy(self) -> Any:
        """The strategy or policy itself."""
        return self.method.make()

    @property
    def policy(self) -> PoolPolicy | None:
        """The policy, if it is one."""
        return self.strategy if isinstance(self.strategy, PoolPolicy) else None

    def _compile(self) -> tuple[Ranker, Lists]:
        if self.policy is not None:
            lists = feature_lists(self.policy.candidate_features, self.policy.context_features)
            return policy_ranker(self.policy), lists
        name = self.method.spec + ("?stream" if "stream" in json.loads(self.method.options) else "")
        return rule_ranker(name, self.strategy), (RULE_FEATURES, ("n_labelled@1",))


def _execute_chunk(runs: Sequence[Run]) -> list[RunResult]:
    """Execute the runs of some tasks; a failure is looked for task by task, then run by run."""
    began = time.perf_counter()
    try:
        with one_thread():
            results = _results(runs)
    except Exception:  # whatever a task or a method raises is a result of the evaluation
        if len(runs) == 1:
            run, error = runs[0], traceback.format_exc()
            results = [RunResult(run.key, FAILED, about(run), error=error)]
        else:
            half = len(runs) // 2
            return [*_execute_chunk(runs[:half]), *_execute_chunk(runs[half:])]
    each = (time.perf_counter() - began) / len(runs)
    return [replace(result, seconds=each) for result in results]


def _results(runs: Sequence[Run]) -> list[RunResult]:
    """Execute runs, those of methods that read the same features side by side."""
    compiled = {method: CompiledMethod(method) for method in dict.fromkeys(r.method for r in runs)}
    tasks = {setting: run.task() for setting, run in {_setting(r): r for r in runs}.items()}
    results = []
    for features in sorted({one.features for one in compiled.values()}):
        rankers = {m: c.ranker for m, c in compiled.items() if c.features == features}
        some = [run for run in runs if run.method in rankers]
        results += _roll_out(some, tasks, rankers, features)
    return results


def _roll_out(
    runs: Sequence[Run],
    tasks: Mapping[Setting, Task],
    rankers: Mapping[MethodSpec, Ranker],
    features: Lists,
) -> list[RunResult]:
    settings = {_setting(run): run for run in runs}
    place = {setting: t for t, setting in enumerate(settings)}
    by_method = {method: [run for run in runs if run.method == method] for method in rankers}
    found = rollout(
        [_measured_on_test(tasks[setting]) for setting in settings],
        list(rankers.values()),
        features=features,
        seeds=[run.episode_seed for run in settings.values()],
        starts=[_start(tasks[setting], run) for setting, run in settings.items()],
        chosen=[[place[_setting(run)] for run in own] for own in by_method.values()],
    )
    return [
        _result(run, tasks[_setting(run)], curve)
        for own, curves in zip(by_method.values(), found.curves, strict=True)
        for run, curve in zip(own, curves, strict=True)
    ]


def _start(task: Task, run: Run) -> Ints:
    """Return the first labels that the reference engine draws."""
    return Episode(task, run.episode_seed).pool.order


def _measured_on_test(task: Task) -> Task:
    """Return a task whose curves the simulator measures on the test part."""
    return replace(task, reward=task.test_part(), test=None)


def _result(run: Run, task: Task, curve: Curve) -> RunResult:
    facts = {"n_start": curve.n_start, "n_all_seen": curve.n_all_seen, "n_pool": len(task.pool)}
    return RunResult(
        key=run.key,
        status=DONE,
        about={**about(run), **facts},
        n_labels=curve.n_labels,
        metrics={name: curve.metrics[name] for name in run.protocol.metrics},
        queried=curve.queried,
    )
