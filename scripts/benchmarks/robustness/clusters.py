"""One evaluation by every backend: equal results, though a shard is killed half-way and resumed.

``python -m scripts.benchmark clusters`` executes it in one process, in four shards that are merged,
and by submitit, Dask and Ray on this machine, and compares the stores.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from lal.errors import DataError, UsageError
from lal.evaluation.runs.shards import find_shards, merge_stores
from lal.evaluation.runs.store import RunStore
from lal.serialization import config_hash
from scripts.benchmarks.base import Benchmark, Cell, Results
from scripts.data import digests

NEEDS = {"submitit": "submitit", "dask": "distributed", "ray": "ray"}
"""Backends and the packages that they need."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is evaluated."""

    runs: int = 100
    """Paired runs; 20 times as many in all."""

    budget: int = 5
    """Labels acquired in a run."""

    shards: int = 4
    """Parts; the second is killed half-way."""

    jobs: int = 2
    """Processes of the backends."""

    backends: tuple[str, ...] = ("submitit", "dask", "ray")
    """Backends to compare with one process and with shards."""


def run(config: Config, results: Results) -> None:
    """Add a row a way of executing.

    Raises:
        UsageError: An unknown backend.
        DataError: Results differ.
    """
    if unknown := sorted(set(config.backends) - set(NEEDS)):
        raise UsageError(f"unknown backend {unknown[0]!r}; known: {', '.join(NEEDS)}")
    with TemporaryDirectory(prefix="lal-clusters-") as name:
        folder = Path(name)
        ways: dict[str, Callable[[Path], str]] = {
            "one process": lambda out: _evaluate(config, out),
            f"{config.shards} shards, one killed and resumed": lambda out: _shards(config, out),
        }
        for backend in config.backends:
            if find_spec(NEEDS[backend]) is None:
                results.note(f"{backend} is not installed")
                continue
            ways[backend] = lambda out, backend=backend: _evaluate(  # type: ignore[misc]
                config, out, "--backend", backend, "--jobs", str(config.jobs), *_local(backend)
            )
        found = set()
        for number, (label, execute) in enumerate(ways.items()):
            out = folder / str(number)
            note = execute(out)
            store = RunStore.existing(out)
            digest = config_hash(dict(digests(store)))
            found.add(digest)
            row: dict[str, Cell] = {"executed by": label, "runs": len(store.keys())}
            results.add("clusters", {**row, "results": digest, "note": note})
    if len(found) != 1:
        raise DataError("the stores differ; see the digests above")


def _local(backend: str) -> list[str]:
    return ["--cluster", "cluster=local"] if backend == "submitit" else []


def _flags(config: Config, out: Path, more: Sequence[str]) -> list[str]:
    return [
        sys.executable, "-m", "scripts.evaluate",
        "--suite", "sklearn:iris", "sklearn:wine", "--strategies", "random", "margin", "entropy",
        "least_confident", "--learners", "gaussian_nb", "knn", "--runs", str(config.runs),
        "--budget", str(config.budget), "--out", str(out), "--store-format", "json", *more,
    ]  # fmt: skip


def _evaluate(config: Config, out: Path, *more: str) -> str:
    subprocess.run(_flags(config, out, more), check=True, stdout=subprocess.DEVNULL)
    return ""


def _shards(config: Config, out: Path) -> str:
    """Plan, execute the shards one after the other, kill the second half-way, resume and merge."""
    _evaluate(config, out, "--plan", str(config.shards))
    note = ""
    for number in range(1, config.shards + 1):
        flags = ["--shard", f"{number}/{config.shards}"]
        if number == 2:
            note = _killed(config, out, flags)
        _evaluate(config, out, *flags)
    merge_stores(RunStore(out, "json"), map(RunStore.existing, find_shards(out)))
    return note


def _killed(config: Config, out: Path, flags: Sequence[str]) -> str:
    """Kill a shard when half of its runs are stored; return how many were."""
    half = 10 * config.runs // config.shards
    stored = out / "shards" / f"2-of-{config.shards}" / "cells"
    process = subprocess.Popen(_flags(config, out, flags), stdout=subprocess.DEVNULL)
    while process.poll() is None and sum(1 for _ in stored.glob("??/*.json")) < half:
        time.sleep(0.05)
    process.kill()
    process.wait()
    return f"killed with {sum(1 for _ in stored.glob('??/*.json'))} runs stored"


main = Benchmark("clusters", Config, run)
