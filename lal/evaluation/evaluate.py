"""Evaluate methods on data sets: the one function that scripts and notebooks call.

found = evaluate(EvaluationConfig(suite=("bundled",), strategies=("random", "margin"), runs=10))
print(found)
found.report("report.html")
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lal.data.dataset import Dataset
from lal.errors import UsageError
from lal.evaluation.analysis.control_tests import ControlTest, control_test
from lal.evaluation.analysis.summary import Row, format_summary, summarise
from lal.evaluation.analysis.tables import Table, drop_seen, read_table
from lal.evaluation.config import EvaluationConfig
from lal.evaluation.holdout.locked import load_evaluated, locked_suites, log_accesses
from lal.evaluation.report.report import Page, make_page, write_report
from lal.evaluation.runs.controls import with_controls
from lal.evaluation.runs.costs import predict_seconds
from lal.evaluation.runs.engine import Engine
from lal.evaluation.runs.launch import Limits, absorb_jobs, cluster_options, launch
from lal.evaluation.runs.methods import MethodSpec, parse_methods
from lal.evaluation.runs.protocol import Protocol
from lal.evaluation.runs.runner import Plan, Progress, Summary, execute_runs, plan
from lal.evaluation.runs.shards import Shard, take_shard
from lal.evaluation.runs.store import RunStore
from lal.provenance import provenance
from lal.serialization import to_mapping, write_json
from lal.task_kind import check_served


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        store: Its runs.
        done: What was executed and what was there already.
        warnings: What a reader should know first.
    """

    store: RunStore
    done: Summary
    warnings: tuple[str, ...] = ()

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """What was evaluated, and where it came from."""
        return self.store.manifest()

    @property
    def seen(self) -> Mapping[str, Sequence[str]]:
        """Families that each policy saw in training."""
        found: Mapping[str, Sequence[str]] = self.manifest["seen"]
        return found

    @cached_property
    def table(self) -> Table:
        """Tidy table, one row per point of every run; see `tables.long_table`."""
        return read_table(self.store)

    @cached_property
    def summary(self) -> list[Row]:
        """One row per method, over the data sets that it has not seen."""
        return summarise(self.table, seen=self.seen)

    @cached_property
    def page(self) -> Page:
        """What the report shows and pictures are drawn from."""
        return make_page(self.store, table=self.table, rows=self.summary)

    def control_test(self, policy: str, **options: Any) -> ControlTest:
        """Return whether a policy learned, on the data sets that it has not seen.

        Args:
            policy: Its label.
            **options: Of `control_tests.control_test`, for example ``controls``.
        """
        return control_test(drop_seen(self.table, self.seen.get(policy, ())), policy, **options)

    def report(self, path: str | Path, **options: Any) -> Path:
        """Write the page and return where it is; needs the extra ``report``.

        Args:
            path: Where to.
            **options: Of `report.report.make_page`, for example ``policy``.
        """
        page = make_page(self.store, table=self.table, **options) if options else self.page
        write_report(page, self.store, Path(path))
        return Path(path)

    def __str__(self) -> str:
        """Return the summary as text."""
        rules = self.manifest["protocol"]
        runs = rules["n_splits"] * rules["n_starts"]
        head = f"{rules['metric']}, {runs} runs; differences in AUBC points, 95 % intervals"
        return f"{head}\n\n{format_summary(self.summary)}"


@dataclass(frozen=True)
class _Prepared:
    """An evaluation that was checked, before anything runs."""

    protocol: Protocol
    methods: Sequence[MethodSpec]
    datasets: Sequence[Dataset]
    seen: Mapping[str, Sequence[str]]
    store: RunStore
    work: Plan


def evaluate(
    config: EvaluationConfig,
    *,
    data: Sequence[Dataset] = (),
    protocol: Protocol | None = None,
    engine: Engine | None = None,
    progress: Callable[[Progress], None] | None = None,
    command: str = "",
) -> Evaluation:
    """Execute the runs that are missing and return the evaluation.

    It can be killed at any time and called again. Locked suites are only loaded for policies that
    saw none of their families, and every access is logged before anything is fitted.

    Args:
        config: What is compared, on what, and how.
        data: Data sets of your own, beside (or, with an empty ``config.suite``, in place of) the
            suites.
        protocol: Rules in place of those that the config's fields describe.
        engine: Executes strategies and policies in place of the reference implementation.
        progress: Called after every run.
        command: What the manifest says this can be repeated with; a call of this function by
            default.

    Raises:
        LalError: Whatever cannot be evaluated, before anything runs.
    """
    ready = _prepare(config, data, protocol, engine, config.out / "controls")
    _record(config, ready, command)
    limits = Limits(run_seconds=config.run_seconds, max_timeouts=config.max_timeouts, engine=engine)
    options = cluster_options(config.cluster)
    if config.backend == "submitit":
        done = launch(
            ready.work,
            ready.store,
            jobs=config.jobs,
            options=options,
            limits=limits,
            report=progress,
        )
    else:
        done = execute_runs(
            ready.work,
            ready.store,
            backend=config.backend,
            jobs=config.jobs,
            address=config.address,
            cluster=options,
            **vars(limits),
            report=progress,
        )
    return Evaluation(ready.store, done, _warnings(config, ready.methods))


