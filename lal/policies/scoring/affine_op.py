"""The operation "affine", which multiplies by the blocks of a block-diagonal matrix alone.

Networks side by side, such as the members of an ensemble, have weights that are zero outside a
few blocks on the diagonal. The blocks are found when a program is compiled, so that files say
nothing of them.
"""

from collections.abc import Sequence

import numpy as np

from lal.arrays import Floats, Ints
from lal.policies.scoring.ops import Attributes, Op, Shape, Tensors, check_size, need


def diagonal_blocks(weight: Floats) -> Ints:
    """Return the blocks on the diagonal outside of which a matrix is zero, shape (n, 4).

    Each is the first row, the row behind the last, and the same of the columns. Rows and columns
    are taken in their order; a matrix without such blocks is one block.

    Args:
        weight: Shape (out, in), neither of them 0.
    """
    n, width = weight.shape
    held = weight != 0.0
    some = held.any(axis=1)
    first = np.where(some, held.argmax(axis=1), width)
    behind = np.where(some, width - held[:, ::-1].argmax(axis=1), 0)
    before = np.maximum.accumulate(behind)[:-1]  # columns up to which the rows above reach
    below = np.minimum.accumulate(first[::-1])[::-1][1:]  # where the rows below begin
    cuts = np.flatnonzero((before <= below) & (before > 0) & (below < width)) + 1
    rows, columns = np.r_[0, cuts, n], np.r_[0, before[cuts - 1], width]
    return np.column_stack([rows[:-1], rows[1:], columns[:-1], columns[1:]])


def _prepare(t: Tensors) -> Tensors:
    weight = t["weight"]
    blocks = diagonal_blocks(weight) if weight.size else ()
    if len(blocks) < 2:
        return dict(t)
    parts = {f"block{i}": np.ascontiguousarray(weight[r:s, c:d].T)
             for i, (r, s, c, d) in enumerate(blocks)}  # fmt: skip
    return {**t, **parts, "blocks": np.asarray(blocks)}


def _affine(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    y = _by_blocks(x[0], t) if "blocks" in t else x[0] @ t["weight"].T
    if "bias" in t:
        y += t["bias"]
    return (y,)


def _by_blocks(x: Floats, t: Tensors) -> Floats:
    """Return the product with the blocks; np.dot is quicker on columns of a matrix than matmul."""
    y = np.empty((*x.shape[:-1], len(t["weight"])), dtype=x.dtype)
    for i, (r, s, c, d) in enumerate(t["blocks"].tolist()):
        y[..., r:s] = np.dot(x[..., c:d], t[f"block{i}"])
    return y


def _affine_shape(s: Sequence[Shape], t: Tensors, a: Attributes) -> tuple[Shape, ...]:
    need(t["weight"].ndim == 2, "weight must have two axes (out, in)")
    out = t["weight"].shape[0]
    check_size(t, "weight", out, s[0].width)
    if "bias" in t:
        check_size(t, "bias", out)
    return (Shape(s[0].axis, out),)


AFFINE = Op(_affine, _affine_shape, tensors=("weight",), optional=("bias",), prepare=_prepare)
