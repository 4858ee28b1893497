"""The labelling loop: score, reveal, refit, measure, until the budget is spent."""

import copy
import time
from collections.abc import Mapping

import numpy as np

from lal.arrays import Floats, Ints, Labels
from lal.curve import Curve
from lal.data.view import make_geometry
from lal.errors import UsageError
from lal.learners.capabilities import TrainingDiary, find_capability
from lal.learners.pool_aware import bind_pool
from lal.metrics import METRICS as METRICS
from lal.metrics import Metric, task_metrics, with_group_metrics
from lal.metrics import accuracy as accuracy
from lal.metrics import balanced_accuracy as balanced_accuracy
from lal.metrics import log_likelihood as log_likelihood
from lal.oracle import Oracle
from lal.pool import Pool
from lal.pool import take as take
from lal.rng import Streams
from lal.state import QueryState, Strategy
from lal.strategies.base import EpisodeStart, select, with_memory
from lal.task import INVALID, Model, Part, Task
from lal.task_kind import REGRESSION, TaskKind, check_served


class Episode:
    """One run of a task: the pool as labelled so far and the model fitted to it.

    The loop and the environments share it, so both see the same states. Refits are lazy: `label`
    may be called several times before the next `model` or `state`.
    """

    def __init__(self, task: Task, seed: int, *, corrupt: float = 0.0) -> None:
        self.task = task
        self.streams = Streams(seed)
        self.geometry = make_geometry(task.pool.X)
        pixels = task.pool.pixels
        self.pool = Pool(task.pool.X, task.n_classes, 0 if pixels is None else pixels.shape[1])
        self.learner = bind_pool(task.learner, task.pool.X)
        self.corrupt = corrupt
        self._oracle = Oracle(task.pool.y, pixels)
        self._model: Model | None = None
        self._buy_start()
        self.n_start = self.spent

    def _buy_start(self) -> None:
        order = self.streams["start"].permutation(len(self.pool))
        if self.task.balanced_start:
            order = _in_turns(order, self.task.pool.y)
        start = self.task.start
        for index in order:
            done = self.pool.n_seen >= 2 if start == "two_classes" else self.spent >= start
            if done or not len(self.pool.open) > 1:
                return
            self.label(int(index))

    @property
    def spent(self) -> int:
        """Labels paid so far, start included; the answer that a row is of no class costs one."""
        return self.pool.n_asked

    @property
    def budget_total(self) -> int:
        """Labels that may be acquired in all, start included; never more than the pool has."""
        return min(self.n_start + self.task.budget, len(self.pool))

    @property
    def finished(self) -> bool:
        """Whether the budget is spent or nothing is left to ask."""
        return self.spent >= self.budget_total

    def label(self, index: int) -> float:
        """Acquire the label of one row and return it, `INVALID` for a row of no class of the task.

        With `corrupt`, a class is replaced by a uniformly drawn one with that probability; a number
        gets normal noise of that many standard deviations of the pool's labels. A region whose
        class was replaced has the drawn class in all its pixels.
        """
        if not 0 <= index < len(self.pool):
            raise UsageError(f"sample {index} is not in the pool of {len(self.pool)} samples")
        if index in self.pool.labelled:
            raise UsageError(f"sample {index} is already labelled; ask for an open one")
        answer = self._oracle.reveal(index)
        if answer == INVALID and self.task.kind != REGRESSION:
            self.pool.refuse(index)
            return INVALID
        label, pixels = self._corrupted(answer), self._oracle.pixels(index)
        if pixels is not None and label != answer:
            pixels = np.full_like(pixels, int(label))
        self.pool.add(index, label, pixels)
        self._model = None
        return label

    def _corrupted(self, label: float) -> float:
        if not self.corrupt:
            return label
        noise = self.streams["noise"]
        if self.task.kind == REGRESSION:
            return label + self.corrupt * float(self.task.pool.y.std()) * noise.normal()
        if noise.random() < self.corrupt:
            return int(noise.integers(self.task.n_classes))
        return label

    def fork(self) -> "Episode":
        """Return an independent copy at this point: nothing that it does changes this episode."""
        twin = copy.copy(self)
        twin.streams = copy.deepcopy(self.streams)
        twin._oracle = Oracle(self.task.pool.y, self.task.pool.pixels)
        twin.pool = self.pool.copy()
        return twin

    @property
    def model(self) -> Model:
        """The task model fitted to what was labelled, over all classes of the task."""
        if self._model is None:
            self._model = self._fit(self.task.n_classes, self.pool.targets)
        return self._model

    def _fit(self, n_classes: int, labels: Labels) -> Model:
        rows = self.pool.labelled
        return self.learner.fit(
            take(self.task.pool.X, rows),
            labels,
            n_classes=n_classes,
            seed=self.streams.learner_seed(len(rows)),
        )

    def state(self) -> QueryState:
        """Return the state that a strategy may look at."""
        if self.task.kind == REGRESSION:
            return self._number_state()
        seen = np.unique(self.pool.targets)  # where rows are regions, the classes of their pixels
        known = self.task.classes_known
        n_classes = self.task.n_classes if known else len(seen)
        labels = self.pool.labels if known else np.searchsorted(seen, self.pool.labels)
        ready = len(seen) >= 2
        model = _Seen(self.model, seen) if ready and not known else self.model
        return QueryState(
            X=self.task.pool.X,
            geometry=self.geometry,
            labelled=self.pool.labelled,
            labels=labels,
            n_classes=n_classes,
            classes_known=known,
            proba=model.predict_proba(self.task.pool.X) if ready else None,
            model=model if ready else None,
            budget=self.budget_total if self.task.budget_known else None,
            learner=self.learner,
            refused=self.pool.refused,
        )

    def _number_state(self) -> QueryState:
        """Return the state of a regression task."""
        ready = self.spent > 0
        return QueryState(
            X=self.task.pool.X,
            geometry=self.geometry,
            labelled=self.pool.labelled,
            labels=self.pool.labels,
            n_classes=0,
            classes_known=False,
            proba=None,
            model=self.model if ready else None,
            budget=self.budget_total if self.task.budget_known else None,
            learner=self.learner,
            kind=REGRESSION,
            prediction=self.model.predict(self.task.pool.X) if ready else None,
        )

    def measure(self, part: Part, metrics: Mapping[str, Metric]) -> dict[str, float]:
        """Return the metrics of the present model on the rows of a part."""
        return measure_model(self.model, part, self.task.kind, metrics)


