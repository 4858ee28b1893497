"""Few-shot selection on classes never seen, every rule over the policy's own embedding.

``python -m scripts.benchmark few_shot --runs runs/few-0``; the folders are those of
``scripts.train --agent few_shot``. Differences are paired by episode.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from envs.class_banks import Split, load_bank
from envs.few_shot.episodes import FewShot, Layout
from envs.few_shot.tasks import Classes, FewShotTask, make_task
from lal.arrays import Floats, Ints
from lal.policies.subset_features import similarities
from lal.policies.subset_policy import SubsetPolicy
from lal.rng import generator
from scripts.benchmarks.agents.controls import mean_by_control, with_untrained
from scripts.benchmarks.base import Benchmark, Results, add_comparisons, interval


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which policies, on how many episodes."""

    runs: tuple[Path, ...] = ()
    """Folders of training runs, or policy files."""

    split: Split = "test"
    """Classes: "test" are the ones that no training saw."""

    budget: int = 0
    """Labels that are acquired; 0: as many as in training."""

    pool: int = 0
    """Items of the pool; 0: as many as in training."""

    apart: bool = False
    """Whether queries are drawn from rows that the pool never comes from; conditions always do."""

    episodes: int = 1000
    """Episodes of every policy."""

    n_query: int = 75
    """Samples that the accuracy of an episode is measured on."""

    untrained: int = 0
    """Untrained copies of every trained run; their mean is a control."""

    seed: int = 9_000_000
    """Of the episodes; no training uses it."""


MEASURES = {"classes": "points of accuracy", "conditions": "points of AUROC"}


class Similar(NamedTuple):
    """Cosines within the pool (N, N) and to the support (S, N)."""

    pool: Floats
    support: Floats


Chooser = Callable[[Similar, Ints, int, np.random.Generator], Ints]
"""Cosines, hidden labels (N,), -1 for distractors, budget, generator to chosen items."""


def run(config: Config, results: Results) -> None:
    """Add two tables for every embedding and kind of episode: the rules, then the policies."""
    groups: dict[str, dict[str, SubsetPolicy]] = {}
    for path in config.runs:
        for name, policy in with_untrained(path, SubsetPolicy, config.untrained):
            groups.setdefault(_world(policy), {})[name] = policy
    for number, policies in enumerate(groups.values(), start=1):
        add_tables(policies, config, results, f"-{number}" if number > 1 else "")


def _world(policy: SubsetPolicy) -> str:
    """Return what decides episodes and rules: bank, sizes, embedding."""
    card = policy.card
    named = sorted((k, v.tobytes()) for k, v in policy.tensors.items() if k.startswith("embed"))
    about = [card[key] for key in ("bank", "episode", "labels")]
    return f"{about} {card.get('task', 'classes')} {hash(tuple(named))}"


