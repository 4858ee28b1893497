"""Rules of active search: one step ahead, two steps ahead, and to the end."""

from collections.abc import Callable

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.registry import Registry
from lal.search.models import Labels, NeighbourModel, SearchModel

Rule = Callable[[SearchModel, Labels, int, np.random.Generator], int]
"""Model, labels so far, labels left and a generator to the row whose label is acquired next."""

TIE = 1e-9
"""Scores nearer to each other than this count as equal; the first row is taken."""


def random_row(model: SearchModel, labels: Labels, left: int, rng: np.random.Generator) -> int:
    """Return any open row."""
    return int(rng.choice(_open(labels)))


def greedy(model: SearchModel, labels: Labels, left: int, rng: np.random.Generator) -> int:
    """Return the likeliest target, which is optimal for the last label."""
    rows = _open(labels)
    return _first_best(rows, model.probabilities(labels)[rows])


def two_step(model: SearchModel, labels: Labels, left: int, rng: np.random.Generator) -> int:
    """Return the row with most targets expected of it and of the best row after its label.

    ``p(x) + E_y max_x' p(x' | y)``, the optimum for the last two labels; for the last one it is
    `greedy`. Rows are tried in the order of a bound and not at all once it is below the best score
    (Garnett et al. 2012, section 5).
    """
    if left <= 1:
        return greedy(model, labels, left, rng)
    rows = _open(labels)
    p = model.probabilities(labels)
    if isinstance(model, NeighbourModel):
        return _first_best(rows, (p + model.expected_best(labels))[rows])
    return pruned_two_step(model, labels)[0]


def pruned_two_step(model: SearchModel, labels: Labels) -> tuple[int, int]:
    """Return the row of `two_step` and how many rows were looked into to find it."""
    rows = _open(labels)
    p = model.probabilities(labels)
    after_0, after_1 = model.best_after(labels)
    bounds = p[rows] * (1.0 + after_1) + (1.0 - p[rows]) * after_0
    scores = np.full(len(rows), -np.inf)
    tried = 0
    for i in np.argsort(-bounds, kind="stable"):
        if bounds[i] < scores.max() - TIE:
            break
        scores[i] = p[rows[i]] + expected_best(model, labels, int(rows[i]), float(p[rows[i]]))
        tried += 1
    return _first_best(rows, scores), tried


def two_step_scores(model: SearchModel, labels: Labels) -> Floats:
    """Return the scores of all open rows, unpruned, in the order of the rows."""
    p = model.probabilities(labels)
    return np.array([p[x] + expected_best(model, labels, x, float(p[x])) for x in _open(labels)])


def expected_best(model: SearchModel, labels: Labels, row: int, p: float) -> float:
    """Return the expected largest probability of another open row after a row's label."""
    total = 0.0
    for y, weight in ((0, 1.0 - p), (1, p)):
        if weight > 0.0:
            later = with_label(labels, row, y)
            total += weight * float(model.probabilities(later)[later < 0].max(initial=0.0))
    return total


def optimal(model: SearchModel, labels: Labels, left: int, rng: np.random.Generator) -> int:
    """Return the best row of all, by expectimax over all that may come; for a dozen rows."""
    rows, values = _values(model, labels, left, {})
    return _first_best(rows, values)


def optimal_value(model: SearchModel, labels: Labels, left: int) -> float:
    """Return the largest number of targets that `left` labels can be expected to find."""
    return float(_values(model, labels, left, {})[1].max())


def rule_value(model: SearchModel, labels: Labels, left: int, rule: Rule) -> float:
    """Return the number of targets that a deterministic rule can be expected to find."""
    if left == 0 or (labels >= 0).all():
        return 0.0
    row = rule(model, labels, left, np.random.default_rng(0))
    p = float(model.probabilities(labels)[row])
    total = p
    for y, weight in ((0, 1.0 - p), (1, p)):
        if weight > 0.0 and left > 1:
            total += weight * rule_value(model, with_label(labels, row, y), left - 1, rule)
    return total


def _values(
    model: SearchModel, labels: Labels, left: int, known: dict[bytes, float]
) -> tuple[Ints, Floats]:
    """Return the open rows and what each is worth as the next of `left` labels."""
    rows = _open(labels)
    if len(rows) > 14 and left > 3:
        raise UsageError(
            f"the optimum is found for at most 14 open rows or 3 labels, got {len(rows)} and {left}"
        )
    p = model.probabilities(labels)
    values = p[rows].copy()
    if left > 1 and len(rows) > 1:
        for i, x in enumerate(rows):
            for y, weight in ((0, 1.0 - p[x]), (1, p[x])):
                if weight > 0.0:
                    values[i] += weight * _best(model, with_label(labels, x, y), left - 1, known)
    return rows, values


def _best(model: SearchModel, labels: Labels, left: int, known: dict[bytes, float]) -> float:
    key = labels.tobytes()  # labels left follow from the labels there are
    if key not in known:
        known[key] = float(_values(model, labels, left, known)[1].max())
    return known[key]


def with_label(labels: Labels, row: int, y: int) -> Labels:
    """Return the labels with one more."""
    later = labels.copy()
    later[row] = y
    return later


def _open(labels: Labels) -> Ints:
    return np.flatnonzero(labels < 0)


def _first_best(rows: Ints, scores: Floats) -> int:
    return int(rows[np.flatnonzero(scores >= scores.max() - TIE)[0]])


SEARCH_STRATEGIES: Registry[Rule] = Registry("search strategy")
"""Rules by name."""

SEARCH_STRATEGIES.add("random", random_row)
SEARCH_STRATEGIES.add("greedy", greedy)
SEARCH_STRATEGIES.add("two_step", two_step)
SEARCH_STRATEGIES.add("optimal", optimal)
