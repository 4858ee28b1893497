"""Training of LAL: make rows, compare regressors on tasks held back, fit, export.

Source: Konyushkova, Sznitman and Fua (2017), arXiv 1703.03365, and their published code.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.lal.config import LalConfig
from agents.lal.growth import make_all
from agents.lal.rows import GainRows, load_rows, make_rows
from agents.lal.validation import Advantage, advantage, oracle, uncertainty
from agents.lal.verdict import judge
from agents.runs import RunFolder
from lal.arrays import Bools, Floats
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.policies.trees import from_sklearn_hist_gradient_boosting, tree_op
from lal.records import config_hash, versions, write_json
from lal.rng import generator, integer_seed

N_UNTRAINED = 5
"""Untrained copies whose mean a policy has to beat."""


def train(config: LalConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`, or go on where it stopped; see `agents.base.Agent.train`."""
    check(config)
    run = RunFolder(folder, agent="lal", config=config)
    if run.finished:
        return run.policy_path
    data = training_data(config)
    run.begin()
    write_json(folder / "data.json", data)
    paths = make_all(config, folder / "rows", progress=progress)
    rows = load_rows(paths, config.n_candidates)
    targets = rows.gains if config.control == "none" else shuffled_targets(config, rows)
    evidence = compare(config, rows, targets)
    for name, found in evidence.items():
        _say(f"pick advantage, {name}: {found}")
    boosted = fit_boosted(config, rows.features, targets)
    about = {**card(config, data), "validation": _plain(evidence)}
    policy = make_policy(config, boosted, about)
    verdict = judge(config, policy, controls(config, rows), note=_say)
    replace(policy, card={**about, "did_it_learn": verdict}).save(run.policy_path)
    metrics = {"n_rows": len(targets), **{f"advantage_{k}": v.mean for k, v in evidence.items()}}
    run.write_metrics([metrics])
    run.finish({"config_hash": run.hash, "policy": run.policy_path.name, **metrics})
    return run.policy_path


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def controls(config: LalConfig, rows: GainRows) -> dict[str, list[PoolPolicy]]:
    """Return what a policy has to beat: a copy trained on shuffled gains, five untrained ones."""
    shuffled = fit_boosted(config, rows.features, shuffled_targets(config, rows))
    about = {"control": "shuffled_reward"}
    few = replace(config, n_tasks=min(config.n_tasks, 100))
    return {
        "shuffled": [make_policy(config, shuffled, about)],
        "untrained": export_untrained(few, N_UNTRAINED),
    }


def export_untrained(config: LalConfig, n: int) -> list[PoolPolicy]:
    """Return `n` ensembles of the same shape, fitted to noise on the features of one size."""
    check(config)
    rows = make_rows(config, config.first_size)
    about = {**card(config, training_data(config)), "control": "untrained"}
    policies = []
    for i in range(n):
        noise = generator(config.seed, "untrained", i).normal(size=len(rows.gains))
        policy = make_policy(config, fit_boosted(config, rows.features, noise), about)
        policies.append(replace(policy, name=f"{policy.name}-untrained-{i}"))
    return policies


def check(config: LalConfig) -> None:
    """Refuse sizes that cannot be simulated."""
    least = {
        "first_size": 2,
        "n_tasks": 2,
        "n_candidates": 2,
        "n_dev_tasks": 2,
        "n_test": 1,
        "n_trees": 1,
    }
    for name, low in {**least, "last_size": config.first_size, "growth_trees": 1}.items():
        if getattr(config, name) < low:
            raise UsageError(f"{name} must be at least {low}, got {getattr(config, name)}")
    need = config.last_size + config.n_candidates
    if config.n_pool < need:
        raise UsageError(f"n_pool must be at least {need}, got {config.n_pool}; raise n_pool")
    if not 0.0 < config.validation_share < 1.0:
        raise UsageError(f"validation_share must lie in (0, 1), got {config.validation_share}")


def shuffled_targets(config: LalConfig, rows: GainRows) -> Floats:
    """Return the gains permuted within every task: what the control learns from."""
    keys = generator(config.seed, "shuffle").random(len(rows.gains))
    shuffled: Floats = rows.gains[np.lexsort((keys, rows.task))]
    return shuffled


