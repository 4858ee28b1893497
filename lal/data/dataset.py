"""Dataset: labelled rows, checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lal.arrays import Labels, Rows
from lal.data.encoding import is_number_column
from lal.data.hashing import content_sha256, is_missing
from lal.data.targets import encode_target, read_numbers_target
from lal.errors import DataError
from lal.task_kind import CLASSIFICATION, TaskKind, check_task_kind

LARGEST = 1e100
"""Larger magnitudes would overflow when squared sums are taken."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled rows, checked.

    Attributes:
        name: Name without its collection, ``"iris"``.
        X: (N, D) float64 with nan where missing; dtype object where columns hold texts.
        y: Class codes 0..C-1, every class present, or numbers in regression; shape (N,).
        class_names: Names of the C classes; none in regression.
        feature_names: Names of the D columns.
        family: Relatives (same source, same generator) share it; see `lal.data.families`.
        source: What `load_dataset` was asked for, or where it came from.
        sha256: Hash of values and labels.
        kind: What a label is; see `lal.task_kind`.
    """

    name: str
    X: Rows = field(repr=False)
    y: Labels = field(repr=False)
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...] = field(repr=False)
    family: str
    source: str
    sha256: str
    kind: TaskKind = CLASSIFICATION

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self.y)

    @property
    def n_classes(self) -> int:
        """Number of classes, C; 0 in regression."""
        return len(self.class_names)

    @property
    def n_features(self) -> int:
        """Number of columns before encoding, D."""
        return int(self.X.shape[1])


def make_dataset(
    name: str,
    X: object,
    y: object,
    *,
    source: str,
    family: str | None = None,
    feature_names: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    task: str = CLASSIFICATION,
) -> Dataset:
    """Return a checked data set from rows and labels.

    Args:
        name: Name for tables.
        X: (N, D) numbers (nan where missing), or objects (numbers and texts).
        y: N labels; codes into `class_names` where those are given.
        source: Where it came from; also looked up in the table of families.
        family: Relatives share it; looked up by content, source and name when None.
        feature_names: Names of the D columns.
        class_names: Names of the classes, in the order of the codes.
        task: ``"classification"``, or ``"regression"`` where y holds numbers.

    Raises:
        DataError: The rows or labels cannot be used.
    """
    from lal.data.families import family_for

    kind = check_task_kind(task)
    rows = _check_rows(X, name)
    codes, classes = _encode(y, name, class_names, kind)
    if len(rows) != len(codes):
        raise DataError(f"{name!r} has {len(rows)} rows but {len(codes)} labels; expected as many")
    features = _feature_names(feature_names, rows.shape[1], name)
    _check_columns(rows, name, features)
    sha256 = content_sha256(rows, codes)
    return Dataset(
        name=name,
        X=rows,
        y=codes,
        class_names=classes,
        feature_names=features,
        family=family or family_for(name, source, sha256),
        source=source,
        sha256=sha256,
        kind=kind,
    )


def _encode(
    y: object, name: str, class_names: Sequence[str] | None, kind: TaskKind
) -> tuple[Labels, tuple[str, ...]]:
    if kind == CLASSIFICATION:
        return encode_target(y, name, class_names)
    if class_names is not None:
        raise DataError(
            f"{name!r} is a regression, whose labels are numbers; leave class_names out, or pass "
            'task="classification"'
        )
    return read_numbers_target(y, name), ()


def _check_rows(X: object, name: str) -> Rows:
    rows = np.asarray(X)
    if rows.ndim != 2 or rows.shape[0] == 0 or rows.shape[1] == 0:
        raise DataError(
            f"X of {name!r} must be a table with rows and columns, got shape {rows.shape}"
        )
    if rows.dtype.kind in "fiub":
        return np.ascontiguousarray(rows, dtype=np.float64)
    if rows.dtype.kind not in "OUS":
        raise DataError(
            f"X of {name!r} holds {rows.dtype}; expected numbers or texts, so convert it first"
        )
    return stack_columns([rows[:, j].tolist() for j in range(rows.shape[1])])


def stack_columns(columns: Sequence[Sequence[object]]) -> Rows:
    """Return (N, D) floats, or objects where a column holds texts; nan where missing.

    A column with any cell that is not a number becomes one of texts, so that each is of one kind.
    """
    if not columns:
        raise DataError("the table has a target but no other column; expected features")
    numeric = [is_number_column(column) for column in columns]
    X = np.empty((len(columns[0]), len(columns)), dtype=object)
    for j, column in enumerate(columns):
        if set(map(type, column)) <= {float, int, bool}:
            X[:, j] = column
            continue
        X[:, j] = [np.nan if is_missing(v) else (v if numeric[j] else str(v)) for v in column]
    return X.astype(np.float64) if all(numeric) else X


def _feature_names(names: Sequence[str] | None, width: int, dataset: str) -> tuple[str, ...]:
    if names is None:
        return tuple(f"x{j}" for j in range(width))
    if len(names) != width:
        raise DataError(f"{dataset!r} has {width} columns but {len(names)} feature names")
    return tuple(str(n) for n in names)


def _check_columns(X: Rows, name: str, features: Sequence[str]) -> None:
    """Refuse infinite values and columns without a single value."""
    if X.dtype.kind != "O" and bool((np.abs(X) <= LARGEST).all()):
        return
    for j, feature in enumerate(features):
        cells = [v for v in X[:, j].tolist() if not is_missing(v)]
        if not cells:
            raise DataError(f"column {feature!r} of {name!r} has no value at all; drop it")
        if any(isinstance(v, int | float) and not abs(v) <= LARGEST for v in cells):
            raise DataError(
                f"column {feature!r} of {name!r} has infinite values or values beyond "
                f"{LARGEST:g}; mark them as missing (nan) or clip them"
            )
