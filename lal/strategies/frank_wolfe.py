"""ACS-FW: a batch whose weighted likelihood comes near that of the whole pool."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.state import QueryState
from lal.strategies.posterior import posterior_proba
from lal.strategies.selection import ModelBatch, select_top
from lal.strategies.uncertainty import entropy_utility

STEPS = 3
"""Steps of Frank-Wolfe for each row of the batch at most; a row can be taken several times."""


class SparseSubset(ModelBatch):
    """Bayesian batches as a sparse approximation of the full log-posterior, by Frank-Wolfe.

    A row is the vector of its expected log-likelihoods under draws from the posterior; the batch
    are the rows of positive weight in a sparse approximation of the sum of all rows. Source:
    Pinsler, Gordon, Nalisnick & Hernandez-Lobato (2019), "Bayesian batch active learning as sparse
    subset approximation", with the random projection of its section 4.3.

    Args:
        n_draws: Draws from the posterior; at least 2.
    """

    def __init__(self, n_draws: int = 50) -> None:
        if n_draws < 2:
            raise UsageError(f"expected at least 2 draws, got {n_draws}")
        self.n_draws = n_draws

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return how far each row points towards the sum of all, shape (N,)."""
        if state.proba is None:
            return np.zeros(state.N)
        vectors = likelihood_vectors(posterior_proba(state, rng, self.n_draws))
        lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
        along: Floats = vectors @ vectors[state.open].sum(axis=0) / lengths
        return along

    def batch(
        self, state: QueryState, rng: np.random.Generator, ties: np.random.Generator, size: int
    ) -> Ints:
        """Return the rows of largest weight, topped up by `utilities`, shape (size,)."""
        vectors = likelihood_vectors(posterior_proba(state, rng, self.n_draws))[state.open]
        weights, _ = frank_wolfe(vectors, size)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
        along = vectors @ vectors.sum(axis=0) / lengths
        value = np.where(weights > 0, 2.0 + weights / weights.max(initial=1e-300), 0.0)
        value += np.where(weights > 0, 0.0, along / max(float(np.abs(along).max()), 1e-12))
        return state.open[select_top(value, np.arange(len(value)), ties, size)]


def likelihood_vectors(members: Floats) -> Floats:
    """Return ``E_y[log p(y | x, draw)] + H[y | x]`` for every row and draw, (M, N, C) to (N, M)."""
    mean = members.mean(axis=0)
    expected = np.einsum("nc,mnc->nm", mean, np.log(np.maximum(members, 1e-12)))
    vectors: Floats = (expected + entropy_utility(mean)[:, None]) / np.sqrt(len(members))
    return vectors


def frank_wolfe(vectors: Floats, size: int) -> tuple[Floats, list[float]]:
    """Return weights of at most `size` rows, and the residual's length after each step.

    Args:
        vectors: Shape (n, M).
        size: Rows of positive weight at most.
    """
    lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    total, target = lengths.sum(), vectors.sum(axis=0)
    weights, reached = np.zeros(len(vectors)), np.zeros(vectors.shape[1])
    residuals = [float(np.linalg.norm(target))]
    for _ in range(STEPS * size):
        best = int(np.argmax(vectors @ (target - reached) / lengths))
        if weights[best] == 0.0 and (weights > 0).sum() == size:
            break
        corner = total / lengths[best] * vectors[best] - reached
        step = float(np.clip(corner @ (target - reached) / max(corner @ corner, 1e-300), 0.0, 1.0))
        weights *= 1.0 - step
        weights[best] += step * total / lengths[best]
        reached = weights @ vectors
        residuals.append(float(np.linalg.norm(target - reached)))
    return weights, residuals
