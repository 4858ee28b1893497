"""Tasks of query synthesis, what a strategy sees of them, and the loop that runs one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from lal.arrays import Floats, Ints
from lal.curve import Curve
from lal.errors import FirewallError, UsageError
from lal.metrics import METRICS, Metric
from lal.rng import generator, integer_seed
from lal.synthesis.decoders import Decoder
from lal.synthesis.questions import INVALID, Answer, Oracle, Question, Row, ask
from lal.task import Learner, Model, Part


@dataclass(frozen=True, eq=False)
class SynthesisTask:
    """A decoder, an oracle that answers about anything, and a budget.

    Attributes:
        name: For tables.
        decoder: Turns latents into items.
        oracle: Answers; strategies never see it.
        X_pool: Real items without labels, shape (N, D).
        n_classes: C.
        learner: The task model.
        test: Rows that only evaluation sees; None for environments.
        reward: Rows that rewards are measured on, or None.
        budget: Questions after the start; an invalid answer uses one, too.
        start: Real rows that are labelled at first, until there are two classes at least.
        mark_noise: Standard deviation of marks on lines, as a share of their length.
    """

    name: str
    decoder: Decoder
    oracle: Oracle
    X_pool: Floats
    n_classes: int
    learner: Learner
    test: Part | None
    reward: Part | None = None
    budget: int = 30
    start: int = 4
    mark_noise: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a task that cannot be run."""
        if self.budget < 1 or self.start < 1:
            raise UsageError(
                f"budget and start must be at least 1, got {self.budget} and {self.start}"
            )

    def blind(self) -> "SynthesisTask":
        """Return the task without its test part."""
        return replace(self, test=None)


@dataclass(frozen=True, eq=False)
class SynthesisState:
    """What a strategy of query synthesis may look at.

    Attributes:
        decoder: Turns latents into items.
        X_pool: Real items without labels, shape (N, D).
        X: Labelled items, real or made up, shape (L, D).
        y: Their classes, shape (L,).
        weight: Their weights, shape (L,).
        rows: Real rows whose label is known.
        n_classes: C.
        model: Fitted to the labelled items.
        memo: Keeps what depends on decoder and pool alone, for a whole episode.
    """

    decoder: Decoder
    X_pool: Floats
    X: Floats
    y: Ints
    weight: Floats
    rows: Ints
    n_classes: int
    model: Model
    memo: dict[str, Any]

    @property
    def open(self) -> Ints:
        """Real rows without a label."""
        return np.setdiff1d(np.arange(len(self.X_pool)), self.rows)

    @cached_property
    def Z_pool(self) -> Floats:
        """Latents of the real items, shape (N, d)."""
        if "Z_pool" not in self.memo:
            self.memo["Z_pool"] = self.decoder.encode(self.X_pool)
        latents: Floats = self.memo["Z_pool"]
        return latents

    def proba(self, Z: Floats) -> Floats:
        """Return class probabilities of the items of latents, (n, d) to (n, C)."""
        return self.model.predict_proba(self.decoder.decode(Z))


class SynthesisStrategy(Protocol):
    """Proposes the next question; one that also has `augment` adds items of its own to the fit."""

    def propose(self, state: SynthesisState, rng: np.random.Generator) -> Question:
        """Return the next question."""
        ...


class SynthesisEpisode:
    """One run of a task; the loop and the environment share it."""

    def __init__(self, task: SynthesisTask, seed: int) -> None:
        self.task, self.seed = task, int(seed)
        self.spent = 0
        self.n_invalid = 0
        self.noise = generator(seed, "mark")
        width = task.X_pool.shape[1]
        self.X, self.y = np.zeros((0, width)), np.zeros(0, dtype=np.int64)
        self.weight = np.zeros(0)
        self.rows: list[int] = []
        self._model: Model | None = None
        self._memo: dict[str, Any] = {}
        for row in generator(seed, "start").permutation(len(task.X_pool)).tolist():
            if len(self.rows) >= task.start and len(np.unique(self.y)) >= 2:
                break
            self._add(Row(row))
        self.n_start = len(self.rows)

    @property
    def finished(self) -> bool:
        """Whether the budget is spent."""
        return self.spent >= self.task.budget

    @property
    def model(self) -> Model:
        """The learner fitted to what is labelled."""
        if self._model is None:
            self._model = self.task.learner.fit(
                self.X,
                self.y,
                n_classes=self.task.n_classes,
                # many learners take no weights, and only rules make others than 1
                sample_weight=None if (self.weight == 1.0).all() else self.weight,
                seed=integer_seed(self.seed, "learner", len(self.y)),
            )
        return self._model

    def ask(self, question: Question) -> Answer:
        """Return the answer to a question and learn from it; it costs one query.

        Raises:
            UsageError: The budget is spent.
        """
        if self.finished:
            raise UsageError(f"the budget of {self.task.budget} questions is spent")
        self.spent += 1
        return self._add(question)

    def _add(self, question: Question) -> Answer:
        task = self.task
        spread = task.mark_noise
        noise = (lambda: float(spread * self.noise.normal())) if spread else None
        answer = ask(question, task.oracle, task.decoder, task.X_pool, noise)
        self.n_invalid += not answer.valid
        if isinstance(question, Row):
            self.rows.append(question.index)
        self.learn(answer.X, answer.y, answer.weight)
        return answer

    def learn(self, X: Floats, y: Ints, weight: Floats) -> None:
        """Add labelled items to the fit; nothing is charged."""
        if (y == INVALID).any():
            raise UsageError("an item without a class cannot be learned from")
        self.X = np.concatenate([self.X, X])
        self.y = np.concatenate([self.y, y]).astype(np.int64)
        self.weight = np.concatenate([self.weight, weight])
        self._model = None

    def state(self) -> SynthesisState:
        """Return what a strategy may look at."""
        return SynthesisState(
            decoder=self.task.decoder, X_pool=self.task.X_pool, X=self.X, y=self.y,
            weight=self.weight, rows=np.array(self.rows, dtype=np.int64),
            n_classes=self.task.n_classes, model=self.model, memo=self._memo,
        )  # fmt: skip

    def measure(self, part: Part, metrics: Mapping[str, Metric] = METRICS) -> dict[str, float]:
        """Return the metrics of the present model on the rows of a part."""
        proba = self.model.predict_proba(part.X)
        return {name: metric(part.y, proba) for name, metric in metrics.items()}


def run_synthesis(strategy: SynthesisStrategy, task: SynthesisTask, *, seed: int) -> Curve:
    """Return the curve of one episode over the questions asked, invalid answers among them.

    Args:
        strategy: Proposes questions.
        task: What is run; it needs a test part.
        seed: Names every stream; equal seeds give equal starts.
    """
    if task.test is None:
        raise FirewallError(f"task {task.name!r} is blind: its test rows are not here")
    episode, rng = SynthesisEpisode(task, seed), generator(seed, "strategy")
    points = [episode.measure(task.test)]
    augment = getattr(strategy, "augment", None)
    while not episode.finished:
        before = episode.state()
        answer = episode.ask(strategy.propose(before, rng))
        if augment is not None and answer.valid:
            episode.learn(*augment(before, answer, rng))
        points.append(episode.measure(task.test))
    n = np.arange(len(points), dtype=np.int64) + episode.n_start
    return Curve(
        n_labels=n,
        metrics={name: np.array([point[name] for point in points]) for name in METRICS},
        queried=np.array(episode.rows, dtype=np.int64),
        n_start=episode.n_start,
        n_all_seen=None,
        query_seconds=0.0,
        query_p95=0.0,
    )
