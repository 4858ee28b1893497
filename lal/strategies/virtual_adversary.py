"""REVIVAL-style: rows whose label changes under the smallest step that changes predictions most."""

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.learners.capabilities import find_capability, require_capability
from lal.pool import dense
from lal.state import QueryState

PROBE = 1e-2
"""Step, in root mean square distances from the mean row, at which the gradient is taken."""


class VirtualAdversary:
    """Asks for the largest divergence between a row's prediction and that of its adversary.

    The adversary is ``x + r`` with ``r = argmax_{|r| <= eps} KL(p(x) || p(x + r))``, found by one
    step of the power method. Labels of the pool spread over a graph of neighbours; where the spread
    label differs from that of the adversary, one is added. The paper's exact score was not seen.
    Source: Guo, Shi, Kang, Kuang, Tang & Li (2021), "Semi-supervised active learning for
    semi-supervised models: exploit adversarial examples with graph-based virtual labels"; the
    adversary, Miyato, Maeda, Koyama & Ishii (2018).

    Args:
        size: eps, in root mean square distances of rows from the mean row.
    """

    def __init__(self, size: float = 0.2) -> None:
        if size <= 0.0:
            raise UsageError(f"size must be above 0, got {size}")
        self.size = size

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return divergences, one more where labels differ, shape (N,); zeros without a model."""
        if state.proba is None or state.model is None:
            return np.zeros(state.N)
        X = dense(state.X)
        other = state.model.predict_proba(X + adversary(state, self.size, rng))
        flipped = spread_labels(state) != other.argmax(axis=1)
        utilities: Floats = divergence(state.proba, other) + flipped
        return utilities


def adversary(state: QueryState, size: float, rng: np.random.Generator) -> Floats:
    """Return the adversarial step of every row, shape (N, D)."""
    require_capability(state, "input_gradient", "VirtualAdversary", state.proba)
    X = dense(state.X)
    scale = float(np.sqrt(X.var(axis=0).sum())) or 1.0
    step = _unit(rng.normal(size=X.shape))
    slope = find_capability(state.model, "input_gradient", X + PROBE * scale * step, state.proba)
    # Rows without a slope keep the random step.
    flat = np.linalg.norm(slope, axis=1, keepdims=True) < 1e-12
    found: Floats = size * scale * np.where(flat, step, _unit(slope))
    return found


def divergence(p: Floats, q: Floats) -> Floats:
    """Return ``KL(p || q)`` row by row, in nats, shape (n,)."""
    ratio = np.log(np.maximum(p, 1e-12)) - np.log(np.maximum(q, 1e-12))
    total: Floats = (p * ratio).sum(axis=1)
    return total


def spread_labels(state: QueryState) -> np.ndarray:
    """Return class codes spread from the labelled rows over a graph of neighbours, shape (N,)."""
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.semi_supervised import LabelSpreading

    rows = np.union1d(state.reference, state.labelled)
    rows = rows[rows < state.N]
    codes = np.full(state.N, -1)
    codes[state.labelled] = state.labels
    near = min(10, len(rows) - 1)
    graph = LabelSpreading(kernel="knn", n_neighbors=near, max_iter=100, tol=1e-4)
    found = graph.fit(state.Z[rows], codes[rows]).transduction_
    nearest = KNeighborsClassifier(1).fit(state.Z[rows], found)
    return np.asarray(nearest.predict(state.Z))


def _unit(steps: Floats) -> Floats:
    length = np.linalg.norm(steps, axis=1, keepdims=True)
    unit: Floats = steps / np.maximum(length, 1e-300)
    return unit
