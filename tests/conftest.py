"""Tasks and a learner that tests of several packages share."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from envs.pool_env import PoolEnv
from envs.sanity_task import NearestLearner
from lal.data.datasets import load_dataset
from lal.episode import Episode
from lal.learners import make_learner
from lal.task import Part, Task
from lal.tasks.splits import make_task


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=3, help="processes that kill tests kill")


@pytest.fixture(scope="session")
def tiny_task() -> Task:
    """Four rows at 0, 1, 0.8 and 3 of classes 0, 1, 0 and 1; one nearest neighbour.

    With rows 0 and 1 labelled, 0.8 (twice in the reward part) is mistaken for class 1: accuracy
    0.6. Buying row 2 mends it (1.0), buying row 3 changes no prediction.
    """
    X = np.array([[0.0], [1.0], [0.8], [3.0]])
    y = np.array([0, 1, 0, 1])
    reward = Part(np.array([[0.0], [1.0], [0.8], [0.8], [3.0]]), np.array([0, 1, 0, 0, 1]))
    return Task(
        name="tiny",
        family="tiny",
        learner=NearestLearner(),
        n_classes=2,
        pool=Part(X, y),
        test=None,
        reward=reward,
        budget=2,
        classes_known=True,
    )


@pytest.fixture(scope="session")
def tiny_seed(tiny_task: Task) -> int:
    """A seed whose start labels are those of rows 0 and 1."""
    return next(seed for seed in range(1000) if set(Episode(tiny_task, seed).pool.order) == {0, 1})


@pytest.fixture(scope="session")
def wine_task() -> Task:
    """A real task with a test part; fewer classes are told than there are."""
    return make_task(
        load_dataset("sklearn:wine"),
        make_learner("logistic_regression"),
        seed=0,
        budget=8,
        reward_share=0.3,
        test_share=0.3,
        max_pool=60,
    )


@pytest.fixture(scope="session")
def buy() -> Callable[..., tuple]:  # type: ignore[type-arg]
    """A step that asks for a pool row by its index."""

    def buy_row(env: PoolEnv, info: dict, row: int) -> tuple:  # type: ignore[type-arg]
        slots = np.flatnonzero(info["pool_indices"] == row)
        assert len(slots) == 1, f"row {row} is not on offer"
        return env.step(int(slots[0]))

    return buy_row


@pytest.fixture(scope="session")
def with_budget() -> Callable[[Task, int], Task]:
    return lambda task, budget: replace(task, budget=budget)


class Named:
    """Stands in for a learner where only its name is looked at."""

    name = "named"

    def fit(self, X, y, *, n_classes, sample_weight=None, seed=0):
        raise AssertionError("splitting must not fit anything")


@pytest.fixture
def learner():
    return Named()
