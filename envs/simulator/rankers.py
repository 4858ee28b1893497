"""Rankers: what a rollout ranks the offered rows by, for many episodes at once.

A policy's program, the features that are rules of their own (margin, entropy, ...), and the
hand-written rules that explore first and go by margin afterwards.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from envs.simulator.pool import PoolSimulator
from envs.simulator.scoring import Numbers, SlateBatch, SlateScorer
from lal.arrays import Bools, Floats, Ints
from lal.data.view import make_geometry
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.policies.scoring.scorer import Scorer
from lal.policies.two_stage_policy import TwoStagePolicy
from lal.state import Geometry, QueryState, Strategy
from lal.strategies.farthest import exploration_labels
from lal.task import Part, Task


@dataclass(frozen=True, eq=False)
class View:
    """What a ranker sees of some episodes of a simulator.

    Attributes:
        simulator: The simulator.
        episodes: Which of its episodes.
        streams: One generator per episode, for rules that draw.
    """

    simulator: PoolSimulator
    episodes: slice
    streams: Sequence[np.random.Generator]

    @property
    def candidates(self) -> Numbers:
        """Candidate features of the offered rows, shape (n, K, F); a view."""
        return self.simulator.observations.candidates[self.episodes]

    @property
    def context(self) -> Numbers:
        """Context features, shape (n, G); a view."""
        return self.simulator.observations.context[self.episodes]

    @property
    def mask(self) -> Bools:
        """Which slots may be chosen, shape (n, K)."""
        return self.simulator.observations.mask[self.episodes] > 0

    @property
    def n_labelled(self) -> Ints:
        """Labels acquired, shape (n,); a view."""
        return self.simulator.n_labelled[self.episodes]

    @property
    def numbers(self) -> range:
        """Positions of the episodes in the simulator."""
        return range(*self.episodes.indices(self.simulator.n_episodes))

    def column(self, name: str) -> Floats:
        """Return one candidate feature of the offered rows, shape (n, K).

        Raises:
            UsageError: The simulator does not compute it.
        """
        names = self.simulator.candidate_features
        if name not in names:
            raise UsageError(
                f"the rule needs the candidate feature {name}; the simulator has {', '.join(names)}"
            )
        return self.candidates[:, :, names.index(name)].astype(np.float64)

    def draw(self) -> Floats:
        """Return uniform numbers for all slots, each episode's from its own stream, (n, K)."""
        return np.stack([stream.random(self.simulator.slate_size) for stream in self.streams])


Ranker = Callable[[View], Numbers]
"""Utilities of the offered rows of a view, shape (n, K)."""


def by_feature(name: str, sign: float = 1.0) -> Ranker:
    """Return what ranks by a candidate feature, or by its negative."""
    return lambda view: sign * view.column(name)


margin = by_feature("margin@1", -1.0)
"""Ranks by the margin of the two most probable classes, the smallest first."""


def random(view: View) -> Floats:
    """Rank at random."""
    return view.draw()


def policy_ranker(policy: PoolPolicy, dtype: type[np.floating[Any]] = np.float64) -> Ranker:
    """Return what ranks by a policy's program; see `scorer_ranker`.

    Raises:
        UsageError: When ranking: the simulator computes other features than the policy reads.
    """
    rank = scorer_ranker(policy.scorer, dtype)
    wanted = tuple(policy.candidate_features), tuple(policy.context_features)

    def checked(view: View) -> Numbers:
        simulator = view.simulator
        if wanted != (simulator.candidate_features, simulator.context_features):
            raise UsageError(
                f"policy {policy.name!r} reads other features than this rollout computes; give "
                "the rollout the policy's lists"
            )
        return rank(view)

    return two_stages(policy, checked) if isinstance(policy, TwoStagePolicy) else checked


def two_stages(policy: TwoStagePolicy, first: Ranker) -> Ranker:
    """Return what re-ranks by a policy's second stage, whose states are made one by one."""
    geometries: WeakKeyDictionary[Part, Geometry] = WeakKeyDictionary()

    def rank(view: View) -> Floats:
        utilities = np.array(first(view), dtype=np.float64)
        for i, episode in enumerate(view.numbers):
            there = view.mask[i]
            state = get_state(view, episode, geometries, view.simulator.pool_proba(episode))
            rows = view.simulator.slates[episode][there]
            utilities[i, there] = policy.rerank(state, rows, utilities[i, there])
        return utilities

    return rank


def scorer_ranker(scorer: Scorer, dtype: type[np.floating[Any]] = np.float64) -> Ranker:
    """Return what ranks by a checked program.

    A program that reads the reference set is given the open rows of the slate in its place: with
    slates of whole pools they differ from a reference set by the labelled rows alone.
    """
    score = SlateScorer(scorer, dtype)
    reads = "reference" in scorer.reads

    def rank(view: View) -> Numbers:
        rows, mask = view.candidates, view.mask
        reference = (rows, mask) if reads else (None, None)
        return score(SlateBatch(rows, view.context, mask, *reference))

    return rank


