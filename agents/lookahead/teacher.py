"""Look-ahead teacher: what labelling a candidate really gains, measured on the reward part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.base import candidate_matrix, context_vector
from lal.loop import METRICS, Episode, Metric, take
from lal.rng import generator
from lal.state import QueryState, Strategy
from lal.strategies.base import make_strategy, select
from lal.task import Task

TARGETS = ("accuracy", "balanced_accuracy", "log_likelihood")
"""Metrics whose gains are kept with every candidate."""


@dataclass(frozen=True)
class Teaching:
    """How a task is turned into rows.

    Attributes:
        sizes: Numbers of labels at which candidates are tried; those beyond the budget are left.
        n_candidates: Candidates tried at each size.
        share_margin: Share of them taken from the smallest margins.
        share_far: Share of them taken from the farthest rows.
        behaviours: Strategies that grow the labelled set, one drawn per task.
    """

    sizes: tuple[int, ...] = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
    n_candidates: int = 20
    share_margin: float = 0.25
    share_far: float = 0.25
    behaviours: tuple[str, ...] = ("random", "margin", "k_farthest_then_margin")


@dataclass(frozen=True, eq=False)
class Rows:
    """Candidates tried and what they gained.

    Attributes:
        features: Candidate features, shape (n, F).
        context: Context features, shape (n, G).
        gains: Gains of `TARGETS`, shape (n, 3); the model before is the zero.
        state: Number of the state a row belongs to, shape (n,).
        n_labelled: Labels of that state, shape (n,).
    """

    features: Floats
    context: Floats
    gains: Floats
    state: Ints
    n_labelled: Ints


def teach(
    task: Task,
    *,
    seed: int,
    teaching: Teaching,
    candidate_features: Sequence[str],
    context_features: Sequence[str],
    behaviour: Strategy | None = None,
) -> Rows:
    """Play one training task and try candidates at the wanted sizes.

    Args:
        task: A training task with a reward part; its test part is never looked at.
        seed: Names every stream.
        teaching: Which states, which candidates.
        candidate_features: Ids, F values in all.
        context_features: Ids, G values in all.
        behaviour: Grows the labelled set; one of `teaching.behaviours` by `seed` when None.

    Returns:
        The rows of all states visited.
    """
    rng = generator(seed, "teacher")
    strategy = behaviour or make_strategy(str(rng.choice(teaching.behaviours)))
    episode = Episode(task.blind(), seed)
    parts: list[tuple[Floats, Floats, Floats, int]] = []
    while not episode.finished:
        state = episode.state()
        if episode.spent in teaching.sizes and state.proba is not None:
            tried = choose_candidates(state, teaching, rng)
            gains = lookahead_gains(episode, tried, METRICS)
            features = candidate_matrix(state, candidate_features, tried)
            parts.append((features, context_vector(state, context_features), gains, episode.spent))
        if episode.spent >= max(teaching.sizes):
            break
        ask = select(strategy, state, episode.streams["strategy"], episode.streams["ties"])
        episode.label(int(ask[0]))
    return _stack(parts)


def _stack(parts: list[tuple[Floats, Floats, Floats, int]]) -> Rows:
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Rows(np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 3)), none, none)
    sizes = [len(f) for f, *_ in parts]
    return Rows(
        features=np.concatenate([f for f, *_ in parts]),
        context=np.concatenate([np.tile(c, (len(f), 1)) for f, c, *_ in parts]),
        gains=np.concatenate([g for *_, g, _ in parts]),
        state=np.repeat(np.arange(len(parts)), sizes),
        n_labelled=np.repeat([n for *_, n in parts], sizes),
    )


def choose_candidates(state: QueryState, teaching: Teaching, rng: np.random.Generator) -> Ints:
    """Return open rows to try: smallest margins, farthest from the labels, the rest at random."""
    open_rows = rng.permutation(state.open)
    k = min(teaching.n_candidates, len(open_rows))
    wanted: dict[int, None] = {}
    by_rule = (
        ("margin@1", False, teaching.share_margin),
        ("min_distance@1", True, teaching.share_far),
    )
    for feature, largest, share in by_rule:
        values = candidate_matrix(state, [feature], open_rows)[:, 0]
        order = np.argsort(-values if largest else values, kind="stable")
        wanted.update(dict.fromkeys(open_rows[order[: int(k * share)]].tolist()))
    wanted.update(dict.fromkeys(open_rows.tolist()))
    return np.array(list(wanted)[:k], dtype=np.int64)


def lookahead_gains(episode: Episode, tried: Ints, metrics: Mapping[str, Metric]) -> Floats:
    """Return what each candidate's label gains on the reward part, shape (n, targets).

    The true label is used: this is a teacher on training tasks. Every refit takes the same
    learner seed, so that gains differ by the label bought and not by the learner's own noise.
    """
    before = _measures(episode, episode.pool.labelled, metrics)
    rows = []
    for index in tried:
        labelled = np.sort(np.append(episode.pool.labelled, index))
        rows.append(_measures(episode, labelled, metrics) - before)
    return np.array(rows)


def _measures(episode: Episode, labelled: Ints, metrics: Mapping[str, Metric]) -> Floats:
    task, reward = episode.task, episode.task.reward_part()
    model = task.learner.fit(
        take(task.pool.X, labelled),
        task.pool.y[labelled],
        n_classes=task.n_classes,
        seed=episode.streams.learner_seed(episode.spent + 1),
    )
    proba = model.predict_proba(reward.X)
    return np.array([metrics[name](reward.y, proba) for name in TARGETS])
