"""TAILOR: Thompson sampling among strategies, rewarded for labels that balance the classes.

Source: Zhang, Shao, Verma & Nowak (2023), "Algorithm selection for deep active learning with
imbalanced datasets", NeurIPS; details such as the sign of a class that has most of the labels and
the discount are those of the authors' code.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.state import QueryState, Strategy
from lal.strategies.base import Acted, EpisodeStart, Observed, make_strategy, select

Memory = Mapping[str, np.ndarray]
"""What the bandit knows, plain arrays that are never changed in place.

For every label requested so far: ``rows``; ``arms``, the arm that named it; ``rounds``, the round
that it was requested in. ``n_rounds``: rounds played. Labels stay in the state: in a task of
unknown classes their codes change as classes turn up.
"""


class Draw(NamedTuple):
    """The action of TAILOR.

    Attributes:
        rows: The open rows whose labels are requested, in the order drawn.
        arms: The arm that named each.
    """

    rows: Ints
    arms: Ints

    @property
    def row(self) -> int:
        """The first row."""
        return int(self.rows[0])


def class_values(counts: Ints) -> Floats:
    """Return what a label of each class is worth: ``1 / max(1, count)``, shape (C,).

    The value of a class with more than half of all labels is negative.
    """
    values = 1.0 / np.maximum(counts, 1)
    return np.where(counts > 0.5 * max(int(counts.sum()), 1), -values, values)


def discounted_counts(
    memory: Memory, state: QueryState, n_arms: int, discount: float
) -> Floats:  # fmt: skip
    """Return the labels of each class that each arm brought, shape (K, C).

    A label of the last round counts 1, one of the round before it `discount`, and so on. The
    first round begins with a count of 1 everywhere, which is discounted alike. Rows that were
    found to be of no class count nothing.

    Raises:
        UsageError: A row requested has neither a label nor a refusal in this state.
    """
    n_rounds = int(memory["n_rounds"])
    counts = np.full((n_arms, max(state.n_classes, 1)), discount**n_rounds)
    place = np.searchsorted(state.labelled, memory["rows"])
    known = np.append(state.labelled, -1)[place] == memory["rows"]
    missing = np.setdiff1d(memory["rows"][~known], state.refused)
    if len(missing):
        raise UsageError(
            f"row {missing[0]} was requested but has no label; label it before the next round"
        )
    weights = discount ** (n_rounds - 1 - memory["rounds"][known])
    where = (memory["arms"][known], state.labels[place[known]])
    np.add.at(counts, where, weights)
    return counts


class Tailor:
    """Follows the strategy that, as far as is known, brings labels of the rarest classes.

    For each place of a batch the share of every class among an arm's labels is drawn from the
    posterior ``Dirichlet(1 + counts)``. The arm whose draw is worth most by `class_values` names
    its best row that is not taken yet. Arms learn of labels after the batch. The strategy itself
    holds no memory: `start` makes one, `act` or `act_batch` draws, `update` notes the draw;
    `lal.run_episode` carries it along. On its own, `utilities` and `select_batch` run a first
    round.

    Args:
        arms: Names of strategies.
        discount: What counts are multiplied with after each round, in (0, 1].
        choice: ``"thompson"``, or ``"uniform"``, which draws arms alike, as a control.
    """

    def __init__(
        self,
        arms: Sequence[str] = ("margin", "entropy", "most_likely_positive", "core_set", "random"),
        *,
        discount: float = 0.9,
        choice: str = "thompson",
    ) -> None:
        if isinstance(arms, str) or not arms:
            raise UsageError(f"arms must be a list of one or more strategies, got {arms!r}")
        if not 0.0 < discount <= 1.0:
            raise UsageError(f"discount must lie in (0, 1], got {discount}")
        if choice not in ("thompson", "uniform"):
            raise UsageError(f'choice must be "thompson" or "uniform", got {choice!r}')
        self.names = tuple(arms)
        self.arms: tuple[Strategy, ...] = tuple(make_strategy(name) for name in arms)
        self.discount, self.choice = discount, choice

    def start(self, info: EpisodeStart) -> Memory:
        """Return the memory before the first round."""
        none = np.zeros(0, dtype=np.int64)
        return {"rows": none, "arms": none, "rounds": none, "n_rounds": np.array(0)}

    def act(self, memory: Memory, observation: Observed) -> Draw:
        """Return a batch of one row."""
        return self.act_batch(memory, observation, 1)

    def act_batch(self, memory: Memory, observation: Observed, size: int) -> Draw:
        """Return open rows, and the arm that named each."""
        state, rng = observation
        counts = discounted_counts(memory, state, len(self.arms), self.discount)
        labels = np.bincount(state.labels, minlength=counts.shape[1])
        arms = self._choose(counts, class_values(labels), rng, size)
        named: dict[int, list[int]] = {
            int(k): select(self.arms[k], state, rng, rng, size).tolist() for k in np.unique(arms)
        }
        rows: list[int] = []
        for arm in arms.tolist():
            rows.append(next(row for row in named[arm] if row not in rows))
        return Draw(np.array(rows, dtype=np.int64), arms)

    def _choose(self, counts: Floats, values: Floats, rng: np.random.Generator, size: int) -> Ints:
        """Return an arm for each place of a batch, shape (size,)."""
        if self.choice == "uniform":
            return rng.integers(len(counts), size=size)
        gamma = rng.standard_gamma(1.0 + counts, size=(size, *counts.shape))
        shares = gamma / gamma.sum(axis=2, keepdims=True)  # Dirichlet draws, (size, K, C)
        best: Ints = (shares @ values).argmax(axis=1)
        return best

    def update(self, memory: Memory, event: Acted) -> Memory:
        """Return the memory after a round."""
        draw: Draw = event.action
        now = np.full(len(draw.rows), int(memory["n_rounds"]))
        return {
            "rows": np.append(memory["rows"], draw.rows),
            "arms": np.append(memory["arms"], draw.arms),
            "rounds": np.append(memory["rounds"], now),
            "n_rounds": memory["n_rounds"] + 1,
        }

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return utilities whose largest is a first round's draw, shape (N,).

        The others are random: a bandit draws one row at a time.
        """
        row = self.act(self.start(EpisodeStart(state.N, None)), Observed(state, rng)).row
        utilities = rng.random(state.N)
        utilities[row] = 2.0
        return utilities

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return the rows of a first round, shape (batch_size,)."""
        memory = self.start(EpisodeStart(state.N, None))
        return self.act_batch(memory, Observed(state, rng), batch_size).rows
