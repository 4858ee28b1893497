"""The table being labelled: cells as the file has them, columns as a learner wants them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lal.arrays import Rows
from lal.data.csv_text import CsvText, read_csv
from lal.data.dataset import LARGEST, stack_columns
from lal.data.names import nearest_name
from lal.data.tables import MISSING_LABEL, NO_NAME, csv_column, is_unnamed
from lal.errors import DataError, UsageError
from lal.labelling.content import Content
from lal.serialization import write_bytes

ABOUT_ANSWERS = ("_annotator", "_note", "_unsure")
"""Columns of a labelled copy that say who gave a label, with what note, and who was not sure."""

IS_ID = "it is the id"
"""Why an id is not learned from."""

MAX_DISTINCT = 0.5
"""A text column with more different texts than this share of the rows is not learned from."""


@dataclass(frozen=True, eq=False)
class Table:
    """The cells of a CSV file, all as text.

    Attributes:
        path: Where it was read from.
        csv: Its text and cells.
    """

    path: Path
    csv: CsvText

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.csv.header

    @property
    def n_rows(self) -> int:
        """Number of rows, N."""
        return self.csv.n_rows

    def row(self, row: int) -> dict[str, str]:
        """Return the cells of a row by column, as they stand in the file."""
        return {name: cells[row] for name, cells in zip(self.header, self.csv.columns, strict=True)}

    def place(self, column: str) -> int:
        """Return the position of a column.

        Raises:
            DataError: No such column; the message has the nearest name.
        """
        if column not in self.header:
            known = ", ".join(map(repr, self.header))
            hint = nearest_name(column, self.header)
            raise DataError(f"{self.path.name!r} has no column {column!r}; {hint}it has {known}")
        return self.header.index(column)

    def column(self, column: str) -> list[str]:
        """Return the cells of a column, without the spaces around them."""
        return [cell.strip() for cell in self.csv.columns[self.place(column)]]

    def fingerprint(self, *leave_out: str) -> str:
        """Return 16 hexadecimal digits of the SHA-256 of all cells but those of some columns.

        Line ends inside cells count as one character, as in the journals of earlier releases.
        """
        columns = [
            (name, *cells)
            for name, cells in zip(self.header, self.csv.columns, strict=True)
            if name not in leave_out
        ]
        rows = ("\x1f".join(row) + "\x1e" for row in zip(*columns, strict=True))
        whole = "".join(rows) if columns else "\x1e" * (self.n_rows + 1)
        plain = whole.replace("\r\n", "\n").replace("\r", "\n")
        return hashlib.sha256(plain.encode()).hexdigest()[:16]


def read_table(path: str | Path) -> Table:
    """Return the table in a CSV file; see `lal.data.csv_text.read_csv`.

    Raises:
        DataError: It cannot be read as a table.
        UsageError: Something else than a path was given.
    """
    if not isinstance(path, str | Path):
        raise UsageError(f"a table is given by its path, got {type(path).__name__}")
    where = Path(path)
    return Table(where, read_csv(where))


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8 and with its line ends as they are."""
    write_bytes(path, text.encode())


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
        content: How the cells become numbers where they are texts, images or embeddings.
    """

    used: tuple[str, ...]
    unused: Mapping[str, str]
    raw: Rows
    content: Content | None = None

    @cached_property
    def X(self) -> Rows:
        """Encoded rows: z-scores, the mean where missing; one-hot texts, missing a level.

        A column of texts, images or embeddings is read as such; see `lal.labelling.content`.
        """
        if self.content is not None:
            return self.content.numbers([str(cell) for cell in self.raw[:, 0]])
        from lal.data.encoding import fit_encoder

        return fit_encoder(self.raw).transform(self.raw)


def left_out(
    table: Table, target: str, id_column: str | None, ignore: Sequence[str]
) -> dict[str, str]:
    """Return the columns that are not features, with the reason.

    Raises:
        DataError: No such column.
        UsageError: Something else than names was given.
    """
    names: dict[str, object] = {
        "target": target,
        "id_column": "" if id_column is None else id_column,
    }
    wrong = [f"{key}={value!r}" for key, value in names.items() if not isinstance(value, str)]
    if wrong or not target:
        raise UsageError(f"columns are given by their names, got {', '.join(wrong) or 'no target'}")
    if isinstance(ignore, str):
        raise UsageError(f"ignore must be a sequence of columns, got the text {ignore!r}")
    for name in (*ignore, *filter(None, [id_column])):
        table.place(name)
    reasons = {name: "it is about an answer" for name in ABOUT_ANSWERS if name in table.header}
    reasons |= dict.fromkeys(ignore, "left out on request")
    if id_column is not None:
        reasons[id_column] = IS_ID
    return reasons | {target: "it is the target"}


def learned_columns(
    table: Table, leave_out: Mapping[str, str], *, content: Content | None = None
) -> Learned:
    """Return the columns to learn from.

    Args:
        table: The table.
        leave_out: Columns that are not features, with the reason.
        content: The only column learned from when given.

    Raises:
        DataError: No such column, nothing is left to learn from, or a column has numbers that are
            too large.
    """
    unused = dict(leave_out)
    if content is not None:
        return _learned_content(table, unused, content)
    used, columns = [], []
    for name, texts in zip(table.header, table.csv.columns, strict=True):
        if name in leave_out:
            continue
        cells = csv_column(texts)
        reason = NO_NAME if is_unnamed(name) else _useless(cells)
        if reason:
            unused[name] = reason
            continue
        _check_magnitude(cells, name, table.path.name)
        used.append(name)
        columns.append(cells)
    if not columns:
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in unused.items())
        raise DataError(
            f"{table.path.name!r} has no column to learn from ({reasons}); learn from a column of "
            "texts by text=, or --text COLUMN"
        )
    return Learned(tuple(used), unused, stack_columns(columns))


def _learned_content(table: Table, unused: dict[str, str], content: Content) -> Learned:
    name, kind = content.column, content.kind
    cells = table.csv.columns[table.place(name)]
    why = unused.pop(name, None)
    if why is not None and not (kind == "image" and why == IS_ID):
        raise UsageError(f"column {name!r} cannot be learned from as {kind}: {why}")
    raw = np.array([[cell] for cell in cells], dtype=object)
    others = {other: f"only the {kind} is learned from" for other in table.header if other != name}
    return Learned((name,), others | unused, raw, content)


def _useless(cells: Sequence[object]) -> str | None:
    present = [c for c in cells if c is not None]
    distinct = len(set(present))
    if distinct < 2:
        return "it holds one value only" if present else "it is empty"
    if isinstance(present[0], str) and distinct > max(10, MAX_DISTINCT * len(cells)):
        return "nearly every row holds another text"
    return None


def _check_magnitude(cells: Sequence[object], column: str, name: str) -> None:
    """Refuse numbers that `make_dataset` refuses too."""
    present = [v for v in cells if v is not None]
    if isinstance(present[0], float) and np.abs(np.array(present)).max() > LARGEST:
        raise DataError(
            f"column {column!r} of {name!r} has infinite values or values beyond {LARGEST:g}; "
            "empty or clip these cells, or leave the column out (ignore=, --ignore)"
        )


RowFinder = Callable[[str], int]
"""What a person calls a row (an id, or its number from 1) to its position."""


def row_finder(table: Table, id_column: str | None) -> RowFinder:
    """Return what finds rows by their id, or by their number (1 is the first below the header).

    Raises:
        DataError: Ids are missing or not unique.
    """
    names = [str(i + 1) for i in range(table.n_rows)]
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
