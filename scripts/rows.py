"""The field's list of 91 rows: what is here of each, and the checks that prove it.

``python -m scripts.rows`` lists all rows with the figures of their last checks, which are kept in
docs/rows.json. ``python -m scripts.rows 13 52`` runs the checks of two rows (at most two minutes
each on two cores), prints and keeps their figures; ``--all`` runs every check. ``--page`` makes
docs/rows.md from all of it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lal.errors import UsageError
from lal.provenance import provenance
from lal.serialization import read_json, write_bytes, write_json
from scripts.benchmarks.base import Table, render
from scripts.entry import run_main
from scripts.row_checks.base import CHECKS, STATES, Row, load_rows

PAGE = """# The field, row by row
Ninety-one entries of the literature on active learning, in the order of a well-known reading list:
what this framework has of each, and the check that proves it. {counts}; {passed} of {checks} checks
passed.

A check is a known answer, a brute-force comparison, an invariance, or a paired comparison on data
that ships with scikit-learn. Its figure is what the check measured when it was last run; points are
AUBC points of accuracy, with their standard error. "Partly" means that something of the row runs,
but not its rule, or not all of it. A row without a check may be measured elsewhere: see
[methods](methods/index.md) and [results](results/index.md).

    python -m scripts.rows              # this table
    python -m scripts.rows 52           # run one check
    python -m scripts.rows --all --page # run all, and make this page

{table}
"""

DOCS = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which rows are checked; none for a list of all."""

    numbers: Annotated[tuple[int, ...], tyro.conf.Positional] = ()
    """Rows whose checks are run."""

    all: bool = False
    """Run every check."""

    page: bool = False
    """Write docs/rows.md."""

    figures: Path = DOCS / "rows.json"
    """File of the figures of the last checks."""


def run(config: Config) -> None:
    """List the rows, or run checks.

    Raises:
        UsageError: A row that has no check, or one whose check did not pass.
    """
    figures = read_json(config.figures) if config.figures.exists() else {}
    numbers = tuple(int(n) for n in CHECKS) if config.all else config.numbers
    for number in sorted(numbers):
        figures[str(number)] = run_check(number)
        write_json(config.figures, figures)
    if config.page:
        write_bytes(DOCS / "rows.md", page(load_rows(), figures).encode())
    if not numbers and not config.page:
        print(render(table(load_rows(), figures)))
    failed = [number for number in sorted(numbers) if not figures[str(number)]["passed"]]
    if failed:
        raise UsageError(f"the check of row {', '.join(map(str, failed))} did not pass")


def run_check(number: int) -> dict[str, Any]:
    """Run the check of a row, print its figure and return what is kept of it."""
    rows = {row.number: row for row in load_rows()}
    if str(number) not in CHECKS:
        known = ", ".join(sorted(CHECKS, key=int))
        what = f"{rows[number].id}, has no check yet" if number in rows else "is not in the list"
        raise UsageError(f"row {number}, {what}; rows with a check: {known}")
    began = time.process_time()
    passed, figure = CHECKS[str(number)]()
    seconds = round(time.process_time() - began, 1)
    state = "passed" if passed else "not passed"
    print(f"{number} {rows[number].id}: {state} ({seconds} CPU s): {figure}", flush=True)
    git = provenance()["git"]
    commit = git["commit"] if git else None
    return {"passed": bool(passed), "figure": figure, "seconds": seconds, "commit": commit}


def table(rows: Sequence[Row], figures: Mapping[str, Any]) -> Table:
    """Return all rows with what is here of them and the figures of their checks."""
    columns = ["row", "name", "what", "source", "state", "here", "check"]
    made = Table(columns)
    for row in rows:
        here = ", ".join(f"`{what.partition(':')[2]}`" for what in row.has)
        parts = [part for part in (here, row.note) if part]
        cells = (row.number, row.id, row.title, row.source, STATES[row.state], ": ".join(parts))
        made.rows.append(dict(zip(columns, (*cells, _shown(row, figures)), strict=True)))
    return made


def _shown(row: Row, figures: Mapping[str, Any]) -> str:
    kept = figures.get(str(row.number))
    if kept is None:
        return "not run" if str(row.number) in CHECKS else ""
    return f"{'passed' if kept['passed'] else '**not passed**'}: {kept['figure']}"


def page(rows: Sequence[Row], figures: Mapping[str, Any]) -> str:
    """Return docs/rows.md."""
    states = [row.state for row in rows]
    passed = sum(bool(kept["passed"]) for kept in figures.values())
    counts = ", ".join(f"{states.count(key)} {word}" for key, word in STATES.items())
    known = {"counts": counts, "passed": passed, "checks": len(figures)}
    return PAGE.format(**known, table=render(table(rows, figures)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_main(run, Config, argv)


if __name__ == "__main__":
    raise SystemExit(main())
