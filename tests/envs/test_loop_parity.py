"""The loop and the environment are one engine: equal states, utilities, picks and curves."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from envs.pool_env import PoolEnv
from lal.arrays import Floats
from lal.episode import run_episode
from lal.state import QueryState, Strategy
from lal.strategies.base import make_strategy


@dataclass
class Recorded:
    """Plays as another strategy and keeps what it saw and said."""

    inner: Strategy
    utilities_seen: list[Floats] = field(default_factory=list)
    labelled_seen: list[list[int]] = field(default_factory=list)

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        values = self.inner.utilities(state, rng)
        self.utilities_seen.append(values)
        self.labelled_seen.append(state.labelled.tolist())
        return values


def play(env: PoolEnv, strategy: Strategy, seed: int) -> tuple[list[int], list[float]]:
    _, info = env.reset(seed=seed)
    rows, curve, over = [], [info["log_likelihood"]], False
    while not over:
        _, _, terminated, truncated, info = env.step(env.strategy_action(strategy))
        rows.append(info["queried"])
        curve.append(info["log_likelihood"])
        over = terminated or truncated
    return rows, curve


@pytest.mark.parametrize("name", ["margin", "random", "entropy"])
@pytest.mark.parametrize("classes_known", [True, False])
@pytest.mark.parametrize("seed", [0, 7])
def test_loop_and_environment_give_equal_utilities(name, classes_known, seed, wine_task):
    task = replace(wine_task, classes_known=classes_known)
    in_loop, in_env = Recorded(make_strategy(name)), Recorded(make_strategy(name))
    curve = run_episode(in_loop, task, seed=seed, part="reward")
    rows, values = play(PoolEnv(task, slate_size=60), in_env, seed)
    assert rows == curve.queried[curve.n_start :].tolist()
    assert values == curve.metrics["log_likelihood"].tolist()
    assert in_env.labelled_seen == in_loop.labelled_seen
    for a, b in zip(in_env.utilities_seen, in_loop.utilities_seen, strict=True):
        np.testing.assert_array_equal(a, b)


def test_batches_are_those_of_the_loop(wine_task):
    margin = make_strategy("margin")
    curve = run_episode(margin, wine_task, seed=3, batch_size=3, part="reward")
    rows, _ = play(PoolEnv(wine_task, slate_size=60, batch_size=3), margin, 3)
    assert rows == curve.queried[curve.n_start :].tolist()
