"""What a label gains a binary random forest, and the features LAL describes that gain by.

The task of Konyushkova, Sznitman and Fua (2017): grow a labelled set to a size, fit a forest, then
refit it with each of a few further candidates and compare the accuracies on test points.
"""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.learners.trees import (
    fit_forest,
    insert_sorted,
    out_of_bag_accuracy,
    predict_forest,
    seed_stream,
)

N_FEATURES = 8
"""The published features; see `describe`."""

BLOCK = 1024
"""Test points that walk down a tree together; their masks stay in the cache."""

TIED = np.float32(1e-4)
"""Votes nearer to a tie than this are one: leaves of equal rows are fractions, rounded."""

RANDOM, UNCERTAINTY, RANKER = 0, 1, 2
"""How a labelled set grows."""


@kernel
def workspace(D, Lmax, M):
    """Return the arrays of a forest of M trees on at most Lmax rows of D columns, two classes."""
    trees = (
        np.empty((M, 2 * Lmax), np.int32),
        np.empty((M, 2 * Lmax), np.float32),
        np.empty((M, 2 * Lmax), np.int32),
        np.empty((M, 2 * Lmax, 2), np.float32),
        np.empty(M, np.int64),
    )
    return trees, np.empty((M, Lmax), np.int32), np.empty((2, D))


@kernel
def fit(points, codes, rows, order, n, max_features, seed, work):
    """Fit the forest to the first n rows; return its mean depth and out-of-bag accuracy."""
    trees, in_bag, importance = work
    values, labels = np.empty((points.shape[0], n), np.float32), np.empty(n, np.int64)
    for a in range(n):
        labels[a] = codes[rows[a]]
        for j in range(points.shape[0]):
            values[j, a] = points[j, rows[a]]
    state = np.empty(1, np.uint64)
    seed_stream(state, seed, n)
    depth = fit_forest(
        values, order, labels, n, 2, max_features, state, trees, in_bag, importance
    )  # fmt: skip
    return depth, out_of_bag_accuracy(values, labels, n, 2, trees, in_bag)


@kernel
def describe(points, codes, n_pool, is_open, n, depth, out_of_bag, work, features):
    """Write the published features of every pool row, shape (8, n_pool) float32.

    In this order: mean and standard deviation over the trees of P(class 0), share of class 1 among
    the labels, out-of-bag accuracy, standard deviation over columns of importance / D, mean of the
    second over the open rows, mean depth of the trees, number of labels.
    """
    trees, _, importance = work
    D = importance.shape[1]
    proba, squares = np.empty((2, n_pool)), np.empty(n_pool)
    predict_forest(points, trees, 2, proba, squares, np.empty(0), 0, n_pool)
    spread, positive, n_open = 0.0, 0, 0
    for i in range(n_pool):
        deviation = np.sqrt(max(squares[i] - proba[0, i] * proba[0, i], 0.0))
        features[0, i], features[1, i] = proba[0, i], deviation
        if is_open[i]:
            spread += deviation
            n_open += 1
        else:
            positive += codes[i]
    features[2, :] = positive / n
    features[3, :] = out_of_bag
    features[4, :] = importance_spread(importance[0], D)
    features[5, :] = spread / max(n_open, 1)
    features[6, :] = depth
    features[7, :] = n


@kernel
def importance_spread(importance, D):
    """Return the standard deviation over columns of the normalised importances over D."""
    total = 0.0
    for j in range(D):
        total += importance[j]
    if total <= 0.0:
        return 0.0
    square = 0.0
    for j in range(D):
        off = (importance[j] / total - 1.0 / D) / D
        square += off * off
    return np.sqrt(square / D)


