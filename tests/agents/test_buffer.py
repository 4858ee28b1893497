import numpy as np
import pytest
from gymnasium import spaces

from agents.training.prioritised_replay import PRIORITY_FLOOR, PrioritisedReplay
from agents.training.replay import load_replay, save_replay

SPACE = spaces.Dict(
    {
        "candidates": spaces.Box(0, 1, (3, 2), dtype=np.float32),
        "context": spaces.Box(0, 1, (1,), dtype=np.float32),
        "mask": spaces.MultiBinary(3),
    }
)


def observation(value, n_envs):
    return {
        "candidates": np.full((n_envs, 3, 2), value, dtype=np.float32),
        "context": np.full((n_envs, 1), value, dtype=np.float32),
        "mask": np.ones((n_envs, 3), dtype=np.int8),
    }


def filled(n, *, n_envs=2, size=16, **options):
    buffer = PrioritisedReplay(size, SPACE, spaces.Discrete(3), "cpu", n_envs, **options)
    for i in range(n):
        buffer.add(
            observation(i / 100, n_envs),
            observation((i + 1) / 100, n_envs),
            np.array([i % 3] * n_envs),
            np.array([float(i), i + 0.5][:n_envs]),
            np.array([i == 2] * n_envs),
            [{"TimeLimit.truncated": False}] * n_envs,
        )
    return buffer


def test_a_transition_is_drawn_in_proportion_to_its_priority():
    buffer = filled(2, alpha=1.0, beta=1.0)
    buffer.update_priorities(np.arange(4), np.array([1.0, 2.0, 3.0, 4.0]) - PRIORITY_FLOOR)
    slots = buffer.sample(40_000).slots
    assert np.allclose(np.bincount(slots) / 40_000, [0.1, 0.2, 0.3, 0.4], atol=0.01)


def test_weights_undo_the_priorities_and_their_largest_is_one():
    buffer = filled(1, alpha=1.0, beta=1.0)
    buffer.update_priorities(np.arange(2), np.array([1.0, 4.0]) - PRIORITY_FLOOR)
    batch = buffer.sample(200)
    expected = np.where(batch.slots == 0, 1.0, 0.25)
    assert np.allclose(batch.weights.numpy().ravel(), expected)


def test_alpha_zero_is_uniform_with_equal_weights():
    buffer = filled(4, alpha=0.0)
    buffer.update_priorities(np.arange(8), np.arange(8.0))
    batch = buffer.sample(8000)
    assert np.allclose(np.bincount(batch.slots, minlength=8) / 8000, 1 / 8, atol=0.02)
    assert np.all(batch.weights.numpy() == 1.0)


def test_a_batch_holds_what_was_stored():
    batch = filled(3, reward_scale=10.0).sample(200)
    rows, envs = batch.slots // 2, batch.slots % 2
    assert np.allclose(batch.rewards.numpy().ravel(), 10.0 * (rows + 0.5 * envs))
    assert np.array_equal(batch.actions.numpy().ravel(), rows % 3)
    assert np.allclose(batch.observations["context"].numpy().ravel(), rows / 100)
    assert np.allclose(batch.next_observations["context"].numpy().ravel(), (rows + 1) / 100)
    assert np.array_equal(batch.dones.numpy().ravel(), (rows == 2).astype(float))


def test_a_new_transition_takes_the_largest_priority():
    buffer = filled(2)
    buffer.update_priorities(np.array([0]), np.array([7.0]))
    buffer.add(
        observation(0.9, 2), observation(1.0, 2), np.zeros(2), np.zeros(2), np.zeros(2), [{}, {}]
    )
    assert np.allclose(buffer.rates[2], (7.0 + PRIORITY_FLOOR) ** buffer.alpha)


def test_a_full_buffer_forgets_the_oldest():
    buffer = filled(10, n_envs=2, size=8)
    assert buffer.full
    assert sorted(buffer.rewards[:, 0]) == [6.0, 7.0, 8.0, 9.0]


@pytest.mark.parametrize("n", [3, 12])
def test_a_saved_buffer_is_the_same_again(n, tmp_path):
    buffer = filled(n)
    buffer.update_priorities(np.arange(4), np.arange(4.0))
    save_replay(buffer, tmp_path / "replay.npz")
    again = filled(0)
    load_replay(again, tmp_path / "replay.npz")
    buffer.reseed(3)
    again.reseed(3)
    one, two = buffer.sample(20), again.sample(20)
    assert np.array_equal(one.slots, two.slots)
    assert np.array_equal(one.rewards, two.rewards)
    assert again.rewards.shape == buffer.rewards.shape
    assert again.pos == buffer.pos


def test_a_time_limit_is_no_end():
    buffer = PrioritisedReplay(4, SPACE, spaces.Discrete(3), "cpu", 1)
    info = [{"TimeLimit.truncated": True}]
    buffer.add(observation(0, 1), observation(0, 1), np.zeros(1), np.zeros(1), np.ones(1), info)
    assert np.all(buffer.sample(5).dones.numpy() == 0.0)


def test_rewards_of_n_steps_are_discounted_and_end_with_the_episode():
    """Row i pays i in environment 0 and the episode ends with row 2."""
    batch = filled(5, n_steps=3, gamma=0.5).sample(400)
    rows, envs = batch.slots // 2, batch.slots % 2
    sums = {0: 0 + 0.5 * 1 + 0.25 * 2, 1: 1 + 0.5 * 2, 2: 2, 3: 3 + 0.5 * 4, 4: 4}
    halves = {0: 0.875, 1: 0.75, 2: 0.5, 3: 0.75, 4: 0.5}
    n_steps = {0: 3, 1: 2, 2: 1, 3: 2, 4: 1}
    wanted = [sums[r] + halves[r] * e for r, e in zip(rows, envs, strict=True)]
    assert np.allclose(batch.rewards.numpy().ravel(), wanted)
    assert np.allclose(batch.discounts.numpy().ravel(), [0.5 ** n_steps[r] for r in rows])
    last = np.array([{0: 2, 1: 2, 2: 2, 3: 4, 4: 4}[r] for r in rows])
    assert np.allclose(batch.next_observations["context"].numpy().ravel(), (last + 1) / 100)
    assert np.array_equal(batch.dones.numpy().ravel(), (last == 2).astype(float))


def test_n_steps_do_not_cross_into_other_episodes_after_an_interruption():
    buffer = filled(2, n_steps=3, gamma=1.0)
    buffer.reseed(1)
    buffer.add(
        observation(0.5, 2),
        observation(0.6, 2),
        np.zeros(2),
        np.full(2, 9.0),
        np.zeros(2),
        [{}, {}],
    )
    batch = buffer.sample(200)
    rows = batch.slots // 2
    assert (batch.rewards.numpy().ravel()[rows < 2] < 9).all()


def test_n_steps_do_not_run_past_the_newest_row_of_a_full_buffer():
    """Eight rows for two environments: rows 0 to 2 hold steps 8 to 10, row 3 the oldest."""
    batch = filled(11, size=16, n_steps=2, gamma=1.0).sample(400)
    rows, rewards = batch.slots // 2, batch.rewards.numpy().ravel() - 0.5 * (batch.slots % 2)
    assert np.allclose(rewards[rows == 2], 10.0)
    assert np.allclose(rewards[rows == 7], 7.0 + 8.0 + 0.5 * (batch.slots % 2)[rows == 7])
