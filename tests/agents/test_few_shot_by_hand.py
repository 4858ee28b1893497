"""REINFORCE over subsets by hand: advantages, sampled subsets, rewards, what heads see, cards."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from agents.few_shot import learner as few_shot
from agents.few_shot.config import PRESETS
from agents.few_shot.learner import FewShotLearner, card, get_embedding, layout
from agents.few_shot.network import World, make_head
from envs.few_shot.episodes import FewShot, Layout
from lal.errors import UsageError
from lal.policies.subset_features import (
    coverage_order,
    order_features,
    prototype_statistics,
    similarities,
)
from lal.rng import generator, integer_seed

CONFIG = replace(PRESETS["smoke"], gradient_steps=4, batch_size=2, copies=2, seed=3)


def make_learner(**changes: Any) -> FewShotLearner:
    """A learner that takes items as they are."""
    learner = FewShotLearner(replace(CONFIG, embedding_gradient_steps=0, **changes))
    learner.embedding = torch.nn.Sequential(torch.nn.Identity())
    return learner


def make_episodes() -> FewShot:
    """Two episodes of two classes at 0 and 4; the second's pool is labelled the other way round."""
    pool = np.array([[[0.5], [3.5], [9.0]], [[3.0], [1.0], [9.0]]], dtype=np.float32)
    return FewShot(
        pool, np.array([[0, 1, 2], [0, 1, 2]]), np.zeros((2, 0, 1), np.float32),
        np.zeros((2, 0), int), np.array([[[0.0], [4.0]]] * 2, dtype=np.float32),
        np.array([[0, 1], [1, 0]]),
    )  # fmt: skip


def test_episodes_have_the_sizes_of_the_config() -> None:
    config = replace(CONFIG, n_distractors=3, shots=2, n_other_classes=4)
    assert layout(config) == Layout(2, 8, 3, 2, 15, 4)


def test_heads_share_the_embedding_of_its_own_seed(monkeypatch: Any) -> None:
    made: list[Any] = []

    def train(bank: Any, **options: Any) -> str:
        made.append((bank, options))
        return "embedding"

    monkeypatch.setattr(few_shot, "train_embedding", train)
    bank: Any = "bank"
    found: Any = get_embedding(replace(CONFIG, embedding=6, embedding_seed=9), bank)
    assert found == "embedding"
    assert made == [("bank", {"width": 6, "updates": 2, "seed": 9})]


@pytest.mark.parametrize("control", ["none", "shuffled_reward"])
def test_a_segment_of_reinforce_by_hand(monkeypatch: Any, control: Any) -> None:
    """Segment 1 of 2: two gradient steps, after half and three quarters of the run."""
    learner = make_learner(control=control, learning_rate=0.5, ent_coef=0.25, n_query=11)
    rewards = np.array([0.5, 0.75, 0.25, 1.0])
    log_p = torch.tensor([-1.0, -2.0, -3.0, -4.0])
    calls: list[Any] = []

    assert learner.task.layout == layout(learner.config)._replace(n_query=11)

    def draw(bank: Any, rng: Any, n: int, split: str) -> str:
        assert (bank is learner.bank, n, split) == (True, 2, "fit")
        calls.append(("draw", int(rng.integers(10**9))))
        return "drawn"

    def repeated(copies: int) -> str:
        return f"{copies} copies"

    def sample(world: Any) -> Any:
        calls.append((world, int(torch.randint(10**9, ()))))
        return "picked", log_p, torch.tensor(2.0)

    def step(loss: torch.Tensor, *, max_norm: float) -> None:
        calls.append((loss.item(), max_norm, learner.optimiser.param_groups[0]["lr"]))

    monkeypatch.setattr(learner, "task", SimpleNamespace(draw=draw))
    monkeypatch.setattr(learner, "world", lambda drawn: SimpleNamespace(repeated=repeated))
    monkeypatch.setattr(learner, "sample", sample)
    monkeypatch.setattr(
        learner, "_reward", lambda drawn, picked, copies: rewards if copies == 2 else None
    )
    monkeypatch.setattr(learner, "step", step)
    figures = learner.train_segment(1)
    assert figures == {"gradient_steps": 4, "accuracy": 0.625}
    rng = generator(3, "few_shot", "segment", 1)
    torch.manual_seed(integer_seed(3, "few_shot", "segment", 1))
    for i, done in enumerate((0.5, 0.75)):
        (_, number), (world, drawn), (loss, max_norm, rate) = calls[3 * i : 3 * i + 3]
        assert number == int(rng.integers(10**9))
        assert (world, drawn) == ("2 copies", int(torch.randint(10**9, ())))
        left = 0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2
        assert rate == pytest.approx(0.5 * left)
        assert max_norm == 1.0
        table = rewards.reshape(2, 2)
        if control == "shuffled_reward":
            table = rng.permuted(table, axis=1)
        ahead = (table - table.mean(axis=1, keepdims=True)).ravel()
        scaled = ahead / (ahead.std() + 1e-6)
        wanted = -(scaled * log_p.numpy()).mean() - 0.25 * left * 2.0
        assert loss == pytest.approx(wanted, rel=1e-5)


