"""Data sets from files (.npz, .csv, .parquet) and from data frames."""

import re
import warnings
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lal.data.arrays_file import read_arrays
from lal.data.csv_text import read_csv
from lal.data.dataset import Dataset, make_dataset, stack_columns
from lal.data.hashing import is_missing
from lal.data.names import nearest_name
from lal.data.numbers import read_numbers
from lal.errors import DataError, DataWarning, MissingDependencyError
from lal.registry import require
from lal.serialization import check_file
from lal.task_kind import CLASSIFICATION, check_task_kind

TARGET_NAMES = ("target", "class", "label", "y")
"""Columns that are taken for the target, first match wins; else the last column."""

MISSING = ("", "?", "na", "n/a", "nan", "null", "none")
"""Cells of a text table (in lower case) that stand for a missing value."""

MISSING_LABEL = ("", "?")
"""The same for the target, where "none" or "na" may well be a class."""

MISSING_NAMES = ("na", "n/a", "nan", "null", "nat", "<na>", "#n/a")
"""Names (in lower case) that programs write for missing values; so is None, as Python writes it."""

UNNAMED = re.compile(r"|Unnamed: \d+|__index_level_\d+__")
"""Names of columns that have none: empty in the file, or given by pandas."""

NOT_A_NUMBER = re.compile(
    r"^(?!(?:-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?)?$)", re.MULTILINE
)
"""A line that is neither empty nor surely a number in the sense of `lal.data.numbers`."""

INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)

NO_NAME = "it has no name, as the row numbers have that a data frame was saved with"

MOST_CELLS = 2**28
"""Cells of the largest .parquet file that is read; a few bytes can stand for any number."""


def file_loader(spec: str) -> Callable[[], Dataset]:
    """Return the loader of ``PATH``, with ``?target=COLUMN`` and ``?task=regression`` or without.

    ``&`` joins the two: ``PATH?target=COLUMN&task=regression``.
    """
    task = CLASSIFICATION
    for mark in ("?", "&"):
        before, found, after = spec.rpartition(f"{mark}task=")
        if found:
            spec, task = before, check_task_kind(after)
    path, _, target = spec.partition("?target=")
    return partial(load_file, path, target=target or None, task=task)


def load_file(
    path: str | Path,
    *,
    target: str | None = None,
    name: str | None = None,
    source: str | None = None,
    family: str | None = None,
    task: str = CLASSIFICATION,
) -> Dataset:
    """Return the data set in a .npz, .csv or .parquet file.

    Args:
        path: The file. A .npz holds `X`, `y` and optionally `feature_names`, `class_names`.
        target: The target column of a table.
        name: Name of the data set, the file's stem when None.
        source: Where it came from, ``file:PATH`` when None.
        family: Its family, looked up when None.
        task: ``"regression"`` where the target holds numbers.

    Raises:
        DataError: The file is missing, damaged, of an unknown format, or its data unusable.
    """
    where = Path(path).expanduser()
    if not where.exists():
        raise DataError(f"no such file: {str(path)!r}; give the path of a .npz, .csv or .parquet")
    check_file(where)
    reader = READERS.get(where.suffix.lower())
    if reader is None:
        raise DataError(
            f"cannot read {where.name!r}: unknown format {where.suffix!r}; expected "
            f"{', '.join(READERS)}"
        )
    fields = reader(where, target)
    return make_dataset(
        name or where.stem, source=source or f"file:{path}", family=family, task=task, **fields
    )


def dataset_from_frame(
    frame: Any,
    target: str | None = None,
    *,
    name: str = "frame",
    family: str | None = None,
    task: str = CLASSIFICATION,
) -> Dataset:
    """Return a data set from a pandas or polars data frame.

    Numeric and boolean columns become numbers, all others texts; missing values stay missing.

    Args:
        frame: The table, one row a sample.
        target: Column of labels; a column called target, class, label or y, or the last one, when
            None.
        name: Name of the data set.
        family: Its family, looked up by name when None.
        task: ``"regression"`` where the target holds numbers.

    Raises:
        DataError: No such column, dates, or data that cannot be used.
    """
    fields = _frame_fields(frame, target)
    return make_dataset(name, source=f"frame:{name}", family=family, task=task, **fields)


def _frame_fields(frame: Any, target: str | None) -> dict[str, Any]:
    if not hasattr(frame, "columns"):
        raise DataError(
            f"expected a pandas or polars data frame, got {type(frame).__name__}; "
            "for arrays use make_dataset"
        )
    names = [str(n) for n in frame.columns]
    if len(set(names)) < len(names):
        raise DataError("the frame has columns of the same name; rename them")
    place = _target_place(names, target)
    kept = _feature_places(names, place)
    return {
        "X": stack_columns([_frame_column(frame[frame.columns[j]], names[j]) for j in kept]),
        "y": _frame_labels(frame[frame.columns[place]], names[place]),
        "feature_names": [names[j] for j in kept],
    }


def _feature_places(names: Sequence[str], target: int) -> list[int]:
    """Return the positions of the features; columns without a name are left out with a word."""
    features = [j for j in range(len(names)) if j != target]
    kept = [j for j in features if not is_unnamed(names[j])]
    if len(kept) < len(features):
        left_out = next(names[j] for j in features if j not in kept)
        warnings.warn(
            f"column {left_out!r} is left out: {NO_NAME}; give it a name to learn from it",
            DataWarning,
            stacklevel=2,
        )
    return kept


