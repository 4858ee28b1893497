"""Questions: a made-up point, a line to mark, a rule, or a real row; and their answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.synthesis.decoders import Decoder

INVALID = -1
"""What an oracle answers to an item that is none of the classes; it costs as much as a label."""

Oracle = Callable[[Floats], Ints]
"""Items (n, D) to class codes (n,), `INVALID` for what makes no sense."""

TOLERANCE = 1e-3
"""Where a line is marked, as a share of its length."""


@dataclass(frozen=True, eq=False)
class Point:
    """What class is the item of these latents? Shape (d,)."""

    z: Floats


@dataclass(frozen=True, eq=False)
class Line:
    """Where on the way from one latent to another does the class change? Shapes (d,).

    Attributes:
        start: One end.
        end: The other.
        side: Items taken from each side of the mark, as labelled.
    """

    start: Floats
    end: Floats
    side: int = 3


@dataclass(frozen=True, eq=False)
class Rule:
    """Which classes have the real items with ``low <= x <= high``? Shapes (D,)."""

    low: Floats
    high: Floats

    def covers(self, X: Floats) -> Ints:
        """Return the rows that the rule holds for."""
        return np.flatnonzero(((self.low <= X) & (self.high >= X)).all(axis=1))


@dataclass(frozen=True)
class Row:
    """What class is this real item?"""

    index: int


Question = Point | Line | Rule | Row


class Answer(NamedTuple):
    """What a question brought; it costs one query, whatever it brought.

    Attributes:
        X: Items, shape (n, D); none where the answer is "invalid".
        y: Their classes, shape (n,).
        weight: Of each, shape (n,): below 1 where an item has several classes.
        at: For a line with a change, its place from 0 to 1; otherwise None.
    """

    X: Floats
    y: Ints
    weight: Floats
    at: float | None = None

    @property
    def valid(self) -> bool:
        """Whether anything was learned."""
        return len(self.y) > 0


def _labelled(X: Floats, y: Ints, at: float | None = None) -> Answer:
    valid = y != INVALID
    return Answer(X[valid], y[valid], np.ones(int(valid.sum())), at)


def ask(
    question: Question,
    oracle: Oracle,
    decoder: Decoder,
    X_pool: Floats,
    noise: Callable[[], float] | None = None,
) -> Answer:
    """Return the answer to a question.

    Args:
        question: What is asked.
        oracle: Knows the class of any item.
        decoder: Turns latents into items.
        X_pool: Real items without labels, shape (N, D).
        noise: Draws how far a mark on a line is off, as a share of its length.
    """
    if isinstance(question, Point):
        X = decoder.decode(question.z[None])
        return _labelled(X, oracle(X))
    if isinstance(question, Row):
        if not 0 <= question.index < len(X_pool):
            raise UsageError(f"row {question.index} is not among the {len(X_pool)} real items")
        X = X_pool[question.index][None]
        return _labelled(X, oracle(X))
    if isinstance(question, Rule):
        return _shares(X_pool[question.covers(X_pool)], oracle)
    return _marked(question, oracle, decoder, noise)


def _shares(X: Floats, oracle: Oracle) -> Answer:
    """Return every covered item with every class, weighted by the class's share among all."""
    classes, counts = np.unique(oracle(X), return_counts=True) if len(X) else (np.zeros(0), [])
    kept = np.flatnonzero(np.asarray(classes) != INVALID)
    shares = np.asarray(counts, dtype=np.float64)[kept] / max(len(X), 1)
    n = len(kept)
    codes = np.tile(np.asarray(classes, dtype=np.int64)[kept], len(X))
    return Answer(np.repeat(X, n, axis=0), codes, np.tile(shares, len(X)))


def _marked(
    line: Line, oracle: Oracle, decoder: Decoder, noise: Callable[[], float] | None
) -> Answer:
    """Return items on both sides of where the class changes, found by bisection."""

    def items(places: Floats) -> Floats:
        return decoder.decode(line.start + places[:, None] * (line.end - line.start))

    ends = items(np.array([0.0, 1.0]))
    first, last = oracle(ends)
    if first == last or INVALID in (first, last):
        return _labelled(ends, np.array([first, last]))
    low, high = 0.0, 1.0
    while high - low > TOLERANCE:
        middle = (low + high) / 2.0
        same = oracle(items(np.array([middle])))[0] == first
        low, high = (middle, high) if same else (low, middle)
    at = float(np.clip((low + high) / 2.0 + (noise() if noise else 0.0), 0.05, 0.95))
    before = np.linspace(0.0, at - 0.05, line.side)
    after = np.linspace(at + 0.05, 1.0, line.side)
    y = np.repeat([first, last], line.side)
    return Answer(items(np.r_[before, after]), y, np.ones(len(y)), at)
