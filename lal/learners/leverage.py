"""How little a linear classifier knows about a row: the Laplace variance of its logit."""

import numpy as np

from lal.arrays import Floats


def leverage(rows: Floats, labelled: Floats, weights: Floats, ridge: float) -> Floats:
    """Return ``x' H^-1 x`` with ``H = A' diag(w) A + ridge I`` for every row x.

    The intercept is a column of ones with the same prior as the others, which keeps H proper.
    Solved in the smaller of the two spaces (columns or labelled rows, by Woodbury's identity).
    Source: the Laplace approximation of logistic regression, MacKay (1992), "The evidence
    framework applied to classification networks".

    Args:
        rows: Shape (n, D).
        labelled: Labelled rows A, shape (L, D).
        weights: Curvature of the loss at each labelled row, shape (L,), not negative.
        ridge: Prior precision, above 0.

    Returns:
        Shape (n,), between 0 and (1 + |x|^2) / ridge.
    """
    rows, labelled = with_ones(rows), with_ones(labelled)
    root = labelled * np.sqrt(weights)[:, None]
    n_labelled, width = root.shape
    if n_labelled < width:
        gram = ridge * np.eye(n_labelled) + root @ root.T
        cross = np.linalg.solve(np.linalg.cholesky(gram), root @ rows.T)
        prior = np.einsum("ij,ij->i", rows, rows)
        dual: Floats = np.maximum(prior - np.einsum("ij,ij->j", cross, cross), 0.0) / ridge
        return dual
    hessian = root.T @ root + ridge * np.eye(width)
    half = np.linalg.solve(np.linalg.cholesky(hessian), rows.T)
    primal: Floats = np.einsum("ij,ij->j", half, half)
    return primal


def class_leverage(rows: Floats, labelled: Floats, proba: Floats, ridge: float) -> Floats:
    """Return the leverage of rows under a (multi-class) logistic regression, shape (n,).

    Two classes: exact for the logit, with curvature ``p (1 - p)``. More classes: the mean of the
    classes' one-vs-rest leverages, the block-diagonal part of the Hessian of the softmax loss.

    Args:
        rows: Shape (n, D).
        labelled: Labelled rows, shape (L, D).
        proba: Fitted probabilities of the labelled rows times their sample weights' root, as
            probabilities of shape (L, S).
        ridge: Prior precision ``1 / C``.
    """
    curvature = proba * (1.0 - proba)
    columns = curvature[:, 1:] if curvature.shape[1] == 2 else curvature
    per_class = [leverage(rows, labelled, w, ridge) for w in columns.T]
    return np.mean(per_class, axis=0)  # type: ignore[no-any-return]


def with_ones(rows: Floats) -> Floats:
    """Return rows with a column of ones for the intercept, shape (n, D + 1)."""
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
