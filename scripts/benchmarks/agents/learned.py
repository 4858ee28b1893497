"""Did it learn? The control test of a policy from an evaluation.

``python -m scripts.evaluate`` runs the policy beside random, its untrained copies and a copy
trained on shuffled targets (their cards say what they are; else write
``shuffled=FILE?role=shuffled``); then
``python -m scripts.benchmark learned --store FOLDER --strategy LABEL`` tells whether it learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lal.evaluation.analysis.control_tests import ControlTest, control_test
from lal.evaluation.analysis.tables import read_table
from lal.evaluation.runs.store import RunStore
from scripts.entry import run_main


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which evaluation, and which policy."""

    store: Path = Path("runs/evaluation")
    """Folder of the evaluation."""

    strategy: str = "ppo"
    """Label of the policy."""


def run(config: Config) -> ControlTest:
    """Print the differences that "did it learn?" asks for, and the answer."""
    found = control_test(read_table(RunStore.existing(config.store)), config.strategy)
    for comparison in found.comparisons:
        print(f"{config.strategy}: {comparison}")
    print(f"learned: {'yes' if found.passes_controls else 'not shown'}")
    return found


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
