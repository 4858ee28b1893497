"""Random forest classifier: bootstrap, Gini, random columns at every split, midpoints, full depth.

The algorithm is scikit-learn's ``RandomForestClassifier`` at its defaults (rows as float32, columns
drawn until enough were looked at and one of them varies); its random numbers are our own.
Trees live in flat arrays; the two children of a node stand side by side, a leaf has feature -1.
"""

import math
from collections import namedtuple
from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.random_numbers import below, next_word

SAME = np.float32(1e-7)
"""Values nearer than this do not separate rows (scikit-learn's FEATURE_THRESHOLD)."""

Sample = namedtuple("Sample", "values order codes n C max_features state bag")
"""What one tree is grown on; see `fit_forest`. bag: how often it holds each row, shape (Lmax,)."""

Room = namedtuple("Room", "rows where value sorted_rows spare counts columns stack gains")
"""Room to grow a tree in: its rows, those of a node side by side, and the node of every row; values
and rows of one column in order; rows that go right; counts by class of a node and of both sides,
shape (3, C); columns, those already drawn at the front; nodes to split; gains by column."""


@kernel
def insert_sorted(X4: Any, rows: Any, order: Any, new: Any) -> None:
    """Insert labelled row number `new` into the sorted order of every column.

    Args:
        X4: Points, one a column, shape (D, n) float32.
        rows: Column of each labelled row, shape (Lmax,).
        order: Labelled rows in ascending order of every column, shape (D, Lmax), updated.
        new: The new row; the rows before it stand in `order`.
    """
    for j in range(order.shape[0]):
        v = X4[j, rows[new]]
        m = new
        while m > 0 and X4[j, rows[order[j, m - 1]]] > v:
            order[j, m] = order[j, m - 1]
            m -= 1
        order[j, m] = new


@kernel
def fit_forest(
    values: Any, order: Any, codes: Any, n: Any, C: Any, max_features: Any, state: Any,
    trees: Any, in_bag: Any, importance: Any,
) -> Any:  # fmt: skip
    """Grow all trees.

    Args:
        values: Labelled rows, one a column, shape (D, Lmax) float32.
        order: Ascending order of every column (`insert_sorted`), shape (D, Lmax).
        codes: Class codes below C, shape (Lmax,).
        n: Labelled rows, L.
        C: Classes.
        max_features: Columns looked at per split.
        state: Random stream, shape (1,) uint64.
        trees: ``(feature, threshold, child, leaf, n_nodes)`` of shapes (M, nodes), (M, nodes),
            (M, nodes), (M, nodes, C), (M,); overwritten.
        in_bag: How often each row was drawn for each tree, shape (M, Lmax), overwritten.
        importance: Sum over trees of normalised impurity decreases, shape (2, D): sum and sum of
            squares, overwritten.

    Returns:
        Mean depth of the trees.
    """
    feature, threshold, child, leaf, n_nodes = trees
    D = values.shape[0]
    room = Room(
        np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.float32),
        np.empty(n, np.int32), np.empty(n, np.int32), np.empty((3, C)),
        np.arange(D).astype(np.int32), np.empty((n + 2, 4), np.int32), np.empty(D),
    )  # fmt: skip
    rows, where, gains = room.rows, room.where, room.gains
    importance[:] = 0.0
    depth_total = 0.0
    for m in range(feature.shape[0]):
        bag = in_bag[m]
        for i in range(n):
            bag[i] = 0
        for _ in range(n):
            bag[below(state, n)] += 1
        used = 0
        for i in range(n):
            where[i] = -1
            if bag[i] > 0:
                rows[used] = i
                where[i] = 0
                used += 1
        for j in range(D):
            gains[j] = 0.0
        sample = Sample(values, order, codes, n, C, max_features, state, bag)
        tree = feature[m], threshold[m], child[m], leaf[m], n_nodes[m : m + 1]
        depth_total += _grow(sample, room, tree, used)
        total = 0.0
        for j in range(D):
            total += gains[j]
        if total > 0.0:
            for j in range(D):
                share = gains[j] / total
                importance[0, j] += share
                importance[1, j] += share * share
    return depth_total / feature.shape[0]


