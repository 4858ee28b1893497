"""Hashes of rows and of whole data sets by content, the same on every machine."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Labels, Rows

Hashes = NDArray[np.uint64]

_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)
_START = np.uint64(0x9E3779B97F4A7C15)
_MISSING = np.uint64(0x7FF8DEAD0000BEEF)


def row_hashes(X: Rows) -> Hashes:
    """Return a 64-bit hash of each row, shape (N,): equal rows and only those agree.

    Args:
        X: (N, D) array of numbers, or of objects (numbers, texts, None or nan where missing).
    """
    state = np.full(len(X), _START, dtype=np.uint64)
    for j in range(X.shape[1]):
        state = (state ^ _column_words(X[:, j])) * _MULTIPLIER
        state ^= state >> np.uint64(29)
    return state


def content_sha256(X: Rows, y: Labels) -> str:
    """Return the SHA-256 of values, labels and shape, in hexadecimal; it depends on row order."""
    digest = hashlib.sha256(f"{X.shape[0]} {X.shape[1]}".encode())
    for j in range(X.shape[1]) if X.dtype.kind == "O" else (slice(None),):
        digest.update(_column_words(X[:, j].T).astype("<u8").tobytes())
    # numbers and codes have types of their own, so no regression hashes like a classification
    digest.update(np.asarray(y, dtype="<f8" if y.dtype.kind == "f" else "<i8").tobytes())
    return digest.hexdigest()


def is_missing(value: object) -> bool:
    """Whether a cell of an object column is missing (None, nan, or pandas' NA and NaT)."""
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _column_words(column: NDArray[np.generic]) -> Hashes:
    """Return one 64-bit word per cell: the bits of a number, a hash of a text."""
    if column.dtype.kind in "fiub":
        numbers = np.array(column, dtype=np.float64, order="C") + 0.0  # -0.0 becomes 0.0
        return np.where(np.isnan(numbers), _MISSING, numbers.view(np.uint64))
    known: dict[object, np.uint64] = {}
    return np.array([_cell_word(value, known) for value in column.tolist()], dtype=np.uint64)


def _cell_word(value: object, known: dict[object, np.uint64]) -> np.uint64:
    if is_missing(value):
        return _MISSING
    if isinstance(value, int | float):
        return np.uint64((np.float64(value) + 0.0).view(np.uint64))
    if value not in known:
        digest = hashlib.blake2b(str(value).encode(), digest_size=8).digest()
        known[value] = np.uint64(int.from_bytes(digest, "little"))
    return known[value]
