"""Tasks from data sets: de-duplicate, split by class, cap, encode on the pool's features."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lal.arrays import Ints
from lal.data.dataset import Dataset
from lal.data.encoding import fit_encoder, word_columns
from lal.data.hashing import row_hashes
from lal.errors import DataError, UsageError
from lal.rng import Streams
from lal.task import Learner, Part, Start, Task
from lal.task_kind import REGRESSION
from lal.tasks.conditions import Condition, apply_conditions

STRATA = 5
"""Parts of equal size that the numbers of a regression are cut into, so that splits are even."""


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint rows of a data set by role, each in an order that row order has no part in."""

    pool: Ints
    test: Ints
    reward: Ints
    state: Ints


def make_task(
    dataset: Dataset,
    learner: Learner,
    *,
    seed: int,
    budget: int = 50,
    reward_share: float = 0.0,
    n_state: int = 0,
    test_share: float = 0.4,
    max_pool: int = 2000,
    start: Start = "two_classes",
    balanced_start: bool = False,
    classes_known: bool = False,
    budget_known: bool = False,
    conditions: Sequence[str | Condition] = (),
) -> Task:
    """Return a task: a data set split by `seed`, with a learner and a budget.

    Imputation, one-hot columns and scaling are fitted on the features of the pool (labelled or
    not, so the use of X is transductive) and applied to the other parts.

    Args:
        dataset: The rows and labels.
        learner: The task model; see `lal.learners.make_learner` for names, with
            ``task="regression"`` where the data set is one.
        seed: Seed of the episode; only its stream "split" is drawn from.
        budget: Labels acquired after the start.
        reward_share: Share of the rows not in the test part that rewards are measured on.
        n_state: Rows held aside whose labels are never used.
        test_share: Share of rows for the test part.
        max_pool: Larger pools are sub-sampled, by class.
        start: ``"two_classes"`` or a number of random labels.
        balanced_start: Whether the classes take turns in the start: ``start=2 * C`` is then two
            labels of each.
        classes_known: Whether strategies are given the number of classes.
        budget_known: Whether strategies are given the budget.
        conditions: What may be wrong with the pool, such as ``"outliers?share=0.2"``; see
            `lal.tasks.conditions`. They are applied after the split.

    Raises:
        DataError: Too few rows, or a pool of one class.
        UsageError: Shares out of range, or a budget larger than the pool.
    """
    if isinstance(learner, str):
        raise UsageError(
            f"make_task takes a learner, not a name; use lal.make_learner({learner!r})"
        )
    split = split_rows(
        dataset,
        seed=seed,
        reward_share=reward_share,
        n_state=n_state,
        test_share=test_share,
        max_pool=max_pool,
    )
    encoder = fit_encoder(dataset.X[split.pool], word_columns(dataset.X))
    parts = {
        role: Part(encoder.transform(dataset.X[rows]), dataset.y[rows])
        for role, rows in vars(split).items()
        if len(rows)
    }
    task = Task(
        name=f"{dataset.name}/{learner.name}",
        family=dataset.family,
        learner=learner,
        n_classes=dataset.n_classes,
        pool=parts["pool"],
        test=parts.get("test"),
        reward=parts.get("reward"),
        state_X=parts["state"].X if "state" in parts else None,
        budget=budget,
        start=start,
        balanced_start=balanced_start,
        classes_known=classes_known,
        budget_known=budget_known,
        info=(
            ("dataset", dataset.name),
            ("source", dataset.source),
            ("sha256", dataset.sha256),
            ("split_seed", str(seed)),
            ("test_share", str(test_share)),
            ("reward_share", str(reward_share)),
            ("max_pool", str(max_pool)),
        ),
        kind=dataset.kind,
    )
    return apply_conditions(task, conditions, seed=seed)


