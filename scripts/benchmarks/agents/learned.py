"""Did it learn? A policy against random and its untrained and shuffled copies, from an evaluation.

``python -m scripts.evaluate`` plays the policy beside its copies, labelled ``untrained-0``,
``untrained-1``, ... and ``shuffled``; then
``python -m scripts.benchmark learned --store FOLDER --strategy LABEL`` gives the verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lal.errors import UsageError
from lal.evaluation.analysis.bootstrap import Interval, bootstrap_interval
from lal.evaluation.analysis.tables import cell_rows, paired
from lal.evaluation.runs.store import RunStore
from scripts.entry import run_main

MEAN = "mean of the untrained copies"
"""What the untrained copies together are called."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which evaluation, whose verdict."""

    store: Path = Path("runs/evaluation")
    """Folder of the evaluation."""

    strategy: str = "ppo"
    """Label of the policy."""


def run(config: Config) -> None:
    """Print the differences that "did it learn?" asks for, and the verdict."""
    found = differences(cell_rows(RunStore.existing(config.store).to_table()), config.strategy)
    for name, gap in found.items():
        low, high = 100 * gap.low, 100 * gap.high
        print(f"{config.strategy} minus {name}: {100 * gap.mean:+.2f} [{low:+.2f}, {high:+.2f}]")
    print(f"learned: {'yes' if all(gap.low > 0 for gap in found.values()) else 'not shown'}")


def differences(rows: Any, label: str) -> dict[str, Interval]:
    """Return paired differences of areas, policy minus each opponent, intervals over data sets.

    Args:
        rows: One row a run, as `lal.evaluation.analysis.tables.cell_rows` gives them.
        label: The policy's.

    Raises:
        UsageError: The evaluation lacks the policy or one of its opponents.
    """
    labels = sorted(set(rows["strategy"]))
    untrained = [name for name in labels if name.startswith("untrained")]
    shuffled = [name for name in labels if name.startswith("shuffled")]
    if label not in labels or "random" not in labels or not untrained or not shuffled:
        raise UsageError(
            f"the verdict on {label!r} needs its runs and those of random, untrained-... and "
            f"shuffled...; found {', '.join(labels)}; play them with scripts.evaluate"
        )
    opponents = {"random": ["random"], **{name: [name] for name in shuffled}, MEAN: untrained}
    return {
        name: bootstrap_interval(paired(rows, label, others), np.random.default_rng(0))
        for name, others in opponents.items()
    }


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
