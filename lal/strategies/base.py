"""STRATEGIES: hand-written rules by name; "prefix:Name" reaches other libraries."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.registry import Registry
from lal.state import QueryState, Strategy
from lal.strategies.selection import SELECTIONS, Batch, Picks
from lal.strategies.selection import select_top as select_top
from lal.task_kind import check_served

STRATEGIES: Registry[Callable[..., Strategy]] = Registry("strategy")
for _name, _where in {
    "random": "lal.strategies.random:RandomSampling",
    "margin": "lal.strategies.uncertainty:Margin",
    "least_confident": "lal.strategies.uncertainty:LeastConfident",
    "entropy": "lal.strategies.uncertainty:Entropy",
    "epsilon_margin": "lal.strategies.uncertainty:EpsilonMargin",
    "query_by_committee": "lal.strategies.committee:QueryByCommittee",
    "bald": "lal.strategies.posterior:bald",
    "gibbs_error": "lal.strategies.posterior:max_gibbs_error",
    "variation_ratio": "lal.strategies.posterior:max_variation_ratio",
    "vote_ratio": "lal.strategies.posterior:max_vote_ratio",
    "predictive_entropy": "lal.strategies.posterior:max_entropy",
    "mean_std": "lal.strategies.posterior:max_mean_std",
    "batch_bald": "lal.strategies.joint:batch_bald",
    "batch_gibbs_error": "lal.strategies.joint:batch_gibbs_error",
    "k_farthest_then_margin": "lal.strategies.farthest:FarthestThenMargin",
    "typiclust_then_margin": "lal.strategies.typiclust:TypiclustThenMargin",
    "core_set": "lal.strategies.core_set:CoreSet",
    "core_set_robust": "lal.strategies.core_set:RobustCoreSet",
    "badge": "lal.strategies.badge:Badge",
    "typiclust": "lal.strategies.typiclust:Typiclust",
    "prob_cover": "lal.strategies.prob_cover:ProbCover",
    "drop_query": "lal.strategies.drop_query:DropQuery",
    "fisher_kernel": "lal.strategies.fisher_kernel:FisherKernel",
    "geal": "lal.strategies.geal:Geal",
    "hierarchical_sampling": "lal.strategies.hierarchical:HierarchicalSampling",
    "graph_signal": "lal.strategies.graph_signal:GraphSignal",
    "max_determinant": "lal.strategies.gaussian_design:MaxDeterminant",
    "matrix_partition": "lal.strategies.gaussian_design:MatrixPartition",
    "acs_fw": "lal.strategies.frank_wolfe:SparseSubset",
    "kmc": "lal.strategies.kmc:KernelMachine",
    "probit_bald": "lal.strategies.probit:ProbitBald",
    "learning_loss": "lal.strategies.learning_loss:LearningLoss",
    "cartography": "lal.strategies.cartography:Cartography",
    "model_reuse": "lal.strategies.model_reuse:ModelReuse",
    "consistency": "lal.strategies.consistency:Consistency",
    "virtual_adversary": "lal.strategies.virtual_adversary:VirtualAdversary",
    "class_mismatch": "lal.strategies.class_mismatch:ClassMismatch",
    "surprisal": "lal.strategies.surprisal:Surprisal",
    "expected_error_reduction": "lal.strategies.expected_error:ExpectedErrorReduction",
    "expected_gradient_length": "lal.strategies.expected_error:ExpectedGradientLength",
    "mval": "lal.strategies.mval:VarianceMaximization",
    "discriminative_batch": "lal.strategies.discriminative_batch:DiscriminativeBatch",
    "coordinated_matching": "lal.strategies.coordinated_matching:CoordinatedMatching",
    "lada": "lal.strategies.lada:LookAheadAugmentation",
    "isal": "lal.strategies.isal:InfluenceSelection",
    "density_weighted": "lal.strategies.density:DensityWeighted",
    "dal": "lal.strategies.dal:DiscriminativeSampling",
    "vaal": "lal.strategies.neural.vaal:Vaal",
    "sraal": "lal.strategies.neural.sraal:Sraal",
    "ta_vaal": "lal.strategies.neural.ta_vaal:TaVaal",
    "minimax": "lal.strategies.neural.minimax:Minimax",
    "uncertain_gcn": "lal.strategies.neural.gcn:UncertainGcn",
    "core_gcn": "lal.strategies.neural.gcn:CoreGcn",
    "mada": "lal.strategies.mada:MultiAnchor",
    "most_likely_positive": "lal.strategies.most_likely_positive:MostLikelyPositive",
    "albl": "lal.strategies.albl:ALBL",
    "tailor": "lal.strategies.tailor:Tailor",
    "uncertainty_herding": "lal.strategies.uncertainty_herding:UncertaintyHerding",
    "greedy_sampling_x": "lal.strategies.regression:GreedySamplingX",
    "greedy_sampling_y": "lal.strategies.regression:GreedySamplingY",
    "improved_greedy_sampling": "lal.strategies.regression:ImprovedGreedySampling",
    "predictive_variance": "lal.strategies.regression:PredictiveVariance",
    "committee_variance": "lal.strategies.regression:CommitteeVariance",
    "expected_model_change": "lal.strategies.regression:ExpectedModelChange",
    "crowd_expertise": "lal.strategies.crowds:CrowdExpertise",
    "multilabel_crowd": "lal.strategies.crowds:MultiLabelCrowd",
    "region_entropy": "lal.strategies.regions:RegionEntropy",
    "region_margin": "lal.strategies.regions:RegionMargin",
    "region_bald": "lal.strategies.regions:RegionBald",
    "region_impurity": "lal.strategies.regions:RegionImpurity",
    "viewal": "lal.strategies.regions:ViewEntropy",
    "seg_propagation": "lal.strategies.seg_propagation:SegmentationPropagation",
    "region_clusters": "lal.strategies.region_clusters:RegionClusters",
}.items():
    STRATEGIES.add_lazy(_name, _where)
STRATEGIES.add_prefix("skactiveml", "lal.strategies.skactiveml:from_name")
for _prefix in ("modal", "alipy", "baal"):
    STRATEGIES.add_prefix(_prefix, f"lal.integrations.{_prefix}_strategies:from_name")


FILE_MARK = ".py:"
"""What ends the file and begins the name in it, where a strategy comes from a Python file."""


def make_strategy(name: str, **options: Any) -> Strategy:
    """Return the strategy called `name`, for example ``"margin"`` or ``"skactiveml:BatchBALD"``.

    Args:
        name: A name of the registry, ``"prefix:Name"`` for another library's, or
            ``"FILE.py:name"`` for a class or function of yours; see `lal.strategies.from_file`.
        **options: Passed to the strategy's constructor.
    """
    if FILE_MARK in name:
        from lal.strategies.from_file import strategy_from_file

        return strategy_from_file(name, **options)
    return STRATEGIES[name](**options)


def select(
    strategy: Strategy,
    state: QueryState,
    rng: np.random.Generator,
    ties: np.random.Generator,
    batch_size: int = 1,
    *,
    rows: Ints | None = None,
    batch_rule: str | None = None,
) -> Ints:
    """Return the rows that the strategy asks for, best first, shape (batch_size,).

    A strategy that chooses whole batches has ``select_batch(state, rng, ties, batch_size)``; one
    with a batch rule of its own names it in the attribute `batch_rule`.

    Args:
        strategy: Ranks the rows.
        state: The pool as it stands.
        rng: The strategy's stream.
        ties: Breaks ties.
        batch_size: Rows to choose.
        rows: Rows that may be asked; all without a label when None.
        batch_rule: Name in `lal.strategies.selection.SELECTIONS`; the strategy's own when None.

    Raises:
        UsageError: More rows than there are, a strategy for another kind of task, or a rule or rows
            named for a strategy that chooses whole batches.
    """
    check_served(strategy, state.kind)
    asked = state.open if rows is None else rows
    whole = getattr(strategy, "select_batch", None)
    if whole is not None and batch_size > 1:
        if batch_rule is not None or not np.array_equal(asked, state.open):
            raise UsageError(
                f"{strategy!r} chooses whole batches itself, among all rows without a label; ask "
                "it with candidates=None and batch_rule=None, or with batch_size=1"
            )
        picked: Ints = whole(state, rng, ties, batch_size)
        return picked
    batch = make_batch(strategy, state, rng, asked, batch_size)
    return choose_batch(strategy, batch, (rng, ties), batch_rule).rows


def make_batch(
    strategy: Strategy, state: QueryState, rng: np.random.Generator, rows: Ints, size: int
) -> Batch:
    """Return what a batch rule chooses from, by the strategy's own ``make_batch`` if it has one."""
    own = getattr(strategy, "make_batch", None)
    if own is not None:
        made: Batch = own(state, rows, size)
        return made

    def score(later: QueryState, wanted: Ints) -> Floats:
        return strategy.utilities(later, rng)[wanted]

    utilities = strategy.utilities(state, rng)
    return Batch(state, utilities, rows, np.arange(state.N), score, size)


