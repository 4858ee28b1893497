import numpy as np
import pytest

pytest.importorskip("numba")
from sklearn.datasets import load_wine

from envs.checks import ContractError, check_pool_vector_env
from envs.pool_env import PoolEnv
from envs.pool_vector_env import PoolVectorEnv
from lal.data.dataset import make_dataset
from lal.learners import make_learner
from lal.tasks.splits import make_task


def wine_task():
    dataset = make_dataset("wine", *load_wine(return_X_y=True), source="test")
    learner = make_learner("gaussian_nb")
    return make_task(dataset, learner, seed=0, budget=6, reward_share=0.4, test_share=0.0)


TASK = wine_task()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strict": True, "slate_size": 200},
        {"batch_size": 2, "label_noise": 0.2},
        {"termination": "both", "reward": "step_cost", "slate_rule": "half_uncertain"},
        {"max_episode_steps": 3, "group_size": 2, "threads": 2},
    ],
)
def test_the_compiled_backend_keeps_its_contracts(options):
    check_pool_vector_env(PoolVectorEnv(4, tasks=TASK, **{"slate_size": 12, **options}))


def test_the_default_tasks_keep_them_too():
    check_pool_vector_env(PoolVectorEnv(3, n_tasks=4, refresh=1, slate_size=10), steps=45)


class Stale(PoolVectorEnv):
    """Hands out one of its buffers."""

    def _observation(self):
        return {**super()._observation(), "context": self.simulator.observations.context}


class Forgetful(PoolVectorEnv):
    """Loses the last observations."""

    def step(self, actions):
        *rest, infos = super().step(actions)
        return *rest, {k: v for k, v in infos.items() if k != "final_obs"}


class Clumsy(PoolVectorEnv):
    """Cuts fractions off and takes columns for rows."""

    def step(self, actions):
        return super().step(np.asarray(actions).astype(int).ravel())


class Leaky(PoolVectorEnv):
    """Begins all episodes anew whatever the mask."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)


class Unmasked(PoolVectorEnv):
    """Says that everything is legal."""

    def step(self, actions):
        observation, *rest = super().step(actions)
        observation["mask"][:] = 1
        return observation, *rest


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Stale, "changed in a later step"),
        (Forgetful, r"infos\['final_obs'\] must be there"),
        (Clumsy, "must be refused by a UsageError"),
        (Leaky, "touched an episode that it did not choose"),
        (Unmasked, "the mask and pool_indices disagree"),
    ],
)
def test_each_broken_contract_is_named(kind, message):
    with pytest.raises(ContractError, match=message):
        check_pool_vector_env(kind(4, tasks=TASK, slate_size=12, batch_size=2))


def test_another_kind_of_environment_is_refused():
    with pytest.raises(ContractError, match="expected a PoolVectorEnv, got PoolEnv"):
        check_pool_vector_env(PoolEnv(TASK))


def test_too_few_steps_are_said():
    with pytest.raises(ContractError, match="no episode ended in 3 steps"):
        check_pool_vector_env(PoolVectorEnv(2, tasks=TASK, slate_size=12), steps=3)
