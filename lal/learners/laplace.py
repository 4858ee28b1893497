"""Draws from the Laplace approximation of logistic regression."""

from typing import Any

import numpy as np

from lal.arrays import Floats, Rows
from lal.learners.leverage import with_ones
from lal.learners.members import last_step
from lal.pool import dense


def draw_scores(
    rows: Floats, labelled: Floats, weights: Floats, ridge: float, normals: tuple[Floats, Floats]
) -> Floats:
    """Return ``x' w`` for draws of w from the normal distribution of precision H, shape (S, n).

    ``H = A' diag(weights) A + ridge I``, the intercept a column of ones. A draw from the prior is
    moved to agree with a draw of the targets (Matheron's rule), so that only a system as large as
    the labelled rows is solved. Source: the Laplace approximation, MacKay (1992); the rule,
    Hoffman & Ribak (1991), "Constrained realizations of Gaussian fields".

    Args:
        rows: Shape (n, D).
        labelled: Labelled rows A, shape (L, D).
        weights: Curvature of the loss at each labelled row, shape (L,), not negative.
        ridge: Prior precision, above 0.
        normals: Standard normal draws, shapes (S, D + 1) and (S, L).
    """
    prior = normals[0] / np.sqrt(ridge)
    root = with_ones(labelled) * np.sqrt(weights)[:, None]
    gram = np.eye(len(root)) + root @ root.T / ridge
    missing = normals[1] - prior @ root.T
    moved = prior + np.linalg.solve(gram, missing.T).T @ root / ridge
    scores: Floats = moved @ with_ones(rows).T
    return scores


def draw_proba(
    estimator: Any, X: Rows, labelled: Rows, n: int, rng: np.random.Generator
) -> Floats | None:
    """Return probabilities under draws of the weights, shape (n, rows, S).

    Two classes: exact for the Laplace approximation. More: by the block-diagonal part of the
    Hessian of the softmax loss, class by class, as `lal.learners.leverage.class_leverage`. None
    for what is not logistic regression.

    Args:
        estimator: A fitted classifier or pipeline.
        X: Rows.
        labelled: The rows it was fitted on, shape (L, D).
        n: Draws.
        rng: Draws them.
    """
    from sklearn.linear_model import LogisticRegression

    last, rows = last_step(estimator, X)
    if not isinstance(last, LogisticRegression):
        return None
    rows, known = dense(rows), dense(last_step(estimator, labelled)[1])
    proba, ridge = last.predict_proba(known), max(1.0 / last.C, 1e-10)
    scores = np.zeros((n, len(rows), proba.shape[1]))
    mean = np.atleast_2d(np.asarray(last.decision_function(rows)).T).T
    for c in range(1 if proba.shape[1] == 2 else 0, proba.shape[1]):
        normals = rng.normal(size=(n, known.shape[1] + 1)), rng.normal(size=(n, len(known)))
        curvature = proba[:, c] * (1.0 - proba[:, c])
        noise = draw_scores(rows, known, curvature, ridge, normals)
        scores[:, :, c] = mean[:, c if mean.shape[1] > 1 else 0] + noise
    exp = np.exp(scores - scores.max(axis=2, keepdims=True))
    drawn: Floats = exp / exp.sum(axis=2, keepdims=True)
    return drawn
