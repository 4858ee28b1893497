"""Learners around stable-baselines3 by hand: one gradient step, checkpoints, segments, figures."""

import copy
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.logger import Logger

from agents.training import blocks, embeddings, pool_learner, sb3
from agents.training.candidate_dqn import CandidateDQN
from agents.training.candidate_q_network import MASKED_Q
from agents.training.checkpoints import save_arrays
from agents.training.config import PoolEnvConfig, RunConfig
from agents.training.pool_learner import PoolSb3Learner
from agents.training.sb3 import Sb3Learner, load_model, save_model
from agents.training.torch_learner import TorchLearner
from lal.errors import UsageError
from lal.rng import integer_seed

SPACE = spaces.Dict(
    {
        "candidates": spaces.Box(-9, 9, (3, 2), dtype=np.float32),
        "context": spaces.Box(-9, 9, (1,), dtype=np.float32),
        "mask": spaces.MultiBinary(3),
    }
)


class Slates(gymnasium.Env[Any, Any]):
    """Three rows on offer; an episode is four steps, the reward is the slot."""

    observation_space: Any = SPACE
    action_space: Any = spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t = 0
        return self.seen(), {}

    def seen(self) -> Any:
        rng = self.np_random
        return {"candidates": rng.normal(size=(3, 2)).astype(np.float32),
                "context": np.full(1, self.t, dtype=np.float32),
                "mask": np.array([1, 1, self.t % 2], dtype=np.int8)}  # fmt: skip

    def step(self, action: Any) -> Any:
        self.t += 1
        return self.seen(), float(action), self.t == 4, False, {}


def make(seed: int = 0, **options: Any) -> CandidateDQN:
    return CandidateDQN(
        env=Slates(), seed=seed, learning_starts=4, buffer_size=32, batch_size=4, train_freq=4,
        gradient_steps=1, policy_kwargs={"net_arch": [5]}, device="cpu", **options,
    )  # fmt: skip


def observations(n: int) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(n)
    seen = {"candidates": rng.normal(size=(n, 3, 2)), "context": rng.normal(size=(n, 1))}
    found = {k: torch.from_numpy(v.astype(np.float32)) for k, v in seen.items()}
    return {**found, "mask": torch.tensor([[1, 0, 1]] * n)}


def test_values_are_those_of_the_network_row_by_row() -> None:
    model: Any = make()
    net, seen = model.q_net, observations(4)
    with torch.no_grad():
        found = net(seen)
        for b in range(4):
            for k in range(3):
                row = torch.cat([seen["context"][b], seen["candidates"][b, k]])
                wanted = float(net.q_net(row)[0]) if k != 1 else MASKED_Q
                assert float(found[b, k]) == pytest.approx(wanted, abs=1e-5)
        slots = torch.tensor([[0], [2], [1], [0]])
        value = net.get_value(seen, slots)
        plain = net.score(seen["context"], seen["candidates"]).gather(1, slots)
    assert torch.allclose(value, plain, atol=1e-6)
    with pytest.raises(TypeError, match="expected a dict observation, got Tensor"):
        net(torch.zeros(1))