def split_rows(
    dataset: Dataset,
    *,
    seed: int,
    reward_share: float = 0.0,
    n_state: int = 0,
    test_share: float = 0.4,
    max_pool: int = 2000,
) -> Split:
    """Return the rows of each part.

    Rows equal in values and label count once. Rows equal in values with different labels go to
    one part together. Parts are stratified by class (by fifths of y in regression), and every
    class keeps a row in the pool (those met only among contradicting rows may not). Row order has
    no part in any of it.
    """
    _check_shares(test_share, reward_share, n_state, max_pool)
    rng = Streams(seed)["split"]
    groups, strata = _groups(dataset)
    test, rest = _carve(rng, strata, np.arange(len(groups)), test_share)
    reward, rest = _carve(rng, strata, rest, reward_share)
    sizes = np.array([len(g) for g in groups])
    state, pool = _set_aside(rng, strata, rest, np.where(sizes == 1, 1, 0), n_state)
    too_many = int(sizes[pool].sum()) - max_pool
    pool = _set_aside(rng, strata, pool, sizes, too_many)[1]
    found = Split(*(_rows(groups, part) for part in (pool, test, reward, state)))
    _check_pool(dataset, found)
    return found


def _check_shares(test_share: float, reward_share: float, n_state: int, max_pool: int) -> None:
    for name, share in (("test_share", test_share), ("reward_share", reward_share)):
        if not 0 <= share < 1:
            raise UsageError(f"{name} must be from 0 up to but not including 1, got {share}")
    if n_state < 0:
        raise UsageError(f"n_state must not be negative, got {n_state}")
    if max_pool < 2:
        raise UsageError(f"max_pool must be at least 2, got {max_pool}")


def _check_pool(dataset: Dataset, split: Split) -> None:
    if len(np.unique(dataset.y[split.pool])) < 2:
        raise DataError(
            f"the pool split from {dataset.name!r} ({len(split.pool)} rows after removing "
            f"duplicates) holds one class or number only; use more data or smaller held-out shares"
        )


@lru_cache(maxsize=32)
def _groups(dataset: Dataset) -> tuple[list[Ints], Ints]:
    """Return rows grouped by equal values, duplicates left out, and the class of each group.

    Groups stand in the order of their content's hash, which row order has no part in.
    """
    hashes = row_hashes(dataset.X)
    order = np.lexsort((dataset.y, hashes))
    h, y = hashes[order], dataset.y[order]
    fresh_value = np.r_[True, h[1:] != h[:-1]]
    fresh_row = fresh_value | np.r_[True, y[1:] != y[:-1]]
    kept = order[fresh_row]
    starts = np.flatnonzero(fresh_value[fresh_row])
    return np.split(kept, starts[1:]), _strata(dataset)[kept[starts]]


def _strata(dataset: Dataset) -> Ints:
    """Return what parts are stratified by: the class, or the fifth that a number falls into."""
    if dataset.kind != REGRESSION:
        return dataset.y
    edges = np.quantile(dataset.y, np.linspace(0.0, 1.0, STRATA + 1)[1:-1])
    return np.searchsorted(edges, dataset.y).astype(np.int64)


def _carve(rng: np.random.Generator, strata: Ints, among: Ints, share: float) -> tuple[Ints, Ints]:
    """Return a share of the groups, taken class by class, and the rest."""
    taken: list[Ints] = []
    for c in np.unique(strata[among]):
        members = rng.permutation(among[strata[among] == c])
        wanted = int(share * len(members) + rng.random())  # rounds up as often as it should
        taken.append(members[: min(wanted, len(members) - 1)])
    return _divide(among, taken)


def _set_aside(
    rng: np.random.Generator, strata: Ints, among: Ints, weights: Ints, count: int
) -> tuple[Ints, Ints]:
    """Return random groups that weigh at least `count`, and the rest with one of each class.

    Groups of weight 0 are never taken.
    """
    if count <= 0:
        return among[:0], among
    shuffled = rng.permutation(among)
    first = np.unique(strata[shuffled], return_index=True)[1]
    free = np.delete(shuffled, first)
    free = free[weights[free] > 0]
    enough = int(np.searchsorted(np.cumsum(weights[free]), count)) + 1
    if enough > len(free):
        raise UsageError(
            f"cannot set {count} of {len(among)} rows aside and keep one of each class; "
            "lower n_state, or raise max_pool"
        )
    return _divide(among, [free[:enough]])


def _divide(among: Ints, taken: list[Ints]) -> tuple[Ints, Ints]:
    out = np.sort(np.concatenate(taken)) if taken else among[:0]
    return out, np.setdiff1d(among, out, assume_unique=True)


def _rows(groups: list[Ints], which: Ints) -> Ints:
    if len(which) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.concatenate([groups[g] for g in which]).astype(np.int64)
