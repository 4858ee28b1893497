"""The learner of the imitation of look-ahead: run blocks in rounds, fit members, export.

Sources: ImitAL (Gonsior et al. 2022, arXiv 2208.11636) and LAL (Konyushkova et al. 2017, arXiv
1703.03365): what a label gains is measured where labels are known, and learned from statistics that
mean the same on every data set. Rounds are those of ALIL (Liu et al. 2018, arXiv 1805.04914) and
DAgger (Ross et al. 2011): the policy of a round meets a part of the next round's states, and all
states so far are fitted again.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from agents.imitation.beside import check_beside
from agents.imitation.config import ImitationConfig
from agents.imitation.evaluation import HeldOut, pick_table, play_check, score_states
from agents.imitation.export import Fitted, export_policy
from agents.imitation.fit import (
    Batchable,
    batchable,
    distil,
    fit_fallback,
    fit_network,
    mean_scores,
)
from agents.imitation.margin_prior import MARGIN, missing_features, spread_within
from agents.imitation.networks import scorer_network
from agents.imitation.states import States, load_states, make_states, own_policy, pick_gains
from agents.imitation.targets import Standard, get_standard
from agents.imitation.teacher import multi_step_gains
from agents.training.blocks import make_blocks
from agents.training.learner import Learner
from agents.training.tasks import feature_lists, training_card
from agents.training.validation import PoolValidation
from lal.arrays import Ints
from lal.data.prior import PRIOR_VERSION
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.registry import require
from lal.rng import generator

HIDING = 1e30
"""Spread that makes any input 0; within the range of single precision."""


class ImitationLearner(Learner[ImitationConfig]):
    """Blocks of states, then one fit; blocks are on disk when made, so the fit is one segment."""

    name: ClassVar[str] = "imitation"

    def __init__(self, config: ImitationConfig) -> None:
        require("numba", "fast")
        super().__init__(config)
        own_policy(config)
        _check_features(config)
        if config.beside:
            check_beside(load_as(PoolPolicy, config.beside), feature_lists(config))
        self._sources = get_blocks(config)
        self._paths: list[Path] = []
        self._fitted: Fitted | None = None
        self._n_states = 0

    @property
    def n_segments(self) -> int:
        """The fit is one segment."""
        return 1

    @cached_property
    def validation(self) -> PoolValidation:
        """Compares whole pools with slates, once."""
        config = self.config
        return PoolValidation(
            config, config.n_dev_tasks, slate_size=config.n_candidates, slate_rule="half_uncertain"
        )

    def data(self) -> Mapping[str, Any]:
        """Return the real data sets of the run; learners are made, and so their names checked."""
        _ = self.validation
        data: Mapping[str, Any] = training_card(self.config)["data"]
        return data

    def prepare(self, folder: Path) -> None:
        """Run the blocks that are not there, round by round."""
        self._paths = self._sources or self._play_rounds(folder)

    def train_segment(self, segment: int) -> Mapping[str, Any]:
        """Fit everything to the states; return how good the picks are."""
        config = self.config
        states = load_states(self._paths[: config.n_blocks])
        self._n_states = len(states.mask)
        self._fitted = fit(states, config)
        policy = self.export()
        row: dict[str, Any] = {
            "n_states": self._n_states,
            "pick_advantage": pick_advantage(states, policy),
        }
        if config.held_out_blocks:
            row["picks"] = _held_out_picks(policy, self._paths[-config.held_out_blocks :], config)
        if config.check_tasks:
            row["check"] = play_check(policy, config)
        return row

    def export(self) -> PoolPolicy:
        """Return what was fitted as a policy."""
        if self._fitted is None:
            raise UsageError("imitation exports what it has fitted; call train_segment first")
        control = self.config.control
        name = self.name if control == "none" else f"{self.name}_{control}"
        card = _card(self.config, self._n_states)
        return export_policy(self._fitted, self.config, name=name, card=card)

    def check(self, policy: PoolPolicy) -> Mapping[str, Any]:
        """Return the comparison of whole pools with slates, where the config asks for it."""
        return self.validation.slate_check(policy) if self.config.n_dev_tasks else {}

    @classmethod
    def export_untrained(cls, config: ImitationConfig, n: int) -> list[PoolPolicy]:
        """Return `n` ensembles with random weights on standardised inputs; no gate."""
        states = make_states(config, 0, measure=False)
        standard = get_standard(states)
        plain = replace(config, fallback=False)
        data = batchable(states, standard, plain)
        card = {**training_card(config), "control": "untrained"}
        size = 1 if config.distil else config.n_members
        policies = []
        for i in range(n):
            numbers = range(10_000 + i * size, 10_000 + (i + 1) * size)
            networks = [scorer_network(len(standard.mean), plain, m) for m in numbers]
            found = _finish(networks, data, states, standard, plain)
            name = f"{cls.name}_untrained_{i}"
            policies.append(export_policy(found, plain, name=name, card=card))
        return policies

    def _play_rounds(self, folder: Path) -> list[Path]:
        """Return the files of all blocks, after running those that are not there."""
        config = self.config
        total = config.n_blocks + config.held_out_blocks
        paths = [folder / "blocks" / f"{i:04d}.npz" for i in range(total)]
        ends = np.linspace(0, config.n_blocks, config.rounds + 1).astype(int)
        playing = config
        for r in range(config.rounds):
            last = total if r == config.rounds - 1 else ends[r + 1]
            self._play(playing, paths, range(ends[r], last))
            if r < config.rounds - 1:
                learner = folder / "rounds" / f"{r:02d}.safetensors"
                if not learner.exists():
                    self._fit_round(paths[: ends[r + 1]], r, learner)
                playing = replace(config, own_policy=str(learner))
        return paths

    def _play(self, config: ImitationConfig, paths: list[Path], numbers: range) -> None:
        make_blocks(
            partial(play_block, config),
            paths,
            numbers=numbers,
            n_jobs=config.n_jobs,
            progress=self.progress,
        )

    def _fit_round(self, paths: list[Path], r: int, path: Path) -> None:
        """Write the policy of a round, fitted to the states so far."""
        found = fit(load_states(paths), self.config)
        card = {**_card(self.config, 0), "round": r}
        path.parent.mkdir(parents=True, exist_ok=True)
        export_policy(found, self.config, name=f"imitation_round_{r}", card=card).save(path)


class LookaheadLearner(ImitationLearner):
    """The same under the name that the shipped default has."""

    name = "lookahead"


def fit(states: States, config: ImitationConfig) -> Fitted:
    """Return the networks, the spread of their mean and the gate that the config asks for."""
    standard = hidden(get_standard(states), config)
    data = batchable(states, standard, config)
    networks = [fit_network(data, config, i) for i in range(config.n_members)]
    if config.distil:
        networks = [distil(networks, data, config)]
    return _finish(networks, data, states, standard, config)


def hidden(standard: Standard, config: ImitationConfig) -> Standard:
    """Return the standard under which the features of `without` are 0 whatever they are."""
    candidate, context = feature_lists(config)
    blind = np.isin([*context, *candidate], config.without)
    return replace(standard, scale=np.where(blind, HIDING, standard.scale))


def pick_advantage(states: States, policy: PoolPolicy) -> float:
    """Return the mean gain in accuracy of the policy's pick above its candidate set's mean.

    On states the policy was fitted to, so it says that fitting worked, not that it transfers.
    """
    return float(pick_gains(states, score_states(policy, states), 0.0).mean())


def play_block(config: ImitationConfig, block: int) -> States:
    """Return the states of a block, a function of config and number."""
    gains_of = None
    if config.teacher_steps > 1:
        rng = generator(config.seed, "teacher", block)
        gains_of = multi_step_gains(config, config.teacher_steps, rng)
    return make_states(config, block, gains_of=gains_of)


def _finish(
    networks: list[torch.nn.Module],
    data: Batchable,
    states: States,
    standard: Standard,
    config: ImitationConfig,
) -> Fitted:
    scores = mean_scores(networks, data)
    spread = spread_within(scores.numpy().astype(np.float64), states.mask)
    gate = None
    if config.fallback:
        column = feature_lists(config)[0].index(MARGIN)
        margin = -torch.from_numpy(states.candidates[:, :, column])
        gate = fit_fallback(scores / spread, data, margin, config)
    return Fitted(networks, standard, spread, gate)


def _card(config: ImitationConfig, n_states: int) -> dict[str, Any]:
    return {
        **training_card(config),
        "summary": "Look-ahead imitated: ranks rows by what their labels should gain.",
        "n_states": n_states,
        "prior_version": PRIOR_VERSION,
        "ranges": {"n_classes": [2, 30], "n_labelled": [0, 200]},
    }


def _held_out_picks(
    policy: PoolPolicy, paths: list[Path], config: ImitationConfig
) -> dict[str, Any]:
    """Return the pick advantages of the policy and of margin on held-out blocks."""
    parts = [load_states([path]) for path in paths]
    block: Ints = np.repeat(np.arange(len(parts)), [len(p.mask) for p in parts])
    states = load_states(paths)
    column = feature_lists(config)[0].index("margin@1")
    versions = {
        "policy": score_states(policy, states),
        "margin": -states.candidates[:, :, column].astype(np.float64),
    }
    return pick_table(HeldOut(states, block), versions, config)


def get_blocks(config: ImitationConfig) -> list[Path]:
    """Return the blocks of the run that `states_from` names; none when it names none."""
    if not config.states_from:
        return []
    folder = Path(config.states_from)
    paths = sorted((folder / "blocks").glob("*.npz"))
    wanted = config.n_blocks + config.held_out_blocks
    if len(paths) < wanted:
        raise UsageError(
            f"states_from {config.states_from!r} has {len(paths)} blocks; expected at least "
            f"{wanted} (n_blocks and held_out_blocks together)"
        )
    return paths


def _check_features(config: ImitationConfig) -> None:
    features = feature_lists(config)
    unknown = sorted(set(config.without) - {*features[0], *features[1]})
    if unknown:
        raise UsageError(f"without names {', '.join(unknown)}, which this run does not look at")
    lacking = missing_features(*features) if config.fallback or config.margin_prior else []
    lacking += [f for f in ("margin@1", "min_distance@1") if f not in features[0]]
    if lacking:
        raise UsageError(f"the features must have {', '.join(lacking)}")
