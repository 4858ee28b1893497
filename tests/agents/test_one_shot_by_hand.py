"""Active one-shot learning by hand: episodes, exploration, segments, cards."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3")

from agents.one_shot import learner as one_shot
from agents.one_shot.config import PRESETS as ONE_SHOT
from agents.one_shot.learner import OneShotLearner, _explored, card
from envs.one_shot.episodes import draw_episodes
from lal.rng import generator, integer_seed


class Ask(torch.nn.Module):
    """In place of the LSTM: remembers what it is shown, and prefers one action a step."""

    def __init__(self, actions: list[int], C: int) -> None:
        super().__init__()
        self.seen: list[Any] = []
        self.actions, self.C = actions, C

    def cell(self, seen: Any, memory: Any) -> Any:
        assert len(memory) == 2
        assert memory[0].shape == (4, 8)
        if not self.seen:
            assert not memory[0].any()
        self.seen.append(seen.clone())
        return torch.full((4, 8), float(len(self.seen))), memory[1]

    def head(self, memory: Any) -> Any:
        t = int(memory[0, 0]) - 1
        values = torch.zeros(4, self.C + 1)
        values[:, self.actions[t]] = 1.0 + t
        return values


def test_episodes_of_one_shot_learning_by_hand() -> None:
    """Answers 0, asks, answers 1, asks, answers 2 and 0; nothing is explored."""
    config = replace(ONE_SHOT["smoke"], exploration_final_eps=0.0, wrong=-3.0, ask=-0.25)
    learner = OneShotLearner(config)
    network: Any = Ask([0, 3, 1, 3, 2, 0], 3)
    learner.network = network
    values, chosen, rewards, labels = learner._play(np.random.default_rng(5), 0.0)
    drawn = draw_episodes(learner.bank, np.random.default_rng(5), n=4, T=6, C=3, split="fit")
    assert values.shape == (6, 4, 4)
    assert values[2, 0].tolist() == [0.0, 3.0, 0.0, 0.0]
    assert np.array_equal(labels.numpy(), drawn.labels.T)
    assert chosen.tolist() == [[a] * 4 for a in (0, 3, 1, 3, 2, 0)]
    wanted = np.where(chosen.numpy() == drawn.labels.T, 1.0, -3.0)
    wanted[[1, 3]] = -0.25
    assert np.allclose(rewards.numpy(), wanted)
    seen = network.seen
    for t, one in enumerate(seen):
        assert np.allclose(one[:, 3:].numpy(), drawn.items[:, t])
        shown = np.eye(3)[drawn.labels[:, t - 1]] if t in (2, 4) else np.zeros((4, 3))
        assert np.array_equal(one[:, :3].numpy(), shown)
    assert len(seen) == 6


def test_explored_steps_ask_or_answer_a_third_each() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=(60, 100))
    forced = _explored(rng, labels, 1.0, 3)
    assert forced.min() == 0
    shares = [(forced == 3).mean(), (forced == labels).mean()]
    wrong = (forced < 3) & (forced != labels)
    assert [*shares, wrong.mean()] == pytest.approx([1 / 3] * 3, abs=0.03)
    gaps = (forced - labels)[wrong] % 3
    assert (gaps == 1).mean() == pytest.approx(0.5, abs=0.05)
    some = _explored(rng, labels, 0.2, 3)
    assert (some == -1).mean() == pytest.approx(0.8, abs=0.03)
    assert (_explored(rng, labels, 0.0, 3) == -1).all()
    alone = _explored(rng, np.zeros((5, 5), dtype=int), 1.0, 1)
    assert set(alone.ravel()) == {0, 1}


@pytest.mark.parametrize("control", ["none", "shuffled_reward"])
def test_a_segment_of_one_shot_learning_by_hand(monkeypatch: Any, control: Any) -> None:
    """Segment 1 of 2, two gradient steps each; every value, reward and label is known."""
    config = replace(ONE_SHOT["smoke"], seed=3, control=control, all_answers=True)
    learner = OneShotLearner(config)
    rewards = torch.arange(24.0).reshape(6, 4)
    labels = torch.arange(24).reshape(6, 4)
    chosen = torch.tensor([[3, 0, 0, 0]] * 6)
    calls: list[Any] = []

    def play(rng: np.random.Generator, done: float) -> Any:
        calls.append(("play", int(rng.integers(10**9)), done))
        return "values", chosen, rewards + len(calls) // 4, labels

    def td(values: Any, actions: Any, paid: Any, given: Any) -> Any:
        assert (values, actions is chosen, given) == ("values", True, config)
        calls.append(("td", paid))
        return 1.0

    def others(values: Any, actions: Any, told: Any, wrong: float, given: Any) -> Any:
        assert (values, actions is chosen, wrong, given) == ("values", True, -1.0, config)
        calls.append(("others", told))
        return 0.5

    monkeypatch.setattr(learner, "_play", play)
    monkeypatch.setattr(learner, "step", lambda loss: calls.append(("step", loss)))
    monkeypatch.setattr(one_shot, "td_loss", td)
    monkeypatch.setattr(one_shot, "other_answers_loss", others)
    figures = learner.train_segment(1)
    # columns of 0, 4, .., 20 and so on sum to 60, 66, 72 and 78; the second play pays one more
    assert figures == {"gradient_steps": 4, "return": 69.0 + 3.0, "asked": 0.25}
    kinds = [call[0] for call in calls]
    assert kinds == ["play", "td", "others", "step"] * 2
    draws = generator(3, "one_shot", "segment", 1)
    for i in range(2):
        play_call, paid, told, step = calls[4 * i : 4 * i + 4]
        assert play_call == ("play", int(draws.integers(10**9)), (2 + i) / 4)
        assert step == ("step", 1.5)
        order = np.arange(6)[:, None] * np.ones(4, dtype=int)
        if control == "shuffled_reward":
            order = draws.random((6, 4)).argsort(axis=0)
        wanted = np.take_along_axis((rewards + i).numpy(), order, axis=0)
        assert np.array_equal(paid[1].numpy(), wanted)
        assert np.array_equal(told[1].numpy(), np.take_along_axis(labels.numpy(), order, axis=0))


def test_a_one_shot_policy_says_what_it_is() -> None:
    config = replace(ONE_SHOT["smoke"], seed=6, wrong=-2.0)
    assert card(config, "shuffled_reward") == {
        "summary": "active one-shot learning, vectors, 3 classes", "agent": "active_one_shot",
        "control": "shuffled_reward", "bank": "vectors", "loss": "stop_gradient",
        "gradient_steps": 4, "wrong": -2.0, "seed": 6,
    }  # fmt: skip
    learner = OneShotLearner(config)
    policy = learner.export()
    assert policy.name == "one-shot-vectors"
    assert policy.card["control"] == "none"
    assert dict(policy.sizes) == {"classes": 3, "columns": 16, "hidden": 8}
    torch.manual_seed(integer_seed(6, "one_shot", "weights"))
    fresh = one_shot.LstmQ(config, 16).state_dict()
    ours = learner.network.state_dict()
    assert all(torch.equal(fresh[key], ours[key]) for key in fresh)
    assert learner.optimiser.param_groups[0]["lr"] == config.learning_rate
    copies = OneShotLearner.export_untrained(config, 2)
    assert {copy.card["control"] for copy in copies} == {"untrained"}
    for i, copy in enumerate(copies):
        torch.manual_seed(integer_seed(6, "one_shot", "untrained", i))
        head = one_shot.LstmQ(config, 16).head.weight.detach().numpy()
        assert np.array_equal(copy.tensors["head.weight"], head)


def test_an_embedding_is_made_once_for_all_seeds(monkeypatch: Any) -> None:
    made: list[Any] = []

    def train(bank: Any, **options: Any) -> Any:
        made.append((bank, options))
        return "trained"

    monkeypatch.setattr(one_shot, "train_embedding", train)
    monkeypatch.setattr(one_shot, "standardised", lambda *given: given)
    bank: Any = SimpleNamespace(n_columns=16)
    config = replace(ONE_SHOT["smoke"], embedding=5, embedding_gradient_steps=7, seed=3)
    found: Any = one_shot.get_embedding(config, bank)
    assert found == ("trained", bank)
    assert made == [(bank, {"width": 5, "updates": 7, "seed": 0})]
    assert one_shot.n_columns(config, bank) == 5
    assert one_shot.get_embedding(ONE_SHOT["smoke"], bank) is None
    assert one_shot.n_columns(ONE_SHOT["smoke"], bank) == 16


def test_validation_pays_for_answers_and_questions(monkeypatch: Any) -> None:
    """Two episodes of three items: right, asked, wrong; right, right, asked."""
    config = replace(ONE_SHOT["smoke"], seed=3, n_dev_episodes=2, wrong=-2.0, ask=-0.25)
    learner = OneShotLearner(config)
    given: list[Any] = []

    def draw(bank: Any, rng: Any, **options: Any) -> Any:
        given.append((bank is learner.bank, int(rng.integers(10**9)), options))
        return SimpleNamespace(labels=np.array([[0, 1, 2], [1, 1, 0]]))

    def play(policy: Any, drawn: Any) -> Any:
        given.append(policy)
        return np.array([[0, 3, 1], [1, 1, 3]])

    monkeypatch.setattr(one_shot, "draw_episodes", draw)
    monkeypatch.setattr(one_shot, "play", play)
    policy: Any = "policy"
    assert learner.validate(policy) == (1.0 - 0.25 - 2.0 + 1.0 + 1.0 - 0.25) / 2
    number = int(generator(3, "one_shot", "validation").integers(10**9))
    options = {"n": 2, "T": config.n_items, "C": config.n_classes, "split": "validation"}
    assert given == [(True, number, options), "policy"]
