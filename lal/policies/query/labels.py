"""Reading y: which labels are missing, which classes there are, and the codes of the others."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.arrays import Bools, Ints, detached
from lal.errors import DataError

MULTI_OUTPUT = (
    "multi-label targets are served as one question for each row and label: see "
    "lal.tasks.crowds.make_multilabel_task and docs/envs/crowd.md"
)

NUMBERS = 'pass task="regression" to query if y holds numbers to predict'


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
        y: Labels with missing ones, one per row.
        n: Rows of the pool.
        missing_label: What stands for a missing label besides None; nan by default.
        classes: All classes, when known.
        hinted: Further classes that a fitted classifier knows, when `classes` is None.

    Raises:
        DataError: Wrong length or shape, a label that is not a class, or a regression target.
    """
    values = label_column(y, n)
    missing = find_missing(y, values, missing_label)
    if classes is None:
        _refuse_marks(values[~missing], all_labelled=not missing.any())
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


MARKS = ("", "?", "nan", "none", "na", "n/a", "null", "<na>", "nat", "unlabeled", "unlabelled")
"""Texts (in lower case) that people write where a label is missing."""

INTEGER_ENDS = (-(2**63), -(2**31), 2**31 - 1, 2**63 - 1)
"""What becomes of nan in whole numbers."""

HINT = "set missing_label in load_policy to what stands for 'not labelled'"


def _refuse_marks(held: np.ndarray, *, all_labelled: bool) -> None:
    """Refuse labels that look like marks for "not labelled" where nothing else is one.

    Raises:
        DataError: Such a label; the message names `missing_label`.
    """
    if not all_labelled or len(held) == 0:
        return
    names = set(held.tolist())
    marks = [v for v in names if isinstance(v, str) and v.strip().lower() in MARKS]
    if not marks and len(names) > 2:  # two are -1 and 1, or 0 and 255
        marks = _odd_numbers(names, held.dtype)
    if marks:
        raise DataError(
            f"every row of y has a label, and one of the labels is {marks[0]!r}; {HINT},"
            " or name the classes in classes= if it is one"
        )


def _odd_numbers(names: Collection[Any], dtype: np.dtype[Any]) -> list[Any]:
    """Return labels that stand apart as a mark does: -1, what nan and -1 become in other types."""
    whole = [v for v in names if isinstance(v, int) and not isinstance(v, bool)]
    negative = [v for v in whole if v < 0]
    odd = {-1, *INTEGER_ENDS, *(negative if len(negative) == 1 else ())}
    if dtype.kind in "iu":
        odd |= {int(np.iinfo(dtype).min or -1), int(np.iinfo(dtype).max)}
    floats = [v for v in names if isinstance(v, float) and v in odd]
    return [v for v in whole if v in odd] + floats


def refuse_lazy(values: Any, name: str) -> None:
    """Refuse a lazy frame, of polars for example: its rows are not there yet.

    Raises:
        DataError: It is one.
    """
    if callable(getattr(values, "collect", None)):
        raise DataError(
            f"{name} is a {type(values).__name__}, whose rows are not computed yet; "
            f"pass {name}.collect()"
        )


def label_column(y: Any, n: int) -> np.ndarray:
    """Return y as one column of n values.

    Raises:
        DataError: Another length, or several labels a row.
    """
    refuse_lazy(y, "y")
    if hasattr(y, "tocsr"):
        raise DataError(f"y is a sparse matrix, expected one label a row; {MULTI_OUTPUT}")
    try:
        values = y.filled(None) if _masked_objects(y) else np.asarray(detached(y))
    except ValueError:
        raise DataError(
            f"y must have one label a row, got rows of labels; {MULTI_OUTPUT}"
        ) from None
    if values.dtype.kind == "O" and any(
        isinstance(v, list | tuple | set | frozenset | dict | np.ndarray) for v in values.flat
    ):
        raise DataError(f"y holds several labels a row, expected one; {MULTI_OUTPUT}")
    if values.ndim != 1:
        raise DataError(f"y must have one label a row, got shape {values.shape}; {MULTI_OUTPUT}")
    if len(values) != n:
        raise DataError(f"X has {n} rows but y has {len(values)} labels; expected as many")
    return values


def find_missing(y: Any, values: np.ndarray, missing_label: Any) -> Bools:
    """Return which labels are missing: None, nan, pandas' NA, and `missing_label`, shape (N,)."""
    kind = values.dtype.kind
    if isinstance(y, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(y)
        rest = np.zeros(len(values), dtype=bool)
        rest[~masked] = find_missing(None, values[~masked], missing_label)
        either: Bools = np.logical_or(masked, rest)
        return either
    if kind in "mM":
        times: Bools = np.isnat(values)
        return times
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
    if parts and not np.isfinite(parts[0]):
        raise DataError(f"y holds {parts[0]!r}, which is not a class label; {HINT}")
    if parts:
        raise DataError(f"y holds {parts[0]!r}, which is not a class label; {NUMBERS}")


def _masked_objects(y: Any) -> bool:
    return isinstance(y, np.ma.MaskedArray) and y.dtype.kind == "O"


def _classes(held: Sequence[Any], hinted: Sequence[Any]) -> tuple[Any, ...]:
    if len({isinstance(label, bool | np.bool_) for label in held}) > 1:  # True would merge with 1
        raise DataError(
            "y mixes True or False with labels of other types; expected all of one type"
        )
    try:
        return tuple(sorted({*held, *hinted}))
    except TypeError:
        raise DataError(
            "y (and the fitted classifier) mix labels of different types, which have no order; "
            "expected all numbers or all text"
        ) from None


def _names(classes: Sequence[Any]) -> tuple[Any, ...]:
    """Return class names as plain values, of mixed types where they are mixed."""
    names = tuple(classes.tolist() if hasattr(classes, "tolist") else classes)
    try:
        hash(names)
    except TypeError:
        raise DataError(f"classes must be a flat list of names, got {classes!r}") from None
    return tuple(v.item() if isinstance(v, np.generic) else v for v in names)


def _declared(classes: Sequence[Any]) -> tuple[Any, ...]:
    if isinstance(classes, str | bytes) or not hasattr(classes, "__len__"):
        raise DataError(
            f"classes must be a list of all class names, got {classes!r}; for C numbered classes "
            "pass range(C)"
        )
    names = _names(classes)
    if len(set(names)) != len(names) or not names:
        raise DataError(f"classes must be different names, got {list(names)}")
    return names
