"""Training of the variants: blocks in rounds, members, one of them all, where to follow margin.

Rounds are those of ALIL (Liu et al. 2018, arXiv 1805.04914) and DAgger (Ross et al. 2011): the
policy of a round meets a part of the next round's states, and all states so far are fitted again.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.imitation.config import ImitationConfig
from agents.imitation.export import Fitted, export_policy
from agents.imitation.fit import (
    Batchable,
    batchable,
    distil,
    fit_fallback,
    fit_network,
    mean_scores,
)
from agents.imitation.judge import HeldOut, pick_table, play_check, score_states
from agents.imitation.networks import scorer_network
from agents.imitation.teacher import multi_step_gains
from agents.lookahead.fit import Standard, standard_of
from agents.lookahead.margin_prior import MARGIN, missing_features, spread_within
from agents.lookahead.states import States, load_states, make_states, own_policy
from agents.training.run_folder import RunFolder
from agents.training.tasks import feature_lists, training_card
from lal.arrays import Ints
from lal.data.prior import PRIOR_VERSION
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.registry import require
from lal.rng import generator
from lal.serialization import write_json

HIDING = 1e30
"""Spread that makes any input 0; within the range of single precision."""


def train(config: ImitationConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`, or go on where it stopped; see `agents.registry.Agent.train`."""
    _check(config)
    run = RunFolder(folder, agent="imitation", config=config)
    if run.finished:
        return run.policy_path
    sources = _blocks_there(config)
    run.begin()
    write_json(folder / "data.json", training_card(config)["data"])
    torch.set_num_threads(1)
    paths = sources or _play_rounds(config, folder, progress)
    states = load_states(paths[: config.n_blocks])
    name = "imitation" if config.control == "none" else f"imitation_{config.control}"
    card = _card(config, len(states.mask))
    policy = export_policy(fit(states, config), config, name=name, card=card)
    metrics: dict[str, Any] = {"n_states": len(states.mask)}
    if config.held_out_blocks:
        metrics["picks"] = _judge(policy, paths[-config.held_out_blocks :], config)
    if config.check_tasks:
        metrics["check"] = play_check(policy, config)
    policy.save(run.policy_path)
    run.write_metrics([metrics])
    run.finish({"config_hash": run.hash, "policy": run.policy_path.name, **metrics})
    return run.policy_path


def fit(states: States, config: ImitationConfig) -> Fitted:
    """Return the networks, the spread of their mean and the gate that the config asks for."""
    standard = hidden(standard_of(states), config)
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
        doubt = -torch.from_numpy(states.candidates[:, :, column])
        gate = fit_fallback(scores / spread, data, doubt, config)
    return Fitted(networks, standard, spread, gate)


def export_untrained(config: ImitationConfig, n: int) -> list[PoolPolicy]:
    """Return `n` ensembles with random weights on standardised inputs; no gate."""
    states = make_states(config, 0, measure=False)
    standard = standard_of(states)
    plain = replace(config, fallback=False)
    data = batchable(states, standard, plain)
    card = {**training_card(config), "control": "untrained"}
    size = 1 if config.distil else config.n_members
    policies = []
    for i in range(n):
        numbers = range(10_000 + i * size, 10_000 + (i + 1) * size)
        networks = [scorer_network(len(standard.mean), plain, m) for m in numbers]
        found = _finish(networks, data, states, standard, plain)
        policies.append(export_policy(found, plain, name=f"imitation_untrained_{i}", card=card))
    return policies


def _card(config: ImitationConfig, n_states: int) -> dict[str, Any]:
    return {
        **training_card(config),
        "summary": "Look-ahead imitated: ranks rows by what their labels should gain.",
        "n_states": n_states,
        "prior_version": PRIOR_VERSION,
        "ranges": {"n_classes": [2, 30], "n_labelled": [0, 200]},
    }


def _judge(policy: PoolPolicy, paths: list[Path], config: ImitationConfig) -> dict[str, Any]:
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


