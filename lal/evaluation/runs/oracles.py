"""Oracles: ceilings that read labels no policy has. Never strategies, never exported.

A greedy oracle tries candidates with their true labels and keeps the one whose refitted model is
best on one half of the test rows. Scored on the same half (``seen``) it shows how far test labels
can be overfitted; scored on the other half (``other``) it is the honest ceiling.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lal.arrays import Ints
from lal.curve import Curve
from lal.episode import METRICS, Episode, take
from lal.errors import DataError, UsageError
from lal.metrics import Metric
from lal.oracle import Oracle
from lal.rng import generator
from lal.strategies.base import make_strategy, select_top
from lal.task import Part, Task


@dataclass(frozen=True, eq=False)
class OracleCurves:
    """One greedy-oracle episode, measured on both halves of the test rows.

    Attributes:
        seen: Measured on the half that the oracle picked by.
        other: Measured on the half that it never saw: the honest ceiling.
        n_revealed: True labels the oracle read, acquired or not.
    """

    seen: Curve
    other: Curve
    n_revealed: int


class GreedyOracle:
    """Picks the candidate whose true label improves the model most on the selection rows.

    It is given the hidden labels explicitly, has no ``utilities`` and cannot be pickled.

    Args:
        oracle: The hidden labels of the pool.
        selection: Rows that candidates are compared on.
        metric: What is compared.
        n_candidates: Rows tried at each step: margin's own pick and random others.
    """

    def __init__(
        self, oracle: Oracle, selection: Part, *, metric: Metric, n_candidates: int = 10
    ) -> None:
        if n_candidates < 1:
            raise UsageError(f"n_candidates must be at least 1, got {n_candidates}")
        self.oracle = oracle
        self.selection = selection
        self.metric = metric
        self.n_candidates = n_candidates

    def pick(self, episode: Episode) -> int:
        """Return the best candidate; equal scores break by margin, then at random.

        Draws from the episode's strategy and tie streams, as a strategy does.
        """
        rng, ties = episode.streams["strategy"], episode.streams["ties"]
        state = episode.state()
        margin = make_strategy("margin").utilities(state, rng)
        candidates = self._candidates(state.open, int(select_top(margin, state.open, ties)[0]), rng)
        scores = np.array([self.score(episode, int(c)) for c in candidates])
        order = np.lexsort((rng.random(len(candidates)), -margin[candidates], -scores))
        return int(candidates[order[0]])

    def score(self, episode: Episode, index: int) -> float:
        """Return the metric on the selection rows after the true label of one row was added."""
        pool, task = episode.pool, episode.task
        place = int(np.searchsorted(pool.labelled, index))
        rows = np.insert(pool.labelled, place, index)
        labels = np.insert(pool.labels, place, self.oracle.reveal(index))
        model = task.learner.fit(
            take(task.pool.X, rows),
            labels,
            n_classes=task.n_classes,
            seed=episode.streams.learner_seed(len(rows)),
        )
        return self.metric(self.selection.y, model.predict_proba(self.selection.X))

    def _candidates(self, open_rows: Ints, first: int, rng: np.random.Generator) -> Ints:
        others = open_rows[open_rows != first]
        size = min(self.n_candidates - 1, len(others))
        return np.concatenate([[first], rng.choice(others, size=size, replace=False)])


def halve_test(task: Task, seed: int) -> tuple[Task, Task]:
    """Return the task twice, each with one stratified random half of the test rows.

    Strategies that are compared with an oracle run on the second task, so that all are measured on
    the same rows.

    Raises:
        DataError: Fewer than two test rows.
    """
    test = task.test_part()
    if len(test) < 2:
        raise DataError(f"task {task.name!r} has {len(test)} test rows; two halves need two")
    order = generator(seed, "halve_test").permutation(len(test))
    by_class = order[np.argsort(test.y[order], kind="stable")]
    first, second = (np.sort(by_class[start::2]) for start in (0, 1))
    return (
        replace(task, test=test.at(first)),
        replace(task, test=test.at(second)),
    )


def run_oracle(
    task: Task,
    *,
    seed: int,
    n_candidates: int = 10,
    pick_by: str = "accuracy",
    metrics: Mapping[str, Metric] = METRICS,
) -> OracleCurves:
    """Run one episode with the greedy oracle.

    Args:
        task: The task; its test rows are halved by `halve_test`.
        seed: Names every stream, as in `lal.episode.run_episode`: equal seeds share the start.
        n_candidates: Rows tried at each step.
        pick_by: Name of the metric that the oracle maximises.
        metrics: What is measured, by name.
    """
    if pick_by not in metrics:
        raise UsageError(f"unknown metric {pick_by!r}; known: {', '.join(metrics)}")
    if task.has_invalid:
        raise UsageError(
            f"the greedy oracle tries a class for every row, and task {task.name!r} has rows of no "
            "class; leave the oracles out (controls='rules')"
        )
    if task.pool.pixels is not None:
        raise UsageError(
            f"the greedy oracle tries a class for every row, and the rows of task {task.name!r} "
            "are regions of pixels; leave the oracles out (controls='rules')"
        )
    selection, kept = (half.test_part() for half in halve_test(task, seed))
    oracle = Oracle(task.pool.y)
    greedy = GreedyOracle(oracle, selection, metric=metrics[pick_by], n_candidates=n_candidates)
    episode = Episode(task, seed)
    counts = [episode.spent]
    seen, other = [episode.measure(selection, metrics)], [episode.measure(kept, metrics)]
    while not episode.finished:
        episode.label(greedy.pick(episode))
        counts.append(episode.spent)
        seen.append(episode.measure(selection, metrics))
        other.append(episode.measure(kept, metrics))
    return OracleCurves(
        seen=_curve(counts, seen, episode),
        other=_curve(counts, other, episode),
        n_revealed=oracle.n_revealed,
    )


def _curve(counts: list[int], points: list[dict[str, float]], episode: Episode) -> Curve:
    return Curve(
        n_labels=np.array(counts, dtype=np.int64),
        metrics={name: np.array([point[name] for point in points]) for name in points[0]},
        queried=episode.pool.order,
        n_start=episode.n_start,
    )
