"""The learner of a second stage: states of shortlists in blocks, then one fit.

The first stage is a policy that exists; what is learned is how to rank what it puts first, from
features that cost too much for a whole pool. See `agents.imitation.refine`.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from agents.imitation.config import ImitationConfig
from agents.imitation.export import Fitted
from agents.imitation.fit import batchable, mean_scores
from agents.imitation.learner import get_blocks
from agents.imitation.margin_prior import spread_within
from agents.imitation.networks import scorer_network
from agents.imitation.refine import (
    fit_second,
    score_shortlists,
    shortlist_states,
    two_stages,
    untrained,
)
from agents.imitation.refine_config import RefineConfig
from agents.imitation.states import States, load_states, own_policy, pick_gains
from agents.imitation.targets import get_standard
from agents.training.blocks import make_blocks
from agents.training.learner import Learner
from agents.training.tasks import feature_lists, training_card
from lal.data.prior import PRIOR_VERSION
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.policies.two_stage_policy import TwoStagePolicy
from lal.registry import require


class RefineLearner(Learner[RefineConfig]):
    """Blocks of shortlists, on disk when made, and a fit as the one segment."""

    name: ClassVar[str] = "refine"

    def __init__(self, config: RefineConfig) -> None:
        require("numba", "fast")
        super().__init__(config)
        self._start = get_start(config)
        own_policy(config)
        unknown = sorted(set(config.without) - {*self._start.columns})
        if unknown:
            raise UsageError(f"without names {', '.join(unknown)}, which the second stage lacks")
        self._paths = get_blocks(config)
        self._policy: TwoStagePolicy | None = None

    @property
    def n_segments(self) -> int:
        """The fit is one segment."""
        return 1

    def data(self) -> Mapping[str, Any]:
        """Return the real data sets that were seen, those of the first stage among them."""
        data: Mapping[str, Any] = training_card(self.config, self._start)["data"]
        return data

    def prepare(self, folder: Path) -> None:
        """Run the blocks that are not there."""
        config = self.config
        if self._paths:
            return
        total = config.n_blocks + config.held_out_blocks
        self._paths = [folder / "blocks" / f"{i:04d}.npz" for i in range(total)]
        make_blocks(
            partial(make_block, config),
            self._paths,
            numbers=range(total),
            n_jobs=config.n_jobs,
            progress=self.progress,
        )

    def train_segment(self, segment: int) -> Mapping[str, Any]:
        """Fit the second stage; return what its picks gain above the mean of a shortlist."""
        config = self.config
        states = load_states(self._paths[: config.n_blocks])
        found = fit_second(states, config, self._start, config.without)
        self._policy = two_stages(
            self._start, found, name=self._name(), card=_card(config, self._start, len(states.mask))
        )
        row: dict[str, Any] = {"n_states": len(states.mask)}
        row["pick_advantage"] = self._advantage(states)
        if config.held_out_blocks:
            row["held_out"] = self._advantage(load_states(self._paths[-config.held_out_blocks :]))
        return row

    def export(self) -> TwoStagePolicy:
        """Return the policy of both stages."""
        if self._policy is None:
            raise UsageError("refine exports what it has fitted; call train_segment first")
        return self._policy

    @classmethod
    def export_untrained(cls, config: RefineConfig, n: int) -> list[TwoStagePolicy]:
        """Return `n` policies whose second stage has random weights on standardised inputs."""
        start = get_start(config)
        states = make_block(config, 0)
        standard = get_standard(states)
        data = batchable(states, standard, config)
        policies = []
        for i in range(n):
            numbers = range(10_000 + i * config.n_members, 10_000 + (i + 1) * config.n_members)
            networks = [scorer_network(len(standard.mean), config, m) for m in numbers]
            scores = mean_scores(networks, data).numpy().astype(np.float64)
            found = Fitted(networks, standard, spread_within(scores, states.mask))
            card = {**training_card(config, start), "control": "untrained"}
            policies.append(two_stages(start, found, name=f"refine_untrained_{i}", card=card))
        return policies

    def _name(self) -> str:
        control = self.config.control
        return self.name if control == "none" else f"{self.name}_{control}"

    def _advantage(self, states: States) -> dict[str, float]:
        """Return the gains of the picks of both stages above the mean of a shortlist."""
        share = self.config.balanced_share
        second = score_shortlists(self.export(), states)
        first = states.candidates[:, :, -1].astype(np.float64)
        return {
            "second": float(pick_gains(states, second, share).mean()),
            "first": float(pick_gains(states, first, share).mean()),
        }


def get_start(config: RefineConfig) -> TwoStagePolicy:
    """Return the first stage with a second one that keeps its order.

    Raises:
        UsageError: It looks at other features than the run.
    """
    first = load_as(PoolPolicy, config.first)
    if (tuple(first.candidate_features), tuple(first.context_features)) != feature_lists(config):
        raise UsageError(
            f"first {config.first!r} looks at other features than this run; give one that was "
            "trained with the same lists"
        )
    return untrained(first, config.shortlist)


def make_block(config: RefineConfig, block: int) -> States:
    """Return the shortlists of a block, a function of config and number."""
    return shortlist_states(config, block, get_start(config), config.n_candidates)


def _card(config: ImitationConfig, start: PoolPolicy, n_states: int) -> dict[str, Any]:
    return {
        **training_card(config, start),
        "summary": "Look-ahead imitated in two stages: a shortlist, re-ranked by what if.",
        "n_states": n_states,
        "prior_version": PRIOR_VERSION,
        "ranges": {"n_classes": [2, 30], "n_labelled": [0, 200]},
    }
