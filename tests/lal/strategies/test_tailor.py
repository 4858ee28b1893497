"""TAILOR's counts, values and draws by hand, and what a bandit must do within an episode."""

import io
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from lal.data.view import make_geometry
from lal.episode import run_episode
from lal.errors import UsageError
from lal.learners import make_learner
from lal.state import QueryState
from lal.strategies.base import (
    Acted,
    EpisodeStart,
    Observed,
    StatefulStrategyAdapter,
    make_strategy,
)
from lal.strategies.most_likely_positive import rarest_class_probability
from lal.strategies.tailor import Draw, Tailor, class_values, discounted_counts
from lal.task import Part, Task


def state_of(labels, n=8, n_classes=2, refused=()):
    rows = np.array(sorted(labels), dtype=np.int64)
    X = np.arange(n, dtype=np.float64)[:, None]
    return QueryState(
        X=X, geometry=make_geometry(X), labelled=rows,
        labels=np.array([labels[row] for row in rows], dtype=np.int64), n_classes=n_classes,
        classes_known=True, proba=None, refused=np.array(refused, dtype=np.int64),
    )  # fmt: skip


def memory_of(*drawn, n_rounds):
    rows, arms, rounds = (np.array(part, dtype=np.int64) for part in zip(*drawn, strict=True))
    return {"rows": rows, "arms": arms, "rounds": rounds, "n_rounds": np.array(n_rounds)}


class Fixed:
    """An arm that always prefers some rows."""

    def __init__(self, preferred):
        self.preferred = preferred

    def utilities(self, state, rng):
        return self.preferred + 0.1 * rng.random(state.N)


def test_values_of_classes_by_hand():
    np.testing.assert_allclose(class_values(np.array([6, 3, 1, 0])), [-1 / 6, 1 / 3, 1.0, 1.0])
    np.testing.assert_allclose(class_values(np.array([2, 2])), [0.5, 0.5])
    np.testing.assert_allclose(class_values(np.array([0])), [1.0])


def test_counts_by_hand():
    """Two rounds are over: the prior and the first round are discounted, the last is not."""
    memory = memory_of((3, 0, 0), (5, 1, 0), (4, 1, 1), (6, 1, 1), n_rounds=2)
    state = state_of({0: 1, 3: 0, 4: 1, 5: 1}, refused=[6])
    found = discounted_counts(memory, state, 2, 0.9)
    np.testing.assert_allclose(found, 0.81 + np.array([[0.9, 0.0], [0.0, 1.9]]))
    wider = discounted_counts(memory, replace(state, n_classes=3), 2, 1.0)
    np.testing.assert_allclose(wider, [[2.0, 1.0, 1.0], [1.0, 3.0, 1.0]])


def test_a_row_without_its_label_is_refused():
    with pytest.raises(UsageError, match="row 5 was requested but has no label; label it before"):
        discounted_counts(memory_of((5, 0, 0), n_rounds=1), state_of({0: 1}), 1, 0.9)


def test_arms_are_drawn_with_the_probability_of_being_best():
    """Two classes: the arm of the larger share of the rare class, Beta(4, 2) against Beta(2, 2)."""
    counts, values = np.array([[1.0, 1.0], [1.0, 3.0]]), np.array([-0.1, 1.0])
    arms = Tailor(("margin", "random"))._choose(counts, values, np.random.default_rng(0), 40_000)
    # A is the 2nd smallest of 3 uniform numbers, B the 4th of 5; all orders of the 8 are alike
    orders = [np.array(places) for places in combinations(range(8), 3)]
    ahead = np.mean([a[1] < np.setdiff1d(np.arange(8), a)[3] for a in orders])
    assert arms.mean() == pytest.approx(ahead, abs=0.01)
    uniform = Tailor(("margin", "random"), choice="uniform")
    drawn = uniform._choose(counts, values, np.random.default_rng(0), 40_000)
    assert drawn.mean() == pytest.approx(0.5, abs=0.01)


