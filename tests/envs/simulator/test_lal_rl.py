from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_distances

pytest.importorskip("numba")

import gymnasium
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from envs.registration import LAL_RL_ID
from envs.simulator.kernels.lal_rl import layout as kernels
from envs.simulator.lal_rl import LalRlSimulator
from envs.simulator.lal_rl_data import binary_pairs
from lal.data.datasets import load_dataset
from lal.errors import DataError, UsageError


def wave(seed=0, n=400, D=6):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, D)) * np.arange(1, D + 1) + rng.normal(size=D) * 5
    score = X @ rng.normal(size=D)
    return X, (score + rng.normal(size=n) * score.std() * 0.4 > np.median(score)).astype(int)


PAIRS = [wave(), wave(1, 300, 20), wave(2, 120, 3)]


class Shadow:
    """The same episode by scikit-learn, from the rows that the engine put into its bank."""

    def __init__(self, engine, e):
        self.engine, self.e = engine, e
        slot = engine.ints[e, kernels.E_SLOT]
        dataset, self.N = engine.bank_info[slot, [kernels.B_DATASET, kernels.B_POOL]]
        D = engine.data_info[dataset, kernels.D_COLUMNS]
        tile, pad = (D + 1) * 16, engine.config[kernels.PAD]
        tiles, R, _, _, labels, scale = kernels.bank_places(engine.config, slot)
        stride = (D + 16) // 16 * 16
        rows = engine.bank[R : R + self.N * stride].reshape(self.N, stride)
        self.X, self.y = rows[:, :D].astype(float), engine.bank[labels : labels + self.N]
        blocks = engine.bank[tiles + pad // 16 * tile :][: 2 * tile].reshape(2, D + 1, 16)
        self.state = blocks.transpose(0, 2, 1).reshape(32, -1)[:30, :D].astype(float)
        n = engine.data_info[dataset, kernels.D_REWARD]
        at = engine.bank_info[slot, kernels.B_WINDOW]
        held = engine.data[at : at + -(-n // 16) * tile].reshape(-1, D + 1, 16)
        held = held.transpose(0, 2, 1).reshape(-1, D + 1)[:n].astype(float)
        second = engine.config[kernels.STRIDE]
        inverse, shift = engine.bank[scale : scale + D], engine.bank[scale + second :][:D]
        self.reward_X = held[:, :D] * inverse - shift
        self.reward_y = (held[:, D] > 0).astype(float)
        self.target, self.full = engine.bank_info[slot, [kernels.B_TARGET, kernels.B_FULL]]

    def fit(self, rows):
        exact = LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000)
        return exact.fit(self.X[rows], self.y[rows])

    def hits(self, model):
        return int(np.sum(model.predict(self.reward_X) == self.reward_y))

    def labelled(self):
        return self.engine.ints[self.e, kernels.E_ROWS :][
            : self.engine.ints[self.e, kernels.E_LABELLED]
        ]


@pytest.fixture(scope="module")
def engine():
    engine = LalRlSimulator(PAIRS, 12, seed=5, pool_size=60, reward_rows=150, n_splits=12)
    engine.reset()
    return engine


def test_every_number_agrees_with_scikit_learn(engine):
    engine.reset(seed=7)
    shadows = [Shadow(engine, e) for e in range(engine.n_episodes)]
    same, n_checked = 0, 0
    for _ in range(14):
        for e, shadow in enumerate(shadows):
            rows = shadow.labelled()
            model = shadow.fit(rows)
            open_ = np.setdiff1d(np.arange(shadow.N), rows)
            distances = cosine_distances(shadow.X)
            wanted = np.zeros((engine.pool_size, 3))
            wanted[open_, 0] = model.predict_proba(shadow.X[open_])[:, 0]
            wanted[open_, 1] = distances[np.ix_(open_, open_)].mean(axis=1)
            wanted[open_, 2] = distances[np.ix_(open_, rows)].mean(axis=1)
            assert abs(engine.observations.candidates[e] - wanted)[:, 0].max() <= 3e-4
            assert abs(engine.observations.candidates[e] - wanted)[:, 1:].max() <= 1e-5
            context = np.sort(model.predict_proba(shadow.state)[:, 0])
            assert abs(engine.observations.context[e] - context).max() <= 3e-4
            assert np.flatnonzero(engine.observations.mask[e]).tolist() == open_.tolist()
            hits = round(engine.accuracy[e] * len(shadow.reward_y))
            assert abs(hits - shadow.hits(model)) <= 2
            same += hits == shadow.hits(model)
            n_checked += 1
        engine.step(np.full(engine.n_episodes, -1), False)
    assert same >= 0.98 * n_checked


def test_the_target_is_98_percent_of_the_whole_pool(engine):
    engine.reset(seed=8)
    for e in range(engine.n_episodes):
        shadow = Shadow(engine, e)
        full = shadow.hits(shadow.fit(np.arange(shadow.N)))
        assert abs(full - shadow.full) <= 1
        assert shadow.target == np.ceil(0.98 * shadow.full - 1e-9)


def test_a_split_keeps_its_parts_apart_and_is_standardised_by_its_training_half():
    X, y = wave(3, 200, 4)
    X[:, 0] = np.arange(200)
    engine = LalRlSimulator([(X, y)], 3, pool_size=40)
    engine.reset()
    for e in range(3):
        shadow = Shadow(engine, e)
        # Column 0 numbers the samples: undo both scalings to recognise them.
        slot = engine.ints[e, kernels.E_SLOT]
        scale = kernels.bank_places(engine.config, slot)[5]
        inverse, shift = engine.bank[scale], engine.bank[scale + engine.config[kernels.STRIDE]]
        parts = [shadow.X[:, 0], shadow.state[:, 0], shadow.reward_X[:, 0]]
        numbers = [np.rint((p + shift) / inverse * X[:, 0].std() + 99.5) for p in parts]
        together = np.concatenate(numbers).astype(int)
        assert len(np.unique(together)) == 40 + 30 + 100
        training = np.setdiff1d(np.arange(200), numbers[2].astype(int))
        pool = numbers[0].astype(int)
        Z = (X - X[training].mean(0)) / X[training].std(0)
        np.testing.assert_allclose(shadow.X, Z[pool], atol=2e-3)
        assert shadow.y.tolist() == y[pool].tolist()


def test_two_labels_of_both_classes_begin_an_episode(engine):
    engine.reset(seed=3)
    for e in range(engine.n_episodes):
        shadow = Shadow(engine, e)
        assert sorted(shadow.y[shadow.labelled()].tolist()) == [0, 1]


def replay(E, actions, **options):
    """Return what environment 0 .. shows when it is stepped beside E - 1 others."""
    engine = LalRlSimulator(PAIRS, E, seed=11, pool_size=30, n_splits=6, refresh=2, **options)
    engine.reset()
    rows = []
    for a in actions:
        engine.step(np.resize(a, E).astype(np.int64))
        seen = engine.observations
        parts = (seen.candidates, seen.context, seen.mask, engine.accuracy, engine.terminated)
        rows.append([part[:1].copy() for part in parts])
    return rows


def test_a_trajectory_does_not_depend_on_its_neighbours():
    actions = np.random.default_rng(0).integers(-1, 30, size=150)
    alone = replay(1, actions)
    assert any(row[4][0] for row in alone)
    for E in (7, 64):
        for here, there in zip(alone, replay(E, actions), strict=True):
            for a, b in zip(here, there, strict=True):
                np.testing.assert_array_equal(a, b)


def test_workers_that_share_a_seed_continue_the_numbering():
    four = LalRlSimulator(PAIRS, 4, seed=2, pool_size=30)
    two = LalRlSimulator(PAIRS, 2, seed=2, pool_size=30, first_env=2)
    four.reset()
    two.reset()
    np.testing.assert_array_equal(four.observations.candidates[2:], two.observations.candidates)


def test_an_ended_episode_begins_anew_and_leaves_its_last_observation():
    engine = LalRlSimulator(PAIRS[:1], 4, seed=1, pool_size=30, max_episode_steps=5)
    engine.reset()
    steps = np.zeros(4, dtype=int)
    for _ in range(30):
        before = engine.observations.mask.copy()
        action = np.argmax(before, axis=1)
        engine.step(action)
        steps += 1
        ended = engine.terminated | engine.truncated
        assert not (engine.terminated & engine.truncated).any()
        np.testing.assert_array_equal(engine.lengths[ended], steps[ended])
        assert (steps <= 5).all()
        assert (engine.truncated <= (steps == 5)).all()
        last = engine.final_observations.mask
        for e in np.flatnonzero(ended):
            assert last[e, action[e]] == 0
            assert last[e].sum() == before[e].sum() - 1
            assert engine.observations.mask[e].sum() == 28
        steps[ended] = 0


def test_an_illegal_action_is_replaced_and_said():
    engine = LalRlSimulator(PAIRS[:1], 3, pool_size=30)
    engine.reset()
    taken = np.argmin(engine.observations.mask[1])
    engine.step(np.array([np.argmax(engine.observations.mask[0]), taken, -1]), False)
    assert engine.invalid.tolist() == [False, True, True]
    assert (engine.observations.mask.sum(axis=1) == 27).all()


def test_one_sample_left_ends_the_episode():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 2)), rng.integers(0, 2, 100)
    engine = LalRlSimulator([(X, y)], 8, pool_size=12, seed=4)
    engine.reset()
    left = []
    for _ in range(60):
        engine.step(np.full(8, -1))
        left += engine.final_observations.mask[engine.terminated].sum(axis=1).tolist()
    assert min(left) == 1