def prepare_shards(
    config: EvaluationConfig,
    *,
    data: Sequence[Dataset] = (),
    protocol: Protocol | None = None,
    engine: Engine | None = None,
    command: str = "",
) -> int:
    """Write down what an evaluation in shards is to execute, and execute nothing.

    Afterwards every machine calls `evaluate` with the same config and its ``shard``, and
    `shards.merge_stores` puts their stores into that of the config.

    Returns:
        The number of runs that are missing.

    Raises:
        LalError: Whatever cannot be evaluated.
    """
    ready = _prepare(config, data, protocol, engine, config.out / "controls")
    _record(config, ready, command)
    return len(ready.work.missing)


def _record(config: EvaluationConfig, ready: _Prepared, command: str) -> None:
    """Log accesses to locked suites, then write the manifest and the config."""
    accesses = log_accesses(locked_suites(config.suite), ready.protocol, ready.methods)
    about = {**_manifest(config, ready, command), "test_set_access": accesses}
    ready.store.write_manifest(about, [run.key for run in ready.work.runs])
    write_json(ready.store.folder / "config.json", config)


def estimate(
    config: EvaluationConfig,
    *,
    data: Sequence[Dataset] = (),
    protocol: Protocol | None = None,
    engine: Engine | None = None,
    shards: int = 0,
) -> str:
    """Return what there is to execute and about how long it takes; nothing is stored or logged.

    The time of what an engine executes is not predicted. Without a stored run, one repetition is
    looked at for all, so millions of runs are estimated as fast as a few.

    Args:
        config: What is compared, on what, and how.
        data: As `evaluate` takes it.
        protocol: As `evaluate` takes it.
        engine: As `evaluate` takes it.
        shards: Parts whose time is given, too; none when 0.

    Raises:
        LalError: Whatever cannot be evaluated.
    """
    rules = config.make_protocol() if protocol is None else protocol
    times = rules.n_runs if not any(config.out.glob("cells/??/*")) else 1
    looked_at = replace(rules, n_splits=1, n_starts=1) if times > 1 else rules
    with tempfile.TemporaryDirectory(prefix="lal-controls-") as folder:
        ready = _prepare(config, data, looked_at, engine, Path(folder))
        costs = predict_seconds(
            ready.work,
            times=times,
            run_seconds=config.run_seconds,
            max_timeouts=config.max_timeouts,
        )
    n_runs, n_missing = times * len(ready.work.runs), times * len(ready.work.missing)
    lines = [f"{n_runs} runs, {n_runs - n_missing} finished"]
    lines += [f"  {label}: {seconds:.0f} s" for label, seconds in sorted(costs.items())]
    if engine is not None:
        n_fast = times * sum(run.engine == engine.name for run in ready.work.missing)
        lines.append(f"  {n_fast} by the {engine.name} engine, whose time is not predicted")
    total = sum(costs.values())
    lines.append(f"about {total / config.jobs:.0f} s on {config.jobs} process(es)")
    each = f", {total / 3600 / shards:.3g} in each of {shards} shards" if shards else ""
    lines.append(f"about {total / 3600:.3g} CPU hours{each}")
    return "\n".join([*lines, *_warnings(config, ready.methods)])


def _prepare(
    config: EvaluationConfig,
    data: Sequence[Dataset],
    protocol: Protocol | None,
    engine: Engine | None,
    controls: Path,
) -> _Prepared:
    methods = with_controls(
        parse_methods(config.strategies), config.controls, controls, kind=config.task
    )
    for method in methods:
        if method.role != "oracle":
            check_served(method.make(), config.task, name=repr(method.label))
    rules = config.make_protocol() if protocol is None else protocol
    seen = {m.label: sorted({*m.seen, *config.seen}) for m in methods if m.sha256}
    datasets = [*load_evaluated(config.suite, config.datasets, seen), *data]
    for dataset in datasets:
        if dataset.kind != config.task:
            raise UsageError(
                f"data set {dataset.name!r} is a {dataset.kind}, and the evaluation is a "
                f'{config.task}; pass task="{dataset.kind}" (--task {dataset.kind}), or other data'
            )
    shard = Shard.parse(config.shard) if config.shard else None
    whole = RunStore(config.out, config.store_format)
    store = RunStore(shard.folder(config.out), config.store_format) if shard else whole
    if config.backend == "submitit":
        absorb_jobs(store)
    work = plan(
        rules,
        datasets,
        config.learners,
        methods,
        store=store,
        run_seconds=config.run_seconds,
        retry=config.retry,
        engine=engine,
    )
    if shard is not None:
        work = take_shard(work, shard, whole)
    return _Prepared(rules, methods, datasets, seen, store, work)


def _warnings(config: EvaluationConfig, methods: Sequence[MethodSpec]) -> tuple[str, ...]:
    if config.controls == "all" and not any(m.role == "shuffled" for m in methods):
        return ("no copy trained on shuffled targets is listed (shuffled=FILE)",)
    return ()


def _manifest(config: EvaluationConfig, ready: _Prepared, command: str) -> dict[str, Any]:
    """Return what is stored beside the runs: everything needed to repeat this."""
    return {
        "config": to_mapping(config),
        "command": command or _call(config),
        "protocol": json.loads(ready.protocol.to_json()),
        "protocol_hash": ready.protocol.hash,
        "methods": [to_mapping(method) for method in ready.methods],
        "seen": dict(ready.seen),
        **provenance(config, data={d.name: d.sha256 for d in ready.datasets}),
    }


def _call(config: EvaluationConfig) -> str:
    default = EvaluationConfig()
    changed = [
        f"{f.name}={getattr(config, f.name)!r}"
        for f in fields(default)
        if getattr(config, f.name) != getattr(default, f.name)
    ]
    return f"lal.evaluation.evaluate(EvaluationConfig({', '.join(changed)}))"