def test_arms_take_turns_without_naming_a_row_twice():
    strategy = Tailor(("random", "random", "random"))
    strategy.arms = tuple(Fixed(np.arange(8.0)) for _ in range(3))
    state, memory = state_of({0: 0}), strategy.start(EpisodeStart(8, None))
    draw = strategy.act_batch(memory, Observed(state, np.random.default_rng(0)), 5)
    assert draw.rows.tolist() == [7, 6, 5, 4, 3]
    assert draw.row == 7
    assert len(set(draw.arms.tolist())) > 1
    later = strategy.update(memory, Acted(draw, state))
    assert (later["rounds"].tolist(), int(later["n_rounds"])) == ([0] * 5, 1)
    assert len(memory["rows"]) == 0


def make_rare(budget, learner="gaussian_nb", **options):
    """One row in ten is of the rare class, which a column tells."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(240, 2))
    y = (X[:, 0] > 0.8).astype(np.int64)
    parts = Part(X[:180], y[:180]), Part(X[180:], y[180:])
    return Task("rare", "rare", make_learner(learner), 2, *parts, budget=budget, **options)


def test_labels_become_balanced():
    """One arm in five names the rare class; labels are even, where arms drawn alike give 1 in 5."""
    task = make_rare(budget=20, start=4)
    rare = (task.pool.y == 1).astype(np.float64)
    shares = []
    for choice in ("thompson", "uniform"):
        strategy = Tailor(("random",) * 5, choice=choice)
        strategy.arms = (Fixed(rare), *[Fixed(1.0 - rare)] * 4)
        curves = [run_episode(strategy, task, seed=seed, batch_size=2) for seed in range(2)]
        shares.append(np.mean([task.pool.y[curve.queried] for curve in curves]))
    assert shares[0] == pytest.approx(0.45, abs=0.1)
    assert shares[1] < 0.3


@pytest.mark.parametrize(("arm", "batch_size"), [("margin", 1), ("core_set", 5)])
def test_one_arm_alone_is_that_arm(arm, batch_size):
    task = make_rare(budget=20, learner="logistic_regression")
    ours, theirs = (
        run_episode(strategy, task, seed=3, batch_size=batch_size)
        for strategy in (Tailor((arm,)), make_strategy(arm))
    )
    np.testing.assert_array_equal(ours.queried, theirs.queried)


@pytest.mark.parametrize("classes_known", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_an_episode_is_repeatable_and_each_starts_anew(batch_size, classes_known):
    task, strategy = make_rare(budget=15, classes_known=classes_known), make_strategy("tailor")
    first, _, again = (
        run_episode(strategy, task, seed=seed, batch_size=batch_size) for seed in (5, 6, 5)
    )
    np.testing.assert_array_equal(first.queried, again.queried)
    assert len(set(first.queried.tolist())) == len(first.queried)


def test_memory_is_plain_arrays():
    strategy, state = Tailor(), state_of({0: 0})
    adapter = StatefulStrategyAdapter(strategy, EpisodeStart(8, None))
    rows = adapter.select_batch(state, np.random.default_rng(0), np.random.default_rng(0), 3)
    memory = strategy.update(adapter.memory, Acted(adapter.action, state))
    file: Any = io.BytesIO()
    arrays: Any = memory
    np.savez(file, **arrays)
    file.seek(0)
    kept = dict(np.load(file))
    after = state_of({0: 0, **{int(row): 1 for row in rows}})
    draws = [
        strategy.act_batch(one, Observed(after, np.random.default_rng(1)), 2)
        for one in (memory, kept)
    ]
    np.testing.assert_array_equal(draws[0].rows, draws[1].rows)
    assert isinstance(draws[0], Draw)


@pytest.mark.parametrize(
    ("arms", "options", "message"),
    [
        ((), {}, r"arms must be a list of one or more strategies, got \(\)"),
        ("margin", {}, "arms must be a list of one or more strategies, got 'margin'"),
        (("margin",), {"discount": 0.0}, r"discount must lie in \(0, 1\], got 0.0"),
        (("margin",), {"choice": "best"}, 'choice must be "thompson" or "uniform", got \'best\''),
    ],
)
def test_bad_options_are_refused(arms, options, message):
    with pytest.raises(UsageError, match=message):
        Tailor(arms, **options)


def test_the_rarest_class_by_hand():
    proba = np.array([[0.7, 0.2, 0.1], [0.3, 0.1, 0.6]])
    np.testing.assert_allclose(rarest_class_probability(proba, np.array([5, 1, 2])), [0.2, 0.1])
    np.testing.assert_allclose(rarest_class_probability(proba, np.array([5, 1, 1])), [0.2, 0.6])
