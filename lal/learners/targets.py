"""What a classifier is fitted to, and which class of the task each of its columns is.

Classifiers are fitted to the codes 0 to S - 1 of the S classes that have a label, in the order of
the caller's labels: some take nothing else (XGBoost). What the caller keyed by labels (class
weights, the positive label) is translated; one that was fitted before sees the labels themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.arrays import Ints
from lal.errors import DataError, UsageError

BY_LABEL = ("class_weight", "class_weights")
"""Parameters that are mappings from labels."""

GRIDS = ("param_grid", "param_distributions")
"""Parameters that hold values of other parameters to try."""


@dataclass(frozen=True, eq=False)
class Targets:
    """The labels of a fit as the classifier is given them.

    Attributes:
        values: One a row, shape (L,).
        known: The targets, in the order in which a classifier lists its classes.
        columns: Class code of each of them, -1 where it is not a class of the task.
        by_label: The targets by the caller's labels.
        named: Whether the targets are the caller's labels themselves.
    """

    values: np.ndarray
    known: tuple[Any, ...]
    columns: Ints
    by_label: Mapping[Any, Any]
    named: bool = False


def make_targets(estimator: Any, y: Ints, classes: Sequence[Any]) -> Targets:
    """Return what the estimator is fitted to.

    Args:
        estimator: The classifier, not fitted.
        y: Class codes, shape (L,), of at least two classes.
        classes: The caller's labels by code.

    Raises:
        UsageError: The estimator's own list of classes lacks a label.
    """
    seen = np.unique(y).tolist()
    if holds_frozen(estimator):
        return _as_they_are(y, _sorted(seen, classes), classes)
    listed = listed_classes(estimator)
    if listed:
        return _positions(y, listed, classes, type(estimator).__name__)
    order = _sorted(seen, classes)
    place = np.full(len(classes), -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    by_label = {classes[code]: i for i, code in enumerate(order)}
    return Targets(place[y], tuple(range(len(order))), np.array(order, dtype=np.int64), by_label)


def _as_they_are(y: Ints, order: list[int], classes: Sequence[Any]) -> Targets:
    values = np.array([classes[code] for code in y.tolist()])
    names = tuple(classes[code] for code in order)
    return Targets(
        values, names, np.array(order, dtype=np.int64), {n: n for n in classes}, named=True
    )


def _positions(y: Ints, listed: Sequence[Any], classes: Sequence[Any], who: str) -> Targets:
    place = {label: i for i, label in enumerate(listed)}
    lacking = [classes[c] for c in np.unique(y).tolist() if classes[c] not in place]
    if lacking:
        raise UsageError(
            f"{who} lists the classes {list(listed)}, and {lacking[0]!r} is not among them; name "
            "every class in its parameter classes"
        )
    code = {label: i for i, label in enumerate(classes)}
    values = np.array([place[classes[c]] for c in y.tolist()], dtype=np.int64)
    columns = np.array([code.get(label, -1) for label in listed], dtype=np.int64)
    return Targets(values, tuple(listed), columns, place)


def _sorted(seen: list[int], classes: Sequence[Any]) -> list[int]:
    """Return codes in the order of their labels: by code where labels have no order."""
    try:
        return sorted(seen, key=lambda code: classes[code])
    except TypeError:
        return seen


def holds_frozen(estimator: Any) -> bool:
    """Whether the classifier is, or holds, one that was fitted before and stays as it is."""
    from sklearn.frozen import FrozenEstimator

    parts = [estimator, *_parameters(estimator).values()]
    return any(isinstance(part, FrozenEstimator) for part in parts)


def listed_classes(estimator: Any) -> tuple[Any, ...]:
    """Return the classes that the caller listed in a parameter ``classes``, as skorch has one."""
    listed = _parameters(estimator).get("classes")
    if listed is None or isinstance(listed, str) or not hasattr(listed, "__len__"):
        return ()
    return tuple(np.asarray(listed).tolist())


def known_labels(estimator: Any, *, fitted: bool) -> tuple[Any, ...]:
    """Return the labels that a classifier knows whatever is labelled here.

    Args:
        estimator: Any classifier, or None.
        fitted: Whether it is used as it is.
    """
    if estimator is None:
        return ()
    own = getattr(estimator, "classes_", None) if fitted or holds_frozen(estimator) else None
    if own is None:
        return listed_classes(estimator)
    return label_tuple(own, type(estimator).__name__)


def label_tuple(known: Any, who: str) -> tuple[Any, ...]:
    """Return ``classes_`` as plain values.

    Raises:
        DataError: There are several lists of classes.
    """
    if isinstance(known, list | tuple) and known and hasattr(known[0], "__len__"):
        several = not isinstance(known[0], str)
    else:
        several = np.ndim(known) != 1
    if several:
        raise DataError(
            f"{who} has several outputs; multi-label targets are served as one question for each "
            "row and label: see lal.tasks.crowds.make_multilabel_task"
        )
    return tuple(np.asarray(known).tolist())


def translated(estimator: Any, targets: Targets) -> dict[str, Any]:
    """Return the parameters that the caller keyed by labels, keyed by targets instead.

    Raises:
        UsageError: None of the keys is a label.
    """
    changes: dict[str, Any] = {}
    for key, value in _parameters(estimator).items():
        last = key.rsplit("__", 1)[-1]
        if last in GRIDS:
            changes[key] = _grid(value, targets)
        elif last in BY_LABEL and isinstance(value, Mapping):
            changes[key] = _translated(key, value, targets)
        elif last == "pos_label" and value is not None:
            if value not in targets.by_label:
                raise _no_label(key, value, targets)
            changes[key] = targets.by_label[value]
    return changes


def _grid(grid: Any, targets: Targets) -> Any:
    """Return what a search tries (a mapping, or a list of mappings) with its values translated."""
    if not isinstance(grid, Mapping):
        return [_grid(part, targets) for part in grid]
    return {
        key: [_translated(key, v, targets) if isinstance(v, Mapping) else v for v in values]
        if key.rsplit("__", 1)[-1] in BY_LABEL and isinstance(values, Sequence)
        else values
        for key, values in grid.items()
    }


def _translated(key: str, value: Mapping[Any, Any], targets: Targets) -> dict[Any, Any]:
    found = {targets.by_label[k]: v for k, v in value.items() if k in targets.by_label}
    if value and not found:
        raise _no_label(key, next(iter(value)), targets)
    return found


def _no_label(key: str, value: Any, targets: Targets) -> UsageError:
    return UsageError(
        f"{key} names the class {value!r}, which has no label here; the labels are "
        f"{list(targets.by_label)}"
    )


def fitted_columns(estimator: Any, targets: Targets, classes: Sequence[Any]) -> Ints:
    """Return the class code of each column of a fitted classifier, -1 where it is none.

    Raises:
        DataError: Its ``classes_`` are neither what it was fitted to nor labels of the task.
    """
    if not hasattr(estimator, "classes_"):
        return targets.columns
    known = label_tuple(estimator.classes_, type(estimator).__name__)
    n = len(targets.known)
    if not targets.named and known[:n] in (targets.known, tuple(range(n))):
        surplus = np.full(len(known) - n, -1, dtype=np.int64)
        return np.concatenate([targets.columns, surplus])
    code = {label: i for i, label in enumerate(classes)}
    if not any(label in code for label in known):
        raise DataError(
            f"{type(estimator).__name__} was fitted to the classes {list(targets.known)} and says "
            f"that its classes are {list(known)}; expected the same"
        )
    return np.array([code.get(label, -1) for label in known], dtype=np.int64)


def _parameters(estimator: Any) -> dict[str, Any]:
    ask = getattr(estimator, "get_params", None)
    found: dict[str, Any] = ask(deep=True) if ask is not None else {}
    return found