@kernel
def _grow(sample, room, tree, used):
    """Grow one tree and return its depth."""
    values, codes, bag, C = sample.values, sample.codes, sample.bag, sample.C
    rows, where, stack, gains = room.rows, room.where, room.stack, room.gains
    feature, threshold, child, leaf, n_nodes = tree
    node = room.counts[0]
    nodes = 1
    stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = 0, 0, used, 0
    top = 1
    deepest = 0
    while top > 0:
        top -= 1
        me, start, stop, depth = stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3]
        deepest = max(deepest, depth)
        for c in range(C):
            node[c] = 0.0
        for i in range(start, stop):
            node[codes[rows[i]]] += bag[rows[i]]
        weight, squares = 0.0, 0.0
        for c in range(C):
            weight += node[c]
            squares += node[c] * node[c]
        split_column, split_at = -1, np.float32(0.0)
        best = 0.0
        if stop - start > 1 and squares < weight * weight:
            split_column, split_at, best = _best_split(
                sample, room, me, start, stop, weight, squares
            )
        if split_column < 0:
            feature[me] = -1
            for c in range(C):
                leaf[me, c] = node[c] / weight
            continue
        middle = _partition(values[split_column], split_at, rows, start, stop, room.spare)
        feature[me], threshold[me], child[me] = split_column, split_at, nodes
        for i in range(start, middle):
            where[rows[i]] = nodes
        for i in range(middle, stop):
            where[rows[i]] = nodes + 1
        gains[split_column] += best - squares / weight
        stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = nodes, start, middle, depth + 1
        top += 1
        stack[top, 0], stack[top, 1] = nodes + 1, middle
        stack[top, 2], stack[top, 3] = stop, depth + 1
        top += 1
        nodes += 2
    n_nodes[0] = nodes
    return deepest


@kernel
def _best_split(sample, room, me, start, stop, weight, squares):
    """Return column, threshold and sum of squared counts over weights of the best split."""
    values, order, codes, n, C, max_features, state, bag = sample
    rows, where, value, sorted_rows, _, counts, columns, _, _ = room
    D, node, left, right = values.shape[0], counts[0], counts[1], counts[2]
    size = stop - start
    best, best_column, best_at = -1.0, -1, np.float32(0.0)
    visited, varying = 0, 0
    while visited < D and (visited < max_features or varying == 0):
        pick = visited + below(state, D - visited)
        j = columns[pick]
        columns[pick] = columns[visited]
        columns[visited] = j
        visited += 1
        column = values[j]
        # Insertion takes about size**2 / 4 steps, reading off the order of all rows n.
        if size * size > 4 * n:
            m = 0
            for i in range(n):
                r = order[j, i]
                sorted_rows[m] = r
                value[m] = column[r]
                if where[r] == me:
                    m += 1
                    if m == size:
                        break
        else:
            for i in range(size):
                r = rows[start + i]
                v = column[r]
                m = i
                while m > 0 and value[m - 1] > v:
                    value[m] = value[m - 1]
                    sorted_rows[m] = sorted_rows[m - 1]
                    m -= 1
                value[m] = v
                sorted_rows[m] = r
        if value[size - 1] <= value[0] + SAME:
            continue
        varying += 1
        for c in range(C):
            left[c] = 0.0
            right[c] = node[c]
        left_weight, left_squares, right_squares = 0.0, 0.0, squares
        for i in range(size - 1):
            r = sorted_rows[i]
            w = float(bag[r])
            c = codes[r]
            # (a + w)**2 - a**2 = w (2 a + w): whole numbers, exact in float64 in any order.
            left_squares += w * (2.0 * left[c] + w)
            right_squares -= w * (2.0 * right[c] - w)
            left[c] += w
            right[c] -= w
            left_weight += w
            if value[i + 1] <= value[i] + SAME:
                continue
            score = left_squares / left_weight + right_squares / (weight - left_weight)
            if score > best:
                best, best_column = score, j
                # Halves first: the sum of two large float32 would overflow.
                best_at = value[i] * np.float32(0.5) + value[i + 1] * np.float32(0.5)
                if best_at == value[i + 1] or not math.isfinite(best_at):
                    best_at = value[i]
    return best_column, best_at, best


