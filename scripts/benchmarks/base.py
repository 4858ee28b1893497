"""What all benchmarks share: flags, rows that are printed and written as JSON, one table renderer.

A benchmark is a config and a function that adds rows to `Results`::

    def run(config: Config, results: Results) -> None:
        results.add("areas", {"rule": "margin", "area": "79.39"})

    main = Benchmark("lal", Config, run)

``--json FILE`` writes the rows with their provenance, from which `scripts.benchmarks.tables` makes
the tables of the pages in docs/.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from lal.errors import UsageError
from lal.evaluation.analysis.bootstrap import Interval
from lal.provenance import provenance
from lal.serialization import to_mapping, write_json
from scripts.entry import run_main

C = TypeVar("C")

Cell = str | int | float | None
"""A number or a text with its unit or interval; None is left empty."""

Row = Mapping[str, Cell]
"""Cells by column, in the order of the columns."""


@dataclass
class Table:
    """Rows with the same columns.

    Attributes:
        columns: Their names, in order.
        rows: One mapping of column to cell per row; a missing cell is empty.
    """

    columns: list[str]
    rows: list[dict[str, Cell]] = field(default_factory=list)


@dataclass
class Results:
    """The tables of a benchmark; each row is printed as soon as it is there."""

    tables: dict[str, Table] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, table: str, row: Row) -> None:
        """Add a row to a table, which the first row begins."""
        if table not in self.tables:
            self.tables[table] = Table(list(row))
            print("\n".join(["", *head(self.tables[table].columns)]), flush=True)
        here = self.tables[table]
        unknown = sorted(set(row) - set(here.columns))
        if unknown:
            raise UsageError(
                f"table {table!r} has no column {unknown[0]!r}; it has {', '.join(here.columns)}"
            )
        here.rows.append(dict(row))
        print(line([row.get(name) for name in here.columns]), flush=True)

    def note(self, text: str) -> None:
        """Keep and print a line that is not a table."""
        self.notes.append(text)
        print(text, flush=True)


CARD = "card"
"""Table of what the cards of policies say; `scripts.ship` reads it."""


def add_comparisons(
    results: Results, policy: str, measure: str, differences: Mapping[str, np.ndarray]
) -> None:
    """Add a policy's paired differences for its card.

    Args:
        results: Of the benchmark.
        policy: Label of the policy.
        measure: What is compared, with its unit.
        differences: What it is compared with (random, untrained, shuffled, rules) to the policy's
            figure minus the other's, one number per episode or stream.
    """
    for name, values in differences.items():
        mean, half = float(values.mean()), half_width(values)
        row: Row = {
            "policy": policy, "measure": measure, "against": name, "mean": mean,
            "low": mean - half, "high": mean + half, "n": len(values),
        }  # fmt: skip
        results.add(CARD, row)


@dataclass(frozen=True)
class Benchmark(Generic[C]):
    """A sub-command of ``python -m scripts.benchmark``.

    Attributes:
        name: Its name.
        config: A frozen dataclass with a help string under each field.
        run: Measures, and adds rows to the results.
    """

    name: str
    config: type[C]
    run: Callable[[C, Results], object]

    def __call__(self, arguments: Sequence[str]) -> int:
        """Parse the flags, run, write the JSON if asked for; returns the exit code."""
        flags, target = _take_json(arguments)

        def measure(config: C) -> None:
            if target is not None and target.suffix != ".json":
                raise UsageError(f"--json needs a file that ends in .json, got {str(target)!r}")
            results = Results()
            self.run(config, results)
            if target is not None:
                write_json(target, self.record(config, results, arguments))

        return run_main(measure, self.config, flags)

    def record(self, config: C, results: Results, arguments: Sequence[str]) -> dict[str, Any]:
        """Return what is written: rows, config, command, and where they come from."""
        command = shlex.join(["python", "-m", "scripts.benchmark", self.name, *arguments])
        return {
            "benchmark": self.name,
            "command": command,
            "config": to_mapping(config),
            "provenance": provenance(config),
            "notes": results.notes,
            "tables": to_mapping(results.tables),
        }


def _take_json(arguments: Sequence[str]) -> tuple[list[str], Path | None]:
    flags = list(arguments)
    if "--json" not in flags:
        return flags, None
    at = flags.index("--json")
    return flags[:at] + flags[at + 2 :], Path(*flags[at + 1 : at + 2])


def render(table: Table) -> str:
    """Return a table as Markdown."""
    return "\n".join([*head(table.columns), *_lines(table)])


def _lines(table: Table) -> Iterator[str]:
    for row in table.rows:
        yield line([row.get(name) for name in table.columns])


def head(columns: Sequence[str]) -> list[str]:
    """Return the first two lines of a table."""
    return [line(columns), "|---" * len(columns) + "|"]


BAR = re.compile(r"(?<!\\)\|")


def line(cells: Sequence[Cell]) -> str:
    """Return a row as Markdown; an empty cell is one space, a bar inside of one is escaped."""
    shown = ["" if cell is None else BAR.sub(r"\\|", str(cell)) for cell in cells]
    return "|" + "".join(f" {text} |" if text else " |" for text in shown)


def slug(title: str) -> str:
    """Return a title as a table's name: lower-case words with hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def show_interval(interval: Interval) -> str:
    """Return a mean with its interval, in AUBC points."""
    mean, low, high = (100 * x for x in (interval.mean, interval.low, interval.high))
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def interval(values: np.ndarray, digits: int = 3, *, sign: str = "+") -> str:
    """Return the mean and half of its 95 % interval.

    Args:
        values: One per episode, paired where they are differences.
        digits: Digits after the point.
        sign: "+" writes that of positive means, too; "" is for what is not a difference.
    """
    return f"{values.mean():{sign}.{digits}f} +- {half_width(values):.{digits}f}"


def half_width(values: np.ndarray) -> float:
    """Return half of the normal 95 % interval of a mean."""
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def student_interval(values: np.ndarray, digits: int = 2) -> str:
    """Return the mean and half of its 95 % interval by Student's t, for few values."""
    from scipy.stats import t

    error = values.std(ddof=1) / np.sqrt(len(values))
    wide = float(t.ppf(0.975, len(values) - 1)) * error
    return f"{values.mean():+.{digits}f} +- {wide:.{digits}f}"
