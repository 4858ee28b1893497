"""The label store of a project: answers as they stand, from the table and the journal."""

import operator
from collections.abc import Mapping, Sequence
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
from lal.labelling.journal import Event, Journal, Kind
from lal.labelling.opinions import NAMELESS, Opinions, annotator_name, check_by, note_text
from lal.labelling.progress import Progress
from lal.labelling.table import ABOUT_ANSWERS, Table, row_finder


class LabelStore:
    """Which rows of a table have which label, and which were skipped.

    Args:
        table: The table.
        target: Column of labels.
        classes: All classes; those in the target column when None.
        id_column: Column of unique ids, or None.
        journal: Where events are kept.
        annotator: Who answers now; nobody by name when empty.

    Attributes:
        opinions: What every annotator said.
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
        annotator: str = NAMELESS,
    ) -> None:
        self.table, self.target, self.id_column = table, target, id_column
        self.annotator = annotator_name(annotator)
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
        self.labels = {row: self.code(name) for row, name in self._given.items()}
        self.skipped: dict[int, None] = {}
        self.checks: dict[int, None] = {}
        self.opinions = Opinions()
        for n_events, event in enumerate(self.journal.standing, start=1):
            self._take(event, n_events)
        self._count(labels=True)

    def _take(self, event: Event, n_events: int) -> None:
        """Do what an event of the journal says; it is the `n_events`-th that stands."""
        row, by = event.row, event.by or NAMELESS
        if row is None or row >= self.table.n_rows:
            raise DataError(
                f"the journal {str(self.journal.path)!r} names row {row}, which is not in the "
                "table; restore it from a copy"
            )
        if event.note is not None:
            self.opinions.notes[row] = event.note
        if event.label is None:
            self._set_aside(event.do, row, by, n_events)
        elif event.do == "settle":
            self.labels[row] = self.code(event.label)
            self.opinions.holders[row] = by
            self.opinions.settled.add(row)
        elif event.do == "change" and row in self.labels:
            self._change(row, by, self.code(event.label))
        else:
            self._give(event, row, by)

    def _set_aside(self, do: str, row: int, by: str, n_events: int) -> None:
        if row in self.labels:
            self.opinions.declined.setdefault(by, set()).add(row)
        elif do == "skip":
            self.skipped[row] = None
            self.opinions.unsure.pop(row, None)
        else:
            self.opinions.unsure.setdefault(row, {})[by] = n_events

    def _change(self, row: int, by: str, code: int) -> None:
        owner = self.opinions.owner(by, row) or NAMELESS
        self.opinions.give(owner, row, code)
        if self.opinions.holders[row] == owner:
            self.labels[row] = code

    def _give(self, event: Event, row: int, by: str) -> None:
        code = self.code(str(event.label))
        held = self.labels[row] if row in self._given else self.opinions.answer(by, row)
        if held is not None and held != code:
            raise DataError(
                f"row {self.name(row)} has the label {self.classes[held]!r} "
                f"{'in the table' if row in self._given else 'further up'} and {event.label!r} in "
                "the journal; empty the cell in the table, or start a new journal"
            )
        if row not in self._given:
            self.opinions.give(by, row, code)
        self.labels.setdefault(row, code)
        self.skipped.pop(row, None)
        if event.check:
            self.checks[row] = None

    def _count(self, *, labels: bool) -> None:
        """Count a change, so that whoever keeps what follows from it knows that it is old."""
        self.version += 1
        self.labels_version += labels

    def code(self, label: str) -> int:
        """Return the code of a class.

        Raises:
            DataError: No such class.
        """
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

    def label(self, row: int, label: object, *, note: str | None = None) -> None:
        """Write down an answer; on return it is on the disk. A skipped row may be labelled.

        An annotator with a name may answer a row that another one has answered: its label stays
        the first answer.

        Raises:
            UsageError: No such row, or it has a label or this annotator's answer.
            DataError: No such class, or the disk is full.
        """
        row, label = self._checked_row(row), class_name(label)
        self.code(label)
        held = self.own_code(row)
        if held is not None:
            raise UsageError(
                f"row {self.name(row)} is labelled {self.classes[held]!r} already; undo goes back "
                "one answer at a time"
            )
        check = True if row in self.reserved and row not in self.labels else None
        self._record(self._event("label", row, note, label=label, check=check), labels=True)

    def change(self, row: int, label: object, *, note: str | None = None) -> None:
        """Replace an answer given in this project; the journal keeps both, and undo goes back.

        Raises:
            UsageError: No such row, it has no answer, it has this one, another annotator gave it,
                or its label came with the table.
            DataError: No such class, or the disk is full.
        """
        row, label = self._checked_row(row), class_name(label)
        code = self.code(label)
        if row not in self.labels:
            raise UsageError(f"row {self.name(row)} has no answer to change; label it first")
        if row in self._given:
            raise UsageError(
                f"row {self.name(row)} has its label from the table; change it there and start a "
                "new journal"
            )
        owner = self.opinions.owner(self.annotator, row)
        if owner is None:
            others = " and ".join(map(repr, self.opinions.said(row)))
            raise UsageError(
                f"row {self.name(row)} was answered by {others} only; give your own answer to it, "
                "then settle what stands"
            )
        if self.opinions.answer(owner, row) == code and note_text(note) is None:
            raise UsageError(f"row {self.name(row)} is labelled {label!r} already")
        self._record(self._event("change", row, note, label=label), labels=True)

    def settle(self, row: int, label: object, *, note: str | None = None) -> None:
        """Say which label stands where annotators differ; their answers stay as they are.

        Raises:
            UsageError: No such row, or the annotators do not differ on it.
            DataError: No such class, or the disk is full.
        """
        row, label = self._checked_row(row), class_name(label)
        self.code(label)
        if len(set(self.opinions.said(row).values())) < 2:
            raise UsageError(
                f"row {self.name(row)} has no two answers that differ, so there is nothing to "
                "settle; change the answer instead"
            )
        self._record(self._event("settle", row, note, label=label), labels=True)

    def skip(self, row: int, *, note: str | None = None) -> None:
        """Put a row aside; it is not queried again.

        Raises:
            UsageError: No such row, or it has a label or was skipped before.
        """
        row = self._open_row(row)
        self._record(self._event("skip", row, note), labels=False)

    def unsure(self, row: int, *, note: str | None = None) -> None:
        """Put a row aside for now; this annotator is not asked for it again soon.

        It never counts as a label. It is asked for again `AGAIN` answers later at the earliest, or
        once no other row is left; other annotators may be asked at once.

        Raises:
            UsageError: No such row, or it has a label or was skipped before.
        """
        row = self._open_row(row)
        self._record(self._event("unsure", row, note), labels=False)

    def _event(
        self, do: Kind, row: int, note: str | None, *, label: str | None = None,
        check: bool | None = None,
    ) -> Event:  # fmt: skip
        return Event(
            do, row, label, name=self.name(row), check=check, by=self.annotator or None,
            note=note_text(note),
        )  # fmt: skip

    def _record(self, event: Event, *, labels: bool) -> None:
        self.journal.append(event)
        self._take(event, len(self.journal.standing))
        self._count(labels=labels)

    def own_code(self, row: int) -> int | None:
        """Return the class that this annotator cannot label a row differently from.

        That is their own answer, or the row's label where it came with the table or where nobody
        named answers now; None where they may answer.
        """
        own = self.opinions.answer(self.annotator, row)
        if own is not None or (self.annotator != NAMELESS and row not in self._given):
            return own
        return self.labels.get(row)

    def _open_row(self, row: int) -> int:
        """Return the row if it may be set aside."""
        row = self._checked_row(row)
        declined = row in self.opinions.declined.get(self.annotator, ())
        if row in self.skipped or declined or self.own_code(row) is not None:
            done = "skipped" if row in self.skipped or declined else "labelled"
            raise UsageError(f"row {self.name(row)} is {done} already")
        return row

    @property
    def resting(self) -> set[int]:
        """Rows that this annotator was not sure about lately."""
        return self.opinions.resting(self.annotator, len(self.journal.standing))

    def undo(self, row: int | None = None) -> Event:
        """Take back the last answer or skip that stands, and return it.

        Args:
            row: The row that the last answer must be of; whatever it is when None.

        Raises:
            UsageError: There is none, or it is of another row or annotator; labels that came with
                the table cannot be undone.
        """
        standing = self.journal.standing
        last = standing[-1] if standing else None
        if last is not None and last.row is not None:
            check_by(last, self.annotator, self.name(last.row))
        if row is not None and (last is None or last.row != self._checked_row(row)):
            raise UsageError(
                f"the last answer is not that of row {self.name(row)} any more; it was taken back "
                "or another was given since"
            )
        self.journal.append(Event("undo"))
        self._replay()
        return Event("undo") if last is None else last

    def last_answers(self, n: int) -> list[tuple[int, str]]:
        """Return the last n rows that this annotator labelled, newest first, as they are."""
        given = [
            e.row
            for e in self.journal.standing
            if e.do == "label" and e.row is not None and (e.by or NAMELESS) == self.annotator
        ]
        said = self.opinions.answers.get(self.annotator, {})
        return [(row, self.classes[said[row]]) for row in given[: -n - 1 : -1]]

    @property
    def last(self) -> Event | None:
        """The last answer or skip that stands, which `undo` takes back; None if it may not."""
        last = self.journal.standing[-1] if self.journal.standing else None
        return last if last is not None and (last.by or NAMELESS) == self.annotator else None

    def _checked_row(self, row: int) -> int:
        try:
            place = operator.index(row)
        except TypeError:
            raise UsageError(f"row must be a whole number, got {row!r}") from None
        if not 0 <= place < self.table.n_rows:
            raise UsageError(f"row must be 0 to {self.table.n_rows - 1}, got {place}")
        return place

    @property
    def given(self) -> Mapping[int, str]:
        """Labels that came with the table, by row."""
        return self._given

    def cells(self) -> dict[int, str]:
        """Return the labels by row, as the target column holds them."""
        return {row: self.classes[code] for row, code in self.labels.items()}

    def filled_columns(self) -> dict[str, dict[int, str]]:
        """Return new cells by column: the labels, and what there is to say about the answers."""
        opinions = self.opinions
        about = (
            {row: by for row, by in opinions.holders.items() if by},
            opinions.notes,
            {row: ", ".join(filter(None, when)) or "yes" for row, when in opinions.unsure.items()},
        )
        said = {name: new for name, new in zip(ABOUT_ANSWERS, about, strict=True) if new}
        return {self.target: self.cells(), **said}

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
            unsure=tuple(self.name(row) for row in self.opinions.unsure),
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
