"""ALBL: a bandit that learns, within one episode, which of several strategies to follow.

Source: Hsu & Lin (2015), "Active learning by learning", AAAI; its bandit is EXP4.P of Beygelzimer
et al. (2011), "Contextual bandit algorithms with supervised learning guarantees".
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.state import QueryState, Strategy
from lal.strategies.base import Acted, EpisodeStart, Observed, make_strategy, select_top

Memory = dict[str, np.ndarray]
"""What the bandit knows, plain arrays that are never changed in place.

``n_rows``: rows of the pool that may be drawn, n. ``horizon``: rounds planned for, T.
``log_weights`` (K,): logarithms of the arms' weights. A row for every round: ``drawn``, repeats
included; ``importance``, one over the probability of the draw; ``probabilities`` (t, K) of the
arms; ``advice`` (t, K), the arms' probabilities of the row drawn. A row for every settled round,
one fewer at most: ``rewards``; ``estimates`` (t, K), the arms' estimated rewards.
"""


class Draw(NamedTuple):
    """The action of ALBL.

    Attributes:
        row: The open row whose label is requested.
        memory: The memory with this draw and the rounds before it that drew labelled rows.
    """

    row: int
    memory: Memory


def regret(memory: Memory) -> float:
    """Return the best arm's estimated reward minus the rewards earned, over settled rounds."""
    if len(memory["rewards"]) == 0:
        return 0.0
    return float(memory["estimates"].sum(axis=0).max() - memory["rewards"].sum())


def arm_probabilities(log_weights: Floats, floor: float) -> Floats:
    """Return ``(1 - K floor) w / sum(w) + floor``, shape (K,)."""
    weights = np.exp(log_weights - log_weights.max())
    probabilities: Floats = (1.0 - len(weights) * floor) * weights / weights.sum() + floor
    return probabilities


def probability_floor(n_arms: int, horizon: int) -> float:
    """Return the least probability of an arm, ``sqrt(ln K / (K T))``, at most ``1 / K``."""
    return min(float(np.sqrt(np.log(n_arms) / (n_arms * horizon))), 1.0 / n_arms)


