"""lal/Explore-v0: both checkers, rewards, blocked moves, and what the observation shows."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

import envs  # noqa: F401  (registers the ids)
from envs.checks import check_by_gymnasium, check_by_stable_baselines3
from envs.explore_env import CANDIDATE_FEATURES, ExploreEnv
from lal.errors import UsageError
from lal.exploration.detector import MadeUpRooms


def test_both_checkers_find_nothing():
    env = ExploreEnv(MadeUpRooms(2), steps=4)
    check_by_gymnasium(env)
    pytest.importorskip("stable_baselines3")
    check_by_stable_baselines3(env)


def test_the_return_is_the_objects_that_became_confident():
    env = ExploreEnv(MadeUpRooms(2), steps=25)
    _, info = env.reset(seed=0)
    start, rng, total, over = info["n_confident"], np.random.default_rng(0), 0.0, False
    while not over:
        _, reward, over, truncated, info = env.step(env.act("lookout", rng))
        assert not truncated
        total += reward
    assert total == info["n_confident"] - start > 0
    assert info["n_seen"] >= info["n_confident"]


def test_classes_of_objects_are_not_shown():
    env = ExploreEnv(MadeUpRooms(2))
    env.reset(seed=1)
    before = env._observation()
    env.observer.room.codes[:] = (env.observer.room.codes + 1) % 4
    for key, values in env._observation().items():
        np.testing.assert_array_equal(values, before[key])


def test_rows_of_the_observation_are_moves():
    env = ExploreEnv(MadeUpRooms(2))
    env.reset(seed=2)
    open_move = int(np.flatnonzero(env.action_masks())[0])
    observation, *_ = env.step(open_move)
    observer = env.observer
    steps = observer.steps_to(observer.frontier())
    columns = dict(zip(CANDIDATE_FEATURES, observation["candidates"].T, strict=True))
    for move, cell in enumerate(observer.neighbours()):
        if observation["mask"][move]:
            assert columns["frontier"][move] == pytest.approx(1.0 / (1.0 + steps[cell]))
            assert columns["straight_on"][move] == (move == open_move)
        else:
            assert not observation["candidates"][move].any()


def test_a_blocked_move_is_replaced_and_reported():
    env = ExploreEnv(MadeUpRooms(2))
    for seed in range(20):
        env.reset(seed=seed)
        blocked = np.flatnonzero(~env.action_masks())
        if len(blocked):
            break
    before = env.observer.cell
    *_, info = env.step(int(blocked[0]))
    assert info["invalid_action"]
    assert env.observer.cell != before


@pytest.mark.parametrize("steps", [0, 1.5, "ten"])
def test_steps_are_a_count(steps):
    with pytest.raises(UsageError, match="steps must be"):
        ExploreEnv(steps=steps)


def test_a_start_without_a_way_out_is_refused():
    def enclosed(rng):
        room, detector = MadeUpRooms(2)(rng)
        free = np.zeros_like(room.free)
        free[room.start] = True
        return replace(room, free=free), detector

    with pytest.raises(UsageError, match="no free cell beside it"):
        ExploreEnv(enclosed).reset(seed=0)


def test_it_is_rendered_and_vectorised():
    env = ExploreEnv(MadeUpRooms(2), render_mode="ansi")
    env.reset(seed=0)
    lines = env.render().splitlines()
    assert lines[0].startswith("move 0 of 40")
    assert len(lines) == 13
    assert sum(line.count("@") for line in lines) == 1
    env.render_mode = "rgb_array"
    pytest.importorskip("matplotlib")
    assert env.render().shape[2] == 3
    many = gymnasium.make_vec("lal/Explore-v0", num_envs=2, rooms=MadeUpRooms(2))
    observation, _ = many.reset(seed=0)
    assert observation["candidates"].shape == (2, 4, len(CANDIDATE_FEATURES))
