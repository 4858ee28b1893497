"""The copy of the table with the labels filled in; it never replaces anything else."""

import os
from pathlib import Path

from lal.errors import DataError, UsageError
from lal.labelling.label_store import LabelStore
from lal.labelling.table import ABOUT_ANSWERS, Table, is_empty_label, read_table, write_text


class LabelledCopy:
    """Writes copies of a table, as a whole or not at all.

    A file that is there already is replaced only when nothing would be lost: when it is a copy of
    the same table, and every label in it is in the table or was given in this project.

    Args:
        store: The labels.
    """

    def __init__(self, store: LabelStore) -> None:
        self.store = store
        self._inputs = {store.table.path: "the table itself", store.journal.path: "the journal"}
        self._written: dict[Path, tuple[int, ...]] = {}

    def keep(self, path: Path) -> None:
        """Remember a file of answers, which is not to be replaced either."""
        self._inputs.setdefault(path, "a file of answers")

    def check(self, path: Path) -> None:
        """Refuse a path that holds something else than a copy.

        Raises:
            UsageError: The path is that of an input, or what is there would be lost.
        """
        for other, what in self._inputs.items():
            if _same(path, other):
                raise UsageError(
                    f"{str(path)!r} is {what}, which is never changed; name another file"
                )
        if not path.exists() or self._written.get(path) == _signature(path):
            return
        if not path.is_file():
            raise UsageError(f"{str(path)!r} is not a regular file; name a file for the labels")
        lost = self._lost(path)
        if lost:
            raise UsageError(
                f"{str(path)!r} is there already and {lost}; it was left as it is, name another "
                "file for the labels (--out)"
            )

    def write(self, path: Path) -> None:
        """Write the table with the labels filled in; skipped rows stay empty.

        Columns about the answers (`ABOUT_ANSWERS`) are added once there is something to say.

        Raises:
            UsageError: As `check`.
            DataError: The file cannot be written.
        """
        self.check(path)
        store = self.store
        try:
            write_text(path, store.table.csv.filled(store.filled_columns()))
            self._written[path] = _signature(path)
        except OSError as error:
            raise DataError(
                f"cannot write {str(path)!r} ({error.strerror}); the answers are safe in "
                f"{str(store.journal.path)!r}"
            ) from error

    def _lost(self, path: Path) -> str | None:
        """Return what a file holds that a copy would not, or None."""
        store = self.store
        try:
            found = read_table(path)
        except DataError:
            return "is not a copy of the table"
        ours_alone = (store.target, *ABOUT_ANSWERS)
        if found.fingerprint(*ours_alone) != store.table.fingerprint(*ours_alone):
            return "is not a copy of the table"
        return self._lost_labels(found) or self._lost_notes(found)

    def _lost_labels(self, found: Table) -> str | None:
        store = self.store
        if store.target not in found.header:
            return None
        ours = _cells(store.table, store.target)
        for row, cell in enumerate(found.column(store.target)):
            known = is_empty_label(cell) or cell == ours[row]
            if not known and (row, cell) not in store.journal.given:
                return (
                    f"has the label {cell!r} for row {store.name(row)}, which is not in this "
                    "project (take it in with --answers, or keep the file)"
                )
        return None

    def _lost_notes(self, found: Table) -> str | None:
        note = ABOUT_ANSWERS[1]
        if note not in found.header:
            return None
        ours = _cells(self.store.table, note)
        for row, cell in enumerate(found.column(note)):
            if cell and cell != ours[row] and (row, cell) not in self.store.journal.noted:
                return f"has a note on row {self.store.name(row)} that is not in this project"
        return None


def _cells(table: Table, target: str) -> list[str]:
    return table.column(target) if target in table.header else [""] * table.n_rows


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them does not exist
        return path.resolve() == other.resolve()


def _signature(path: Path) -> tuple[int, ...]:
    """Return what changes when somebody else writes a file."""
    about = os.stat(path)  # noqa: PTH116 - nothing of pathlib says more
    return about.st_ino, about.st_size, about.st_mtime_ns
