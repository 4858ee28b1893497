"""What an episode shows a strategy that is not told the classes: probabilities of those seen."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal import episode as episode_module
from lal.data.dataset import make_dataset
from lal.episode import Episode, _n_all_seen, _Seen, run_episode
from lal.errors import UsageError
from lal.learners import make_learner
from lal.metrics import METRICS
from lal.rng import Streams
from lal.strategies.base import EpisodeStart
from lal.tasks.splits import make_task


class Fixed:
    """A model of three classes with given probabilities."""

    def __init__(self, proba):
        self.proba = np.asarray(proba, dtype=float)
        self.n_classes = self.proba.shape[1]

    def predict_proba(self, X):
        return self.proba

    def predict(self, X):
        return np.argmax(self.proba, axis=1)

    def committee_proba(self, X):
        return np.stack([self.proba, self.proba])

    def variance(self, X):
        return None


def test_probabilities_of_seen_classes_sum_to_one_and_keep_their_ratio():
    seen = _Seen(Fixed([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]]), np.array([0, 2]))
    found = seen.predict_proba(None)
    np.testing.assert_allclose(found[0], [0.4, 0.6])
    np.testing.assert_allclose(found[1], [0.5, 0.5])  # no mass on what was seen: uniform
    assert seen.predict(None).tolist() == [1, 0]
    members = seen.committee_proba(None)
    assert members is not None
    np.testing.assert_allclose(members, np.stack([found, found]))


@pytest.mark.parametrize("known", [True, False])
def test_a_state_has_as_many_columns_as_the_strategy_may_know(known):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [40, 40, 4])
    X = rng.normal(0, 1, (84, 2)) + 3.0 * y[:, None]
    task = make_task(
        make_dataset("d", X, y, source="test:d", family="d"), make_learner("gaussian_nb"),
        seed=0, budget=5, test_share=0.25, classes_known=known,
    )  # fmt: skip
    state = Episode(task, 0).state()
    seen = len(np.unique(state.labels))
    assert seen == 2
    assert state.n_classes == (3 if known else 2)
    assert state.proba is not None
    assert state.proba.shape[1] == state.n_classes
    np.testing.assert_allclose(state.proba.sum(axis=1), 1.0)


def test_a_fork_is_independent_and_continues_alike():
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    data = make_dataset("d", rng.normal(0, 1, (60, 2)) + y[:, None], y, source="test:d", family="d")
    task = make_task(data, make_learner("gaussian_nb"), seed=0, budget=5, test_share=0.25)
    episode = Episode(task, 0)
    copy, spent = episode.fork(), episode.spent
    row = int(episode.pool.open[0])
    assert copy.label(row) == episode.task.pool.y[row]
    assert (copy.spent, episode.spent) == (spent + 1, spent)
    assert episode.label(row) == copy.pool.labels[np.searchsorted(copy.pool.labelled, row)]
    assert episode.pool.order.tolist() == copy.pool.order.tolist()
    assert episode.streams["strategy"].random() == copy.streams["strategy"].random()


def test_in_a_balanced_start_classes_take_turns_and_rare_ones_run_out():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 60, 6])
    X = rng.normal(0, 1, (126, 2)) + 3.0 * y[:, None]
    data = make_dataset("d", X, y, source="test:d", family="d")

    def make(start, **more):
        return make_task(
            data, make_learner("gaussian_nb"), seed=0, budget=5, test_share=0.25, start=start,
            balanced_start=True, **more,
        )  # fmt: skip

    def labels(start, seed=0, **more):
        task = make(start, **more)
        order = Episode(task, seed).pool.order
        return task.pool.y[order], order

    for seed in range(5):
        assert sorted(labels(3, seed)[0]) == [0, 1, 2]
        assert (
            sorted(labels("two_classes", seed)[0])[0] != sorted(labels("two_classes", seed)[0])[1]
        )
    rare = int((make(3).pool.y == 2).sum())
    assert 0 < rare < 10
    counts = np.bincount(labels(30)[0])
    assert counts[2] == rare
    assert abs(counts[0] - counts[1]) <= 1
    assert not np.array_equal(labels(3, 0)[1], labels(3, 1)[1])
    known = labels(6, conditions=["unknown_classes?share=0.3"])[0]
    assert sorted(known) == [0, 0, 0, 1, 1, 1]


class Deep(Fixed):
    """A model of four classes with every capability."""

    diary = "diary"

    def __init__(self):
        super().__init__([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]])
        self.given = []

    def variance(self, X):
        return f"variance of {X}"

    def embed(self, X):
        return f"embedding of {X}"

    def head_proba(self, embedding):
        self.given.append(embedding)
        return self.proba

    def sample_proba(self, X, n, rng):
        self.given.append((X, n, rng))
        return np.stack([self.proba] * n)

    def pixel_proba(self, X):
        self.given.append(X)
        return self.proba[:, None]

    pixel_samples = sample_proba

    def gradient_embedding(self, X):
        self.given.append(X)
        return np.arange(2 * 4 * 3).reshape(2, 12)

    def input_gradient(self, X, target):
        self.given.append((X, target))
        return "gradient"

    def predict_loss(self, X):
        return f"loss of {X}"

    def annotator_error(self, X):
        return f"error of {X}"

    def questions(self, X):
        return f"questions of {X}"

    def forest_statistics(self):
        return "forest"


NARROW = [[1 / 3, 2 / 3], [0.75, 0.25]]
"""The classes 1 and 3 of `Deep`, summing to one."""


def test_what_a_model_gives_by_class_is_that_of_the_classes_seen():
    model = Deep()
    seen: Any = _Seen(model, np.array([1, 3]))
    np.testing.assert_allclose(seen.predict_proba("X"), NARROW)
    np.testing.assert_allclose(seen.head_proba("Z"), NARROW)
    np.testing.assert_allclose(seen.pixel_proba("X"), np.array(NARROW)[:, None])
    for drawn in (seen.sample_proba("X", 2, "rng"), seen.pixel_samples("X", 2, "rng")):
        np.testing.assert_allclose(drawn, [NARROW, NARROW])
    found = seen.gradient_embedding("X")
    assert found.tolist() == [[3, 4, 5, 9, 10, 11], [15, 16, 17, 21, 22, 23]]
    assert seen.input_gradient("X", np.array([[5.0, 6.0], [7.0, 8.0]])) == "gradient"
    X, target = model.given.pop()
    assert X == "X"
    assert target.tolist() == [[0, 5, 0, 6], [0, 7, 0, 8]]
    assert model.given == ["Z", "X", ("X", 2, "rng"), ("X", 2, "rng"), "X"]


def test_what_a_model_gives_without_classes_is_handed_on():
    seen: Any = _Seen(Deep(), np.array([1, 3]))
    assert seen.n_classes == 2
    assert (seen.embed("X"), seen.variance("X")) == ("embedding of X", "variance of X")
    assert (seen.predict_loss("X"), seen.annotator_error("X")) == ("loss of X", "error of X")
    assert (seen.questions("X"), seen.forest_statistics()) == ("questions of X", "forest")
    assert seen.diary == "diary"


def test_what_a_model_cannot_give_is_none():
    seen: Any = _Seen(Fixed([[0.2, 0.5, 0.3]]), np.array([0, 2]))
    given = [
        seen.embed("X"), seen.head_proba("Z"), seen.sample_proba("X", 2, "rng"),
        seen.pixel_proba("X"), seen.pixel_samples("X", 2, "rng"), seen.gradient_embedding("X"),
        seen.input_gradient("X", np.ones((1, 2))), seen.predict_loss("X"), seen.variance("X"),
        seen.annotator_error("X"), seen.questions("X"), seen.forest_statistics(), seen.diary,
    ]  # fmt: skip
    assert given == [None] * 13


def number_task(**changes):
    X = np.linspace(0, 1, 40)[:, None]
    data = make_dataset(
        "line", X, 3.0 * X[:, 0], source="test:line", family="line", task="regression"
    )
    return make_task(
        data, make_learner("ridge", task="regression"), seed=0, budget=5, test_share=0.25, **changes
    )


@pytest.mark.parametrize("known", [True, False])
def test_a_state_of_numbers_has_predictions_and_no_classes(known):
    episode = Episode(number_task(budget_known=known), 0)
    state = episode.state()
    assert (state.n_classes, state.classes_known, state.kind) == (0, False, "regression")
    assert state.proba is None
    assert state.model is episode.model
    assert state.learner is episode.learner
    assert state.geometry is episode.geometry
    assert state.X is episode.task.pool.X
    assert state.budget == (episode.n_start + 5 if known else None)
    np.testing.assert_array_equal(state.labelled, episode.pool.labelled)
    np.testing.assert_array_equal(state.labels, episode.pool.labels)
    np.testing.assert_array_equal(state.prediction, episode.model.predict(state.X))


def test_before_the_first_number_there_is_no_model():
    state = Episode(replace(number_task(), start=0), 0).state()
    assert len(state.labels) == 0
    assert (state.model, state.prediction) == (None, None)


def test_wrong_answers_are_classes_or_noise_in_spreads():
    """Half of the answers are drawn again from two classes, so a quarter is wrong."""
    y = np.arange(800) % 2
    X = np.random.default_rng(0).normal(size=(800, 2))
    data = make_dataset("d", X, y, source="test:d", family="d")
    task = make_task(data, make_learner("gaussian_nb"), seed=0, budget=5, test_share=0.0)
    episode = Episode(task, 1, corrupt=0.5)
    answers = np.array([episode._corrupted(1) for _ in range(800)])
    assert set(answers.tolist()) == {0, 1}
    assert (answers == 0).mean() == pytest.approx(0.25, abs=0.05)
    assert {Episode(task, 1)._corrupted(1) for _ in range(20)} == {1}
    numbers = Episode(number_task(), 1, corrupt=0.5)
    noise = np.array([numbers._corrupted(7.0) for _ in range(800)]) - 7.0
    assert noise.std() == pytest.approx(0.5 * numbers.task.pool.y.std(), rel=0.1)
    assert abs(noise.mean()) < 0.1


def test_rows_that_cannot_be_labelled_are_named():
    episode = Episode(number_task(), 0)
    n = len(episode.pool)
    for row in (-1, n):
        with pytest.raises(UsageError, match=f"sample {row} is not in the pool of {n} samples"):
            episode.label(row)
    (row,) = episode.pool.labelled[:1]
    with pytest.raises(UsageError, match=f"sample {row} is already labelled; ask for an open one"):
        episode.label(int(row))


def class_task(**changes):
    """Three classes in two columns; budget 5."""
    y = np.arange(90) % 3
    X = np.random.default_rng(3).normal(size=(90, 2)) + 2.0 * y[:, None]
    data = make_dataset("d", X, y, source="test:d", family="d")
    options = {"budget": 5, "reward_share": 0.2, **changes}
    return make_task(data, make_learner("gaussian_nb"), seed=0, test_share=0.25, **options)


class Loop:
    """Stands in for choosing: takes the last open rows, and notes what it is given."""

    def __init__(self, monkeypatch):
        self.calls: list[Any] = []
        self.times = iter([0.0, 1.0, 10.0, 12.0, 100.0, 109.0])
        monkeypatch.setattr(episode_module, "select", self.select)
        monkeypatch.setattr(episode_module, "with_memory", lambda *given: given)
        clock = SimpleNamespace(perf_counter=lambda: next(self.times))
        monkeypatch.setattr(episode_module, "time", clock)

    def select(self, strategy, state, rng, ties, size, *, batch_rule):
        self.calls.append((strategy, len(state.labelled), rng.random(), ties.random(), size,
                           batch_rule))  # fmt: skip
        return state.open[-size:]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("part", ["test", "reward"])
def test_an_episode_by_hand(known, part, monkeypatch):
    """Two, two and one label: the last batch is what the budget leaves."""
    loop, task = Loop(monkeypatch), class_task(start=4, budget_known=known)
    rule: Any = object()
    curve = run_episode(rule, task, seed=7, batch_size=2, batch_rule="greedy", part=part)
    streams, pool = Streams(7), len(task.pool)
    draws = [(streams["strategy"].random(), streams["ties"].random()) for _ in range(3)]
    given = (rule, EpisodeStart(pool, 5 if known else None))
    assert loop.calls == [
        (given, n, *drawn, size, "greedy")
        for n, size, drawn in zip((4, 6, 8), (2, 2, 1), draws, strict=True)
    ]
    assert curve.n_labels.tolist() == [4, 6, 8, 9]
    assert curve.n_labels.dtype == np.int64
    assert curve.n_start == 4
    assert curve.query_seconds == pytest.approx((1 + 2 + 9) / 3)
    assert curve.query_p95 == pytest.approx(2 + 0.9 * 7)
    twin, where = Episode(task, 7), task.test if part == "test" else task.reward
    assert where is not None
    points = [twin.measure(where, METRICS)]
    for row in curve.queried[4:].tolist():
        twin.label(row)
        points.append(twin.measure(where, METRICS))
    assert curve.queried.tolist() == twin.pool.order.tolist()
    assert list(curve.metrics) == list(METRICS)
    for name, values in curve.metrics.items():
        assert values.tolist() == [points[i][name] for i in (0, 2, 4, 5)]


def test_an_episode_measures_what_is_asked_for(monkeypatch):
    Loop(monkeypatch)
    rule: Any = object()
    metrics: Any = {"mine": lambda y, answer: len(y) + answer.shape[1] / 10}
    task = class_task(budget=1)
    assert task.test is not None
    curve = run_episode(rule, task, seed=0, metrics=metrics)
    assert list(curve.metrics) == ["mine"]
    assert curve.metrics["mine"].tolist() == [len(task.test) + 0.3] * 2


@pytest.mark.parametrize(("order", "n"), [([3, 0, 1, 2], 4), ([0, 1, 4, 2], 3), ([0, 1, 3], None)])
def test_when_all_classes_of_the_pool_were_seen(order, n):
    """Row 4 is the one of class 2 besides row 2; class 9 is asked for by nobody."""
    y = np.array([0, 1, 2, 0, 2])
    answered = SimpleNamespace(targets=y)
    task = SimpleNamespace(answered=lambda: answered, pool=SimpleNamespace(targets=y))
    episode: Any = SimpleNamespace(task=task, pool=SimpleNamespace(order=np.array(order)))
    assert _n_all_seen(episode) == n


@pytest.mark.parametrize("known", [True, False])
def test_a_state_of_classes_is_what_the_strategy_may_know(known):
    task = class_task(classes_known=known, budget_known=known)
    episode = Episode(task, 1)
    state = episode.state()
    seen = np.unique(episode.pool.labels)
    assert len(seen) == 2
    assert (state.classes_known, state.n_classes) == (known, 3 if known else 2)
    assert state.budget == (episode.n_start + 5 if known else None)
    wanted = episode.pool.labels if known else np.searchsorted(seen, episode.pool.labels)
    assert state.labels.tolist() == wanted.tolist()
    proba = episode.model.predict_proba(task.pool.X)
    narrow: Any = proba if known else proba[:, seen] / proba[:, seen].sum(axis=1, keepdims=True)
    found: Any = state.proba
    np.testing.assert_allclose(found, narrow)
    assert (state.model is episode.model) == known
    assert state.learner is episode.learner
    assert state.geometry is episode.geometry
    assert state.X is task.pool.X
    assert state.refused.tolist() == []
    assert state.labelled.tolist() == episode.pool.labelled.tolist()
    alone = Episode(replace(task, start=1), 1).state()
    assert (alone.proba, alone.model) == (None, None)


def test_a_budget_ends_with_the_pool():
    task = class_task(start=4)
    n = len(task.pool)
    for start, budget, total in ((4, 5, 9), (4, n - 4, n), (n - 1, 1, n)):
        episode = Episode(replace(task, start=start, budget=budget), 0)
        assert (episode.n_start, episode.budget_total) == (start, total)
        assert not episode.finished
    episode.label(int(episode.pool.open[0]))
    assert episode.finished
