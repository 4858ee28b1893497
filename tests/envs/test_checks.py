import gymnasium
import numpy as np
import pytest

import envs
from envs.checks import (
    ContractError,
    check_by_gymnasium,
    check_contracts,
    check_pool_env,
)
from envs.pool_env import PoolEnv
from envs.sanity_task import giveaway_task
from lal.tasks.rewards import REWARDS
from lal.tasks.slates import SLATES
from lal.tasks.termination import TERMINATIONS


def scalar_ids() -> list[str]:
    """Ids that make single environments (others make only whole vectors)."""
    return [name for name in envs.registered_ids() if gymnasium.spec(name).entry_point]


@pytest.mark.parametrize("name", scalar_ids())
def test_every_id_is_clean(name):
    env = gymnasium.make(name)
    if isinstance(env.unwrapped, PoolEnv):
        check_pool_env(env)
    else:
        check_by_gymnasium(env)


@pytest.mark.parametrize("reward", REWARDS)
def test_every_reward_is_clean(reward):
    check_pool_env(PoolEnv(giveaway_task(), slate_size=12, reward=reward))


@pytest.mark.parametrize("termination", TERMINATIONS)
def test_every_ending_is_clean(termination):
    task = giveaway_task(n_cluster=8)
    check_pool_env(PoolEnv(task, slate_size=40, termination=termination, render_mode="rgb_array"))


@pytest.mark.parametrize("rule", SLATES)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_every_slate_rule_is_clean(rule, batch_size):
    check_pool_env(
        PoolEnv(
            giveaway_task(),
            slate_size=8,
            slate_rule=rule,
            batch_size=batch_size,
            label_noise=0.2,
        )
    )


def test_strict_keeps_our_contracts():
    """The other checkers do not know of masks, so only ours are asked."""
    check_contracts(PoolEnv(giveaway_task(), slate_size=80, strict=True), seed=0)


class Leaks(PoolEnv):
    """Shows the hidden label of the first offered row."""

    def _observation(self):
        observation = super()._observation()
        rows = self._slate[self._slate >= 0]
        if len(rows):
            observation["context"][0] = self.task.pool.y[rows[0]]
        return observation


class KeepsTest(PoolEnv):
    @property
    def task(self):
        from dataclasses import replace

        task = super().task
        return replace(task, test=task.reward)


class DrawsGlobally(PoolEnv):
    def step(self, action):
        np.random.random()  # noqa: NPY002
        return super().step(action)


class MasksWrongly(PoolEnv):
    def _observation(self):
        observation = super()._observation()
        observation["mask"][0] = 0
        return observation


class OffersLabelled(PoolEnv):
    def _offer(self):
        super()._offer()
        self._slate[0] = self.state.labelled[0]


class IgnoresTheSeed(PoolEnv):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=0)


class Overflows(PoolEnv):
    def _observation(self):
        observation = super()._observation()
        observation["context"][0] = 1e9
        return observation


class MovesOn(PoolEnv):
    count = 0

    def _observation(self):
        MovesOn.count += 1
        observation = super()._observation()
        observation["context"][0] = MovesOn.count % 97 / 97
        return observation


class HidesReplacement(PoolEnv):
    def _info(self, *, queried, invalid):
        return super()._info(queried=queried, invalid=False)


class CountsWrongly(PoolEnv):
    def _info(self, *, queried, invalid):
        info = super()._info(queried=queried, invalid=invalid)
        return {**info, "n_labelled": 2 * info["n_labelled"]}


BROKEN = {
    Leaks: "depends on a label that was never acquired",
    KeepsTest: "holds test rows",
    DrawsGlobally: "global random generator",
    MasksWrongly: "mask and pool_indices disagree",
    OffersLabelled: "labelled already",
    IgnoresTheSeed: "the seed changes nothing",
    Overflows: "outside the observation space",
    MovesOn: "different trajectories",
    HidesReplacement: r"info\['invalid_action'\] is wrong",
    CountsWrongly: "must grow by one a step",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda c: c.__name__)
def test_broken_environments_are_found(broken):
    env = broken(giveaway_task(), slate_size=90)
    with pytest.raises(ContractError, match=BROKEN[broken]):
        check_contracts(env, seed=0)


@pytest.mark.parametrize("broken", [Overflows, MovesOn], ids=lambda c: c.__name__)
def test_the_whole_check_refuses_them_too(broken):
    with pytest.raises(ContractError):
        check_pool_env(broken(giveaway_task(), slate_size=90))


def test_other_environments_are_refused():
    with pytest.raises(ContractError, match="expected a PoolEnv, got CartPoleEnv"):
        check_pool_env(gymnasium.make("CartPole-v1"))
