from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import envs  # noqa: F401
from envs.streams.stream_env import DriftingTables, StreamEnv
from lal.errors import UsageError

DOCS = Path(__file__).resolve().parents[3] / "docs" / "envs"
pytest.importorskip("pycrfsuite")
IDS = ["lal/Stream-v0", "lal/SequenceLabelling-v0"]


def play(env, actions, seed=0):
    seen, rewards = [env.reset(seed=seed)[0]], []
    for action in actions:
        observation, reward, over, _, info = env.step(action)
        seen.append(observation)
        rewards.append(reward)
    return np.stack(seen), np.array(rewards), over, info


@pytest.mark.parametrize("name", IDS)
def test_seeded(name):
    env = gymnasium.make(name, budget=0.5).unwrapped
    actions = np.random.default_rng(0).integers(2, size=20)
    one, two, other = (play(env, actions, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize("name", IDS)
def test_vectorised_equals_single(name):
    actions = [1, 0, 1, 1, 0]
    single = play(gymnasium.make(name), actions, seed=3)
    vector = gymnasium.make_vec(name, num_envs=2)
    vector.reset(seed=3)  # the first lane gets 3, the second 4
    rewards = [vector.step(np.array([a, 0]))[1][0] for a in actions]
    np.testing.assert_allclose(rewards, single[1])
    vector.close()


@pytest.mark.parametrize("name", IDS)
def test_rendered(name):
    env = gymnasium.make(name, render_mode="ansi")
    play(env, [1, 0])
    assert "!.] item 2 spent" in str(env.render())


@pytest.mark.parametrize("name", IDS)
def test_page_says_what_is_there(name):
    page = {"lal/Stream-v0": "stream.md"}.get(name, "sequence_labelling.md")
    text = (DOCS / page).read_text()
    env: Any = gymnasium.make(name).unwrapped
    assert f"({env.observation_space.shape[0]},)" in text
    for feature in env.features:
        assert f"`{feature}`" in text
    exec(text.split("```python\n")[1].split("```")[0], {})


def test_rewards_add_up():
    """Skipping earns nothing; under quality_gain a label earns ten times what it changed."""
    env = StreamEnv(DriftingTables(["abrupt"], n=60), budget=0.5, price=0.25)
    assert play(env, [0] * 10)[1].tolist() == [0.0] * 10
    env.reset(seed=1)
    world = env._running().world
    before = world.quality(0)
    reward = env.step(1)[1]
    assert reward == pytest.approx(10 * (world.quality(0) - before) - 0.25)


def test_spends_the_budget_exactly():
    env = StreamEnv(DriftingTables(["abrupt"], n=60), budget=0.1)
    for action in (0, 1):
        *_, over, info = play(env, [action] * 60)
        assert over
        assert info["spent"] == info["total"] == 6


def test_prequential_reward_is_being_right():
    env = StreamEnv(DriftingTables(["abrupt"], n=60), reward="prequential")
    _, rewards, _, info = play(env, [0, 1] * 30)
    assert rewards.mean() == pytest.approx(info["right"])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"reward": "fame"}, "unknown reward 'fame'"), ({"render_mode": "x"}, "render_mode must be")],
)
def test_bad_options(options, message):
    with pytest.raises(UsageError, match=message):
        StreamEnv(**options)


def test_misuse():
    env = StreamEnv(DriftingTables(["abrupt"], n=2))
    with pytest.raises(UsageError, match="call reset first"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(UsageError, match="action 2 is not in 0 to 1"):
        env.step(2)
    env.step(0)
    env.step(0)
    with pytest.raises(UsageError, match="the episode is over"):
        env.step(0)