def measure_model(
    model: Model, part: Part, kind: TaskKind, metrics: Mapping[str, Metric]
) -> dict[str, float]:
    """Return metrics of a model on the rows of a part, or on the pixels where rows are regions."""
    if part.pixels is not None:
        found = find_capability(model, "pixel_proba", part.X)
        if found is None:
            raise UsageError(
                f"the rows are regions of {part.pixels.shape[1]} pixels, and "
                f"{type(model).__name__} does not predict pixels; use "
                'the learner lal.make_learner("segmentation", ...)'
            )
        answer: Floats = found.reshape(-1, model.n_classes)
    else:
        answer = model.predict(part.X) if kind == REGRESSION else model.predict_proba(part.X)
    return {name: metric(part.targets.ravel(), answer) for name, metric in metrics.items()}


class _Seen:
    """A model's view over the classes seen so far, for a strategy that is not given C."""

    def __init__(self, model: Model, seen: Ints) -> None:
        self.full, self.seen, self.n_classes = model, seen, len(seen)

    def _narrow(self, proba: Floats) -> Floats:
        kept = proba[..., self.seen]
        total = kept.sum(axis=-1, keepdims=True)
        narrow: Floats = np.where(
            total > 0, kept / np.where(total > 0, total, 1.0), 1.0 / len(self.seen)
        )
        return narrow

    def predict_proba(self, X: object) -> Floats:
        return self._narrow(self.full.predict_proba(X))

    def predict(self, X: object) -> Ints:
        codes: Ints = np.argmax(self.predict_proba(X), axis=1)
        return codes

    def committee_proba(self, X: object) -> Floats | None:
        members = self.full.committee_proba(X)
        return None if members is None else self._narrow(members)

    def variance(self, X: object) -> Floats | None:
        return self.full.variance(X)

    def embed(self, X: object) -> Floats | None:
        found: Floats | None = find_capability(self.full, "embed", X)
        return found

    def head_proba(self, embedding: Floats) -> Floats | None:
        found = find_capability(self.full, "head_proba", embedding)
        return None if found is None else self._narrow(found)

    def sample_proba(self, X: object, n: int, rng: np.random.Generator) -> Floats | None:
        drawn = find_capability(self.full, "sample_proba", X, n, rng)
        return None if drawn is None else self._narrow(drawn)

    def pixel_proba(self, X: object) -> Floats | None:
        found = find_capability(self.full, "pixel_proba", X)
        return None if found is None else self._narrow(found)

    def pixel_samples(self, X: object, n: int, rng: np.random.Generator) -> Floats | None:
        drawn = find_capability(self.full, "pixel_samples", X, n, rng)
        return None if drawn is None else self._narrow(drawn)

    def pixel_names(self, X: object) -> Floats | None:
        found: Floats | None = find_capability(self.full, "pixel_names", X)
        return found

    def gradient_embedding(self, X: object) -> Floats | None:
        found = find_capability(self.full, "gradient_embedding", X)
        if found is None:
            return None
        by_class = found.reshape(len(found), self.full.n_classes, -1)
        kept: Floats = by_class[:, self.seen].reshape(len(found), -1)
        return kept

    def predict_loss(self, X: object) -> Floats | None:
        found: Floats | None = find_capability(self.full, "predict_loss", X)
        return found

    def annotator_error(self, X: object) -> Floats | None:
        found: Floats | None = find_capability(self.full, "annotator_error", X)
        return found

    def questions(self, X: object) -> tuple[Floats, Ints, Ints] | None:
        found: tuple[Floats, Ints, Ints] | None = find_capability(self.full, "questions", X)
        return found

    def input_gradient(self, X: object, target: Floats) -> Floats | None:
        wide = np.zeros((len(target), self.full.n_classes))
        wide[:, self.seen] = target
        found: Floats | None = find_capability(self.full, "input_gradient", X, wide)
        return found

    @property
    def diary(self) -> TrainingDiary | None:
        found: TrainingDiary | None = find_capability(self.full, "diary")
        return found

    def forest_statistics(self) -> tuple[float, Floats, float] | None:
        ask = getattr(self.full, "forest_statistics", None)
        found: tuple[float, Floats, float] | None = None if ask is None else ask()
        return found


