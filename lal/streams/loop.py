"""Playing a stream: one item at a time, ask or skip, everything at exactly the same total cost."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError
from lal.learners.incremental import INCREMENTAL_LEARNERS
from lal.streams.features import StreamEvent, StreamItem
from lal.streams.strategies import Classifies, InfersLabels, StreamStrategy
from lal.streams.tasks import Stream


class StreamWorld(Protocol):
    """A stream with its task model; only what runs it may call `learn`, `wrong` and `quality`."""

    costs: Floats
    """Cost of each item's label, shape (n,)."""

    def item(self, t: int) -> StreamItem:
        """Return what is known of item t before its label, under the model as it is."""
        ...

    def wrong(self, t: int) -> float:
        """Return the share of item t that the model has wrong; for scores and acquired labels."""
        ...

    def learn(self, t: int) -> None:
        """Give the label of item t to the model."""
        ...

    def label(self, t: int) -> int | None:
        """Return the class code of row t, for acquired labels; None where there is not one."""
        ...

    def quality(self, t: int) -> float:
        """Return how good the model is after item t, 0 to 1, on what strategies never see."""
        ...


@runtime_checkable
class LearnsInferred(Protocol):
    """A world whose model can learn a label that was inferred, right or wrong."""

    def learn_as(self, t: int, label: int) -> None:
        """Give item t to the model with this label."""
        ...


class TableWorld:
    """A stream of table rows and an incremental learner.

    Args:
        stream: Rows in the order of arrival.
        learner: Name of `INCREMENTAL_LEARNERS`.
        ahead: Rows still to come on which `quality` is the mean probability of the right class.
    """

    def __init__(
        self, stream: Stream, *, learner: str = "windowed_softmax", ahead: int = 100
    ) -> None:
        self.stream, self.ahead = stream, ahead
        self.costs: Floats = np.ones(len(stream.y))
        make = INCREMENTAL_LEARNERS[learner]
        self.model = make(stream.X.shape[1], stream.n_classes)

    def item(self, t: int) -> StreamItem:
        """Return the probabilities and the row."""
        x = self.stream.X[t]
        return StreamItem(self.model.predict_proba(x), x=x)

    def wrong(self, t: int) -> float:
        """Return 1 when the model's class is not the row's, else 0."""
        proba = self.model.predict_proba(self.stream.X[t])
        return float(proba.argmax() != self.stream.y[t])

    def learn(self, t: int) -> None:
        """Learn the label of row t."""
        self.model.partial_fit(self.stream.X[t], int(self.stream.y[t]))

    def learn_as(self, t: int, label: int) -> None:
        """Learn row t with a label that was inferred, right or wrong."""
        self.model.partial_fit(self.stream.X[t], label)

    def label(self, t: int) -> int:
        """Return the class code of row t."""
        return int(self.stream.y[t])

    def quality(self, t: int) -> float:
        """Return the right class's mean probability over the next rows (at the end: the last)."""
        first = max(min(t + 1, len(self.stream.y) - self.ahead), 0)
        rows = slice(first, first + self.ahead)
        X, y = self.stream.X[rows], self.stream.y[rows]
        return float(self.model.predict_proba(X)[np.arange(len(y)), y].mean())