@kernel
def choose(rule, rankers, n, n_pool, is_open, features):
    """Return the open row that a rule asks for; among equals, and at random, the first.

    Pool rows stand in random order, so the first open one is a random one.
    """
    best, best_utility = -1, -np.inf
    ranks = np.zeros((1, n_pool))
    if rule == RANKER:
        feature, threshold, child, leaf = rankers
        k = min(n - 2, feature.shape[0] - 1)
        trees = (feature[k], threshold[k], child[k], leaf[k], np.empty(0, np.int64))
        predict_forest(features, trees, 1, ranks, np.empty(0), np.empty(0), 0, n_pool)
    for i in range(n_pool):
        if not is_open[i]:
            continue
        utility = ranks[0, i]
        if rule == UNCERTAINTY:
            utility = -abs(features[0, i] - 0.5)
        if utility > best_utility:
            best, best_utility = i, utility
    return best


@kernel
def accuracy(points, codes, n_pool, work):
    """Return the accuracy on the points behind the pool; ties count as class 0.

    A block of points walks down all branches at once, as masks of zeros and ones: for the small
    trees of few labels this is several times faster than sorting points into leaves.
    """
    feature, threshold, child, leaf, _ = work[0]
    n = points.shape[1]
    depth = leaf.shape[1] + 2
    masks, stack = np.empty((depth, BLOCK), np.float32), np.empty(depth, np.int32)
    votes = np.empty(BLOCK, np.float32)
    right = 0
    for lo in range(n_pool, n, BLOCK):
        size = min(BLOCK, n - lo)
        votes[:] = 0.0
        for m in range(feature.shape[0]):
            masks[0, :size] = 1.0
            stack[0] = 0
            top = 1
            while top > 0:
                top -= 1
                me, mask = stack[top], masks[top]
                j = feature[m, me]
                if j < 0:
                    add(votes, mask, leaf[m, me, 1] - leaf[m, me, 0])
                    continue
                left = child[m, me]
                column, at = points[j, lo : lo + size], threshold[m, me]
                if feature[m, left] < 0 and feature[m, left + 1] < 0:
                    add_two(votes, mask, column, at, leaf[m, left, 1] - leaf[m, left, 0],
                            leaf[m, left + 1, 1] - leaf[m, left + 1, 0])  # fmt: skip
                    continue
                divide(column, at, mask, masks[top + 1])
                stack[top], stack[top + 1] = left, left + 1
                top += 2
        for i in range(size):
            right += (votes[i] > TIED) == (codes[lo + i] == 1)
    return right / (n - n_pool)


@kernel
def add(votes, mask, vote):
    """Add a leaf's vote where the mask is one."""
    for i in range(len(votes)):
        votes[i] += vote * mask[i]


@kernel
def add_two(votes, mask, column, at, left, right):
    """Add the votes of the two leaves of a split where the mask is one."""
    for i in range(len(column)):
        votes[i] += mask[i] * (right if column[i] > at else left)


@kernel
def divide(column, at, mask, other):
    """Leave in `mask` what goes left, put into `other` what goes right."""
    for i in range(len(column)):
        goes_right = mask[i] if column[i] > at else np.float32(0.0)
        other[i] = goes_right
        mask[i] -= goes_right


