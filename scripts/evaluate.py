"""Compare strategies on data sets with paired runs; can be stopped and run again at any time."""

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lal.errors import UsageError
from lal.evaluation import EvaluationConfig, estimate, evaluate, prepare_shards
from lal.evaluation.analysis.summary import Row
from lal.evaluation.runs.engine import Engine
from lal.evaluation.runs.runner import Progress, Summary
from lal.registry import require
from lal.serialization import from_mapping, write_bytes
from scripts.entry import get_flags, run_main

RENAMED = {"cell_seconds": "run_seconds", "give_up": "max_timeouts"}
"""Fields of configs that earlier releases saved, and flags that they had."""


EngineName = Literal["reference", "compiled"]


@dataclass(frozen=True, kw_only=True)
class Config(EvaluationConfig):
    """What is compared, on what, and how."""

    engine: EngineName = "reference"
    """What executes strategies and policies: reference (any learner, one episode at a time) or
    compiled (the simulator of the extra fast, for learners and methods that have kernels; many
    times faster, and its results are never mixed with the reference's)."""

    report: Path | None = None
    """Also write the page of scripts.report to this file when all runs are there (extra report)."""

    dry_run: bool = False
    """Say what there is to do and how long it should take, and stop."""

    plan: int = 0
    """Write down what there is to do, with a script for a SLURM array of so many shards, and stop;
    with --dry-run only say what each would cost."""


def main(config: Config) -> list[Row]:
    """Execute what is missing and print the summary.

    Returns:
        Its rows; none for a dry run, a plan or a shard.
    """
    if config.plan < 0 or (config.plan and config.shard):
        raise UsageError("--plan needs a number of shards, and goes without --shard")
    if config.report is not None:
        check_report(config)
    engine = make_engine(config.engine, config.jobs)
    if config.dry_run:
        print(estimate(config, engine=engine, shards=config.plan))
        return []
    if config.plan:
        write_plan(config, engine)
        return []
    told = "python -m scripts.evaluate " + command(config)
    found = evaluate(config, engine=engine, progress=Reporter(), command=told)
    for warning in found.warnings:
        print(warning, file=sys.stderr)
    if config.shard:
        print(f"shard {config.shard}: {done_text(found.done)}")
        return []
    print(f"{done_text(found.done)}\n\n{found}")
    if config.report is not None:
        print(f"\n{found.report(config.report)}")
        return found.summary
    print(f"\npython -m scripts.report {shlex.quote(str(config.out))} --out report.html")
    return found.summary


def check_report(config: Config) -> None:
    """Refuse a page that could not be written, before anything runs."""
    if config.dry_run or config.plan or config.shard:
        raise UsageError(
            "--report needs all runs, so it goes without --dry-run, --plan and --shard; call "
            "scripts.report when they are finished"
        )
    for package in ("jinja2", "matplotlib"):
        require(package, "report")


def write_plan(config: Config, engine: Engine | None) -> None:
    """Write manifest, config and the script of a SLURM array; print how they are used."""
    whole = replace(config, plan=0, jobs=1, backend="local", cluster=())
    told = "python -m scripts.evaluate " + command(whole)
    n_missing = prepare_shards(whole, engine=engine, command=told)
    out = shlex.quote(str(config.out))
    shard = f"lal evaluate --config {out}/config.json --shard"
    script = config.out / "array.sh"
    lines = [
        "#!/bin/bash",
        f"#SBATCH --array=1-{config.plan}",
        "#SBATCH --cpus-per-task=1",
        "export OMP_NUM_THREADS=1",
        f'{shard} "$SLURM_ARRAY_TASK_ID/{config.plan}"',
    ]
    write_bytes(script, "".join(f"{line}\n" for line in lines).encode())
    print(
        f"{n_missing} runs to execute in {config.plan} shards of about "
        f"{n_missing / config.plan:.0f}\n"
        f"  sbatch {shlex.quote(str(script))}\n"
        f"  or, of any machine: {shard} 1/{config.plan}\n"
        f"then\n  python -m scripts.data merge {out} {out}/shards/*\n"
        f"  lal evaluate --config {out}/config.json"
    )


def make_engine(name: EngineName, jobs: int = 1) -> Engine | None:
    """Return the engine called so; None for the reference implementation of `lal`."""
    if name == "reference":
        return None
    require("numba", "fast")
    from envs.simulator.engine import CompiledEngine

    return CompiledEngine(jobs)


def done_text(done: Summary) -> str:
    """Return what was done, with its wall time and how flat its memory stayed."""
    failed = f", {done.failed} of them failed or timed out" if done.failed else ""
    early, late = done.memory
    memory = f"; memory peak {late:.0f} MiB" + (f", {early:.0f} after a tenth" if early else "")
    executed = f"{done.executed} executed in {done.seconds:.0f} s{failed}"
    return f"{done.found} runs were finished, {executed}{memory if done.executed else ''}"


def command(config: Config) -> str:
    """Return the flags that give this config."""
    return get_flags(config, Config())


class Reporter:
    """Prints progress lines on stderr: at most one every few seconds, and the last."""

    def __init__(self, every: float = 5.0) -> None:
        self.every = every
        self.last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Print a line when it is time."""
        now = time.monotonic()
        if progress.done < progress.total and now - self.last < self.every:
            return
        self.last = now
        failed = f", {progress.failed} failed" if progress.failed else ""
        left = f", about {progress.seconds_left:.0f} s left"
        print(f"{progress.done}/{progress.total} runs{failed}{left}", file=sys.stderr)


def saved_config(_flags: Sequence[str], saved: Mapping[str, Any]) -> Config:
    """Return the config that ``--config`` names, also one of an earlier release."""
    return from_mapping(Config, {RENAMED.get(name, name): value for name, value in saved.items()})


def current_flags(argv: Sequence[str]) -> list[str]:
    """Return the flags with those of earlier releases replaced by what they are called now."""
    flags = {f"--{old.replace('_', '-')}": f"--{new.replace('_', '-')}" for old, new in
             RENAMED.items()}  # fmt: skip
    parts = [part.partition("=") for part in argv]
    return [flags.get(name, name) + equals + value for name, equals, value in parts]


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    flags = current_flags(sys.argv[1:] if argv is None else argv)
    return run_main(main, Config, flags, start=saved_config)


if __name__ == "__main__":
    raise SystemExit(run())