def choose_batch(
    strategy: Strategy,
    batch: Batch,
    streams: tuple[np.random.Generator, np.random.Generator],
    batch_rule: str | None = None,
) -> Picks:
    """Return what the named rule picks, or the strategy's own, "top" where it names none."""
    rule = getattr(strategy, "batch_rule", "top") if batch_rule is None else batch_rule
    return SELECTIONS[rule](batch, *streams)


class EpisodeStart(NamedTuple):
    """What a strategy with memory is given before an episode.

    Attributes:
        n_rows: Rows of the pool.
        n_queries: Labels that will be acquired after the start; None when unknown.
    """

    n_rows: int
    n_queries: int | None


class Observed(NamedTuple):
    """What a strategy with memory acts on: the state, and the generator of its draws."""

    state: QueryState
    rng: np.random.Generator


class Acted(NamedTuple):
    """What a strategy with memory learns from: its last action, and the state that it led to."""

    action: Any
    state: QueryState


class StatefulStrategyAdapter:
    """A strategy with its memory of one episode, as a strategy without.

    Such a strategy has the protocol of `lal.policies.kinds`: ``start(EpisodeStart) -> memory``,
    ``act(memory, Observed) -> action``, which has a ``row``, and ``update(memory, Acted) ->
    memory``. It requests one row at a time, unless it has ``act_batch(memory, Observed, size) ->
    action``, whose action has ``rows``.
    """

    def __init__(self, strategy: Any, info: EpisodeStart) -> None:
        self.strategy = strategy
        self.memory = strategy.start(info)
        self.action: Any = None

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return 1 for the row of the action and 0 for all others, shape (N,)."""
        self._learn(state)
        self.action = self.strategy.act(self.memory, Observed(state, rng))
        utilities = np.zeros(state.N)
        utilities[self.action.row] = 1.0
        return utilities

    def _learn(self, state: QueryState) -> None:
        if self.action is not None:
            self.memory = self.strategy.update(self.memory, Acted(self.action, state))

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return the rows of the action, shape (batch_size,).

        Raises:
            UsageError: The memory learns from one label at a time.
        """
        name = type(self.strategy).__name__
        if not hasattr(self.strategy, "act_batch"):
            raise UsageError(f"{name} asks one row at a time, got batch_size {batch_size}")
        self._learn(state)
        self.action = self.strategy.act_batch(self.memory, Observed(state, rng), batch_size)
        rows: Ints = self.action.rows
        return rows


def with_memory(strategy: Strategy, info: EpisodeStart) -> Strategy:
    """Return what runs one episode: the strategy, or it with a fresh memory if it has one."""
    return StatefulStrategyAdapter(strategy, info) if hasattr(strategy, "start") else strategy