class StreamEpisode:
    """One pass over a stream; the environment and `run_stream` share it.

    The total cost is the same whoever decides: a label that would exceed it is refused, and once
    what is left to spend covers all items to come, every one of them is acquired.
    """

    def __init__(self, world: StreamWorld, *, budget: float) -> None:
        if not 0.0 < budget <= 1.0:
            raise UsageError(f"budget must lie above 0 and up to 1, got {budget}")
        self.world, self.t, self.spent = world, 0, 0.0
        self._left = world.costs[::-1].cumsum()[::-1]
        self.total = float(budget * self._left[0])
        self.asked: Bools = np.zeros(len(world.costs), dtype=np.bool_)
        self.errors: Floats = np.zeros(len(world.costs))
        self.inferred: Ints = np.full(len(world.costs), -1)
        self._item: StreamItem | None = None

    @property
    def over(self) -> bool:
        """Whether all items have passed."""
        return self.t == len(self.asked)

    def item(self) -> StreamItem:
        """Return the present item."""
        if self._item is None:
            self._item = self.world.item(self.t)
        return self._item

    def decide(
        self, ask: bool, inferred: int | None = None, *, learn_inferred: bool = False
    ) -> StreamEvent:
        """Acquire or skip the present item and go on; the event says what came of it.

        Args:
            ask: Whether to acquire its label.
            inferred: Label that the strategy is sure of; it counts where the item is skipped.
            learn_inferred: Whether the model learns it, as if it had been acquired.
        """
        t, item = self.t, self.item()
        error = self.world.wrong(t)
        affordable = self.spent + item.cost <= self.total + 1e-9
        forced = self._left[t] <= self.total - self.spent + 1e-9
        asked = bool(affordable and (ask or forced))
        self.errors[t], self.asked[t] = error, asked
        if asked:
            self.world.learn(t)
            self.spent += item.cost
        elif inferred is not None:
            self.inferred[t] = inferred
            if learn_inferred and isinstance(self.world, LearnsInferred):
                self.world.learn_as(t, inferred)
        self.t += 1
        self._item = None
        if not asked:
            return StreamEvent(item, asked)
        return StreamEvent(item, asked, error, self.world.label(t))


@dataclass(frozen=True)
class StreamRun:
    """What came of a stream.

    Attributes:
        errors: Share of each item that the model had wrong when it passed, shape (n,).
        asked: Which labels were acquired, shape (n,).
        spent: Their cost.
        curve: Quality each time a share of the budget was spent; empty without `points`.
        inferred: Class codes that the strategy inferred without asking, -1 elsewhere, shape (n,).
        answers: Class codes that the strategy itself gave each item before its label, `REJECT`
            where it rejected; empty for strategies without a classifier of their own.
    """

    errors: Floats
    asked: Bools
    spent: float
    curve: Floats
    inferred: Ints
    answers: Ints

    @property
    def accuracy(self) -> float:
        """Prequential accuracy: each item is predicted before its label may be acquired."""
        return 1.0 - float(self.errors.mean())


def run_stream(
    strategy: StreamStrategy,
    world: StreamWorld,
    *,
    budget: float = 0.1,
    points: int = 0,
    learn_inferred: bool = False,
) -> StreamRun:
    """Run a stream with a strategy.

    Args:
        strategy: From `lal.streams.strategies.STREAM_STRATEGIES`, or a stream policy.
        world: Stream and model, fresh.
        budget: Share of the stream's cost that is spent.
        points: Points of the quality curve, at equal shares of the budget.
        learn_inferred: Whether the model also learns the labels that the strategy infers
            (`lal.streams.strategies.InfersLabels`), right or wrong.

    Raises:
        UsageError: `learn_inferred` in a world whose model cannot be told an inferred label.
    """
    if learn_inferred and not isinstance(world, LearnsInferred):
        raise UsageError(
            f"{type(world).__name__} cannot learn inferred labels; leave learn_inferred off, or "
            "give it a method learn_as(t, label)"
        )
    episode = StreamEpisode(world, budget=budget)
    memory = strategy.start({"budget": budget})
    curve: list[float] = []
    answers: list[int] = []
    while not episode.over:
        item = episode.item()
        ask = strategy.act(memory, item)
        inferred = None
        if not ask and isinstance(strategy, InfersLabels):
            inferred = strategy.infer(memory, item)
        if isinstance(strategy, Classifies):
            answers.append(strategy.classify(memory, item))
        event = episode.decide(ask, inferred, learn_inferred=learn_inferred)
        memory = strategy.update(memory, event)
        due = points * (episode.spent + 1e-9) / episode.total
        if points and due >= len(curve) + 1:
            quality = world.quality(episode.t - 1)
            curve += [quality] * (int(due) - len(curve))
    if points:
        curve += [world.quality(episode.t - 1)] * (points - len(curve))
    return StreamRun(
        episode.errors, episode.asked, episode.spent, np.array(curve), episode.inferred,
        np.array(answers, dtype=np.int64),
    )  # fmt: skip