def compare(config: LalConfig, rows: GainRows, targets: Floats) -> dict[str, Advantage]:
    """Return the pick advantages on tasks held back, whole tasks at a time."""
    held = held_back(config, rows)
    fitted = rows.features[~held], targets[~held]
    judged = GainRows(rows.features[held], rows.gains[held], rows.task[held])
    trees = fit_boosted(config, *fitted)
    found = {"shipped": advantage(trees.predict(judged.features), judged)}
    if config.reference_trees:
        forest = fit_reference(config, *fitted)
        found["reference_forest"] = advantage(forest.predict(judged.features), judged)
    found["uncertainty"] = advantage(uncertainty(judged), judged)
    found["oracle"] = advantage(oracle(judged), judged)
    return found


def held_back(config: LalConfig, rows: GainRows) -> Bools:
    """Return which rows regressors are compared on: the last tasks of every size."""
    n_kept = int(np.ceil(config.n_tasks * (1.0 - config.validation_share)))
    held: Bools = rows.task % config.n_tasks >= min(n_kept, config.n_tasks - 1)
    return held


def fit_boosted(config: LalConfig, features: Floats, targets: Floats) -> Any:
    """Return boosted trees fitted to the rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    trees = HistGradientBoostingRegressor(
        max_iter=config.rounds,
        learning_rate=config.learning_rate,
        max_leaf_nodes=config.max_leaves,
        min_samples_leaf=config.min_leaf,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=integer_seed(config.seed, "trees"),
    )
    with threadpool_limits(1):  # sums in one order: the same trees on every machine
        return trees.fit(features, targets)


def fit_reference(config: LalConfig, features: Floats, targets: Floats) -> Any:
    """Return the published regressor: a forest of depth 40, 6 features a split, leaves of 20."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        n_estimators=config.reference_trees,
        max_depth=40,
        max_features=6,
        min_samples_leaf=20,
        max_samples=min(config.reference_rows, len(targets)) or None,
        random_state=integer_seed(config.seed, "reference"),
    )
    return forest.fit(features, targets)


def make_policy(config: LalConfig, boosted: Any, about: Mapping[str, Any]) -> PoolPolicy:
    """Return boosted trees as a policy over the forest features."""
    tensors = from_sklearn_hist_gradient_boosting(boosted)
    score = tree_op(tensors, into="candidates", out="utility", prefix="trees", float32=False)
    return PoolPolicy(
        name=f"lal-{config.growth}",
        candidate_features=("lal_forest@1",),
        program={"ops": [score], "output": "utility"},
        tensors={f"trees.{role}": tensor for role, tensor in tensors.items()},
        class_symmetric=False,
        card=dict(about),
    )


def training_data(config: LalConfig) -> dict[str, Any]:
    """Return the real data that rows are made from: none, or the source with its hash."""
    if config.source == "gaussians":
        return {}
    from lal.data.datasets import load_dataset

    found = load_dataset(config.source)
    return {found.name: {"family": found.family, "sha256": found.sha256}}


def card(config: LalConfig, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the policy's card says of its training."""
    tasks = "two Gaussians in the plane" if not data else f"halves of {', '.join(data)}"
    n_sizes = config.last_size - config.first_size + 1
    n_rows = n_sizes * config.n_tasks * config.n_candidates
    return {
        "summary": f"LAL ({config.growth}): gain of a label, regressed on {n_rows} simulated rows.",
        "source": "Konyushkova, Sznitman and Fua (2017), arXiv 1703.03365",
        "trained_on": f"{tasks}; labelled sets of {config.first_size} to {config.last_size}",
        "n_rows": n_rows,
        "learners": [f"random_forest of {config.n_trees} trees"],
        "class_symmetry": "asymmetric: swapping the two classes changes what is asked",
        "do_not_use_when": [
            "there are more than two classes",
            "the learner is no forest: without its features all rows tie, and asking is random",
            f"more than {config.last_size} labels are bought: nothing was learned there",
        ],
        "ranges": {"n_classes": [2, 2], "n_labelled": [config.first_size, config.last_size]},
        "config_hash": config_hash(config),
        "control": config.control,
        "seed": config.seed,
        "data": dict(data),
        "families_held_out": [],
        "versions": versions(),
    }


def _plain(evidence: Mapping[str, Advantage]) -> dict[str, Any]:
    return {name: [found.mean, found.half_width] for name, found in evidence.items()}
