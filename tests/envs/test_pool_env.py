from dataclasses import replace

import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from envs.pool_env import PoolEnv
from lal.errors import UnknownNameError, UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES
from lal.features.base import candidate_matrix, context_vector
from lal.task import Part


def trajectory(env: PoolEnv, seed: int) -> list[tuple]:  # type: ignore[type-arg]
    _, info = played = env.reset(seed=seed)
    steps: list[tuple] = [played]  # type: ignore[type-arg]
    rng, over = np.random.default_rng(seed), False
    while not over:
        steps.append(env.step(rng.choice(np.flatnonzero(info["action_mask"]))))
        _, _, terminated, truncated, info = steps[-1]
        over = terminated or truncated
    return steps


def test_observation_is_the_features_of_the_offered_rows(wine_task):
    env = PoolEnv(wine_task, slate_size=7)
    observation, info = env.reset(seed=1)
    ids = DEFAULT_CANDIDATE_FEATURES
    expected = candidate_matrix(env.state, ids)[info["pool_indices"]]
    np.testing.assert_array_equal(observation["candidates"], expected.astype(np.float32))
    expected = context_vector(env.state, DEFAULT_CONTEXT_FEATURES)
    np.testing.assert_array_equal(observation["context"], expected.astype(np.float32))
    assert observation["mask"].tolist() == [1] * 7


def test_small_pool_is_padded(tiny_task, tiny_seed):
    env = PoolEnv(tiny_task, slate_size=5)
    observation, info = env.reset(seed=tiny_seed)
    assert observation["mask"].tolist() == [1, 1, 0, 0, 0]
    assert sorted(info["pool_indices"].tolist()) == [-1, -1, -1, 2, 3]
    assert not observation["candidates"][2:].any()
    assert env.action_masks().tolist() == [True, True, False, False, False]


def test_step_buys_the_offered_row(wine_task):
    env = PoolEnv(wine_task, slate_size=5)
    _, info = env.reset(seed=3)
    for slot in (4, 0, 2):
        row = info["pool_indices"][slot]
        before = set(env.state.labelled.tolist())
        _, _, _, _, info = env.step(slot)
        assert set(env.state.labelled.tolist()) - before == {row}
        assert info["queried"] == row
        assert not info["invalid_action"]


def test_masked_action_is_replaced_by_a_uniform_legal_one(wine_task):
    env = PoolEnv(wine_task, slate_size=80, batch_size=4)
    rows = []
    for seed in range(40):
        _, info = env.reset(seed=seed)
        legal = info["pool_indices"][info["pool_indices"] >= 0]
        _, _, _, _, info = env.step(79)
        assert info["invalid_action"]
        assert info["queried"] in legal
        rows.append(info["queried"])
    assert len(set(rows)) > 15


def test_strict_raises_on_a_masked_action(tiny_task, tiny_seed):
    env = PoolEnv(tiny_task, slate_size=5, strict=True)
    env.reset(seed=tiny_seed)
    with pytest.raises(UsageError, match="action 3 is masked; 2 of 5 slots are legal"):
        env.step(3)


def test_label_noise_replaces_labels(wine_task):
    """A replaced label is drawn from all three classes, so it is wrong two times in three."""
    task = replace(wine_task, classes_known=True, budget=40)
    wrong = []
    for noise in (0.0, 1.0):
        env = PoolEnv(task, label_noise=noise)
        trajectory(env, seed=0)
        wrong.append(np.mean(env.state.labels != task.pool.y[env.state.labelled]))
    assert wrong[0] == 0.0
    assert wrong[1] == pytest.approx(2 / 3, abs=0.2)


@pytest.mark.parametrize("classes_known", [True, False])
def test_test_rows_change_nothing(wine_task, classes_known):
    """Test labels replaced by noise or taken away: the same trajectory, bit by bit."""
    task = replace(wine_task, classes_known=classes_known)
    assert task.test is not None
    noise = np.random.default_rng(0).integers(3, size=len(task.test))
    variants = [
        task,
        replace(task, test=Part(task.test.X, noise)),
        replace(task, test=Part(task.test.X * np.nan, noise)),
        replace(task, test=None),
    ]
    runs = [trajectory(PoolEnv(t, slate_size=10, termination="both"), seed=1) for t in variants]
    for run in runs[1:]:
        assert len(run) == len(runs[0]) > 1
        assert all(data_equivalence(a, b, exact=True) for a, b in zip(runs[0], run, strict=True))


