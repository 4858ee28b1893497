"""Fine-tuning by evolution by hand: generations, told scores, the check, cards and copies."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from agents.evolution import learner as evolution
from agents.evolution.config import PRESETS
from agents.evolution.learner import (
    EvolutionLearner,
    Tuning,
    get_card,
    get_check,
    prepare,
    run_generation,
    told_scores,
)
from agents.evolution.score import get_scores, get_tail
from agents.training.intervals import mean_interval
from envs.simulator.rankers import margin
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator, integer_seed

CONFIG = replace(PRESETS["smoke"], seed=5, tail_weight=0.5)


class Played:
    """Stands in for a tuning: tasks are numbers, areas are known, and everything is noted."""

    def __init__(self, config: Any, areas: Any) -> None:
        self.config, self.found, self.noted = config, areas, []  # type: tuple[Any, Any, list[Any]]
        self.start = "start"

    def tasks(self, stream: str, number: int, n: int) -> list[int]:
        self.noted.append(("tasks", stream, number, n))
        return list(range(n))

    def ranker(self, point: Any) -> Any:
        return ("ranker", float(point[0]))

    def areas(self, tasks: Any, rankers: Any, seed: int) -> Any:
        self.noted.append(("areas", tasks, rankers, seed))
        return self.found[: len(rankers), tasks]


def test_a_generation_is_scored_over_margin_on_shared_tasks() -> None:
    areas = np.array([[0.5, 0.6], [0.75, 0.5], [0.5, 0.8]])
    tuning: Any = Played(CONFIG, areas)
    found = run_generation(tuning, 7, np.array([[1.0], [2.0]]))
    assert tuning.noted == [
        ("tasks", "generation", 7, 2),
        ("areas", [0, 1], [margin, ("ranker", 1.0), ("ranker", 2.0)],
         integer_seed(5, "starts", 7)),
    ]  # fmt: skip
    assert found["scores"] == pytest.approx(get_scores(areas[1:], areas[0], 0.5).tolist())
    assert found["over_margin"] == pytest.approx((0.25 - 0.1 + 0.0 + 0.2) / 4)
    assert found["tail"] == pytest.approx((-0.1 + 0.0) / 2)
    assert isinstance(found["scores"], list)


def test_the_control_is_told_the_scores_of_other_vectors() -> None:
    scores = np.arange(6.0)
    assert told_scores(CONFIG, 2, scores) is scores
    shuffled = told_scores(replace(CONFIG, control="shuffled_reward"), 2, scores)
    wanted = generator(5, "shuffle", 2).permutation(6)
    assert shuffled.tolist() == wanted.tolist() != scores.tolist()


def test_the_check_compares_with_margin_and_start_in_parts(monkeypatch: Any) -> None:
    """Three tasks in parts of two; the policy is ahead of its start, which is ahead of margin."""
    monkeypatch.setattr(evolution, "policy_ranker", lambda p, dtype: (p, dtype))
    areas = np.array([[0.5, 0.5, 0.6], [0.6, 0.55, 0.5], [0.7, 0.8, 0.5]])
    tuning: Any = Played(CONFIG, areas)
    policy: Any = "tuned"
    found = get_check(tuning, policy)
    rankers = [margin, ("start", np.float32), ("tuned", np.float32)]
    assert tuning.noted == [
        ("tasks", "check", 0, 3),
        ("areas", [0, 1], rankers, integer_seed(5, "check_starts", 0)),
        ("areas", [2], rankers, integer_seed(5, "check_starts", 2)),
    ]  # fmt: skip
    baseline, start, tuned = areas
    assert found == {
        "n_tasks": 3, "start_over_margin": mean_interval(start - baseline),
        "over_margin": mean_interval(tuned - baseline), "over_start": mean_interval(tuned - start),
        "tail_start": pytest.approx(-0.1), "tail": pytest.approx(-0.1),
    }  # fmt: skip
    assert get_tail(np.array([[3.0, 1.0, 2.0]])).tolist() == [1.0]


def test_areas_are_those_of_a_rollout_with_the_starts_features(monkeypatch: Any) -> None:
    given: list[Any] = []

    def rollout(*arguments: Any, **options: Any) -> Any:
        given.append((*arguments, options))
        return SimpleNamespace(mixed_areas=lambda share: ("mixed", share))

    monkeypatch.setattr(evolution, "rollout", rollout)
    start: Any = SimpleNamespace(candidate_features=("a",), context_features=("b", "c"))
    nothing: Any = None
    tuning = Tuning(replace(CONFIG, balanced_share=0.25), start, nothing, nothing)
    tasks: Any = ["task"]
    rankers: Any = ["ranker"]
    areas: Any = tuning.areas(tasks, rankers, 9)
    assert areas == ("mixed", 0.25)
    options = {"features": (("a",), ("b", "c")), "slate_size": 40, "seed": 9}
    assert given == [(tasks, rankers, options)]


def test_tasks_follow_seed_stream_and_number() -> None:
    nothing: Any = None
    draw: Any = lambda rng: int(rng.integers(10**9))  # noqa: E731
    tuning = Tuning(CONFIG, nothing, nothing, draw)
    rng = generator(5, "check", 3)
    assert tuning.tasks("check", 3, 2) == [draw(rng), draw(rng)]


@pytest.fixture(scope="module")
def learner() -> EvolutionLearner:
    return EvolutionLearner(CONFIG)


def test_a_run_begins_at_the_start(learner: EvolutionLearner) -> None:
    start = learner.tuning.start
    policy = learner.export()
    assert policy.name == "evolution"
    assert learner.n_segments == 2
    assert set(learner.data()) <= set(policy.card["data"])
    for name, tensor in start.tensors.items():
        np.testing.assert_allclose(policy.tensors[name], tensor, rtol=1e-6)
    assert policy.card["summary"] == f"{start.name}, fine-tuned on AUBC by evolution."
    assert policy.card["tuned_from"] == start.name
    assert policy.card["ranges"] == start.card["ranges"]
    assert learner.scores.shape == (0, 4)


def test_a_card_needs_no_ranges(learner: EvolutionLearner) -> None:
    start = replace(learner.tuning.start, card={"summary": "x"})
    assert get_card(replace(learner.tuning, start=start), "s")["ranges"] == {}


def test_copies_are_moved_by_the_first_spread(learner: EvolutionLearner) -> None:
    tuning = learner.tuning
    for i, copy in enumerate(EvolutionLearner.export_untrained(CONFIG, 2)):
        assert copy.name == f"evolution_untrained_{i}"
        assert copy.card["control"] == "untrained"
        assert copy.card["summary"] == "Moved at random, not tuned."
        point = 0.15 * generator(5, "untrained", i).standard_normal(tuning.space.size)
        for name, tensor in tuning.space.apply(point).items():
            np.testing.assert_allclose(copy.tensors[name], tensor, rtol=1e-6)


def test_scores_are_told_and_kept(monkeypatch: Any, tmp_path: Any) -> None:
    learner = EvolutionLearner(replace(CONFIG, control="shuffled_reward"))
    told: list[Any] = []

    class Searcher:
        centre = np.zeros(learner.tuning.space.size)
        asked = 0

        def ask(self) -> str:
            self.asked += 1
            return f"points {self.asked}"

        def tell(self, scores: Any) -> None:
            told.append(scores.tolist())

    def generation(tuning: Any, number: int, points: Any) -> dict[str, Any]:
        assert (tuning is learner.tuning, points) == (True, f"points {number + 1}")
        return {"scores": [number, 1.0, 2.0, 3.0], "tail": 0.5}

    monkeypatch.setattr(evolution, "run_generation", generation)
    monkeypatch.setattr(evolution, "make_searcher", lambda size, config: Searcher())
    searcher: Any = Searcher()
    learner.searcher = searcher
    for i in range(2):
        assert learner.train_segment(i) == {"scores": [i, 1.0, 2.0, 3.0], "tail": 0.5}
    rows = np.array([[0.0, 1, 2, 3], [1.0, 1, 2, 3]])
    wanted = [told_scores(learner.config, i, rows[i]).tolist() for i in range(2)]
    assert told == wanted
    assert learner.scores.tolist() == rows.tolist()
    assert learner.export().name == "evolution_shuffled_reward"
    learner.save(tmp_path)
    learner.load(tmp_path)
    assert told == wanted * 2
    assert learner.scores.tolist() == rows.tolist()
    again: Any = learner.searcher
    assert again is not searcher
    assert again.asked == 2
    monkeypatch.setattr(evolution, "get_check", lambda tuning, policy: (tuning, policy))
    policy: Any = "policy"
    assert learner.check(policy) == {"synthetic_check": (learner.tuning, "policy")}


def test_directions_and_tasks_of_a_run_are_those_of_its_config(monkeypatch: Any) -> None:
    made: list[Any] = []

    def space(start: Any, kind: str, *, dimensions: int, rng: Any) -> str:
        made.append((start, kind, dimensions, int(rng.integers(10**9))))
        return "space"

    monkeypatch.setattr(evolution, "load_as", lambda kind, name: (kind, name))
    monkeypatch.setattr(evolution, "Space", space)
    monkeypatch.setattr(evolution, "prior_tasks", lambda config, budget: (config, budget))
    found: Any = prepare(CONFIG)
    start = (PoolPolicy, CONFIG.start)
    assert found == Tuning(CONFIG, start, "space", (CONFIG, CONFIG.budget))  # type: ignore[arg-type]
    number = int(generator(5, "directions").integers(10**9))
    assert made == [(start, CONFIG.space, CONFIG.dimensions, number)]
