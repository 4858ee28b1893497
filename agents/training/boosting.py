"""Boosted regression trees as the agents fit them: no early stopping, the same on every machine."""

from typing import Any

from lal.arrays import Floats
from lal.rng import integer_seed


def fit_boosted_trees(
    inputs: Floats,
    targets: Floats,
    *,
    max_iter: int,
    learning_rate: float,
    max_leaf_nodes: int,
    min_samples_leaf: int,
    seed: int,
) -> Any:
    """Return boosted trees fitted to rows (n, F) and targets (n,).

    Args:
        inputs: Rows.
        targets: What they are worth.
        max_iter: Boosting rounds.
        learning_rate: Of boosting.
        max_leaf_nodes: Largest number of leaves of a tree.
        min_samples_leaf: Smallest number of rows in a leaf.
        seed: Of the run; its stream "trees" is used.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    trees = HistGradientBoostingRegressor(
        max_iter=max_iter,
        learning_rate=learning_rate,
        max_leaf_nodes=max_leaf_nodes,
        min_samples_leaf=min_samples_leaf,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=integer_seed(seed, "trees"),
    )
    with threadpool_limits(1):  # sums in one order: the same trees on every machine
        return trees.fit(inputs, targets)
