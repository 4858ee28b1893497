"""Replay the published runs of Lu, Li and Lin (2023) and print ours beside theirs.

``python -m scripts.benchmark bridge --data FOLDER`` needs the bridge data: a folder with
``manifest.json`` and npz files. Nothing here is tuned; every run is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lal.evaluation.bridge import run_bridge
from scripts.entry import run_main


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which data sets and how many seeds."""

    data: Path = Path("../shared/data/bridge")
    """Folder of the bridge data."""

    datasets: tuple[str, ...] = ("sonar", "heart", "haberman", "wdbc")
    """Data sets, by their names in the manifest."""

    margin_seeds: int = 20
    """Seeds of margin sampling (US-C), compared one by one."""

    random_seeds: int = 60
    """Seeds of random sampling (Uniform), compared in the mean."""

    jobs: int = 2
    """Processes."""


def run(config: Config) -> None:
    """Print one line per data set and strategy."""
    for name in config.datasets:
        for strategy, n in (("margin", config.margin_seeds), ("random", config.random_seeds)):
            rows = run_bridge(
                config.data, [name], seeds=range(n), strategies=[strategy], n_jobs=config.jobs
            )
            for row in rows:
                print(row, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
