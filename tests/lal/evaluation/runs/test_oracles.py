"""Greedy oracles: what they pick, on which half they are scored, and what they cannot become."""

import pickle

import numpy as np
import pytest

from lal.errors import DataError, FirewallError, UnknownNameError, UsageError
from lal.evaluation.runs.oracles import GreedyOracle, halve_test, run_oracle
from lal.learners import make_learner
from lal.episode import Episode, accuracy, run_episode
from lal.oracle import Oracle
from lal.state import Strategy
from lal.strategies.base import STRATEGIES, make_strategy
from lal.task import Part, Task


def noisy_task(n=160, budget=12, n_test=80):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5))
    y = (X[:, 0] + rng.normal(size=n) > 0).astype(np.int64)
    pool, test = Part(X[n_test:], y[n_test:]), Part(X[:n_test], y[:n_test])
    return Task("noisy", "noisy", make_learner("gaussian_nb"), 2, pool, test, budget=budget)


def test_halves_are_disjoint_stratified_and_the_same_for_a_seed():
    task = noisy_task()
    a, b = (half.test_part() for half in halve_test(task, 3))
    again = halve_test(task, 3)[0].test_part()
    np.testing.assert_array_equal(a.X, again.X)
    rows = {tuple(row) for part in (a, b) for row in part.X}
    assert rows == {tuple(row) for row in task.test_part().X}
    assert abs(a.y.sum() - b.y.sum()) <= 1
    assert len(a) + len(b) == 80
    with pytest.raises(DataError, match="has 1 test rows; two halves need two"):
        halve_test(noisy_task(n_test=1), 0)


def test_pick_is_the_best_of_all_candidates():
    task = noisy_task()
    judged = halve_test(task, 0)[0].test_part()
    oracle = Oracle(task.pool.y)
    greedy = GreedyOracle(oracle, judged, metric=accuracy, n_candidates=len(task.pool))
    episode = Episode(task, 0)
    n_open = len(episode.pool.open)
    picked = greedy.pick(episode)
    assert oracle.n_revealed == n_open
    scores = {int(c): greedy.score(episode, int(c)) for c in episode.pool.open}
    assert scores[picked] == max(scores.values())
    episode.label(picked)
    measured = episode.measure(judged, {"accuracy": accuracy})["accuracy"]
    assert measured == scores[picked], "the trial fit is the fit that follows"


def test_one_candidate_is_margin_itself():
    task = noisy_task()
    found = run_oracle(task, seed=2, n_candidates=1)
    for half, curve in zip(halve_test(task, 2), (found.seen, found.other), strict=True):
        margin = run_episode(make_strategy("margin"), half, seed=2)
        np.testing.assert_array_equal(curve.queried, margin.queried)
        np.testing.assert_array_equal(curve.metrics["accuracy"], margin.metrics["accuracy"])


def test_the_seen_half_flatters_the_oracle():
    task = noisy_task()
    runs = [run_oracle(task, seed=seed, n_candidates=6) for seed in range(6)]
    seen = np.mean([run.seen.area() for run in runs])
    other = np.mean([run.other.area() for run in runs])
    random = np.mean(
        [
            run_episode(make_strategy("random"), halve_test(task, s)[0], seed=s).area()
            for s in range(6)
        ]
    )
    assert seen > other
    assert seen > random + 0.02
    assert runs[0].n_revealed == 6 * 12
    assert len(runs[0].seen.n_labels) == 13


def test_oracles_are_no_strategies_and_do_not_travel():
    task = noisy_task()
    greedy = GreedyOracle(Oracle(task.pool.y), task.test_part(), metric=accuracy)
    assert not isinstance(greedy, Strategy)
    assert not [name for name in STRATEGIES if "oracle" in name]
    with pytest.raises(UnknownNameError):
        make_strategy("greedy_oracle")
    with pytest.raises(FirewallError, match="not pickled"):
        pickle.dumps(greedy)


def test_bad_use_is_refused():
    task = noisy_task()
    with pytest.raises(UsageError, match="n_candidates must be at least 1, got 0"):
        run_oracle(task, seed=0, n_candidates=0)
    with pytest.raises(UsageError, match="unknown metric 'auc'"):
        run_oracle(task, seed=0, pick_by="auc")
    with pytest.raises(FirewallError, match="is blind"):
        run_oracle(task.blind(), seed=0)
