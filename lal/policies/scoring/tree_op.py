"""The `trees` operation: an ensemble of decision trees over rows, all at once.

Stored: one array a role over the nodes of all trees. ``x[feature] <= threshold`` goes left; a leaf
is its own child; ``value`` (nodes, outputs) is summed over the trees, and ``bias`` added.
"""

from collections.abc import Sequence

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import PolicyFileError
from lal.policies.scoring.ops import Attributes, Op, Shape, Tensors, check_size, need

MAX_DEPTH = 256
"""Deepest tree, which bounds the time of a run."""

BLOCK = 16_384
"""Pairs of row and tree that walk down together; they stay in the cache."""

WIDE = 64
"""Outputs of a tree beyond which fewer rows walk at once, so that their values fit in memory."""

STEP = 8
"""Multiply-adds that take as long as one step down a tree, about."""

STRIDE = 2
"""Levels between two clearances of the pairs that have arrived at a leaf."""

ROLES = ("roots", "feature", "threshold", "left", "right", "value")


def _compute(x: Sequence[Floats], t: Tensors, a: Attributes) -> tuple[Floats, ...]:
    rows = np.atleast_2d(x[0])
    if a.get("float32", False):  # scikit-learn's forests compare single-precision features
        rows = rows.astype(np.float32).astype(np.float64)
    held = int(t["n_trees"]) * max(t["value"].shape[1] // WIDE, 1)
    size = max(BLOCK // held, 1)
    starts = range(0, max(len(rows), 1), size)
    total = np.concatenate([_block(rows[i : i + size], t) for i in starts]) + t.get("bias", 0.0)
    return (total[0] if x[0].ndim == 1 else total,)


def _block(rows: Floats, t: Tensors) -> Floats:
    """Return the summed values of some rows, shape (n, outputs)."""
    n, n_trees = len(rows), int(t["n_trees"])
    reached = _walk(rows, t, n_trees)
    if t["value"].shape[1] == 1:
        only: Floats = t["value"][:, 0].take(reached).reshape(n, n_trees).sum(axis=1)
        return only[:, None]
    values: Floats = t["value"].take(reached, axis=0).reshape(n, n_trees, -1).sum(axis=1)
    return values


def _walk(rows: Floats, t: Tensors, n_trees: int) -> Ints:
    """Return the leaf that every row reaches in every tree, shape (n * n_trees,)."""
    n = len(rows)
    columns = np.ascontiguousarray(rows.T).ravel()
    at = t["feature"] * n
    reached = np.tile(np.arange(n_trees), n)
    pair = np.arange(n * n_trees)
    node, row = reached.copy(), np.repeat(np.arange(n), n_trees)
    level = 0
    while len(pair):
        level += 1
        right = columns.take(at.take(node) + row) > t["threshold"].take(node)
        following = t["first"].take(node) + right
        if level % STRIDE:
            node = following
            continue
        reached[pair] = following
        moving = np.flatnonzero(following != node)
        node, row, pair = following[moving], row[moving], pair[moving]
    return reached


def _prepare(t: Tensors) -> Tensors:
    """Number the nodes level by level, so that a right child follows its left one.

    Then one array, ``first``, leads to both children: ``first + (x > threshold)``. Leaves lead to
    themselves, their threshold being infinite.
    """
    level, order, first, following = t["roots"], [], [], len(t["roots"])
    while len(level):
        inner = t["left"][level] != level
        own = following - len(level) + np.arange(len(level))
        children = following + 2 * np.cumsum(inner) - 2
        order.append(level)
        first.append(np.where(inner, children, own))
        following += 2 * int(inner.sum())
        level = np.column_stack([t["left"][level[inner]], t["right"][level[inner]]]).ravel()
    nodes, leads = np.concatenate(order), np.concatenate(first)
    leaf = leads == np.arange(len(leads))
    prepared = {
        "n_trees": np.array(len(t["roots"])),
        "feature": t["feature"][nodes],
        "threshold": np.where(leaf, np.inf, t["threshold"][nodes]),
        "first": leads,
        "value": np.ascontiguousarray(t["value"][nodes]),
    }
    return prepared | ({"bias": t["bias"]} if "bias" in t else {})


def _infer(s: Sequence[Shape], t: Tensors, a: Attributes) -> tuple[Shape, ...]:
    need(t["feature"].ndim == 1 and len(t["feature"]) > 0, "an ensemble needs nodes")
    n = len(t["feature"])
    for role in ("threshold", "left", "right"):
        check_size(t, role, n)
    need(t["value"].ndim == 2 and len(t["value"]) == n, "value must be (nodes, outputs)")
    for role in ("roots", "feature", "left", "right"):
        need(t[role].dtype.kind in "iu", f"{role!r} must hold integers")
    own = np.arange(n)
    leaf = (t["left"] == own) & (t["right"] == own)
    down = (t["left"] > own) & (t["right"] > own) & (t["left"] < n) & (t["right"] < n)
    need(bool((leaf | down).all()), "children must come after their parents (leaves: themselves)")
    need(_within(t["roots"], n), f"roots must be node numbers below {n}")
    need(_within(t["feature"], s[0].width), f"tree features must be below {s[0].width}")
    held = np.concatenate([t["roots"], t["left"][~leaf], t["right"][~leaf]])
    need(int(np.bincount(held).max()) == 1, "a node must have one parent, and a root none")
    _depth(t)
    if "bias" in t:
        check_size(t, "bias", t["value"].shape[1])
    return (Shape(s[0].axis, t["value"].shape[1]),)


def _work(shapes: Sequence[Shape], t: Tensors) -> int:
    """Return what a row takes: a walk down every tree, and the sum of the values reached."""
    return STEP * len(t["roots"]) * (_depth(t) + int(t["value"].shape[1]))


def _depth(t: Tensors) -> int:
    level = t["roots"]
    for depth in range(MAX_DEPTH):
        level = level[t["left"][level] != level]
        if len(level) == 0:
            return depth
        level = np.concatenate([t["left"][level], t["right"][level]])
    raise PolicyFileError(f"trees must be at most {MAX_DEPTH} deep")


def _within(values: np.ndarray, bound: int) -> bool:
    return bool(values.ndim == 1 and len(values) and values.min() >= 0 and values.max() < bound)


TREES = Op(
    _compute,
    _infer,
    tensors=ROLES,
    optional=("bias",),
    attributes=("float32",),
    work=_work,
    prepare=_prepare,
)
