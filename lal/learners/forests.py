"""What a fitted forest knows of itself: out-of-bag accuracy, importances and depth."""

from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows

UNKNOWN = 0.5
"""Out-of-bag accuracy where every tree saw every row."""


def statistics(forest: Any, rows: Rows, labels: Ints) -> tuple[float, Floats, float] | None:
    """Return out-of-bag accuracy, importances (D,) and mean depth; None if it is not a forest.

    Args:
        forest: A fitted scikit-learn classifier.
        rows: The rows it was fitted on, in their order, shape (L, D).
        labels: Their class codes, shape (L,).
    """
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    if not isinstance(forest, ExtraTreesClassifier | RandomForestClassifier):
        return None
    importance: Floats = np.asarray(forest.feature_importances_, dtype=np.float64)
    depth = float(np.mean([tree.tree_.max_depth for tree in forest.estimators_]))
    return _out_of_bag_accuracy(forest, rows, labels), importance, depth


def _out_of_bag_accuracy(forest: Any, rows: Rows, labels: Ints) -> float:
    """Return the accuracy of the trees' mean on the rows that they did not see."""
    if not forest.bootstrap or len(forest.estimators_samples_[0]) != len(labels):
        return UNKNOWN
    X = rows.tocsr() if hasattr(rows, "tocsr") else np.asarray(rows)
    X = X.astype(np.float32)
    votes = np.zeros((len(labels), len(forest.classes_)))
    asked = np.zeros(len(labels), dtype=bool)
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        left_out = np.ones(len(labels), dtype=bool)
        left_out[drawn] = False
        if left_out.any():
            votes[left_out] += tree.predict_proba(X[left_out], check_input=False)
            asked |= left_out
    if not asked.any():
        return UNKNOWN
    codes = np.unique(labels, return_inverse=True)[1]
    return float(np.mean(votes[asked].argmax(axis=1) == codes[asked]))