@kernel
def label_gains(
    points, codes, n_pool, start, target, rule, rankers, max_features, n_trees, seed, features,
    gains,
):  # fmt: skip
    """Grow a labelled set, then write features and gains of the first open rows.

    Args:
        points: Pool, then test points, one a column, shape (D, n) float32; both in random order.
        codes: Classes 0 and 1, shape (n,).
        n_pool: Points of the pool.
        start: The two rows labelled first.
        target: Labels before the candidates are tried.
        rule: RANDOM, UNCERTAINTY or RANKER.
        rankers: ``(feature, threshold, child, leaf)`` of regressors by number of labels minus 2
            (the last serves all larger ones), shapes (S, M, nodes) and (S, M, nodes, 1); leaves
            are positive. Only looked at by RANKER.
        max_features: Columns looked at per split.
        n_trees: Trees of the forest.
        seed: Of the forest; a refit with n labels uses stream n, candidates use stream `target`.
        features: Of the candidates, shape (n_tries, 8), overwritten.
        gains: Accuracy with the candidate minus without, shape (n_tries,), overwritten.
    """
    D, n_tries = points.shape[0], len(gains)
    work = workspace(D, target + 1, n_trees)
    labelled = begin(points, n_pool, start, target + 1)
    rows, order, is_open, every = labelled
    depth, out_of_bag = 0.0, 0.0
    for n in range(2, target):
        if rule != RANDOM:
            depth, out_of_bag = fit(points, codes, rows, order, n, max_features, seed, work)
        forest = (depth, out_of_bag, work)
        grow((points, codes, n_pool), labelled, n, forest, rule, rankers)
    depth, out_of_bag = fit(points, codes, rows, order, target, max_features, seed, work)
    describe(points, codes, n_pool, is_open, target, depth, out_of_bag, work, every)
    before = accuracy(points, codes, n_pool, work)
    extended = np.empty_like(order)
    m = 0
    for i in range(n_pool):
        if m == n_tries:
            break
        if not is_open[i]:
            continue
        for j in range(N_FEATURES):
            features[m, j] = every[j, i]
        rows[target] = i
        extended[:] = order
        insert_sorted(points, rows, extended, target)
        # The stream of the fit before, so that a gain is less the forest's own noise.
        fit_with(points, codes, rows, extended, target, max_features, seed, work)
        gains[m] = accuracy(points, codes, n_pool, work) - before
        m += 1


@kernel
def fit_with(points, codes, rows, order, target, max_features, seed, work):
    """Fit the forest to target + 1 rows with the random stream of `target`."""
    n = target + 1
    trees, in_bag, importance = work
    values, labels = np.empty((points.shape[0], n), np.float32), np.empty(n, np.int64)
    for a in range(n):
        labels[a] = codes[rows[a]]
        for j in range(points.shape[0]):
            values[j, a] = points[j, rows[a]]
    state = np.empty(1, np.uint64)
    seed_stream(state, seed, target)
    fit_forest(values, order, labels, n, 2, max_features, state, trees, in_bag, importance)


@kernel
def begin(points, n_pool, start, Lmax):
    """Return rows, their orders, what is open and room for features, with the start labelled."""
    rows = np.empty(Lmax, np.int64)
    order = np.empty((points.shape[0], Lmax), np.int32)
    is_open = np.ones(n_pool, np.bool_)
    for a in range(2):
        rows[a] = start[a]
        is_open[start[a]] = False
        insert_sorted(points, rows, order, a)
    return rows, order, is_open, np.zeros((N_FEATURES, n_pool), np.float32)


@kernel
def grow(task, labelled, n, forest, rule, rankers):
    """Add the row that a rule queries with n labels.

    Args:
        task: Points, codes and points of the pool; see `label_gains`.
        labelled: What `begin` returned, with n rows labelled; extended.
        n: Labels.
        forest: Depth, out-of-bag accuracy and workspace of the forest fitted to them; RANDOM does
            not look at it.
        rule: See `label_gains`.
        rankers: See `label_gains`.
    """
    points, codes, n_pool = task
    rows, order, is_open, every = labelled
    if rule != RANDOM:
        depth, out_of_bag, work = forest
        describe(points, codes, n_pool, is_open, n, depth, out_of_bag, work, every)
    rows[n] = choose(rule, rankers, n, n_pool, is_open, every)
    is_open[rows[n]] = False
    insert_sorted(points, rows, order, n)


@kernel
def accuracy_curve(
    points, codes, n_pool, start, rule, rankers, max_features, n_trees, seed, accuracies
):  # fmt: skip
    """Write the accuracy with 2, 3, ... labels, shape (labels - 1,); see `label_gains`."""
    stop = len(accuracies) + 1
    work = workspace(points.shape[0], stop + 1, n_trees)
    labelled = begin(points, n_pool, start, stop + 1)
    rows, order = labelled[:2]
    for n in range(2, stop + 1):
        depth, out_of_bag = fit(points, codes, rows, order, n, max_features, seed, work)
        accuracies[n - 2] = accuracy(points, codes, n_pool, work)
        if n == stop:
            break
        grow((points, codes, n_pool), labelled, n, (depth, out_of_bag, work), rule, rankers)