def test_the_bank_reuses_splits():
    engine = LalRlSimulator(PAIRS[:1], 8, pool_size=20, n_splits=4, max_episode_steps=2)
    engine.reset()
    for _ in range(60):
        engine.step(np.full(8, -1))
    assert engine.config[kernels.DRAWN] == 4


def test_memory_does_not_grow():
    import tracemalloc

    engine = LalRlSimulator(PAIRS[:1], 16, pool_size=20, refresh=1)
    engine.reset()
    actions = np.full(16, -1)
    for _ in range(50):
        engine.step(actions)
    tracemalloc.start()
    for _ in range(2000):
        engine.step(actions)
    assert tracemalloc.get_traced_memory()[0] < 100_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((np.zeros((100, 2)), np.arange(100) % 3), "binary, got 3 classes; use lal/Pool-v0"),
        ((np.full((100, 2), np.nan), np.arange(100) % 2), "missing or infinite values"),
        ((np.zeros((40, 2)), np.arange(40) % 2), "40 samples are too few; at least 72"),
        ((np.zeros((100, 2)), np.arange(99) % 2), r"expected samples \(n, D\)"),
    ],
)
def test_unusable_data_are_refused(data, message):
    with pytest.raises(DataError, match=message):
        LalRlSimulator([data], 2)


