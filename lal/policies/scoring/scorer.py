"""Scorer programs: straight-line lists of operations over named registers, checked, then run.

A program is plain JSON::

    {"ops": [{"op": "affine", "in": ["candidates"], "out": ["h"], "weight": "w", "bias": "b"},
             {"op": "relu", "in": ["h"], "out": ["a"]}, ...],
     "output": "u"}

The registers ``candidates`` (n, F), ``context`` (G,) and ``reference`` (R, F: the candidate
features of the reference set) are given. Every operation reads registers written before it and
writes new ones, so nothing can loop. The output has width 1.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.errors import PolicyFileError
from lal.policies.scoring.affine_op import AFFINE
from lal.policies.scoring.ops import PLAIN_OPS, Op, Shape, need
from lal.policies.scoring.tree_op import TREES

OPS: Mapping[str, Op] = {"affine": AFFINE, **PLAIN_OPS, "trees": TREES}
"""Every operation by name; a program that names another is refused."""

MAX_OPS = 512
MAX_WIDTH = 4096
MAX_NUMBERS = 16_000_000
"""Limits of a program: operations, width of a register, numbers in all tensors."""

CHUNK = 20_000
"""Candidate rows run at once when no operation mixes them; fewer for wide programs."""

HELD = 400_000
"""Numbers that the registers of one chunk hold: 3 MB, which stay in the cache."""

MAX_HELD = 16_384
"""Widths of all registers of rows that are held at once: 134 MB over a reference set."""

MAX_WORK = 4_000_000
MAX_REFERENCE_WORK = 2_000_000
"""Multiply-adds of one candidate row, and of one row of the reference set: a few ms; about 1 s."""

Program = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One checked operation: what it is, what it reads and writes, its tensors and attributes.

    `drops` are the registers that nothing reads after it.
    """

    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, np.ndarray]
    attributes: Mapping[str, Any]
    by_candidate: bool
    work: int = 0
    drops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scorer:
    """A checked program with its tensors, ready to run.

    Attributes:
        steps: The operations in the order in which they run.
        output: Register that holds the utilities.
        reads: Given registers that the program reads.
        mixes_candidates: Whether a row's utility depends on the other candidates.
        width: Numbers held for a row: all registers together.
    """

    steps: tuple[Step, ...]
    output: str
    reads: frozenset[str]
    mixes_candidates: bool
    width: int

    def run(self, inputs: Mapping[str, Floats]) -> Floats:
        """Return the utilities of the candidates, shape (n,).

        Args:
            inputs: ``candidates`` (n, F), ``context`` (G,), and ``reference`` (R, F) if read.
        """
        rows = inputs["candidates"]
        if self.mixes_candidates:
            return self._output(self.registers(inputs), len(rows))
        fixed = _execute([s for s in self.steps if not s.by_candidate], dict(inputs))
        later = [s for s in self.steps if s.by_candidate]
        size = max(min(CHUNK, HELD // self.width), 1)
        parts = []
        for first in range(0, max(len(rows), 1), size):
            chunk = rows[first : first + size]
            registers = _execute(later, {**fixed, "candidates": chunk})
            parts.append(self._output(registers, len(chunk)))
        return np.concatenate(parts)

    def registers(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return the output and what is kept after a run on all candidates at once."""
        return _execute(self.steps, dict(inputs))

    def _output(self, registers: Mapping[str, Floats], n: int) -> Floats:
        return np.array(np.broadcast_to(registers[self.output], (n, 1))[:, 0])


def _execute(steps: Sequence[Step], registers: dict[str, Floats]) -> dict[str, Floats]:
    with np.errstate(over="ignore", invalid="ignore"):
        for step in steps:
            values = step.op.compute(
                [registers[name] for name in step.inputs], step.tensors, step.attributes
            )
            registers.update(zip(step.outputs, values, strict=True))
            for name in step.drops:
                del registers[name]
    return registers


def compile_program(
    program: Program,
    tensors: Mapping[str, np.ndarray],
    *,
    n_candidate: int,
    n_context: int,
    extra: Mapping[str, Shape] | None = None,
    n_output: int = 1,
    keep: Sequence[str] = (),
) -> Scorer:
    """Check a program against its tensors and return it ready to run.

    Args:
        program: The operations and the output register, plain JSON values.
        tensors: Arrays by name.
        n_candidate: F, width of ``candidates`` and ``reference``.
        n_context: G, width of ``context``.
        extra: Further given registers (a mask, a memory) and their shapes.
        n_output: Width that the output must have; `Scorer.run` is for width 1, wider outputs are
            read from `Scorer.registers`.
        keep: Registers that `Scorer.registers` returns besides the output.

    Raises:
        PolicyFileError: Unknown operation, register or tensor, shapes that do not fit, too large,
            too much work.
    """
    shapes = {
        "candidates": Shape("candidates", n_candidate),
        "reference": Shape("reference", n_candidate),
        "context": Shape("vector", n_context),
        **(extra or {}),
    }
    given = frozenset(shapes)
    numbers = _as_numbers(tensors)
    steps = []
    for position, entry in enumerate(_entries(program)):
        try:
            steps.append(_step(entry, shapes, numbers))
        except PolicyFileError as error:
            raise PolicyFileError(f"operation {position} of the program: {error}") from None
    output = program.get("output")
    need(isinstance(output, str) and output in shapes, f"the output {output!r} is not a register")
    found = shapes[str(output)].width
    need(found == n_output, f"the output {output!r} must have width {n_output}, got {found}")
    need(shapes[str(output)].axis != "reference", "the output must be one number a candidate")
    need(set(keep) <= set(shapes), f"the program must write {' and '.join(keep)}")
    used = {name for step in steps for name in step.inputs} | {str(output)}
    mixes = _mixes(steps, shapes)
    if not mixes:  # what is the same for all candidates runs once, before their chunks
        steps = sorted(steps, key=lambda step: step.by_candidate)
    steps = _dropping(steps, given | {str(output), *keep})
    _check_held(steps, shapes)
    _check_work(steps, shapes)
    return Scorer(
        tuple(steps),
        str(output),
        reads=given & used,
        mixes_candidates=mixes,
        width=sum(s.width for s in shapes.values()),
    )


def _check_work(steps: Sequence[Step], shapes: Mapping[str, Shape]) -> None:
    """Refuse a program that takes too long, before it runs."""
    work = {True: 0, False: 0}
    for step in steps:
        rows = {shapes[n].axis for n in (*step.inputs, *step.outputs)}
        work["reference" in rows and "candidates" not in rows] += step.work
    need(work[False] <= MAX_WORK, f"a row takes {work[False]} operations, more than {MAX_WORK}")
    need(
        work[True] <= MAX_REFERENCE_WORK,
        f"a row of the reference set takes {work[True]} operations, more than {MAX_REFERENCE_WORK}",
    )


def _dropping(steps: Sequence[Step], kept: Set[str]) -> list[Step]:
    """Return the steps with the registers that each is the last to read, or that none reads."""
    last = {name: i for i, step in enumerate(steps) for name in (*step.outputs, *step.inputs)}
    return [
        replace(step, drops=tuple(n for n, at in last.items() if at == i and n not in kept))
        for i, step in enumerate(steps)
    ]


def _check_held(steps: Sequence[Step], shapes: Mapping[str, Shape]) -> None:
    """Refuse a program that holds too many numbers a row at once."""
    held = 0
    for step in steps:
        held += sum(shapes[n].width for n in step.outputs if shapes[n].axis != "vector")
        need(held <= MAX_HELD, f"the program holds {held} numbers a row, more than {MAX_HELD}")
        held -= sum(shapes[n].width for n in step.drops if shapes[n].axis != "vector")


def _mixes(steps: Sequence[Step], shapes: Mapping[str, Shape]) -> bool:
    mixed = (s.inputs[s.op.mixes] for s in steps if s.op.mixes is not None)
    return any(shapes[name].axis == "candidates" for name in mixed)


def _entries(program: Program) -> list[Any]:
    need(isinstance(program, Mapping), "the program must be a JSON object")
    need(set(program) == {"ops", "output"}, "the program must have 'ops' and 'output' only")
    ops = program["ops"]
    need(isinstance(ops, list) and len(ops) <= MAX_OPS, f"ops must be a list of up to {MAX_OPS}")
    return list(ops)


def _as_numbers(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    total = sum(int(np.prod(t.shape)) for t in tensors.values())
    need(total <= MAX_NUMBERS, f"the tensors hold {total} numbers, more than {MAX_NUMBERS}")
    numbers = {}
    for name, tensor in tensors.items():
        kind = tensor.dtype.kind
        need(kind in "fi", f"tensor {name!r} has type {tensor.dtype}; expected floats or integers")
        need(bool(np.isfinite(tensor).all()), f"tensor {name!r} holds numbers that are not finite")
        numbers[name] = tensor.astype(np.float64 if kind == "f" else np.int64)
    return numbers


def _step(entry: Any, shapes: dict[str, Shape], tensors: Mapping[str, np.ndarray]) -> Step:
    need(isinstance(entry, Mapping), "an operation must be a JSON object")
    name = entry.get("op")
    need(isinstance(name, str) and name in OPS, f"unknown op {name!r}; known: {', '.join(OPS)}")
    op = OPS[str(name)]
    inputs, outputs = _names(entry, "in"), _names(entry, "out")
    for register in inputs:
        need(register in shapes, f"register {register!r} is not written before {name!r} reads it")
    low, high = op.n_inputs
    need(low <= len(inputs) <= high, f"{name!r} takes {low} to {high} inputs, got {len(inputs)}")
    need(len(outputs) == op.outputs, f"{name!r} writes {op.outputs} registers")
    used = _tensors(entry, op, tensors)
    attributes = {k: entry[k] for k in op.attributes if k in entry}
    allowed = {"op", "in", "out", *op.tensors, *op.optional, *op.attributes}
    need(set(entry) <= allowed, f"{name!r} does not take {sorted(set(entry) - allowed)}")
    _check_attributes(attributes)
    found = op.infer([shapes[r] for r in inputs], used, attributes)
    for register, shape in zip(outputs, found, strict=True):
        need(register not in shapes, f"register {register!r} is written twice")
        need(0 < shape.width <= MAX_WIDTH, f"register {register!r} is wider than {MAX_WIDTH}")
        shapes[register] = shape
    by_candidate = "candidates" in {s.axis for s in (*found, *(shapes[r] for r in inputs))}
    work = op.work([*(shapes[r] for r in inputs), *found], used)
    return Step(op, inputs, outputs, op.prepare(used), attributes, by_candidate, work)


def _names(entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = entry.get(key)
    ok = isinstance(names, list) and all(isinstance(n, str) and 0 < len(n) <= 64 for n in names)
    need(ok, f"{key!r} must be a list of register names")
    return tuple(names or ())


def _tensors(
    entry: Mapping[str, Any], op: Op, tensors: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    used = {}
    for role in (*op.tensors, *op.optional):
        if role not in entry and role in op.optional:
            continue
        name = entry.get(role)
        need(
            isinstance(name, str) and name in tensors,
            f"{role!r} names the tensor {name!r}, which is not there",
        )
        used[role] = tensors[str(name)]
    return used


def _check_attributes(attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        if name == "columns":
            continue
        ok = isinstance(value, bool | int | float) and np.isfinite(float(value))
        need(bool(ok), f"{name!r} must be a finite number, got {value!r}")


def run(
    program: Program, tensors: Mapping[str, np.ndarray], inputs: Mapping[str, Floats]
) -> Floats:
    """Check and run a program once; see `compile_program` for many runs.

    Args:
        program: The program.
        tensors: Arrays by name.
        inputs: ``candidates`` (n, F), ``context`` (G,), and ``reference`` (R, F) if read.

    Returns:
        Utilities of the candidates, shape (n,).
    """
    scorer = compile_program(
        program,
        tensors,
        n_candidate=inputs["candidates"].shape[1],
        n_context=len(inputs["context"]),
    )
    return scorer.run(inputs)