@kernel(inline="always")
def _partition(column, at, rows, start, stop, spare):
    """Move the rows with a value of at most `at` to the front; return where the others begin."""
    front, back = start, 0
    for i in range(start, stop):
        r = rows[i]
        rows[front] = r
        spare[back] = r
        goes_left = column[r] <= at
        front += goes_left
        back += not goes_left
    for i in range(back):
        rows[front + i] = spare[i]
    return front


@kernel
def predict_forest(
    XT: Any, trees: Any, C: Any, proba: Any, squares: Any, entropy: Any, lo: Any, hi: Any
) -> None:
    """Write the mean of the trees' probabilities of the points lo to hi.

    Args:
        XT: Points, one a column, shape (D or more, n) float32.
        trees: What `fit_forest` grew.
        C: Classes in the trees.
        proba: Mean probabilities, shape (C or more, hi - lo), overwritten.
        squares: Mean squares of the trees' probabilities of class 0, shape (hi - lo,), or (0,).
        entropy: Mean entropies of the trees' probabilities in nats, shape (hi - lo,), or (0,).
        lo: First point.
        hi: One past the last point.
    """
    feature, threshold, child, leaf, _ = trees
    n = hi - lo
    M = feature.shape[0]
    rows = np.empty(n, np.int32)
    spare = np.empty(n, np.int32)
    stack = np.empty((leaf.shape[1] + 2, 3), np.int32)
    for c in range(C):
        for i in range(n):
            proba[c, i] = 0.0
    squares[:] = 0.0
    entropy[:] = 0.0
    for m in range(M):
        for i in range(n):
            rows[i] = lo + i
        stack[0, 0], stack[0, 1], stack[0, 2] = 0, 0, n
        top = 1
        while top > 0:
            top -= 1
            me, start, stop = stack[top, 0], stack[top, 1], stack[top, 2]
            j = feature[m, me]
            if j >= 0:
                middle = _partition(XT[j], threshold[m, me], rows, start, stop, spare)
                if middle > start:
                    stack[top, 0], stack[top, 1], stack[top, 2] = child[m, me], start, middle
                    top += 1
                if stop > middle:
                    stack[top, 0], stack[top, 1], stack[top, 2] = child[m, me] + 1, middle, stop
                    top += 1
                continue
            for c in range(C):
                p = leaf[m, me, c]
                if p > 0.0:
                    for i in range(start, stop):
                        proba[c, rows[i] - lo] += p
            if len(squares) > 0:
                p = leaf[m, me, 0]
                for i in range(start, stop):
                    squares[rows[i] - lo] += p * p
            if len(entropy) > 0:
                h = 0.0
                for c in range(C):
                    p = leaf[m, me, c]
                    if 0.0 < p < 1.0:
                        h -= p * math.log(p)
                if h > 0.0:
                    for i in range(start, stop):
                        entropy[rows[i] - lo] += h
    share = 1.0 / M
    for c in range(C):
        for i in range(n):
            proba[c, i] *= share
    for i in range(len(squares)):
        squares[i] *= share
    for i in range(len(entropy)):
        entropy[i] *= share


@kernel
def out_of_bag_accuracy(values: Any, codes: Any, n: Any, C: Any, trees: Any, in_bag: Any) -> Any:
    """Return the accuracy of the trees' mean on the rows they did not see; 0 if all did."""
    feature, threshold, child, leaf, _ = trees
    votes = np.empty(C)
    right, asked = 0, 0
    for i in range(n):
        for c in range(C):
            votes[c] = 0.0
        voters = 0
        for m in range(feature.shape[0]):
            if in_bag[m, i] > 0:
                continue
            voters += 1
            me = 0
            while feature[m, me] >= 0:
                me = child[m, me] + (values[feature[m, me], i] > threshold[m, me])
            for c in range(C):
                votes[c] += leaf[m, me, c]
        if voters > 0:
            asked += 1
            top = 0
            for c in range(1, C):
                if votes[c] > votes[top]:
                    top = c
            right += codes[i] == top
    return right / asked if asked > 0 else 0.0


@kernel
def seed_stream(state: Any, seed: Any, n: Any) -> None:
    """Point a stream at what belongs to the n-th refit of an episode."""
    state[0] = np.uint64(seed) ^ (np.uint64(n) * np.uint64(0xD1342543DE82EF95))
    next_word(state)
