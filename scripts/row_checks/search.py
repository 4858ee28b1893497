"""Row 15: active search against its exact optimum."""

import numpy as np

from lal.arrays import Floats
from lal.search.models import Labels, SearchModel, ising_model
from lal.search.problems import ClusteredSearch
from lal.search.strategies import (
    SEARCH_STRATEGIES,
    greedy,
    optimal_value,
    pruned_two_step,
    rule_value,
    two_step,
    two_step_scores,
)
from scripts.row_checks.base import Outcome, all_of, lead


def active_search() -> Outcome:
    """Two steps are the optimum of horizon 2, pruning changes nothing, and more is found."""
    differ, values = 0, []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        edges = np.triu(rng.random((10, 10)) < 0.25, 1)
        model = ising_model(edges | edges.T, coupling=1.5, field=-0.2)
        nothing = np.full(10, -1)
        values.append([optimal_value(model, nothing, 4)])
        values[-1] += [rule_value(model, nothing, 4, rule) for rule in (two_step, greedy)]
        some, truth = nothing.copy(), model.draw(rng)
        rows = rng.permutation(10)[:3]
        some[rows] = truth[rows]
        differ += sum(_differs(model, labels) for labels in (nothing, some))
    best, two, one = np.mean(values, axis=0)
    tried, same = _pruned()
    found = {name: _found(name) for name in ("two_step", "greedy", "random")}
    means = {name: f"{counts.mean():.1f}" for name, counts in found.items()}
    return all_of(
        (
            differ == 0,
            "8 graphs of 10 rows: greedy and two steps are the optima of horizons 1 and 2",
        ),
        (
            bool(best > two > one),
            f"4 labels: optimum {best:.3f} targets, two steps {two:.3f}, greedy {one:.3f}",
        ),
        (same, f"pruned is unpruned; {100 * tried:.0f} % of the rows looked into"),
        (
            found["two_step"].mean() > found["greedy"].mean() > found["random"].mean(),
            f"targets in 30 labels of 150 rows: {means['two_step']}, greedy {means['greedy']} "
            f"({lead(found['two_step'], found['greedy'])}), random {means['random']}",
        ),
    )


def _differs(model: SearchModel, labels: Labels) -> int:
    """Return how many of the three claims about horizons 1 and 2 do not hold."""
    wrong = 0
    for left, rule in ((1, greedy), (2, two_step)):
        gap = optimal_value(model, labels, left) - rule_value(model, labels, left, rule)
        wrong += int(abs(gap) > 1e-9)
    rows, scores = np.flatnonzero(labels < 0), two_step_scores(model, labels)
    return wrong + int(pruned_two_step(model, labels)[0] not in rows[scores >= scores.max() - 1e-9])


LARGE = ClusteredSearch(n=150, n_clusters=10, n_rich=3, n_neighbours=8)


def _pruned() -> tuple[float, bool]:
    """Return the share of rows looked into, and whether pruning never changed the row."""
    shares, same = [], True
    for seed in range(6):
        rng = np.random.default_rng(seed)
        problem = LARGE(rng)
        labels = problem.known.copy()
        for row in rng.permutation(150)[:10]:
            labels[row] = problem.targets[row]
        row, tried = pruned_two_step(problem.model, labels)
        scores = two_step_scores(problem.model, labels)
        full = two_step(problem.model, labels, 2, rng)
        rows = np.flatnonzero(labels < 0)
        same &= row == full == int(rows[np.flatnonzero(scores >= scores.max() - 1e-9)[0]])
        shares.append(tried / len(rows))
    return float(np.mean(shares)), same


def _found(name: str, runs: int = 100) -> Floats:
    """Return the targets that a rule finds in 30 labels, shape (runs,)."""
    counts = []
    for seed in range(runs):
        problem = LARGE(np.random.default_rng(seed))
        labels, rng, found = problem.known.copy(), np.random.default_rng(seed), 0
        for left in range(30, 0, -1):
            row = SEARCH_STRATEGIES[name](problem.model, labels, left, rng)
            labels[row] = problem.targets[row]
            found += int(problem.targets[row])
        counts.append(float(found))
    return np.array(counts)
