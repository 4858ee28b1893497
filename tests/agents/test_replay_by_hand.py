"""Replay, targets, exploration and gradient steps that trainers share, by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.training.candidate_dqn import CandidateDQN, _weighted_huber
from agents.training.checkpoints import load_arrays, save_arrays
from agents.training.pool_envs import REMEMBERED, ScaledRewards, ShuffledRewards
from agents.training.prioritised_replay import PRIORITY_FLOOR, PrioritisedReplay
from agents.training.replay import fill, load_replay, save_replay
from agents.training.torch_learner import TorchLearner
from lal.errors import UsageError
from lal.rng import generator

SPACE = spaces.Dict(
    {
        "candidates": spaces.Box(0, 1, (3, 2), dtype=np.float32),
        "context": spaces.Box(0, 1, (1,), dtype=np.float32),
        "mask": spaces.MultiBinary(3),
    }
)


def observation(value: float, n: int = 2, mask: Any = (1, 1, 1)) -> dict[str, Any]:
    return {
        "candidates": np.full((n, 3, 2), value, dtype=np.float32),
        "context": np.full((n, 1), value, dtype=np.float32),
        "mask": np.tile(np.array(mask, dtype=np.int8), (n, 1)),
    }


def buffer(size: int = 8, n: int = 2, **options: Any) -> PrioritisedReplay:
    return PrioritisedReplay(size, SPACE, spaces.Discrete(3), "cpu", n, **options)


def add(replay: PrioritisedReplay, i: int, n: int = 2) -> None:
    replay.add(observation(i / 10, n), observation(i / 10 + 0.05, n), np.full(n, i % 3),
               np.full(n, float(i)), np.zeros(n), [{}] * n)  # fmt: skip


def test_defaults_and_priorities_of_a_replay() -> None:
    replay = buffer()
    assert (replay.alpha, replay.beta, replay.reward_scale) == (0.6, 0.6, 1.0)
    assert (replay.n_steps, replay.gamma) == (1, 0.99)
    assert replay.rates.shape == (4, 2)
    assert replay.seams.tolist() == [False, False, False, True]
    add(replay, 1)
    assert replay.rates[0].tolist() == [1.0, 1.0]
    assert replay.sample(3).discounts.ravel().tolist() == pytest.approx([0.99] * 3)
    replay.update_priorities(np.array([1]), np.array([-3.0]))
    assert replay.rates[0, 1] == pytest.approx((3 + PRIORITY_FLOOR) ** 0.6)
    batch = replay.sample(500)
    rates = replay.rates[0]
    share = np.mean(batch.slots == 1)
    assert share == pytest.approx(rates[1] / rates.sum(), abs=0.08)
    by_hand = (2 * rates / rates.sum()) ** -0.6
    np.testing.assert_allclose(
        batch.weights.ravel(), (by_hand / by_hand.max())[batch.slots], rtol=1e-6
    )
    same = [buffer(seed=s) for s in (4, 4, 5)]
    for one in same:
        for i in range(4):
            add(one, i)
    first, second, other = (one.sample(50).slots.tolist() for one in same)
    assert first == second != other


def test_a_replay_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    replay = buffer()
    for i in range(3):
        add(replay, i)
    save_replay(replay, tmp_path / "r.npz")
    arrays = load_arrays(tmp_path / "r.npz")
    assert arrays["position"].tolist() == [3, 0]
    assert len(arrays["rewards"]) == 3
    said = r"has \S+ of shape \(3, .*; expected \(2, .* or fewer rows, as the run's config says"
    with pytest.raises(UsageError, match=said):
        load_replay(buffer(size=4), tmp_path / "r.npz")
    for position in ([4, 0], [-1, 0], [1], [[1, 2]]):
        save_arrays(tmp_path / "w.npz", {**arrays, "position": np.array(position)})
        with pytest.raises(UsageError, match="has no position within a buffer of this size"):
            load_replay(buffer(), tmp_path / "w.npz")
    save_arrays(tmp_path / "w.npz", {k: v for k, v in arrays.items() if k != "rewards"})
    with pytest.raises(UsageError, match="has rewards of shape None"):
        load_replay(buffer(), tmp_path / "w.npz")
    whole = buffer()
    load_replay(whole, tmp_path / "r.npz")
    assert (whole.pos, whole.full) == (3, False)


def test_recorded_steps_fill_a_buffer_and_the_rest_stays_out() -> None:
    seen = {k: np.concatenate([observation(i / 10, 1)[k] for i in range(5)]) for k in SPACE.spaces}
    after = {k: v + v.dtype.type(1) * (k == "context") for k, v in seen.items()}

    class Steps(SimpleNamespace):
        def __len__(self) -> int:
            return 5

    recorded: Any = Steps(
        observations=seen, next_observations=after, actions=np.arange(5) % 3,
        rewards=np.arange(5.0), ends=np.array([0, 1, 0, 0, 1], dtype=bool),
    )  # fmt: skip
    replay = buffer()
    fill(replay, recorded)
    assert replay.pos == 2
    assert replay.rewards[:2].tolist() == [[0, 1], [2, 3]]
    assert replay.dones[:2].tolist() == [[0, 1], [0, 0]]
    assert replay.actions[:2, :, 0].tolist() == [[0, 1], [2, 0]]
    np.testing.assert_allclose(replay.observations["context"][:2, :, 0], [[0, 0.1], [0.2, 0.3]])
    np.testing.assert_allclose(replay.next_observations["context"][1, 1], 1.3)


class Table(torch.nn.Module):
    """Values by the observation's context times a row of numbers."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.row = torch.tensor(values)

    def forward(self, seen: Any) -> Any:
        return seen["context"] * self.row

    def get_value(self, seen: Any, actions: Any) -> Any:
        return self(seen).gather(1, actions)