class Head:
    """Prefers items by fixed logits, and remembers what it is told."""

    def __init__(self, logits: Any) -> None:
        self.fixed = torch.tensor(logits)
        self.told: list[Any] = []

    def start(self, world: Any) -> str:
        return "start"

    def logits(self, state: str, world: Any, chosen: Any) -> torch.Tensor:
        self.told.append((state, chosen.copy()))
        return self.fixed

    def advance(self, state: str, world: Any, picked: Any) -> str:
        return f"{state}, {picked.tolist()}"


def test_a_subset_is_drawn_item_by_item_without_those_chosen() -> None:
    learner = make_learner(budget=3)
    odds = np.array([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]], dtype=np.float32)
    head: Any = Head(np.log(odds))
    learner.head = head
    world: Any = SimpleNamespace(labels=np.zeros((2, 4)))
    torch.manual_seed(0)
    picked, log_p, entropy = learner.sample(world)
    assert picked.shape == (2, 3)
    state = "start"
    chosen = np.zeros((2, 4), dtype=bool)
    logs, entropies = np.zeros(2), []
    for t in range(3):
        assert head.told[t][0] == state
        assert np.array_equal(head.told[t][1], chosen)
        p = np.where(chosen, 0.0, odds)
        p /= p.sum(axis=1, keepdims=True)
        logs += np.log(p[[0, 1], picked[:, t]])
        entropies.append(-(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1).mean())
        chosen[[0, 1], picked[:, t]] = True
        state = f"{state}, {picked[:, t].tolist()}"
    assert chosen.sum(axis=1).tolist() == [3, 3]
    assert log_p.numpy() == pytest.approx(logs, rel=1e-5)
    assert entropy.item() == pytest.approx(np.mean(entropies), rel=1e-5)


def test_a_reward_is_the_accuracy_of_the_nearest_prototype() -> None:
    """Both classes picked: all right in the first episode, none in the second; one class: half."""
    learner = make_learner(copies=2)
    drawn = make_episodes()
    picked = np.array([[0, 1], [0, 2], [0, 1], [2, 2]])
    wanted = [1.0, 0.5, 1.0, 0.5]
    assert learner._reward(drawn, picked, 2).tolist() == wanted
    near_four = np.array([[[4.0]], [[0.0]]], dtype=np.float32)
    supported = drawn._replace(support=near_four, support_labels=np.array([[1], [1]]))
    assert learner._reward(supported, picked, 2).tolist() == [1.0, 1.0, 1.0, 0.5]


@pytest.mark.parametrize("head", ["one_step", "sequential", "batch", "graph"])
def test_a_head_sees_what_it_needs(head: Any) -> None:
    learner = make_learner(head=head, shots=1)
    rng = np.random.default_rng(0)
    pool, support = (rng.normal(size=(2, n, 4)).astype(np.float32) for n in (8, 2))
    drawn = make_episodes()._replace(
        pool=pool, support=support, labels=rng.integers(3, size=(2, 8)),
        support_labels=np.array([[0, 1], [0, 1]]),
    )  # fmt: skip
    world = learner.world(drawn)
    Z = pool.astype(np.float64)
    given = similarities(Z, support.astype(np.float64) if head == "batch" else None)
    assert world.Z.dtype == np.float64
    assert np.array_equal(world.Z, Z)
    assert np.array_equal(world.labels, drawn.labels)
    assert world.one_hot.shape == (2, 8, 3)
    for one, other in zip(world.given, given, strict=True):
        assert np.allclose(one, other)
    if head == "one_step":
        place, worth = coverage_order(given.K, Z)
        assert np.array_equal(world.place, place)
        assert np.allclose(world.features, order_features(given, place, worth))
    elif head == "batch":
        wanted = prototype_statistics(
            Z, given.density, support.astype(np.float64), drawn.support_labels, 2
        )
        assert np.allclose(world.features, wanted)
    else:
        assert world.features.size == world.place.size == 0


def test_copies_of_an_episode_stand_side_by_side() -> None:
    Z = np.arange(4.0).reshape(2, 2, 1)
    world = World(Z, similarities(Z), np.array([[0, 1], [1, 0]]), 2)
    found = world.repeated(2)
    assert found.Z[:, :, 0].tolist() == [[0, 1], [0, 1], [2, 3], [2, 3]]
    assert found.labels.tolist() == [[0, 1], [0, 1], [1, 0], [1, 0]]
    assert found.given.S.shape == (4, 2, 2)
    assert len(world.Z) == 2


