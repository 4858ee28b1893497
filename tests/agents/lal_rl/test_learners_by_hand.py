"""Learners on the LAL-RL workload by hand: who plays whom, on which seeds, and what cards say."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from agents.lal_rl import learner as lal_rl
from agents.lal_rl.config import PRESETS
from agents.lal_rl.control_test import uncertainty_network
from agents.lal_rl.kernels import PUBLISHED, SYMMETRIC, UNCERTAINTY_ONLY
from agents.lal_rl.learner import LalRlLearner
from agents.lal_rl.network import QNetwork
from agents.lal_rl.search import learner as search
from agents.lal_rl.search.config import PRESETS as SEARCH_PRESETS
from agents.lal_rl.search.config import SIZE
from agents.lal_rl.search.export import to_weights
from agents.lal_rl.search.learner import SearchLearner
from agents.lal_rl.search.search import free_weights, start
from lal.rng import generator

CONFIG = replace(PRESETS["smoke"], seed=3, n_eval_episodes=7)
SEARCH = replace(SEARCH_PRESETS["smoke"], seed=3, n_eval_episodes=7)
JUDGED = {"eval_datasets": ("synthetic:checkerboard2x2",)}


def make_network(seed: int) -> QNetwork:
    return QNetwork.random(np.random.default_rng(seed))


class Kitchen:
    """Stands in for training and for running episodes: notes what it is asked for."""

    def __init__(self, trained: Any) -> None:
        self.trained = trained
        self.configs: list[Any] = []
        self.played: list[Any] = []

    def train(self, config: Any, data: Any, progress: Any = None) -> Any:
        self.configs.append((config, data))
        if progress is not None:
            progress(12_000, 34.56, 7.89)
        return self.trained

    def lengths(self, one: Any, name: str, **options: Any) -> Any:
        self.played.append((one, name, options))
        return np.array([len(self.played), 10])


def same(a: Any, b: Any) -> bool:
    return np.array_equal(a.pack(), b.pack()) if isinstance(a, QNetwork) else np.array_equal(a, b)


@pytest.mark.parametrize(("variant", "view"), [("published", PUBLISHED), ("symmetric", SYMMETRIC)])
def test_a_network_is_compared_with_its_controls(monkeypatch: Any, variant: Any, view: int) -> None:
    config = replace(CONFIG, variant=variant)
    learner = LalRlLearner(config)
    learner.network = make_network(1)
    kitchen = Kitchen(SimpleNamespace(network=make_network(2)))
    monkeypatch.setattr(lal_rl, "train", kitchen.train)
    monkeypatch.setattr(lal_rl, "episode_lengths", kitchen.lengths)
    ours, others = learner.players()
    assert kitchen.configs == [(replace(config, control="shuffled_reward"), learner.pairs)]
    assert list(others) == ["uncertainty", "shuffled", "untrained"]
    for play, network, sees in (
        (ours, learner.network, view),
        (others["uncertainty"], uncertainty_network(), UNCERTAINTY_ONLY),
        (others["shuffled"], kitchen.trained.network, view),
    ):
        kitchen.played.clear()
        found = play("sonar", 9)
        assert found.tolist() == [1.0, 10.0]
        assert found.dtype == np.float64
        ((given, name, options),) = kitchen.played
        assert same(given, network)
        assert (name, options) == ("sonar", {"view": sees, "n_episodes": 7, "seed": 9})
    kitchen.played.clear()
    assert others["untrained"]("sonar", 9).tolist() == [3.0, 10.0]  # the mean of 1 to 5
    for i, (given, name, options) in enumerate(kitchen.played):
        assert same(given, QNetwork.random(generator(3, "untrained", i)))
        assert (name, options) == ("sonar", {"view": view, "n_episodes": 7, "seed": 9})
    assert len(kitchen.played) == 5


def test_weights_are_compared_with_their_controls(monkeypatch: Any) -> None:
    config = replace(SEARCH, control="uncertainty_only", hold_out=("wine",))
    learner = SearchLearner(config)
    learner.found = np.random.default_rng(0).normal(size=(3, SIZE))
    kitchen = Kitchen(SimpleNamespace(weights=np.arange(float(SIZE))))
    monkeypatch.setattr(search, "train", kitchen.train)
    monkeypatch.setattr(search, "episode_lengths", kitchen.lengths)
    ours, others = learner.players()
    assert kitchen.configs == [(replace(config, control="shuffled_reward"), learner.pairs)]
    assert list(others) == ["uncertainty", "shuffled", "untrained"]
    for play, weights in (
        (ours, learner.found.sum(axis=0) / 3),
        (others["uncertainty"], start()),
        (others["shuffled"], kitchen.trained.weights),
    ):
        kitchen.played.clear()
        found = play("sonar", 9)
        assert found.tolist() == [1.0, 10.0]
        assert found.dtype == np.float64
        ((given, name, options),) = kitchen.played
        assert np.allclose(given, weights)
        assert (name, options) == ("sonar", {"n_episodes": 7, "seed": 9})
    kitchen.played.clear()
    assert others["untrained"]("sonar", 9).tolist() == [3.0, 10.0]
    free = free_weights(config)
    for i, (given, _, options) in enumerate(kitchen.played):
        drawn = generator(3, "untrained", i).standard_normal(SIZE)
        assert np.array_equal(given, np.where(free, drawn, 0.0))
        assert options["n_episodes"] == 7
    assert 0 < free.sum() < SIZE
    assert len(kitchen.played) == 5


@pytest.mark.parametrize(
    ("make", "config"), [(LalRlLearner, CONFIG), (SearchLearner, SEARCH)], ids=["dqn", "search"]
)
def test_the_comparison_needs_data_sets_and_episodes(
    monkeypatch: Any, make: Any, config: Any
) -> None:
    said: list[Any] = []

    def note(*given: Any) -> dict[str, int]:
        said.append(given)
        return {"x": 1}

    monkeypatch.setattr(lal_rl, "control_test", note)
    policy: Any = None
    for changes in ({}, {**JUDGED, "n_eval_episodes": 0}):
        assert make(replace(config, **changes)).check(policy) == {}
    learner = make(replace(config, **JUDGED))
    monkeypatch.setattr(learner, "players", lambda: ("ours", {"uncertainty": 1, "shuffled": 2}))
    monkeypatch.setattr(learner, "play_network", lambda network, view: (network, view))
    assert learner.check(policy) == {"x": 1}
    opponents = {"random": (None, 0), "uncertainty": 1, "shuffled": 2}
    assert said == [(learner.config, "ours", opponents)]


def test_a_run_of_the_network_is_one_segment(monkeypatch: Any, tmp_path: Any) -> None:
    learner = LalRlLearner(CONFIG)
    result = SimpleNamespace(network=make_network(4), n_steps=600, lengths=np.arange(9))
    kitchen = Kitchen(result)
    monkeypatch.setattr(lal_rl, "train", kitchen.train)
    notes: list[str] = []
    monkeypatch.setattr(learner, "progress", SimpleNamespace(note=notes.append))
    assert learner.n_segments == 1
    assert learner.train_segment(0) == {"n_steps": 600, "n_episodes": 9}
    assert kitchen.configs == [(CONFIG, learner.pairs)]
    assert notes == ["12,000 steps, 34.6 labels an episode, loss 7.9"]
    assert learner.network is result.network
    learner.save(tmp_path)
    again = LalRlLearner(CONFIG)
    again.load(tmp_path)
    assert same(again.network, result.network)
    assert [f.name for f in tmp_path.iterdir()] == ["weights.npz"]


def test_a_search_is_a_segment(monkeypatch: Any, tmp_path: Any) -> None:
    config = replace(SEARCH, searches=2, generations=5)
    learner = SearchLearner(config)
    assert (learner.n_segments, learner.n_units) == (2, 10)
    made: list[Any] = []

    class Search:
        n_steps, n_episodes = 30, 4

        def __init__(self, *given: Any) -> None:
            made.append(given)

        def run(self, report: Any) -> Any:
            report(3, 21.456)
            return np.full(SIZE, float(len(made)))

    notes: list[Any] = []
    monkeypatch.setattr(search, "Search", Search)
    monkeypatch.setattr(learner, "progress", SimpleNamespace(at=notes.append, note=notes.append))
    for segment in (0, 1):
        assert learner.train_segment(segment) == {"n_steps": 30, "n_episodes": 4}
    assert made == [(config, learner.pairs, 0), (config, learner.pairs, 1)]
    assert notes == [3, "21.46 labels an episode", 8, "21.46 labels an episode"]
    assert learner.found[:, 0].tolist() == [1.0, 2.0]
    assert learner.weights.tolist() == [1.5] * SIZE
    learner.save(tmp_path)
    again = SearchLearner(config)
    again.load(tmp_path)
    assert np.array_equal(again.found, learner.found)
    assert np.allclose(to_weights(again.export()), 1.5)


def test_a_network_policy_says_what_it_is() -> None:
    learner = LalRlLearner(replace(CONFIG, variant="symmetric"))
    learner.network = make_network(5)
    policy = learner.export()
    assert policy.name == "lal-rl"
    assert policy.card["summary"] == (
        "LAL-RL (symmetric): labels to 98 % of full quality, by double DQN."
    )
    assert policy.card["source"] == (
        "Konyushkova, Sznitman and Fua (2018), arXiv 1810.04114; symmetric inputs are ours"
    )
    assert policy.card["class_symmetry"] == "symmetric"
    assert len(policy.card["do_not_use_when"]) == 2
    assert policy.card["differs_from_training"].startswith("the state is 30 quantiles over the")
    assert dict(policy.card["data"]) == dict(learner.data())
    assert policy.card["control"] == "none"
    published = LalRlLearner(CONFIG)
    published.network = learner.network
    policy = published.export()
    assert policy.name == "lal-rl-published"
    assert policy.card["source"] == "Konyushkova, Sznitman and Fua (2018), arXiv 1810.04114"
    assert policy.card["class_symmetry"] == (
        "asymmetric: swapping the two classes changes what is asked"
    )
    assert policy.card["do_not_use_when"][0] == "there are more than two classes"
    assert len(policy.card["do_not_use_when"]) == 3


def test_untrained_policies_are_named_and_marked() -> None:
    for made, name in (
        (LalRlLearner.export_untrained(replace(CONFIG, variant="symmetric"), 2), "lal-rl"),
        (SearchLearner.export_untrained(SEARCH, 2), "lal-rl-search"),
    ):
        assert [policy.name for policy in made] == [f"{name}-untrained-{i}" for i in range(2)]
        assert {policy.card["control"] for policy in made} == {"untrained"}
        assert all(policy.card["data"] == {} for policy in made)


def test_a_search_policy_says_what_it_is() -> None:
    learner = SearchLearner(SEARCH)
    learner.found = np.ones((1, SIZE))
    policy = learner.export()
    assert policy.name == "lal-rl-search"
    assert policy.card["summary"] == (
        "LAL-RL by search: labels to 98 % of full quality, a linear policy, paired episodes."
    )
    assert policy.card["source"].startswith("the game: Konyushkova, Sznitman and Fua (2018), arXiv")
    assert policy.card["class_symmetry"] == "symmetric"
    assert (policy.card["control"], policy.card["seed"]) == ("none", 3)
    assert dict(policy.card["data"]) == dict(learner.data())
