"""No two data sets of different families are the same rows in another form."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import pytest

from lal.arrays import Floats
from lal.data.dataset import Dataset
from lal.data.datasets import make_dataset
from lal.data.encoding import fit_encoder
from lal.data.hashing import Hashes, row_hashes
from lal.data.suites import load_suite

SHARED_ROWS = 0.01
"""More common rows than this share of the smaller data set make relatives."""

LEAST_SHARED = 3
"""Fewer common rows are an accident of two-column tables."""

SHARED_COLUMNS = 0.8
"""So many columns of the narrower data set with equal moments make relatives."""

MIN_ROWS_MOMENTS = 50
"""Moments of fewer rows agree by accident."""


@dataclass(frozen=True)
class Overlap:
    """How much two data sets have in common.

    Attributes:
        rows: Share of the smaller one's different rows that are also in the other, as they are or
            with every column brought to [0, 1].
        columns: Share of the narrower one's columns whose skewness and kurtosis occur in the other.
        related: Whether either makes them relatives.
    """

    rows: float
    columns: float
    related: bool


def overlap(a: Dataset, b: Dataset) -> Overlap:
    """Return what two data sets have in common, whatever their names say.

    Rows are compared by hash where the widths are equal; sorted column moments where the numbers of
    rows are equal. Neither depends on the order of rows or on scaling by column; moments do not
    depend on the order of columns.
    """
    x, y = _fingerprint(a), _fingerprint(b)
    rows = max(_shared(x.raw, y.raw), _shared(x.scaled, y.scaled)) if x.width == y.width else 0.0
    comparable = x.n_rows == y.n_rows >= MIN_ROWS_MOMENTS
    columns = _shared_moments(x.moments, y.moments) if comparable else 0.0
    return Overlap(rows, columns, rows > SHARED_ROWS or columns >= SHARED_COLUMNS)


@dataclass(frozen=True, eq=False)
class _Fingerprint:
    n_rows: int
    width: int
    raw: Hashes
    scaled: Hashes
    moments: Floats


@lru_cache(maxsize=256)
def _fingerprint(dataset: Dataset) -> _Fingerprint:
    values = _varying(fit_encoder(dataset.X).transform(dataset.X))
    low, high = values.min(axis=0), values.max(axis=0)
    unit = np.rint((values - low) / (high - low) * 1e4)
    moments = np.stack([np.mean(_standard(values) ** k, axis=0) for k in (3, 4)], axis=1)
    raw = dataset.X if dataset.X.dtype.kind == "O" else dataset.X.astype(np.float32)
    return _Fingerprint(
        n_rows=len(dataset),
        width=dataset.n_features,
        raw=np.unique(row_hashes(raw)),
        scaled=np.unique(row_hashes(unit)),
        moments=moments,
    )


def _varying(values: Floats) -> Floats:
    return values[:, np.ptp(values, axis=0) > 0]


def _standard(values: Floats) -> Floats:
    centred = values - values.mean(axis=0)
    standard: Floats = centred / values.std(axis=0)
    return standard


def _shared(a: Hashes, b: Hashes) -> float:
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / min(len(a), len(b)) if common >= LEAST_SHARED else 0.0


def _shared_moments(a: Floats, b: Floats) -> float:
    """Return the share of the shorter list found in the other, up to sign of the skewness."""
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    if len(short) < 2:
        return 0.0
    found = np.abs(np.abs(short[:, None]) - np.abs(long[None])) <= 1e-3 * (
        1 + np.abs(short[:, None])
    )
    return float(found.all(axis=2).any(axis=1).mean())


def rows(n=100, d=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def named(X, name="a"):
    return make_dataset(name, X, np.arange(len(X)) % 2, source="test")


@pytest.mark.parametrize(
    ("change", "shared_rows", "shared_columns"),
    [
        (lambda X: X[::-1], 1.0, 1.0),
        (lambda X: X * [2.0, 3.0, 0.1, 50.0] - 4.0, 1.0, 1.0),
        (lambda X: X[:, [2, 0, 3, 1]], 0.0, 1.0),
        (lambda X: X[:50], 1.0, 0.0),
        (lambda X: np.c_[X, np.ones(len(X))], 0.0, 1.0),
        (lambda X: -X, 0.0, 1.0),
    ],
)
def test_overlap_sees_through_disguises(change, shared_rows, shared_columns):
    X = rows()
    found = overlap(named(X), named(change(X)))
    assert found.related
    assert found.rows == shared_rows
    assert found.columns == shared_columns


def test_strangers_do_not_overlap():
    found = overlap(named(rows()), named(rows(seed=1)))
    assert (found.rows, found.related) == (0.0, False)


def test_two_percent_of_common_rows_make_relatives():
    a, b = rows(300), rows(300, seed=1)
    b[:6] = a[:6]
    assert overlap(named(a), named(b)).rows == pytest.approx(0.02)
    assert overlap(named(a), named(b)).related


def unrelated_overlaps(datasets):
    return [
        (a.source, b.source, overlap(a, b))
        for a, b in combinations(datasets, 2)
        if a.family != b.family and overlap(a, b).related
    ]


def test_every_overlap_of_the_built_in_sets_is_within_a_family():
    assert not unrelated_overlaps([*load_suite("bundled"), *load_suite("synthetic")])


def test_every_overlap_of_the_further_sets_is_within_a_family(further_data):
    suites = ["bundled", "synthetic", further_data / "dev", further_data / "bridge"]
    assert not unrelated_overlaps([d for s in suites for d in load_suite(s)])
