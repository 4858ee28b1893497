"""Check a data set: codes, names, lengths, at least two classes, a family and a hash."""

from typing import Any

import numpy as np

from lal.checks.states import require
from lal.data.datasets import load_dataset
from lal.data.view import make_geometry
from lal.task_kind import REGRESSION


def check_dataset(dataset: Any) -> None:
    """Check a data set: codes, names, lengths, at least two classes, a family and a hash.

    Args:
        dataset: A `lal.data.dataset.Dataset`, or a name for `lal.load_dataset`.

    Raises:
        CheckError: The first sentence of the contract that is broken.
    """
    if isinstance(dataset, str):
        dataset = load_dataset(dataset)
    name = f"data set {dataset.name!r}"
    require(
        bool(dataset.name and dataset.family and dataset.sha256),
        f"{name} lacks name, family or hash",
    )
    number = dataset.kind == REGRESSION
    y = np.asarray(dataset.y)
    if not number:
        fits = y.ndim == 1 and y.dtype.kind in "iu"
        require(fits, f"the labels of {name} must be integer codes")
    require(len(dataset.X.shape) == 2, f"the rows of {name} must have rows and columns")
    require(dataset.X.shape[0] == len(y), f"{name} has {dataset.X.shape[0]} rows, {len(y)} labels")
    (_check_numbers if number else _check_codes)(y, dataset, name)
    Z = make_geometry(dataset.X).Z
    require(bool(np.isfinite(Z).all()), f"{name} has rows that cannot be encoded")


def _check_codes(y: Any, dataset: Any, name: str) -> None:
    require(dataset.n_classes >= 2, f"{name} has fewer than two classes")
    codes = np.array_equal(np.unique(y), np.arange(dataset.n_classes))
    require(codes, f"the labels of {name} must be the codes 0 to C - 1, each one used")
    require(len(dataset.class_names) == dataset.n_classes, f"{name} must name every class once")
    require(len(set(dataset.class_names)) == dataset.n_classes, f"{name} names two classes alike")


def _check_numbers(y: Any, dataset: Any, name: str) -> None:
    fits = y.ndim == 1 and y.dtype == np.float64 and bool(np.isfinite(y).all())
    require(fits, f"the labels of {name} must be finite float64 numbers")
    require(len(np.unique(y)) >= 2, f"{name} has one label only")
    require(dataset.n_classes == 0, f"{name} is a regression and names classes")
