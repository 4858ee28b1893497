"""SELECTIONS: named batch rules, which turn utilities into the rows of one query."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import DataError, UsageError
from lal.registry import Registry
from lal.state import QueryState

PRESELECT = 10
"""`greedy_diverse` chooses among this many times the batch of the best rows."""

SCORINGS = 400_000
"""Rows that `greedy` scores again for one batch, all picks together."""

FEWEST = 1_000
"""Rows among which `greedy` chooses at the least, however large the batch is."""

CONTENDERS = 0.5
"""Share of the rows, those of highest utility, among which `greedy` chooses after the first pick.

It saves time and can change a pick, so pools of up to `FEWEST` rows contend as a whole.
"""

Score = Callable[[QueryState, Ints], Floats]
"""State and rows (n,) to the utilities of these rows, shape (n,)."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What a batch rule chooses from.

    Attributes:
        state: The pool as it stands.
        utilities: Utilities of all rows, shape (N,).
        rows: Rows that may be asked, shape (n,).
        scored: Rows whose utilities were computed, the same array that `score` was given.
        score: Scores rows in a state that assumes further labels.
        size: Rows to choose.
        detailed: Whether the utilities before each pick are wanted.
    """

    state: QueryState
    utilities: Floats
    rows: Ints
    scored: Ints
    score: Score
    size: int
    detailed: bool = False


@dataclass(frozen=True, eq=False)
class Picks:
    """What a batch rule chose.

    Attributes:
        rows: The rows, best first, without duplicates, shape (size,).
        utilities: Utilities of all rows before each pick, each (N,), if they were wanted; only
            those before the first where they were not, or where no pick changes them.
    """

    rows: Ints
    utilities: Sequence[Floats] = field(repr=False)


Selection = Callable[[Batch, np.random.Generator, np.random.Generator], Picks]
"""Batch, strategy stream and tie stream to the picks."""

SELECTIONS: Registry[Selection] = Registry("batch rule")


def whole_number(value: Any, name: str, *, least: int | None = None) -> int:
    """Return a whole number of any numeric type.

    Raises:
        UsageError: It is not one, or less than `least`.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if isinstance(value, float | np.floating):
        whole = float(value).is_integer()
    if not whole:
        raise UsageError(f"{name} must be a whole number, got {value!r}")
    number = int(value)
    if least is not None and number < least:
        raise UsageError(f"{name} must be at least {least}, got {value}")
    return number


def check_size(batch_size: int, n: int) -> None:
    """Refuse a batch that is empty or larger than the n rows that may be asked."""
    if not 1 <= batch_size <= n:
        raise UsageError(
            f"batch_size must be 1 to {n}, the rows that may be asked; got {batch_size}"
        )


