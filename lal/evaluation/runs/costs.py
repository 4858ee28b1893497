"""Costs: how long the missing runs should take, from short probes."""

from collections import defaultdict
from dataclasses import replace

from lal.evaluation.runs.backends import execute_limited
from lal.evaluation.runs.run import DONE, REFERENCE, Run
from lal.evaluation.runs.runner import Plan


def predict_seconds(
    work: Plan,
    *,
    times: int = 1,
    probe_labels: int = 3,
    run_seconds: float = 0.0,
    max_timeouts: int = 0,
) -> dict[str, float]:
    """Return the predicted seconds of the reference engine's missing runs, by strategy.

    One short episode of every data set, learner and strategy is run (nothing is stored) and
    its time a label is scaled up, for one process; fits on few labels are cheap, so the figure is a
    lower bound.
    A run costs at most its limit, and groups that time out are given up as in
    `execute_runs`. Every run of the plan stands for as many as `times` says.
    """
    groups: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    for run in (run for run in work.missing if run.engine == REFERENCE):
        groups[run.dataset.name, run.learner, run.method.label].append(run)
    total: dict[str, float] = defaultdict(float)
    for runs in groups.values():
        each = _probe(runs[0], probe_labels, run_seconds)
        stopped = run_seconds > 0 and each >= run_seconds
        n = times * len(runs)
        n = min(max_timeouts, n) if stopped and max_timeouts else n
        total[runs[0].method.label] += (run_seconds if stopped else each) * n
    return dict(total)


def _probe(run: Run, labels: int, limit: float) -> float:
    """Return the expected seconds of one run; what fails or is stopped costs what it took."""
    if run.method.role == "full_labels":
        return execute_limited(run, limit).seconds
    whole = run.task().budget
    one = execute_limited(_shortened(run, 1), limit)
    if one.status != DONE:
        return one.seconds
    n = min(labels, whole)
    short = execute_limited(_shortened(run, n), limit)
    if short.status != DONE:
        return short.seconds
    each = max(short.seconds - one.seconds, 0.0) / max(n - 1, 1)
    return one.seconds + each * (whole - 1)


def _shortened(run: Run, budget: int) -> Run:
    return replace(run, protocol=replace(run.protocol, budget=budget))
