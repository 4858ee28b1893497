"""What the LAL-RL workload accepts as data, turned into pairs of arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lal.data.dataset import Dataset
from lal.data.datasets import load_dataset
from lal.data.suites import SUITES, load_suite
from lal.errors import DataError, UsageError

Pair = tuple[Any, Any]


def binary_pairs(data: Any) -> list[Pair]:
    """Return samples and labels of every binary data set that `data` names or holds.

    Args:
        data: A pair (X, y); a `Dataset`; a data set's name (``"sklearn:breast_cancer"``,
            ``"file:PATH.npz"``); a suite's name or folder, of which the binary data sets without
            missing values are taken; or a sequence of these.

    Raises:
        DataError: A suite without a binary data set.
        UsageError: None of the above.
    """
    if isinstance(data, Dataset):
        return [(data.X, data.y)]
    if isinstance(data, str | Path):
        return _named_pairs(str(data))
    if isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], str | Path | Dataset):
        return [data]
    if isinstance(data, Sequence) and len(data) > 0:
        return [pair for part in data for pair in binary_pairs(part)]
    raise UsageError(
        f"data must be a pair (X, y), a data set, a name, a suite's name or folder, or a list of "
        f"these; got {type(data).__name__}"
    )


def _named_pairs(name: str) -> list[Pair]:
    if name not in SUITES and not Path(name).expanduser().is_dir():
        dataset = load_dataset(name)
        return [(dataset.X, dataset.y)]
    pairs = [(d.X, d.y) for d in load_suite(name) if d.n_classes == 2 and _is_plain(d.X)]
    if not pairs:
        raise DataError(f"suite {name!r} has no binary data set of plain numbers; name another")
    return pairs


def _is_plain(X: Any) -> bool:
    array = np.asarray(X)
    return array.dtype.kind in "fiub" and bool(np.isfinite(array.astype(np.float64)).all())
