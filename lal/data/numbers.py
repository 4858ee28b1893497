"""Number or text: the one rule of all readers.

A number is a number whatever its type. A text is one if it is written as numbers are printed: an
optional minus sign, no leading zeros, no plus sign or underscores, no more digits than a float
holds; or ``nan``, ``inf`` and ``-inf``. ``"007"``, ``"1_000"`` and ``"12345678901234567890"`` are
texts: as numbers they could not be told from ``"7"``, ``"1000"`` or their neighbours.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.data.hashing import is_missing

PRINTED = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

WORDS = ("nan", "inf", "-inf")
"""Numbers that are printed as words."""

MOST_DIGITS = 15
"""Digits before the decimal point up to which a float holds every whole number."""

NUMBERS = (int, float, Decimal, Fraction, np.number, np.bool_)


def read_number(cell: Any) -> float | None:
    """Return a cell as a number, nan where it is missing, or None where it is a text."""
    if is_missing(cell):
        return float("nan")
    if isinstance(cell, NUMBERS) and not isinstance(cell, np.complexfloating):
        return _float(cell)
    if not isinstance(cell, str):
        return None
    if cell in WORDS:
        return float(cell)
    found = PRINTED.fullmatch(cell)
    if found is None or len(found[1]) > MOST_DIGITS:
        return None
    value = float(cell)
    return value if np.isfinite(value) else None


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except OverflowError:  # a whole number beyond all floats
        return float("inf") if cell > 0 else float("-inf")


def read_numbers(cells: Sequence[Any]) -> Floats | None:
    """Return cells as numbers, nan where missing, shape (n,); None where one is a text."""
    values = []
    for cell in cells:
        value = read_number(cell)
        if value is None:
            return None
        values.append(value)
    return np.array(values, dtype=np.float64)


def read_label_numbers(labels: Sequence[Any]) -> Floats | None:
    """Return labels as numbers, or None where one is a text.

    Labels are names: a text counts as a number only if that number is printed just so, and no two
    different labels may share one.
    """
    values = read_numbers(labels)
    if values is None or len(np.unique(values)) < len(set(labels)):
        return None
    texts = {(v, label) for v, label in zip(values.tolist(), labels, strict=True)
             if isinstance(label, str)}  # fmt: skip
    if len({v for v, _ in texts}) < len(texts):
        return None
    return values if all(label in (number_name(v), repr(v)) for v, label in texts) else None


def number_name(value: float) -> str:
    """Return a number as it is printed: whole ones without a decimal point."""
    return str(int(value)) if np.isfinite(value) and value == int(value) else repr(value)
