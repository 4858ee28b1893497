"""Tree ensembles as tensors of the `trees` operation, converted from scikit-learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lal.errors import UsageError

Tensors = dict[str, np.ndarray]


def from_sklearn_forest(forest: Any, *, output: int | None = None) -> Tensors:
    """Return the tensors of a fitted forest (random forest or extra trees).

    Args:
        forest: Fitted classifier (values: class probabilities) or regressor (values: means).
        output: Keep only this class of a classifier; all when None.

    Returns:
        Tensors by role; run them with ``"float32": true``, since forests compare single precision.
    """
    parts = []
    for tree in (e.tree_ for e in forest.estimators_):
        value = tree.value[:, 0, :].astype(np.float64)
        if hasattr(forest, "classes_"):
            value = value / value.sum(axis=1, keepdims=True)
        value = value if output is None else value[:, [output]]
        leaf = tree.children_left < 0
        value = np.where(leaf[:, None], value, 0.0) / len(forest.estimators_)
        parts.append(
            _tree(tree.feature, tree.threshold, tree.children_left, tree.children_right, value)
        )
    return _joined(parts)


def from_sklearn_hist_gradient_boosting(model: Any) -> Tensors:
    """Return the tensors of a fitted HistGradientBoosting model, raw predictions included.

    One column a regressor or a binary classifier (log-odds), one per class otherwise (logits).

    Raises:
        UsageError: The model splits on categorical columns.
    """
    parts = []
    n_outputs = len(model._predictors[0])
    for round_ in model._predictors:
        for output, predictor in enumerate(round_):
            nodes = predictor.nodes
            if nodes["is_categorical"].any():
                raise UsageError("trees with categorical splits cannot be exported; encode first")
            leaf = nodes["is_leaf"].astype(bool)
            value = np.zeros((len(nodes), n_outputs))
            value[:, output] = np.where(leaf, nodes["value"], 0.0)
            left = np.where(leaf, -1, nodes["left"].astype(np.int64))
            right = np.where(leaf, -1, nodes["right"].astype(np.int64))
            parts.append(_tree(nodes["feature_idx"], nodes["num_threshold"], left, right, value))
    tensors = _joined(parts)
    tensors["bias"] = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
    return tensors


def _tree(
    feature: np.ndarray,
    threshold: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    value: np.ndarray,
) -> Tensors:
    own, leaf = np.arange(len(left), dtype=np.int64), left < 0
    return {
        "feature": np.where(leaf, 0, feature).astype(np.int64),
        "threshold": np.where(leaf, 0.0, threshold).astype(np.float64),
        "left": np.where(leaf, own, left).astype(np.int64),
        "right": np.where(leaf, own, right).astype(np.int64),
        "value": value,
    }


def _joined(parts: Sequence[Tensors]) -> Tensors:
    sizes = np.array([len(p["feature"]) for p in parts], dtype=np.int64)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    joined = {r: np.concatenate([p[r] for p in parts]) for r in ("feature", "threshold", "value")}
    for role in ("left", "right"):
        shifted = [p[role] + root for p, root in zip(parts, roots, strict=True)]
        joined[role] = np.concatenate(shifted)
    joined["roots"] = roots
    return joined


def tree_op(tensors: Tensors, *, into: str, out: str, prefix: str, float32: bool) -> dict[str, Any]:
    """Return the `trees` operation that uses tensors stored as ``prefix.role``."""
    names = {role: f"{prefix}.{role}" for role in tensors}
    return {"op": "trees", "in": [into], "out": [out], "float32": float32, **names}