def test_a_few_shot_policy_says_what_it_is() -> None:
    config = replace(CONFIG, n_distractors=3, budget=4, control="shuffled_reward")
    assert card(config, "none") == {
        "summary": "few-shot sequential selection, vectors", "agent": "few_shot",
        "control": "none", "head": "sequential", "bank": "vectors", "task": "classes",
        "episode": [2, 8, 3, 0, 15, 5], "labels": 4, "one_shot": False, "seed": 3,
        "gradient_steps": 4,
    }  # fmt: skip
    learner = FewShotLearner(config)
    policy = learner.export()
    assert (policy.name, policy.card["control"]) == ("few-shot-sequential", "shuffled_reward")
    torch.manual_seed(integer_seed(3, "few_shot", "weights"))
    for one, other in zip(learner.head.parameters(), make_head(config).parameters(), strict=True):
        assert torch.equal(one, other)
    (group,) = learner.optimiser.param_groups
    assert group["lr"] == config.learning_rate
    assert {id(p) for p in group["params"]} == {id(p) for p in learner.network.parameters()}
    for i, copy in enumerate(FewShotLearner.export_untrained(config, 2)):
        assert copy.card["control"] == "untrained"
        torch.manual_seed(integer_seed(3, "few_shot", "untrained", i))
        head: Any = make_head(config)
        wanted = head.gate.weight.detach().numpy()
        assert any(np.array_equal(wanted, tensor) for tensor in copy.tensors.values())
        embedded = [name for name in copy.tensors if name.startswith("embed")]
        assert all(np.array_equal(copy.tensors[n], policy.tensors[n]) for n in embedded)


def test_validation_is_on_episodes_of_its_own_in_parts(monkeypatch: Any) -> None:
    """Five episodes, at most two at once; they are drawn once and played by the best items."""
    learner: Any = make_learner(n_dev_episodes=5)
    drawn: list[Any] = []

    def draw(bank: Any, rng: Any, n: int, split: str) -> int:
        drawn.append((bank is learner.bank, int(rng.integers(10**9)), n, split))
        return n

    def sample(world: str, *, greedy: bool) -> Any:
        return f"{world}, {greedy}", None, None

    def reward(n: int, picked: str) -> Any:
        assert picked == f"world of {n}, True"
        return np.arange(n) + 0.5

    monkeypatch.setattr(few_shot, "DEV_BATCH", 2)
    monkeypatch.setattr(learner, "task", SimpleNamespace(draw=draw))
    monkeypatch.setattr(learner, "world", lambda n: f"world of {n}")
    monkeypatch.setattr(learner, "sample", sample)
    monkeypatch.setattr(learner, "_reward", reward)
    for _ in range(2):
        assert learner.validate("policy") == pytest.approx((0.5 + 1.5 + 0.5 + 1.5 + 0.5) / 5)
    rng = generator(3, "few_shot", "validation")
    assert drawn == [(True, int(rng.integers(10**9)), n, "validation") for n in (2, 2, 1)]


def test_a_one_shot_head_sees_no_label() -> None:
    """Fails when a label reaches the memory, or when the file still weighs labels."""
    items = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float32)
    chosen = {}
    for one_shot in (True, False):
        learner = FewShotLearner(replace(CONFIG, one_shot=one_shot))
        head: Any = learner.head
        torch.nn.init.normal_(head.match.weight)  # what was read matters
        torch.nn.init.normal_(head.read.weight_ih, std=9.0)
        policy = learner.export()
        assert policy.reads_labels is not one_shot
        assert policy.card["one_shot"] is one_shot
        memories = []
        for label in (0, 1):
            memory = policy.update(policy.start({"items": items}), {"item": 0, "label": label})
            memories.append(memory["h"])
        assert np.array_equal(memories[0], memories[1]) is one_shot
        chosen[one_shot] = policy
        world = learner.world(FewShot(
            items[None], np.array([[0, 1] * 4]), items[None, :0], np.zeros((1, 0), int),
            items[None], np.array([[0, 1] * 4]),
        ))  # fmt: skip
        with torch.no_grad():
            picked, _, _ = learner.sample(world, greedy=True)
        assert (
            picked[0].tolist() == policy.choose({"items": items}, np.array([0, 1] * 4), 2).tolist()
        )
    blind = chosen[True]
    memory = blind.update(blind.start({"items": items}), {"item": 3})  # no label is known yet
    assert blind.act(memory) != 3
    with pytest.raises(UsageError, match="sequential head needs the label"):
        chosen[False].update(chosen[False].start({"items": items}), {"item": 3})
    with pytest.raises(UsageError, match="one_shot hides labels from the sequential head, got"):
        replace(CONFIG, one_shot=True, head="graph")
