"""Slates of a simulator: the rows offered, and what is seen of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.simulator.kernels.episodes import draw_slates
from envs.simulator.kernels.features.names import (
    CANDIDATE_KERNELS,
    CONTEXT_KERNELS,
    NEEDS_VARIANCE,
)
from envs.simulator.kernels.features.observe import SHARED, observe
from envs.simulator.pool_rules import value_limits
from envs.simulator.tables import TaskTables
from lal.arrays import Bools, Ints
from lal.features import COVERAGE_CANDIDATE_FEATURES


@dataclass(frozen=True, eq=False)
class Observations:
    """Buffers that every step overwrites; copy what must last.

    Attributes:
        candidates: Features of the offered rows, shape (E, K, F) float32, closed slots zero.
        context: Shape (E, G) float32.
        mask: Which slots may be chosen, shape (E, K) int8.
    """

    candidates: NDArray[np.float32]
    context: NDArray[np.float32]
    mask: NDArray[np.int8]

    def copy(self) -> "Observations":
        """Return arrays that last."""
        return Observations(self.candidates.copy(), self.context.copy(), self.mask.copy())

    def keep(self, seen: "Observations", ids: Ints) -> None:
        """Take over the observations of some episodes."""
        self.candidates[ids] = seen.candidates[ids]
        self.context[ids] = seen.context[ids]
        self.mask[ids] = seen.mask[ids]


class Slates:
    """The rows that E episodes offer, K each, and the observations of them.

    Args:
        tables: Tasks.
        episodes: Their episodes.
        shape: E and K.
        features: Ids of the candidate and of the context features, all with a kernel.
        uncertain_share: Share of a slate that goes to the smallest margins.
    """

    def __init__(
        self,
        tables: TaskTables,
        episodes: Any,
        shape: tuple[int, int],
        *,
        features: tuple[Sequence[str], Sequence[str]],
        uncertain_share: float,
    ) -> None:
        self._tables, self._episodes, self._share = tables, episodes, uncertain_share
        self._features, self._limits = value_limits(features[0], CANDIDATE_KERNELS)
        self._contexts, self._context_limits = value_limits(features[1], CONTEXT_KERNELS)
        self._with_variance = any(name in NEEDS_VARIANCE for name in features[0])
        self._with_coverage = any(name in COVERAGE_CANDIDATE_FEATURES for name in features[0])
        self.rows: Ints = np.full(shape, -1, dtype=np.int64)
        self.final_rows: Ints = np.full(shape, -1, dtype=np.int64)
        self.observations = Observations(
            np.zeros((*shape, len(self._features)), dtype=np.float32),
            np.zeros((shape[0], len(self._contexts)), dtype=np.float32),
            np.zeros(shape, dtype=np.int8),
        )
        self.final_observations = self.observations.copy()
        self._legal = [np.random.default_rng(0)] * shape[0]

    @property
    def bytes_per_episode(self) -> int:
        """Memory of an episode's slate and observations."""
        seen = self.observations
        arrays = (self.rows, seen.candidates, seen.context, seen.mask)
        return 2 * sum(array.nbytes for array in arrays) // len(self.rows)

    def use(self, tables: TaskTables, episodes: Any) -> None:
        """Go on with other tables, or wider arrays of the same episodes."""
        self._tables, self._episodes = tables, episodes

    def seed(self, episode: int, words: np.random.SeedSequence) -> None:
        """Name the stream that replaces an episode's closed actions."""
        self._legal[episode] = np.random.default_rng(words)

    def offer(self, ids: Ints) -> None:
        """Draw new slates and observe them; `mark` must follow."""
        t, eps, seen = self._tables.tables, self._episodes, self.observations
        draw_slates(t, eps, ids, self._share, self.rows)
        if self._with_variance:
            from envs.simulator.kernels.features.variance import observe_variance

            observe_variance(t, eps, ids, self.rows)
        observe(
            t, eps, ids, self.rows, self._features, self._contexts, self._limits,
            self._context_limits, seen.candidates, seen.context,
            np.empty(SHARED * eps.open.shape[1], np.float32),
        )  # fmt: skip
        if self._with_coverage:
            from envs.simulator.kernels.features.coverage import observe_coverage

            observe_coverage(t, eps, ids, self.rows, self._features, seen.candidates)

    def mark(self) -> None:
        """Write down which slots are open."""
        np.greater_equal(self.rows, 0, out=self.observations.mask, casting="unsafe")

    def keep(self, ids: Ints) -> None:
        """Keep the slates and observations of episodes that ended."""
        self.final_rows[ids] = self.rows[ids]
        self.final_observations.keep(self.observations, ids)

    def choose(self, slots: Ints) -> tuple[Ints, Bools]:
        """Close one slot an episode; a closed one is replaced by a uniformly drawn open one.

        Returns:
            The pool rows chosen, shape (E,), and whose slot was replaced, shape (E,).
        """
        everyone = np.arange(len(slots))
        invalid: Bools = self.rows[everyone, slots] < 0
        for e in np.flatnonzero(invalid):
            legal = np.flatnonzero(self.rows[e] >= 0)
            slots[e] = legal[int(self._legal[e].integers(len(legal)))]
        rows: Ints = self.rows[everyone, slots].copy()
        self.rows[everyone, slots] = -1
        return rows, invalid

    def close(self, rows: Ints) -> None:
        """Close the slots that offer these pool rows, one an episode."""
        self.rows[self.rows == rows[:, None]] = -1

    def hide_closed(self) -> None:
        """Zero the features of closed slots."""
        self.observations.candidates[self.rows < 0] = 0.0

    def narrowest(self, episode: int, extra: int, proba: NDArray[np.float64]) -> int:
        """Return the offered row, or `extra`, of smallest top-two margin."""
        rows = self.rows[episode][self.rows[episode] >= 0]
        rows = np.append(rows, extra)
        two = np.sort(proba[rows], axis=1)[:, -2:]
        return int(rows[np.argmin(two[:, 1] - two[:, 0])])