class ALBL:
    """Follows one of several strategies a round, and those more that made the model right.

    Each round every arm names an open row, the uniform arm all rows of the pool alike. A row is
    drawn from their mixture; a row that has its label already costs nothing and only teaches the
    bandit. The reward is the importance-weighted accuracy of the next model on the rows drawn.
    The strategy itself holds no memory: `start` makes one, `act` runs a round, `update` settles
    it; `lal.run_episode` carries it along. On its own, `utilities` runs a first round.

    Args:
        arms: Names of strategies.
        uniform: Whether to add the uniform arm.
        delta: Probability that the bandit's bound may fail.
        horizon: Rounds planned for where the budget is unknown.
        max_repeats: Draws of labelled rows before one of the open rows of the mixture is drawn.
    """

    def __init__(
        self,
        arms: Sequence[str] = ("margin", "query_by_committee", "k_farthest_then_margin"),
        *,
        uniform: bool = True,
        delta: float = 0.1,
        horizon: int = 50,
        max_repeats: int = 1000,
    ) -> None:
        if not arms and not uniform:
            raise UsageError("ALBL needs at least one arm; expected names of strategies")
        if not 0.0 < delta < 1.0:
            raise UsageError(f"delta must lie in (0, 1), got {delta}")
        if horizon < 1 or max_repeats < 1:
            raise UsageError("horizon and max_repeats must be at least 1")
        self.names = tuple(arms)
        self.arms: tuple[Strategy, ...] = tuple(make_strategy(name) for name in arms)
        self.uniform, self.delta = uniform, delta
        self.horizon, self.max_repeats = horizon, max_repeats

    @property
    def n_arms(self) -> int:
        """Number of arms K, the uniform one included."""
        return len(self.arms) + self.uniform

    def start(self, info: EpisodeStart) -> Memory:
        """Return the memory before the first round."""
        K = self.n_arms
        none = np.zeros((0, K))
        return {
            "n_rows": np.array(max(info.n_rows, 1)),
            "horizon": np.array(self.horizon if info.n_queries is None else max(info.n_queries, 1)),
            "log_weights": np.zeros(K),
            "drawn": np.zeros(0, dtype=np.int64),
            "importance": np.zeros(0),
            "probabilities": none,
            "advice": none,
            "rewards": np.zeros(0),
            "estimates": none,
        }

    def update(self, memory: Memory, event: Acted) -> Memory:
        """Return the memory after a draw, settled with the model that its label gave.

        Raises:
            UsageError: The row drawn last has no label in this state.
        """
        drawn: Draw = event.action
        return self._settle(drawn.memory, event.state)

    def _settle(self, memory: Memory, state: QueryState) -> Memory:
        reward = weighted_accuracy(memory, state)
        advice, probabilities = memory["advice"][-1], memory["probabilities"][-1]
        estimate = reward * advice * memory["importance"][-1]
        K, horizon = self.n_arms, int(memory["horizon"])
        bonus = np.sqrt(np.log(K / self.delta) / (K * horizon)) / probabilities
        step = 0.5 * probability_floor(K, horizon) * (estimate + bonus)
        return {
            **memory,
            "log_weights": memory["log_weights"] + step,
            "rewards": np.append(memory["rewards"], reward),
            "estimates": np.vstack([memory["estimates"], estimate]),
        }

    def act(self, memory: Memory, observation: Observed) -> Draw:
        """Return an open row, and what is to be remembered of its draw.

        Rounds that draw a labelled row are settled on the way. After `max_repeats` of them in a
        row the draw is among open rows, at its probability in the whole mixture.
        """
        state, rng = observation
        named = [
            int(select_top(arm.utilities(state, rng), state.open, rng)[0]) for arm in self.arms
        ]
        advice = self._advice(named, state.N)
        is_open = np.zeros(state.N, dtype=bool)
        is_open[state.open] = True
        floor = probability_floor(self.n_arms, int(memory["horizon"]))
        for attempt in range(self.max_repeats + 1):
            p = arm_probabilities(memory["log_weights"], floor)
            q = p @ advice
            weights = q if attempt < self.max_repeats else np.where(is_open, q, 0.0)
            row = int(rng.choice(state.N, p=weights / weights.sum()))
            memory = _noted(memory, row, p, advice[:, row], float(q[row]))
            if is_open[row]:
                break
            memory = self._settle(memory, state)
        return Draw(row, memory)

    def _advice(self, named: Sequence[int], n: int) -> Floats:
        """Return what every arm advises, a distribution over all rows each, shape (K, N)."""
        advice = np.zeros((self.n_arms, n))
        advice[np.arange(len(named)), named] = 1.0
        if self.uniform:
            advice[-1] = 1.0 / n
        return advice

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return utilities whose largest is a first round's draw, shape (N,).

        The others are random: a bandit draws one row a round.
        """
        row = self.act(self.start(EpisodeStart(state.N, None)), Observed(state, rng)).row
        utilities = rng.random(state.N)
        utilities[row] = 2.0
        return utilities


def _noted(memory: Memory, row: int, p: Floats, advice: Floats, q: float) -> Memory:
    return {
        **memory,
        "drawn": np.append(memory["drawn"], row),
        "importance": np.append(memory["importance"], 1.0 / q),
        "probabilities": np.vstack([memory["probabilities"], p]),
        "advice": np.vstack([memory["advice"], advice]),
    }


def weighted_accuracy(memory: Memory, state: QueryState) -> float:
    """Return ``sum_i W_i [f(x_i) = y_i] / (n T)`` over the rows drawn so far.

    W is one over the probability of the draw. Before two classes are seen there is no model, and
    the only class is taken as the prediction.

    Raises:
        UsageError: A row drawn has no label in this state.
    """
    drawn = memory["drawn"]
    place = np.searchsorted(state.labelled, drawn)
    known = np.append(state.labelled, -1)[place] == drawn
    if not known.all():
        row = int(drawn[~known][0])
        raise UsageError(f"row {row} was drawn but has no label; label it before the next round")
    labels = state.labels[place]
    right = np.ones(len(labels), dtype=bool)
    if state.proba is not None:
        right = state.proba[drawn].argmax(axis=1) == labels
    planned = int(memory["n_rows"]) * int(memory["horizon"])
    return float(memory["importance"][right].sum() / planned)
