"""A CSV file as people keep it: read cell by cell, written back with the labels filled in."""

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lal.arrays import Rows
from lal.data.dataset import stack_columns
from lal.data.tables import MISSING, MISSING_LABEL
from lal.errors import DataError
from lal.serialization import write_atomic

MAX_DISTINCT = 0.5
"""A text column with more different texts than this share of the rows is not learned from."""

MAX_CELL = 16_000_000
"""Longest cell in characters; the csv module's own limit is too short for documents."""


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a CSV file, all as text.

    Attributes:
        path: Where it was read from.
        header: Names of the columns.
        rows: N rows of cells, each as long as the header.
        delimiter: What separates cells.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    delimiter: str

    def place(self, column: str) -> int:
        """Return the position of a column.

        Raises:
            DataError: No such column.
        """
        if column not in self.header:
            known = ", ".join(map(repr, self.header))
            raise DataError(f"{self.path.name!r} has no column {column!r}; it has {known}")
        return self.header.index(column)

    def column(self, column: str) -> list[str]:
        """Return the cells of a column, without the spaces around them."""
        place = self.place(column)
        return [row[place].strip() for row in self.rows]

    def fingerprint(self, leave_out: str) -> str:
        """Return 16 hexadecimal digits of the SHA-256 of all cells without one column."""
        place = self.header.index(leave_out) if leave_out in self.header else None
        digest = hashlib.sha256()
        for row in (self.header, *self.rows):
            kept = [cell for j, cell in enumerate(row) if j != place]
            digest.update(("\x1f".join(kept) + "\x1e").encode())
        return digest.hexdigest()[:16]

    def filled(self, column: str, cells: Mapping[int, str]) -> str:
        """Return the file's text with cells of a column replaced; the column is added if absent.

        Args:
            column: Name of the column.
            cells: Row to its new cell; all other cells stay as they are.
        """
        known = column in self.header
        place = self.header.index(column) if known else len(self.header)
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator="\n")
        writer.writerow(self.header if known else (*self.header, column))
        for i, row in enumerate(self.rows):
            cell = cells.get(i, row[place] if known else "")
            writer.writerow((*row[:place], cell, *row[place + 1 :]))
        return out.getvalue()


def read_table(path: str | Path) -> Table:
    """Return the table in a CSV file; commas, semicolons and tabs are told apart by the header.

    Raises:
        DataError: No such file, not UTF-8, empty, uneven rows, or columns of one name.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name!r} is not UTF-8 text ({error}); save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from error
    first = text.split("\n", 1)[0]
    delimiter = max((",", ";", "\t"), key=first.count)
    csv.field_size_limit(MAX_CELL)
    try:
        lines = [r for r in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if r]
    except csv.Error as error:
        raise DataError(f"cannot read {path.name!r} as CSV: {error}") from error
    if len(lines) < 2:
        raise DataError(f"{path.name!r} is empty; expected a header and rows")
    header = tuple(cell.strip() for cell in lines[0])
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(header):
            raise DataError(
                f"row {number} of {path.name!r} has {len(line)} cells; the header has {len(header)}"
            )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path.name!r} has two columns called {twice[0]!r}; rename one")
    return Table(path, header, tuple(map(tuple, lines[1:])), delimiter)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8 and with its line ends as they are."""
    write_atomic(path, lambda part: part.write_text(text, encoding="utf-8", newline=""))


def is_empty_label(cell: str) -> bool:
    """Whether a cell of the target column holds no label."""
    return cell.strip() in MISSING_LABEL


@dataclass(frozen=True, eq=False)
class Learned:
    """What a table's columns are to a learner.

    Attributes:
        used: Names of the columns learned from.
        unused: Name to the reason why a column is not learned from.
        raw: Their cells, (N, D): numbers, texts, nan where missing.
    """

    used: tuple[str, ...]
    unused: Mapping[str, str]
    raw: Rows

    @cached_property
    def X(self) -> Rows:
        """Encoded rows: z-scores, the mean where missing; one-hot texts, missing a level."""
        from lal.data.encoding import fit_encoder

        return fit_encoder(self.raw).transform(self.raw)


def learned_columns(table: Table, leave_out: Mapping[str, str]) -> Learned:
    """Return the columns to learn from.

    Args:
        table: The table.
        leave_out: Columns that are not features, with the reason.

    Raises:
        DataError: Nothing is left to learn from.
    """
    unused = dict(leave_out)
    used, columns = [], []
    for name in table.header:
        if name in unused:
            continue
        cells = read_cells(table.column(name))
        reason = _useless(cells)
        if reason:
            unused[name] = reason
            continue
        used.append(name)
        columns.append(cells)
    if not columns:
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in unused.items())
        raise DataError(f"{table.path.name!r} has no column to learn from ({reasons})")
    return Learned(tuple(used), unused, stack_columns(columns))


def read_cells(cells: Sequence[str]) -> list[object]:
    """Return numbers where every present cell is one, else texts; None where missing."""
    present = [None if c.lower() in MISSING else c for c in cells]
    numbers = [_number(c) for c in present]
    if any(c is not None and v is None for c, v in zip(present, numbers, strict=True)):
        return list(present)
    return [None if v is None or not np.isfinite(v) else v for v in numbers]


def _number(cell: str | None) -> float | None:
    try:
        return None if cell is None or "_" in cell else float(cell)
    except ValueError:
        return None


def _useless(cells: Sequence[object]) -> str | None:
    present = [c for c in cells if c is not None]
    distinct = len(set(present))
    if distinct < 2:
        return "it holds one value only" if present else "it is empty"
    if isinstance(present[0], str) and distinct > max(10, MAX_DISTINCT * len(cells)):
        return "nearly every row holds another text"
    return None


RowFinder = Callable[[str], int]
"""What a person calls a row (an id, or its number from 1) to its position."""


def row_finder(table: Table, id_column: str | None) -> RowFinder:
    """Return what finds rows by their id, or by their number (1 is the first below the header).

    Raises:
        DataError: Ids are missing or not unique.
    """
    names = [str(i + 1) for i in range(len(table.rows))]
    if id_column is not None:
        names = table.column(id_column)
        _check_ids(names, id_column)
    position = {name: i for i, name in enumerate(names)}
    what = "row number" if id_column is None else f"{id_column!r}"

    def find(name: str) -> int:
        if name.strip() not in position:
            raise DataError(f"no row of {table.path.name!r} has the {what} {name.strip()!r}")
        return position[name.strip()]

    return find


def _check_ids(names: Sequence[str], column: str) -> None:
    seen: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"row {number} has no id in column {column!r}; every row needs one")
        if name in seen:
            raise DataError(
                f"rows {seen[name]} and {number} have the same id {name!r} in column {column!r}"
            )
        seen[name] = number
