"""The learner of fine-tuning by evolution: vectors run on shared tasks, scored over margin."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from agents.evolution.config import EvolutionConfig
from agents.evolution.score import get_scores, get_tail
from agents.evolution.search import make_searcher
from agents.evolution.space import Space
from agents.training.checkpoints import load_arrays, save_arrays
from agents.training.intervals import mean_interval
from agents.training.learner import Learner
from agents.training.prior_tasks import DrawTask, prior_tasks
from agents.training.tasks import training_card
from envs.simulator.rankers import Ranker, margin, policy_ranker, scorer_ranker
from envs.simulator.rollout import rollout
from lal.arrays import Floats
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.policies.scoring.scorer import compile_program
from lal.registry import require
from lal.rng import generator, integer_seed
from lal.task import Task

STATE = "scores.npz"


@dataclass(frozen=True)
class Tuning:
    """A run's fixed parts."""

    config: EvolutionConfig
    start: PoolPolicy
    space: Space
    draw: DrawTask

    def tasks(self, stream: str, number: int, n: int) -> list[Task]:
        """Return `n` tasks, a function of the seed, the stream and the number."""
        rng = generator(self.config.seed, stream, number)
        return [self.draw(rng) for _ in range(n)]

    def areas(self, tasks: list[Task], rankers: list[Ranker], seed: int) -> Floats:
        """Return every ranker's area on every task, shape (P, T)."""
        found = rollout(
            tasks,
            rankers,
            features=(self.start.candidate_features, self.start.context_features),
            slate_size=self.config.slate_size,
            seed=seed,
        )
        return found.mixed_areas(self.config.balanced_share)

    def ranker(self, point: Floats) -> Ranker:
        """Return what ranks by the start with a vector applied."""
        return scorer_ranker(
            compile_program(
                self.start.program,
                self.space.apply(point),
                n_candidate=len(self.start.candidate_features),
                n_context=len(self.start.context_features),
            ),
            np.float32,
        )

    def policy(self, point: Floats, name: str, card: dict[str, Any]) -> PoolPolicy:
        """Return the start with a vector applied, as a policy of its own."""
        return replace(self.start, name=name, tensors=self.space.apply(point), card=card)


def prepare(config: EvolutionConfig) -> Tuning:
    """Return the fixed parts of a config's run."""
    start = load_as(PoolPolicy, config.start)
    space = Space(
        start,
        config.space,
        dimensions=config.dimensions,
        rng=generator(config.seed, "directions"),
    )
    return Tuning(config, start, space, prior_tasks(config, config.budget))