def _blocks_there(config: ImitationConfig) -> list[Path]:
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


def _play_rounds(config: ImitationConfig, folder: Path, progress: bool) -> list[Path]:
    """Return the files of all blocks, after playing those that are not there, round by round."""
    total = config.n_blocks + config.held_out_blocks
    paths = [folder / "blocks" / f"{i:04d}.npz" for i in range(total)]
    ends = np.linspace(0, config.n_blocks, config.rounds + 1).astype(int)
    playing = config
    for r in range(config.rounds):
        last = total if r == config.rounds - 1 else ends[r + 1]
        _play_blocks(playing, paths, range(ends[r], last), progress)
        if r < config.rounds - 1:
            learner = folder / "rounds" / f"{r:02d}.safetensors"
            if not learner.exists():
                found = fit(load_states(paths[: ends[r + 1]]), config)
                card = {**_card(config, 0), "round": r}
                learner.parent.mkdir(parents=True, exist_ok=True)
                export_policy(found, config, name=f"imitation_round_{r}", card=card).save(learner)
            playing = replace(config, own_policy=str(learner))
    return paths


def _play_blocks(
    config: ImitationConfig, paths: list[Path], numbers: range, progress: bool
) -> None:
    from joblib import Parallel, delayed
    from tqdm import tqdm

    missing = [i for i in numbers if not paths[i].exists()]
    jobs = (delayed(_play_block)(config, i, paths[i]) for i in missing)
    made = Parallel(n_jobs=config.n_jobs, return_as="generator_unordered")(jobs)
    bar = tqdm(made, total=len(missing), desc="blocks", file=sys.stderr, disable=not progress)
    for _ in bar:
        pass


def _play_block(config: ImitationConfig, block: int, path: Path) -> None:
    gains_of = None
    if config.teacher_steps > 1:
        rng = generator(config.seed, "teacher", block)
        gains_of = multi_step_gains(config, config.teacher_steps, rng)
    make_states(config, block, gains_of=gains_of).save(path)


def _check(config: ImitationConfig) -> None:
    require("numba", "fast")
    least = {
        "n_blocks": 1, "block_tasks": 1, "n_candidates": 2, "hidden": 1, "n_members": 1,
        "epochs": 1, "batch_states": 1, "budget": 2, "held_out_blocks": 0, "set_width": 1,
        "rounds": 1, "teacher_steps": 1, "check_tasks": 0, "check_budget": 1,
    }  # fmt: skip
    for name, low in least.items():
        if getattr(config, name) < low:
            raise UsageError(f"{name} must be at least {low}, got {getattr(config, name)}")
    if config.temperature <= 0:
        raise UsageError(f"temperature must be above 0, got {config.temperature}")
    if config.rounds > config.n_blocks:
        raise UsageError(f"{config.rounds} rounds need as many blocks, got {config.n_blocks}")
    if config.rounds > 1 and (config.states_from or config.network != "perceptron"):
        raise UsageError("rounds play blocks of their own, by perceptrons; leave states_from out")
    if config.states_from and config.teacher_steps > 1:
        raise UsageError("gains of states_from are measured already; leave teacher_steps at 1")
    if config.fallback and config.margin_prior:
        raise UsageError("fallback takes the place of margin_prior; set that to 0")
    if not config.sizes or min(config.sizes) < 2:
        raise UsageError(f"sizes must be numbers of labels from 2 up, got {config.sizes}")
    own_policy(config)
    _check_features(config)


def _check_features(config: ImitationConfig) -> None:
    features = feature_lists(config)
    unknown = sorted(set(config.without) - {*features[0], *features[1]})
    if unknown:
        raise UsageError(f"without names {', '.join(unknown)}, which this run does not look at")
    lacking = missing_features(*features) if config.fallback or config.margin_prior else []
    lacking += [f for f in ("margin@1", "min_distance@1") if f not in features[0]]
    if lacking:
        raise UsageError(f"the features must have {', '.join(lacking)}")
