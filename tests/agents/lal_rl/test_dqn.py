import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("torch")

import torch

from agents.lal_rl import kernels
from agents.lal_rl.config import LalRlConfig
from agents.lal_rl.dqn import Player, Replay, episode_lengths, train
from agents.lal_rl.network import QNetwork
from envs.simulator.lal_rl import LalRlSimulator
from lal.errors import PolicyFileError, UsageError


def wave(seed, n=400, D=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, D))
    score = X @ rng.normal(size=D)
    return X, (score + 0.3 * rng.normal(size=n) > 0).astype(int)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def network(rng):
    drawn = QNetwork.random(rng, out_bias=-4.0)
    for bias in (drawn.state_bias, drawn.joint_bias):
        bias[:] = rng.normal(size=bias.shape)
    return drawn


def played(rng, n_steps=40, **options):
    """A player and a memory after some random steps."""
    engine = LalRlSimulator([wave(0)], 8, pool_size=20, **options)
    engine.reset()
    player = Player(engine, view=0, seed=3)
    replay = Replay(500, player.pad)
    replay.highest[0] = 2.0
    for _ in range(n_steps):
        player.step(np.zeros(kernels.SIZE, dtype=np.float32), 1.0)
        replay.add(player)
    return player, replay


def torch_network(net):
    parts = [torch.tensor(getattr(net, n), requires_grad=True) for n in net.__dataclass_fields__]

    def q_values(states, candidates):
        state, state_bias, joint, joint_bias, out, out_bias = parts
        hidden = torch.sigmoid(states @ state + state_bias)
        inner = hidden[:, None] @ joint[:10] + joint_bias + candidates @ joint[10:]
        return torch.sigmoid(inner) @ out + out_bias

    return parts, q_values


def test_packing_keeps_the_network_and_its_386_weights(rng):
    net = network(rng)
    again = QNetwork.unpack(net.pack())
    total = 0
    for name in net.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(net, name), getattr(again, name))
        total += getattr(net, name).size
    assert total == 386


def test_compiled_values_equal_the_plain_network(rng):
    player, _ = played(rng)
    net = network(rng)
    theta = net.pack()
    engine = player.engine
    player.step(theta, 0.0)
    observed = player.planes.reshape(8, 3, player.pad)
    values = np.zeros(player.pad, dtype=np.float32)
    hidden, joint = np.zeros(16, dtype=np.float32), np.zeros(5, dtype=np.float32)
    for e in range(engine.n_episodes):
        state = player.states[e * 32 : e * 32 + 30]
        kernels.state_layer(theta, player.states, e * 32, hidden, joint)
        kernels.candidate_values(
            theta, joint, player.planes, e * 3 * player.pad, player.pad, values
        )
        wanted = net.q_values(state, observed[e].T)
        np.testing.assert_allclose(values, wanted, atol=2e-6)
        legal = observed[e, 0] != kernels.ABSENT
        assert player.actions[e] == np.argmax(np.where(legal, wanted, -np.inf))


def test_the_gradient_equals_torchs(rng):
    player, replay = played(rng)
    online, target = network(rng), network(rng)
    slots = rng.permutation(300)[:32]
    gradient = np.zeros(kernels.SIZE, dtype=np.float32)
    errors = np.zeros(32, dtype=np.float32)
    kernels.batch_gradient(
        online.pack(), target.pack(), gradient, replay.memory, player.pad, slots, errors
    )
    now, chosen, later, planes, ended = (
        torch.tensor(part.reshape(500, -1)[slots]) for part in replay.memory
    )
    assert ended.any()
    parts, q_online = torch_network(online)
    _, q_target = torch_network(target)
    candidates = planes.reshape(32, 3, -1).transpose(1, 2)
    with torch.no_grad():
        values = q_online(later[:, :30], candidates)
        values[candidates[..., 0] == kernels.ABSENT] = -1e8
        best = values.argmax(dim=1)
        judged = q_target(later[:, :30], candidates)[torch.arange(32), best]
        goal = -1.0 + judged * (~ended[:, 0]).float()
    error = q_online(now[:, :30], chosen[:, None])[:, 0] - goal
    (error**2).sum().backward()
    np.testing.assert_allclose(errors, error.detach().numpy(), atol=5e-6)
    mine = QNetwork.unpack(gradient)
    for name, part in zip(mine.__dataclass_fields__, parts, strict=True):
        scale = max(1.0, float(part.grad.abs().max()))
        np.testing.assert_allclose(getattr(mine, name) / scale, part.grad / scale, atol=1e-6)


