"""lal/Search-v0: acquire labels one after the other; the reward is the targets found."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.copies import IndependentCopies
from envs.simulator.arguments import checked_action
from envs.text_rendering import text_image
from envs.vector import checked_seed
from lal.arrays import Ints
from lal.errors import UsageError
from lal.rng import generator
from lal.search.models import NeighbourModel
from lal.search.problems import ClusteredSearch, SearchProblem
from lal.search.strategies import SEARCH_STRATEGIES, expected_best

Observation = dict[str, NDArray[Any]]

CANDIDATE_FEATURES = ("probability", "expected_best", "targets_near", "labelled_near", "degree")
"""Columns of ``candidates``, all between 0 and 1."""

CONTEXT_FEATURES = ("left", "found", "mean_probability", "best_probability")
"""Columns of ``context``, all between 0 and 1."""


class SearchEnv(IndependentCopies, gymnasium.Env[Any, np.int64]):
    """Bayesian active search; see docs/envs/search.md.

    Args:
        problems: Hands out searches, all with equally many rows: a generator to a
            `SearchProblem`; None for `ClusteredSearch`.
        budget: T, labels of an episode.
        render_mode: None, "ansi" or "rgb_array".
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}  # noqa: RUF012 (Gymnasium form)

    def __init__(
        self,
        problems: Callable[[np.random.Generator], SearchProblem] | None = None,
        *,
        budget: int = 15,
        render_mode: str | None = None,
    ) -> None:
        self._problems = ClusteredSearch() if problems is None else problems
        self.n_rows = len(self._problems(np.random.default_rng(0)).targets)
        if not 1 <= budget < self.n_rows:
            raise UsageError(
                f"budget must be 1 to {self.n_rows - 1}, fewer than the rows; got {budget}"
            )
        self.budget, self.render_mode = budget, render_mode
        shape = (self.n_rows, len(CANDIDATE_FEATURES))
        self.observation_space = spaces.Dict(
            {
                "candidates": spaces.Box(0.0, 1.0, shape, np.float32),
                "context": spaces.Box(0.0, 1.0, (len(CONTEXT_FEATURES),), np.float32),
                "mask": spaces.MultiBinary(self.n_rows),
            }
        )
        self.action_space = spaces.Discrete(self.n_rows)
        self._problem: SearchProblem | None = None
        self._queried: list[int] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a new search; `seed` names its draw, `options` are not used."""
        seed = checked_seed(seed)
        super().reset(seed=seed)
        number = int(self.np_random.integers(2**31)) if seed is None else int(seed)
        self._problem = self._problems(generator(number, "task"))
        if len(self._problem.targets) != self.n_rows:
            raise UsageError(
                f"a search has {len(self._problem.targets)} rows, the first had {self.n_rows}; all "
                "searches of an environment need equally many"
            )
        self.labels: Ints = self._problem.known.copy()
        self._queried = []
        return self._observation(self._problem), self._info(invalid=False)

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Acquire a label; a row that has one is replaced by another, drawn from the open ones."""
        problem = self._running()
        if len(self._queried) >= self.budget:
            raise UsageError("the episode is over; call reset before the next step")
        row = checked_action(action, self.n_rows)
        invalid = bool(self.labels[row] >= 0)
        if invalid:
            row = int(self.np_random.choice(np.flatnonzero(self.action_masks())))
        self.labels[row] = problem.targets[row]
        self._queried.append(row)
        over = len(self._queried) == self.budget
        reward = float(problem.targets[row])
        return self._observation(problem), reward, over, False, self._info(invalid=invalid)

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which rows have no label yet, shape (N,)."""
        self._running()
        return np.asarray(self.labels < 0)

    def act(self, strategy: str, rng: np.random.Generator) -> int:
        """Return what a rule of `lal.search.strategies.SEARCH_STRATEGIES` would do now."""
        left = self.budget - len(self._queried)
        return SEARCH_STRATEGIES[strategy](self._running().model, self.labels, left, rng)

    def render(self) -> Any:
        """Return the labels so far as text or as an image of it; None without a mode."""
        if self.render_mode is None:
            return None
        self._running()
        found = "".join("*" if self.labels[row] == 1 else "." for row in self._queried)
        text = (
            f"search: {len(self._queried)} of {self.budget} labels, {found.count('*')} targets\n"
            f"  in order  {found}\n  all rows  {''.join('_.*'[y + 1] for y in self.labels)}"
        )
        return text if self.render_mode == "ansi" else text_image(text, 4)

    def _running(self) -> SearchProblem:
        if self._problem is None:
            raise UsageError("no episode yet; call reset first")
        return self._problem

    def _observation(self, problem: SearchProblem) -> Observation:
        labels, near = self.labels, problem.neighbours.astype(np.float64)
        is_open = labels < 0
        p = problem.model.probabilities(labels)
        columns = np.zeros((self.n_rows, len(CANDIDATE_FEATURES)))
        columns[:, 0] = p
        columns[:, 1] = self._expected_best(problem, p)
        degree = np.maximum(near.sum(axis=1), 1.0)
        columns[:, 2] = near @ (labels == 1) / degree
        columns[:, 3] = near @ (labels >= 0) / degree
        columns[:, 4] = degree / self.n_rows
        columns[~is_open] = 0.0
        left = 1.0 - len(self._queried) / self.budget
        context = [left, self._found() / self.budget, p[is_open].mean(), p[is_open].max()]
        return {
            "candidates": np.clip(columns, 0.0, 1.0).astype(np.float32),
            "context": np.clip(context, 0.0, 1.0).astype(np.float32),
            "mask": is_open.astype(np.int8),
        }

    def _expected_best(self, problem: SearchProblem, p: NDArray[np.float64]) -> Any:
        if isinstance(problem.model, NeighbourModel):
            return problem.model.expected_best(self.labels)
        best = np.zeros(self.n_rows)
        for row in np.flatnonzero(self.labels < 0):
            best[row] = expected_best(problem.model, self.labels, int(row), float(p[row]))
        return best

    def _found(self) -> int:
        return int((self.labels[self._queried] == 1).sum())

    def _info(self, *, invalid: bool) -> dict[str, Any]:
        return {
            "invalid_action": invalid, "n_labelled": len(self._queried), "found": self._found(),
            "queried": self._queried[-1] if self._queried else -1,
            "action_mask": self.action_masks().astype(np.int8),
        }  # fmt: skip
