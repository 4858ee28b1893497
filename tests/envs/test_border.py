"""The border of every environment: whatever is passed is played or refused in one sentence."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

pytest.importorskip("numba")
from envs.lal_rl.env import LalRlVectorEnv
from envs.pool_env import PoolEnv
from envs.pool_vector_env import PoolVectorEnv
from envs.registration import OUR_IDS
from lal.errors import LalError, UsageError
from lal.learners import make_learner
from lal.task import Part, Task

NEEDS = {"lal/SequenceLabelling-v0": "pycrfsuite"}
N_ENVS = 3
QUICK = settings(
    max_examples=40, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip

DTYPES = st.sampled_from(["i1", "u1", "i4", "u8", "i8", "f2", "f4", "f8", "?", "U1", "c8", "M8[s]"])
SHAPES = st.one_of(st.just((N_ENVS,)), st.lists(st.integers(0, N_ENVS + 1), max_size=3).map(tuple))
ARRAYS = DTYPES.flatmap(lambda dtype: SHAPES.flatmap(lambda shape: arrays.arrays(dtype, shape)))
OBJECTS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-2, 12), st.floats(), st.complex_numbers(),
    st.text(max_size=2), st.binary(max_size=2), st.lists(st.integers(-2, 12), max_size=4),
    st.lists(st.lists(st.integers(0, 3), max_size=2), max_size=3),
    st.lists(st.one_of(st.none(), st.floats(), st.text(max_size=1)), max_size=4),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2), st.just(object), ARRAYS,
)  # fmt: skip
NAMED = st.dictionaries(st.sampled_from(["reset_mask", "tasks", "starts"]), OBJECTS, max_size=3)
OPTIONS = st.one_of(NAMED, OBJECTS)


def small_task(seed: int) -> Task:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(60, 3)), np.r_[0, 1, 0, 1, rng.integers(2, size=56)]
    return Task(
        name=f"small {seed}",
        family="small",
        learner=make_learner("gaussian_nb"),
        n_classes=2,
        pool=Part(X[:30], y[:30]),
        test=None,
        reward=Part(X[30:], y[30:]),
        budget=5,
    )


TASKS = (small_task(0), small_task(1))
VECTORS = {
    "pool": lambda: PoolVectorEnv(N_ENVS, tasks=TASKS, slate_size=8),
    "pool, strict": lambda: PoolVectorEnv(N_ENVS, tasks=TASKS, slate_size=8, strict=True),
    "lal-rl": lambda: LalRlVectorEnv(N_ENVS, pool_size=10),
}


def refused(call: Any, *arguments: Any, **options: Any) -> bool:
    """Whether a call is refused, in one sentence; a foreign traceback fails the test."""
    said = ""
    try:
        call(*arguments, **options)
    except LalError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 600
    return bool(said)


@pytest.fixture(scope="module", params=OUR_IDS)
def single(request: pytest.FixtureRequest) -> Any:
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    options: dict[str, Any] = {}
    if request.param == "lal/Pool-v0":
        options = {"tasks": TASKS[0], "slate_size": 8}
    return gymnasium.make(request.param, **options).unwrapped


@QUICK
@given(action=OBJECTS, seed=st.one_of(st.none(), st.integers(0, 9), OBJECTS), options=OPTIONS)
def test_single_environments(single, action, seed, options):
    refused(single.reset, seed=seed, options=options)
    observation, _ = single.reset(seed=1)
    assert single.observation_space.contains(observation)
    if refused(single.step, action):  # and nothing has moved
        refusals = refused(single.step, single.action_space.sample())
        assert not refusals


@pytest.mark.parametrize("vector", [*VECTORS])
@QUICK
@given(
    actions=OBJECTS,
    seed=st.one_of(st.none(), st.integers(0, 9), OBJECTS),
    options=OPTIONS,
    began=st.booleans(),
)
def test_vector_environments(vector, actions, seed, options, began):
    env = ENVS.setdefault(vector, VECTORS[vector]())
    if began:
        env.reset(seed=0)
    refused(env.reset, seed=seed, options=options)
    first, _ = env.reset(seed=2)
    assert env.observation_space.contains(first)
    if refused(env.step, actions):
        again, _, _, _, _ = env.step(np.argmax(first["mask"], axis=1))
        env.reset(seed=2)
        right, _, _, _, _ = env.step(np.argmax(first["mask"], axis=1))
        for key, values in right.items():
            np.testing.assert_array_equal(again[key], values)


ENVS: dict[str, Any] = {}
"""Made once: kernels are compiled for their shapes."""


@QUICK
@given(actions=OBJECTS, indices=OBJECTS, name=st.text(max_size=3))
def test_vectors_of_stable_baselines3(actions, indices, name):
    pytest.importorskip("stable_baselines3")
    from envs.pool_vec_env import PoolVecEnv

    env = ENVS.setdefault("sb3", PoolVecEnv(N_ENVS, tasks=TASKS, slate_size=8))
    env.reset()
    if not refused(env.step_async, actions):
        refused(env.step_wait)
    refused(env.env_method, "action_masks", indices=indices)
    observation = env.reset()
    env.step(np.argmax(observation["mask"], axis=1))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"tasks": 5}, "tasks must be a Task, a list of them, or a function that draws one, got 5"),
        ({"tasks": [TASKS[0], None]}, "tasks must be a Task, a list of them"),
        ({"tasks": "sklearn:iris"}, "tasks must be a Task.*got 'sklearn:iris'"),
        ({"strict": "no"}, "strict must be True or False, got 'no'"),
        ({"strict": None}, "strict must be True or False, got None"),
        ({"reward": None}, "a reward is asked for by its name, got None"),
        ({"reward": 3}, "a reward is asked for by its name, got 3"),
        ({"termination": b"budget"}, "is asked for by its name, got b'budget'"),
        ({"slate_rule": ["random"]}, r"is asked for by its name, got \['random'\]"),
    ],
)
@pytest.mark.parametrize("make", [PoolEnv, PoolVectorEnv], ids=["reference", "compiled"])
def test_both_backends_refuse_the_same_arguments(make, options, match):
    first = () if make is PoolEnv else (N_ENVS,)
    with pytest.raises(UsageError, match=match) as refusal:
        make(*first, **({"tasks": TASKS, "slate_size": 8} | options))
    assert "\n" not in str(refusal.value)
