"""Batches by the joint distribution of their labels: BatchBALD and its Gibbs-error sibling."""

from collections.abc import Callable
from functools import partial

import numpy as np

from lal.arrays import Floats, Ints
from lal.state import QueryState
from lal.strategies.posterior import Posterior, posterior_proba
from lal.strategies.selection import ModelBatch, select_top
from lal.strategies.uncertainty import entropy_utility

ENTRIES = 10_000_000
"""Numbers in the joint table of configurations, rows and classes for one pick."""

FEWEST, MOST = 64, 10_000
"""Limits of the number of configurations of labels, whatever the size of the pool."""

CHUNK = 1_000_000
"""Numbers of that table held at once."""


def entropy_term(p: Floats) -> Floats:
    """Return ``-p log p``, 0 at 0."""
    term: Floats = -p * np.log(np.maximum(p, 1e-300))
    return term


class JointLabels:
    """The distribution of the labels of the rows chosen so far, exact or from draws.

    While ``C^k`` configurations of k labels fit, all of them are kept. Later ones are drawn: the
    sum over configurations becomes an expectation under their own distribution, as in section 4.2
    of Kirsch, van Amersfoort & Gal (2019), "BatchBALD".

    Args:
        members: Probabilities of all rows, shape (M, N, C).
        rng: Draws configurations.
        most: Configurations that are kept.
    """

    def __init__(self, members: Floats, rng: np.random.Generator, most: int) -> None:
        self.members, self.rng, self.most = members, rng, most
        self.rows: list[int] = []
        self.given_member = np.ones((len(members), 1))  # (M, S)
        self.weight = np.ones(1)  # (S,): what a configuration counts in a sum over all

    def expect(self, term: Callable[[Floats], Floats]) -> Floats:
        """Return ``sum_y term(p(y))`` over the labels of the chosen rows and one more.

        Returns:
            One value for every row as the further one, shape (N,).
        """
        n_members, n_rows, n_classes = self.members.shape
        step = max(CHUNK // (len(self.weight) * n_classes), 1)
        parts = []
        for first in range(0, n_rows, step):
            some = self.members[:, first : first + step].reshape(n_members, -1)
            joint = (self.given_member.T @ some) / n_members  # (S, n C)
            parts.append((self.weight @ term(joint)).reshape(-1, n_classes).sum(axis=1))
        return np.concatenate(parts)

    def take(self, row: int) -> None:
        """Add a row to those chosen."""
        self.rows.append(row)
        n_members, _, n_classes = self.members.shape
        if self.given_member.shape[1] * n_classes <= self.most:
            both = self.given_member[:, :, None] * self.members[:, row][:, None, :]
            self.given_member = both.reshape(n_members, -1)
            self.weight = np.ones(self.given_member.shape[1])
            return
        drawn = self._draw()
        self.given_member = np.ones((n_members, self.most))
        for place, labels in zip(self.rows, drawn, strict=True):
            self.given_member *= self.members[:, place, labels]
        self.weight = 1.0 / (self.most * self.given_member.mean(axis=0))

    def _draw(self) -> list[Ints]:
        """Return labels of every chosen row in `most` configurations, each (S,)."""
        member = np.arange(self.most) % len(self.members)
        drawn = []
        for row in self.rows:
            below = self.members[member, row].cumsum(axis=1)
            level = self.rng.random((self.most, 1)) * below[:, -1:]
            drawn.append((level >= below).sum(axis=1))
        return drawn


def batch_bald_gains(joint: JointLabels) -> Floats:
    """Return ``I(y_1..y_k, y; parameters)`` up to a constant of the batch, shape (N,)."""
    n_members, n_rows, n_classes = joint.members.shape
    single = entropy_utility(joint.members.reshape(-1, n_classes)).reshape(n_members, n_rows)
    gains: Floats = joint.expect(entropy_term) - single.mean(axis=0)
    return gains


def batch_gibbs_gains(joint: JointLabels) -> Floats:
    """Return ``1 - sum p(y_1..y_k, y)^2``, the Gibbs error of the whole batch, shape (N,)."""
    error: Floats = 1.0 - joint.expect(np.square)
    return error


class JointBatch(ModelBatch):
    """Chooses a batch greedily by a formula of the joint distribution of its labels.

    The objective is submodular, so greedy reaches at least 1 - 1/e of the best batch.

    Args:
        formula: ``"bald"`` or ``"gibbs_error"``, as for one row.
        n_draws: Draws from the posterior.
    """

    def __init__(self, formula: str, n_draws: int = 20) -> None:
        self.single = Posterior(formula, n_draws)
        self.gains = {"bald": batch_bald_gains, "gibbs_error": batch_gibbs_gains}[formula]

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the formula for one row, shape (N,); zeros without a model."""
        return self.single.utilities(state, rng)

    def batch(
        self, state: QueryState, rng: np.random.Generator, ties: np.random.Generator, size: int
    ) -> Ints:
        """Return the batch in the order of the picks, shape (size,)."""
        members = posterior_proba(state, rng, self.single.n_draws)[:, state.open]
        return state.open[self._greedy(members, (rng, ties), size)]

    def _greedy(
        self, members: Floats, streams: tuple[np.random.Generator, np.random.Generator], size: int
    ) -> Ints:
        rng, ties = streams
        most = int(np.clip(ENTRIES // members[0].size, FEWEST, MOST))
        joint, left = JointLabels(members, rng, most), np.arange(members.shape[1])
        while len(joint.rows) < size:
            row = int(select_top(self.gains(joint), left, ties)[0])
            left = left[left != row]
            joint.take(row)
        return np.array(joint.rows, dtype=np.int64)


batch_bald = partial(JointBatch, formula="bald")
batch_gibbs_error = partial(JointBatch, formula="gibbs_error")
