import numpy as np
import pytest

from envs.pool_env import PoolEnv
from lal.errors import UnknownNameError
from lal.tasks.slates import SLATES, top_two_margin


def state_of(env: PoolEnv, seed: int = 0):
    env.reset(seed=seed)
    return env.state


@pytest.mark.parametrize("name", SLATES)
@pytest.mark.parametrize("n", [1, 2, 7, 10**6])
def test_slate_holds_different_open_rows(name, n, wine_task):
    state = state_of(PoolEnv(wine_task))
    n = min(n, len(state.open))
    slate = SLATES[name](state, n, np.random.default_rng(0))
    assert len(slate) == n == len(set(slate.tolist()))
    assert np.isin(slate, state.open).all()


@pytest.mark.parametrize("name", SLATES)
def test_slate_follows_its_generator(name, wine_task):
    state = state_of(PoolEnv(wine_task))
    draws = [SLATES[name](state, 10, np.random.default_rng(s)).tolist() for s in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_random_slate_is_uniform(wine_task):
    state = state_of(PoolEnv(wine_task))
    rng = np.random.default_rng(0)
    counts = np.zeros(state.N)
    for _ in range(2000):
        counts[SLATES["random"](state, 6, rng)] += 1
    expected = 2000 * 6 / len(state.open)
    assert counts[state.labelled].sum() == 0
    assert np.abs(counts[state.open] - expected).max() < 5 * np.sqrt(expected)


def test_half_uncertain_slate_holds_the_least_certain_rows(wine_task):
    state = state_of(PoolEnv(wine_task))
    assert state.proba is not None
    order = state.open[np.argsort(top_two_margin(state.proba)[state.open])]
    certain_half_seen: set[int] = set()
    for seed in range(30):
        slate = SLATES["half_uncertain"](state, 9, np.random.default_rng(seed))
        assert set(order[:4]) <= set(slate.tolist())
        certain_half_seen |= set(slate.tolist()) - set(order[:4])
    assert len(certain_half_seen) > 30


def test_half_uncertain_without_a_model_is_random(wine_task):
    from dataclasses import replace

    state = state_of(PoolEnv(replace(wine_task, start=1)))
    assert state.proba is None
    assert len(SLATES["half_uncertain"](state, 9, np.random.default_rng(0))) == 9


def test_top_two_margin_by_hand():
    proba = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.4, 0.4, 0.2]])
    assert top_two_margin(proba) == pytest.approx([0.2, 0.7, 0.0])


def test_unknown_rule_has_a_hint(wine_task):
    with pytest.raises(UnknownNameError, match="unknown slate rule 'randm'; did you mean 'random'"):
        PoolEnv(wine_task, slate_rule="randm")
