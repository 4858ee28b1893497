"""ISAL: rows whose predicted label would lower the loss of other labelled rows most."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.learners.capabilities import find_capability, require_capability
from lal.pool import take
from lal.state import QueryState
from lal.strategies.fisher_kernel import by_content


class InfluenceSelection:
    """Asks for the largest fall of the loss on held-out labels if a row had its predicted label.

    ``-I(x) = g_ref' H^-1 g(x, y~)``: gradients of the last layer, H its Hessian on the labels it
    was fitted to. The learner is refitted without each half of the labels in turn, which is the
    reference then, so that no label is spent on it. Source: Liu, Ding, Zhong, Li, Dai & He (2021),
    "Influence selection for active learning".

    Args:
        ridge: Added to the diagonal of H; the precision of the weights' prior.
    """

    def __init__(self, ridge: float = 1.0) -> None:
        if ridge <= 0.0:
            raise UsageError(f"ridge must be above 0, got {ridge}")
        self.ridge = ridge

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the expected fall of the loss, shape (N,); zeros without a model."""
        if state.proba is None:
            return np.zeros(state.N)
        require_capability(state, "embed", "InfluenceSelection")
        if state.learner is None:
            raise UsageError(
                "InfluenceSelection refits the learner to halves of the labels, and only "
                "probabilities were given; pass a classifier"
            )
        half, seed = by_content(state), int(rng.integers(2**31))
        return self._fall(state, half, seed) + self._fall(state, ~half, seed)

    def _fall(self, state: QueryState, held: np.ndarray, seed: int) -> Floats:
        """Return the fall of the loss of the labels held out, shape (N,)."""
        rows, codes = state.labelled[~held], state.labels[~held]
        if len(np.unique(codes)) < 2 or not held.any():
            return np.zeros(state.N)
        model = state.learner.fit(take(state.X, rows), codes, n_classes=state.n_classes, seed=seed)
        proba, seen = model.predict_proba(state.X), find_capability(model, "embed", state.X)
        slope = mean_gradient(proba[state.labelled[held]], seen[state.labelled[held]],
                              state.labels[held])  # fmt: skip
        solved = solve_hessian(proba[rows], seen[rows], slope, self.ridge)
        return influence(proba, seen, proba.argmax(axis=1), solved)


def influence(proba: Floats, embedding: Floats, labels: Ints, solved: Floats) -> Floats:
    """Return ``g(x, y)' H^-1 g_ref`` of every row, the fall of the reference's loss, shape (n,).

    Args:
        proba: Shape (n, C).
        embedding: Shape (n, h).
        labels: Assumed labels, shape (n,).
        solved: ``H^-1 g_ref``, shape (C, h + 1).
    """
    error = proba - np.eye(proba.shape[1])[labels]
    fall: Floats = np.einsum("nc,nc->n", error, _with_one(embedding) @ solved.T)
    return fall


def mean_gradient(proba: Floats, embedding: Floats, labels: Ints) -> Floats:
    """Return the mean gradient of the cross-entropy in the last layer, shape (C, h + 1)."""
    error = proba - np.eye(proba.shape[1])[labels]
    gradient: Floats = error.T @ _with_one(embedding) / len(labels)
    return gradient


def solve_hessian(proba: Floats, embedding: Floats, slope: Floats, ridge: float) -> Floats:
    """Return ``H^-1 slope``, H the Hessian of the summed cross-entropy plus the ridge, (C, h + 1).

    By conjugate gradients; H is never built. The intercept has no ridge: what is added to all
    classes alike changes nothing, and no slope points there.
    """
    from scipy.sparse.linalg import LinearOperator, cg

    seen = _with_one(embedding)
    penalty = np.full(slope.shape, ridge)
    penalty[:, -1] = 0.0

    def times(flat: Floats) -> Floats:
        scores = seen @ flat.reshape(slope.shape).T
        curved = proba * (scores - (proba * scores).sum(axis=1, keepdims=True))
        product: Floats = (curved.T @ seen).ravel() + penalty.ravel() * flat
        return product

    operator = LinearOperator((slope.size, slope.size), matvec=times, dtype=np.float64)
    found: Floats = cg(operator, slope.ravel(), rtol=1e-8, maxiter=500)[0].reshape(slope.shape)
    return found


def _with_one(embedding: Floats) -> Floats:
    return np.column_stack([embedding, np.ones(len(embedding))])