def test_double_q_targets_by_hand() -> None:
    """The online network chooses, the target network says what it is worth."""
    model: Any = SimpleNamespace(q_net=Table([1.0, 3.0, 2.0]), q_net_target=Table([5.0, 7.0, 9.0]))
    mask = torch.tensor([[1, 1, 1], [1, 1, 1], [0, 0, 0]])
    batch: Any = SimpleNamespace(
        next_observations={"context": torch.tensor([[1.0], [2.0], [2.0]]), "mask": mask},
        dones=torch.tensor([[0.0], [1.0], [0.0]]),
        rewards=torch.tensor([[0.5], [0.25], [0.125]]),
        discounts=torch.tensor([[0.5], [0.5], [0.5]]),
    )
    found = CandidateDQN._targets(model, batch)
    assert found.ravel().tolist() == [0.5 + 0.5 * 7.0, 0.25, 0.125]


def test_huber_by_hand() -> None:
    error = torch.tensor([[0.5], [-3.0]])
    weights = torch.tensor([[1.0], [0.5]])
    assert float(_weighted_huber(error, weights)) == pytest.approx((0.125 + 0.5 * 2.5) / 2)


def test_exploration_draws_legal_slots_alone() -> None:
    model: Any = SimpleNamespace(explorer=np.random.default_rng(0))
    mask = np.tile([[1, 0, 1]], (6000, 1))
    greedy = np.zeros(6000, dtype=np.int64)
    drawn = CandidateDQN._explored(model, greedy, mask, 0.5)
    assert set(drawn.tolist()) == {0, 2}
    assert np.mean(drawn == 2) == pytest.approx(0.25, abs=0.03)
    assert not CandidateDQN._explored(model, greedy, mask, 0.0).any()
    assert np.mean(CandidateDQN._explored(model, greedy, mask, 1.0) == 2) == pytest.approx(
        0.5, abs=0.03
    )
    nothing = CandidateDQN._explored(model, np.array([1, 1]), np.zeros((2, 3)), 1.0)
    assert nothing.tolist() == [1, 1]
    one = CandidateDQN._explored(model, np.array(1), np.array([0, 1, 0]), 1.0)
    assert one.shape == ()
    assert int(one) == 1