def epsilon_margin(strategy: Any) -> Ranker:
    """Return margin with a random query in a share `strategy.epsilon` of all steps."""

    def rank(view: View) -> Floats:
        explores = np.array([s.random() < strategy.epsilon for s in view.streams])
        return np.where(explores[:, None], view.draw(), margin(view))

    return rank


def farthest_then_margin(strategy: Any) -> Ranker:
    """Return farthest-first for the first `strategy.k` labels, margin after."""
    farthest = by_feature("min_distance@1")

    def rank(view: View) -> Floats:
        early = explores(view, strategy.k)
        return np.where(early[:, None], farthest(view), margin(view))

    return rank


def state_then_margin(strategy: Any) -> Ranker:
    """Return a rule that ranks by the state for its first `strategy.k` labels, margin after.

    The states are made one by one, but only while a rule explores.
    """
    geometries: WeakKeyDictionary[Part, Geometry] = WeakKeyDictionary()

    def rank(view: View) -> Floats:
        utilities = np.array(margin(view))
        for i in np.flatnonzero(explores(view, strategy.k)):
            state = get_state(view, view.numbers[i], geometries)
            utilities[i] = _by_state(strategy, view, int(i), state)
        return utilities

    return rank


def state_and_proba(strategy: Any) -> Ranker:
    """Return a rule that ranks by state and probabilities; the states are made one by one."""
    geometries: WeakKeyDictionary[Part, Geometry] = WeakKeyDictionary()

    def rank(view: View) -> Floats:
        simulator = view.simulator
        utilities = []
        for i, episode in enumerate(view.numbers):
            state = get_state(view, episode, geometries, simulator.pool_proba(episode))
            utilities.append(_by_state(strategy, view, i, state))
        return np.stack(utilities)

    return rank


def explores(view: View, k: int | str) -> Bools:
    """Return which episodes have fewer labels than a rule explores for, shape (n,)."""
    limits = [exploration_labels(k, _n_classes(view, e)) for e in view.numbers]
    early: Bools = view.n_labelled < np.array(limits)
    return early


def _n_classes(view: View, episode: int) -> int:
    """Return how many classes a rule knows of in an episode."""
    task = _task(view, episode)
    if task.classes_known:
        return task.n_classes
    return len(np.unique(task.pool.y[view.simulator.labelled_rows(episode)]))


def _task(view: View, episode: int) -> Task:
    return view.simulator.tasks[int(view.simulator.task_numbers[episode])]


def get_state(
    view: View,
    episode: int,
    geometries: MutableMapping[Part, Geometry],
    proba: Floats | None = None,
) -> QueryState:
    """Return the state of an episode; without a model before it has labels of two classes.

    Where classes are not declared, the model knows those that have a label.
    """
    task = _task(view, episode)
    if task.pool not in geometries:
        geometries[task.pool] = make_geometry(task.pool.X)
    labelled = np.sort(view.simulator.labelled_rows(episode))
    seen, codes = np.unique(task.pool.y[labelled], return_inverse=True)
    if proba is not None and not task.classes_known:
        proba = proba[:, seen]
    return QueryState(
        X=task.pool.X,
        geometry=geometries[task.pool],
        labelled=labelled,
        labels=task.pool.y[labelled] if task.classes_known else codes,
        n_classes=task.n_classes if task.classes_known else len(seen),
        classes_known=task.classes_known,
        proba=proba if len(seen) > 1 else None,
        learner=task.learner,
    )


def _by_state(strategy: Strategy, view: View, i: int, state: QueryState) -> Floats:
    """Return a strategy's utilities of the rows that the i-th episode of a view offers, (K,)."""
    rows = view.simulator.slates[view.numbers[i]]
    found: Floats = strategy.utilities(state, view.streams[i])[rows]
    return found


RULES: Mapping[str, Callable[[Any], Ranker]] = {
    "random": lambda strategy: random,
    "margin": lambda strategy: margin,
    "least_confident": lambda strategy: by_feature("max_proba@1", -1.0),
    "entropy": lambda strategy: by_feature("entropy@1"),
    "epsilon_margin": epsilon_margin,
    "k_farthest_then_margin": farthest_then_margin,
    "typiclust_then_margin": state_then_margin,
    "uncertainty_herding": state_and_proba,
}
"""Strategies that rank many episodes at once, by their registry names; made from the strategy."""

RULE_FEATURES = ("margin@1", "max_proba@1", "entropy@1", "min_distance@1")
"""Candidate features that the rules read."""


def rule_ranker(name: str, strategy: Any) -> Ranker:
    """Return the ranker of a registered strategy.

    Args:
        name: Its name in `lal.strategies.base.STRATEGIES`.
        strategy: The strategy itself, whose options count.

    Raises:
        UsageError: It has no form for many episodes at once.
    """
    if name not in RULES:
        raise UsageError(
            f"strategy {name!r} has no compiled form; expected one of {', '.join(RULES)} or a "
            "policy, or use the reference engine"
        )
    return RULES[name](strategy)
