"""Confidence-rated abstention: ask only as far as no safe prediction can be made."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack, kron

from lal.arrays import Floats, Ints
from lal.errors import DataError, UsageError
from lal.rng import generator, pack_rng
from lal.streams.features import Memory, StreamEvent, StreamItem, checked_event
from lal.streams.strategies.base import budget_share, drawn_from
from lal.streams.strategies.hypotheses import (
    CONTRADICTED,
    FiniteHypotheses,
    SampledLinear,
    confidence_set,
)
from lal.streams.strategies.rows import NO_LABELS, item_row, known_label, stored, stored_labels


def rated_predictor(codes: Ints, n_classes: int, eta: float) -> tuple[Floats, Floats]:
    """Return the predictor that abstains least while its error stays below `eta`.

    With xi_ic the probability that row i is given class c, and gamma_i that it is given none:
    minimise sum gamma_i so that ``sum_c xi_ic + gamma_i = 1`` and, for every hypothesis h,
    ``sum_i sum_{c != h_i} xi_ic <= eta n``. Source: Zhang and Chaudhuri (2014), Beyond
    disagreement-based agnostic active learning, algorithm 2; here for C classes.

    Args:
        codes: Classes that the hypotheses give the rows, shape (H, n).
        n_classes: C.
        eta: Error allowed against any hypothesis, on average over the rows.

    Returns:
        Class probabilities (n, C) and the probability of abstaining (n,).
    """
    patterns = np.unique(codes, axis=0)
    xi = np.eye(n_classes)[patterns[0]]
    gamma = np.zeros(codes.shape[1])
    split = np.flatnonzero((patterns != patterns[0]).any(axis=0))
    if len(split) == 0:
        return xi, gamma
    wrong = (patterns[:, split, None] != np.arange(n_classes)).reshape(len(patterns), -1)
    n = len(split)
    bound = np.full(len(patterns), eta * codes.shape[1])
    A = csr_array(np.concatenate([wrong, np.zeros((len(patterns), n))], axis=1))
    sums = hstack([kron(eye_array(n), np.ones((1, n_classes))), eye_array(n)])
    price = np.concatenate([np.zeros(n * n_classes), np.ones(n)])
    found = linprog(price, A_ub=A, b_ub=bound, A_eq=sums, b_eq=np.ones(n), bounds=(0, 1))
    xi[split] = found.x[: n * n_classes].reshape(n, n_classes)
    gamma[split] = found.x[n * n_classes :]
    return xi, gamma


class AbstentionStream:
    """Asks with the probability that a confidence-rated predictor abstains.

    The predictor is fitted to the present item and the latest ones, against all hypotheses that
    the labels leave; see `rated_predictor`. It never abstains where they agree, so it asks no
    more than disagreement does. The error it may make halves from epoch to epoch, each of them
    twice as long as the one before. The published algorithm draws a new sample in every epoch and
    labels some of it; on a stream the latest items take its place.

    Args:
        seed: Of the draws, and of the hypotheses where none are given.
        hypotheses: A finite class; None for `SampledLinear`.
        eta: Error allowed in the first epoch.
        epoch: Items of the first epoch.
        tolerance: See `confidence_set`; None where labels have no noise.
        recent: Latest items that the predictor is fitted to.
        window: Labels remembered at most.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        hypotheses: FiniteHypotheses | None = None,
        eta: float = 0.05,
        epoch: int = 50,
        tolerance: float | None = 1.0,
        recent: int = 10,
        window: int = 200,
    ) -> None:
        if not 0.0 <= eta < 1.0 or epoch < 1 or recent < 0:
            raise UsageError(
                f"eta must lie in 0 to 1, epoch be at least 1 and recent at least 0; got {eta}, "
                f"{epoch} and {recent}"
            )
        self.seed, self.eta, self.epoch, self.tolerance = seed, eta, epoch, tolerance
        self.recent, self.window = recent, window
        self._latest: list[tuple[Memory, StreamItem, tuple[Floats, float]]] = []
        self.hypotheses = SampledLinear(200, seed) if hypotheses is None else hypotheses

    def start(self, info: Mapping[str, Any] | None = None) -> Memory:
        """Return the memory: no labels, no items, the generator's state."""
        budget_share(info)
        rng = pack_rng(generator(self.seed, "strategy"))
        return {**NO_LABELS, "recent": np.zeros((0, 0)), "seen": np.zeros(1), "rng": rng}

    def rated(self, memory: Memory, item: StreamItem) -> tuple[Floats, float]:
        """Return the probabilities of the classes (C,) and of abstaining.

        Raises:
            DataError: Without a tolerance, no hypothesis agrees with all labels.
        """
        for known, seen, found in self._latest:  # act and infer want the same answer
            if known is memory and seen is item:
                return found
        self._latest = [(memory, item, self._rated(memory, item))]
        return self._latest[0][2]

    def _rated(self, memory: Memory, item: StreamItem) -> tuple[Floats, float]:
        x, n_classes = item_row(item), item.proba.shape[-1]
        X, y = stored_labels(memory, len(x), n_classes)
        recent = stored(memory, "recent", 2)
        rows = [X, *([recent] if recent.shape[1] == len(x) else []), x[None]]
        codes = self.hypotheses.predict(np.concatenate(rows), n_classes)
        kept = confidence_set(codes[:, : len(y)], y, self.tolerance)
        if not kept.any():
            raise DataError(CONTRADICTED)
        eta = self.eta / 2.0 ** np.floor(
            np.log2(1.0 + stored(memory, "seen", 1).sum() / self.epoch)
        )
        present = codes[kept][:, len(y) :]
        if (present[:, -1] == present[0, -1]).all():
            return np.eye(n_classes)[present[0, -1]], 0.0
        xi, gamma = rated_predictor(present, n_classes, eta)
        return xi[-1], float(gamma[-1])

    def act(self, memory: Memory, observation: StreamItem) -> bool:
        """Return whether a draw lies below the probability of abstaining."""
        _, gamma = self.rated(memory, observation)
        return bool(drawn_from(memory).random() < gamma)

    def infer(self, memory: Memory, observation: StreamItem) -> int | None:
        """Return the predictor's class where it does not abstain at all; None elsewhere."""
        xi, gamma = self.rated(memory, observation)
        return int(xi.argmax()) if gamma <= 1e-9 else None

    def update(self, memory: Memory, event: StreamEvent) -> Memory:
        """Return the memory after an item, with its label if it was acquired."""
        label = known_label(checked_event(event))
        x, n_classes = item_row(event.item), event.item.proba.shape[-1]
        X, y = stored_labels(memory, len(x), n_classes)
        if label is not None:
            X, y = np.concatenate([X, x[None]])[-self.window :], np.append(y, label)[-self.window :]
        recent = stored(memory, "recent", 2)
        kept = recent if recent.shape[1] == len(x) else np.zeros((0, len(x)))
        rng = drawn_from(memory)
        rng.random()
        return {
            "X": X, "y": y.astype(np.float64), "seen": stored(memory, "seen", 1) + 1.0,
            "recent": np.concatenate([kept, x[None]])[max(len(kept) + 1 - self.recent, 0) :],
            "rng": pack_rng(rng),
        }  # fmt: skip
