"""ALBL against a trace worked out by hand, and its bandit against what a bandit must do."""

import io
from typing import Any

import numpy as np
import pytest

from lal.data.view import make_geometry
from lal.episode import run_episode
from lal.errors import UsageError
from lal.learners import make_learner
from lal.state import QueryState
from lal.strategies.albl import (
    ALBL,
    Draw,
    arm_probabilities,
    probability_floor,
    regret,
    weighted_accuracy,
)
from lal.strategies.base import (
    Acted,
    EpisodeStart,
    Observed,
    StatefulStrategyAdapter,
    make_strategy,
)
from lal.task import Part, Task


def state_of(labelled, labels, proba, n=4):
    X = np.arange(n, dtype=np.float64)[:, None]
    order = np.argsort(labelled)
    return QueryState(
        X=X,
        geometry=make_geometry(X),
        labelled=np.array(labelled, dtype=np.int64)[order],
        labels=np.array(labels, dtype=np.int64)[order],
        n_classes=2,
        classes_known=True,
        proba=np.array(proba, dtype=np.float64),
    )


class Fixed:
    """An arm that always prefers the same rows."""

    def __init__(self, *order):
        self.order = order

    def utilities(self, state, rng):
        utilities = np.zeros(state.N)
        for rank, row in enumerate(self.order):
            utilities[row] = len(self.order) - rank
        return utilities


class _Scripted:
    """A generator that draws the rows it was given, after checking they are possible."""

    def __init__(self, *rows):
        self.rows = list(rows)

    def random(self, n):
        return np.zeros(n)

    def choice(self, n, p):
        assert p.sum() == pytest.approx(1.0)
        row = self.rows.pop(0)
        assert p[row] > 0
        return row


def scripted(*rows: int) -> Any:
    return _Scripted(*rows)


def test_a_trace_by_hand():
    """Two arms (one names row 2, then 3; one is uniform over n = 4), T = 2, delta = 0.1.

    K = 2: floor = sqrt(ln 2 / 4) = 0.41628, p = (0.5, 0.5) in round 1.
    Round 1: q = (1/8, 1/8, 5/8, 1/8). Row 0 has its label already: W = 8, the model is right, so
    r = 8 / (4 * 2) = 1. Estimates: arm 1 never names row 0: 0; uniform: 1 * (1/4) * 8 = 2.
    Bonus = sqrt(ln 20 / 4) / p = 0.86541 / 0.5 = 1.73082.
    Log-weights: floor/2 * (1.73082, 3.73082) = (0.36025, 0.77653).
    Round 2: row 2 is drawn and the new model is wrong on row 0, right on row 2.
    """
    strategy = ALBL(arms=())
    strategy.arms = (Fixed(2, 3),)
    floor = np.sqrt(np.log(2) / 4)
    assert probability_floor(2, 2) == pytest.approx(floor)
    bonus = np.sqrt(np.log(20) / 4)

    before = state_of([0, 1], [0, 1], [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.5, 0.5]])
    memory = strategy.start(EpisodeStart(n_rows=4, n_queries=2))
    action = strategy.act(memory, Observed(before, scripted(0, 2)))
    assert (action.row, len(memory["drawn"])) == (2, 0)
    memory = action.memory
    np.testing.assert_allclose(memory["probabilities"][0], [0.5, 0.5])
    np.testing.assert_allclose(memory["rewards"], [1.0])
    np.testing.assert_allclose(memory["estimates"], [[0.0, 2.0]])
    log_weights = 0.5 * floor * np.array([2 * bonus, 2 + 2 * bonus])
    np.testing.assert_allclose(memory["log_weights"], log_weights)
    np.testing.assert_allclose(log_weights, [0.36025, 0.77653], atol=1e-5)

    share = np.exp(log_weights) / np.exp(log_weights).sum()
    p = (1 - 2 * floor) * share + floor
    np.testing.assert_allclose(memory["probabilities"][1], p)
    np.testing.assert_allclose(p, [0.48282, 0.51718], atol=1e-5)
    q = p[0] + p[1] / 4
    np.testing.assert_allclose(memory["importance"], [8.0, 1 / q])

    after = state_of([0, 1, 2], [0, 1, 1], [[0.4, 0.6], [0.2, 0.8], [0.3, 0.7], [0.5, 0.5]])
    memory = strategy.update(memory, Acted(action, after))
    reward = (1 / q) / 8
    np.testing.assert_allclose(memory["rewards"], [1.0, reward])
    estimate = reward * np.array([1.0, 0.25]) / q
    np.testing.assert_allclose(memory["estimates"][1], estimate)
    log_weights = log_weights + 0.5 * floor * (estimate + bonus / p)
    np.testing.assert_allclose(memory["log_weights"], log_weights)
    assert regret(memory) == pytest.approx(2.0 + estimate[1] - 1.0 - reward)