def test_adam_and_the_target_network_follow_torch(rng):
    player, replay = played(rng)
    online = network(rng)
    theta, target = online.pack(), online.pack()
    parts, _ = torch_network(online)
    adam = torch.optim.Adam(parts, lr=1e-3)
    moments = (np.zeros_like(theta), np.zeros_like(theta))
    counts = np.zeros(1, dtype=np.int64)
    before = theta.copy()
    random = np.array([5], dtype=np.uint64)
    # Draw the same slots as `learn` will, to hand torch the same gradients.
    for _ in range(3):
        slots = np.zeros(16, dtype=np.int64)
        tree = replay.tree.copy()
        kernels._sample(tree, replay.leaves, int(replay.cursor[1]), random.copy(), slots)
        gradient = np.zeros_like(theta)
        errors = np.zeros(16, dtype=np.float32)
        kernels.batch_gradient(theta, target, gradient, replay.memory, player.pad, slots, errors)
        unpacked = QNetwork.unpack(gradient)
        for name, part in zip(unpacked.__dataclass_fields__, parts, strict=True):
            part.grad = torch.tensor(getattr(unpacked, name))
        adam.step()
        old_target = target.copy()
        kernels.learn(
            theta, target, moments, counts, replay.memory, replay.tree, replay.leaves,
            replay.cursor, replay.highest, random, player.pad, 1, 16, 1e-3, 0.01, 3.0,
        )  # fmt: skip
        np.testing.assert_allclose(target, old_target + 0.01 * (theta - old_target), atol=1e-6)
        leaf = replay.tree[replay.leaves + slots]
        np.testing.assert_allclose(leaf, np.maximum(abs(errors), 1e-4) ** 3.0, rtol=1e-5)
    moved = QNetwork.unpack(theta)
    for name, part in zip(moved.__dataclass_fields__, parts, strict=True):
        np.testing.assert_allclose(getattr(moved, name), part.detach().numpy(), atol=1e-6)
    assert abs(theta - before).max() > 1e-3


def test_memory_holds_what_was_seen(rng):
    engine = LalRlSimulator([wave(0)], 3, pool_size=20, max_episode_steps=3)
    engine.reset()
    player = Player(engine, view=0, seed=3)
    replay = Replay(64, player.pad)
    for step in range(7):
        before = engine.observations.context.copy(), engine.observations.candidates.copy()
        player.step(np.zeros(kernels.SIZE, dtype=np.float32), 1.0)
        replay.add(player)
        now, chosen, later, planes, ended = (p.reshape(64, -1) for p in replay.memory)
        for e in range(3):
            slot = step * 3 + e
            a = player.actions[e]
            over = engine.terminated[e] or engine.truncated[e]
            seen = engine.final_observations if over else engine.observations
            after = seen.candidates[e], seen.context[e], seen.mask[e]
            np.testing.assert_array_equal(now[slot, :30], before[0][e])
            np.testing.assert_array_equal(chosen[slot], before[1][e, a])
            np.testing.assert_array_equal(later[slot, :30], after[1])
            seen = planes[slot].reshape(3, -1).T[:20]
            np.testing.assert_array_equal(seen[after[2] == 1], after[0][after[2] == 1])
            assert (seen[after[2] == 0, 0] == kernels.ABSENT).all()
            assert ended[slot, 0] == engine.terminated[e]


