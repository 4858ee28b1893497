"""Data sets from files (.npz, .csv, .parquet) and from data frames."""

import csv
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lal.data.dataset import Dataset, make_dataset, stack_columns
from lal.data.hashing import is_missing
from lal.data.numbers import read_numbers
from lal.errors import DataError, MissingDependencyError
from lal.registry import require

TARGET_NAMES = ("target", "class", "label", "y")
"""Columns that are taken for the target, first match wins; else the last column."""

MISSING = ("", "?", "na", "n/a", "nan", "null", "none")
"""Cells of a text table (in lower case) that stand for a missing value."""

MISSING_LABEL = ("", "?")
"""The same for the target, where "none" or "na" may well be a class."""


def file_loader(spec: str) -> Callable[[], Dataset]:
    """Return the loader of ``PATH`` or ``PATH?target=COLUMN``."""
    path, _, target = spec.partition("?target=")
    return partial(load_file, path, target=target or None)


def load_file(
    path: str | Path,
    *,
    target: str | None = None,
    name: str | None = None,
    source: str | None = None,
    family: str | None = None,
) -> Dataset:
    """Return the data set in a .npz, .csv or .parquet file.

    Args:
        path: The file. A .npz holds `X`, `y` and optionally `feature_names`, `class_names`.
        target: The target column of a table.
        name: Name of the data set, the file's stem when None.
        source: Where it came from, ``file:PATH`` when None.
        family: Its family, looked up when None.

    Raises:
        DataError: The file is missing, damaged, of an unknown format, or its data unusable.
    """
    where = Path(path).expanduser()
    if not where.is_file():
        raise DataError(f"no such file: {str(path)!r}; give the path of a .npz, .csv or .parquet")
    reader = READERS.get(where.suffix.lower())
    if reader is None:
        raise DataError(
            f"cannot read {where.name!r}: unknown format {where.suffix!r}; expected "
            f"{', '.join(READERS)}"
        )
    fields = reader(where, target)
    return make_dataset(
        name or where.stem, source=source or f"file:{path}", family=family, **fields
    )


def dataset_from_frame(
    frame: Any, target: str | None = None, *, name: str = "frame", family: str | None = None
) -> Dataset:
    """Return a data set from a pandas or polars data frame.

    Numeric and boolean columns become numbers, all others texts; missing values stay missing.

    Args:
        frame: The table, one row a sample.
        target: Column of labels; a column called target, class, label or y, or the last one, when
            None.
        name: Name of the data set.
        family: Its family, looked up by name when None.

    Raises:
        DataError: No such column, dates, or data that cannot be used.
    """
    return make_dataset(name, source=f"frame:{name}", family=family, **_frame_fields(frame, target))


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
    columns = [_frame_column(frame[key], str(key)) for key in frame.columns]
    columns.pop(place)
    y = _frame_labels(frame[frame.columns[place]])
    return {
        "X": stack_columns(columns),
        "y": y,
        "feature_names": names[:place] + names[place + 1 :],
    }


def _frame_column(column: Any, name: str) -> list[object]:
    kind = str(column.dtype).lower()
    if "date" in kind or "time" in kind or "duration" in kind:
        raise DataError(f"column {name!r} holds dates or times; convert it to numbers first")
    cells = column.to_list() if hasattr(column, "to_list") else list(column)
    return [None if is_missing(c) else _plain(c) for c in cells]


def _frame_labels(column: Any) -> list[object]:
    """Return the cells of a target: whole numbers as they are, whatever their size."""
    cells = column.to_list() if hasattr(column, "to_list") else list(column)
    whole = [c.item() if isinstance(c, np.integer) else c for c in cells]
    return [
        None if is_missing(c) else c if type(c) is int else _plain(c)
        for c in whole
    ]  # fmt: skip


def _plain(cell: Any) -> object:
    value = cell.item() if isinstance(cell, np.generic) else cell
    return float(value) if isinstance(value, int | float | Decimal) else value


