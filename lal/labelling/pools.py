"""Pools to rank: the rows of a table or the tasks of a labelling tool, as numbers with labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lal.arrays import Rows
from lal.data.items import Item, check_items, item_columns
from lal.errors import DataError
from lal.labelling.classes import check_classes, class_names, find_class, given_labels
from lal.labelling.content import Content
from lal.labelling.ranking import EQUAL, NEAR
from lal.labelling.table import learned_columns, left_out, read_table, row_finder


@dataclass(frozen=True, eq=False)
class LabelledPool:
    """Rows, some with labels.

    Attributes:
        names: What people call the rows: ids, or numbers from 1.
        X: Encoded rows, shape (N, d).
        classes: Names of the classes.
        codes: Row to class code of the labelled rows.
        near: Rows nearer than this are nearly the same; see `lal.labelling.ranking.keep_apart`.
        notes: Sentences on what is learned from, and on cells that may not mean what they seem to.
    """

    names: tuple[str, ...]
    X: Rows
    classes: tuple[str, ...]
    codes: Mapping[int, int]
    near: float
    notes: tuple[str, ...] = ()


def table_pool(
    path: Path,
    *,
    target: str,
    classes: Sequence[str] | None = None,
    id_column: str | None = None,
    ignore: Sequence[str] = (),
    content: Content | None = None,
) -> LabelledPool:
    """Return the rows of a CSV file, read as `lal.LabellingProject` reads it.

    Args:
        path: The file.
        target: Column of labels, partly filled.
        classes: All classes; those in the target column when None.
        id_column: Column of unique ids.
        ignore: Columns that are not learned from.
        content: The only column learned from when given.

    Raises:
        DataError: A table that cannot be used.
        UsageError: Too few classes, or a target spelled like another column.
    """
    table = read_table(path)
    learned = learned_columns(table, left_out(table, target, id_column, ignore), content=content)
    named = None if classes is None else class_names(classes)
    given, notes = given_labels(table, target, named)
    known = check_classes(sorted(set(given.values())) if named is None else named)
    row_finder(table, id_column)  # ids must be there and differ
    names = [str(i + 1) for i in range(table.n_rows)]
    if id_column is not None:
        names = table.column(id_column)
    codes = _codes(given, known, names)
    about = f"learning from {', '.join(learned.used)}"
    near = EQUAL if content is None else NEAR
    return LabelledPool(tuple(names), learned.X, known, codes, near, (about, *notes))


def item_pool(
    items: Sequence[Item],
    name: str,
    *,
    classes: Sequence[str] | None = None,
    images: Path = Path(),
) -> LabelledPool:
    """Return the tasks of a labelling tool.

    Args:
        items: The tasks.
        name: Of their file, for messages.
        classes: All classes; those among the labels when None.
        images: Folder that relative paths of images start from.

    Raises:
        DataError: Tasks that cannot be used.
        UsageError: Too few classes.
    """
    check_items(items, name)
    given = {row: item.label for row, item in enumerate(items) if item.label is not None}
    known = check_classes(sorted(set(given.values())) if classes is None else classes)
    names = tuple(item.id for item in items)
    X = item_columns(items, images)
    return LabelledPool(names, X, known, _codes(given, known, names), near_duplicate_share(items))


def near_duplicate_share(items: Sequence[Item]) -> float:
    """Return which share of their typical distance makes two tasks nearly the same."""
    fields = items[0].text is None and items[0].image is None
    return EQUAL if fields else NEAR


def _codes(
    given: Mapping[int, str], classes: Sequence[str], names: Sequence[str]
) -> dict[int, int]:
    codes: dict[int, int] = {}
    for row, label in given.items():
        code = find_class(label, classes)
        if code is None:
            raise DataError(
                f"{names[row]!r} has the label {label!r}, which is not a class; expected one of "
                f"{', '.join(map(repr, classes))}"
            )
        codes[row] = code
    return codes
