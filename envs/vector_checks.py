"""check_pool_vector_env: the contracts of a compiled labelling environment."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from envs.contract import ContractError
from envs.pool_vector_env import PoolVectorEnv
from lal.errors import UsageError

Played = list[tuple[Any, ...]]
"""The reset's (observation, infos), then (observation, rewards, terminated, truncated, infos)."""


def check_pool_vector_env(env: Any, *, seed: int = 0, steps: int = 30) -> None:
    """Check a vector environment over labelling tasks.

    Observations lie in their space, mask and infos agree with what is offered, the last
    observation of an episode is kept and the next begins in the same step, a seed names all that
    follows, copies go the same way, what was returned does not change later, masked actions are
    replaced and reported, actions of another shape or type are refused before anything moves, and
    a reset mask leaves the other episodes alone.

    Args:
        env: A `PoolVectorEnv`; wrappers around it are ignored.
        seed: Names the episodes.
        steps: Steps of each trial; enough of them that an episode ends.

    Raises:
        ContractError: What is broken, in one line.
    """
    vector = env.unwrapped
    if not isinstance(vector, PoolVectorEnv):
        raise ContractError(f"expected a PoolVectorEnv, got {type(vector).__name__}")
    if vector.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
        raise ContractError("metadata['autoreset_mode'] must be AutoresetMode.SAME_STEP")
    if vector.autoreset_mode is not AutoresetMode.SAME_STEP:
        raise ContractError("autoreset_mode must be AutoresetMode.SAME_STEP, as in the metadata")
    for check in CONTRACTS:
        check(vector, seed, steps)


def check_vector_observations(env: PoolVectorEnv, seed: int, steps: int) -> None:
    """Observations lie in their space; closed slots are masked, zeros and -1."""
    for observation, *_, infos in play(env, seed, steps):
        if not env.observation_space.contains(observation):
            raise ContractError("an observation lies outside the observation space")
        mask = observation["mask"]
        if not np.array_equal(mask, infos["pool_indices"] >= 0):
            raise ContractError("the mask and pool_indices disagree on which slots are open")
        if not np.array_equal(mask, infos["action_mask"]):
            raise ContractError("the mask and infos['action_mask'] disagree")
        if observation["candidates"][mask == 0].any():
            raise ContractError("a closed slot shows features; expected zeros")
    if not np.array_equal(env.action_masks(), mask):
        raise ContractError("action_masks() and the mask disagree")


def check_ends(env: PoolVectorEnv, seed: int, steps: int) -> None:
    """The last observation and infos are kept; the next episode begins in the same step."""
    ended = 0
    for step in play(env, seed, steps)[1:]:
        done, infos = step[2] | step[3], step[4]
        if ("final_obs" in infos) != bool(done.any()):
            raise ContractError("infos['final_obs'] must be there when an episode ends, only then")
        if not done.any():
            continue
        ended += int(done.sum())
        final = infos["final_info"]
        marks = infos["_final_obs"], final["_n_labelled"]
        if not all(np.array_equal(mark, done) for mark in marks):
            raise ContractError("infos['_final_obs'] must say which episodes ended")
        if not all(env.single_observation_space.contains(o) for o in infos["final_obs"][done]):
            raise ContractError("a final observation lies outside the single observation space")
        if (infos["n_labelled"][done] >= final["n_labelled"][done]).any():
            raise ContractError("an episode that ended must begin anew in the same step")
    if not ended:
        raise ContractError(f"no episode ended in {steps} steps; check with more steps")


def check_seeds(env: PoolVectorEnv, seed: int, steps: int) -> None:
    """A seed names all that follows; another gives other episodes; copies go the same way."""
    first = play(env, seed, steps)
    if not _equal(first, play(env, seed, steps)):
        raise ContractError("two resets with the same seed gave different trajectories")
    if _equal(first, play(env, seed + 1, steps)):
        raise ContractError("the seed changes nothing: two seeds gave the same trajectory")
    twin = copy.deepcopy(env)
    if not _equal(play_on(twin, steps), play_on(env, steps)):
        raise ContractError("a copy goes another way than the original")


