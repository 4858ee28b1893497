"""Reading y: which labels are missing, which classes there are, and the codes of the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.arrays import Bools, Ints
from lal.errors import DataError

REGRESSION = "regression, multi-label and multi-output targets are not in this release"


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of a pool.

    Attributes:
        rows: Labelled rows in row order, shape (L,).
        codes: Their classes as positions in `classes`, shape (L,).
        classes: Class names, C of them.
        known: Whether the caller named the classes.
    """

    rows: Ints
    codes: Ints
    classes: tuple[Any, ...]
    known: bool

    @property
    def n_seen(self) -> int:
        """Number of different classes among the labels."""
        return len(np.unique(self.codes))


def read_labels(
    y: Any,
    n: int,
    *,
    missing_label: Any,
    classes: Sequence[Any] | None = None,
    hinted: Sequence[Any] = (),
) -> Labels:
    """Return the labels of a pool.

    Args:
        y: Labels with missing ones, one a row.
        n: Rows of the pool.
        missing_label: What stands for a missing label besides None; nan by default.
        classes: All classes, when known.
        hinted: Further classes that a fitted classifier knows, when `classes` is None.

    Raises:
        DataError: Wrong length or shape, a label that is no class, or a regression target.
    """
    values = _column(y, n)
    missing = find_missing(y, values, missing_label)
    rows = np.flatnonzero(~missing)
    held = values[rows].tolist()
    _refuse_continuous(held)
    names = _classes(held, hinted) if classes is None else _declared(classes)
    code = {name: i for i, name in enumerate(names)}
    strangers = [label for label in held if label not in code]
    if strangers:
        raise DataError(
            f"y holds the label {strangers[0]!r}, which is not among the classes {list(names)}; "
            "name every class in classes= or set missing_label in load_policy"
        )
    codes = np.array([code[label] for label in held], dtype=np.int64)
    return Labels(rows, codes, names, classes is not None)


def _column(y: Any, n: int) -> np.ndarray:
    values = np.asarray(y)
    if values.ndim != 1:
        raise DataError(f"y must have one label a row, got shape {values.shape}; {REGRESSION}")
    if len(values) != n:
        raise DataError(f"X has {n} rows but y has {len(values)} labels; expected as many")
    return values


def find_missing(y: Any, values: np.ndarray, missing_label: Any) -> Bools:
    """Return which labels are missing: None, nan, pandas' NA, and `missing_label`, shape (N,)."""
    kind = values.dtype.kind
    if kind == "f":
        missing: Bools = np.isnan(values)
    elif kind == "O":
        missing = np.array([v is None or _not_itself(v) for v in values.tolist()], dtype=bool)
    else:
        missing = np.zeros(len(values), dtype=bool)
        if kind == "U" and _not_itself(missing_label) and "nan" in values:
            raise DataError(
                "y is an array of text in which nan became the text 'nan'; make it with "
                "dtype=object, or load the policy with missing_label='nan'"
            )
    if missing_label is None or _not_itself(missing_label):
        return missing
    marked: Bools = np.array([v == missing_label for v in values.tolist()], dtype=bool)
    return np.logical_or(missing, marked)


def _not_itself(value: Any) -> bool:
    """Whether a value is nan or pandas' NA, which alone differ from themselves."""
    try:
        return bool(value != value)
    except TypeError:
        return True


def _refuse_continuous(held: Sequence[Any]) -> None:
    parts = [v for v in held if isinstance(v, float) and not v.is_integer()]
    if parts:
        raise DataError(f"y holds {parts[0]!r}, which is no class label; {REGRESSION}")


def _classes(held: Sequence[Any], hinted: Sequence[Any]) -> tuple[Any, ...]:
    try:
        return tuple(sorted({*held, *hinted}))
    except TypeError:
        raise DataError(
            "y (and the fitted classifier) mix labels of different types, which have no order; "
            "expected all numbers or all text"
        ) from None


def _declared(classes: Sequence[Any]) -> tuple[Any, ...]:
    names = tuple(np.asarray(classes).tolist())
    if len(set(names)) != len(names) or not names:
        raise DataError(f"classes must be different names, got {list(names)}")
    return names
