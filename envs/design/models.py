"""What is unknown and how an experiment answers: prior, mean outcome, noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lal.arrays import Floats
from lal.errors import UnknownNameError


class DesignModel(Protocol):
    """A model with Gaussian outcomes around a mean that depends on parameters and design."""

    @property
    def name(self) -> str:
        """Name in `MODELS`."""
        ...

    @property
    def n_design(self) -> int:
        """Width D of a design."""
        ...

    @property
    def n_parameters(self) -> int:
        """Width P of the parameters."""
        ...

    @property
    def low(self) -> float:
        """Lower edge of the box of designs."""
        ...

    @property
    def high(self) -> float:
        """Upper edge of the box of designs."""
        ...

    @property
    def noise(self) -> float:
        """Standard deviation of outcomes."""
        ...

    def prior(self, rng: np.random.Generator, n: int) -> Floats:
        """Return parameters drawn from the prior, shape (n, P)."""
        ...

    def random_designs(self, rng: np.random.Generator, n: int) -> Floats:
        """Return designs as somebody without a policy would draw them, shape (n, D)."""
        ...

    def mean(self, parameters: Floats, design: Floats) -> Floats:
        """Return mean outcomes; parameters (..., P) and designs (..., D) broadcast."""
        ...


@dataclass(frozen=True)
class LocationFinding:
    """One hidden source in the plane; its signal falls with the squared distance.

    theta ~ N(0, I); y ~ N(log(0.1 + 1 / (1e-4 + |xi - theta|^2)), 0.5^2). Foster et al. (2021),
    section 5.1, with one source.
    """

    name: str = "location_finding"
    n_design: int = 2
    n_parameters: int = 2
    low: float = -4.0
    high: float = 4.0
    noise: float = 0.5

    def prior(self, rng: np.random.Generator, n: int) -> Floats:
        """Return sources, shape (n, 2)."""
        return rng.standard_normal((n, 2))

    def random_designs(self, rng: np.random.Generator, n: int) -> Floats:
        """Return designs from the prior of the source, shape (n, 2)."""
        return rng.standard_normal((n, 2))

    def mean(self, parameters: Floats, design: Floats) -> Floats:
        """Return the logarithm of the intensity at the design."""
        squared = ((design - parameters) ** 2).sum(axis=-1)
        values: Floats = np.log(0.1 + 1.0 / (1e-4 + squared))
        return values


@dataclass(frozen=True)
class GaussianProcess:
    """A function on [-1, 1] from a Gaussian process whose length scale is unknown.

    theta = (u, w_1 .. w_M), all N(0, 1); the length scale is 0.3 exp(0.5 u); the function is the
    reduced-rank process of Solin and Saerkkae (2020) with M sine functions on [-1.5, 1.5] and a
    squared-exponential kernel of variance 1; y ~ N(f(xi), 0.1^2). Were the length scale known,
    the best design would not depend on the outcomes.
    """

    name: str = "gp_regression"
    n_basis: int = 12
    n_design: int = 1
    low: float = -1.0
    high: float = 1.0
    noise: float = 0.1
    half_width: float = 1.5

    @property
    def n_parameters(self) -> int:
        """Length scale and weights."""
        return 1 + self.n_basis

    def prior(self, rng: np.random.Generator, n: int) -> Floats:
        """Return length-scale and weight variables, shape (n, 1 + M)."""
        return rng.standard_normal((n, self.n_parameters))

    def random_designs(self, rng: np.random.Generator, n: int) -> Floats:
        """Return uniform places, shape (n, 1)."""
        return rng.uniform(self.low, self.high, (n, 1))

    def mean(self, parameters: Floats, design: Floats) -> Floats:
        """Return the function's values at the design."""
        omega = np.arange(1, self.n_basis + 1) * np.pi / (2.0 * self.half_width)
        scale = 0.3 * np.exp(0.5 * parameters[..., :1])
        density = np.sqrt(2.0 * np.pi) * scale * np.exp(-0.5 * (omega * scale) ** 2)
        basis = np.sin(omega * (design + self.half_width)) / np.sqrt(self.half_width)
        values: Floats = (parameters[..., 1:] * np.sqrt(density) * basis).sum(axis=-1)
        return values


MODELS: Mapping[str, DesignModel] = {
    "location_finding": LocationFinding(),
    "gp_regression": GaussianProcess(),
}
"""Models by name."""


def make_model(name: str) -> DesignModel:
    """Return a model by name."""
    if name not in MODELS:
        raise UnknownNameError(f"unknown design model {name!r}; known: {', '.join(MODELS)}")
    return MODELS[name]


def log_likelihood(
    model: DesignModel, parameters: Floats, design: Floats, outcome: Floats
) -> Floats:
    """Return log p(outcome | parameters, design), broadcast."""
    z = (outcome - model.mean(parameters, design)) / model.noise
    values: Floats = -0.5 * z * z - np.log(model.noise) - 0.5 * np.log(2.0 * np.pi)
    return values
