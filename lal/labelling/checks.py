"""Rows kept apart to measure an honest accuracy: every so many questions, one drawn at random."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lal.arrays import Rows
from lal.errors import UsageError
from lal.labelling.forecast import FARTHEST, FEWEST_POINTS, Forecast, Interval, forecast
from lal.labelling.label_store import LabelStore
from lal.labelling.progress import wilson
from lal.labelling.stopping import Checkpoints
from lal.labelling.stopping.base import STOP_STEP
from lal.rng import generator
from lal.task import Model

FEWEST_CHECKS = 5
"""Rows kept apart that a checked accuracy needs."""


class CheckRows:
    """Chooses the rows that are kept apart.

    One row in `every` is reserved when the project begins, drawn at random from the table; the
    policy never sees their labels and never asks for them. The draw depends on the table and the
    seed only, so a project that goes on asks as one that was never interrupted.

    Args:
        store: Labels of the project; its `reserved` rows are set.
        every: One question in so many is for a reserved row; 0 for none.
        seed: Seed of the draw.

    Raises:
        UsageError: `every` is 1 or below 0.
    """

    def __init__(self, store: LabelStore, *, every: int, seed: int) -> None:
        if every < 0 or every == 1:
            raise UsageError(f"check_every must be 0 or at least 2, got {every}")
        self.store, self.every = store, every
        self.order: list[int] = []
        if every:
            rng = generator(seed, "check rows", store.fingerprint)
            n = store.table.n_rows
            drawn = rng.permutation(n)[: n // every].tolist()
            self.order = [row for row in drawn if row not in store.given]
        store.reserved = frozenset(self.order)

    @property
    def hidden(self) -> set[int]:
        """Rows that the policy must not ask for."""
        return {*self.order, *self.store.checks}

    @property
    def open(self) -> list[int]:
        """Reserved rows that may be asked for now, in the order of the draw."""
        store = self.store
        closed = {*store.labels, *store.skipped, *store.resting}
        return [row for row in self.order if row not in closed]

    def due(self, n: int) -> list[int]:
        """Return which of the next n questions, counted from 0, are for reserved rows."""
        if not self.every:
            return []
        asked = sum(event.do == "label" for event in self.store.journal.standing)
        places = [i for i in range(n) if (asked + i + 1) % self.every == 0]
        return places[: len(self.open)]


@dataclass(frozen=True)
class CheckedAccuracy:
    """Accuracy on rows that were drawn at random and kept apart.

    Attributes:
        right: Rows predicted right.
        of: Rows.
    """

    right: int
    of: int

    def __str__(self) -> str:
        """Return it as a sentence."""
        low, high = wilson(self.right / self.of, self.of)
        return (
            f"checked accuracy {self.right / self.of:.1%} (95 % interval {low:.1%} to {high:.1%}) "
            f"on {self.of} random rows kept apart"
        )


def checked_accuracy(store: LabelStore, checkpoints: Checkpoints) -> CheckedAccuracy | None:
    """Return the accuracy of the present model on the rows kept apart; None with too few."""
    labels = list(store.training.items())
    if len(store.checks) < FEWEST_CHECKS or len({code for _, code in labels}) < 2:
        return None
    return CheckedAccuracy(_right(store, checkpoints.X, checkpoints.model(labels)), _n(store))


def checked_forecast(store: LabelStore, checkpoints: Checkpoints) -> Forecast | None:
    """Return the forecast from the learning curve on the rows kept apart.

    The models after every tenth label are measured on all of these rows.

    Returns:
        None with fewer than five such models or rows.
    """
    labels = list(store.training.items())
    counts = [
        n
        for n in range(STOP_STEP, len(labels) + 1, STOP_STEP)
        if len({code for _, code in labels[:n]}) > 1
    ]
    if len(counts) < FEWEST_POINTS or len(store.checks) < FEWEST_CHECKS:
        return None
    models = (checkpoints.model(labels[:n]) for n in counts)
    accuracies = [_right(store, checkpoints.X, model) / _n(store) for model in models]
    return forecast(counts, accuracies, of=_n(store))


def _n(store: LabelStore) -> int:
    return len(store.checks)


def _right(store: LabelStore, X: Rows, model: Model) -> int:
    rows = np.array(list(store.checks), dtype=np.int64)
    codes = np.array([store.labels[row] for row in rows.tolist()], dtype=np.int64)
    return int((model.predict(X[rows]) == codes).sum())


def forecast_lines(said: Forecast, reach: Sequence[float] = ()) -> list[str]:
    """Return a forecast in sentences: with twice and four times the labels, and to reach what."""
    lines = []
    for times in (2.0, FARTHEST):
        band = said.accuracy_with(times * said.n)
        lines.append(
            f"forecast: with {times * said.n:.0f} labels {band.value:.1%} "
            f"(90 % interval {band.low:.1%} to {band.high:.1%})"
        )
    for accuracy in reach:
        lines.append(
            f"forecast: to reach {accuracy:.1%}, {labels_text(said.labels_to(accuracy), said)} "
            f"labels in all; choosing at random {labels_text(said.random_needs(accuracy), said)}"
        )
    return lines


def labels_text(interval: Interval, said: Forecast) -> str:
    """Return a number of labels with its interval; farther than the forecast looks is "more"."""
    most = f"more than {FARTHEST * said.n:.0f}"
    if math.isinf(interval.low):
        return most
    value, high = (most if math.isinf(n) else f"{n:.0f}" for n in (interval.value, interval.high))
    ends = f"{interval.low:.0f} to {high}" if value != most else f"from {interval.low:.0f}"
    return f"{value} (90 % interval {ends})"