class ModelBatch(ABC):
    """A strategy that chooses whole batches by its model; without a model it draws them."""

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return the rows of a batch, shape (batch_size,)."""
        check_size(batch_size, len(state.open))
        if state.proba is None:
            return select_top(np.zeros(state.N), state.open, ties, batch_size)
        return self.batch(state, rng, ties, batch_size)

    @abstractmethod
    def batch(
        self, state: QueryState, rng: np.random.Generator, ties: np.random.Generator, size: int
    ) -> Ints:
        """Return the rows of a batch, best first, shape (size,); there is a model."""


def select_top(
    utilities: Floats, candidates: Ints, rng: np.random.Generator, batch_size: int = 1
) -> Ints:
    """Return the `batch_size` candidates of highest utility, best first; ties break by `rng`.

    Args:
        utilities: One finite number per row, shape (N,).
        candidates: Rows that may be asked.
        rng: The tie stream; drawn from exactly once, whatever the ties.
        batch_size: Number of rows to return.
    """
    check_size(batch_size, len(candidates))
    keys = rng.random(len(utilities))
    values = utilities[candidates]
    if not (np.isfinite(values.max()) and np.isfinite(values.min())):
        raise DataError(f"{(~np.isfinite(values)).sum()} utilities are not finite numbers")
    few = np.arange(len(values))
    if len(values) > batch_size:  # sort no more than those that may come first
        last = values.max() if batch_size == 1 else np.partition(values, -batch_size)[-batch_size]
        few = np.flatnonzero(values >= last)
    order = np.lexsort((keys[candidates[few]], -values[few]))
    return candidates[few[order[:batch_size]]]


@SELECTIONS.register("top")
def top(batch: Batch, rng: np.random.Generator, ties: np.random.Generator) -> Picks:
    """Return the rows of highest utility."""
    rows = select_top(batch.utilities, batch.rows, ties, batch.size)
    return Picks(rows, [batch.utilities])


@SELECTIONS.register("greedy")
def greedy(batch: Batch, rng: np.random.Generator, ties: np.random.Generator) -> Picks:
    """Return the best row, then the best one if the first had its predicted label, and so on.

    Nothing is refitted: an assumed label changes what the utilities read of the labelled rows,
    such as distances to them, so that the next pick looks elsewhere. The picks after the first
    come from the rows of highest utility at first: a `CONTENDERS` share of them, no more than that
    `SCORINGS` rows are scored again in all, and `FEWEST` at the least.
    """
    check_size(batch.size, len(batch.rows))
    state, utilities, left = batch.state, batch.utilities, batch.rows
    row = int(select_top(utilities, left, ties)[0])
    chosen, before = [row], [utilities]
    wanted = min(int(CONTENDERS * len(left)), SCORINGS // batch.size)
    most = max(wanted, FEWEST, 2 * batch.size)
    if batch.size > 1 and len(left) > most:
        left = np.sort(select_top(utilities, left, ties, most))
    scored = batch.scored if 2 * len(left) > len(batch.scored) else left
    while len(chosen) < batch.size:
        left = left[left != row]
        state = state.assume_label(row, state.predicted_label(row))
        utilities = utilities.copy()
        utilities[scored] = batch.score(state, scored)
        row = int(select_top(utilities, left, ties)[0])
        chosen.append(row)
        if batch.detailed:
            before.append(utilities)
    return Picks(np.array(chosen, dtype=np.int64), before)


@SELECTIONS.register("gumbel")
def gumbel(batch: Batch, rng: np.random.Generator, ties: np.random.Generator) -> Picks:
    """Return the top rows after Gumbel noise is added to standardised utilities.

    That samples without replacement with probabilities softmax(utility). One row alone is chosen
    without noise. Source: Kirsch et al. 2023, "Stochastic batch acquisition".
    """
    if batch.size == 1:
        return top(batch, rng, ties)
    values = batch.utilities[batch.rows]
    spread = float(values.std())
    noisy = batch.utilities / (spread if spread > 0.0 else 1.0)
    noisy += rng.gumbel(size=len(noisy))
    return Picks(select_top(noisy, batch.rows, ties, batch.size), [batch.utilities])


@SELECTIONS.register("greedy_diverse")
def greedy_diverse(batch: Batch, rng: np.random.Generator, ties: np.random.Generator) -> Picks:
    """Return the best row, then again and again the preselected row farthest from those chosen.

    Preselected are the ten times `size` rows of highest utility. Source: the two-stage scheme of
    Settles 2009, section 3.1, with k-centre greedy (Sener and Savarese 2018) inside.
    """
    few = min(PRESELECT * batch.size, len(batch.rows))
    best = select_top(batch.utilities, batch.rows, ties, max(few, batch.size))
    Z = batch.state.geometry.rows(best)
    chosen = [0]
    away = ((Z - Z[0]) ** 2).sum(axis=1)
    away[0] = -1.0
    while len(chosen) < batch.size:
        following = int(np.argmax(away))  # the better row of equally far ones: best come first
        chosen.append(following)
        away = np.minimum(away, ((Z - Z[following]) ** 2).sum(axis=1))
        away[chosen] = -1.0
    return Picks(best[chosen], [batch.utilities])
