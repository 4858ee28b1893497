"""Answers from a CSV file that people have filled in."""

from pathlib import Path

from lal.errors import DataError
from lal.labelling.label_store import LabelStore
from lal.labelling.table import ABOUT_ANSWERS, Table, read_table

ROW = "_row"
"""Column of answer files that holds row numbers, from 1, where there is no id column."""

CANNOT_TELL = "?"
"""Answer that skips a row; an empty one leaves it for later."""

NOT_SURE = "not sure"
"""Answer that sets a row aside for now, unless a class is called so."""


def take_answers(store: LabelStore, path: str | Path) -> int:
    """Write down all answers of a CSV file and return how many were new.

    The file needs the target column and the id column (`_row`, numbers from 1, without ids). Rows
    whose answer is empty are left for later, rows answered ``?`` are skipped, and rows answered
    ``not sure`` are set aside for now; equal answers to rows that have them are passed over. A
    column ``_note`` is kept with the answers.

    Raises:
        DataError: An answer that contradicts a label, or is not a class; nothing is taken then.
    """
    new = _new_answers(store, read_table(path))
    for row, (label, note) in new.items():
        if label == CANNOT_TELL:
            store.skip(row, note=note)
        elif _sets_aside(label, store):
            store.unsure(row, note=note)
        else:
            store.label(row, label, note=note)
    return len(new)


def _new_answers(store: LabelStore, answers: Table) -> dict[int, tuple[str, str]]:
    """Return answers and notes by row, without those that are known."""
    note = ABOUT_ANSWERS[1]
    notes = answers.column(note) if note in answers.header else [""] * answers.n_rows
    names, labels = answers.column(store.id_column or ROW), answers.column(store.target)
    new: dict[int, tuple[str, str]] = {}
    for name, label, text in zip(names, labels, notes, strict=True):
        if label == "":
            continue
        row = store.find(name)
        aside = _sets_aside(label, store)
        if not aside:
            _check_agrees(store, row, label, new.get(row, ("",))[0], answers.path.name)
        waits = aside and (row in store.skipped or row in store.resting)
        if store.own_code(row) is None and not waits:
            new[row] = (label, text)
    return new


def _sets_aside(label: str, store: LabelStore) -> bool:
    return label == CANNOT_TELL or (label == NOT_SURE and NOT_SURE not in store.classes)


def _check_agrees(store: LabelStore, row: int, label: str, new: str, file: str) -> None:
    code = store.code(label)
    held = store.own_code(row)
    if new and not _sets_aside(new, store):
        held = store.code(new)
    if held is not None and held != code:
        raise DataError(
            f"{file!r} says {label!r} for row {store.name(row)}, which is labelled "
            f"{store.classes[held]!r}; nothing was taken from the file"
        )
