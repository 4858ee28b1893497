"""The field's list row by row: what we have of each, and the check that proves it."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

import lal
from lal.arrays import Floats, Ints
from lal.data.view import make_geometry
from lal.errors import UsageError
from lal.evaluation.runs.methods import parse_method
from lal.registry import Registry
from lal.state import QueryState
from lal.strategies.base import select

CATALOGUE = Path(__file__).with_name("catalogue.csv")

STATES = {"yes": "here", "partly": "partly", "no": "not here yet"}
"""What the catalogue writes of a row, and what a reader is shown."""


class Outcome(NamedTuple):
    """What a check found.

    Attributes:
        passed: Whether everything that the row promises held.
        figure: The measured figures, in one line.
    """

    passed: bool
    figure: str


@dataclass(frozen=True)
class Row:
    """A row of the list.

    Attributes:
        number: Its number, from 1.
        id: A short name.
        title: What it is.
        source: Where and when it was published.
        state: A key of `STATES`.
        has: What we have of it, as ``kind:name``.
        note: What is missing, or how it differs.
    """

    number: int
    id: str
    title: str
    source: str
    state: str
    has: tuple[str, ...]
    note: str


def load_rows() -> list[Row]:
    """Return all rows in their order."""
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                int(r["number"]), r["id"], r["title"], r["source"], r["state"],
                tuple(r["has"].split()), r["note"],
            )
            for r in csv.DictReader(file)
        ]  # fmt: skip


CHECKS: Registry[Callable[[], Outcome]] = Registry("row with a check")
"""Checks by the number of their row."""

for _number, _where in {
    1: "pages:scenarios",
    2: "refits:survey",
    3: "pages:deep_survey",
    4: "pages:model_to_data",
    5: "streams:region",
    6: "refits:discriminative_batch",
    7: "synthesis:leaf_query",
    8: "sequences:settles_craven",
    9: "spaces:hierarchical_sampling",
    10: "gaussian:matrix_partition",
    11: "synthesis:rule_induction",
    12: "crowds:crowd_expertise",
    13: "posterior:bald",
    14: "streams:active_vote",
    15: "search:active_search",
    16: "refits:coordinated_matching",
    17: "pareto:pareto_pal",
    18: "posterior:gibbs_error",
    19: "spaces:graph_signal",
    20: "streams:abstention",
    21: "crowds:multilabel_crowd",
    22: "refits:ceal",
    23: "propagation:seg_propagation",
    24: "synthesis:boundary_line",
    27: "synthesis:gaal",
    28: "streams:peers",
    31: "posterior:dbal",
    33: "posterior:ensembles",
    35: "refits:mval",
    37: "spaces:core_set",
    41: "synthesis:bgadl",
    42: "critics:vaal",
    43: "gaussian:kmc",
    44: "synthesis:sentence_between",
    45: "critics:dal",
    46: "conditions:redundancy",
    47: "force_field:on_the_fly",
    48: "gaussian:acs_fw",
    49: "signals:learning_loss",
    50: "signals:model_reuse",
    51: "conditions:factorial",
    52: "posterior:batch_bald",
    54: "spaces:badge",
    55: "synthesis:asal",
    56: "streams:reject_option",
    57: "regions:viewal",
    58: "spaces:fisher_kernel",
    60: "critics:sraal",
    61: "conditions:robust",
    62: "critics:minimax",
    63: "force_field:spline_map",
    64: "signals:consistency",
    65: "signals:surprisal",
    68: "conditions:fairness",
    69: "critics:graph_networks",
    70: "critics:ta_vaal",
    71: "conditions:redundancy_efficiency",
    72: "signals:virtual_adversary",
    73: "conditions:mismatch",
    74: "conditions:outliers",
    75: "refits:lada",
    76: "domains:mada",
    78: "signals:two_views",
    80: "exploration:seal",
    81: "refits:isal",
    82: "conditions:representation",
    83: "spaces:geal",
    85: "regions:gigapixel",
    84: "signals:cartography",
    87: "pages:tutorial",
    88: "theory:label_complexity",
}.items():
    CHECKS.add_lazy(str(_number), f"scripts.row_checks.{_where}")


def all_of(*facts: tuple[bool, str]) -> Outcome:
    """Return the outcome of several facts; those that do not hold are marked."""
    shown = [text if held else f"NOT {text}" for held, text in facts]
    return Outcome(all(held for held, _ in facts), "; ".join(shown))


def areas(
    strategy: str, learner: object, setting: tuple[str, int, int, int], runs: Sequence[int]
) -> Floats:
    """Return the areas under the accuracy curve in points, one for each run, shape (runs,).

    Args:
        strategy: Name of a strategy, or of a policy as ``"policy:default"``.
        learner: A learner, or its name.
        setting: Data set, initial labels, labels acquired, batch size.
        runs: Seeds of split, start and episode; equal ones are paired.
    """
    name, start, budget, batch = setting
    data = lal.load_dataset(name)
    made, method = lal.make_learner(learner), parse_method(strategy)
    found = []
    for seed in runs:
        task = lal.make_task(data, made, seed=seed, budget=budget, max_pool=800, start=start)
        curve = lal.run_episode(method.make(), task, seed=seed, batch_size=batch)
        found.append(100.0 * curve.area("accuracy"))
    return np.array(found)


def make_state(X: Floats, y: Ints, labelled: Ints, learner: object = None) -> QueryState:
    """Return a pool in which some rows are labelled, with a fitted learner unless that is None."""
    made = None if learner is None else lal.make_learner(learner)
    n_classes = int(y.max()) + 1
    model = made.fit(X[labelled], y[labelled], n_classes=n_classes) if made is not None else None
    return QueryState(
        X=X, geometry=make_geometry(X), labelled=labelled, labels=y[labelled],
        n_classes=n_classes, classes_known=True, model=model, learner=made,
        proba=None if model is None else model.predict_proba(X),
    )  # fmt: skip


def pick(strategy: str, state: QueryState, size: int, seed: int = 0, **options: object) -> Ints:
    """Return the rows that a strategy asks for, best first."""
    rng, ties = np.random.default_rng((seed, 0)), np.random.default_rng((seed, 1))
    return select(lal.make_strategy(strategy, **options), state, rng, ties, size)


def lead(ours: Floats, theirs: Floats) -> str:
    """Return the mean of paired differences and its standard error, as text."""
    if len(ours) != len(theirs) or len(ours) < 2:
        raise UsageError(f"expected as many runs, two at least; got {len(ours)}, {len(theirs)}")
    difference = ours - theirs
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return f"{difference.mean():+.2f} +- {error:.2f}"
