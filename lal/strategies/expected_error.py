"""Expected error reduction, and the expected length of the gradient."""

import numpy as np

from lal.arrays import Floats
from lal.learners.capabilities import require_capability
from lal.state import QueryState
from lal.strategies.refits import WhatIf


class ExpectedErrorReduction:
    """Asks for the row after whose label the learner expects to err least on the others.

    ``-sum_y p(y|x) mean_u (1 - max_c p+(c|u))``, p+ refitted with (x, y). At most 80 refits a
    query, so 80 / C rows are tried; a larger batch is filled with the smallest margins. Source: Roy
    & McCallum (2001), "Toward optimal active learning through sampling estimation of error
    reduction".
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the expected accuracy, shape (N,); zeros without a model or open rows."""
        if state.proba is None or len(state.open) == 0:
            return np.zeros(state.N)
        service = WhatIf(state, "ExpectedErrorReduction", rng)
        sure = service.table(service.reference).max(axis=3).mean(axis=2)
        return service.scatter((state.proba[service.tried] * sure).sum(axis=1))


class ExpectedGradientLength:
    """Asks for the row whose label would move the last layer most.

    ``sum_y p(y) |p - e_y| sqrt(|h|^2 + 1)``, h what the last layer sees; the one is the intercept.
    Source: Settles, Craven & Ray (2008), "Multiple-instance active learning".
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the expected length, shape (N,); zeros without a model."""
        if state.proba is None:
            return np.zeros(state.N)
        seen = require_capability(state, "embed", "ExpectedGradientLength")
        return gradient_lengths(state.proba, seen)


def gradient_lengths(proba: Floats, embedding: Floats) -> Floats:
    """Return the expected length of the cross-entropy's gradient, shape (n,).

    Args:
        proba: Shape (n, C).
        embedding: Shape (n, h).
    """
    squares = (proba**2).sum(axis=1, keepdims=True) - 2.0 * proba + 1.0
    errors = (proba * np.sqrt(np.maximum(squares, 0.0))).sum(axis=1)
    lengths: Floats = errors * np.sqrt((embedding**2).sum(axis=1) + 1.0)
    return lengths