class EvolutionLearner(Learner[EvolutionConfig]):
    """One generation a segment: ask for vectors, run them on shared tasks, tell their scores.

    A searcher's state is the scores that it was given; a resumed run gives them again.
    """

    def __init__(self, config: EvolutionConfig) -> None:
        require("numba", "fast")
        super().__init__(config)
        self.tuning = prepare(config)
        self.searcher = make_searcher(self.tuning.space.size, config)
        self.scores: Floats = np.zeros((0, config.population))

    @property
    def n_segments(self) -> int:
        """One generation a segment."""
        return self.config.generations

    def data(self) -> Mapping[str, Any]:
        """Return the real data sets of the run."""
        data: Mapping[str, Any] = training_card(self.config)["data"]
        return data

    def train_segment(self, segment: int) -> Mapping[str, Any]:
        """Run one generation."""
        points = self.searcher.ask()
        row = run_generation(self.tuning, segment, points)
        self._tell(segment, np.array(row["scores"]))
        return row

    def _tell(self, number: int, scores: Floats) -> None:
        self.scores = np.concatenate([self.scores, scores[None]])
        self.searcher.tell(told_scores(self.config, number, scores))

    def save(self, folder: Path) -> None:
        """Write all scores so far."""
        save_arrays(folder / STATE, {"scores": self.scores})

    def load(self, folder: Path) -> None:
        """Tell a fresh searcher all scores so far."""
        scores = load_arrays(folder / STATE)["scores"]
        self.searcher = make_searcher(self.tuning.space.size, self.config)
        self.scores = np.zeros((0, self.config.population))
        for number, row in enumerate(scores):
            self.searcher.ask()
            self._tell(number, row)

    def export(self) -> PoolPolicy:
        """Return the start with the searcher's centre applied."""
        control = self.config.control
        name = "evolution" if control == "none" else f"evolution_{control}"
        card = get_card(self.tuning, f"{self.tuning.start.name}, fine-tuned on AUBC by evolution.")
        return self.tuning.policy(self.searcher.centre, name, card)

    def check(self, policy: PoolPolicy) -> Mapping[str, Any]:
        """Return the comparison with the start and with margin on tasks not seen before."""
        return {"synthetic_check": get_check(self.tuning, policy)}

    @classmethod
    def export_untrained(cls, config: EvolutionConfig, n: int) -> list[PoolPolicy]:
        """Return `n` copies of the start moved at random by the first spread: no search at all."""
        tuning = prepare(config)
        card = {**get_card(tuning, "Moved at random, not tuned."), "control": "untrained"}
        draw = partial(generator, config.seed, "untrained")
        return [
            tuning.policy(
                config.spread * draw(i).standard_normal(tuning.space.size),
                f"evolution_untrained_{i}",
                card,
            )
            for i in range(n)
        ]


def run_generation(tuning: Tuning, number: int, points: Floats) -> dict[str, Any]:
    """Return the scores of a generation, by paired rollouts on fresh tasks."""
    config = tuning.config
    tasks = tuning.tasks("generation", number, config.generation_tasks)
    rankers = [margin, *(tuning.ranker(point) for point in points)]
    areas = tuning.areas(tasks, rankers, integer_seed(config.seed, "starts", number))
    gaps = areas[1:] - areas[0]
    return {
        "scores": get_scores(areas[1:], areas[0], config.tail_weight).tolist(),
        "over_margin": float(gaps.mean()),
        "tail": float(get_tail(gaps).mean()),
    }


def told_scores(config: EvolutionConfig, number: int, scores: Floats) -> Floats:
    """Return the scores that the searcher is given; of other vectors under that control."""
    if config.control != "shuffled_reward":
        return scores
    return scores[generator(config.seed, "shuffle", number).permutation(len(scores))]


def get_check(tuning: Tuning, found: PoolPolicy) -> dict[str, Any]:
    """Return how a policy compares with its start and with margin on tasks not seen before.

    All in units of area, with 95 % bootstrap intervals over tasks; ``tail`` is the mean of the
    worst fifth of differences to margin.
    """
    config = tuning.config
    tasks = tuning.tasks("check", 0, config.check_tasks)
    rankers = [margin, *(policy_ranker(p, np.float32) for p in (tuning.start, found))]
    parts = [
        tuning.areas(tasks[i : i + config.generation_tasks], rankers,
                     integer_seed(config.seed, "check_starts", i))
        for i in range(0, len(tasks), config.generation_tasks)
    ]  # fmt: skip
    baseline, start, tuned = np.concatenate(parts, axis=1)
    tails = get_tail(np.stack([start - baseline, tuned - baseline]))
    return {
        "n_tasks": len(tasks),
        "start_over_margin": mean_interval(start - baseline),
        "over_margin": mean_interval(tuned - baseline),
        "over_start": mean_interval(tuned - start),
        "tail_start": float(tails[0]),
        "tail": float(tails[1]),
    }


def get_card(tuning: Tuning, summary: str) -> dict[str, Any]:
    """Return the run's card: that of the start where it speaks of what was seen before."""
    return {
        **training_card(tuning.config, tuning.start),
        "summary": summary,
        "ranges": dict(tuning.start.card.get("ranges", {})),
    }
