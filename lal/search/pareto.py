"""Multi-objective design: find the Pareto front of a finite set with few evaluations (PAL)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.errors import DataError, UsageError
from lal.learners.gp_regression import GPRegression
from lal.rng import generator

Evaluate = Callable[[int], Floats]
"""A design's row to its objectives, to be maximised, shape (m,)."""


@dataclass(frozen=True)
class ParetoRun:
    """What came of a search for a front.

    Attributes:
        front: Rows that are returned as the front, shape (P,).
        evaluated: Rows in the order of their evaluation, shape (T,).
        values: Their objectives, shape (T, m).
        decided: Whether every row was classified before the evaluations ran out.
    """

    front: Ints
    evaluated: Ints
    values: Floats
    decided: bool


class EpsilonPAL:
    """Classifies all designs as near the Pareto front or not, by boxes that shrink.

    A Gaussian process for each objective gives every design the box ``mean +- root * deviation``,
    which is cut with its earlier boxes. A design is dropped when its best corner, less half of
    epsilon, is dominated by the worst corner of a design that stays; it belongs to the front when
    no other's best corner, less half of epsilon, dominates its worst corner. The kept design with
    the longest diagonal is evaluated next. Source: Zuluaga et al. (2013),
    Active learning for multi-objective optimization, and its epsilon-PAL (2016, JMLR 17).

    Args:
        X: Designs, shape (N, D); their columns are scaled to unit variance.
        epsilon: What a returned design may fall short of the front, in each objective's own unit:
            one number, or one for each of the m objectives.
        root: Square root of beta; 3 covers the truth nearly always, smaller values are faster.
        n_start: Designs evaluated at the start, drawn at random.
        seed: Of that draw.
    """

    def __init__(
        self,
        X: Floats,
        *,
        epsilon: float | Floats,
        root: float = 3.0,
        n_start: int = 10,
        seed: int = 0,
    ) -> None:
        self.X = np.asarray(X, dtype=np.float64)
        self.epsilon = np.asarray(epsilon, dtype=np.float64)
        if self.X.ndim != 2 or not np.isfinite(self.X).all():
            raise DataError(f"X must be finite numbers of shape (N, D), got {self.X.shape}")
        if not (self.epsilon > 0).all() or root <= 0 or not 2 <= n_start <= len(self.X):
            raise UsageError(
                f"epsilon and root must be above 0 and n_start 2 to {len(self.X)}, the number of "
                f"designs; got {epsilon}, {root} and {n_start}"
            )
        self.root, self.n_start, self.seed = root, n_start, seed
        # what is dropped may lie half an epsilon above what is kept, which may lie another half
        # above what is returned
        self._half = self.epsilon / 2.0
        spread = self.X.std(axis=0)  # the process's length scales are meant for unit variance
        self._Z = (self.X - self.X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)

    def run(self, evaluate: Evaluate, *, budget: int | None = None) -> ParetoRun:
        """Evaluate designs until all are classified.

        Args:
            evaluate: Gives a design's objectives; it is asked for each design once.
            budget: Evaluations at most; None for all designs.
        """
        N = len(self.X)
        most = N if budget is None else min(budget, N)
        rows = generator(self.seed, "pareto").permutation(N)[: self.n_start].tolist()
        values = [np.asarray(evaluate(row), dtype=np.float64) for row in rows]
        low, high = np.full((2, N, len(values[0])), np.inf) * np.array([-1.0, 1.0])[:, None, None]
        kept: Bools = np.ones(N, dtype=np.bool_)
        front: Bools = np.zeros(N, dtype=np.bool_)
        while True:
            low, high = self._boxes(rows, np.array(values), low, high)
            kept &= ~self._dropped(low, high, kept) | front
            front |= kept & self._belongs(low, high, kept)
            length = np.where(kept, np.linalg.norm(high - low, axis=1), -1.0)
            length[rows] = -1.0
            if front[kept].all() or len(rows) >= most or length.max() < 0:
                break
            rows.append(int(length.argmax()))
            values.append(np.asarray(evaluate(rows[-1]), dtype=np.float64))
        decided = bool(front[kept].all())
        found = front if decided else self._likeliest(rows, np.array(values), kept)
        return ParetoRun(np.flatnonzero(found), np.array(rows), np.array(values), decided)

    def _boxes(
        self, rows: list[int], values: Floats, low: Floats, high: Floats
    ) -> tuple[Floats, Floats]:
        """Return the boxes' corners, cut with the ones before, each of shape (N, m)."""
        new_low, new_high = low.copy(), high.copy()
        for j in range(values.shape[1]):
            model = GPRegression(noises=(1e-6, 1e-4, 1e-2)).fit(self._Z[rows], values[:, j])
            mean, deviation = model.predict(self._Z, return_std=True)
            new_low[:, j] = np.maximum(low[:, j], mean - self.root * deviation)
            new_high[:, j] = np.minimum(high[:, j], mean + self.root * deviation)
            # a kernel that changed its mind leaves no common box: the newer one counts
            empty = new_low[:, j] > new_high[:, j]
            new_low[empty, j] = (mean - self.root * deviation)[empty]
            new_high[empty, j] = (mean + self.root * deviation)[empty]
            new_low[rows, j] = new_high[rows, j] = values[:, j]
        return new_low, new_high

    def _dropped(self, low: Floats, high: Floats, kept: Bools) -> Bools:
        """Return which designs another kept one is sure to beat, up to epsilon."""
        others = np.flatnonzero(kept)
        safe = others[pareto_mask(low[others])]
        found: Bools = np.asarray(reaches(low[safe], high - self._half).any(axis=0))
        found[safe] = False  # what others are dropped for has to stay
        return found

    def _belongs(self, low: Floats, high: Floats, kept: Bools) -> Bools:
        """Return which designs no other kept one may beat by more than epsilon."""
        others = np.flatnonzero(kept)
        beats = reaches(high[others] - self._half, low)
        beats[np.arange(len(others)), others] = False
        return np.asarray(~beats.any(axis=0))

    def _likeliest(self, rows: list[int], values: Floats, kept: Bools) -> Bools:
        """Return the front of what was evaluated, where the evaluations ran out."""
        found: Bools = np.zeros(len(self.X), dtype=np.bool_)
        found[np.array(rows)[pareto_mask(values)]] = True
        return found


def reaches(values: Floats, others: Floats) -> Bools:
    """Return which values are at least others in every objective; (n, m), (k, m) to (n, k)."""
    return np.asarray((values[:, None] >= others[None]).all(axis=2), dtype=np.bool_)


def pareto_mask(values: Floats) -> Bools:
    """Return which rows no other dominates, all objectives to be maximised; (n, m) to (n,)."""
    at_least = reaches(values, values)
    return np.asarray(~(at_least & ~at_least.T).any(axis=0))


def hypervolume(values: Floats, reference: Floats) -> float:
    """Return the area that two objectives dominate above a reference point.

    Args:
        values: Objectives, to be maximised, shape (n, 2).
        reference: The worst corner, shape (2,).

    Raises:
        DataError: Another number of objectives than two.
    """
    if values.ndim != 2 or values.shape[1] != 2:
        raise DataError(f"the area is that of two objectives, got values of shape {values.shape}")
    inside = values[(values > reference).all(axis=1)]
    total, floor = 0.0, float(reference[1])
    for first, second in inside[np.lexsort((-inside[:, 1], -inside[:, 0]))]:
        if second > floor:
            total += (first - reference[0]) * (second - floor)
            floor = float(second)
    return float(total)