def run_episode(
    strategy: Strategy,
    task: Task,
    *,
    seed: int,
    batch_size: int = 1,
    batch_rule: str | None = None,
    part: str = "test",
    metrics: Mapping[str, Metric] | None = None,
) -> Curve:
    """Run one episode and measure it.

    Args:
        strategy: Ranks the open rows.
        task: What is run.
        seed: Names every stream; equal seeds pair strategies (common random numbers).
        batch_size: Labels acquired between refits.
        batch_rule: Chooses batches; see `lal.strategies.base.select`.
        part: ``"test"`` for evaluation, ``"reward"`` for training.
        metrics: What is measured, by name; those of `lal.metrics` for the kind of task when None.
            Where the part has groups, those of `lal.metrics.group_metrics` are measured, too.

    Returns:
        The curve, measured after the start and after every batch.
    """
    check_served(strategy, task.kind)
    of_pixels = task.pool.pixels is not None
    metrics = task_metrics(task.kind, of_pixels=of_pixels) if metrics is None else metrics
    episode = Episode(task, seed)
    where = task.test_part() if part == "test" else task.reward_part()
    metrics = with_group_metrics(metrics, where.groups)
    streams = episode.streams
    told = episode.budget_total - episode.spent if task.budget_known else None
    strategy = with_memory(strategy, EpisodeStart(len(episode.pool), told))
    points = [(episode.spent, episode.measure(where, metrics))]
    clock: list[float] = []
    while not episode.finished:
        size = min(batch_size, episode.budget_total - episode.spent)
        state = episode.state()
        began = time.perf_counter()
        pair = streams["strategy"], streams["ties"]
        chosen = select(strategy, state, *pair, size, batch_rule=batch_rule)
        clock.append(time.perf_counter() - began)
        for index in chosen:
            episode.label(int(index))
        points.append((episode.spent, episode.measure(where, metrics)))
    return Curve(
        n_labels=np.array([n for n, _ in points], dtype=np.int64),
        metrics={k: np.array([m[k] for _, m in points]) for k in metrics},
        queried=episode.pool.order,
        n_start=episode.n_start,
        n_all_seen=_n_all_seen(episode),
        query_seconds=float(np.mean(clock)) if clock else 0.0,
        query_p95=float(np.quantile(clock, 0.95)) if clock else 0.0,
    )


def _in_turns(order: Ints, y: Labels) -> Ints:
    """Return an order in which the classes take turns; rows of no class come last."""
    turn = np.full(len(order), len(order))
    for code in np.unique(y[y != INVALID]):
        places = np.flatnonzero(y[order] == code)
        turn[places] = np.arange(len(places))
    return order[np.argsort(turn, kind="stable")]


def _n_all_seen(episode: Episode) -> int | None:
    wanted = set(np.unique(episode.task.answered().targets).tolist())
    acquired = episode.task.pool.targets[episode.pool.order]
    for n, answer in enumerate(acquired, start=1):
        wanted.difference_update(np.atleast_1d(answer).tolist())
        if not wanted:
            return n
    return None