def test_sampling_is_proportional_and_without_replacement(rng):
    tree = np.zeros(32)
    wanted = np.array([1.0, 2.0, 3.0, 4.0, 0.0, 6.0])
    for slot, value in enumerate(wanted):
        kernels.set_priority(tree, 16, slot, value)
    random = np.array([1], dtype=np.uint64)
    first = np.zeros(6)
    for _ in range(4000):
        slots = np.zeros(4, dtype=np.int64)
        copy = tree.copy()
        kernels._sample(copy, 16, 6, random, slots)
        assert len(set(slots.tolist())) == 4
        first[slots[0]] += 1
    np.testing.assert_allclose(first / 4000, wanted / 16, atol=0.03)


def test_symmetric_inputs_do_not_know_the_names_of_the_classes(rng):
    engine = LalRlSimulator([wave(1)], 1, pool_size=30, seed=4)
    engine.reset()
    player = Player(engine, view=1, seed=0)
    theta = network(rng).pack()
    seen = []
    for _ in range(2):
        kernels.choose(
            theta, *engine.flat_observation, player.pad, 0.0, 1, player.random, player.states,
            player.planes, player.actions,
        )  # fmt: skip
        seen.append((player.states[:30].copy(), player.planes.copy(), player.actions.copy()))
        # The same observation with the classes renamed.
        engine.observations.candidates[0, :, 0] = np.where(
            engine.observations.mask[0] == 1, 1 - engine.observations.candidates[0, :, 0], 0
        )
        engine.observations.context[0] = np.sort(1 - engine.observations.context[0])
    for a, b in zip(*seen, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_run_is_reproducible_and_replays_what_it_says():
    config = LalRlConfig(total_timesteps=1500, n_envs=10, learning_starts=5)
    results = [train(config, data=wave(0)) for _ in range(2)]
    np.testing.assert_array_equal(results[0].network.pack(), results[1].network.pack())
    assert results[0].n_replayed == (100 + 405) * 32
    other = train(
        LalRlConfig(total_timesteps=1500, n_envs=10, learning_starts=5, seed=1), data=wave(0)
    )
    assert (other.network.pack() != results[0].network.pack()).any()


def test_lengths_are_paired_and_none_is_lost(rng):
    many = episode_lengths(None, [wave(0)], n_episodes=24, n_envs=4, seed=1)
    again = episode_lengths(None, [wave(0)], n_episodes=24, n_envs=4, seed=1)
    np.testing.assert_array_equal(many, again)
    assert many.shape == (24,)
    assert many.min() >= 1


def test_bad_settings_are_refused():
    with pytest.raises(UsageError, match="buffer_size must be at least batch_size 32, got 8"):
        train(LalRlConfig(buffer_size=8), data=wave(0))
    with pytest.raises(UsageError, match="total_timesteps must be at least n_envs 64, got 10"):
        train(LalRlConfig(total_timesteps=10), data=wave(0))


def test_a_saved_network_comes_back(rng, tmp_path):
    net = network(rng)
    net.save(tmp_path / "q.safetensors", symmetric=True)
    again, symmetric = QNetwork.load(tmp_path / "q.safetensors")
    assert symmetric
    np.testing.assert_array_equal(net.pack(), again.pack())
    from safetensors.numpy import save_file

    save_file({"state": np.zeros(3, dtype=np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(PolicyFileError, match="no LAL-RL network: it lacks"):
        QNetwork.load(tmp_path / "other.safetensors")


@pytest.mark.slow
def test_the_agent_learns():
    """Ahead of random on data it has not seen, on paired episodes."""
    result = train(
        LalRlConfig(total_timesteps=120_000), data=[wave(s, D=d) for s, d in ((1, 5), (2, 9))]
    )
    held_out = [wave(9, 600, 7)]
    random = episode_lengths(None, held_out, n_episodes=256)
    learned = episode_lengths(result.network, held_out, n_episodes=256)
    saved = random - learned
    assert saved.mean() > 2 * saved.std() / 16


def test_one_network_together_plays_as_alone(rng):
    net = network(rng)
    options = {"n_episodes": 16, "n_envs": 4, "seed": 2}
    alone = episode_lengths(net, [wave(0)], **options)
    np.testing.assert_array_equal(episode_lengths([net], [wave(0)], **options), alone)
    both = episode_lengths([net, network(rng)], [wave(0)], **options)
    assert both.shape == (16,)
