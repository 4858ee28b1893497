"""The contracts of labelling environments, for ours and for strangers'.

`check_pool_env` is for the reference backend, `check_pool_vector_env` for the compiled one.
"""

import random  # noqa: TID251  (only to see that nobody touches it)
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env as check_gymnasium
from gymnasium.utils.env_checker import data_equivalence
from numpy.typing import NDArray

from envs.contract import ContractError
from envs.pool_env import PoolEnv
from lal.registry import require
from lal.task import Part, Task
from lal.task_kind import REGRESSION

__all__ = ["ContractError", "check_contracts", "check_pool_env", "check_pool_vector_env"]

HARMLESS_WARNINGS = (
    # stable-baselines3 takes a 2-D Box for a badly shaped image. Its own extractor would flatten
    # it, which works; ours scores rows and takes it as it is.
    "Your observation candidates has an unconventional shape",
    # An environment made directly has no id, so Gymnasium cannot build further ones to render.
    "Not able to test alternative render modes",
)
"""Beginnings (after Gymnasium's colours) of the only warnings that the checkers may give."""

Trajectory = list[tuple[Any, ...]]
"""The reset's (observation, info), then (observation, reward, terminated, truncated, info)."""


def check_pool_env(env: gymnasium.Env[Any, Any], *, seed: int = 0) -> None:
    """Check an environment; wrappers around it are ignored.

    Gymnasium's and stable-baselines3's checkers, then ours: observations lie in their space, the
    mask agrees with the open rows, masked actions are replaced and reported, the episode ends, two
    copies with one seed agree bit by bit and another seed differs, hidden labels and test rows
    change nothing, and the global random generators stay as they are.

    Args:
        env: A `PoolEnv`.
        seed: Names the episodes run.

    Raises:
        ContractError: What is broken, in one line.
    """
    pool_env = env.unwrapped
    if not isinstance(pool_env, PoolEnv):
        raise ContractError(f"expected a PoolEnv, got {type(pool_env).__name__}")
    check_by_gymnasium(pool_env)
    check_by_stable_baselines3(pool_env)
    check_contracts(pool_env, seed=seed)


def check_pool_vector_env(env: Any, *, seed: int = 0, steps: int = 30) -> None:
    """Check a compiled environment; see `envs.vector_checks.check_pool_vector_env`."""
    from envs.vector_checks import check_pool_vector_env as check  # numba: only needed here

    check(env, seed=seed, steps=steps)


def check_contracts(env: PoolEnv, *, seed: int = 0) -> None:
    """Check our own contracts only."""
    for check in CONTRACTS:
        check(env, seed)


def check_by_gymnasium(env: gymnasium.Env[Any, Any]) -> None:
    """Run Gymnasium's checker; every warning that is not known to be harmless is an error."""
    _quietly(lambda: check_gymnasium(env.unwrapped))


def check_by_stable_baselines3(env: gymnasium.Env[Any, Any]) -> None:
    """Run stable-baselines3's checker; every warning not known to be harmless is an error."""
    checker = require("stable_baselines3.common.env_checker", "train")
    _quietly(lambda: checker.check_env(env, warn=True, skip_render_check=env.render_mode is None))


def check_observations(env: PoolEnv, seed: int) -> None:
    """Observations lie in their space and closed slots are zeros, masked and -1."""
    for observation, *_, info in _play(env, seed):
        if not env.observation_space.contains(observation):
            raise ContractError("an observation lies outside the observation space")
        mask = observation["mask"]
        if not np.array_equal(mask, info["pool_indices"] >= 0):
            raise ContractError("the mask and pool_indices disagree on which slots are open")
        if not np.array_equal(mask, info["action_mask"]):
            raise ContractError("the mask and info['action_mask'] disagree")
        if observation["candidates"][mask == 0].any():
            raise ContractError("a closed slot shows features; expected zeros")


def check_mask(env: PoolEnv, seed: int) -> None:
    """Offered rows are open, differ from each other, and as many as the slate or the pool allow."""
    _, info = env.reset(seed=seed)
    over = False
    while not over:
        offered = info["pool_indices"][info["pool_indices"] >= 0]
        if len(set(offered.tolist())) < len(offered):
            raise ContractError("a slate offers a row twice")
        if not np.isin(offered, env.state.open).all():
            raise ContractError("a slate offers a row that is labelled already")
        missing = min(len(info["pool_indices"]), len(env.state.open)) - len(offered)
        if not 0 <= missing < env.batch_size:
            raise ContractError(f"a slate leaves {missing} slots empty that could offer rows")
        if not np.array_equal(env.action_masks(), info["pool_indices"] >= 0):
            raise ContractError("action_masks() and pool_indices disagree")
        slot = int(np.flatnonzero(env.action_masks())[0])
        row = info["pool_indices"][slot]
        _, _, terminated, truncated, info = env.step(slot)
        if info["queried"] != row or info["invalid_action"]:
            raise ContractError("a legal action acquired another row than its slot offered")
        over = terminated or truncated