def test_a_class_too_rare_for_any_split_is_said():
    X = np.random.default_rng(0).normal(size=(100, 2))
    engine = LalRlSimulator([(X, np.arange(100) == 0)], 1)
    with pytest.raises(DataError, match="more samples of the rarer class"):
        engine.reset()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_episodes": 0}, "n_episodes must be an integer of at least 1"),
        ({"pool_size": 3}, "pool_size must be"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        LalRlSimulator(PAIRS, **{"n_episodes": 2, **options})
    with pytest.raises(UsageError, match="no data set was given"):
        LalRlSimulator([], 2)


def test_data_may_be_named_or_given():
    dataset = load_dataset("sklearn:breast_cancer")
    assert len(binary_pairs([dataset, PAIRS[0], "sklearn:breast_cancer"])) == 3
    assert len(binary_pairs("bundled")) == 1
    with pytest.raises(UsageError, match="data must be a pair"):
        binary_pairs(3)


def test_the_vector_environment_keeps_to_gymnasium():
    env = gymnasium.make_vec(
        LAL_RL_ID, num_envs=6, vectorization_mode="vector_entry_point", max_episode_steps=9
    )
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observation, _ = env.reset(seed=1)
    first = observation["candidates"].copy()
    seen = 0
    for _ in range(20):
        observation, reward, terminated, truncated, infos = env.step(env.action_space.sample())
        assert env.observation_space.contains(observation)
        assert reward.tolist() == [-1.0] * 6
        for e in np.flatnonzero(terminated | truncated):
            assert env.single_observation_space.contains(infos["final_obs"][e])
            assert 0 < infos["final_info"]["accuracy"][e] <= 1
            seen += 1
        assert ("final_obs" in infos) == bool((terminated | truncated).any())
    assert seen > 6
    again, _ = env.reset(seed=1)
    np.testing.assert_array_equal(again["candidates"], first)
    other, _ = env.reset()
    assert (other["candidates"] != first).any()


def test_the_single_environment_passes_gymnasiums_checker():
    env: Any = gymnasium.make(LAL_RL_ID, seed=0).unwrapped
    check_env(env, skip_render_check=True)
    env.reset(seed=0)
    for _ in range(100):
        if env.step(int(np.argmax(env.action_masks())))[2]:
            break
    with pytest.raises(UsageError, match="the episode is over; call reset"):
        env.step(0)


def test_the_stable_baselines_environment_keeps_its_rules():
    pytest.importorskip("stable_baselines3")
    from envs.lal_rl.sb3 import LalRlVecEnv

    env = LalRlVecEnv(5, data=PAIRS[0], pool_size=30, max_episode_steps=4)
    env.seed(3)
    observation: Any = env.reset()
    kept = observation["candidates"].copy()
    ended = 0
    for _ in range(12):
        before = observation
        masks = np.stack(env.env_method("action_masks"))
        copy = before["mask"].copy()
        observation, reward, done, infos = env.step(np.argmax(masks, axis=1))
        np.testing.assert_array_equal(before["mask"], copy)
        assert reward.tolist() == [-1.0] * 5
        for e in np.flatnonzero(done):
            assert infos[e]["terminal_observation"]["mask"].sum() < 28
            assert infos[e]["TimeLimit.truncated"] == (infos[e]["episode"]["l"] == 4) or done[e]
            ended += 1
    assert ended > 5
    env.seed(3)
    observation = env.reset()
    np.testing.assert_array_equal(observation["candidates"], kept)
    with pytest.raises(UsageError, match="no method 'render'"):
        env.env_method("render")
