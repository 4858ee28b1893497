"""The ledger of a campaign: labels and skips as they stand, from the table and the journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lal.arrays import Ints
from lal.errors import DataError, UsageError
from lal.labelling.journal import Event, Journal
from lal.labelling.table import Table, is_empty_label, read_table, row_finder

ROW = "_row"
"""Column of answer files that holds row numbers, from 1, where there is no id column."""


@dataclass(frozen=True)
class Progress:
    """How far a campaign is.

    Attributes:
        n_rows: Rows of the table, N.
        n_labelled: Rows with a label, L.
        n_answers: Labels and skips given in this campaign that still stand.
        skipped: Names of the skipped rows.
        counts: Labels of each class.
    """

    n_rows: int
    n_labelled: int
    n_answers: int
    skipped: tuple[str, ...]
    counts: Mapping[str, int]

    @property
    def n_left(self) -> int:
        """Rows that may still be asked."""
        return self.n_rows - self.n_labelled - len(self.skipped)

    def __str__(self) -> str:
        """Return it as a line."""
        counts = ", ".join(f"{name} {n}" for name, n in self.counts.items())
        return (
            f"{self.n_labelled} of {self.n_rows} rows labelled ({counts}), "
            f"{len(self.skipped)} skipped, {self.n_left} left"
        )


class Ledger:
    """Which rows of a table have which label, and which were skipped.

    Args:
        table: The table.
        target: Column of labels.
        classes: All classes; those in the target column when None.
        id_column: Column of unique ids, or None.
        journal: Where events are kept.

    Raises:
        DataError: A table or a journal that cannot be used.
        UsageError: Too few classes, or a journal of another table.
    """

    def __init__(
        self,
        table: Table,
        *,
        target: str,
        classes: Sequence[str] | None,
        id_column: str | None,
        journal: Path,
    ) -> None:
        self.table, self.target, self.id_column = table, target, id_column
        self._given = _given_labels(table, target)
        self.classes = _classes(classes, self._given)
        self._find = row_finder(table, id_column)
        self.version = 0
        about = {"target": target, "table": table.fingerprint(target)}
        self.journal = Journal(journal, about)
        try:
            self._replay()
        except BaseException:
            self.journal.close()
            raise

    def _replay(self) -> None:
        """Make labels (in the order they came) and skips: the table's, then the journal's."""
        self.labels = {row: self._code(name) for row, name in self._given.items()}
        self.skipped: dict[int, None] = {}
        for event in self.journal.standing:
            if event.row is None or event.row >= len(self.table.rows):
                raise DataError(f"the journal names row {event.row}, which is not in the table")
            if event.do == "skip":
                if event.row not in self.labels:
                    self.skipped[event.row] = None
                continue
            code = self._code(str(event.label))
            if self.labels.setdefault(event.row, code) != code:
                raise DataError(
                    f"row {self.name(event.row)} has the label "
                    f"{self.classes[self.labels[event.row]]!r} in the table and {event.label!r} in "
                    "the journal; empty the cell in the table, or start a new journal"
                )
            self.skipped.pop(event.row, None)
        self.version += 1

    def _code(self, label: str) -> int:
        if label not in self.classes:
            raise DataError(
                f"{label!r} is no class; expected one of {', '.join(map(repr, self.classes))}"
            )
        return self.classes.index(label)

    def name(self, row: int) -> str:
        """Return what people call a row: its id, or its number from 1."""
        if self.id_column is None:
            return str(row + 1)
        return self.table.rows[row][self.table.place(self.id_column)].strip()

    def find(self, name: str) -> int:
        """Return the position of the row that people call `name`."""
        return self._find(name)

    def label(self, row: int, label: str) -> None:
        """Write down an answer; on return it is on the disk. A skipped row may be labelled.

        Raises:
            UsageError: No such row, or it has a label.
            DataError: No such class, or the disk is full.
        """
        self._check_row(row)
        code = self._code(label)
        if row in self.labels:
            raise UsageError(
                f"row {self.name(row)} is labelled {self.classes[self.labels[row]]!r} already; "
                "undo goes back one answer at a time"
            )
        self.journal.append(Event("label", row, label, name=self.name(row)))
        self.labels[row] = code
        self.skipped.pop(row, None)
        self.version += 1

    def skip(self, row: int) -> None:
        """Put a row aside; it is not asked again.

        Raises:
            UsageError: No such row, or it has a label or was skipped before.
        """
        self._check_row(row)
        if row in self.labels or row in self.skipped:
            done = "labelled" if row in self.labels else "skipped"
            raise UsageError(f"row {self.name(row)} is {done} already")
        self.journal.append(Event("skip", row, name=self.name(row)))
        self.skipped[row] = None
        self.version += 1

    def undo(self) -> Event:
        """Take back the last answer or skip that stands, and return it.

        Raises:
            UsageError: There is none; labels that came with the table cannot be undone.
        """
        last = self.journal.standing[-1] if self.journal.standing else Event("undo")
        self.journal.append(Event("undo"))
        self._replay()
        return last

    def _check_row(self, row: int) -> None:
        if not 0 <= row < len(self.table.rows):
            raise UsageError(f"row must be 0 to {len(self.table.rows) - 1}, got {row}")

    def take_answers(self, path: str | Path) -> int:
        """Write down all answers of a CSV file and return how many were new.

        The file needs the target column and the id column (`_row`, numbers from 1, without ids);
        rows without an answer are passed over, and equal answers to rows that have them.

        Raises:
            DataError: An answer that contradicts a label, or is no class; nothing is taken then.
        """
        answers = read_table(path)
        names = answers.column(self.id_column or ROW)
        new: dict[int, str] = {}
        for name, label in zip(names, answers.column(self.target), strict=True):
            if is_empty_label(label):
                continue
            row, code = self.find(name), self._code(label)
            held = self._code(new[row]) if row in new else self.labels.get(row, code)
            if held != code:
                raise DataError(
                    f"{answers.path.name!r} says {label!r} for row {name}, which is labelled "
                    f"{self.classes[held]!r}; nothing was taken from the file"
                )
            if row not in self.labels:
                new[row] = label
        for row, label in new.items():
            self.label(row, label)
        return len(new)

    def cells(self) -> dict[int, str]:
        """Return the labels by row, as the target column holds them."""
        return {row: self.classes[code] for row, code in self.labels.items()}

    def progress(self) -> Progress:
        """Return how far the campaign is."""
        counts = np.bincount(self.codes, minlength=len(self.classes)).tolist()
        return Progress(
            n_rows=len(self.table.rows),
            n_labelled=len(self.labels),
            n_answers=len(self.journal.standing),
            skipped=tuple(self.name(row) for row in self.skipped),
            counts=dict(zip(self.classes, counts, strict=True)),
        )

    @property
    def rows(self) -> Ints:
        """Labelled rows in row order, shape (L,)."""
        return np.array(sorted(self.labels), dtype=np.int64)

    @property
    def codes(self) -> Ints:
        """Their class codes, shape (L,)."""
        return np.array([self.labels[row] for row in sorted(self.labels)], dtype=np.int64)


def _given_labels(table: Table, target: str) -> dict[int, str]:
    if target not in table.header:
        return {}
    cells = enumerate(table.column(target))
    return {row: cell for row, cell in cells if not is_empty_label(cell)}


def _classes(classes: Sequence[str] | None, given: Mapping[int, str]) -> tuple[str, ...]:
    names = tuple(sorted(set(given.values()))) if classes is None else tuple(classes)
    if len(names) < 2:
        raise UsageError(
            f"labelling needs two classes, got {list(names)}; name all of them (classes=, or "
            "--classes a b c)"
        )
    if len(set(names)) != len(names) or any(is_empty_label(name) for name in names):
        raise UsageError(f"classes must be different names and not empty, got {list(names)}")
    return names
