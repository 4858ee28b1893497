"""What a stream strategy looks at: one item, and a memory of fixed size that it carries along."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lal.arrays import Floats, detached
from lal.errors import DataError, UnknownNameError

Memory = dict[str, np.ndarray]
"""A memory: arrays by name, nothing else, so it can be saved with numpy at any time."""


@dataclass(frozen=True)
class StreamItem:
    """What is known of an item before its label.

    Attributes:
        proba: Class probabilities, shape (C,); of a sequence of T tokens, (T, C).
        cost: What its label costs: 1, or tokens over their usual number.
        confidence: Probability of the best labelling, its T-th root for T tokens; None: the
            largest class probability.
        content: Numbers that describe the item itself, shape (content width,); None without.
        x: The row itself, shape (D,), for strategies that look at it; None without.
    """

    proba: Floats
    cost: float = 1.0
    confidence: float | None = None
    content: Floats | None = None
    x: Floats | None = None

    def __post_init__(self) -> None:
        """Check the item as `query` checks a row.

        Raises:
            DataError: Numbers that are not finite, not probabilities, or of another shape.
        """
        proba = _numbers(self.proba, "proba")
        if proba.ndim not in (1, 2) or 0 in proba.shape:
            raise DataError(f"proba must have shape (C,) or (T, C), got {proba.shape}")
        off = float(np.abs(proba.sum(axis=-1) - 1.0).max())
        if proba.min() < 0 or off > 1e-3:
            raise DataError(
                f"proba must be probabilities: not negative, with sum 1; got {proba.min():.3g} as "
                f"the least number and a sum that is off by {off:.3g}"
            )
        object.__setattr__(self, "proba", proba)
        if self.content is not None:
            object.__setattr__(self, "content", _numbers(self.content, "content").reshape(-1))
        if self.x is not None:
            object.__setattr__(self, "x", _numbers(self.x, "x").reshape(-1))
        cost = _number(self.cost, "cost")
        if not 0.0 < cost < np.inf:
            raise DataError(f"cost must be a finite number above 0, got {self.cost}")
        object.__setattr__(self, "cost", cost)
        if self.confidence is not None:
            object.__setattr__(self, "confidence", _share(self.confidence, "confidence"))


def _numbers(values: Any, name: str) -> Floats:
    try:
        array = np.asarray(detached(values))
        if array.dtype.kind in "USMmcV":
            raise TypeError(f"they are {array.dtype}")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be an array of numbers ({error})") from error
    if np.ma.is_masked(values):
        raise DataError(f"{name} has masked cells; expected numbers")
    if not np.isfinite(array).all():
        raise DataError(f"{name} must hold finite numbers; an item without them cannot be decided")
    return array


def _number(value: Any, name: str) -> float:
    """Return one number of any type; texts, arrays and complex numbers are none.

    Raises:
        DataError: It is not a number.
    """
    if isinstance(value, float | int | np.number) and not isinstance(value, np.complexfloating):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    raise DataError(f"{name} must be a number, got {type(value).__name__}")


def _share(value: Any, name: str) -> float:
    share = _number(value, name)
    if not 0.0 <= share <= 1.0:
        raise DataError(f"{name} must lie in 0 to 1, got {value}")
    return share


@dataclass(frozen=True)
class StreamEvent:
    """An item that has passed.

    Attributes:
        item: The item as it was decided on.
        asked: Whether its label was acquired.
        error: Share of it that the model had wrong, if the label is known: 0 or 1 for a row.
        label: Class code of a row whose label was acquired, for rules with a model of their own.
    """

    item: StreamItem
    asked: bool
    error: float | None = None
    label: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would stay in the memory.

        Raises:
            DataError: No stream item, an answer that is not yes or no, or an error that is not a
                share, or a label that is not a class code.
        """
        checked_item(self.item)
        answer = isinstance(self.asked, bool | np.bool_ | int | np.integer)
        if not answer or self.asked not in (0, 1):
            raise DataError(f"asked must be True or False, got {self.asked!r}")
        object.__setattr__(self, "asked", bool(self.asked))
        if self.error is not None:
            object.__setattr__(self, "error", _share(self.error, "error"))
        if self.label is not None:
            object.__setattr__(self, "label", _code(self.label, self.item.proba.shape[-1]))


def _code(value: Any, n_classes: int) -> int:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 0 <= value < n_classes:
        raise DataError(f"label must be a class code from 0 to {n_classes - 1}, got {value!r}")
    return int(value)


def checked_item(item: Any) -> StreamItem:
    """Return the item.

    Raises:
        DataError: It is something else.
    """
    if isinstance(item, StreamItem):
        return item
    raise DataError(
        f"expected a StreamItem, got {type(item).__name__}; make one of the class probabilities, "
        "StreamItem(proba)"
    )


def checked_event(event: Any) -> StreamEvent:
    """Return the event.

    Raises:
        DataError: It is something else.
    """
    if isinstance(event, StreamEvent):
        return event
    raise DataError(f"expected a StreamEvent(item, asked, error), got {type(event).__name__}")


def memory_array(memory: Any, name: str, shape: tuple[int, ...]) -> Floats:
    """Return an array of a memory.

    Raises:
        DataError: The memory has no such array of finite numbers.
    """
    try:
        array: Floats = np.asarray(memory[name], dtype=np.float64)
    except (TypeError, KeyError, IndexError, ValueError):
        array = np.full(shape, np.nan)
    if array.shape != shape or not np.isfinite(array).all():
        raise DataError(
            f"the memory must hold finite numbers of shape {shape} as {name!r}; pass what start or "
            "update of this strategy returned"
        )
    return array


