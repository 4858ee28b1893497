"""Compare strategies on data sets with paired runs; can be stopped and run again at any time."""

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lal.evaluation import EvaluationConfig, estimate, evaluate
from lal.evaluation.analysis.summary import Row
from lal.evaluation.runs.engine import Engine
from lal.evaluation.runs.runner import Progress, Summary
from lal.registry import require
from lal.serialization import from_mapping
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

    dry_run: bool = False
    """Say what there is to do and how long it should take, and stop."""


def main(config: Config) -> list[Row]:
    """Execute what is missing and print the summary; returns its rows (none for a dry run)."""
    engine = make_engine(config.engine, config.jobs)
    if config.dry_run:
        print(estimate(config, engine=engine))
        return []
    told = "python -m scripts.evaluate " + command(config)
    found = evaluate(config, engine=engine, progress=Reporter(), command=told)
    for warning in found.warnings:
        print(warning, file=sys.stderr)
    print(f"{done_text(found.done)}\n\n{found}")
    print(f"\npython -m scripts.report {shlex.quote(str(config.out))} --out report.html")
    return found.summary


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
