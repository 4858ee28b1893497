"""Fine-tuning by evolution: ask for vectors, play them side by side, tell their scores, export.

A generation's scores are on disk when played; a run that was cut off tells them again without
playing and goes on as if nothing had happened.
"""

import sys
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from agents.evolution.config import EvolutionConfig
from agents.evolution.score import scores_of, tail_of
from agents.evolution.search import make_searcher
from agents.evolution.space import Space
from agents.lookahead.config import LookaheadConfig
from agents.lookahead.states import block_tasks
from agents.registry import TrainConfig
from agents.training.intervals import mean_interval
from agents.training.run_folder import RunFolder
from agents.training.tasks import PlayableTasks, training_card
from envs.simulator.rankers import Ranker, margin, policy_ranker, scorer_ranker
from envs.simulator.rollout import rollout
from lal.arrays import Floats
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.policies.scoring.scorer import compile_program
from lal.registry import require
from lal.rng import generator, integer_seed
from lal.serialization import read_json, write_json
from lal.task import Task


@dataclass(frozen=True)
class Tuning:
    """A run's fixed parts."""

    config: EvolutionConfig
    start: PoolPolicy
    space: Space
    draw: PlayableTasks

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
    """Check a config and return the fixed parts of its run."""
    _check(config)
    start = load_as(PoolPolicy, config.start)
    space = Space(
        start,
        config.space,
        dimensions=config.dimensions,
        rng=generator(config.seed, "directions"),
    )
    return Tuning(
        config, start, space, PlayableTasks(block_tasks(_met(config)).sampler, config.budget)
    )


def _met(config: EvolutionConfig) -> LookaheadConfig:
    """Return the look-ahead config whose tasks are met: the prior that the start learned from."""
    shared = {f.name: getattr(config, f.name) for f in fields(TrainConfig)}
    return LookaheadConfig(**shared)


def train(config: EvolutionConfig, folder: Path, *, progress: bool = False) -> Path:
    """Tune into `folder`, or go on where it stopped; see `agents.registry.Agent.train`."""
    from tqdm import tqdm

    tuning = prepare(config)
    run = RunFolder(folder, agent="evolution", config=config)
    if run.finished:
        return run.policy_path
    run.begin()
    write_json(folder / "data.json", training_card(config)["data"])
    searcher = make_searcher(tuning.space.size, config)
    rows: list[dict[str, Any]] = []
    for number in tqdm(
        range(config.generations), desc="generations", file=sys.stderr, disable=not progress
    ):
        points = searcher.ask()
        rows.append(_generation(tuning, number, points, folder / "generations"))
        searcher.tell(_told(config, number, np.array(rows[-1]["scores"])))
        run.write_metrics(rows)
    name = "evolution" if config.control == "none" else f"evolution_{config.control}"
    card = card_of(tuning, f"{tuning.start.name}, fine-tuned on area by evolution.")
    found = tuning.policy(searcher.centre, name, card)
    check = check_of(tuning, found)
    replace(found, card={**card, "synthetic_check": check}).save(run.policy_path)
    run.finish({"config_hash": run.hash, "policy": run.policy_path.name, "check": check})
    return run.policy_path


def _generation(tuning: Tuning, number: int, points: Floats, folder: Path) -> dict[str, Any]:
    """Return the scores of a generation, from disk where it was played."""
    path = folder / f"{number:04d}.json"
    if path.exists():
        kept: dict[str, Any] = read_json(path)
        return kept
    config = tuning.config
    tasks = tuning.tasks("generation", number, config.generation_tasks)
    rankers = [margin, *(tuning.ranker(point) for point in points)]
    areas = tuning.areas(tasks, rankers, integer_seed(config.seed, "starts", number))
    gaps = areas[1:] - areas[0]
    row = {
        "generation": number,
        "scores": scores_of(areas[1:], areas[0], config.tail_weight).tolist(),
        "over_margin": float(gaps.mean()),
        "tail": float(tail_of(gaps).mean()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, row)
    return row


def _told(config: EvolutionConfig, number: int, scores: Floats) -> Floats:
    """Return the scores as the searcher is told them; of other vectors under that control."""
    if config.control != "shuffled_reward":
        return scores
    return scores[generator(config.seed, "shuffle", number).permutation(len(scores))]


def check_of(tuning: Tuning, found: PoolPolicy) -> dict[str, Any]:
    """Return how a policy compares with its start and with margin on tasks never met before.

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
    tails = tail_of(np.stack([start - baseline, tuned - baseline]))
    return {
        "n_tasks": len(tasks),
        "start_over_margin": mean_interval(start - baseline),
        "over_margin": mean_interval(tuned - baseline),
        "over_start": mean_interval(tuned - start),
        "tail_start": float(tails[0]),
        "tail": float(tails[1]),
    }


def export_untrained(config: EvolutionConfig, n: int) -> list[PoolPolicy]:
    """Return `n` copies of the start moved at random by the first spread: no search at all."""
    tuning = prepare(config)
    card = {**card_of(tuning, "Moved at random, not tuned."), "control": "untrained"}
    draw = partial(generator, config.seed, "untrained")
    return [
        tuning.policy(
            config.spread * draw(i).standard_normal(tuning.space.size),
            f"evolution_untrained_{i}",
            card,
        )
        for i in range(n)
    ]


def card_of(tuning: Tuning, summary: str) -> dict[str, Any]:
    """Return the run's card: that of the start where it speaks of what was met before."""
    card = training_card(tuning.config)
    before = tuning.start.card
    met = {**dict(before.get("data", {}) or {}), **card["data"]}
    return {
        **card,
        "data": met,
        "summary": summary,
        "tuned_from": tuning.start.name,
        "ranges": dict(before.get("ranges", {}) or {}),
    }


def _check(config: EvolutionConfig) -> None:
    require("numba", "fast")
    least = {
        "dimensions": 1, "population": 4, "generations": 1, "generation_tasks": 1,
        "check_tasks": 1, "budget": 1, "slate_size": 2,
    }  # fmt: skip
    for name, low in least.items():
        if getattr(config, name) < low:
            raise UsageError(f"{name} must be at least {low}, got {getattr(config, name)}")
    if config.population % 2:
        raise UsageError(f"population must be even, got {config.population}")
    for name in ("spread", "step"):
        if getattr(config, name) <= 0:
            raise UsageError(f"{name} must be above 0, got {getattr(config, name)}")
    if config.tail_weight < 0:
        raise UsageError(f"tail_weight must not be negative, got {config.tail_weight}")
    if config.candidate_features or config.context_features:
        raise UsageError("the features are those of the start; leave both lists out")