def _target_place(names: Sequence[str], target: str | None) -> int:
    if target is not None:
        if target not in names:
            raise DataError(f"no column {target!r}; the table has {', '.join(map(repr, names))}")
        return list(names).index(target)
    lowered = [n.lower() for n in names]
    for name in TARGET_NAMES:
        if name in lowered:
            return lowered.index(name)
    return len(names) - 1


def _read_npz(path: Path, target: str | None) -> dict[str, Any]:
    if target is not None:
        raise DataError(f"{path.name!r} is a .npz; its target is the array 'y', not {target!r}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            fields = {
                k: arrays[k] for k in ("X", "y", "feature_names", "class_names") if k in arrays
            }
            held = list(arrays)
    except (ValueError, OSError, EOFError, BadZipFile, TypeError, AttributeError) as error:
        raise DataError(f"cannot read {path.name!r} as .npz without pickles: {error}") from error
    if not {"X", "y"} <= set(fields):
        raise DataError(f"{path.name!r} must hold arrays 'X' and 'y'; it holds {held}")
    for key in ("feature_names", "class_names"):  # empty where the file has none
        fields[key] = [str(n) for n in np.ravel(fields.get(key, []))] or None
    return fields


def _read_csv(path: Path, target: str | None) -> dict[str, Any]:
    header, rows = _csv_rows(path)
    ragged = [i + 2 for i, row in enumerate(rows) if len(row) != len(header)]
    if ragged:
        raise DataError(
            f"line {ragged[0]} of {path.name!r} does not have the {len(header)} cells of the header"
        )
    if not rows:
        raise DataError(f"{path.name!r} is empty; expected a header and labelled rows")
    place = _target_place(header, target)
    columns = [_csv_column([row[j] for row in rows]) for j in range(len(header)) if j != place]
    y = _csv_labels([row[place] for row in rows])
    return {
        "X": stack_columns(columns),
        "y": y,
        "feature_names": header[:place] + header[place + 1 :],
    }


def _csv_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.readline()
            file.seek(0)
            rows = list(csv.reader(file, delimiter=_delimiter(sample)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path.name!r} as UTF-8 csv: {error}") from error
    rows = [row for row in rows if row]
    if not rows:
        raise DataError(f"{path.name!r} is empty; expected a header and labelled rows")
    header = [cell.strip() for cell in rows[0]]
    if len(set(header)) < len(header):
        raise DataError(f"{path.name!r} has columns of the same name; rename them")
    return header, rows[1:]


def _delimiter(line: str) -> str:
    """Return the separator that occurs most often in the header."""
    return max((",", ";", "\t"), key=line.count)


def _csv_column(cells: Sequence[str], missing: Sequence[str] = MISSING) -> list[object]:
    """Return numbers where every present cell is one, else texts; None where missing."""
    present = [None if c.strip().lower() in missing else c.strip() for c in cells]
    numbers = read_numbers(present)
    if numbers is None:
        return list(present)
    return [None if np.isnan(v) else v for v in numbers.tolist()]


def _csv_labels(cells: Sequence[str]) -> list[object]:
    """Return the labels as texts, None where missing; what is a number is decided later."""
    return [None if c.strip().lower() in MISSING_LABEL else c.strip() for c in cells]


def _read_parquet(path: Path, target: str | None) -> dict[str, Any]:
    pandas = require("pandas", "tables")
    try:
        frame = pandas.read_parquet(path)
    except ImportError as error:
        raise MissingDependencyError(
            "pyarrow is not installed; run: pip install 'learned-active-learning[tables]'"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path.name!r} as parquet: {error}") from error
    return _frame_fields(frame, target)


READERS: dict[str, Callable[[Path, str | None], dict[str, Any]]] = {
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
"""File readers by suffix; each returns the arguments of `make_dataset`."""
