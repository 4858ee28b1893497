"""Hierarchical sampling: a cluster tree, and the pruning of it that labels support."""

from dataclasses import dataclass

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.state import Geometry, QueryState

BETA = 2.0
"""A label is admissible where its error is surely below this many times any other's."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A binary tree over n leaves; nodes 0 to n - 1 are leaves, children precede parents.

    Attributes:
        children: Of each inner node, shape (n - 1, 2).
        leaves: Rows of the pool below the leaves, shape (n,).
        sizes: Leaves below each node, shape (2 n - 1,).
    """

    children: Ints
    leaves: Ints
    sizes: Ints

    def counts(self, labels: Ints, n_classes: int) -> Ints:
        """Return the labels below each node, -1 for none at a leaf: (n,) to (2 n - 1, C)."""
        n = len(self.leaves)
        counts = np.zeros((2 * n - 1, n_classes), dtype=np.int64)
        known = np.flatnonzero(labels >= 0)
        counts[known, labels[known]] = 1
        for place, pair in enumerate(self.children):
            counts[n + place] = counts[pair].sum(axis=0)
        return counts

    def below(self, nodes: list[int]) -> Ints:
        """Return which of the nodes each leaf lies below, by position; -1 for none, (n,)."""
        n = len(self.leaves)
        owner = np.full(2 * n - 1, -1, dtype=np.int64)
        owner[nodes] = np.arange(len(nodes))
        for place in range(n - 2, -1, -1):
            if owner[n + place] >= 0:
                owner[self.children[place]] = owner[n + place]
        return owner[:n]


def get_tree(geometry: Geometry) -> Tree:
    """Return the Ward tree of the reference set, made once per pool."""
    return geometry.memo("hierarchical.tree", lambda: _ward(geometry))


def _ward(geometry: Geometry) -> Tree:
    from scipy.cluster.hierarchy import ward

    rows = geometry.reference
    children = ward(geometry.rows(rows))[:, :2].astype(np.int64)
    sizes = np.ones(2 * len(rows) - 1, dtype=np.int64)
    for place, pair in enumerate(children):
        sizes[len(rows) + place] = sizes[pair].sum()
    return Tree(children, rows, sizes)


def bounds(counts: Ints) -> tuple[Floats, Floats]:
    """Return lower and upper bounds of the classes' shares below each node, each (nodes, C)."""
    n = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(n, 1)
    width = 1.0 / np.maximum(n, 1) + np.sqrt(share * (1.0 - share) / np.maximum(n, 1))
    low, high = np.maximum(share - width, 0.0), np.minimum(share + width, 1.0)
    return np.where(n > 0, low, 0.0), np.where(n > 0, high, 1.0)


def best_pruning(tree: Tree, counts: Ints) -> tuple[list[int], Ints]:
    """Return the nodes of the best admissible pruning, and every node's best label, (nodes,).

    A node is cut where it has an admissible label or both its children have. (The paper remembers
    that a node once had one; a state has no memory.) Source: Dasgupta & Hsu (2008), "Hierarchical
    sampling for active learning", section 3.
    """
    low, high = bounds(counts)
    n = len(tree.leaves)
    error = 1.0 - counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    other = np.sort(1.0 - high, axis=1)[:, :2]  # the smallest error of any other label
    runner_up = np.where((1.0 - high) == other[:, :1], other[:, 1:], other[:, :1])
    admissible: Bools = 1.0 - low < BETA * runner_up
    best = np.where(admissible, error, 1.0).min(axis=1)
    split = np.zeros(len(best), dtype=bool)
    surely: Bools = np.asarray(admissible.any(axis=1))
    for place, pair in enumerate(tree.children):
        node = n + place
        apart = float((tree.sizes[pair] * best[pair]).sum() / tree.sizes[node])
        evident = surely[node] or surely[pair].all()
        if evident and apart < best[node]:
            best[node], split[node] = apart, True
    pruning, open_nodes = [], [2 * n - 2]
    while open_nodes:
        node = open_nodes.pop()
        if split[node]:
            open_nodes += tree.children[node - n].tolist()
        else:
            pruning.append(node)
    return sorted(pruning), np.where(admissible, error, 1.0).argmin(axis=1)


class HierarchicalSampling:
    """Draws rows from the nodes of a pruned cluster tree, by size and uncertain labels.

    A node's probability is proportional to ``w (1 - lower bound of its label's share)``, a row's
    is uniform among the open rows of a node. The tree is Ward's, over the reference set. The
    pruning is found anew from all labels, so that nothing but the state decides.
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return log-probabilities plus Gumbel noise, shape (N,)."""
        tree, labels = get_tree(state.geometry), leaf_labels(state)
        counts = tree.counts(labels, max(state.n_classes, 2))
        pruning, label = best_pruning(tree, counts)
        owner = tree.below(pruning)
        uncertainty = 1.0 - bounds(counts)[0][pruning, label[pruning]]
        free = np.bincount(owner[labels < 0], minlength=len(pruning))
        share = tree.sizes[pruning] * uncertainty / np.maximum(free, 1)
        utilities = np.full(state.N, -1e3)
        utilities[tree.leaves] = np.log(np.maximum(share[owner], 1e-300))
        noisy: Floats = utilities + rng.gumbel(size=state.N)
        return noisy


def leaf_labels(state: QueryState) -> Ints:
    """Return the labels of the tree's leaves, -1 where there is none, shape (n,)."""
    labels = np.full(state.N, -1, dtype=np.int64)
    labels[state.labelled] = state.labels
    return labels[get_tree(state.geometry).leaves]


def pool_labels(state: QueryState) -> tuple[Ints, Ints]:
    """Return the rows below the tree's leaves and the labels that the pruning gives them."""
    tree = get_tree(state.geometry)
    counts = tree.counts(leaf_labels(state), max(state.n_classes, 2))
    pruning, label = best_pruning(tree, counts)
    return tree.leaves, label[pruning][tree.below(pruning)]