def add_tables(
    policies: Mapping[str, SubsetPolicy], config: Config, results: Results, suffix: str
) -> None:
    """Add accuracy, classes covered and distractors chosen, in %, and paired differences.

    Runs of one head that differ in their seed alone are followed by their mean.
    """
    first = next(iter(policies.values()))
    layout = Layout(*first.card["episode"])._replace(n_query=config.n_query)
    layout = layout._replace(n_pool=config.pool or layout.n_pool)
    task = make_task(first.card.get("task", "classes"), layout)
    if config.apart:
        task = Classes(layout, apart=True) if isinstance(task, Classes) else task
    bank = load_bank(str(first.card["bank"]))
    budget = config.budget or int(first.card["labels"])
    rng = generator(config.seed, "few_shot", "benchmark")
    drawn = task.draw(bank, rng, config.episodes, config.split)
    rules = choices(first, drawn, budget, rng)
    C = layout.n_classes
    found = {rule: 100 * accuracy(first, drawn, rows, task) for rule, rows in rules.items()}
    apart = ", queries apart from the pool" if config.apart else ""
    results.note(f"{bank.name}, {layout}, {budget} labels, {config.episodes} episodes{apart}")
    for rule, rows in rules.items():
        results.add(f"rules{suffix}", {"rule": rule, **_cells(found[rule], drawn, rows, C)})
    groups: dict[tuple[str, str], list[Floats]] = {}
    heads: dict[str, dict[str, tuple[str, Floats]]] = {}
    for name, policy in policies.items():
        rows = played(policy, drawn, budget)
        values = 100 * accuracy(first, drawn, rows, task)
        control = str(policy.card.get("control", "none"))
        groups.setdefault((policy.head, control), []).append(values)
        heads.setdefault(policy.head, {})[name] = control, values
        cells = {"run": name, **_cells(values, drawn, rows, C), **_ahead(values, found)}
        results.add(f"policies{suffix}", cells)
    for (head, control), several in groups.items():
        if len(several) > 1:
            mean = np.mean(several, axis=0)
            title = f"{head}, {control}" if control != "none" else head
            cells = {
                "run": f"mean of {len(several)}: {title}",
                "accuracy": interval(mean, 2, sign=""),
            }
            results.add(f"policies{suffix}", {**cells, **_ahead(mean, found)})
    for members in heads.values():
        measure = MEASURES[str(first.card.get("task", "classes"))]
        _compare(members, found, measure, results)


def _compare(
    members: Mapping[str, tuple[str, Floats]],
    rules: Mapping[str, Floats],
    measure: str,
    results: Results,
) -> None:
    """Add what the cards of one head's trained policies say.

    Args:
        members: A policy's name to its control and its accuracies.
        rules: Accuracies of the rules.
        measure: What is compared.
        results: Where it goes.
    """
    others = {**rules, **mean_by_control(members)}
    for name, (control, values) in members.items():
        if control == "none":
            differences = {other: values - given for other, given in others.items()}
            add_comparisons(results, name, measure, differences)


def _ahead(values: Floats, rules: Mapping[str, Floats]) -> dict[str, str]:
    """Return the paired differences to the rules."""
    return {f"minus {rule}": interval(values - other, 2) for rule, other in rules.items()}


def _cells(values: Floats, drawn: FewShot, rows: Ints, C: int) -> dict[str, str]:
    labels = np.take_along_axis(drawn.labels, rows, axis=1)
    covered = np.mean([len(np.unique(row[row < C])) / C for row in labels])
    return {
        "accuracy": interval(values, 2, sign=""),
        "classes covered": f"{100 * covered:.1f}",
        "distractors chosen": f"{100 * (labels == C).mean():.1f}",
    }


def played(policy: SubsetPolicy, drawn: FewShot, budget: int) -> Ints:
    """Return the items that a policy acquires, shape (E, B)."""
    found = []
    for e, labels in enumerate(drawn.labels):
        info = {
            "items": drawn.pool[e], "support": drawn.support[e],
            "support_labels": drawn.support_labels[e],
        }  # fmt: skip
        found.append(policy.choose(info, labels, budget))
    return np.stack(found)


def choices(
    policy: SubsetPolicy, drawn: FewShot, budget: int, rng: np.random.Generator
) -> dict[str, Ints]:
    """Return the items chosen by every rule in the policy's embedding, shape (E, B) each."""
    hidden = np.where(drawn.labels == policy.size("classes"), -1, drawn.labels)
    names = [n for n in CHOOSERS if n != FROM_SUPPORT or drawn.support.shape[1]]
    found: dict[str, list[Ints]] = {name: [] for name in names}
    for e, items in enumerate(drawn.pool):
        n = len(items)
        S = similarities(policy.embed(np.concatenate([items, drawn.support[e]]))).S
        for name in names:
            given = Similar(S[:n, :n], S[n:, :n])
            found[name].append(CHOOSERS[name](given, hidden[e], budget, rng))
    return {name: np.stack(rows) for name, rows in found.items()}


