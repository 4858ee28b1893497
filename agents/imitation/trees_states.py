"""States of simulated episodes, and what each candidate would have gained in them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.imitation.trees_config import TreesConfig
from agents.training.tasks import feature_lists, training_tasks
from lal.arrays import Floats, Ints
from lal.episode import METRICS, Episode
from lal.features import candidate_matrix, context_vector
from lal.rng import generator, integer_seed
from lal.serialization import write_atomic
from lal.state import QueryState
from lal.strategies.base import make_strategy, select_top
from lal.tasks.slates import half_uncertain_slate

MARGIN_SHARE = 0.5
"""Share of the labels before a state that margin acquired; the others were drawn uniformly."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Candidates of many states.

    Attributes:
        inputs: Context and candidate features, shape (n, G + F).
        gains: Change of the metric on the reward part, shape (n,).
        state: Number of the state that a row belongs to, shape (n,).
        bought: Labels acquired after the start before the state, shape (n,).
    """

    inputs: Floats
    gains: Floats
    state: Ints
    bought: Ints

    def save(self, path: Path) -> None:
        """Write to an npz file, atomically."""

        def write(part: Path) -> None:
            with part.open("wb") as handle:
                np.savez(
                    handle,
                    inputs=self.inputs,
                    gains=self.gains,
                    state=self.state,
                    bought=self.bought,
                )

        write_atomic(path, write)


def load_samples(paths: list[Path]) -> Samples:
    """Return the samples of several files, in their order."""
    parts = []
    for path in paths:
        with np.load(path) as found:
            parts.append({name: found[name] for name in found.files})
    return Samples(**{name: np.concatenate([p[name] for p in parts]) for name in parts[0]})


def make_samples(config: TreesConfig, block: int, *, measure: bool = True) -> Samples:
    """Return the samples of a block, a function of config and block alone.

    Args:
        config: How many, and on which tasks.
        block: Number of the block.
        measure: False leaves the gains at zero and saves their fits.
    """
    first, end = (config.n_states * i // config.n_blocks for i in (block, block + 1))
    tasks = training_tasks(config)
    parts = []
    for number in range(first, end):
        rng = generator(config.seed, "gain_state", number)
        episode = Episode(tasks(rng), integer_seed(config.seed, "gain_episode", number))
        parts.append(_one_state(config, episode, number, rng, measure))
    return Samples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _one_state(
    config: TreesConfig, episode: Episode, number: int, rng: np.random.Generator, measure: bool
) -> tuple[Floats, Floats, Ints, Ints]:
    bought = int(rng.integers(config.budget))
    _buy(episode, bought, rng)
    state = episode.state()
    rows = half_uncertain_slate(state, min(config.n_candidates, len(state.open)), rng)
    gains = _gains(episode, rows, config.metric) if measure else np.zeros(len(rows))
    n = len(rows)
    return get_inputs(config, state, rows), gains, np.full(n, number), np.full(n, bought)


def _buy(episode: Episode, n: int, rng: np.random.Generator) -> None:
    """Acquire n labels, each by margin or at random."""
    margin = make_strategy("margin")
    for _ in range(n):
        row = int(rng.choice(episode.pool.open))
        if rng.random() < MARGIN_SHARE:
            state = episode.state()
            row = int(select_top(margin.utilities(state, rng), state.open, rng)[0])
        episode.label(row)


def get_inputs(config: TreesConfig, state: QueryState, rows: Ints) -> Floats:
    """Return context and candidate features side by side, shape (n, G + F)."""
    candidate_features, context_features = feature_lists(config)
    context = np.tile(context_vector(state, context_features), (len(rows), 1))
    return np.concatenate([context, candidate_matrix(state, candidate_features, rows)], axis=1)


def _gains(episode: Episode, rows: Ints, metric: str) -> Floats:
    """Return what each row's label changes on the reward part, shape (n,)."""
    part, metrics = episode.task.reward_part(), {metric: METRICS[metric]}
    before = episode.measure(part, metrics)[metric]
    after = []
    for row in rows:
        fork = episode.fork()
        fork.label(int(row))
        after.append(fork.measure(part, metrics)[metric])
    return np.array(after) - before
