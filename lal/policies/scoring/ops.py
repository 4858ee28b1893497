"""The closed set of operations a scorer program may use, each with its numbers and its shape rule.

Registers are arrays whose last axis is features: rows of candidates (n, w), rows of the reference
set (m, w), or one vector (w,). Conventions (weights (out, in), gate order) are PyTorch's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from lal.arrays import Bools, Floats
from lal.errors import PolicyFileError

Axis = Literal["candidates", "reference", "vector"]
Tensors = Mapping[str, np.ndarray]
Attributes = Mapping[str, Any]


class Shape(NamedTuple):
    """What is known of a register before running: what its rows are, and its width."""

    axis: Axis
    width: int


REFERENCE_ROWS = 1024
"""Rows of the largest reference set, which one row attends to."""


FUNCTION = 32
"""Multiply-adds of a matrix product that take as long as one elementary function, about."""


def plain_work(shapes: Sequence[Shape], tensors: Tensors) -> int:
    """Return the work of a row, in multiply-adds, where each number is used once."""
    numbers = sum(s.width for s in shapes)
    return FUNCTION * numbers + sum(int(t.size) for t in tensors.values())


def _attention_work(shapes: Sequence[Shape], tensors: Tensors) -> int:
    return REFERENCE_ROWS * (shapes[0].width + shapes[2].width + FUNCTION)


@dataclass(frozen=True)
class Op:
    """One operation.

    Attributes:
        compute: Inputs, tensors by role and attributes to the output arrays.
        infer: Shapes of the inputs, tensors and attributes to the shapes of the outputs.
        n_inputs: Least and largest number of inputs.
        tensors: Roles of tensors that must be given.
        optional: Roles of tensors that may be given.
        attributes: Names of attributes that may be given.
        outputs: Number of registers written.
        mixes: Input whose rows are reduced over or attended to, or None.
        work: Shapes of the inputs and outputs and tensors to the work of one row.
        prepare: Checked tensors to those that `compute` is given, once when compiling.
    """

    compute: Callable[[Sequence[Floats], Tensors, Attributes], tuple[Floats, ...]]
    infer: Callable[[Sequence[Shape], Tensors, Attributes], tuple[Shape, ...]]
    n_inputs: tuple[int, int] = (1, 1)
    tensors: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    outputs: int = 1
    mixes: int | None = None
    work: Callable[[Sequence[Shape], Tensors], int] = plain_work
    prepare: Callable[[Tensors], Tensors] = dict


def need(condition: bool, message: str) -> None:
    """Raise a PolicyFileError unless the condition holds."""
    if not condition:
        raise PolicyFileError(message)


def joint_axis(shapes: Sequence[Shape]) -> Axis:
    """Return the rows that the inputs share; vectors go with any, candidates not with reference."""
    axes = {s.axis for s in shapes} - {"vector"}
    need(len(axes) < 2, "candidate rows and reference rows meet only in attention")
    return axes.pop() if axes else "vector"


def _same(shapes: Sequence[Shape], tensors: Tensors, attributes: Attributes) -> tuple[Shape, ...]:
    return (shapes[0],)


def check_size(tensors: Tensors, role: str, *shape: int) -> None:
    """Refuse a tensor of another shape."""
    found = tensors[role].shape
    need(found == shape, f"tensor for {role!r} has shape {found}, expected {shape}")


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(x))
    values: Floats = np.where(x >= 0, 1.0, small) / (1.0 + small)
    return values


def _gelu(x: Floats) -> Floats:
    from scipy.special import erf

    values: Floats = 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))
    return values


def softmax(x: Floats) -> Floats:
    """Return the softmax along the last axis; entries of -inf get 0."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    values: Floats = e / e.sum(axis=-1, keepdims=True)
    return values


def _elementwise(function: Callable[[Floats], Floats]) -> Op:
    return Op(lambda x, t, a: (function(x[0]),), _same)


