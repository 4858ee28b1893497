"""On-the-fly force fields: molecular dynamics that asks for exact forces only where it is unsure.

A Gaussian process over the pair force f(r) gives the force on atom i, ``sum_j f(r_ij) u_ij`` with
u_ij the unit vector from j to i, and its deviation. Source: Vandermause et al. (2020), On-the-fly
active learning of interpretable Bayesian force fields, npj Computational Materials 6; two-body
only. The spline map is that of
Xie et al. (2021), Bayesian force fields from active learning for simulation of stanene.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline, RectBivariateSpline
from scipy.linalg import cho_solve, cholesky, solve_triangular

from lal.arrays import Bools, Floats
from lal.errors import DataError, UsageError

Oracle = Callable[[Floats], Floats]
"""Positions (n, 3) to exact forces (n, 3)."""

SCALES = (0.05, 0.1, 0.2)
"""Length scales of the pair force that are tried."""


class Forces(NamedTuple):
    """Forces on n atoms and the largest deviation of a component, shapes (n, 3) and (n,)."""

    mean: Floats
    deviation: Floats


class Pairs(NamedTuple):
    """Distances of an atom's neighbours (n, n - 1) and the unit vectors from them (n, n - 1, 3)."""

    distances: Floats
    directions: Floats


def pairs_of_atoms(positions: Floats) -> Pairs:
    """Return the pairs of every atom."""
    n = len(positions)
    others = np.array([[j for j in range(n) if j != i] for i in range(n)])
    gaps = positions[:, None] - positions[others]
    distances = np.linalg.norm(gaps, axis=2)
    if distances.min() < 1e-6:
        raise DataError("two atoms lie in one place; expected distances above 0")
    return Pairs(distances, gaps / distances[:, :, None])


def lennard_jones(positions: Floats) -> Floats:
    """Return the forces of ``4 (r^-12 - r^-6)``, shape (n, 3)."""
    distances, directions = pairs_of_atoms(positions)
    size = 24.0 * (2.0 * distances**-13 - distances**-7)
    forces: Floats = (size[:, :, None] * directions).sum(axis=1)
    return forces


class PairForceGP:
    """A Gaussian process over the pair force, fitted to the forces on whole atoms.

    Args:
        noise: Deviation of the oracle's forces.
        signal: Prior deviation of the pair force.
    """

    def __init__(self, *, noise: float = 0.01, signal: float = 10.0) -> None:
        if noise <= 0 or signal <= 0:
            raise UsageError(f"noise and signal must be above 0, got {noise} and {signal}")
        self.noise, self.signal, self.scale = noise, signal, SCALES[-1]
        self._r: Floats = np.zeros((0, 0))
        self._A: Floats = np.zeros((0, 0, 3))
        self._F: Floats = np.zeros((0, 3))

    def add(self, pairs: Pairs, forces: Floats, atoms: list[int]) -> None:
        """Add atoms with their exact forces and choose the likeliest length scale."""
        r, A = pairs.distances[atoms], pairs.directions[atoms]
        first = len(self._F) == 0
        self._r = r if first else np.concatenate([self._r, r])
        self._A = A if first else np.concatenate([self._A, A])
        self._F = np.concatenate([self._F, forces[atoms]])
        evidence = []
        for scale in SCALES:
            self.scale = scale
            evidence.append(self._fit())
        self.scale = SCALES[int(np.argmax(evidence))]
        self._fit()

    def force(self, pairs: Pairs) -> Forces:
        """Return the forces on all atoms and their deviations."""
        m, n = len(self._F), len(pairs.distances)
        cross = self._kernel(self._r, pairs.distances)
        K = np.einsum("tac,tanb,nbd->tcnd", self._A, cross, pairs.directions).reshape(3 * m, n, 3)
        mean = np.einsum("pnd,p->nd", K, self._alpha)
        known = solve_triangular(self._L, K.reshape(3 * m, -1), lower=True)
        own = np.stack([self._kernel(r[None], r[None])[0, :, 0] for r in pairs.distances])
        prior = np.einsum("nac,nab,nbc->nc", pairs.directions, own, pairs.directions)
        variance = prior - (known**2).sum(axis=0).reshape(n, 3)
        return Forces(mean, np.sqrt(np.maximum(variance, 0.0)).max(axis=1))

    def pair_mean(self, r: Floats) -> Floats:
        """Return the mean pair force at distances, shape (k,)."""
        mean: Floats = self._pair_cross(r).T @ self._alpha
        return mean

    def pair_covariance(self, r: Floats) -> Floats:
        """Return the posterior covariance of the pair force between distances, shape (k, k)."""
        known = solve_triangular(self._L, self._pair_cross(r), lower=True)
        covariance: Floats = self._kernel(r[None], r[None])[0, :, 0] - known.T @ known
        return covariance

    def _pair_cross(self, r: Floats) -> Floats:
        cross = self._kernel(self._r, r[None])[:, :, 0]
        summed: Floats = np.einsum("tac,tab->tcb", self._A, cross)
        return summed.reshape(-1, len(r))

    def _kernel(self, r: Floats, s: Floats) -> Floats:
        """Return covariances of pair forces, (m, a) and (n, b) to (m, a, n, b)."""
        gaps = r[:, :, None, None] - s[None, None]
        values: Floats = self.signal**2 * np.exp(-0.5 * (gaps / self.scale) ** 2)
        return values

    def _fit(self) -> float:
        """Factorise the kernel and return the log evidence, without constants."""
        K = np.einsum(
            "tac,tasb,sbd->tcsd", self._A, self._kernel(self._r, self._r), self._A, optimize=True
        )
        size = 3 * len(self._F)
        y = self._F.ravel()
        jitter = self.noise**2 + 1e-10 * self.signal**2
        self._L = cholesky(K.reshape(size, size) + jitter * np.eye(size), lower=True)
        self._alpha = cho_solve((self._L, True), y)
        return float(-0.5 * y @ self._alpha - np.log(np.diag(self._L)).sum())


