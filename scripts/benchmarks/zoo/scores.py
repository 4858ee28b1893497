"""How good a policy is in its environment: one score an episode, on episodes no training saw.

Equal episodes for equal seeds, so that policies are compared in pairs. Larger is better.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.data.dataset import Dataset
from lal.rng import generator
from lal.task import Task

SEED = 9_000_000
"""Names all episodes of the evaluation; no training uses it."""

POOL = "lal/Pool-v0"
LEARNERS = ("logistic_regression", "random_forest", "gaussian_nb")
"""Learners of the pools, each a row of the zoo."""


@dataclass(frozen=True)
class Environment:
    """An environment of the zoo.

    Attributes:
        name: Its id; of pools with the learner behind it.
        agents: Agents that are trained in it.
        unit: Of the scores.
        scores: A policy, a number of episodes, and whether choices are made at random, to the
            score of each episode. Random choices are in the place of the policy's own; of the
            policy only the rest is used, such as an embedding.
    """

    name: str
    agents: tuple[str, ...]
    unit: str
    scores: Callable[[Any, int, bool], Floats]


def pool_scores(learner: str, policy: Any, n: int, random: bool) -> Floats:
    """Return AUBC points of synthetic tasks, the mean of accuracy and balanced accuracy.

    Args:
        learner: Of the tasks.
        policy: A pool policy, or the name of a strategy.
        n: Tasks.
        random: Acquire at random.
    """
    from envs.simulator.engine import CompiledMethod
    from envs.simulator.rankers import policy_ranker
    from envs.simulator.rollout import rollout
    from lal.evaluation.runs.methods import parse_method

    if random or isinstance(policy, str):
        method = CompiledMethod(parse_method("random" if random else policy))
        ranker, features = method.ranker, method.features
    else:
        ranker = policy_ranker(policy)
        features = policy.candidate_features, policy.context_features
    found = rollout(_pool_tasks(learner, n), [ranker], features=features, seed=SEED)
    areas: Floats = 100.0 * found.mixed_areas(0.5)[0]
    return areas


@cache
def _pool_tasks(learner: str, n: int) -> list[Task]:
    from agents.training.config import SYNTHETIC_TASKS, PoolEnvConfig
    from agents.training.tasks import training_tasks

    draw = training_tasks(PoolEnvConfig(**SYNTHETIC_TASKS, learners=(learner,), budget=20))
    return [draw(generator(SEED, "zoo", learner, i)) for i in range(n)]


def lal_rl_scores(policy: Any, n: int, random: bool) -> Floats:
    """Return minus the labels to the target, in % of the mean of random on the same table.

    Binary synthetic tables, n episodes over all of them.
    """
    from agents.lal_rl.dqn import episode_lengths
    from agents.lal_rl.export import to_network

    network, view = (None, 0) if random else to_network(policy)
    found = []
    for table in _tables():
        each = -(-n // len(_tables()))
        run = partial(episode_lengths, data=[table], n_episodes=each, n_envs=each, seed=SEED)
        found.append(-100.0 * run(network, view=view) / run(None).mean())
    return np.concatenate(found)


@cache
def _tables() -> list[Dataset]:
    from scripts.benchmarks.reproduction.lal_rl_training import synthetic_tables

    return synthetic_tables()


def stream_scores(policy: Any, n: int, random: bool) -> Floats:
    """Return prequential accuracy in %, with labels for 15 % of 400 items of drifting tables.

    A stream is hundreds of decisions: there are a quarter of n of them, at least two.
    """
    from lal.streams.loop import TableWorld, run_stream
    from lal.streams.strategies import STREAM_STRATEGIES
    from lal.streams.tasks import STREAMS, make_stream

    families = STREAMS.names()
    found = []
    for i in range(max(n // 4, 2)):
        name = families[i % len(families)]
        world = TableWorld(make_stream(name, 400, rng=generator(SEED, "zoo", "stream", i)))
        strategy = STREAM_STRATEGIES["random"](i) if random else policy
        found.append(100.0 * run_stream(strategy, world, budget=0.15).accuracy)
    return np.array(found)


def one_shot_scores(policy: Any, n: int, random: bool) -> Floats:
    """Return the return of episodes of classes never seen; random answers without looking."""
    from envs.class_banks import load_bank
    from envs.one_shot.episodes import draw_episodes
    from envs.one_shot.evaluation import play

    C, wrong, ask = policy.size("classes"), -1.0, -0.05
    rng = generator(SEED, "zoo", "one shot")
    episodes = draw_episodes(load_bank("vectors"), rng, n=n, T=30, C=C, split="test")
    drawn = rng.integers(C + 1, size=episodes.labels.shape)
    actions = drawn if random else play(policy, episodes)
    right = np.where(actions == episodes.labels, 1.0, wrong)
    total: Floats = np.where(actions == C, ask, right).sum(axis=1)
    return total


def few_shot_scores(policy: Any, n: int, random: bool) -> Floats:
    """Return the accuracy in % of prototypes from five chosen items, on classes never seen."""
    from envs.class_banks import load_bank
    from envs.few_shot.episodes import Layout
    from envs.few_shot.tasks import Classes
    from scripts.benchmarks.agents.few_shot import accuracy, played

    layout = Layout(*policy.card["episode"])._replace(n_query=75)
    budget = int(policy.card["labels"])
    rng = generator(SEED, "zoo", "few shot")
    task = Classes(layout)
    drawn = task.draw(load_bank("vectors"), rng, n, "test")
    rows = np.stack([rng.permutation(layout.n_pool)[:budget] for _ in range(n)])
    if not random:
        rows = played(policy, drawn, budget)
    return 100.0 * accuracy(policy, drawn, rows, task)


def design_scores(policy: Any, n: int, random: bool) -> Floats:
    """Return the lower bound (sPCE) of the information of five experiments, in nats."""
    from envs.design.evaluation import play, policy_rule, random_rule, spce
    from envs.design.models import make_model

    model = make_model("location_finding")
    rule = random_rule(model) if random else policy_rule(policy)
    played = play(model, rule, n_steps=5, n_episodes=n, seed=SEED)
    return spce(model, played, n_contrast=5_000, seed=SEED).lower


ENVIRONMENTS: Mapping[str, Environment] = {
    environment.name: environment
    for environment in (
        *(
            Environment(f"{POOL}/{learner}", ("grpo", "ppo", "dqn"), "AUBC points",
                        partial(pool_scores, learner))
            for learner in LEARNERS
        ),
        Environment("lal/LalRl-v0", ("lal_rl",), "% of random's labels", lal_rl_scores),
        Environment("lal/Stream-v0", ("stream_dqn",), "% accuracy", stream_scores),
        Environment("lal/OneShot-v0", ("active_one_shot",), "return", one_shot_scores),
        Environment("lal/FewShot-v0", ("few_shot",), "% accuracy", few_shot_scores),
        Environment("lal/Design-v0", ("dad",), "nats", design_scores),
    )
}  # fmt: skip
"""The environments of the zoo by name."""