def test_a_gradient_step_is_weighted_double_q_learning() -> None:
    model: Any = make(learning_rate=0.01, max_grad_norm=0.5)
    model.learn(8)  # fills the replay, two gradient steps
    twin = copy.deepcopy(model.policy.state_dict())
    optimiser_state = copy.deepcopy(model.policy.optimizer.state_dict())
    batch = model.replay_buffer.sample(4)
    model.replay_buffer.sample = lambda n: batch if n == 7 else None
    told: list[Any] = []
    model.replay_buffer.update_priorities = lambda slots, errors: told.append((slots, errors))
    updates = model._n_updates
    model.train(1, 7)
    after = copy.deepcopy(model.policy.state_dict())
    model.policy.load_state_dict(twin)
    model.policy.optimizer.load_state_dict(optimiser_state)
    error = model.q_net.get_value(batch.observations, batch.actions) - model._targets(batch)
    huber = torch.where(error.abs() < 1, 0.5 * error**2, error.abs() - 0.5)
    model.policy.optimizer.zero_grad()
    (batch.weights * huber).mean().backward()
    torch.nn.utils.clip_grad_norm_(model.policy.parameters(), 0.5)
    model.policy.optimizer.step()
    for name, value in model.policy.state_dict().items():
        assert torch.allclose(value, after[name], atol=1e-7), name
    ((slots, errors),) = told
    assert slots is batch.slots
    np.testing.assert_allclose(errors, error.detach().numpy().ravel(), atol=1e-6)
    assert model._n_updates == updates + 1
    assert model.logger.name_to_value["train/n_updates"] == updates + 1
    loss = float((batch.weights * huber).mean().detach())
    assert model.logger.name_to_value["train/loss"] == pytest.approx(loss, rel=1e-5)


def test_another_buffer_is_refused() -> None:
    model: Any = make()
    model.replay_buffer = None
    model.set_logger(Logger(folder=None, output_formats=[]))
    with pytest.raises(UsageError, match="CandidateDQN learns from a PrioritisedReplay; pass no"):
        model.train(1)


def test_predictions_explore_unless_deterministic() -> None:
    model: Any = make()
    seen = {k: v.numpy() for k, v in observations(400).items()}
    model.exploration_rate = 1.0
    greedy, _ = model.predict(seen, deterministic=True)
    with torch.no_grad():
        assert greedy.tolist() == model.q_net(observations(400)).argmax(dim=1).tolist()
    explored, _ = model.predict(seen)
    assert set(explored.tolist()) == {0, 2}
    assert np.mean(explored == 0) == pytest.approx(0.5, abs=0.1)
    model.exploration_rate = 0.0
    assert model.predict(seen)[0].tolist() == greedy.tolist()


def test_first_steps_are_random_and_later_ones_the_networks() -> None:
    model: Any = make()
    model._last_obs = {k: v.numpy() for k, v in observations(400).items()}
    model.num_timesteps, model.exploration_rate = 9, 0.0
    taken, stored = model._sample_action(10, n_envs=400)
    assert taken is stored
    assert set(taken.tolist()) == {0, 2}
    assert np.mean(taken == 0) == pytest.approx(0.5, abs=0.1)
    model.num_timesteps = 10
    later, _ = model._sample_action(10, n_envs=400)
    assert later.tolist() == model.predict(model._last_obs, deterministic=True)[0].tolist()
    model.num_timesteps, model._last_obs = 9, np.zeros(3)
    with pytest.raises(UsageError, match="CandidateDQN needs dict observations with a mask"):
        model._sample_action(10)


def test_schedules_follow_the_whole_run() -> None:
    model: Any = make(planned_steps=100)
    model._update_current_progress_remaining(25, 50)
    assert model._current_progress_remaining == 0.75
    plain: Any = make()
    plain._update_current_progress_remaining(25, 50)
    assert plain._current_progress_remaining == 0.5
    assert make(gamma=0.2).replay_buffer.gamma == 0.2  # type: ignore[union-attr]
    assert plain.replay_buffer.gamma == 0.99