def check_aliasing(env: PoolVectorEnv, seed: int, steps: int) -> None:
    """What was returned does not change later."""
    played = play(env, seed, steps)
    kept = copy.deepcopy(played)
    play_on(env, steps)
    if not _equal(played, kept):
        raise ContractError("an array that was returned earlier changed in a later step")


def check_vector_masked_actions(env: PoolVectorEnv, seed: int, steps: int) -> None:
    """Masked actions are replaced by a row on offer and reported; a strict environment raises."""
    observation, infos = env.reset(seed=seed)
    for _ in range(steps):
        actions = np.argmin(observation["mask"], axis=1)
        masked = observation["mask"][np.arange(env.num_envs), actions] == 0
        offered = infos["pool_indices"]
        if masked.any() and env.strict:
            _refused(env, actions, "a masked action")
            return
        observation, _, terminated, truncated, infos = env.step(actions)
        done = terminated | truncated
        report = infos.get("final_info", infos)
        queried = np.where(done, report["queried"], infos["queried"])
        if not (offered == queried[:, None]).any(axis=1).all():
            raise ContractError("an action acquired a row that was not on offer")
        if not np.array_equal(
            np.where(done, report["invalid_action"], infos["invalid_action"]), masked
        ):
            raise ContractError("infos['invalid_action'] is wrong")


def check_arguments(env: PoolVectorEnv, seed: int, steps: int) -> None:
    """Actions of another shape, type or range are refused before anything moves."""
    n, size = env.num_envs, int(env.single_action_space.n)  # type: ignore[attr-defined]
    _, infos = env.reset(seed=seed)
    for wrong, what in (
        (np.zeros(n + 1, dtype=np.int64), "one action too many"),
        (np.zeros((n, 1), dtype=np.int64), "actions of shape (E, 1)"),
        (np.full(n, 0.5), "fractions"),
        (np.full(n, -1), "negative actions"),
        (np.full(n, size), "actions past the last slot"),
        (np.zeros(n, dtype=np.bool_), "booleans"),
    ):
        _refused(env, wrong, what)
    if not np.array_equal(env.simulator.slates, infos["pool_indices"]):
        raise ContractError("an action that was refused moved an episode")


def check_reset_mask(env: PoolVectorEnv, seed: int, steps: int) -> None:
    """A reset mask begins the chosen episodes anew and leaves the others alone."""
    before = play(env, seed, 1)[-1][0]
    mask = np.arange(env.num_envs) % 2 == 0
    after, infos = env.reset(options={"reset_mask": mask})
    if not all(np.array_equal(after[key][~mask], before[key][~mask]) for key in before):
        raise ContractError("a reset mask touched an episode that it did not choose")
    if not np.array_equal(infos["_n_labelled"], mask):
        raise ContractError("the infos of a reset mask must be those of the chosen episodes")


CONTRACTS: tuple[Callable[[PoolVectorEnv, int, int], None], ...] = (
    check_vector_observations,
    check_ends,
    check_seeds,
    check_aliasing,
    check_vector_masked_actions,
    check_arguments,
    check_reset_mask,
)
"""The contracts, each checked by itself."""


def play(env: PoolVectorEnv, seed: int, steps: int) -> Played:
    """Return the reset and steps of legal actions, drawn alike whatever the seed."""
    start = env.reset(seed=seed)
    return [start, *play_on(env, steps)]


def play_on(env: PoolVectorEnv, steps: int) -> Played:
    """Return further steps of legal actions."""
    rng = np.random.default_rng(0)
    return [env.step(_draw(env.action_masks(), rng)) for _ in range(steps)]


def _draw(masks: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a legal action an environment, uniformly."""
    actions: NDArray[np.int64] = np.argmax(rng.random(masks.shape) * masks, axis=1)
    return actions


def _equal(first: Played, second: Played) -> bool:
    return all(data_equivalence(a, b, exact=True) for a, b in zip(first, second, strict=True))


def _refused(env: PoolVectorEnv, actions: Any, what: str) -> None:
    try:
        env.step(actions)
    except UsageError:
        return
    raise ContractError(f"{what} must be refused by a UsageError, and were taken")
