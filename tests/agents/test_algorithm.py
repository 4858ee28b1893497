import numpy as np
import pytest
import torch
from stable_baselines3.common.logger import Logger

from agents.training.candidate_dqn import CandidateDQN
from agents.training.candidate_q_network import MASKED_Q
from agents.training.prioritised_replay import Batch
from envs.pool_env import PoolEnv
from envs.sanity_task import giveaway_task


@pytest.fixture
def env():
    return PoolEnv(giveaway_task(), slate_size=6, reward="accuracy_gain")


@pytest.fixture
def model(env):
    return CandidateDQN(
        env=env, seed=0, learning_starts=8, policy_kwargs={"net_arch": [8]}, gamma=0.5, device="cpu"
    )


def tensors(space, n, rng):
    return {
        "candidates": torch.tensor(
            rng.random((n, *space["candidates"].shape)), dtype=torch.float32
        ),
        "context": torch.tensor(rng.random((n, *space["context"].shape)), dtype=torch.float32),
        "mask": torch.ones((n, *space["mask"].shape)),
    }


def test_scores_do_not_depend_on_the_slot(model, env):
    observation = tensors(env.observation_space, 4, np.random.default_rng(0))
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    moved = {**observation, "candidates": observation["candidates"][:, order]}
    here, there = model.q_net(observation)[:, order], model.q_net(moved)
    assert torch.allclose(here, there, atol=1e-6)


def test_closed_slots_get_the_masked_value(model, env):
    observation = tensors(env.observation_space, 1, np.random.default_rng(0))
    observation["mask"][0, 2] = 0
    q = model.q_net(observation)
    assert q[0, 2] == MASKED_Q
    assert (q[0, [0, 1, 3, 4, 5]] > MASKED_Q).all()


def get_batch(env, n, rng, **changes):
    plain = {
        "observations": tensors(env.observation_space, n, rng),
        "actions": torch.zeros(n, 1),
        "next_observations": tensors(env.observation_space, n, rng),
        "dones": torch.zeros(n, 1),
        "rewards": torch.ones(n, 1),
        "discounts": torch.full((n, 1), 0.5),
        "weights": torch.ones(n, 1),
        "slots": np.arange(n),
    }
    return Batch(**(plain | changes))


def test_targets_are_double_q(model, env):
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in model.q_net_target.parameters():
            parameter.add_(torch.randn_like(parameter))
    batch = get_batch(env, 64, rng)
    online = model.q_net(batch.next_observations)
    target = model.q_net_target(batch.next_observations)
    expected = 1.0 + 0.5 * target[torch.arange(64), online.argmax(1)]
    # alone and among its slate, a candidate's products are summed in another order: a last digit
    assert torch.allclose(model._targets(batch).ravel(), expected, atol=1e-6)
    single = 1.0 + 0.5 * target.max(1).values
    assert not torch.allclose(expected, single)


def test_an_end_and_an_empty_slate_are_worth_nothing(model, env):
    rng = np.random.default_rng(1)
    batch = get_batch(env, 3, rng, dones=torch.tensor([[1.0], [0.0], [0.0]]))
    batch.next_observations["mask"][1] = 0
    targets = model._targets(batch).ravel()
    assert targets[:2].tolist() == [1.0, 1.0]
    assert targets[2] != 1.0


def test_training_moves_values_to_their_targets(model, env, monkeypatch):
    rewards = torch.linspace(-1, 1, 16)[:, None]
    batch = get_batch(env, 16, np.random.default_rng(0), rewards=rewards, dones=torch.ones(16, 1))
    errors = []
    monkeypatch.setattr(model.replay_buffer, "sample", lambda n: batch)
    monkeypatch.setattr(
        model.replay_buffer, "update_priorities", lambda slots, found: errors.append(found)
    )
    model.set_logger(Logger(None, []))

    def gap():
        return (model.q_net.get_value(batch.observations, batch.actions) - rewards).detach()

    before = gap().numpy().ravel()
    model.train(100, 16)
    np.testing.assert_allclose(errors[0], before, atol=1e-6)
    assert (gap().numpy() ** 2).mean() < (before**2).mean()


def test_each_environment_explores_on_its_own_coin(model, env):
    n = 4000
    model.exploration_rate = 0.5
    rng = np.random.default_rng(0)
    one = {k: v.numpy() for k, v in tensors(env.observation_space, 1, rng).items()}
    many = {k: np.repeat(v, n, axis=0) for k, v in one.items()}
    greedy, _ = model.predict(many, deterministic=True)
    assert len(set(greedy.tolist())) == 1
    actions, _ = model.predict(many, deterministic=False)
    assert np.mean(actions != greedy) == pytest.approx(0.5 * 5 / 6, abs=0.03)


def test_warm_up_takes_only_legal_slots():
    # Ten rows, two labelled: from the second step on there are more slots than open rows.
    task = giveaway_task(n_cluster=4, n_lonely=2, budget=7)
    model = CandidateDQN(env=PoolEnv(task, slate_size=9), seed=0, learning_starts=60, device="cpu")
    seen = []

    def note(local, _):
        seen.append(local["infos"][0]["invalid_action"])
        return True

    model.learn(50, callback=note)
    assert len(seen) >= 50
    assert not any(seen)


def test_schedules_follow_the_whole_run(env):
    model = CandidateDQN(
        env=env, seed=0, train_freq=1, planned_steps=100, learning_starts=1000, device="cpu",
        exploration_fraction=1.0, exploration_final_eps=0.0,
    )  # fmt: skip
    model.learn(25, reset_num_timesteps=False)
    model.learn(25, reset_num_timesteps=False)
    assert model.num_timesteps == 50
    assert model.exploration_rate == pytest.approx(0.5, abs=0.02)