def test_probabilities_keep_their_floor():
    p = arm_probabilities(np.array([1000.0, 0.0, 0.0]), 0.1)
    np.testing.assert_allclose(p, [0.8, 0.1, 0.1])
    assert probability_floor(4, 1) == 0.25
    assert probability_floor(1, 10) == 0.0


def make_line(budget=12, learner="gaussian_nb", **options):
    X = np.random.default_rng(0).uniform(-1, 1, size=(120, 2))
    y = (X[:, 0] > 0.1).astype(np.int64)
    return Task(
        "line", "line", make_learner(learner), 2, Part(X[:60], y[:60]),
        Part(X[60:], y[60:]), budget=budget, **options,
    )  # fmt: skip


def test_one_arm_without_uniform_is_that_arm():
    task = make_line(learner="logistic_regression")  # without ties
    alone = ALBL(arms=("margin",), uniform=False)
    ours = run_episode(alone, task, seed=3)
    theirs = run_episode(make_strategy("margin"), task, seed=3)
    np.testing.assert_array_equal(np.sort(ours.queried), np.sort(theirs.queried))


def settled(strategy, action, labels, proba):
    return strategy.update({}, Acted(action, state_of([0, 1, 2, 3], labels, proba)))


def test_the_arm_that_named_a_rewarded_row_gains_share():
    """Equal probabilities, equal bonus: only the estimates differ."""
    strategy = ALBL(arms=())
    strategy.arms = (Fixed(3),)
    proba = np.array([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1], [0.9, 0.1]])
    state = state_of([0, 1, 2], [0, 1, 0], proba)
    action = strategy.act(strategy.start(EpisodeStart(4, 5)), Observed(state, scripted(3)))
    right = settled(strategy, action, [0, 1, 0, 0], proba)
    wrong = settled(strategy, action, [0, 1, 0, 1], proba)
    assert right["log_weights"][0] > right["log_weights"][1]
    assert wrong["rewards"][0] == 0.0
    assert wrong["log_weights"][0] == wrong["log_weights"][1]
    assert regret(right) > 0.0
    assert regret(wrong) == 0.0


def test_an_episode_is_repeatable_and_each_starts_anew():
    task, strategy = make_line(budget_known=True), make_strategy("albl")
    first = run_episode(strategy, task, seed=5)
    run_episode(strategy, task, seed=6)
    again = run_episode(strategy, task, seed=5)
    np.testing.assert_array_equal(first.queried, again.queried)
    assert len(set(first.queried.tolist())) == len(first.queried)


def test_a_reward_without_its_label_is_refused():
    strategy = ALBL(arms=())
    state = state_of([0], [0], np.full((4, 2), 0.5))
    action = strategy.act(strategy.start(EpisodeStart(4, 2)), Observed(state, scripted(3)))
    with pytest.raises(UsageError, match="row 3 was drawn but has no label"):
        weighted_accuracy(action.memory, state)


def test_batches_are_refused():
    with pytest.raises(UsageError, match="ALBL asks one row at a time, got batch_size 2"):
        run_episode(make_strategy("albl"), make_line(), seed=0, batch_size=2)
    with pytest.raises(UsageError, match="got batch_size 3"):
        StatefulStrategyAdapter(ALBL(), EpisodeStart(4, 2)).select_batch(
            state_of([], [], np.full((4, 2), 0.5)),
            np.random.default_rng(0),
            np.random.default_rng(0),
            3,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arms": (), "uniform": False}, "needs at least one arm"),
        ({"delta": 0.0}, r"delta must lie in \(0, 1\), got 0.0"),
        ({"horizon": 0}, "horizon and max_repeats must be at least 1"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        ALBL(**options)


def test_memory_is_plain_arrays():
    """numpy keeps it, so an episode can be resumed."""
    strategy, proba = ALBL(arms=()), np.full((4, 2), 0.5)
    state = state_of([0], [0], proba)
    memory = strategy.start(EpisodeStart(4, 2))
    action = strategy.act(memory, Observed(state, scripted(0, 3)))
    file = io.BytesIO()
    np.savez(file, **action.memory)  # type: ignore[arg-type]
    file.seek(0)
    after = Acted(Draw(action.row, dict(np.load(file))), state_of([0, 3], [0, 1], proba))
    resumed, whole = strategy.update({}, after), strategy.update({}, after._replace(action=action))
    assert set(resumed) == set(memory)
    for name, array in whole.items():
        np.testing.assert_array_equal(resumed[name], array)
