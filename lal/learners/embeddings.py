"""What the last layer of a fitted scikit-learn classifier sees."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lal.arrays import Floats, Rows
from lal.learners.members import last_step
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


def has_gradient(estimator: Any) -> bool:
    """Whether an estimator's probabilities are a softmax of its last layer."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import Pipeline

    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    if isinstance(estimator, SGDClassifier):
        return bool(estimator.loss == "log_loss")
    return isinstance(estimator, LogisticRegression | MLPClassifier)


def _hidden_layer(network: Any, rows: Floats) -> Floats:
    for weights, bias in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        rows = ACTIVATIONS[network.activation](rows @ weights + bias)
    return rows
