"""GRPO's loss, updates and segments against calculations by hand, without environments."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
import torch

from agents.grpo import learner as grpo
from agents.grpo.config import PRESETS, GRPOConfig
from agents.grpo.learner import GRPOLearner
from agents.grpo.network import CLOSED
from agents.grpo.rollouts import Rollout, Slates, group_advantages
from lal.errors import UsageError
from lal.rng import generator, integer_seed

CONFIG = replace(PRESETS["smoke"], ent_coef=0.0, learning_rate=0.5)
N_FEATURES = (2, 1)


class Slope(torch.nn.Module):
    """Logit of a candidate: its only feature times one weight."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight))

    def forward(self, candidates: Any, context: Any, mask: Any) -> torch.Tensor:
        logits: torch.Tensor = (candidates[:, :, 0] * self.weight).masked_fill(~mask, CLOSED)
        return logits


@pytest.fixture
def make_learner(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A learner whose network is a slope, and whose inputs are never rolled out."""
    scales = tuple(np.arange(2.0 * n).reshape(2, n) for n in N_FEATURES)
    monkeypatch.setattr(GRPOLearner, "first_slates", scales)

    def make(weight: float = 1.0, **changes: Any) -> GRPOLearner:
        learner = GRPOLearner(replace(CONFIG, **changes))
        learner.network = Slope(weight)  # type: ignore[assignment]
        learner.optimiser = torch.optim.SGD(learner.network.parameters(), lr=1.0)
        return learner

    return make


def make_slates(logits: list[float], added: list[float], n: int) -> Slates:
    """`n` equal slates of open slots with these logits at weight 1, and a closed one at the end."""
    k = len(logits) + 1
    return Slates(
        torch.tensor([*logits, 7.0])[None, :, None].expand(n, k, 1),
        torch.zeros(n, N_FEATURES[0]),
        torch.tensor([True] * (k - 1) + [False]).expand(n, k),
        torch.tensor([*added, 5.0])[None].expand(n, k),
    )


def make_rollout(ratios: list[float], added: tuple[float, float] = (0.0, 0.0)) -> Rollout:
    """Steps that took slot 0 of two equal ones (probability 1/2 now) at other odds back then."""
    n = len(ratios)
    old = torch.log(0.5 / torch.tensor(ratios))
    slates = make_slates([-added[0], -added[1]], list(added), n)
    return Rollout(slates, torch.zeros(n, dtype=torch.long), old, np.zeros((n, 1)))


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "moves"),
    [
        (1.1, 2.0, -2.2, True),  # inside the range: ratio times advantage
        (1.5, 2.0, -2.4, False),  # better, and already likelier by more than 0.2: cut
        (0.5, 2.0, -1.0, True),  # better, but became less likely: not cut
        (0.5, -2.0, 1.6, False),  # worse, and already less likely by more than 0.2: cut
        (1.5, -2.0, 3.0, True),  # worse, but became likelier: not cut
    ],
)
def test_the_ratio_is_cut_on_both_sides(
    make_learner: Any, ratio: float, advantage: float, loss: float, moves: bool
) -> None:
    learner = make_learner()
    rollout = make_rollout([ratio], added=(1.0, -1.0))  # features -1 and 1
    found, _ = learner._loss(rollout, torch.tensor([0]), torch.tensor([advantage]))
    assert found.item() == pytest.approx(loss)
    found.backward()
    # d(ratio)/d(weight) = ratio * (feature - its mean) = -ratio
    wanted = ratio * advantage if moves else 0.0
    assert learner.network.weight.grad.item() == pytest.approx(wanted)


def test_a_loss_is_the_mean_over_the_rows_that_are_asked_for(make_learner: Any) -> None:
    rollout = make_rollout([1.1, 9.0, 0.9])
    found, _ = make_learner()._loss(rollout, torch.tensor([2, 0]), torch.tensor([1.0, 3.0]))
    assert found.item() == pytest.approx(-(0.9 * 1.0 + 1.1 * 3.0) / 2)


def test_entropy_of_open_slots_is_rewarded(make_learner: Any) -> None:
    logits = [math.log(0.7), math.log(0.2), math.log(0.1)]
    slates = make_slates(logits, [0.0] * 3, 2)
    rollout = Rollout(slates, torch.zeros(2, dtype=torch.long), torch.log(torch.tensor([0.7] * 2)),
                      np.zeros((2, 1)))  # fmt: skip
    rows, none = torch.tensor([0, 1]), torch.zeros(2)
    expected = -(0.7 * math.log(0.7) + 0.2 * math.log(0.2) + 0.1 * math.log(0.1))
    loss, entropy = make_learner()._loss(rollout, rows, none)
    assert loss.item() == 0.0
    assert entropy == pytest.approx(expected, rel=1e-5)
    loss, _ = make_learner(ent_coef=0.25)._loss(rollout, rows, none)
    assert loss.item() == pytest.approx(-0.25 * expected, rel=1e-5)


def test_distance_from_the_start_policy_costs(make_learner: Any) -> None:
    """Now 1/2 and 1/2, the start gave 3/4 and 1/4: KL(now, start) = 1/2 ln(4/3)."""
    rollout = make_rollout([1.0, 1.0], added=(math.log(3.0), 0.0))
    learner = make_learner(start="margin", kl_coef=0.1)
    learner.network = Slope()
    loss, entropy = learner._loss(rollout, torch.tensor([0, 1]), torch.zeros(2))
    assert loss.item() == pytest.approx(0.1 * 0.5 * math.log(4 / 3), rel=1e-5)
    assert entropy == pytest.approx(math.log(2.0))
    learner = make_learner(start="margin", kl_coef=0.0)
    loss, _ = learner._loss(rollout, torch.tensor([0, 1]), torch.zeros(2))
    assert loss.item() == 0.0


def test_rates_fall_linearly_to_a_twentieth(make_learner: Any) -> None:
    learner = make_learner()
    for done, rate in ((0.0, 0.5), (0.25, 0.375), (0.9, 0.05), (0.95, 0.025), (0.99, 0.025)):
        learner._set_rate(done)
        assert learner.optimiser.param_groups[0]["lr"] == pytest.approx(rate)


def test_without_a_start_nothing_is_added(make_learner: Any) -> None:
    learner = make_learner()
    observation: Any = {"mask": np.ones((3, 4), dtype=np.int8)}
    assert torch.equal(learner._start_logits(observation), torch.zeros(3, 4))
    learner.start = SimpleNamespace(logits=lambda seen: (seen is observation, "logits"))
    assert learner._start_logits(observation) == (True, "logits")


def test_an_update_is_one_step_per_minibatch_and_epoch(make_learner: Any, monkeypatch: Any) -> None:
    learner = make_learner(n_epochs=2, batch_size=3, max_grad_norm=0.25, gamma=0.5)
    rewards = np.random.default_rng(1).normal(size=(2, 4))
    rollout = replace(make_rollout([1.0] * 8), rewards=rewards)
    calls: list[Any] = []

    def note_loss(given: Rollout, rows: torch.Tensor, advantages: torch.Tensor) -> Any:
        assert given is rollout
        calls.append((rows.tolist(), advantages.tolist()))
        return "loss", float(len(calls))

    monkeypatch.setattr(learner, "_loss", note_loss)
    monkeypatch.setattr(learner, "step", lambda loss, *, max_norm: calls.append((loss, max_norm)))
    assert learner._update(rollout, np.random.default_rng(3)) == {"entropy": 11.0}
    assert calls[1::2] == [("loss", 0.25)] * 6
    wanted = group_advantages(rewards, gamma=0.5, group_size=2).ravel().astype(np.float32)
    numbers = np.random.default_rng(3)
    orders = [numbers.permutation(8).tolist() for _ in range(2)]
    seen = [rows for rows, _ in calls[::2]]
    assert seen == [part for o in orders for part in (o[:3], o[3:6], o[6:])]
    assert all(given == wanted[rows].tolist() for rows, given in calls[::2])


def test_the_control_learns_from_rewards_of_other_steps(
    make_learner: Any, monkeypatch: Any
) -> None:
    given: list[Any] = []

    def note(rewards: Any, **settings: Any) -> Any:
        given.append(rewards)
        return group_advantages(rewards, **settings)

    monkeypatch.setattr(grpo, "group_advantages", note)
    rewards = np.arange(8.0).reshape(2, 4)
    rollout = replace(make_rollout([1.0] * 8), rewards=rewards)
    make_learner()._update(rollout, np.random.default_rng(0))
    make_learner(control="shuffled_reward")._update(rollout, np.random.default_rng(0))
    assert np.array_equal(given[0], rewards)
    assert np.array_equal(
        given[1], np.random.default_rng(0).permutation(np.arange(8.0)).reshape(2, 4)
    )


def test_what_paid_more_than_its_group_becomes_likelier(make_learner: Any) -> None:
    slates = make_slates([1.0, 0.0], [0.0, 0.0], 4)
    actions = torch.tensor([0, 1, 0, 1])
    learner = make_learner(weight=0.0, batch_size=4)
    old = torch.full((4,), math.log(0.5))
    paid = Rollout(slates, actions, old, np.array([[1.0, 0.0, 1.0, 0.0]]))
    learner._update(paid, np.random.default_rng(0))
    assert learner.network.weight.item() > 0.0
    assert learner.network.weight.item() == pytest.approx(
        0.5, rel=1e-4
    )  # mean of A (x - 1/2), A = +-1


class Segment:
    """Stands in for environments and rollouts: notes what a segment asks of them."""

    def __init__(self, learner: GRPOLearner, monkeypatch: pytest.MonkeyPatch) -> None:
        self.learner, self.noted = learner, []  # type: tuple[GRPOLearner, list[Any]]
        self.rates: list[float] = []
        monkeypatch.setattr(grpo, "make_pool_vector_env", self.make)
        monkeypatch.setattr(grpo, "collect", self.collect)
        monkeypatch.setattr(learner, "_update", self.update)
        learner.progress = SimpleNamespace(  # type: ignore[assignment]
            at=lambda done: self.noted.append(("at", done))
        )

    def make(self, *arguments: Any, **options: Any) -> "Segment":
        self.noted.append(("make", *arguments, options))
        return self

    def reset(self, *, seed: int) -> Any:
        self.noted.append(("reset", seed))
        return "first", {}

    def collect(self, envs: Any, observation: Any, network: Any, **options: Any) -> Any:
        draws = options.pop("generator")
        assert envs is self
        assert network is self.learner.network
        assert options == {"n_steps": 4, "added": self.learner._start_logits}
        self.noted.append(("collect", observation, draws.initial_seed()))
        n = float(sum(one[0] == "collect" for one in self.noted))
        rewards = np.array([[n, n], [1.0, 2.0]])  # two steps of two episodes
        return SimpleNamespace(rewards=rewards), f"after {n:.0f}"

    def update(self, rollout: Any, numbers: np.random.Generator) -> Any:
        self.rates.append(self.learner.optimiser.param_groups[0]["lr"])
        self.noted.append(("update", int(numbers.integers(10**9))))
        return {"entropy": float(len(self.rates))}

    def close(self) -> None:
        self.noted.append(("close",))


def test_a_segment_is_its_share_of_rollouts_and_updates(
    make_learner: Any, monkeypatch: Any
) -> None:
    """100 steps are two segments of three rollouts (four environments, four labels each)."""
    learner = make_learner(total_timesteps=100, seed=5)
    told = Segment(learner, monkeypatch)
    figures = learner.train_segment(1)
    draws = generator(5, "updates", 1)
    seeds = {name: integer_seed(5, name, 1) for name in ("envs", "actions")}
    expected: list[Any] = [
        ("make", learner.config, learner.features, 1, {"group_size": 2}),
        ("reset", seeds["envs"]),
    ]
    for i, seen in enumerate(("first", "after 1", "after 2")):
        expected.append(("collect", seen, seeds["actions"]))
        expected.append(("update", int(draws.integers(10**9))))
        expected.append(("at", (3 + i + 1) * 16))
    assert told.noted == [*expected, ("close",)]
    assert told.rates == pytest.approx([0.5 * (1 - (1 + i / 3) / 2) for i in range(3)])
    assert figures == {"step": 96, "mean_return": pytest.approx(2.0 + 1.5), "entropy": 3.0}


def test_a_bar_counts_environment_steps(make_learner: Any) -> None:
    assert make_learner(total_timesteps=100).n_units == 100


def test_fresh_networks_are_of_their_seeds(make_learner: Any) -> None:
    learner = make_learner()
    one, same, other = (n.state_dict() for n in learner.untrained_networks([3, 3, 4]))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["0.weight"], other["0.weight"])
    made = GRPOLearner(learner.config).network.exported()
    (first,) = learner.untrained_networks([integer_seed(learner.config.seed, "weights")])
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), made.parameters(), strict=True)
    )


def test_inputs_are_scaled_by_random_episodes(monkeypatch: Any) -> None:
    """Two labels of two environments; a closed slot counts for nothing."""
    asked: list[Any] = []

    def observe(t: int) -> dict[str, Any]:
        candidates = np.arange(12.0).reshape(2, 3, 2) + 100 * t
        mask = np.array([[0, 1, 1], [1, 0, 0]], dtype=np.int8)
        return {"context": np.full((2, 1), float(t)), "candidates": candidates, "mask": mask}

    class Envs:
        def reset(self, *, seed: int) -> Any:
            asked.append(("reset", seed))
            return observe(0), {}

        def step(self, actions: Any) -> Any:
            asked.append(actions.tolist())
            return (observe(len(asked) - 1), *[None] * 4)

    def make(config: Any, features: Any, segment: Any) -> Envs:
        asked.append((config, features, segment))
        return Envs()

    monkeypatch.setattr(grpo, "make_pool_vector_env", make)
    learner = GRPOLearner(replace(CONFIG, budget=2, seed=7))
    assert asked == [
        (learner.config, learner.features, "scales"), ("reset", integer_seed(7, "scales")),
        [1, 0], [1, 0],
    ]  # fmt: skip
    context, candidates = learner.first_slates
    rows = np.array([[2.0, 3.0], [4.0, 5.0], [6.0, 7.0]])
    assert context.tolist() == [[0.0], [0.0], [2.0], [2.0]]
    assert candidates.tolist() == [*rows.tolist(), *(rows + 200).tolist()]


def test_a_learner_has_adam(make_learner: Any) -> None:
    learner = GRPOLearner(CONFIG)
    (group,) = learner.optimiser.param_groups
    assert isinstance(learner.optimiser, torch.optim.Adam)
    assert group["lr"] == 0.5
    assert {id(p) for p in group["params"]} == {id(p) for p in learner.network.parameters()}


def test_a_tuned_network_begins_at_nothing_and_has_no_untrained_copies(make_learner: Any) -> None:
    config = replace(CONFIG, start="margin")
    tuned, fresh = ([*GRPOLearner(c).network.parameters()] for c in (config, CONFIG))
    assert not tuned[-2].any()
    assert fresh[-2].any()
    with pytest.raises(UsageError, match="untrained copies of a tuned policy are its start; compa"):
        GRPOLearner.export_untrained(config, 2)


def test_a_network_takes_the_scales_of_first_slates(make_learner: Any) -> None:
    network = GRPOLearner(GRPOConfig()).network
    assert network.mean.tolist() == pytest.approx([1.0, 2.0, 0.5])
    assert network.deviation.tolist() == pytest.approx([1.01, 1.01, 0.51])
