"""Tasks, validation, cards and environments of trainers, by hand."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from agents.training import embeddings, tasks, validation
from agents.training.boosting import fit_boosted_trees
from agents.training.config import (
    PoolConfig,
    PoolEnvConfig,
)
from agents.training.embeddings import make_embedding, standardised
from agents.training.pool_envs import _options
from agents.training.prior_tasks import _WarmTasks
from agents.training.tasks import PlayableTasks, feature_lists, training_card
from agents.training.validation import PoolValidation
from lal.errors import DataError, UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES
from lal.policies.margin import margin_policy
from lal.rng import generator, integer_seed


def test_boosted_trees_are_fitted_with_what_is_said(monkeypatch: Any) -> None:
    import sklearn.ensemble

    given: dict[str, Any] = {}

    class Trees:
        def __init__(self, **options: Any) -> None:
            given.update(options)

        def fit(self, X: Any, y: Any) -> Any:
            return (X, y)

    monkeypatch.setattr(sklearn.ensemble, "HistGradientBoostingRegressor", Trees)
    X, y = np.ones((3, 2)), np.arange(3.0)
    found = fit_boosted_trees(X, y, max_iter=7, learning_rate=0.2, max_leaf_nodes=5,
                              min_samples_leaf=3, seed=4)  # fmt: skip
    assert found == (X, y) or (found[0] is X and found[1] is y)
    assert given == {
        "max_iter": 7, "learning_rate": 0.2, "max_leaf_nodes": 5, "min_samples_leaf": 3,
        "l2_regularization": 1.0, "early_stopping": False, "random_state": integer_seed(4, "trees"),
    }  # fmt: skip


def test_an_embedding_is_standardised_on_the_training_classes() -> None:
    torch.manual_seed(0)
    X = np.random.default_rng(0).normal(3.0, 2.0, (40, 5)).astype(np.float32)
    y = np.arange(40) % 4
    bank: Any = SimpleNamespace(X=X, y=y, classes=lambda split: np.array([0, 1]))
    net = make_embedding(5, 3)
    assert [type(layer).__name__ for layer in net] == ["Linear", "ReLU", "Linear"]
    state = net.state_dict()
    assert [tuple(state[f"{i}.weight"].shape) for i in (0, 2)] == [(64, 5), (3, 64)]
    before = net(torch.from_numpy(X)).detach().numpy()
    after = standardised(net, bank)(torch.from_numpy(X)).detach().numpy()
    seen = np.isin(y, [0, 1])
    np.testing.assert_allclose(after[seen].mean(axis=0), 0, atol=1e-5)
    wanted = (before - before[seen].mean(axis=0)) / before[seen].std(ddof=1)
    np.testing.assert_allclose(after, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("whole", "slates", "passed"),
    [
        ([0.5, 0.7], [0.5, 0.6], True),
        ([0.5, 0.5, 0.5], [0.6, 0.6, 0.6], False),  # worse, without any spread
        ([0.5, 0.7], [0.6, 0.7], True),  # worse by one standard error
        ([0.5, 0.5, 0.51], [0.6, 0.61, 0.6], False),
        ([0.5], [0.6], False),
        ([0.6], [0.6], True),
    ],
)
def test_slates_are_compared_with_whole_pools(whole: Any, slates: Any, passed: bool) -> None:
    areas = {None: np.array(whole), 8: np.array(slates)}
    by: Any = SimpleNamespace(
        _areas=lambda policy, size=None: areas[size], slate_size=8, tasks=[None] * len(whole)
    )
    found = PoolValidation.slate_check(by, margin_policy())["slate_check"]
    gap = areas[None] - areas[8]
    error = gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else 0.0
    assert found == {
        "whole_pool": pytest.approx(np.mean(whole)), "slate": pytest.approx(np.mean(slates)),
        "difference": pytest.approx(gap.mean()), "standard_error": pytest.approx(error),
        "passed": passed,
    }  # fmt: skip
    assert PoolValidation.score(by, margin_policy()) == pytest.approx(np.mean(whole))


def test_areas_of_a_validation_are_half_of_each_accuracy(monkeypatch: Any) -> None:
    given: list[Any] = []

    def rollout(drawn: Any, rankers: Any, **options: Any) -> Any:
        given.append((drawn, rankers, options))
        return SimpleNamespace(mixed_areas=lambda share: np.array([[share, 0.25]]))

    monkeypatch.setattr(validation, "rollout", rollout)
    monkeypatch.setattr(validation, "policy_ranker", lambda policy: policy.name)
    monkeypatch.setattr(validation, "dev_tasks", lambda config, n: [None] * n)
    by = PoolValidation(PoolConfig(seed=6), 2, slate_size=8, slate_rule="half_uncertain")
    assert by._areas(margin_policy()).tolist() == [0.5, 0.25]
    assert by._areas(margin_policy(), 8).tolist() == [0.5, 0.25]
    features = (("margin@1",), ())
    assert given == [
        ([None, None], ["margin"], {"features": features, "slate_size": size, "slate_rule": rule,
                                    "seed": 6})
        for size, rule in ((None, "random"), (8, "half_uncertain"))
    ]  # fmt: skip


def task(n_pool: int, n_reward: int, start: Any = "two_classes") -> Any:
    @dataclass(frozen=True)
    class Small:
        pool: Any
        reward: Any
        start: Any

    return Small(range(n_pool), range(n_reward) if n_reward else None, start)


def test_tasks_that_teach_nothing_are_drawn_again() -> None:
    drawn = iter([task(9, 20), task(10, 19), task(10, 0), DataError("too few"), task(10, 20)])

    def sampler(rng: Any) -> Any:
        found = next(drawn)
        if isinstance(found, Exception):
            raise found
        return found

    found = PlayableTasks(sampler, 5)(np.random.default_rng(0))  # type: ignore[arg-type]
    assert (len(found.pool), len(found.reward or ())) == (10, 20)
    calls: list[int] = []

    def never(rng: Any) -> Any:
        calls.append(1)
        if len(calls) == 100:
            raise UsageError("the last trouble")
        return task(1, 1)

    said = r"100 draws gave no task for a budget of 5 \(the last trouble\); lower the budget, raise"
    with pytest.raises(UsageError, match=said):
        PlayableTasks(never, 5)(np.random.default_rng(0))  # type: ignore[arg-type]
    assert len(calls) == 100
    with pytest.raises(UsageError, match=r"\(every pool had fewer than 10 rows or too few rewards"):
        PlayableTasks(lambda rng: task(9, 30), 5)(np.random.default_rng(0))  # type: ignore[arg-type]


def test_warm_starts_are_a_share_with_labels_to_both_ends() -> None:
    warm = _WarmTasks(lambda rng: task(5, 5), 0.5, (3, 5))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    starts = [warm(rng).start for _ in range(400)]
    cold = sum(start == "two_classes" for start in starts)
    assert cold == pytest.approx(200, abs=40)
    assert {start for start in starts if start != "two_classes"} == {3, 4, 5}


def test_feature_lists_follow_the_config() -> None:
    assert feature_lists(PoolConfig()) == (DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES)
    named = PoolConfig(candidate_features=("rank@1",), context_features=("n_labelled@1",))
    assert feature_lists(named) == (("rank@1",), ("n_labelled@1",))
    alone = replace(named, control="uncertainty_only")
    assert feature_lists(alone) == (("margin@1",), ("n_labelled@1",))
    plain = PoolConfig(control="uncertainty_only")
    assert feature_lists(plain) == (("margin@1",), DEFAULT_CONTEXT_FEATURES)


def test_a_card_says_all_of_the_training() -> None:
    config = PoolConfig(
        datasets=("sklearn:iris",), hold_out=("wdbc", "sklearn:wine"), seed=4, budget=7,
        max_pool=90, learners=("knn", "ridge"), share_synthetic=0.25,
    )  # fmt: skip
    card = training_card(config)
    assert list(card["data"]) == ["iris"]
    assert set(card["data"]["iris"]) == {"family", "sha256"}
    assert len(card["families_held_out"]) == 2
    told = ("control", "seed", "budget", "max_pool", "learners", "share_synthetic")
    assert [card[k] for k in told] == ["none", 4, 7, 90, ["knn", "ridge"], 0.25]
    assert "tuned_from" not in card
    assert card["versions"]
    start = replace(margin_policy(), card={"data": {"old": {"family": "f", "sha256": "1"}}})
    tuned = training_card(config, start)
    assert tuned["tuned_from"] == "margin"
    assert list(tuned["data"]) == ["old", "iris"]
    other = training_card(replace(config, seed=5))
    assert other["config_hash"] != card["config_hash"]


def test_curves_of_dev_tasks_are_paired_by_their_seeds(monkeypatch: Any) -> None:
    seen: list[Any] = []

    def run_episode(strategy: Any, one: Any, *, seed: int, part: str) -> Any:
        seen.append((strategy, one, seed, part))
        return SimpleNamespace(area=lambda: len(seen) / 10)

    monkeypatch.setattr(tasks, "run_episode", run_episode)
    found = tasks.aubc("rule", ["a", "b"], seed=3)  # type: ignore[arg-type, list-item]
    assert found.tolist() == [0.2, 0.2]
    assert seen == [("rule", one, integer_seed(3, "dev_episode", i), "reward")
                    for i, one in enumerate("ab")]  # fmt: skip


def test_options_of_the_environments(monkeypatch: Any) -> None:
    monkeypatch.setattr("agents.training.pool_envs.training_tasks", lambda config: "tasks")
    monkeypatch.setattr("agents.training.pool_envs.cpu_count", lambda: 9)
    config = PoolEnvConfig(seed=2, n_envs=8, n_tasks=48, episodes_per_task=16, slate_size=9)
    found = _options(config, (("a",), ("b",)), 3)
    assert found == {
        "tasks": "tasks", "candidate_features": ("a",), "context_features": ("b",), "slate_size": 9,
        "slate_rule": "half_uncertain", "reward": "accuracy_gain", "n_tasks": 48, "refresh": 96,
        "task_seed": integer_seed(2, "tasks", 3), "threads": 4,
    }  # fmt: skip
    few = replace(config, n_tasks=1, episodes_per_task=1)
    assert _options(few, ((), ()), 3)["refresh"] == 1


def test_an_embedding_has_streams_of_its_own_and_at_most_twenty_classes() -> None:
    drawn: list[Any] = []

    def draw_classes(rng: Any, n: int, C: int, split: str) -> Any:
        drawn.append((int(rng.integers(10**9)), n, C, split))
        return np.array([np.arange(C)])

    def bank(n: int) -> Any:
        return SimpleNamespace(
            X=np.eye(n, dtype=np.float32), n_columns=n, classes=lambda split: np.arange(n),
            draw_classes=draw_classes,
            draw_distinct=lambda rng, classes, k: np.tile(classes, (k, 1)).T,
        )  # fmt: skip

    still = embeddings.train_embedding(bank(21), width=2, updates=0, seed=6)
    torch.manual_seed(integer_seed(6, "few_shot", "embedding"))
    fresh = embeddings.make_embedding(21, 2)
    pairs = zip(still.parameters(), fresh.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    for n, C in ((21, 20), (3, 3)):
        embeddings.train_embedding(bank(n), width=2, updates=1, seed=6)
        first = int(generator(6, "few_shot", "embedding").integers(10**9))
        assert drawn.pop() == (first, 1, C, "fit")


def test_one_update_of_an_embedding_by_hand(monkeypatch: Any) -> None:
    """Two classes at 0 and 4, one sample and five queries each: distances to the first sample."""
    rows = np.arange(12).reshape(2, 6)
    X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    bank: Any = SimpleNamespace(
        X=X, n_columns=3, classes=lambda split: np.arange(2),
        draw_classes=lambda *given: np.array([[0, 1]]), draw_distinct=lambda rng, classes, k: rows,
    )  # fmt: skip
    monkeypatch.setattr(torch.optim, "Adam", torch.optim.SGD)  # its steps follow the gradient
    found = embeddings.train_embedding(bank, width=2, updates=1, seed=6)
    torch.manual_seed(integer_seed(6, "few_shot", "embedding"))
    net = embeddings.make_embedding(3, 2)
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-3)
    Z = net(torch.from_numpy(X))
    losses = []
    for c in range(2):
        for q in range(1, 6):
            gaps = [((Z[rows[c, q]] - Z[rows[k, 0]]) ** 2).sum() for k in range(2)]
            losses.append(gaps[c] + torch.logsumexp(-torch.stack(gaps), dim=0))
    torch.stack(losses).mean().backward()
    optimiser.step()
    for one, other in zip(found.parameters(), net.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6, rtol=0.0)
