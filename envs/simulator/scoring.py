"""Scorer programs over a batch of slates, without a loop over episodes.

The rows of all slates are laid end to end, and each register is one matrix: one row per candidate,
per reference row or per episode. Operations that treat rows one by one are those of
`lal.policies.scoring`; the operations that mix rows (pooling, attention) stay within an episode.
Utilities equal those of the interpreter, one episode at a time, to 1e-6 in double precision.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError
from lal.policies.scoring.ops import Op, softmax
from lal.policies.scoring.scorer import OPS, Scorer, Step

Numbers = NDArray[Any]
"""Single or double precision."""

ROWS = 8_192
"""Rows scored at once, in whole episodes, so that the registers stay in the cache."""


@dataclass(frozen=True, eq=False)
class Segments:
    """Rows of E episodes, laid end to end.

    Attributes:
        count: Rows of every episode, shape (E,).
        owner: Episode of every row, shape (n,), increasing.
    """

    count: Ints
    owner: Ints

    @classmethod
    def from_count(cls, count: Ints) -> "Segments":
        """Return the segments of so many rows per episode."""
        return cls(count, np.repeat(np.arange(len(count)), count))

    @property
    def first(self) -> Ints:
        """Position of the first row of every episode, shape (E,)."""
        first: Ints = np.cumsum(self.count) - self.count
        return first

    @property
    def place(self) -> Ints:
        """Position of every row within its episode, shape (n,)."""
        place: Ints = np.arange(len(self.owner)) - self.first[self.owner]
        return place

    def keep(self, kept: Bools) -> "Segments":
        """Return the segments of some of the rows, `kept` of shape (n,)."""
        return Segments.from_count(np.bincount(self.owner[kept], minlength=len(self.count)))

    def pad(self, rows: Numbers) -> Numbers:
        """Return rows (n, w) as a table (E, most rows, w), zeros where there is no row."""
        width = max(int(self.count.max(initial=0)), 1)
        table = np.zeros((len(self.count), width, rows.shape[1]), rows.dtype)
        table[self.owner, self.place] = rows
        return table


@dataclass(frozen=True, eq=False)
class SlateBatch:
    """What a program is given of E episodes.

    Attributes:
        candidates: Candidate features, shape (E, K, F).
        context: Context features, shape (E, G).
        mask: Which slots hold a candidate, shape (E, K).
        reference: Candidate features of the reference sets, shape (E, R, F), or None.
        reference_mask: Which of them are there, shape (E, R), or None.
    """

    candidates: Numbers
    context: Numbers
    mask: Bools
    reference: Numbers | None = None
    reference_mask: Bools | None = None

    def part(self, episodes: slice) -> "SlateBatch":
        """Return some of the episodes."""
        reference, there = self.reference, self.reference_mask
        return SlateBatch(
            self.candidates[episodes],
            self.context[episodes],
            self.mask[episodes],
            None if reference is None else reference[episodes],
            None if there is None else there[episodes],
        )


class SlateScorer:
    """A program that scores the slates of many episodes at once.

    Args:
        scorer: The checked program.
        dtype: Precision of all numbers; single precision is twice as fast and enough to rank by.
    """

    def __init__(self, scorer: Scorer, dtype: type[np.floating[Any]] = np.float64) -> None:
        self.scorer, self.dtype = scorer, dtype
        self._steps = tuple(replace(s, tensors=_cast(s.tensors, dtype)) for s in scorer.steps)

    def __call__(self, slates: SlateBatch) -> Numbers:
        """Return the utilities of all slots, shape (E, K), 0 where there is no candidate.

        Raises:
            UsageError: The program reads the reference set, and the slates have none.
        """
        if "reference" in self.scorer.reads and slates.reference is None:
            raise UsageError(
                "the program reads the reference set; expected slates with reference rows, got none"
            )
        utilities = np.zeros(slates.mask.shape, self.dtype)
        for episodes in _chunks(slates.mask.sum(axis=1)):
            part = slates.part(episodes)
            utilities[episodes][part.mask] = self._score(part)
        return utilities

    def _score(self, slates: SlateBatch) -> Numbers:
        """Return the utilities of all candidates, laid end to end, shape (n,)."""
        registers = _Registers(slates, self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            for step in self._steps:
                registers.run(step)
        return registers.as_rows(self.scorer.output, "candidates").reshape(-1)


def _cast(tensors: Mapping[str, Numbers], dtype: type[np.floating[Any]]) -> dict[str, Numbers]:
    """Return tensors in a precision; integers stay."""
    return {
        k: t.astype(dtype, copy=False) if t.dtype.kind == "f" else t for k, t in tensors.items()
    }


def _chunks(count: Ints) -> Iterator[slice]:
    """Yield runs of episodes with at most `ROWS` rows each, or one episode."""
    ends = np.cumsum(count)
    first = 0
    while first < len(count):
        before = ends[first - 1] if first else 0
        last = max(int(np.searchsorted(ends, before + ROWS, side="right")), first + 1)
        yield slice(first, last)
        first = last


class _Registers:
    """The registers of a run: matrices, and what their rows are (episodes are ``"vector"``)."""

    def __init__(self, slates: SlateBatch, dtype: type[np.floating[Any]]) -> None:
        self.n = len(slates.mask)
        self.segments = {"candidates": Segments.from_count(slates.mask.sum(axis=1))}
        self.values: dict[str, Numbers] = {
            "candidates": slates.candidates[slates.mask].astype(dtype),
            "context": slates.context.astype(dtype),
        }
        self.axes = {"candidates": "candidates", "context": "vector"}
        if slates.reference is not None:
            shape = slates.reference.shape[:2]
            there = np.ones(shape, bool) if slates.reference_mask is None else slates.reference_mask
            self.segments["reference"] = Segments.from_count(there.sum(axis=1))
            self.values["reference"] = slates.reference[there].astype(dtype)
            self.axes["reference"] = "reference"

    def run(self, step: Step) -> None:
        """Run one operation and write its outputs."""
        if step.op.mixes is None:
            axes = {self.axes[name] for name in step.inputs} - {"vector"}
            axis = axes.pop() if axes else "vector"
            inputs = [self.as_rows(name, axis) for name in step.inputs]
            outputs: Sequence[Numbers] = step.op.compute(inputs, step.tensors, step.attributes)
        else:
            axis, outputs = _mixing(step.op)(self, step)
        for name, values in zip(step.outputs, outputs, strict=True):
            self.values[name], self.axes[name] = values, axis

    def as_rows(self, name: str, axis: str) -> Numbers:
        """Return a register with one row per row of an axis; an episode's vector is repeated."""
        if self.axes[name] == axis:
            return self.values[name]
        return self.values[name][self.segments[axis].owner]

    def kept(self, step: Step, position: int) -> tuple[Segments, Bools]:
        """Return the segments of the rows that an operation's mask input keeps, and which."""
        rows = step.inputs[position - 1]
        segments = self.segments[self.axes[rows]]
        if len(step.inputs) <= position:
            return segments, np.ones(len(segments.owner), dtype=np.bool_)
        kept: Bools = self.values[step.inputs[position]][:, 0] > 0.5
        return segments.keep(kept), kept


