"""A second stage for a pool policy: states of its shortlists, a fit, and the policy of both stages.

The first stage stays as it is. States are those of look-ahead, but the candidates tried are the
rows that the first stage would look at again, and what is kept of them is what a second program is
given (see `lal.policies.two_stage_policy`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from agents.imitation.config import ImitationConfig
from agents.imitation.export import Fitted, mean_program, unit_ops
from agents.imitation.fit import batchable, fit_network, mean_scores
from agents.imitation.margin_prior import spread_within
from agents.imitation.states import Columns, States, make_states
from agents.imitation.targets import get_standard
from envs.simulator.pool import PoolSimulator
from envs.simulator.pool_rules import METRIC_NAMES
from envs.simulator.rankers import View, get_state
from envs.simulator.scoring import SlateBatch, score_slates
from lal.arrays import Floats, Ints
from lal.features import FEATURES
from lal.features.what_if import WHAT_IF_FEATURES
from lal.policies.pool_policy import PoolPolicy
from lal.policies.two_stage_policy import TwoStagePolicy
from lal.state import Geometry
from lal.task import Part

HIDING = 1e30
"""Spread that makes any input 0; within the range of single precision."""

FURTHER = WHAT_IF_FEATURES
"""Features that the second stage reads besides those of the first."""

PREFIX = "second_"
"""Names of the second program's tensors begin with it."""


def untrained(first: PoolPolicy, shortlist: int) -> TwoStagePolicy:
    """Return a policy in two stages whose second stage repeats the order of the first."""
    shown = {name: getattr(first, name) for name in (*PoolPolicy.FIELDS, "tensors")}
    dims = [sum(FEATURES[i].dim for i in ids) for ids in (first.candidate_features, FURTHER)]
    last = {"op": "select", "in": ["candidates"], "out": ["u"], "columns": [dims[0] + 2 * dims[1]]}
    return TwoStagePolicy(
        **shown,
        refine_features=FURTHER,
        refine_program={"ops": [last], "output": "u"},
        shortlist=shortlist,
    )


def shortlist_states(
    config: ImitationConfig, block: int, policy: TwoStagePolicy, offered: int
) -> States:
    """Return the states of a block of tasks with the policy's shortlists as candidates.

    Args:
        config: Decides everything else, together with `block`.
        block: Number of the block; names its seeds.
        policy: Its first stage makes the shortlists.
        offered: Rows, half of them the most uncertain, that a shortlist is chosen from.
    """
    wide = replace(config, n_candidates=offered)
    return make_states(wide, block, keep=_Shortlists(policy))


class _Shortlists:
    """What `make_states` keeps: the shortlists of some episodes."""

    def __init__(self, policy: TwoStagePolicy) -> None:
        self.policy = policy
        self.geometries: dict[Part, Geometry] = {}

    def __call__(self, simulator: PoolSimulator, episodes: Ints) -> Columns:
        """Return the columns of `States`."""
        seen = simulator.observations
        slates = SlateBatch(seen.candidates, seen.context, seen.mask > 0)
        utilities = np.where(seen.mask > 0, score_slates(self.policy.scorer, slates), -np.inf)
        slots = np.argsort(-utilities, axis=1, kind="stable")[:, : self.policy.shortlist]
        utilities = np.take_along_axis(utilities, slots, axis=1)
        mask = np.isfinite(utilities)
        rows = np.where(mask, np.take_along_axis(simulator.slates, slots, axis=1), -1)
        gains = np.where(mask[..., None], _gains(simulator, rows, episodes), 0.0)
        inputs = [
            self._inputs(simulator, int(e), rows[e, mask[e]], utilities[e, mask[e]])
            for e in episodes
        ]
        table = np.zeros((len(episodes), slots.shape[1], len(self.policy.columns)), np.float32)
        for own, found in zip(table, inputs, strict=True):
            own[: len(found["candidates"])] = found["candidates"]
        contexts = np.stack([found["context"] for found in inputs]).astype(np.float32)
        kept = gains[episodes].astype(np.float32)
        return table, contexts, kept, mask[episodes], simulator.n_labelled[episodes]

    def _inputs(
        self, simulator: PoolSimulator, e: int, rows: Ints, utilities: Floats
    ) -> dict[str, Floats]:
        view = View(simulator, slice(e, e + 1), ())
        state = get_state(view, e, self.geometries, simulator.pool_proba(e))
        return self.policy.refine_inputs(state, rows, utilities)


def _gains(simulator: PoolSimulator, rows: Ints, episodes: Ints) -> Floats:
    """Return what rows gain in some episodes, zeros in the others, shape (E, K, 2)."""
    tried = np.full_like(rows, -1)
    tried[episodes] = rows[episodes]
    columns = [METRIC_NAMES.index(name) for name in ("accuracy", "balanced_accuracy")]
    after = simulator.lookahead_metrics(tried)[:, :, columns]
    gains: Floats = np.nan_to_num(after - simulator.metrics[:, None, columns])
    return gains


def fit_second(
    states: States, config: ImitationConfig, policy: TwoStagePolicy, without: Sequence[str] = ()
) -> Fitted:
    """Return networks fitted to the gains of shortlists.

    Args:
        states: As `shortlist_states` makes them.
        config: Of the fit.
        policy: What made them.
        without: Features, or "first utility", that are hidden: their inputs are always 0.
    """
    standard = get_standard(states)
    G = states.context.shape[1]
    blind = np.r_[np.zeros(G, dtype=bool), np.isin(policy.columns, tuple(without))]
    standard = replace(standard, scale=np.where(blind, HIDING, standard.scale))
    data = batchable(states, standard, config)
    networks = [fit_network(data, config, i) for i in range(config.n_members)]
    scores = mean_scores(networks, data).numpy().astype(np.float64)
    return Fitted(networks, standard, spread_within(scores, states.mask))


def two_stages(
    policy: TwoStagePolicy, found: Fitted, *, name: str, card: Mapping[str, Any]
) -> TwoStagePolicy:
    """Return the policy whose second stage was fitted, equal to torch to 1e-5."""
    ops, tensors, score = mean_program(found.networks)
    tensors |= {"mean": found.standard.mean, "scale": found.standard.scale}
    program = [
        {k: PREFIX + v if k != "op" and isinstance(v, str) and v in tensors else v
         for k, v in op.items()}
        for op in [*unit_ops("candidates", "h0"), *ops]
    ]  # fmt: skip
    own = {PREFIX + key: np.asarray(value) for key, value in tensors.items()}
    return replace(
        policy,
        name=name,
        card=dict(card),
        tensors={**policy.tensors, **own},
        refine_program={"ops": program, "output": score},
    )


def score_shortlists(policy: TwoStagePolicy, states: States) -> Floats:
    """Return the second stage's utilities of all slots, shape (S, K), 0 where there is no row."""
    return score_slates(policy.refiner, SlateBatch(states.candidates, states.context, states.mask))
