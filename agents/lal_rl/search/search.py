"""Evolution strategy with mirrored perturbations, both members of a pair on the same episodes.

Source: Salimans et al. 2017, arXiv 1703.03864. The slope of the objective along a perturbation is
taken from the differences of lengths, episode by episode, over the mean length on their data set:
summed, they are the slope of the mean logarithm of mean lengths, to first order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.lal_rl.search.config import INPUTS, SIZE, TIMES_UNCERTAINTY, SearchConfig
from agents.lal_rl.search.game import Game
from lal.arrays import Bools, Floats
from lal.rng import generator, integer_seed

AVERAGED = 0.4
"""Share of a search, at its end, over which weights are averaged."""

FADING = 0.2
"""Share of a generation in the running mean lengths of the data sets."""

FIRST_MOMENT, SECOND_MOMENT = 0.9, 0.98
"""Memory of the slope and of its mean square."""

Progress = Callable[[int, float], None]
"""Called with the generations done and the geometric mean of the labels needed."""


@dataclass(frozen=True, eq=False)
class Result:
    """What a run gave: the weights of every search (S, 2 T), and the episodes and labels run."""

    searches: Floats
    n_episodes: int
    n_steps: int

    @property
    def weights(self) -> Floats:
        """The policy: the mean over the searches."""
        mean: Floats = self.searches.mean(axis=0)
        return mean


def start() -> Floats:
    """Return the weights of uncertainty sampling, by log-odds."""
    weights = np.zeros(SIZE)
    weights[INPUTS.index("log_odds_z")] = 1.0
    return weights


def free_weights(config: SearchConfig) -> Bools:
    """Return which weights a run moves, shape (2 T,)."""
    if config.control != "uncertainty_only":
        return np.ones(SIZE, dtype=np.bool_)
    names = [*INPUTS, *(f"doubt {name}" for name in TIMES_UNCERTAINTY)]
    of_doubt = np.array([name in ("doubt", "log_odds_z") for name in names])
    free: Bools = np.tile(of_doubt, 2)
    return free


def train(config: SearchConfig, data: Any, progress: Progress | None = None) -> Result:
    """Search from several streams.

    Args:
        config: The run.
        data: What `binary_pairs` accepts.
        progress: Called after every generation.
    """
    searches = [Search(config, data, number) for number in range(config.searches)]
    found = [search.run(progress) for search in searches]
    return Result(
        np.array(found), sum(s.n_episodes for s in searches), sum(s.n_steps for s in searches)
    )


class Search:
    """One search.

    Args:
        config: The run.
        data: What `binary_pairs` accepts.
        number: Of the search; names its streams.
    """

    def __init__(self, config: SearchConfig, data: Any, number: int) -> None:
        seed = integer_seed(config.seed, "game", number)
        self.config = config
        self.game = Game(data, seed=seed, n_splits=2 * config.n_episodes, refresh=1)
        self.rng = generator(config.seed, "perturbations", number)
        self.free = free_weights(config)
        self.means = np.zeros(self.game.n_sets)
        self.n_episodes = self.n_steps = 0

    def run(self, progress: Progress | None = None) -> Floats:
        """Return the weights found, averaged over the last part of the search."""
        config = self.config
        weights = start()
        slopes, squares = np.zeros(SIZE), 0.0
        kept = []
        for k in range(config.generations):
            slope = self.slope(weights, k)
            slopes = FIRST_MOMENT * slopes + (1 - FIRST_MOMENT) * slope
            squares = SECOND_MOMENT * squares + (1 - SECOND_MOMENT) * float((slope**2).mean())
            size = np.sqrt(squares / (1 - SECOND_MOMENT ** (k + 1))) + 1e-12
            step = config.step * (1.0 - 0.8 * k / config.generations)
            weights = weights - step * slopes / (1 - FIRST_MOMENT ** (k + 1)) / size
            if k >= (1.0 - AVERAGED) * config.generations:
                kept.append(weights)
            if progress is not None:
                progress(k + 1, float(np.exp(np.log(self.means[self.means > 0]).mean())))
        mean: Floats = np.mean(kept or [weights], axis=0)
        return mean

    def slope(self, weights: Floats, generation: int) -> Floats:
        """Return the estimated slope of the mean log length, shape (2 T,)."""
        config = self.config
        noise = self.rng.standard_normal((config.pairs, SIZE)) * self.free
        moves = np.concatenate([noise, -noise]) * config.spread
        played = [self.game.play(weights + move, config.n_episodes, generation) for move in moves]
        lengths = np.array([found for found, _ in played], dtype=np.float64)
        sets = played[0][1]
        self._note(lengths, sets)
        longer = lengths[: config.pairs] - lengths[config.pairs :]
        differences = (longer / self.means[sets]).mean(axis=1)
        if config.control == "shuffled_reward":
            differences = self.rng.permutation(differences)
        slope: Floats = differences @ noise / (2 * config.spread * config.pairs)
        return slope

    def _note(self, lengths: Floats, sets: Any) -> None:
        """Move the mean lengths of the data sets towards those of a generation."""
        self.n_episodes += lengths.size
        self.n_steps += int(lengths.sum())
        for i in np.unique(sets):
            mean = float(lengths[:, sets == i].mean())
            before = self.means[i]
            self.means[i] = mean if before == 0 else before + FADING * (mean - before)
