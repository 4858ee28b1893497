"""Searchers that ask for vectors and are given their scores; replayed from disk after a kill.

Sources: CMA-ES (Hansen and Ostermeier 2001, arXiv 1604.00772; the package ``cma``); evolution
strategies with mirrored ranked perturbations (Salimans et al. 2017, arXiv 1703.03864).
"""

from typing import Any, Protocol

import numpy as np

from agents.evolution.config import EvolutionConfig
from lal.arrays import Floats
from lal.registry import require
from lal.rng import generator


class Searcher(Protocol):
    """Maximises a score; a function of the config and of what it was given."""

    def ask(self) -> Floats:
        """Return the next vectors, shape (P, d)."""
        ...

    def tell(self, scores: Floats) -> None:
        """Take the scores of the last vectors, shape (P,), higher is better."""
        ...

    @property
    def centre(self) -> Floats:
        """The present answer, shape (d,)."""
        ...


class OpenAIES:
    """A step along the mean of mirrored perturbations, weighted by their centred ranks."""

    def __init__(self, size: int, config: EvolutionConfig) -> None:
        self._rng = generator(config.seed, "perturbations")
        self._spread, self._step = config.spread, config.step
        self._half = config.population // 2
        self.centre = np.zeros(size)
        self._noise = np.zeros((0, size))

    def ask(self) -> Floats:
        """Return mirrored perturbations of the centre."""
        half = self._rng.standard_normal((self._half, len(self.centre)))
        self._noise = np.concatenate([half, -half])
        return self.centre + self._spread * self._noise

    def tell(self, scores: Floats) -> None:
        """Move the centre."""
        P = len(scores)
        ranks = scores.argsort(kind="stable").argsort(kind="stable")
        weights = ranks / (P - 1) - 0.5
        slope = weights @ self._noise / P
        self.centre = self.centre + self._step * self._spread * slope


class CMA:
    """CMA-ES of the package ``cma``, drawing from a stream of its own."""

    def __init__(self, size: int, config: EvolutionConfig) -> None:
        cma = require("cma", "train")
        rng = generator(config.seed, "perturbations")

        def normal(*shape: int) -> Floats:
            drawn: Floats = rng.standard_normal(shape)
            return drawn

        options = {
            "seed": np.nan, "randn": normal, "popsize": config.population, "verbose": -9,
            "CMA_diagonal": config.diagonal,
        }  # fmt: skip
        self._search: Any = cma.CMAEvolutionStrategy(np.zeros(size), config.spread, options)
        self._asked: list[Floats] = []

    def ask(self) -> Floats:
        """Return draws from the present normal distribution."""
        self._asked = self._search.ask()
        return np.array(self._asked)

    def tell(self, scores: Floats) -> None:
        """Adapt mean, step and covariance; ``cma`` minimises."""
        self._search.tell(self._asked, [-float(s) for s in scores])

    @property
    def centre(self) -> Floats:
        """Mean of the distribution."""
        return np.array(self._search.mean, dtype=np.float64)


def make_searcher(size: int, config: EvolutionConfig) -> Searcher:
    """Return the searcher that the config names."""
    return CMA(size, config) if config.method == "cma" else OpenAIES(size, config)