class SplineMap:
    """A fitted `PairForceGP` on tables: the time of a step does not grow with its labels.

    The mean is a cubic spline of the pair force. The variance of a sum over pairs is not a sum of
    pairs' variances, so the covariance of two distances is a table in two dimensions.

    Args:
        model: The fitted process.
        low: Smallest distance of the tables.
        high: Largest; distances outside are moved to the ends.
        n_points: Points along an axis.
    """

    def __init__(
        self, model: PairForceGP, *, low: float = 0.8, high: float = 4.0, n_points: int = 200
    ) -> None:
        r = np.linspace(low, high, n_points)
        self.low, self.high = low, high
        self._mean = CubicSpline(r, model.pair_mean(r))
        self._covariance = RectBivariateSpline(r, r, model.pair_covariance(r))

    def pair_mean(self, r: Floats) -> Floats:
        """Return the mean pair force at distances, shape (k,)."""
        mean: Floats = self._mean(np.clip(r, self.low, self.high))
        return mean

    def force(self, pairs: Pairs) -> Forces:
        """Return the forces on all atoms and their deviations."""
        r = np.clip(pairs.distances, self.low, self.high)
        mean = (self.pair_mean(r)[:, :, None] * pairs.directions).sum(axis=1)
        C = self._covariance.ev(r[:, :, None], r[:, None, :])
        variance = np.einsum("nac,nab,nbc->nc", pairs.directions, C, pairs.directions)
        return Forces(mean, np.sqrt(np.maximum(variance, 0.0)).max(axis=1))


@dataclass(frozen=True)
class Trajectory:
    """What came of a simulation of T steps.

    Attributes:
        positions: Shape (T, n, 3).
        forces: Forces that moved the atoms, shape (T, n, 3).
        deviations: Shape (T, n), before the oracle was called.
        guesses: Forces before the oracle was called, shape (T, n, 3).
        called: At which steps it was, shape (T,).
    """

    positions: Floats
    forces: Floats
    deviations: Floats
    guesses: Floats
    called: Bools


class OnTheFly:
    """Molecular dynamics (velocity Verlet, unit masses) on a learned pair force.

    The oracle is called when the largest deviation exceeds `tolerance` (as a multiple of the
    noise; below 0: absolute), the most uncertain atoms are added and the step is taken with the
    exact forces.

    Args:
        oracle: Gives exact forces.
        tolerance: See above.
        n_added: Atoms added at a call.
        step: Time step.
        every: Calls at every so many steps in place of the deviations, for comparisons.
    """

    def __init__(
        self,
        oracle: Oracle = lennard_jones,
        *,
        tolerance: float = 5.0,
        n_added: int = 2,
        step: float = 0.01,
        every: int | None = None,
    ) -> None:
        if tolerance == 0 or n_added < 1 or step <= 0 or (every is not None and every < 1):
            raise UsageError(
                "tolerance must not be 0, n_added and every at least 1 and step above 0; got "
                f"{tolerance}, {n_added}, {every} and {step}"
            )
        self.oracle, self.tolerance, self.n_added = oracle, tolerance, n_added
        self.step, self.every = step, every
        self.model = PairForceGP()

    def run(self, positions: Floats, velocities: Floats, n_steps: int) -> Trajectory:
        """Simulate, learning on the way; the first step always calls the oracle."""
        x, v = positions.copy(), velocities.copy()
        kept: list[tuple[Floats, Floats, Floats, Floats, bool]] = []
        force: Floats | None = None
        for t in range(n_steps):
            if force is not None:
                x = x + self.step * v + 0.5 * self.step**2 * force
            pairs = pairs_of_atoms(x)
            guess = (
                self.model.force(pairs) if t else Forces(np.zeros_like(x), np.full(len(x), np.inf))
            )
            called = self._calls(t, guess)
            new = guess.mean
            if called:
                new = self.oracle(x)
                most = np.argsort(-guess.deviation, kind="stable")[: self.n_added if t else len(x)]
                self.model.add(pairs, new, most.tolist())
            if force is not None:
                v = v + 0.5 * self.step * (force + new)
            force = new
            kept.append((x, new, guess.deviation, guess.mean, called))
        x_, f, s, g, c = (np.array(column) for column in zip(*kept, strict=True))
        return Trajectory(x_, f, s, g, c)

    def _calls(self, t: int, guess: Forces) -> bool:
        if self.every is not None or t == 0:
            return t % (self.every or 1) == 0
        bound = self.tolerance * self.model.noise if self.tolerance > 0 else -self.tolerance
        return bool(guess.deviation.max() > bound)


def octahedron(rng: np.random.Generator, *, heat: float = 0.3) -> tuple[Floats, Floats]:
    """Return six atoms near their place of least energy, and random velocities at rest on the mean.

    Args:
        rng: Draws the velocities.
        heat: Deviation of a velocity's component.
    """
    corners = np.concatenate([np.eye(3), -np.eye(3)]) * 1.11 / np.sqrt(2.0)
    velocities = heat * rng.normal(size=(6, 3))
    return corners, velocities - velocities.mean(axis=0)
