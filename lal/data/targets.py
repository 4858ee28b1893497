"""From a target column to class codes, or to numbers in regression."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats, Ints
from lal.data.hashing import is_missing
from lal.data.names import look_alikes
from lal.data.numbers import number_name, read_label_numbers, read_numbers
from lal.errors import DataError

ONE_LABEL = 'a class, or a number with task="regression"'

SEVERAL = (
    "multi-label targets are served as one question for each row and label: see "
    "lal.tasks.crowds.make_multilabel_task"
)

MANY_CLASSES = 30
"""More different numbers than this, in over a fifth of the rows, are taken for a regression."""


def encode_target(
    y: object, name: str, class_names: Sequence[str] | None = None
) -> tuple[Ints, tuple[str, ...]]:
    """Return class codes 0..C-1, shape (N,), and the names of the C classes present.

    Args:
        y: N labels: numbers, texts or booleans; codes into `class_names` where those are given.
        name: Name of the data set, for messages.
        class_names: Names of the classes, in the order of the codes.

    Raises:
        DataError: Missing labels, one class only, no rows, classes that look alike, or a target
            that is not a class label.
    """
    values = _one_column(np.asarray(y), name)
    if len(values) == 0:
        raise DataError(f"data set {name!r} is empty; expected labelled rows")
    _refuse_missing(values, name)
    if class_names is None:
        _refuse_regression(values, name)
        levels, codes = _levels(values)
    else:
        levels, codes = _named(values, name, class_names)
    if len(levels) < 2:
        raise DataError(
            f"data set {name!r} has one class only ({levels[0]!r} in all {len(values)} rows); "
            "classification needs two"
        )
    if alike := look_alikes(levels):
        raise DataError(f"in data set {name!r}, {alike}")
    return codes, levels


def read_numbers_target(y: object, name: str) -> Floats:
    """Return the target of a regression, shape (N,).

    Raises:
        DataError: Missing or infinite numbers, texts, one number only, no rows, several columns.
    """
    values = _one_column(np.asarray(y), name)
    if len(values) == 0:
        raise DataError(f"data set {name!r} is empty; expected labelled rows")
    _refuse_missing(values, name)
    numbers = values if values.dtype.kind in "fiub" else read_numbers(values.tolist())
    if numbers is None:
        raise DataError(
            f"the target of {name!r} holds texts; a regression needs numbers, so convert them or "
            'leave out task="regression"'
        )
    found: Floats = np.asarray(numbers, dtype=np.float64)
    if len(np.unique(found)) < 2:
        raise DataError(
            f"the target of {name!r} is {found[0]:g} in all {len(found)} rows; a regression needs "
            "different numbers"
        )
    return found


def _one_column(values: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    if values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    if values.ndim != 1:
        raise DataError(
            f"the target of {name!r} has shape {values.shape}; expected one column "
            f"({ONE_LABEL}); {SEVERAL}"
        )
    if values.dtype.kind == "O" and any(
        isinstance(v, list | tuple | set | np.ndarray) for v in values
    ):
        raise DataError(
            f"the target of {name!r} holds several labels a row, expected one ({ONE_LABEL}); "
            f"{SEVERAL}"
        )
    return values


def _refuse_missing(values: NDArray[np.generic], name: str) -> None:
    if values.dtype.kind == "O":
        missing = sum(is_missing(v) or v == "" for v in values)
    elif values.dtype.kind == "f":
        missing = int((~np.isfinite(np.asarray(values, dtype=np.float64))).sum())
    else:
        missing = int((values == "").sum()) if values.dtype.kind in "US" else 0
    if missing:
        raise DataError(
            f"{missing} of {len(values)} labels of {name!r} are missing or not finite; experiments "
            "need every label, so drop these rows"
        )


def _refuse_regression(values: NDArray[np.generic], name: str) -> None:
    numbers = _as_numbers(values)
    if numbers is None:
        return
    distinct = np.unique(numbers)
    fractions = bool((distinct != np.rint(distinct)).any()) and len(distinct) > 10
    many = len(distinct) > max(MANY_CLASSES, 0.2 * len(numbers))
    if fractions or many:
        raise DataError(
            f"the target of {name!r} has {len(distinct)} different numbers in {len(numbers)} rows "
            'and looks like a regression; pass task="regression" to make_dataset (in the name of a '
            "file: ?task=regression), or give class names if each number is a class"
        )


def _as_numbers(values: NDArray[np.generic]) -> NDArray[np.float64] | None:
    if values.dtype.kind == "f":
        return np.asarray(values, dtype=np.float64)
    if values.dtype.kind == "b":
        return None
    # Whole numbers that floats hold exactly need no look at every label.
    if (
        values.dtype.kind in "iu"
        and len(values)
        and np.abs(values.astype(np.float64)).max() < 2**53
    ):
        return values.astype(np.float64)
    return read_label_numbers(values.tolist())


def _levels(values: NDArray[np.generic]) -> tuple[tuple[str, ...], Ints]:
    numbers = _as_numbers(values)
    if numbers is not None and np.isfinite(numbers).all():
        distinct, codes = np.unique(numbers, return_inverse=True)
        return tuple(number_name(v) for v in distinct.tolist()), codes.astype(np.int64)
    texts, codes = np.unique(np.array([str(v) for v in values.tolist()]), return_inverse=True)
    return tuple(str(v) for v in texts.tolist()), codes.astype(np.int64)


def _named(
    values: NDArray[np.generic], name: str, class_names: Sequence[str]
) -> tuple[tuple[str, ...], Ints]:
    numbers = _as_numbers(values)
    whole = numbers is not None and bool((numbers == np.rint(numbers)).all())
    if numbers is None or not whole or numbers.min() < 0 or numbers.max() >= len(class_names):
        raise DataError(
            f"the labels of {name!r} must be codes 0 to {len(class_names) - 1}, one for each of "
            f"its {len(class_names)} class names"
        )
    present, codes = np.unique(numbers.astype(np.int64), return_inverse=True)
    return tuple(str(class_names[c]) for c in present), codes.astype(np.int64)