def test_steps_clip_the_gradient_only_when_asked() -> None:
    class Line(TorchLearner[Any]):
        def __init__(self) -> None:
            self.network = torch.nn.Linear(1, 1, bias=False)
            torch.nn.init.zeros_(self.network.weight)
            self.optimiser = torch.optim.SGD(self.network.parameters(), lr=1.0)

        train_segment = export = export_untrained = None  # type: ignore[assignment]

    Line.__abstractmethods__ = frozenset()
    for norm, moved in ((None, 8.0), (2.0, 2.0), (100.0, 8.0)):
        learner: Any = Line()
        for times in (1, 2):
            loss = -8.0 * learner.network(torch.ones(1, 1)).sum()
            learner.step(loss, max_norm=norm)
            assert learner.network.weight.item() == pytest.approx(times * moved, rel=1e-4)


@contextmanager
def wrapped(kind: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
    venv: Any = SimpleNamespace(
        num_envs=2, observation_space=SPACE, action_space=spaces.Discrete(3),
        get_attr=lambda name, indices=None: [None, None], reset=lambda: "begun",
        step_wait=lambda: ("seen", np.array([1.0, 2.0]), "done", "infos"),
    )  # fmt: skip
    yield kind(venv, *arguments, **options)


def test_rewards_are_scaled_or_those_of_other_times() -> None:
    with wrapped(ScaledRewards, 20.0) as envs:
        observations, rewards, done, infos = envs.step_wait()
        assert (observations, done, infos, envs.reset()) == ("seen", "done", "infos", "begun")
        assert rewards.tolist() == [20.0, 40.0]
        assert rewards.dtype == np.float32
    with wrapped(ShuffledRewards, seed=1) as envs:
        paid = np.concatenate([envs.step_wait()[1] for _ in range(200)])
        assert set(paid.tolist()) == {1.0, 2.0}
        assert np.mean(paid) == pytest.approx(1.5, abs=0.1)
        for i in range(REMEMBERED):
            envs.exchange(np.array([float(i)]))
        later = {float(envs.exchange(np.array([0.0]))[0]) for _ in range(20)}
        assert min(envs._earned[:REMEMBERED]) >= 0
        assert len(envs._earned) == REMEMBERED
        assert len(later) > 10
    with wrapped(ShuffledRewards, seed=1) as one, wrapped(ShuffledRewards, seed=2) as two:
        first, second = ([e.exchange(np.arange(9.0)).tolist() for _ in range(3)]
                         for e in (one, two))  # fmt: skip
        assert first != second


def test_shuffled_rewards_are_drawn_from_a_stream_of_their_own() -> None:
    with wrapped(ShuffledRewards, seed=4) as envs:
        drawn = [envs.exchange(np.array([i, i + 0.5])).tolist() for i in range(3)]
    rng = generator(4, "shuffled rewards")
    earned = [x for i in range(3) for x in (i, i + 0.5)]
    assert drawn == [rng.choice(earned[: 2 * i + 2], 2).tolist() for i in range(3)]


def test_steps_that_were_recorded_count_like_those_of_environments() -> None:
    """Two rounds of four environments, then the gradient steps that are due for them."""
    calls: list[Any] = []
    model: Any = SimpleNamespace(
        train_freq=SimpleNamespace(frequency=2), num_timesteps=5, n_envs=4, gradient_steps=3,
        batch_size=7, train=lambda *given: calls.append(("train", *given)),
        _on_step=lambda: calls.append(("step", model.num_timesteps)),
        _update_current_progress_remaining=lambda *given: calls.append(given),
    )  # fmt: skip
    CandidateDQN.learn_offline(model)
    assert calls == [("step", 9), ("step", 13), (13, 13), ("train", 3, 7)]
