"""What the last layer of a fitted scikit-learn classifier sees."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lal.arrays import Floats, Rows
from lal.learners.members import last_estimator, last_step
from lal.learners.probabilities import estimator_proba
from lal.pool import dense

ACTIVATIONS: Mapping[str, Callable[[Floats], Floats]] = {
    "identity": lambda values: values,
    "logistic": lambda values: 1.0 / (1.0 + np.exp(-values)),
    "tanh": np.tanh,
    "relu": lambda values: np.maximum(values, 0.0),
}
"""Activations of scikit-learn's multi-layer perceptron."""


def embedding(estimator: Any, X: Rows) -> Floats | None:
    """Return what the last layer sees, shape (n, h); None for estimators without layers.

    The input of the last step for a linear classifier, the last hidden layer for a multi-layer
    perceptron.
    """
    from sklearn.neural_network import MLPClassifier

    estimator, rows = last_step(estimator, X)
    if isinstance(estimator, MLPClassifier):
        return _hidden_layer(estimator, dense(rows))
    weights = np.asarray(getattr(estimator, "coef_", 0.0))
    return dense(rows) if weights.ndim == 2 and weights.shape[1] == rows.shape[1] else None


def head_proba(estimator: Any, embedded: Floats, n_known: int) -> Floats | None:
    """Return the probabilities of points of the embedding, shape (n, S); None without layers.

    Args:
        estimator: A fitted classifier or pipeline.
        embedded: Points of the embedding, shape (n, h).
        n_known: S, classes that it knows.
    """
    from sklearn.neural_network import MLPClassifier

    last = last_estimator(estimator)
    if isinstance(last, MLPClassifier):
        scores = embedded @ last.coefs_[-1] + last.intercepts_[-1]
        scores = np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores
        exp = np.exp(scores - scores.max(axis=1, keepdims=True))
        softmax: Floats = exp / exp.sum(axis=1, keepdims=True)
        return softmax
    linear = np.ndim(getattr(last, "coef_", 0.0)) == 2
    return estimator_proba(last, embedded, n_known) if linear else None


def has_gradient(estimator: Any) -> bool:
    """Whether an estimator's probabilities are a softmax of its last layer."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.neural_network import MLPClassifier

    last = last_estimator(estimator)
    if isinstance(last, SGDClassifier):
        return bool(last.loss == "log_loss")
    return isinstance(last, LogisticRegression | MLPClassifier)


def _hidden_layer(network: Any, rows: Floats) -> Floats:
    for weights, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        rows = ACTIVATIONS[network.activation](rows @ weights + bias)
    return rows