def test_seeds_reach_every_generator() -> None:
    def drawn(seed: int) -> Any:
        model: Any = make()
        model.reseed(seed)
        return (model.explorer.random(), model.replay_buffer.rng.random(), float(torch.rand(1)),
                np.random.random())  # noqa: NPY002  # fmt: skip

    first, again, other = drawn(3), drawn(3), drawn(4)
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_a_model_goes_on_from_what_was_saved(tmp_path: Path) -> None:
    model: Any = make()
    model.learn(12)
    model.ep_info_buffer.append({"r": 3.0, "l": 4, "t": 0.5})
    save_model(model, tmp_path)
    fresh: Any = make(seed=9)
    load_model(fresh, tmp_path)
    for name, value in model.policy.state_dict().items():
        assert torch.equal(fresh.policy.state_dict()[name], value), name
    one, two = (m.policy.optimizer.state_dict()["state"] for m in (model, fresh))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[k]["exp_avg"], two[k]["exp_avg"]) for k in one)
    for name in sb3.COUNTERS:
        if hasattr(model, name):
            assert getattr(fresh, name) == getattr(model, name), name
    assert fresh.num_timesteps == 12
    assert list(fresh.ep_info_buffer) == list(model.ep_info_buffer)
    assert fresh.ep_info_buffer.maxlen == fresh.ep_success_buffer.maxlen == 100
    np.testing.assert_array_equal(fresh.replay_buffer.rewards, model.replay_buffer.rewards)
    assert fresh.replay_buffer.pos == model.replay_buffer.pos


@dataclass(frozen=True, kw_only=True)
class Steps(RunConfig):
    total_timesteps: int = 10
    n_segments: int = 4


class Made(SimpleNamespace):
    """Stands in for an algorithm."""

    def __init__(self, envs: Any, seed: int) -> None:
        super().__init__(envs=envs, seeds=[seed], num_timesteps=0, _n_updates=7, learned=[],
                         ep_info_buffer=deque([{"r": 1.0}, {"r": 2.0}]))  # fmt: skip
        self.logger = SimpleNamespace(close=lambda: self.learned.append("closed"))

    def set_random_seed(self, seed: int) -> None:
        self.seeds.append(seed)

    def set_logger(self, logger: Any) -> None:
        self.silent = logger.output_formats == []

    def learn(self, steps: int, callback: Any, reset_num_timesteps: bool) -> None:
        assert reset_num_timesteps is False
        self.learned.append(steps)
        self.num_timesteps += steps


class Stepping(Sb3Learner[Steps]):
    made: Any = None

    def make_envs(self, segment: int) -> Any:
        return SimpleNamespace(segment=segment, close=lambda: None)

    def make_model(self, envs: Any, *, seed: int) -> Any:
        self.made = Made(envs, seed)
        return self.made

    export = export_untrained = None  # type: ignore[assignment]


def test_segments_end_at_their_share_of_the_steps(monkeypatch: Any, tmp_path: Path) -> None:
    learner = Stepping(Steps(seed=5))
    assert (learner.total_timesteps, learner.n_units, learner.n_segments) == (10, 10, 4)
    assert learner.train_segment(1) == {"step": 5, "mean_return": 1.5, "n_updates": 7}
    made = learner.made
    assert made.envs.segment == 1
    assert made.seeds == [integer_seed(5, "weights"), integer_seed(5, "segment", 1)]
    assert made.learned == [5, "closed"]
    assert made.silent
    assert learner.model is made
    made.ep_info_buffer = None
    assert learner.figures(made)["mean_return"] is None
    loaded: list[Any] = []
    monkeypatch.setattr(sb3, "load_model", lambda model, place: loaded.append(place))
    learner.load(tmp_path)
    assert learner.model is not made
    assert loaded == [tmp_path]
    assert learner.made.envs.segment == 0


def test_fresh_copies_are_made_for_one_environment(monkeypatch: Any) -> None:
    given: list[Any] = []

    class Copies(PoolSb3Learner[PoolEnvConfig]):
        name = "copies"

        def make_envs(self, segment: int) -> Any:
            return f"envs {segment}"

        def make_model(self, envs: Any, *, seed: int) -> Any:
            return envs, seed

        def scorer(self, model: Any) -> Any:
            return model

        def card(self) -> Any:
            return {"n_envs": self.config.n_envs, "control": "none"}

        def export_network(self, network: Any, name: str, card: Any) -> Any:
            return network, name, card

    def envs(config: Any, features: Any, segment: int) -> Any:
        given.append((config.n_envs, segment))
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(pool_learner, "make_pool_envs", envs)
    found: Any = Copies.export_untrained(PoolEnvConfig(seed=2, n_envs=8), 2)
    assert given == [(1, 0)]
    card = {"n_envs": 1, "control": "untrained"}
    assert found == [
        (("envs 0", integer_seed(2, "untrained", i)), f"copies_untrained_{i}", card)
        for i in range(2)
    ]


