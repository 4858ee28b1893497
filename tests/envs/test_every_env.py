"""What holds of every registered environment, whatever it is about."""

import copy
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest

pytest.importorskip("numba")
from gymnasium.utils.env_checker import data_equivalence

from envs.registration import OUR_IDS
from lal.errors import FirewallError, UsageError
from lal.tasks.regions import RegionSampler

IDS = OUR_IDS
NEEDS = {"lal/SequenceLabelling-v0": "pycrfsuite"}
BOXES = ("lal/Design-v0", "lal/Synthesis-v0")
DISCRETE = [name for name in IDS if name not in BOXES]
POOLS = ("lal/Pool-v0", "lal/PoolRegression-v0", "lal/Crowd-v0", "lal/Regions-v0")
MAPPINGS = (*POOLS, "lal/LalRl-v0", "lal/FewShot-v0", "lal/Search-v0", "lal/Explore-v0")
OPTIONS: dict[str, dict[str, Any]] = {name: {"slate_size": 10} for name in POOLS}
OPTIONS["lal/Regions-v0"]["tasks"] = RegionSampler(budget=6, n_pool=3, n_reward=2)


def make(name: str) -> Any:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    return gymnasium.make(name, **OPTIONS.get(name, {})).unwrapped


def legal(env: Any, step: int) -> Any:
    """Return an action that is legal and differs from step to step."""
    if hasattr(env, "action_masks"):
        allowed = np.flatnonzero(env.action_masks())
        return int(allowed[step % len(allowed)])
    if isinstance(env.action_space, gymnasium.spaces.Discrete):
        return step % int(env.action_space.n)
    return np.full(env.action_space.shape, 0.1 * (step % 5), dtype=np.float32)


def play(env: Any, n: int) -> list[Any]:
    """Return what up to n steps return."""
    steps: list[Any] = []
    for step in range(n):
        steps.append(env.step(legal(env, step)))
        if steps[-1][2] or steps[-1][3]:
            break
    return copy.deepcopy(steps)


def pickled(env: Any) -> Any:
    return pickle.loads(pickle.dumps(env))


@pytest.mark.parametrize("twin_of", [copy.copy, copy.deepcopy, pickled])
@pytest.mark.parametrize("name", IDS)
def test_copies_go_the_same_way_and_leave_the_original_alone(name, twin_of):
    env = make(name)
    env.reset(seed=1)
    play(env, 2)
    if name in POOLS and twin_of is pickled:
        with pytest.raises(FirewallError, match="an Oracle holds hidden labels and is not pickled"):
            twin_of(env)
        return
    twin = twin_of(env)
    theirs = play(twin, 3)
    assert data_equivalence(theirs, play(env, 3), exact=True)
    assert data_equivalence(twin.reset(seed=5), env.reset(seed=5), exact=True)


@pytest.mark.parametrize("name", IDS)
def test_a_step_before_the_first_reset_says_what_to_do(name):
    env = make(name)
    with pytest.raises(UsageError, match="no episode yet; call reset first"):
        env.step(0)


@pytest.mark.parametrize("name", IDS)
def test_a_step_after_the_end_says_what_to_do(name):
    env = make(name)
    env.reset(seed=0)
    for step in range(2000):
        if any(env.step(legal(env, step))[2:4]):
            break
    with pytest.raises(UsageError, match="the episode is over; call reset before the next step"):
        env.step(legal(env, 0) if not hasattr(env, "action_masks") else 0)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (0.7, "an action must be an integer, got 0.7"),
        (float("nan"), "an action must be an integer, got nan"),
        ("0", "an action must be an integer, got '0'"),
        (True, "an action must be an integer, got True"),
        (None, "an action must be an integer, got None"),
        (np.array([0]), r"an action is one integer from 0 to \d+, got an array of shape \(1,\)"),
        ([[0], [1, 2]], "an action must be integers, got a ragged list"),
        (-1, r"action -1 is not in 0 to \d+"),
        (10**6, r"action 1000000 is not in 0 to \d+"),
    ],
)
@pytest.mark.parametrize("name", DISCRETE)
def test_actions_of_another_kind_are_refused(name, action, message):
    env = make(name)
    env.reset(seed=0)
    with pytest.raises(UsageError, match=message):
        env.step(action)


@pytest.mark.parametrize("kind", [int, np.int8, np.uint64, np.array, float])
@pytest.mark.parametrize("name", DISCRETE)
def test_whole_numbers_of_any_type_are_taken(name, kind):
    env, other = make(name), make(name)
    env.reset(seed=0)
    other.reset(seed=0)
    assert data_equivalence(env.step(1), other.step(kind(1)), exact=True)


@pytest.mark.parametrize("action", [0.5, [np.nan, 0.0], [0.0, 0.0, 0.0], "x", None])
@pytest.mark.parametrize("name", BOXES)
def test_actions_of_another_shape_are_refused(name, action):
    env = make(name)
    env.reset(seed=0)
    with pytest.raises(UsageError, match="an action must be"):
        env.step(action)


@pytest.mark.parametrize("name", MAPPINGS)
def test_what_is_handed_out_does_not_change_later(name):
    env = make(name)
    observation, info = env.reset(seed=0)
    mask = env.action_masks()
    kept = copy.deepcopy((observation, info, mask))
    play(env, 3)
    assert data_equivalence((observation, info, mask), kept, exact=True)
    mask[:] = False
    assert env.action_masks().any() or env.action_masks() is not mask


@pytest.mark.parametrize("name", MAPPINGS)
def test_observations_have_keys_that_torch_can_hold(name):
    """stable-baselines3 keeps one extractor a key in a `ModuleDict`, whose own names are taken."""
    torch = pytest.importorskip("torch")
    for key in make(name).observation_space:
        assert not hasattr(torch.nn.ModuleDict(), key), key


@pytest.mark.parametrize("name", MAPPINGS)
def test_the_stock_policies_of_stable_baselines3_take_them(name):
    sb3 = pytest.importorskip("stable_baselines3")
    model = sb3.PPO("MultiInputPolicy", make(name), n_steps=8, batch_size=8, device="cpu")
    model.learn(8)
    assert model.num_timesteps == 8


@pytest.mark.parametrize("name", IDS)
def test_a_seed_names_everything_that_follows(name):
    """Also between two environments, of which one has been used before."""
    env, other = make(name), make(name)
    env.reset()
    play(env, 1)
    assert data_equivalence(env.reset(seed=3), other.reset(seed=3), exact=True)
    assert data_equivalence(play(env, 3), play(other, 3), exact=True)
    assert data_equivalence(env.reset(), other.reset(), exact=True)


@pytest.mark.parametrize("name", MAPPINGS)
def test_without_a_seed_two_environments_differ(name):
    assert not data_equivalence(make(name).reset()[0], make(name).reset()[0], exact=True)
