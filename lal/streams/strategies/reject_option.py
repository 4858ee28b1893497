"""Online active learning of a classifier that may reject: ask near the edge of its reject band."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.rng import generator, pack_rng
from lal.streams.features import Memory, StreamEvent, StreamItem, checked_event
from lal.streams.strategies.base import REJECT, budget_share, drawn_from
from lal.streams.strategies.rows import check_width, item_row, known_label, stored, with_one

Loss = Literal["sigmoid", "ramp"]


class RejectOptionStream:
    """A linear classifier with a reject band; it asks near the band's edges and learns both.

    With f half of the lead of the largest score, the class is given if ``f > rho`` and the item
    rejected, at the cost d, otherwise. "sigmoid" (DSAL): a label is asked for with probability
    ``4 s (1 - s)``, ``s = 1 / (1 + exp(g (f - rho)))``, 1 at the edge; w and rho descend the
    double sigmoid loss ``2 d s(m - rho) + 2 (1 - d) s(m + rho)`` of the label's margin m. "ramp"
    (DRAL): it is asked for when f lies within the double ramp loss's slopes, ``-mu^2 < f - rho <
    mu``. Source: Shah and Manwani (2020), Online active learning of reject option classifiers;
    the constants are our own.

    Args:
        seed: Of the draws and the initial weights.
        cost: d, of rejecting; a wrong class costs 1. Above 0 and below 0.5.
        loss: "sigmoid" or "ramp".
        slope: g of the sigmoids.
        mu: Of the ramps.
        rate: Step of the descent; it falls with the root of one plus a hundredth of the labels.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        cost: float = 0.2,
        loss: Loss = "sigmoid",
        slope: float = 2.0,
        mu: float = 0.5,
        rate: float = 0.1,
    ) -> None:
        if not 0.0 < cost < 0.5:
            raise UsageError(
                f"cost must lie between 0 and 0.5, got {cost}; at 0.5 nothing is given"
            )
        if loss not in ("sigmoid", "ramp") or min(slope, mu, rate) <= 0:
            raise UsageError(
                f"loss must be 'sigmoid' or 'ramp', and slope, mu and rate above 0; got {loss!r}, "
                f"{slope}, {mu} and {rate}"
            )
        self.seed, self.cost, self.loss = seed, cost, loss
        self.slope, self.mu, self.rate = slope, mu, rate

    def start(self, info: Mapping[str, Any] | None = None) -> Memory:
        """Return the memory: no weights, a band, labels learned, the generator's state."""
        budget_share(info)
        rng = pack_rng(generator(self.seed, "strategy"))
        return {"weights": np.zeros((0, 0)), "band": np.zeros(2), "rng": rng}

    def query_probability(self, memory: Memory, item: StreamItem) -> float:
        """Return the probability that the item's label is asked for."""
        away = self._margin(memory, item) - stored(memory, "band", 1)[0]
        if self.loss == "ramp":
            return float(-(self.mu**2) <= away <= self.mu)
        return 4.0 * _bell(self.slope * away)

    def act(self, memory: Memory, observation: StreamItem) -> bool:
        """Return whether a draw lies below the query probability."""
        return bool(drawn_from(memory).random() < self.query_probability(memory, observation))

    def classify(self, memory: Memory, observation: StreamItem) -> int:
        """Return the class of an item, or `REJECT` within the band."""
        weights, z = self._weights(memory, observation)
        inside = self._margin(memory, observation) <= stored(memory, "band", 1)[0]
        return REJECT if inside else int((weights @ z).argmax())

    def update(self, memory: Memory, event: StreamEvent) -> Memory:
        """Return the memory after an item; a label moves weights and band down the loss."""
        label = known_label(checked_event(event))
        rng = drawn_from(memory)
        rng.random()
        weights, z = self._weights(memory, event.item)
        later = {**memory, "weights": weights, "rng": pack_rng(rng)}
        if label is None or len(weights) < 2:
            return later
        rho, n = stored(memory, "band", 1)
        scores = weights @ z
        rival = int(np.where(np.arange(len(scores)) == label, -np.inf, scores).argmax())
        outer, inner = self._slopes((scores[label] - scores[rival]) / 2.0, rho)
        step = self.rate / np.sqrt(1.0 + n / 100.0)
        moved = weights.copy()
        push = step * (outer + inner) * z
        moved[label] += push
        moved[rival] -= push
        band = [max(rho - step * (outer - inner), 0.0), n + 1.0]
        return {**later, "weights": moved, "band": np.array(band)}

    def _slopes(self, margin: float, rho: float) -> tuple[float, float]:
        """Return how steeply the two parts of the loss fall at ``m - rho`` and ``m + rho``."""
        prices = (self.cost, 1.0 - self.cost)
        places = (margin - rho, margin + rho)
        if self.loss == "ramp":
            on = [-(self.mu**2) <= place <= self.mu for place in places]
            return prices[0] * on[0] / self.mu, prices[1] * on[1] / self.mu
        falls = [2.0 * self.slope * _bell(self.slope * place) for place in places]
        return prices[0] * falls[0], prices[1] * falls[1]

    def _margin(self, memory: Memory, item: StreamItem) -> float:
        weights, z = self._weights(memory, item)
        ordered = np.sort(weights @ z)
        return float(ordered[-1] - ordered[-2]) / 2.0 if len(ordered) > 1 else 0.0

    def _weights(self, memory: Memory, item: StreamItem) -> tuple[Floats, Floats]:
        """Return the weights (C, D + 1) and the row with a last 1."""
        z, n_classes = with_one(item_row(item)), item.proba.shape[-1]
        weights = stored(memory, "weights", 2)
        if weights.size == 0:
            return np.zeros((n_classes, len(z))), z
        check_width(weights.shape, (n_classes, len(z)))
        return weights, z


def _bell(a: float) -> float:
    """Return s (1 - s) of the sigmoid s of a."""
    e = np.exp(-abs(a))
    return float(e / (1.0 + e) ** 2)


def ramp(seed: int = 0) -> RejectOptionStream:
    """Return the rule with the double ramp loss."""
    return RejectOptionStream(seed, loss="ramp")