def _layer_norm(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    centred = x[0] - x[0].mean(axis=-1, keepdims=True)
    variance = (centred * centred).mean(axis=-1, keepdims=True)
    y = centred / np.sqrt(variance + float(a.get("eps", 1e-5)))
    return (y * t.get("weight", 1.0) + t.get("bias", 0.0),)


def _vectors_shape(s: Sequence[Shape], t: Tensors, a: Attributes) -> tuple[Shape, ...]:
    for role in t:
        check_size(t, role, s[0].width)
    if "scale" in t:
        need(bool((t["scale"] != 0).all()), "scale must not hold zeros")
    need(float(a.get("eps", 1.0)) > 0, "eps must be above 0")
    return (s[0],)


def _standardise(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    return ((x[0] - t["mean"]) / t["scale"],)


def _clip(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    return (np.clip(x[0], float(a.get("low", -np.inf)), float(a.get("high", np.inf))),)


def _aligned(x: Sequence[Floats]) -> list[Floats]:
    rows = next((len(v) for v in x if v.ndim == 2), None)
    if rows is None:
        return list(x)
    return [np.broadcast_to(v, (rows, v.shape[-1])) for v in x]


def _concat(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    return (np.concatenate(_aligned(x), axis=-1),)


def _concat_shape(s: Sequence[Shape], t: Tensors, a: Attributes) -> tuple[Shape, ...]:
    return (Shape(joint_axis(s), sum(v.width for v in s)),)


def _broadcast(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    return (np.broadcast_to(x[0], (len(x[1]), x[0].shape[-1])),)


def _broadcast_shape(s: Sequence[Shape], t: Tensors, a: Attributes) -> tuple[Shape, ...]:
    need(s[0].axis == "vector" and s[1].axis != "vector", "broadcast takes a vector and rows")
    return (Shape(s[1].axis, s[0].width),)


def _fold(function: Callable[[Floats, Floats], Floats]) -> Op:
    def compute(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
        total = x[0]
        for other in x[1:]:
            total = function(total, other)
        return (total,)

    return Op(compute, _fold_shape, n_inputs=(2, 8))


def _fold_shape(s: Sequence[Shape], t: Tensors, a: Attributes) -> tuple[Shape, ...]:
    widths = {v.width for v in s} - {1}
    need(len(widths) < 2, f"widths {[v.width for v in s]} do not match")
    return (Shape(joint_axis(s), widths.pop() if widths else 1),)


def _select(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    return (x[0][..., np.asarray(a["columns"], dtype=np.int64)],)


def _select_shape(s: Sequence[Shape], t: Tensors, a: Attributes) -> tuple[Shape, ...]:
    columns = a.get("columns")
    ok = isinstance(columns, list) and 0 < len(columns) <= 4096
    ok = ok and all(type(c) is int and 0 <= c < s[0].width for c in columns or ())
    need(ok, f"columns must be a list of column numbers below {s[0].width}")
    return (Shape(s[0].axis, len(columns or ())),)


def _kept(x: Sequence[Floats], position: int) -> Bools:
    """Return the mask input as booleans, shape (m,); all true without one."""
    rows = len(x[position - 1])
    return x[position][:, 0] > 0.5 if len(x) > position else np.ones(rows, dtype=bool)


def _pool(kind: str) -> Op:
    def compute(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
        rows = x[0][_kept(x, 1)]
        if len(rows) == 0:
            return (np.zeros(x[0].shape[-1]),)
        return (getattr(rows, kind)(axis=0),)

    return Op(compute, _pool_shape, n_inputs=(1, 2), mixes=0)


def _pool_shape(s: Sequence[Shape], t: Tensors, a: Attributes) -> tuple[Shape, ...]:
    need(s[0].axis != "vector", "pooling takes rows, not a vector")
    _check_mask(s, 1)
    return (Shape("vector", s[0].width),)


def _check_mask(s: Sequence[Shape], position: int) -> None:
    if len(s) > position:
        wanted = Shape(s[position - 1].axis, 1)
        need(s[position] == wanted, f"the mask must be {wanted}, got {s[position]}")


def _attention(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    heads = int(a.get("heads", 1))
    query = np.atleast_2d(x[0])
    kept = _kept(x, 3)
    keys, values = x[1][kept], x[2][kept]
    if len(keys) == 0:
        return (np.zeros((*x[0].shape[:-1], values.shape[-1])),)
    parts = []
    splits = zip(*(np.split(v, heads, axis=-1) for v in (query, keys, values)), strict=True)
    for q, k, v in splits:
        blocks = [q[i : i + BLOCK] for i in range(0, max(len(q), 1), BLOCK)]
        found = [softmax(rows @ k.T / np.sqrt(q.shape[-1])) @ v for rows in blocks]
        parts.append(np.concatenate(found))
    out = np.concatenate(parts, axis=-1)
    return (out[0] if x[0].ndim == 1 else out,)


def _attention_shape(s: Sequence[Shape], t: Tensors, a: Attributes) -> tuple[Shape, ...]:
    heads = a.get("heads", 1)
    need(type(heads) is int and 1 <= heads <= 64, "heads must be 1 to 64")
    need(s[1].axis == s[2].axis != "vector", "keys and values must be the same rows")
    need(s[0].width == s[1].width, "queries and keys must have one width")
    need(s[0].width % heads == 0 == s[2].width % heads, f"widths must divide by {heads} heads")
    _check_mask(s, 3)
    return (Shape(s[0].axis, s[2].width),)


BLOCK = 2048
"""Queries that attend at once: with all keys of a reference set, 16 MB of weights."""

_CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _gates(x: Floats, h: Floats, t: Tensors) -> tuple[Floats, Floats]:
    return x @ t["weight_ih"].T + t["bias_ih"], h @ t["weight_hh"].T + t["bias_hh"]


def _gru(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    into, from_memory = _gates(x[0], x[1], t)
    reset_in, update_in, new_in = np.split(into, 3, axis=-1)
    reset_h, update_h, new_h = np.split(from_memory, 3, axis=-1)
    update = sigmoid(update_in + update_h)
    new = np.tanh(new_in + sigmoid(reset_in + reset_h) * new_h)
    return ((1.0 - update) * new + update * x[1],)


def _lstm(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    into, from_memory = _gates(x[0], x[1], t)
    gate_in, forget, new, gate_out = np.split(into + from_memory, 4, axis=-1)
    cell = sigmoid(forget) * x[2] + sigmoid(gate_in) * np.tanh(new)
    return (sigmoid(gate_out) * np.tanh(cell), cell)


def _cell_shape(gates: int) -> Callable[..., tuple[Shape, ...]]:
    def infer(s: Sequence[Shape], t: Tensors, a: Attributes) -> tuple[Shape, ...]:
        hidden = s[1].width
        need(all(v.width == hidden for v in s[1:]), "memories must have one width")
        check_size(t, "weight_ih", gates * hidden, s[0].width)
        check_size(t, "weight_hh", gates * hidden, hidden)
        check_size(t, "bias_ih", gates * hidden)
        check_size(t, "bias_hh", gates * hidden)
        return tuple(Shape(joint_axis(s), hidden) for _ in s[1:])

    return infer


PLAIN_OPS: Mapping[str, Op] = {
    "relu": _elementwise(lambda x: np.maximum(x, 0.0)),
    "tanh": _elementwise(lambda x: np.tanh(x)),
    "sigmoid": _elementwise(sigmoid),
    "gelu": _elementwise(_gelu),
    "softplus": _elementwise(lambda x: np.logaddexp(0.0, x)),
    "softmax": _elementwise(softmax),
    "layer_norm": Op(_layer_norm, _vectors_shape, optional=("weight", "bias"), attributes=("eps",)),
    "standardise": Op(_standardise, _vectors_shape, tensors=("mean", "scale")),
    "clip": Op(_clip, _same, attributes=("low", "high")),
    "concat": Op(_concat, _concat_shape, n_inputs=(1, 16)),
    "broadcast": Op(_broadcast, _broadcast_shape, n_inputs=(2, 2)),
    "add": _fold(lambda x, y: x + y),
    "mul": _fold(lambda x, y: x * y),
    "select": Op(_select, _select_shape, attributes=("columns",)),
    "masked_mean": _pool("mean"),
    "masked_max": _pool("max"),
    "masked_sum": _pool("sum"),
    "attention": Op(
        _attention,
        _attention_shape,
        n_inputs=(3, 4),
        attributes=("heads",),
        mixes=1,
        work=_attention_work,
    ),
    "gru_cell": Op(_gru, _cell_shape(3), n_inputs=(2, 2), tensors=_CELL),
    "lstm_cell": Op(_lstm, _cell_shape(4), n_inputs=(3, 3), tensors=_CELL, outputs=2),
}
"""Every operation by name but `affine` and `trees`."""
