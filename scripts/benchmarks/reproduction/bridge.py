"""Replay the published runs of Lu, Li and Lin (2023) and set ours beside theirs.

``python -m scripts.benchmark bridge --data FOLDER`` needs the bridge data: a folder with
``manifest.json`` and npz files. Nothing here is tuned; every run is shown. Finished lines are kept
in ``--out`` and never run again; ``scripts.report --bridge`` reads that file.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from lal.evaluation.reproduction.lu2023 import reproduce
from lal.evaluation.reproduction.lu2023_page import (
    load_reproduction,
    reproduction_markdown,
    save_reproduction,
)
from scripts.benchmarks.base import Benchmark, Results


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which data sets and how many seeds."""

    data: Path = Path("../shared/data/bridge")
    """Folder of the bridge data."""

    datasets: tuple[str, ...] = ()
    """Data sets, by their names in the manifest; all comparable ones, small first, when empty."""

    max_rows: int = 1000
    """Larger data sets are left out where no data sets are named."""

    margin_seeds: int = 20
    """Seeds of margin sampling (US-C), compared one by one; 0 to leave it out."""

    random_seeds: int = 20
    """Seeds of random sampling (Uniform), compared in the mean; 0 to leave it out."""

    random_every: int = 5
    """Most labels between two points of the curve of random sampling; fewer at its beginning."""

    out: Path = Path("runs/bridge.json")
    """Where the lines are kept."""

    page: str = ""
    """Also write the table as this markdown file."""

    jobs: int = 1
    """Processes."""


def run(config: Config, results: Results) -> None:
    """Run what is missing, note one line per data set and strategy, and keep all lines."""
    rows = load_reproduction(config.out) if config.out.exists() else []
    plan = (
        ("margin", config.margin_seeds, 1),
        ("random", config.random_seeds, config.random_every),
    )
    for name in config.datasets or comparable(config.data, config.max_rows):
        for strategy, n, every in plan:
            kept = next((r for r in rows if (r.dataset, r.strategy) == (name, strategy)), None)
            if n == 0 or (kept is not None and len(kept.aubc) >= n and kept.every == every):
                continue
            fresh = reproduce(
                config.data,
                [name],
                seeds=range(n),
                strategies=[strategy],
                every=every,
                n_jobs=config.jobs,
            )
            rows = [r for r in rows if r is not kept] + fresh
            save_reproduction(rows, config.out)
            results.note(str(fresh[0]))
    if config.page:
        Path(config.page).write_text(reproduction_markdown(rows), encoding="utf-8")


def comparable(folder: Path, max_rows: int) -> list[str]:
    """Return the comparable data sets of a manifest with at most so many rows, small first."""
    entries = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["datasets"]
    kept = [e for e in entries if e["reference_comparable"] and e["n"] <= max_rows]
    return [e["name"] for e in sorted(kept, key=lambda e: (e["n"], e["name"]))]


main = Benchmark("bridge", Config, run)
