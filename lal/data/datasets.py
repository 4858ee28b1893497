"""DATASETS: labelled data by name, from scikit-learn, files and generators."""

from collections.abc import Callable
from functools import partial

from lal.data.dataset import Dataset, make_dataset
from lal.data.regression_sets import BUNDLED_REGRESSION, load_bundled_regression
from lal.data.synthetic import SYNTHETIC, load_synthetic
from lal.data.tables import dataset_from_frame
from lal.errors import UsageError
from lal.registry import Registry

__all__ = [
    "BUNDLED",
    "DATASETS",
    "Dataset",
    "dataset_from_frame",
    "load_bundled",
    "load_dataset",
    "make_dataset",
]

DATASETS: Registry[Callable[[], Dataset]] = Registry("data set")
"""Loaders by name; ``file:PATH`` and ``synthetic:NAME@SEED`` are reached by prefix."""


def load_dataset(name: str) -> Dataset:
    """Return a data set by name.

    Args:
        name: ``"sklearn:iris"`` (wine, digits, breast_cancer), ``"synthetic:xor"``,
            ``"synthetic:xor@7"`` (seed 7), ``"openml:61"``, or ``"file:PATH"`` for .npz, .csv and
            .parquet, with ``?target=COLUMN`` where the target is not the last column or a column
            called target, class, label or y, and ``?task=regression`` (``&`` joins the two) where
            it holds numbers. Regression: ``"sklearn:diabetes"``, ``"regression:friedman1"``.

    Raises:
        UnknownNameError: No such data set; the message has the nearest names.
        DataError: The data cannot be used: missing file, one class, missing labels, or a target
            that looks like a regression where none was asked for.
    """
    if not isinstance(name, str):
        raise UsageError(f"a data set is asked for by name, got {type(name).__name__}")
    return DATASETS[name]()


BUNDLED = ("breast_cancer", "digits", "iris", "wine")
"""Data sets that come with scikit-learn and need no network."""


def load_bundled(name: str) -> Dataset:
    """Return one of scikit-learn's bundled classification data sets."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    return make_dataset(
        name,
        bunch.data,
        bunch.target,
        source=f"sklearn:{name}",
        feature_names=[str(n) for n in bunch.feature_names],
        class_names=[str(n) for n in bunch.target_names],
    )


for _name in BUNDLED:
    DATASETS.add(f"sklearn:{_name}", partial(load_bundled, _name))
for _name in BUNDLED_REGRESSION:
    DATASETS.add(f"sklearn:{_name}", partial(load_bundled_regression, _name))
for _name in SYNTHETIC:
    DATASETS.add(f"synthetic:{_name}", partial(load_synthetic, _name))
DATASETS.add_prefix("file", "lal.data.tables:file_loader")
DATASETS.add_prefix("openml", "lal.data.openml:openml_loader")
DATASETS.add_prefix("synthetic", "lal.data.synthetic:synthetic_loader")
DATASETS.add_prefix("regression", "lal.data.regression_sets:function_loader")