def is_unnamed(column: str) -> bool:
    """Whether a column has no name of its own."""
    return UNNAMED.fullmatch(column) is not None


def reads_as_missing(label: str) -> bool:
    """Whether a class is called as programs write a missing value."""
    return label.strip().lower() in MISSING_NAMES or label.strip() == "None"


def _frame_column(column: Any, name: str) -> list[object]:
    _refuse_dates(column, name)
    cells = column.to_list() if hasattr(column, "to_list") else list(column)
    return [None if is_missing(c) else _plain(c) for c in cells]


def _frame_labels(column: Any, name: str) -> list[object]:
    """Return the cells of a target: whole numbers as they are, whatever their size."""
    _refuse_dates(column, name)
    cells = column.to_list() if hasattr(column, "to_list") else list(column)
    whole = [c.item() if isinstance(c, np.integer) else c for c in cells]
    return [None if is_missing(c) else c if type(c) is int else _plain(c) for c in whole]


def _refuse_dates(column: Any, name: str) -> None:
    kind = str(column.dtype).lower()
    if "date" in kind or "time" in kind or "duration" in kind:
        raise DataError(f"column {name!r} holds dates or times; convert it to numbers first")


def _plain(cell: Any) -> object:
    value = cell.item() if isinstance(cell, np.generic) else cell
    return float(value) if isinstance(value, int | float | Decimal) else value


def _target_place(names: Sequence[str], target: str | None) -> int:
    if target is not None:
        if target not in names:
            raise DataError(
                f"no column {target!r}; the table has {', '.join(map(repr, names))}. "
                f"{nearest_name(target, names)}".strip()
            )
        return list(names).index(target)
    lowered = [n.lower() for n in names]
    for name in TARGET_NAMES:
        if name in lowered:
            return lowered.index(name)
    named = [j for j, name in enumerate(names) if not is_unnamed(name)]
    return named[-1] if named else len(names) - 1


def _read_npz(path: Path, target: str | None) -> dict[str, Any]:
    if target is not None:
        raise DataError(f"{path.name!r} is a .npz; its target is the array 'y', not {target!r}")
    fields: dict[str, Any] = read_arrays(path, ("X", "y", "feature_names", "class_names"))
    for key in ("feature_names", "class_names"):  # empty where the file has none
        fields[key] = [str(n) for n in np.ravel(fields.get(key, []))] or None
    return fields


def _read_csv(path: Path, target: str | None) -> dict[str, Any]:
    table = read_csv(path)
    place = _target_place(table.header, target)
    kept = _feature_places(table.header, place)
    labels = [None if c.strip() in MISSING_LABEL else c.strip() for c in table.columns[place]]
    _warn_of_missing_names(labels, path.name)
    return {
        "X": stack_columns([csv_column(table.columns[j]) for j in kept]),
        "y": labels,
        "feature_names": [table.header[j] for j in kept],
    }


def _warn_of_missing_names(labels: Sequence[str | None], name: str) -> None:
    found = sorted({c for c in labels if c is not None and reads_as_missing(c)})
    if found:
        warnings.warn(
            f"{name!r} has rows of a class called {found[0]!r}, as programs write a missing value; "
            "empty these cells if they have no label",
            DataWarning,
            stacklevel=2,
        )


def csv_column(cells: Sequence[str]) -> list[object]:
    """Return numbers where every present cell is one, else texts; None where missing.

    What a number is `lal.data.numbers` says; infinite ones are read, so that they can be refused.
    """
    if _all_printed(cells):  # the usual case, several times as fast
        return [float(c) if c else None for c in cells]
    present = [None if c.strip().lower() in MISSING else c.strip() for c in cells]
    marked = [float(c) if c is not None and INFINITE.fullmatch(c) else c for c in present]
    numbers = read_numbers(marked)
    if numbers is None:
        return list(present)
    return [None if np.isnan(v) else v for v in numbers.tolist()]


def _all_printed(cells: Sequence[str]) -> bool:
    """Whether every cell is empty or a number of moderate size, in one pass over the text."""
    lines = "\n".join(cells)
    return lines.count("\n") == len(cells) - 1 and NOT_A_NUMBER.search(lines) is None


def _read_parquet(path: Path, target: str | None) -> dict[str, Any]:
    pandas = require("pandas", "tables")
    try:
        _check_cells(path)
        frame = pandas.read_parquet(path)
    except ImportError as error:
        raise MissingDependencyError(
            "pyarrow is not installed; run: pip install 'learned-active-learning[tables]'"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path.name!r} as parquet: {error}") from error
    return _frame_fields(frame, target)


def _check_cells(path: Path) -> None:
    parquet = require("pyarrow.parquet", "tables")
    about = parquet.read_metadata(path)
    if about.num_rows * max(about.num_columns, 1) > MOST_CELLS:
        raise DataError(
            f"{path.name!r} says that it has {about.num_rows} rows of {about.num_columns} columns; "
            f"at most {MOST_CELLS} cells are read"
        )


READERS: dict[str, Callable[[Path, str | None], dict[str, Any]]] = {
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
"""File readers by suffix; each returns the arguments of `make_dataset`."""
