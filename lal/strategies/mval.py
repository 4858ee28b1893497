"""MVAL: rows that are uncertain whatever is labelled, and whose label changes predictions most."""

import numpy as np

from lal.arrays import Floats
from lal.state import QueryState
from lal.strategies.refits import WhatIf
from lal.strategies.uncertainty import entropy_utility


def variances(table: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return how much a row's prediction varies, and how much its label matters, each (n,).

    With R the probability of class c of row j if row i had label k, and e the weights:
    ``V1_j = mean_c Var_{i,k}(R e_j)`` and ``V2_i = mean_{k,c} Var_j((R_k - R_{k+1}) e_j)``, labels
    in a circle. With two classes these are the paper's V1 and V2.

    Args:
        table: R, shape (n, K, n, C).
        weight: e, shape (n,).
    """
    weighted = table * weight[:, None]
    first = weighted.reshape(-1, *table.shape[2:]).var(axis=0).mean(axis=1)
    change = weighted - np.roll(weighted, -1, axis=1)
    second = change.var(axis=2).mean(axis=(1, 2))
    return first, second


class VarianceMaximization:
    """Asks for the largest product of the two variances, weighted by entropy.

    At most 80 refits a query, so 80 / C rows are tried, those that are looked at; a larger batch is
    filled with the smallest margins. Source: Yang & Loog (2018), "A variance maximization criterion
    for active learning".
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return ``V1 V2``, shape (N,); zeros without a model or open rows."""
        if state.proba is None or len(state.open) == 0:
            return np.zeros(state.N)
        service = WhatIf(state, "VarianceMaximization", rng)
        weight = entropy_utility(state.proba[service.tried])
        first, second = variances(service.table(service.tried), weight)
        return service.scatter(first * second)
