"""States of regression episodes, and what each candidate would take off the RMSE in them.

All gains of a state have a closed form: one more label moves ridge regression by Sherman and
Morrison's formula, and a Gaussian process whose kernel is held by its posterior covariance.
"""

from typing import Any

import numpy as np

from agents.imitation.trees_config import NumberTreesConfig
from agents.imitation.trees_states import Samples
from agents.training.tasks import feature_lists
from lal.arrays import Floats, Ints
from lal.episode import Episode
from lal.errors import UsageError
from lal.features import candidate_matrix, context_vector
from lal.rng import generator, integer_seed
from lal.state import QueryState
from lal.strategies.base import make_strategy, select_top
from lal.task import Part
from lal.tasks.regression_sampler import RegressionSampler

SIZES = (2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 36, 43)
"""Numbers of labels at which candidates are tried, as far as the budget goes."""

RULE = "improved_greedy_sampling"

RULE_SHARE = 0.5
"""Share of the episodes whose labels the rule acquires; in the others, half of them at random."""


def make_samples(config: NumberTreesConfig, block: int, *, measure: bool = True) -> Samples:
    """Return the samples of a block, a function of config and block alone.

    Args:
        config: How many states, and on which tasks.
        block: Number of the block.
        measure: False leaves the gains at zero.
    """
    first, end = (config.n_states * i // config.n_blocks for i in (block, block + 1))
    sampler = RegressionSampler(config.learners, budget=config.budget, max_pool=config.max_pool)
    parts: list[tuple[Floats, Floats, Ints, Ints]] = []
    number = 0
    while len(parts) < end - first:
        rng = generator(config.seed, "number_task", block, number)
        episode = Episode(sampler(rng), integer_seed(config.seed, "number_episode", block, number))
        left = end - first - len(parts)
        parts += _one_episode(config, episode, rng, first + len(parts), measure)[:left]
        number += 1
    return Samples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _one_episode(
    config: NumberTreesConfig, episode: Episode, rng: np.random.Generator, first: int, measure: bool
) -> list[tuple[Floats, Floats, Ints, Ints]]:
    """Return the states of one episode: inputs, gains, number of the state, labels acquired."""
    rule, by_rule = make_strategy(RULE), rng.random() < RULE_SHARE
    found: list[tuple[Floats, Floats, Ints, Ints]] = []
    while not episode.finished:
        state = episode.state()
        utilities = rule.utilities(state, rng)
        if episode.spent in SIZES:
            rows = _slate(state, utilities, min(config.n_candidates, len(state.open)), rng)
            gains = np.zeros(len(rows))
            if measure:
                gains = rmse_gains(episode.model, state, episode.task.reward_part(), rows,
                                   episode.task.pool.y[rows])  # fmt: skip
            n = len(rows)
            at = np.full(n, first + len(found)), np.full(n, episode.spent - episode.n_start)
            found.append((_inputs(config, state, rows), gains, *at))
        take = by_rule or rng.random() < 0.5
        row = select_top(utilities, state.open, rng)[0] if take else rng.choice(state.open)
        episode.label(int(row))
    return found


def _slate(state: QueryState, utilities: Floats, n: int, rng: np.random.Generator) -> Ints:
    """Return the rows that are tried: half of them those that the rule would ask for."""
    first = select_top(utilities, state.open, rng, n // 2)
    rest = rng.permutation(np.setdiff1d(state.open, first))[: n - len(first)]
    return np.concatenate([first, rest])


def _inputs(config: NumberTreesConfig, state: QueryState, rows: Ints) -> Floats:
    candidates, contexts = feature_lists(config)
    context = np.tile(context_vector(state, contexts), (len(rows), 1))
    return np.concatenate([context, candidate_matrix(state, candidates, rows)], axis=1)


def rmse_gains(model: Any, state: QueryState, reward: Part, rows: Ints, labels: Floats) -> Floats:
    """Return what each row's label takes off the RMSE, over the standard deviation of y, (n,).

    Args:
        model: The model fitted to the labelled rows: ridge, or `GPRegression`.
        state: The pool as it stands.
        reward: Rows that the RMSE is measured on.
        rows: Candidates, shape (n,).
        labels: Their true labels, shape (n,).

    Raises:
        UsageError: A model that has no closed form.
    """
    X = np.asarray(state.X, dtype=np.float64)
    known, new = X[state.labelled], X[rows]
    before = model.predict(reward.X)
    if type(model.estimator).__name__ == "Ridge":
        steps = _ridge_steps(model.estimator.alpha, known, new, np.asarray(reward.X))
    elif type(model.estimator).__name__ == "GPRegression":
        steps = model.estimator.steps(new, np.asarray(reward.X))
    else:
        raise UsageError(
            f"gains are known in closed form for ridge and gp, got {type(model.estimator).__name__}"
        )
    after = before[:, None] + steps * (labels - model.predict(new))
    error = np.sqrt(((after - reward.y[:, None]) ** 2).mean(axis=0))
    gains: Floats = (np.sqrt(np.mean((before - reward.y) ** 2)) - error) / reward.y.std()
    return gains


def _ridge_steps(alpha: float, known: Floats, new: Floats, asked: Floats) -> Floats:
    """Return by how much predictions move per unit of a new label's residual, (m, n).

    With M = A'A + alpha I (the intercept is not penalised), the weights move by
    ``M^-1 x (y - x'w) / (1 + x' M^-1 x)``.
    """
    A, N, Q = (np.column_stack([np.ones(len(rows)), rows]) for rows in (known, new, asked))
    penalty = alpha * np.eye(A.shape[1])
    penalty[0, 0] = 0.0
    moved = np.linalg.solve(A.T @ A + penalty, N.T)
    steps: Floats = Q @ (moved / (1.0 + (N.T * moved).sum(axis=0)))
    return steps
