"""Data sets of two classes with the rarer one thinned out, as a suite of their own.

A class of 3 to 10 per cent is common where people label (faults, frauds, diseases) and rare in
benchmark suites. The thinned sets keep the family of their source, so that intervals over data sets
treat several versions of one source as relatives.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lal.data.dataset import Dataset
from lal.errors import UsageError
from lal.rng import generator
from lal.serialization import write_atomic, write_json

FEWEST = 20
"""Rows of the rare class, at least: a pool and a test part share them."""


def suffix(share: float) -> str:
    """Return what names of data sets with such a share end with."""
    return f"_{100 * share:g}"


def write_thinned(datasets: Sequence[Dataset], shares: Sequence[float], folder: Path) -> Path:
    """Write thinned versions of the data sets of two classes and return their folder, a suite.

    Args:
        datasets: Those that have more classes or too few rows are left out.
        shares: Wanted shares of the rarer class.
        folder: Where the files go; equal arguments give equal files.

    Raises:
        UsageError: A share out of range, or nothing is left.
    """
    if any(not 0 < share < 0.5 for share in shares):
        raise UsageError(f"shares of a rare class must be above 0 and below 0.5, got {shares}")
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for dataset in datasets:
        for share in shares:
            rows = _thinned(dataset, share)
            if len(rows):
                name = dataset.name + suffix(share)
                _write(folder / f"{name}.npz", dataset, rows)
                file = {"name": name, "file": f"{name}.npz", "family": dataset.family}
                listed.append(file)
    if not listed:
        raise UsageError(
            f"no data set has two classes and {FEWEST} rows of the rarer one at shares of {shares}"
        )
    write_json(folder / "manifest.json", {"collection": "thinned", "datasets": listed})
    return folder


def _thinned(dataset: Dataset, share: float) -> np.ndarray:
    """Return the rows kept, in their order; none where a class would be too small."""
    counts = np.bincount(dataset.y)
    if len(counts) != 2:
        return np.zeros(0, dtype=np.int64)
    rare = int(np.argmin(counts))
    wanted = round(share / (1.0 - share) * int(counts[1 - rare]))
    if not FEWEST <= wanted <= counts[rare]:
        return np.zeros(0, dtype=np.int64)
    rng = generator(0, "thinned", dataset.name, round(1000 * share))
    kept = rng.choice(np.flatnonzero(dataset.y == rare), size=wanted, replace=False)
    return np.sort(np.r_[np.flatnonzero(dataset.y != rare), kept])


def _write(path: Path, dataset: Dataset, rows: np.ndarray) -> None:
    def write(part: Path) -> None:
        with part.open("wb") as handle:
            np.savez_compressed(handle, X=np.asarray(dataset.X)[rows], y=dataset.y[rows])

    write_atomic(path, write)
