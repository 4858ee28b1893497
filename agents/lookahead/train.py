"""Training of the look-ahead imitation: play blocks, fit perceptrons, export their mean.

Source: ImitAL (Gonsior et al. 2022, arXiv 2208.11636) and LAL (Konyushkova et al. 2017, arXiv
1703.03365): what a label gains is measured where labels are known, and learned from statistics
that mean the same on every data set.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch

from agents.lookahead.config import LookaheadConfig
from agents.lookahead.fit import (
    export_policy,
    fit_member,
    make_network,
    spread_of,
    standard_of,
)
from agents.lookahead.margin_prior import missing_features
from agents.lookahead.states import States, load_states, make_states, own_policy, pick_gains
from agents.training.run_folder import RunFolder
from agents.training.slate_check import compare_with_slate
from agents.training.tasks import dev_tasks, feature_lists, training_card
from envs.simulator.scoring import SlateBatch, score_slates
from lal.data.prior import PRIOR_VERSION
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.registry import require
from lal.serialization import write_json

MOST_MEMBERS = 16
"""Registers that one operation of a policy's program joins."""


def train(config: LookaheadConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`, or go on where it stopped; see `agents.registry.Agent.train`."""
    _check(config)
    run = RunFolder(folder, agent="lookahead", config=config)
    if run.finished:
        return run.policy_path
    tasks = dev_tasks(config)
    run.begin()
    write_json(folder / "data.json", training_card(config)["data"])
    torch.set_num_threads(1)
    states = load_states(_make_blocks(config, folder / "blocks", progress))
    standard = standard_of(states)
    networks = [fit_member(states, standard, config, i) for i in range(config.n_members)]
    card = {
        **training_card(config),
        "summary": "Look-ahead imitated: ranks rows by what their labels should gain.",
        "n_states": len(states.mask),
        "ranges": {"n_classes": [2, 30], "n_labelled": [0, 200]},
    }
    card["prior_version"] = PRIOR_VERSION
    name = "lookahead" if config.control == "none" else f"lookahead_{config.control}"
    export = partial(
        export_policy, networks, standard, config, name=name,
        spread=spread_of(networks, states, standard),
    )  # fmt: skip
    policy = export(card=card)
    check = compare_with_slate(
        policy, tasks, config.n_candidates, "half_uncertain", seed=config.seed
    )
    card["slate_check"] = check
    export(card=card).save(run.policy_path)
    metrics = {
        "n_states": len(states.mask),
        "dev_area": check["whole_pool"],
        "pick_advantage": pick_advantage(states, policy),
    }
    run.write_metrics([metrics])
    run.finish({"config_hash": run.hash, "policy": run.policy_path.name, **metrics})
    return run.policy_path


def export_untrained(config: LookaheadConfig, n: int) -> list[PoolPolicy]:
    """Return `n` ensembles with random weights on standardised inputs."""
    states = make_states(config, 0, measure=False)
    standard = standard_of(states)
    card = {**training_card(config), "control": "untrained"}
    members = np.arange(n * config.n_members).reshape(n, config.n_members)
    policies = []
    for i, chosen in enumerate(members):
        networks = [make_network(len(standard.mean), config, 10_000 + int(m)) for m in chosen]
        spread = spread_of(networks, states, standard)
        name = f"lookahead_untrained_{i}"
        policies.append(
            export_policy(networks, standard, config, name=name, card=card, spread=spread)
        )
    return policies


def pick_advantage(states: States, policy: PoolPolicy) -> float:
    """Return the mean gain in accuracy of the policy's pick above its candidate set's mean.

    On states the policy was fitted to, so it says that fitting worked, not that it transfers.
    """
    slates = SlateBatch(states.candidates, states.context, states.mask)
    return float(pick_gains(states, score_slates(policy.scorer, slates), 0.0).mean())


def _check(config: LookaheadConfig) -> None:
    require("numba", "fast")
    least = {
        "n_blocks": 1, "block_tasks": 1, "n_candidates": 2, "hidden": 1, "n_members": 1,
        "epochs": 1, "batch_states": 1, "budget": 2, "n_dev_tasks": 1,
    }  # fmt: skip
    for name, low in least.items():
        if getattr(config, name) < low:
            raise UsageError(f"{name} must be at least {low}, got {getattr(config, name)}")
    if config.n_members > MOST_MEMBERS:
        raise UsageError(f"n_members must be at most {MOST_MEMBERS}, got {config.n_members}")
    if not config.sizes or min(config.sizes) < 2:
        raise UsageError(f"sizes must be numbers of labels from 2 up, got {config.sizes}")
    own_policy(config)
    if config.margin_prior and (lacking := missing_features(*feature_lists(config))):
        raise UsageError(
            f"margin_prior needs the features {', '.join(lacking)}; add them or set it to 0"
        )
    missing = {"margin@1", "min_distance@1"} - set(feature_lists(config)[0])
    if missing:
        raise UsageError(f"the candidate features must have {', '.join(sorted(missing))}")


def _make_blocks(config: LookaheadConfig, folder: Path, progress: bool) -> list[Path]:
    """Return the files of all blocks, after playing those that are not there."""
    from joblib import Parallel, delayed
    from tqdm import tqdm

    paths = [folder / f"{i:04d}.npz" for i in range(config.n_blocks)]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    jobs = (delayed(_make_block)(config, i, paths[i]) for i in missing)
    made = Parallel(n_jobs=config.n_jobs, return_as="generator_unordered")(jobs)
    for _ in tqdm(
        made, total=len(missing), desc="blocks", unit="block", file=sys.stderr, disable=not progress
    ):
        pass
    return paths


def _make_block(config: LookaheadConfig, block: int, path: Path) -> None:
    make_states(config, block).save(path)
