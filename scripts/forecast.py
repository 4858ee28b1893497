"""Forecast how many labels an accuracy will take, and what random choice would need.

lal forecast curve.csv --reach 0.9

curve.csv has a column of labels and one of the accuracies with them, measured on rows that were
drawn at random and kept apart; five lines or more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lal.errors import DataError
from lal.labelling.checks import labels_text
from lal.labelling.forecast import FARTHEST, Forecast, forecast
from lal.labelling.table import read_table
from scripts.entry import run_main


@dataclass(frozen=True)
class Config:
    """Which curve, and what is to be reached."""

    curve: Annotated[Path, tyro.conf.Positional] = Path("curve.csv")
    """CSV file with the learning curve so far."""

    reach: tuple[float, ...] = ()
    """Accuracies to reach, between 0 and 1; a few above the present one when not given."""

    labels: str = "labels"
    """Column of the numbers of labels."""

    accuracy: str = "accuracy"
    """Column of the accuracies."""

    of: int = 0
    """Rows that the accuracies were measured on; few of them widen the intervals. 0 for many."""


def main(config: Config) -> None:
    """Print the forecast."""
    table = read_table(config.curve)
    n, a = (_numbers(table.column(name), name) for name in (config.labels, config.accuracy))
    said = forecast(n, a, of=config.of or None)
    print(f"{said.n:g} labels so far, accuracy about {said.accuracy:.1%}")
    for labels in (1.5, 2.0, FARTHEST):
        band = said.accuracy_with(labels * said.n)
        print(
            f"with {labels * said.n:.0f} labels: {band.value:.1%} "
            f"(90 % interval {band.low:.1%} to {band.high:.1%})"
        )
    for accuracy in config.reach or _steps(said):
        print(
            f"to reach {accuracy:.1%}: {labels_text(said.labels_to(accuracy), said)} labels in "
            f"all; choosing at random {labels_text(said.random_needs(accuracy), said)}"
        )


def _steps(said: Forecast) -> list[float]:
    """Return accuracies on the way to the ceiling that the law sees."""
    best = said.accuracy_with(FARTHEST * said.n).value
    return [said.accuracy + share * (best - said.accuracy) for share in (0.25, 0.5, 0.75)]


def _numbers(cells: Sequence[str], column: str) -> list[float]:
    try:
        return [float(cell) for cell in cells]
    except ValueError as error:
        raise DataError(f"column {column!r} must hold numbers: {error}") from error


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_main(main, Config, argv)


if __name__ == "__main__":
    raise SystemExit(run())
