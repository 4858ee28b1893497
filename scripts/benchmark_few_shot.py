"""Few-shot selection on classes never seen, every rule over the policy's own embedding.

``python -m scripts.benchmark few_shot --runs runs/few-0``; the folders are those of
``scripts.train --agent few_shot``. Differences are paired by episode.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.class_banks import Split, load_bank
from envs.few_shot.episodes import FewShot, Layout, draw_few_shot, prototype_accuracy
from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.policies.siblings import load_sibling
from lal.policies.subset_features import similarities
from lal.policies.subset_policy import SubsetPolicy
from lal.rng import generator
from scripts.benchmark_design import interval
from scripts.entry import run_main


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which policies, on how many episodes."""

    runs: tuple[Path, ...] = ()
    """Folders of training runs, or policy files."""

    split: Split = "test"
    """Classes: "test" are the ones that no training saw."""

    episodes: int = 500
    """Episodes of every policy."""

    seed: int = 9_000_000
    """Of the episodes; no training uses it."""


Chooser = Callable[[Floats, Ints, int, np.random.Generator], Ints]
"""Cosines (N, N), hidden labels (N,), -1 for distractors, budget, generator to chosen items."""


def run(config: Config) -> None:
    """Print a table a policy."""
    for path in config.runs:
        policy = load_sibling(path / "policy.safetensors" if path.is_dir() else path)
        if not isinstance(policy, SubsetPolicy):
            raise UsageError(f"{path} holds a policy of kind {policy.kind!r}, expected 'subset'")
        print_table(path.name, policy, config)


def print_table(name: str, policy: SubsetPolicy, config: Config) -> None:
    """Print accuracy, classes covered and distractors chosen, in %, of every rule."""
    layout = Layout(*policy.card["episode"])
    rng = generator(config.seed, "few_shot", "benchmark")
    bank = load_bank(str(policy.card["bank"]))
    drawn = draw_few_shot(bank, rng, layout, n=config.episodes, split=config.split)
    chosen = choices(policy, drawn, int(policy.card["labels"]), rng)
    C = layout.n_classes
    found = {rule: 100 * accuracy(policy, drawn, rows, C) for rule, rows in chosen.items()}
    print(f"\n{name}: {policy.head}, {bank.name}, {layout}, {config.episodes} episodes")
    print("| rule | accuracy | classes covered | distractors | policy minus rule |")
    print("|---|---|---|---|---|")
    for rule, rows in chosen.items():
        labels = np.take_along_axis(drawn.labels, rows, axis=1)
        covered = np.mean([len(np.unique(row[row < C])) / C for row in labels])
        cells = [interval(found[rule]), f"{100 * covered:.1f}", f"{100 * (labels == C).mean():.1f}"]
        ahead = "" if rule == "policy" else interval(found["policy"] - found[rule])
        print(f"| {rule} | {' | '.join(cells)} | {ahead} |", flush=True)


def choices(
    policy: SubsetPolicy, drawn: FewShot, budget: int, rng: np.random.Generator
) -> dict[str, Ints]:
    """Return the items chosen by every rule, shape (E, B) each."""
    hidden = np.where(drawn.labels == policy.size("classes"), -1, drawn.labels)
    found: dict[str, list[Ints]] = {name: [] for name in ("policy", *CHOOSERS)}
    for e in range(len(drawn.pool)):
        info = {
            "items": drawn.pool[e], "support": drawn.support[e],
            "support_labels": drawn.support_labels[e],
        }  # fmt: skip
        found["policy"].append(policy.choose(info, drawn.labels[e], budget))
        S = similarities(policy.embed(drawn.pool[e])).S
        for name, choose in CHOOSERS.items():
            found[name].append(choose(S, hidden[e], budget, rng))
    return {name: np.stack(rows) for name, rows in found.items()}


def accuracy(policy: SubsetPolicy, drawn: FewShot, rows: Ints, C: int) -> Floats:
    """Return the query accuracy of each episode, shape (E,)."""
    values = []
    for e, picked in enumerate(rows):
        labelled = policy.embed(np.concatenate([drawn.support[e], drawn.pool[e][picked]]))
        labels = np.concatenate([drawn.support_labels[e], drawn.labels[e][picked]])
        query = policy.embed(drawn.query[e])
        values.append(prototype_accuracy(labelled, labels, query, drawn.query_labels[e], C))
    return np.array(values, dtype=np.float64)


def choose_random(S: Floats, labels: Ints, budget: int, rng: np.random.Generator) -> Ints:
    """Return items at random."""
    return rng.permutation(len(S))[:budget]


def choose_farthest(S: Floats, labels: Ints, budget: int, rng: np.random.Generator) -> Ints:
    """Return a random item, then always the one least similar to its nearest chosen one."""
    chosen = [int(rng.integers(len(S)))]
    while len(chosen) < budget:
        closest = S[:, chosen].max(axis=1)
        closest[chosen] = np.inf
        chosen.append(int(closest.argmin()))
    return np.array(chosen)


def choose_medoids(S: Floats, labels: Ints, budget: int, rng: np.random.Generator) -> Ints:
    """Return the medoids of the best of five alternating k-medoids runs."""
    best, best_value = np.zeros(0, dtype=np.int64), -np.inf
    for _ in range(5):
        medoids = choose_farthest(S, labels, budget, rng)
        for _ in range(10):
            member = S[:, medoids].argmax(axis=1)
            member[medoids] = np.arange(budget)
            groups = [np.flatnonzero(member == k) for k in range(budget)]
            moved = np.array([g[S[np.ix_(g, g)].sum(axis=1).argmax()] for g in groups])
            if np.array_equal(moved, medoids):
                break
            medoids = moved
        value = S[:, medoids].max(axis=1).sum()
        if value > best_value:
            best, best_value = medoids, value
    return best


def choose_balanced(S: Floats, labels: Ints, budget: int, rng: np.random.Generator) -> Ints:
    """Return items of all classes in turn, distractors last; an oracle, it reads the labels."""
    order = rng.permutation(len(S))
    place = np.zeros(len(S))
    for c in np.unique(labels):
        members = order[labels[order] == c]
        place[members] = np.arange(len(members))
    place[labels < 0] = np.inf
    return order[np.argsort(place[order], kind="stable")][:budget]


CHOOSERS: Mapping[str, Chooser] = {
    "random": choose_random,
    "farthest first": choose_farthest,
    "k-medoids": choose_medoids,
    "balanced oracle": choose_balanced,
}
"""What every policy is compared with."""


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
