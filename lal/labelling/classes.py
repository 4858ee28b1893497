"""The classes of a project and the labels that its table came with."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from lal.data.names import look_alikes, similar_names, visible_text
from lal.data.tables import reads_as_missing
from lal.errors import UsageError
from lal.labelling.table import Table, is_empty_label

SIMILAR = 0.8
"""Likeness of names from which an absent target may be a column spelled otherwise."""


def given_labels(
    table: Table, target: str, classes: Sequence[str] | None
) -> tuple[dict[int, str], tuple[str, ...]]:
    """Return the labels in the table, and what must be said about them.

    A cell like ``NA`` is a class only when the classes name it: programs write missing values so.
    """
    if target not in table.header:
        near = similar_names(target, table.header, cutoff=SIMILAR)
        if near:
            raise UsageError(
                f"{table.path.name!r} has no column {target!r} but one called {near[0]!r}, whose "
                "labels would be learned from; name that as the target, or a new column otherwise"
            )
        return {}, ()
    given: dict[int, str] = {}
    passed_over: Counter[str] = Counter()
    for row, cell in enumerate(table.column(target)):
        if is_empty_label(cell):
            continue
        if reads_as_missing(cell) and cell not in (classes or ()):
            passed_over[cell] += 1
            continue
        given[row] = cell
    return given, tuple(
        f"{count} cells of {target!r} hold {cell!r}, as programs write a missing value, and are "
        "taken for not labelled; name the classes with it among them if it is one"
        for cell, count in passed_over.items()
    )


def class_name(label: object) -> str:
    """Return the name of a class that is given as a text or a whole number.

    Raises:
        UsageError: It is something else.
    """
    if isinstance(label, str):
        _check_text(label)
        return label
    if isinstance(label, bool | np.bool_) or not isinstance(label, int | np.integer):
        raise UsageError(f"a class is named by a text, got {label!r}")
    return str(int(label))


def _check_text(label: str) -> None:
    try:
        label.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{label!r} is not text that UTF-8 can write; name the class otherwise"
        ) from None


def class_names(classes: Sequence[object]) -> tuple[str, ...]:
    """Return the names of classes; whole numbers are named as they are written.

    Raises:
        UsageError: They are not a sequence of names.
    """
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise UsageError(f"classes must be a sequence of names, got {classes!r}")
    return tuple(class_name(label) for label in classes)


def check_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes of a project.

    Raises:
        UsageError: They are fewer than two, not different to the eye, or cannot be told from
            empty cells.
    """
    if len(classes) < 2:
        raise UsageError(
            f"labelling needs two classes, got {list(classes)}; name all of them (classes=, or "
            "--classes a b c)"
        )
    unclear = any(is_empty_label(name) or name != name.strip() for name in classes)
    if len(set(classes)) != len(classes) or unclear:
        raise UsageError(
            "classes must be different names, not empty and without spaces around them, got "
            f"{list(classes)}"
        )
    if alike := look_alikes(classes):
        raise UsageError(alike)
    return tuple(classes)


def find_class(label: str, classes: Sequence[str]) -> int | None:
    """Return which class a label is, if any; how its accents are encoded does not matter."""
    looks = [visible_text(name) for name in classes]
    return looks.index(visible_text(label)) if visible_text(label) in looks else None