class View(NamedTuple):
    """The numbers that the features are made of."""

    margin: float
    confidence: float
    entropy: float
    peak: float
    cost: float
    n_classes: int


class Record(NamedTuple):
    """The memory's statistics, in the order of its array ``statistics``."""

    seen: float = 0.0
    spent: float = 0.0
    since: float = 0.0
    doubt_mean: float = 0.5
    doubt_square: float = 0.35
    error: float = 0.5
    asked: float = 0.0
    budget: float = 0.1
    utility_level: float = 0.0
    utility_spread: float = 1.0


RATE = 0.01
"""Rate at which running means follow what passes by."""

ERROR_RATE = 0.1
"""Rate at which the running error follows the labels acquired."""


def view(item: StreamItem) -> View:
    """Return the numbers of an item; of a sequence the means over its tokens.

    A model that knows one class knows nothing: its certainty counts as an even split of two.
    """
    proba = item.proba
    if proba.shape[-1] == 1:
        return View(0.0, 0.5, 1.0, 1.0, item.cost, 1)
    if proba.ndim == 1:
        values = proba.tolist()
        top, second = sorted(values)[-1], sorted(values)[-2]
        n = len(values)
        entropy = -sum(p * math.log(p) for p in values if p > 1e-12) / math.log(n)
        confidence = top if item.confidence is None else item.confidence
        return View(top - second, confidence, entropy, entropy, item.cost, n)
    n = proba.shape[1]
    ordered = np.sort(proba, axis=1)
    logs = np.log(np.maximum(proba, 1e-12))
    entropies = -(proba * logs).sum(axis=1) / math.log(n)
    confidence = float(ordered[:, -1].mean()) if item.confidence is None else item.confidence
    margin = float((ordered[:, -1] - ordered[:, -2]).mean())
    return View(margin, confidence, float(entropies.mean()), float(entropies.max()), item.cost, n)


def _standing(r: Record, v: View) -> float:
    """Return by how many deviations the uncertainty lies above its running mean, within 3."""
    spread = math.sqrt(max(r.doubt_square - r.doubt_mean**2, 1e-6))
    return max(min((1.0 - v.confidence - r.doubt_mean) / spread, 3.0), -3.0)


def _pace(r: Record, v: View) -> float:
    """Return how far spending lies behind the budget's pace, in labels, within 1."""
    return math.tanh((r.budget * r.seen - r.spent) / 5.0)


FEATURES: Mapping[str, Callable[[Record, View], float]] = {
    "margin@1": lambda r, v: v.margin,
    "confidence@1": lambda r, v: v.confidence,
    "entropy@1": lambda r, v: v.entropy,
    "peak_entropy@1": lambda r, v: v.peak,
    "standing@1": _standing,
    "error@1": lambda r, v: r.error,
    "surprise@1": lambda r, v: r.error - r.doubt_mean,
    "asked@1": lambda r, v: r.asked,
    "pace@1": _pace,
    "since@1": lambda r, v: math.log1p(r.since * r.budget),
    "seen@1": lambda r, v: math.log1p(r.seen) / 10.0,
    "labels@1": lambda r, v: math.log1p(r.spent) / 5.0,
    "cost@1": lambda r, v: math.log(max(v.cost, 1e-3)),
}
"""Stream features by id; ``content@1`` is the item's own content, as wide as it is."""

CONTENT = "content@1"

TABLE_FEATURES = (
    "margin@1", "entropy@1", "standing@1", "error@1", "surprise@1", "asked@1", "pace@1", "since@1",
    "labels@1",
)  # fmt: skip
"""Default features for streams of table rows."""

SEQUENCE_FEATURES = (
    "margin@1", "confidence@1", "entropy@1", "peak_entropy@1", "standing@1", "cost@1", "pace@1",
    "labels@1", CONTENT,
)  # fmt: skip
"""Default features for streams of sentences."""


def width(features: Sequence[str], content_width: int) -> int:
    """Return the number of values of a feature list.

    Raises:
        UnknownNameError: A feature that is not here.
    """
    unknown = [name for name in features if name != CONTENT and name not in FEATURES]
    if unknown:
        known = ", ".join([*FEATURES, CONTENT])
        raise UnknownNameError(f"unknown stream feature {unknown[0]!r}; known: {known}")
    return sum(content_width if name == CONTENT else 1 for name in features)


def values(features: Sequence[str], record: Record, item: StreamItem) -> Floats:
    """Return the values of a feature list, shape (F,)."""
    seen = view(item)
    row: list[float] = []
    for name in features:
        if name == CONTENT:
            row += [] if item.content is None else item.content.tolist()
        else:
            row.append(FEATURES[name](record, seen))
    return np.array(row)


def start(budget: float) -> Record:
    """Return the statistics before the first item."""
    return Record(budget=budget)


def follow(record: Record, item: StreamItem, *, asked: bool, error: float | None) -> Record:
    """Return the statistics after an item.

    Args:
        record: Before it.
        item: The item.
        asked: Whether its label was acquired.
        error: Share of the item that the model had wrong (of a row 0 or 1); None without label.
    """
    doubt = 1.0 - view(item).confidence
    wrong = record.error
    if error is not None:
        wrong += ERROR_RATE * (error - wrong)
    return record._replace(
        seen=record.seen + 1.0,
        spent=record.spent + (item.cost if asked else 0.0),
        since=0.0 if asked else record.since + 1.0,
        doubt_mean=record.doubt_mean + RATE * (doubt - record.doubt_mean),
        doubt_square=record.doubt_square + RATE * (doubt * doubt - record.doubt_square),
        error=wrong,
        asked=record.asked + RATE * (float(asked) - record.asked),
    )
