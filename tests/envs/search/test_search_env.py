"""lal/Search-v0: rewards, observations and rules played in it."""

import gymnasium
import numpy as np
import pytest

import envs  # noqa: F401  (registers the ids)
from envs.checks import check_by_gymnasium, check_by_stable_baselines3
from envs.search.env import SearchEnv
from lal.errors import UsageError
from lal.search.problems import ClusteredSearch, SmallGraph


@pytest.mark.parametrize("problems", [None, SmallGraph(n=8)])
def test_both_checkers_find_nothing(problems):
    env = SearchEnv(problems, budget=4)
    check_by_gymnasium(env)
    pytest.importorskip("stable_baselines3")
    check_by_stable_baselines3(env)


def found(strategy, seed, **options):
    """Return the targets that a rule finds in an episode."""
    env = SearchEnv(**options)
    env.reset(seed=seed)
    rng, total, over = np.random.default_rng(seed), 0.0, False
    while not over:
        _, reward, over, _, info = env.step(env.act(strategy, rng))
        total += reward
    assert total == info["found"]
    return total


def test_the_return_is_the_targets_found_and_greedy_finds_more():
    counts = {name: np.mean([found(name, s) for s in range(15)]) for name in ("greedy", "random")}
    assert counts["greedy"] > counts["random"] + 2.0


def test_observations_show_the_posterior_and_no_hidden_label():
    env = SearchEnv(ClusteredSearch(n=20), budget=5)
    observation, _ = env.reset(seed=1)
    problem = env._problem
    assert problem is not None
    is_open = env.labels < 0
    p = problem.model.probabilities(env.labels)
    np.testing.assert_allclose(observation["candidates"][is_open, 0], p[is_open], rtol=1e-6)
    assert (observation["candidates"][~is_open] == 0.0).all()
    before = observation["candidates"].copy()
    problem.targets[is_open] = 1 - problem.targets[is_open]
    np.testing.assert_array_equal(env._observation(problem)["candidates"], before)


def test_a_labelled_row_is_replaced_and_reported():
    env = SearchEnv(budget=3)
    env.reset(seed=0)
    known = int(np.flatnonzero(~env.action_masks())[0])
    *_, info = env.step(known)
    assert info["invalid_action"]
    assert info["queried"] != known
    assert info["n_labelled"] == 1


def test_the_optimum_plays_in_small_graphs():
    options = {"problems": SmallGraph(n=6), "budget": 3}
    counts = {name: np.mean([found(name, s, **options) for s in range(30)])
              for name in ("optimal", "random")}  # fmt: skip
    assert counts["optimal"] > counts["random"]


@pytest.mark.parametrize("budget", [0, 60])
def test_impossible_budgets_are_refused(budget):
    with pytest.raises(UsageError, match="budget must be 1 to 59, fewer than the rows"):
        SearchEnv(budget=budget)


def test_searches_of_another_size_are_refused():
    sizes = iter([20, 21])
    env = SearchEnv(lambda rng: ClusteredSearch(n=next(sizes))(rng), budget=3)
    with pytest.raises(UsageError, match="a search has 21 rows, the first had 20"):
        env.reset(seed=0)


def test_vectorised_and_rendered():
    vector = gymnasium.make_vec("lal/Search-v0", num_envs=2, vectorization_mode="sync")
    observation, _ = vector.reset(seed=0)
    assert observation["candidates"].shape == (2, 60, 5)
    assert vector.step(observation["mask"].argmax(axis=1))[1].shape == (2,)
    env = SearchEnv(render_mode="ansi")
    env.reset(seed=0)
    env.step(int(np.flatnonzero(env.action_masks())[0]))
    assert "1 of 15 labels" in str(env.render())