def check_masked_action(env: PoolEnv, seed: int) -> None:
    """A masked action acquires a legal row and says so; a strict environment raises."""
    _, info = env.reset(seed=seed)
    over = False
    while not over:
        closed = np.flatnonzero(info["pool_indices"] < 0)
        legal = set(info["pool_indices"][info["pool_indices"] >= 0].tolist())
        action = int(closed[0]) if len(closed) and not env.strict else int(np.argmax(_mask(info)))
        _, _, terminated, truncated, info = env.step(action)
        if info["queried"] not in legal:
            raise ContractError("a masked action acquired a row that was not on offer")
        if bool(info["invalid_action"]) != (len(closed) > 0 and not env.strict):
            raise ContractError("info['invalid_action'] is wrong")
        over = terminated or truncated


def check_end(env: PoolEnv, seed: int) -> None:
    """Labels grow by one per step and the episode ends, at the latest with the pool."""
    played = _play(env, seed)
    counts = [step[-1]["n_labelled"] for step in played]
    if counts != list(range(counts[0], counts[0] + len(counts))):
        raise ContractError(f"n_labelled must grow by one a step, got {counts}")
    if counts[-1] > env.state.N:
        raise ContractError("more labels were acquired than the pool has")


def check_determinism(env: PoolEnv, seed: int) -> None:
    """Two copies with one seed agree bit by bit; another seed gives another episode."""
    first, second = _play(env, seed), _play(env.with_tasks(env.tasks), seed)
    if not _equal(first, second):
        raise ContractError("two copies with the same seed gave different trajectories")
    if _equal(first, _play(env, seed + 1)):
        raise ContractError("the seed changes nothing: two seeds gave the same trajectory")


def check_firewall(env: PoolEnv, seed: int) -> None:
    """No test rows are within reach, and labels never acquired do not show in observations."""
    played = _play(env, seed)
    task, bought = env.task, env.state.labelled
    if task.test is not None:
        raise ContractError("the environment holds test rows; give it task.blind()")
    twin = env.with_tasks(_with_other_hidden_labels(task, bought.tolist(), seed))
    replayed = _play(twin, seed)
    for (observation, *_), (other, *_) in zip(played, replayed, strict=False):
        if not data_equivalence(observation, other, exact=True):
            raise ContractError("an observation depends on a label that was never acquired")


def check_global_generators(env: PoolEnv, seed: int) -> None:
    """Playing an episode leaves numpy's and Python's global generators untouched."""
    before = random.getstate(), str(np.random.get_state())  # noqa: NPY002
    _play(env, seed)
    if before != (random.getstate(), str(np.random.get_state())):  # noqa: NPY002
        raise ContractError("an episode drew from a global random generator")


CONTRACTS: tuple[Callable[[PoolEnv, int], None], ...] = (
    check_observations,
    check_mask,
    check_masked_action,
    check_end,
    check_determinism,
    check_firewall,
    check_global_generators,
)
"""Our own contracts, each checked by itself."""


def _play(env: PoolEnv, seed: int) -> Trajectory:
    """Run one episode and return all of it; the slots are drawn alike whatever the seed."""
    rng = np.random.default_rng(0)
    observation, info = env.reset(seed=seed)
    played: Trajectory = [(observation, info)]
    while True:
        action = rng.choice(np.flatnonzero(_mask(info)))
        step = env.step(action)
        played.append(step)
        info = step[-1]
        if step[2] or step[3]:
            return played
        if len(played) > env.state.N:
            raise ContractError("the episode does not end though every row was acquired")


def _mask(info: dict[str, Any]) -> NDArray[np.int8]:
    mask: NDArray[np.int8] = info["action_mask"]
    return mask


def _equal(first: Trajectory, second: Trajectory) -> bool:
    return len(first) == len(second) and all(
        data_equivalence(a, b, exact=True) for a, b in zip(first, second, strict=True)
    )


def _with_other_hidden_labels(task: Task, bought: list[int], seed: int) -> Task:
    rng = np.random.default_rng(seed)
    if task.kind == REGRESSION:
        y = rng.permutation(task.pool.y)
    else:
        y = rng.integers(task.n_classes, size=len(task.pool))
    y[bought] = task.pool.y[bought]
    pixels = task.pool.pixels
    if pixels is not None:
        drawn = rng.integers(task.n_classes, size=pixels.shape)
        drawn[bought] = pixels[bought]
        pixels = drawn
    return replace(task, pool=Part(task.pool.X, y, pixels=pixels))


def _quietly(run: Callable[[], None]) -> None:
    """Run a checker; turn its warnings and assertions into our error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            run()
        except AssertionError as error:
            raise ContractError(f"a checker refused the environment: {error}") from error
    for warning in caught:
        if not any(text in str(warning.message) for text in HARMLESS_WARNINGS):
            raise ContractError(f"a checker warned: {warning.message}")