def test_a_torch_learner_keeps_weights_and_optimiser(tmp_path: Path) -> None:
    class Line(TorchLearner[Any]):
        def __init__(self) -> None:
            self.network = torch.nn.Linear(2, 1)
            self.optimiser = torch.optim.Adam(self.network.parameters(), lr=0.1)

        train_segment = export = export_untrained = None  # type: ignore[assignment]

    one, two = Line(), Line()
    one.step(one.network(torch.ones(1, 2)).sum())
    one.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]
    two.load(tmp_path)
    for learner in (one, two):
        learner.step(learner.network(torch.ones(1, 2)).sum())
    assert torch.equal(one.network.weight, two.network.weight)  # type: ignore[arg-type]


def test_an_embedding_learns_to_tell_the_training_classes_apart() -> None:
    centres = np.eye(4, 6, dtype=np.float32) * 4
    rng = np.random.default_rng(0)
    X = np.concatenate([c + rng.normal(0, 0.5, (20, 6)) for c in centres]).astype(np.float32)
    y = np.repeat(np.arange(4), 20)
    asked: list[Any] = []

    def draw_classes(rng: Any, n: int, C: int, split: str) -> Any:
        asked.append((n, C, split))
        return np.array([rng.permutation(3)])

    bank: Any = SimpleNamespace(
        X=X, y=y, n_columns=6, classes=lambda split: np.arange(3), draw_classes=draw_classes,
        draw_distinct=lambda rng, classes, k: np.stack(
            [rng.choice(np.flatnonzero(y == c), k, replace=False) for c in classes]
        ),
    )  # fmt: skip
    net = embeddings.train_embedding(bank, width=2, updates=40, seed=1)
    assert set(asked) == {(1, 3, "fit")}
    with torch.no_grad():
        Z = net(torch.from_numpy(X)).numpy()
    means = np.stack([Z[y == c].mean(axis=0) for c in range(3)])
    gaps = ((Z[y < 3][:, None] - means) ** 2).sum(axis=2)
    assert (gaps.argmin(axis=1) == y[y < 3]).mean() > 0.9
    again = embeddings.train_embedding(bank, width=2, updates=40, seed=1)
    other = embeddings.train_embedding(bank, width=2, updates=40, seed=2)
    assert torch.equal(net[0].weight, again[0].weight)  # type: ignore[arg-type]
    assert not torch.equal(net[0].weight, other[0].weight)  # type: ignore[arg-type]


def test_missing_blocks_are_made_and_counted(tmp_path: Path) -> None:
    calls: list[Any] = []
    bar: Any = SimpleNamespace(start=lambda *a: calls.append(a), at=lambda n: calls.append(n))
    paths = [tmp_path / str(i) for i in range(4)]
    paths[1].write_text("there")

    class Block:
        def __init__(self, number: int) -> None:
            self.number = number

        def save(self, path: Path) -> None:
            path.write_text(str(self.number))

    blocks.make_blocks(Block, paths, numbers=[0, 1, 3], n_jobs=1, progress=bar)
    assert calls == [(2, "blocks"), 1, 2]
    assert [p.read_text() for p in paths if p.exists()] == ["0", "there", "3"]
    blocks.make_blocks(Block, paths, numbers=[0, 1, 3], n_jobs=1, progress=bar)
    assert len(calls) == 3


def test_objects_are_never_written_to_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        save_arrays(tmp_path / "a.npz", {"x": np.array([object()], dtype=object)})