def test_environment_holds_no_test_rows(wine_task):
    for tasks in (wine_task, [wine_task], lambda rng: wine_task):
        env = PoolEnv(tasks)
        env.reset(seed=0)
        assert env.task.test is None
        assert env.state.X.shape[0] == len(wine_task.pool)


def test_several_tasks_are_all_drawn(wine_task, tiny_task):
    env = PoolEnv([wine_task, tiny_task])
    names = [env.reset(seed=seed)[1]["task"] for seed in range(12)]
    assert set(names) == {wine_task.name, "tiny"}
    assert names == [env.reset(seed=seed)[1]["task"] for seed in range(12)]


def test_reset_without_a_seed_moves_on_and_is_named_by_the_first(wine_task):
    def starts() -> list[list[int]]:
        env = PoolEnv(wine_task)
        env.reset(seed=9)
        found = [env.state.labelled.tolist()]
        for _ in range(3):
            env.reset()
            found.append(env.state.labelled.tolist())
        return found

    first, second = starts(), starts()
    assert first == second
    assert len({tuple(s) for s in first}) > 1


def test_with_tasks_keeps_options_and_shares_nothing_that_moves(wine_task, tiny_task):
    env = PoolEnv(wine_task, slate_size=6, reward="log_loss_gain")
    env.reset(seed=0)
    before = env.state
    twin = env.with_tasks(tiny_task)
    twin.reset(seed=0)
    twin.step(0)
    assert twin.task.name == "tiny"
    assert len(twin.action_masks()) == 6
    assert env.state is before
    assert env.task.name == wine_task.name


def test_budget_is_shown_only_when_known(wine_task):
    for known in (True, False):
        env = PoolEnv(replace(wine_task, budget_known=known))
        env.reset(seed=0)
        expected = len(env.state.labelled) + 8 if known else None
        assert env.state.budget == expected


def test_render_is_a_picture_that_changes(wine_task):
    env = PoolEnv(wine_task, render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    env.step(0)
    second = env.render()
    assert first is not None
    assert second is not None
    assert first.shape == second.shape == (400, 320, 3)
    assert first.dtype == np.uint8
    assert (first != second).any()
    assert PoolEnv(wine_task).render() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slate_size": 0}, "slate_size must be an integer of at least 1, got 0"),
        ({"slate_size": 10**12}, "slate_size must be at most 100000, got 1000000000000; the rows"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ({"batch_size": 9, "slate_size": 8}, "a batch of 9 does not fit into a slate of 8"),
        ({"label_noise": 1.5}, "label_noise must lie between 0 and 1, got 1.5"),
        ({"render_mode": "human"}, "render_mode 'human' is unknown"),
        ({"candidate_features": ()}, "needs at least one candidate feature"),
        ({"candidate_features": ("n_labelled@1",)}, "is a context feature, not candidate"),
    ],
)
def test_bad_options_are_refused(tiny_task, options, message):
    with pytest.raises(UsageError, match=message):
        PoolEnv(tiny_task, **options)


def test_bad_names_are_refused(tiny_task):
    with pytest.raises(
        UnknownNameError, match="unknown termination 'bugdet'; did you mean 'budget'"
    ):
        PoolEnv(tiny_task, termination="bugdet")
    with pytest.raises(UnknownNameError, match="unknown feature 'margin@99'"):
        PoolEnv(tiny_task, candidate_features=("margin@99",))
    with pytest.raises(UsageError, match="at least one task, got an empty list"):
        PoolEnv([])


def test_bad_calls_are_refused(tiny_task, tiny_seed):
    env = PoolEnv(tiny_task, slate_size=4)
    with pytest.raises(UsageError, match="no episode yet; call reset first"):
        env.step(0)
    env.reset(seed=tiny_seed)
    with pytest.raises(UsageError, match="action 4 is not in 0 to 3"):
        env.step(4)
    env.step(0)
    env.step(0)
    with pytest.raises(UsageError, match="the episode is over"):
        env.step(0)


def test_task_without_a_reward_part_is_refused(tiny_task):
    with pytest.raises(UsageError, match="has no reward part"):
        PoolEnv(replace(tiny_task, reward=None)).reset(seed=0)