Mixed = tuple[str, Sequence[Numbers]]
"""What the rows of the outputs are, and the outputs."""


def _pool(reduce: np.ufunc, *, mean: bool = False) -> Callable[[_Registers, Step], Mixed]:
    """Return a reduction over the rows of each episode; 0 for an episode without rows."""

    def compute(registers: _Registers, step: Step) -> Mixed:
        segments, kept = registers.kept(step, 1)
        rows = registers.values[step.inputs[0]][kept]
        out = np.zeros((registers.n, rows.shape[1]), rows.dtype)
        there = segments.count > 0
        if len(rows):
            out[there] = reduce.reduceat(rows, segments.first[there], axis=0)
        if mean:
            out /= np.maximum(segments.count, 1)[:, None].astype(rows.dtype)
        return "vector", [out]

    return compute


def _attend(registers: _Registers, step: Step) -> Mixed:
    """Attend from the queries of each episode to its own keys; 0 for an episode without keys."""
    axis = registers.axes[step.inputs[0]]
    segments, kept = registers.kept(step, 3)
    keys, values = (segments.pad(registers.values[name][kept]) for name in step.inputs[1:3])
    query = registers.values[step.inputs[0]]
    table = query[:, None] if axis == "vector" else registers.segments[axis].pad(query)
    heads = int(step.attributes.get("heads", 1))
    there = np.arange(keys.shape[1]) < segments.count[:, None]
    hidden = np.where(there, 0.0, -np.inf).astype(query.dtype)[:, None]
    hidden[segments.count == 0] = 0.0  # their values are zeros, and so is the answer
    parts = []
    for q, k, v in zip(*(np.split(x, heads, axis=-1) for x in (table, keys, values)), strict=True):
        scores = q @ k.transpose(0, 2, 1) / query.dtype.type(np.sqrt(q.shape[-1]))
        parts.append(softmax(scores + hidden) @ v)
    out = np.concatenate(parts, axis=-1)
    if axis == "vector":
        return axis, [out[:, 0]]
    own = registers.segments[axis]
    return axis, [out[own.owner, own.place]]


_MIXING: Mapping[str, Callable[[_Registers, Step], Mixed]] = {
    "masked_mean": _pool(np.add, mean=True),
    "masked_max": _pool(np.maximum),
    "masked_sum": _pool(np.add),
    "attention": _attend,
}
"""The operations that mix rows, within each episode."""


def _mixing(op: Op) -> Callable[[_Registers, Step], Mixed]:
    name = next(name for name, known in OPS.items() if known is op)
    if name not in _MIXING:
        raise UsageError(
            f"operation {name!r} mixes rows and has no form for many episodes at once; expected "
            f"one of {', '.join(_MIXING)}"
        )
    return _MIXING[name]


def score_slates(scorer: Scorer, slates: SlateBatch) -> Floats:
    """Return a program's utilities of all slots, shape (E, K), 0 where there is no candidate."""
    return SlateScorer(scorer)(slates)
