"""Training of LAL: make rows, compare regressors on tasks held back, fit, export.

Source: Konyushkova, Sznitman and Fua (2017), arXiv 1703.03365, and their published code.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.lal_regression.config import LalConfig
from agents.lal_regression.controls import controls, seen_by
from agents.lal_regression.fits import (
    card,
    check,
    fit_boosted,
    fit_reference,
    make_policy,
    training_data,
)
from agents.lal_regression.growth import make_all
from agents.lal_regression.rows import GainRows, load_rows
from agents.lal_regression.validation import (
    Advantage,
    advantages,
    mean_interval,
    oracle,
    uncertainty,
)
from agents.lal_regression.verdict import judge
from agents.training.run_folder import RunFolder
from lal.arrays import Bools
from lal.serialization import write_json


def train(config: LalConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`, or go on where it stopped; see `agents.registry.Agent.train`."""
    check(config)
    run = RunFolder(folder, agent="lal", config=config)
    if run.finished:
        return run.policy_path
    data = training_data(config)
    run.begin()
    write_json(folder / "data.json", data)
    paths = make_all(config, folder / "rows", progress=progress)
    rows = load_rows(paths, config.n_candidates)
    features, targets = seen_by(config, rows)
    evidence = compare(config, rows)
    for name, found in evidence.items():
        _say(f"pick advantage, {name}: {found}")
    boosted = fit_boosted(config, features, targets)
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


def compare(config: LalConfig, rows: GainRows) -> dict[str, Advantage]:
    """Return the pick advantages on tasks held back, whole tasks at a time.

    "lost_by_shrinking" is the paired difference of the reference forest to what is shipped.
    """
    held = held_back(config, rows)
    features, targets = seen_by(config, rows)
    judged = GainRows(rows.features[held], rows.gains[held], rows.task[held])
    trees = fit_boosted(config, features[~held], targets[~held])
    found = {"shipped": advantages(trees.predict(features[held]), judged)}
    if config.reference_trees:
        forest = fit_reference(config, features[~held], targets[~held])
        found["reference_forest"] = advantages(forest.predict(features[held]), judged)
        found["lost_by_shrinking"] = found["reference_forest"] - found["shipped"]
    found["uncertainty"] = advantages(uncertainty(judged), judged)
    found["oracle"] = advantages(oracle(judged), judged)
    return {name: mean_interval(values) for name, values in found.items()}


def held_back(config: LalConfig, rows: GainRows) -> Bools:
    """Return which rows regressors are compared on: the last tasks of every size."""
    n_kept = int(np.ceil(config.n_tasks * (1.0 - config.validation_share)))
    held: Bools = rows.task % config.n_tasks >= min(n_kept, config.n_tasks - 1)
    return held


def _plain(evidence: Mapping[str, Advantage]) -> dict[str, Any]:
    return {name: [found.mean, found.half_width] for name, found in evidence.items()}
