"""BADGE: diverse rows of large gradients."""

import numpy as np

from lal.state import QueryState
from lal.strategies.spaces import Selector, SpaceStrategy, SquaredDistance


class Badge(SpaceStrategy):
    """BADGE: k-means++ seeding among the gradients of the last layer.

    A gradient is ``(p - e_y) h'`` with y the predicted label, a lower bound of the true one's; it
    is long where the model is uncertain, and the seeding keeps a batch diverse. The first row is
    the one of largest gradient, as in the authors' code. Source: Ash, Zhang, Krishnamurthy,
    Langford & Agarwal (2020), "Deep batch active learning by diverse, uncertain gradient lower
    bounds".
    """

    def __init__(self) -> None:
        super().__init__("gradient")

    def begin(self, state: QueryState, rng: np.random.Generator, size: int) -> Selector:
        """Return D^2 sampling among the gradients."""
        return SquaredDistance(self.points(state), state.labelled[:0], rng)
