"""Questions from a decision tree: an item made in a leaf, and a rule over a group."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.strategies.uncertainty import margin_utility
from lal.synthesis.episode import SynthesisState
from lal.synthesis.questions import Point, Rule


def leaf_box(tree: Any, leaf: int, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return the corners of a leaf of a fitted scikit-learn tree, within the given ones."""
    low, high = low.copy(), high.copy()
    node = leaf
    while node:
        left, right = tree.children_left, tree.children_right
        parent = int(np.flatnonzero((left == node) | (right == node))[0])
        column, cut = tree.feature[parent], tree.threshold[parent]
        if left[parent] == node:
            high[column] = min(high[column], cut)
        else:
            # rows go left where they equal the cut
            low[column] = max(low[column], np.nextafter(cut, np.inf))
        node = parent
    return low, high


@dataclass(frozen=True)
class LeafQuery:
    """An item made up in a leaf that is likely to be wrong (Tree-ADQ).

    A leaf is drawn in proportion to the upper confidence bound of its error; the item is uniform in
    the leaf. Leaves of the grown tree are pure, so the bound is exact: ``1 - level^(1 / n)`` with n
    the items of the leaf. Source: Ling and Du (2008), "Active learning with direct query
    construction".

    Args:
        level: One minus the confidence.
        share_power: Ours: the odds of a leaf times this power of its share of the box.
    """

    level: float = 0.05
    share_power: float = 0.5

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Point:
        """Return the next question."""
        from sklearn.tree import DecisionTreeClassifier

        reach = np.full(state.decoder.n_latent, state.decoder.reach)
        Z = state.decoder.encode(state.X)
        fitted = DecisionTreeClassifier(random_state=int(rng.integers(2**31))).fit(Z, state.y)
        tree, held = fitted.tree_, fitted.apply(Z)
        leaves = np.flatnonzero(tree.children_left < 0)
        boxes = [leaf_box(tree, int(leaf), -reach, reach) for leaf in leaves]
        n = np.array([(held == leaf).sum() for leaf in leaves])
        sides = np.array([np.maximum(high - low, 0.0) / (2.0 * reach) for low, high in boxes])
        bound = 1.0 - self.level ** (1.0 / np.maximum(n, 1))
        odds = bound * np.prod(sides, axis=1) ** self.share_power + 1e-12
        low, high = boxes[rng.choice(len(leaves), p=odds / odds.sum())]
        return Point(rng.uniform(low, np.maximum(high, low)))


@dataclass(frozen=True)
class RuleInduction:
    """The rule that tells a group of uncertain items, alike, from the rest (RIQY-style).

    The group is the most uncertain real item and those nearest to it; a small tree separates it
    from the pool, and the rule is the leaf that holds most of it. All items of the leaf are learned
    with the answer's share of each class. Source: Rashidi and Cook (2011), "Ask me better
    questions: active learning queries based on rule induction", from its abstract.

    Args:
        group: Items of a group.
        depth: Conditions of a rule at most.
    """

    group: int = 8
    depth: int = 4

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Rule:
        """Return the next question."""
        from sklearn.tree import DecisionTreeClassifier

        X = state.X_pool
        rows = _group(state, self.group, rng)
        inside = np.zeros(len(X), dtype=np.int64)
        inside[rows] = 1
        fitted = DecisionTreeClassifier(
            max_depth=self.depth, class_weight="balanced", random_state=int(rng.integers(2**31))
        ).fit(X, inside)
        leaf = int(np.bincount(fitted.apply(X[rows])).argmax())
        wide = np.full(X.shape[1], np.inf)
        # scikit-learn compares in single precision
        low, high = leaf_box(fitted.tree_, leaf, -wide, wide)
        return Rule(low, high)


def _group(state: SynthesisState, size: int, rng: np.random.Generator) -> Ints:
    """Return rows of uncertain items alike: the most uncertain of fifty, and its nearest."""
    X = state.X_pool
    tried = rng.permutation(len(X))[:50]
    first = tried[np.argmax(margin_utility(state.model.predict_proba(X[tried])))]
    spread = X.std(axis=0)
    away = ((X - X[first]) / np.where(spread > 1e-12, spread, 1.0)) ** 2
    rows: Ints = np.argsort(away.sum(axis=1))[:size]
    return rows
