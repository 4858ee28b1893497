import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("stable_baselines3")

import torch

from agents.lal_rl.sb3 import StableConfig, make_stable, train_stable
from envs.lal_rl.sb3 import LalRlVecEnv


def wave(seed=0, n=300, D=4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, D))
    return X, (X @ rng.normal(size=D) + 0.3 * rng.normal(size=n) > 0).astype(int)


SMALL = StableConfig(total_timesteps=640, n_envs=8, learning_starts=64, buffer_size=400)


@pytest.fixture
def model():
    return make_stable(SMALL, LalRlVecEnv(8, data=wave(), pool_size=30))


def test_one_candidate_is_valued_as_among_all(model):
    observation = model.env.reset()
    seen = {k: torch.as_tensor(v.copy()) for k, v in observation.items()}
    with torch.no_grad():
        values = model.q_net(seen)
        slots = values.argmax(dim=1, keepdim=True)
        alone = model.q_net.get_value(seen, slots)
    np.testing.assert_allclose(alone, values.gather(1, slots), atol=1e-6)
    assert (values[seen["mask"] == 0] == -1e8).all()


def test_the_network_exports_to_plain_arrays(model):
    observation = model.env.reset()
    plain = model.q_net.plain()
    with torch.no_grad():
        values = model.q_net({k: torch.as_tensor(v.copy()) for k, v in observation.items()})
    for e in range(8):
        wanted = plain.q_values(observation["context"][e], observation["candidates"][e])
        legal = observation["mask"][e] == 1
        np.testing.assert_allclose(values[e][legal], wanted[legal], atol=1e-5)


def test_a_run_replays_what_it_says_and_takes_no_closed_candidate():
    result = train_stable(SMALL, wave())
    assert result.n_steps == 640
    assert result.n_replayed >= 32 * 30
    assert len(result.lengths) > 5
    assert np.isfinite(result.network.pack()).all()


def test_the_replay_draws_new_transitions_first_and_none_twice(model):
    replay = model.replay_buffer
    observation = model.env.reset()
    for _ in range(5):
        actions = observation["mask"].argmax(axis=1)
        later, rewards, dones, infos = model.env.step(actions)
        replay.add(observation, later, actions[:, None], rewards, dones, infos)
        observation = later
    old = np.arange(32)
    replay.update_priorities(old, np.full(32, 2.0))
    slots = replay.sample(16).slots
    assert set(slots[:16]) >= set(range(32, 40))
    assert len(set(slots)) == 16
    assert (replay.sample(16).weights == 1).all()


def test_errors_are_drawn_by_their_cube(model):
    """Errors 2 and 1 of two slots: the first is drawn 8 times as often as the second."""
    replay = model.replay_buffer
    observation = model.env.reset()
    actions = observation["mask"].argmax(axis=1)
    replay.add(observation, *_after(model.env.step(actions), actions))
    replay.update_priorities(np.arange(8), np.array([2.0, 1.0, *[1e-9] * 6]))
    first = np.mean([replay.sample(1).slots[0] == 0 for _ in range(2000)])
    assert 0.86 < first < 0.92


def _after(found, actions):
    later, rewards, dones, infos = found
    return later, actions[:, None], rewards, dones, infos


def test_the_target_follows_every_gradient_step_and_fractions_are_carried_over(model):
    model.learn(640)
    rounds = (640 - 64) // 8
    assert model._n_updates == int(100 + 0.27 * 8 * rounds)
    assert model.q_net.out.bias.item() < 0
    pairs = zip(model.q_net.parameters(), model.q_net_target.parameters(), strict=True)
    assert all(not torch.equal(a, b) for a, b in pairs)