def accuracy(policy: SubsetPolicy, drawn: FewShot, rows: Ints, task: FewShotTask) -> Floats:
    """Return how well the queries of each episode are answered, shape (E,)."""
    values = []
    for e, picked in enumerate(rows):
        labelled = policy.embed(np.concatenate([drawn.support[e], drawn.pool[e][picked]]))
        labels = np.concatenate([drawn.support_labels[e], drawn.labels[e][picked]])
        query = policy.embed(drawn.query[e])
        answers = drawn.query_labels[e : e + 1]
        values.append(task.score(labelled[None], labels[None], query[None], answers)[0])
    return np.array(values, dtype=np.float64)


def choose_random(S: Similar, labels: Ints, budget: int, rng: np.random.Generator) -> Ints:
    """Return items at random."""
    return rng.permutation(len(S.pool))[:budget]


def choose_farthest(S: Similar, labels: Ints, budget: int, rng: np.random.Generator) -> Ints:
    """Return a random item, then always the one least similar to its nearest chosen one."""
    chosen = [int(rng.integers(len(S.pool)))]
    while len(chosen) < budget:
        closest = S.pool[:, chosen].max(axis=1)
        closest[chosen] = np.inf
        chosen.append(int(closest.argmin()))
    return np.array(chosen)


def choose_beyond(S: Similar, labels: Ints, budget: int, rng: np.random.Generator) -> Ints:
    """Return always the item least similar to its nearest one, chosen or support."""
    closest = S.support.max(axis=0)
    chosen: list[int] = []
    while len(chosen) < budget:
        chosen.append(int(closest.argmin()))
        closest = np.maximum(closest, S.pool[:, chosen[-1]])
        closest[chosen] = np.inf
    return np.array(chosen)


def choose_medoids(S: Similar, labels: Ints, budget: int, rng: np.random.Generator) -> Ints:
    """Return the medoids of the best of five alternating k-medoids runs."""
    best, best_value = np.zeros(0, dtype=np.int64), -np.inf
    for _ in range(5):
        medoids = choose_farthest(S, labels, budget, rng)
        for _ in range(10):
            member = S.pool[:, medoids].argmax(axis=1)
            member[medoids] = np.arange(budget)
            groups = [np.flatnonzero(member == k) for k in range(budget)]
            moved = np.array([g[S.pool[np.ix_(g, g)].sum(axis=1).argmax()] for g in groups])
            if np.array_equal(moved, medoids):
                break
            medoids = moved
        value = S.pool[:, medoids].max(axis=1).sum()
        if value > best_value:
            best, best_value = medoids, value
    return best


def choose_herding(S: Similar, labels: Ints, budget: int, rng: np.random.Generator) -> Ints:
    """Return items whose mean stays nearest to the pool's in the feature space of a kernel.

    Kernel herding (Chen, Welling and Smola 2010) with exp(4 (cosine - 1)): a group of items gets
    its share of the choices, where the rules above spread them evenly.
    """
    K = np.exp(4.0 * (S.pool - 1.0))
    chosen: list[int] = []
    gathered = np.zeros(len(K))
    for t in range(budget):
        worth = (t + 1) * K.mean(axis=1) - gathered
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
        gathered += K[chosen[-1]]
    return np.array(chosen)


def choose_balanced(S: Similar, labels: Ints, budget: int, rng: np.random.Generator) -> Ints:
    """Return items of all classes in turn, distractors last; an oracle, it reads the labels."""
    order = rng.permutation(len(S.pool))
    place = np.zeros(len(S.pool))
    for c in np.unique(labels):
        members = order[labels[order] == c]
        place[members] = np.arange(len(members))
    place[labels < 0] = np.inf
    return order[np.argsort(place[order], kind="stable")][:budget]


FROM_SUPPORT = "farthest first from support"
"""The rule that needs a support."""

CHOOSERS: Mapping[str, Chooser] = {
    "random": choose_random,
    "farthest first": choose_farthest,
    FROM_SUPPORT: choose_beyond,
    "k-medoids": choose_medoids,
    "herding": choose_herding,
    "balanced oracle": choose_balanced,
}
"""What every policy is compared with."""


main = Benchmark("few_shot", Config, run)
