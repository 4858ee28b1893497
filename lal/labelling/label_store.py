"""The label store of a project: labels and skips as they stand, from the table and the journal."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lal.arrays import Ints
from lal.errors import DataError, UsageError
from lal.labelling.classes import (
    check_classes,
    class_name,
    class_names,
    find_class,
    given_labels,
)
from lal.labelling.journal import Event, Journal
from lal.labelling.table import Table, read_table, row_finder

ROW = "_row"
"""Column of answer files that holds row numbers, from 1, where there is no id column."""

CANNOT_TELL = "?"
"""Answer of a file that skips a row; an empty one leaves it for later."""


@dataclass(frozen=True)
class Progress:
    """How far a project is.

    Attributes:
        n_rows: Rows of the table, N.
        n_labelled: Rows with a label, L.
        n_answers: Labels and skips given in this project that still stand.
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
        """Rows that may still be queried."""
        return self.n_rows - self.n_labelled - len(self.skipped)

    def __str__(self) -> str:
        """Return it as a line."""
        counts = ", ".join(f"{name} {n}" for name, n in self.counts.items())
        return (
            f"{self.n_labelled} of {self.n_rows} rows labelled ({counts}), "
            f"{len(self.skipped)} skipped, {self.n_left} left"
        )


class LabelStore:
    """Which rows of a table have which label, and which were skipped.

    Args:
        table: The table.
        target: Column of labels.
        classes: All classes; those in the target column when None.
        id_column: Column of unique ids, or None.
        journal: Where events are kept.

    Attributes:
        notes: Sentences on cells of the target that may not mean what they seem to.
        reserved: Rows whose labels are kept apart from now on; none unless set.
        checks: Rows whose labels are kept apart, in the order in which they were labelled.

    Raises:
        DataError: A table or a journal that cannot be used.
        UsageError: Too few classes, a target spelled like another column, or a journal of another
            table.
    """

    def __init__(
        self,
        table: Table,
        *,
        target: str,
        classes: Sequence[object] | None,
        id_column: str | None,
        journal: Path,
    ) -> None:
        self.table, self.target, self.id_column = table, target, id_column
        named = None if classes is None else class_names(classes)
        self._given, self.notes = given_labels(table, target, named)
        self.classes = check_classes(sorted(set(self._given.values())) if named is None else named)
        self._find = row_finder(table, id_column)
        self.reserved: frozenset[int] = frozenset()
        self.version = 0
        self.labels_version = 0
        self.fingerprint = table.fingerprint(target)
        about = {"target": target, "table": self.fingerprint}
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
        self.checks: dict[int, None] = {}
        for event in self.journal.standing:
            if event.row is None or event.row >= self.table.n_rows:
                raise DataError(
                    f"the journal {str(self.journal.path)!r} names row {event.row}, which is not "
                    "in the table; restore it from a copy"
                )
            if event.do == "skip":
                if event.row not in self.labels:
                    self.skipped[event.row] = None
                continue
            code = self._code(str(event.label))
            if event.do == "change" and event.row in self.labels:
                self.labels[event.row] = code
                continue
            if self.labels.setdefault(event.row, code) != code:
                raise DataError(
                    f"row {self.name(event.row)} has the label "
                    f"{self.classes[self.labels[event.row]]!r} in the table and {event.label!r} in "
                    "the journal; empty the cell in the table, or start a new journal"
                )
            self.skipped.pop(event.row, None)
            if event.check:
                self.checks[event.row] = None
        self._count(labels=True)

    def _count(self, *, labels: bool) -> None:
        """Count a change, so that whoever keeps what follows from it knows that it is old."""
        self.version += 1
        self.labels_version += labels

    def _code(self, label: str) -> int:
        code = find_class(label, self.classes)
        if code is None:
            raise DataError(
                f"{label!r} is not a class; expected one of {', '.join(map(repr, self.classes))}"
            )
        return code

    def name(self, row: int) -> str:
        """Return what people call a row: its id, or its number from 1."""
        if self.id_column is None:
            return str(row + 1)
        return self.table.csv.columns[self.table.place(self.id_column)][row].strip()

    def find(self, name: str) -> int:
        """Return the position of the row that people call `name`."""
        return self._find(name)

    def label(self, row: int, label: object) -> None:
        """Write down an answer; on return it is on the disk. A skipped row may be labelled.

        Raises:
            UsageError: No such row, or it has a label.
            DataError: No such class, or the disk is full.
        """
        row, label = self._checked_row(row), class_name(label)
        code = self._code(label)
        if row in self.labels:
            raise UsageError(
                f"row {self.name(row)} is labelled {self.classes[self.labels[row]]!r} already; "
                "undo goes back one answer at a time"
            )
        check = True if row in self.reserved else None
        self.journal.append(Event("label", row, label, name=self.name(row), check=check))
        self.labels[row] = code
        self.skipped.pop(row, None)
        if check:
            self.checks[row] = None
        self._count(labels=True)

    def change(self, row: int, label: object) -> None:
        """Replace an answer given in this project; the journal keeps both, and undo goes back.

        Raises:
            UsageError: No such row, it has no answer, it has this one, or its label came with the
                table.
            DataError: No such class, or the disk is full.
        """
        row, label = self._checked_row(row), class_name(label)
        code = self._code(label)
        if row not in self.labels:
            raise UsageError(f"row {self.name(row)} has no answer to change; label it first")
        if row in self._given:
            raise UsageError(
                f"row {self.name(row)} has its label from the table; change it there and start a "
                "new journal"
            )
        if self.labels[row] == code:
            raise UsageError(f"row {self.name(row)} is labelled {label!r} already")
        self.journal.append(Event("change", row, label, name=self.name(row)))
        self.labels[row] = code
        self._count(labels=True)

    def skip(self, row: int) -> None:
        """Put a row aside; it is not queried again.

        Raises:
            UsageError: No such row, or it has a label or was skipped before.
        """
        row = self._checked_row(row)
        if row in self.labels or row in self.skipped:
            done = "labelled" if row in self.labels else "skipped"
            raise UsageError(f"row {self.name(row)} is {done} already")
        self.journal.append(Event("skip", row, name=self.name(row)))
        self.skipped[row] = None
        self._count(labels=False)

    def undo(self, row: int | None = None) -> Event:
        """Take back the last answer or skip that stands, and return it.

        Args:
            row: The row that the last answer must be of; whatever it is when None.

        Raises:
            UsageError: There is none, or it is of another row; labels that came with the table
                cannot be undone.
        """
        last = self.last
        if row is not None and (last is None or last.row != self._checked_row(row)):
            raise UsageError(
                f"the last answer is not that of row {self.name(row)} any more; it was taken back "
                "or another was given since"
            )
        self.journal.append(Event("undo"))
        self._replay()
        return Event("undo") if last is None else last

    def last_answers(self, n: int) -> list[tuple[int, str]]:
        """Return the last n rows that were labelled in this project, newest first, as they are."""
        given = [e.row for e in self.journal.standing if e.do == "label" and e.row is not None]
        return [(row, self.classes[self.labels[row]]) for row in given[: -n - 1 : -1]]

    @property
    def last(self) -> Event | None:
        """The last answer or skip that stands, which `undo` takes back."""
        return self.journal.standing[-1] if self.journal.standing else None

    def _checked_row(self, row: int) -> int:
        try:
            place = operator.index(row)
        except TypeError:
            raise UsageError(f"row must be a whole number, got {row!r}") from None
        if not 0 <= place < self.table.n_rows:
            raise UsageError(f"row must be 0 to {self.table.n_rows - 1}, got {place}")
        return place

    def take_answers(self, path: str | Path) -> int:
        """Write down all answers of a CSV file and return how many were new.

        The file needs the target column and the id column (`_row`, numbers from 1, without ids).
        Rows whose answer is empty are left for later, rows answered ``?`` are skipped; equal
        answers to rows that have them are passed over.

        Raises:
            DataError: An answer that contradicts a label, or is not a class; nothing is taken then.
        """
        answers = read_table(path)
        names = answers.column(self.id_column or ROW)
        new: dict[int, str] = {}
        for name, label in zip(names, answers.column(self.target), strict=True):
            if label == "":
                continue
            row = self.find(name)
            if label != CANNOT_TELL:
                self._check_agrees(row, label, new, answers.path.name)
            if row not in self.labels and not (label == CANNOT_TELL and row in self.skipped):
                new[row] = label
        for row, label in new.items():
            if label == CANNOT_TELL:
                self.skip(row)
            else:
                self.label(row, label)
        return len(new)

    def _check_agrees(self, row: int, label: str, new: Mapping[int, str], file: str) -> None:
        code = self._code(label)
        held = self.labels.get(row, code)
        if new.get(row, CANNOT_TELL) != CANNOT_TELL:
            held = self._code(new[row])
        if held != code:
            raise DataError(
                f"{file!r} says {label!r} for row {self.name(row)}, which is labelled "
                f"{self.classes[held]!r}; nothing was taken from the file"
            )

    @property
    def given(self) -> Mapping[int, str]:
        """Labels that came with the table, by row."""
        return self._given

    def cells(self) -> dict[int, str]:
        """Return the labels by row, as the target column holds them."""
        return {row: self.classes[code] for row, code in self.labels.items()}

    def progress(self) -> Progress:
        """Return how far the project is."""
        codes = np.array(list(self.labels.values()), dtype=np.int64)
        counts = np.bincount(codes, minlength=len(self.classes)).tolist()
        return Progress(
            n_rows=self.table.n_rows,
            n_labelled=len(self.labels),
            n_answers=len(self.journal.standing),
            skipped=tuple(self.name(row) for row in self.skipped),
            counts=dict(zip(self.classes, counts, strict=True)),
        )

    @property
    def training(self) -> dict[int, int]:
        """Class codes by row, without the labels that are kept apart, in the order they came."""
        return {row: code for row, code in self.labels.items() if row not in self.checks}

    @property
    def rows(self) -> Ints:
        """Labelled rows that are learned from, in row order, shape (L,)."""
        return np.array(sorted(self.training), dtype=np.int64)

    @property
    def codes(self) -> Ints:
        """Their class codes, shape (L,)."""
        training = self.training
        return np.array([training[row] for row in sorted(training)], dtype=np.int64)
