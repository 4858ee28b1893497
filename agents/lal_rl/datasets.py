"""The data sets of a run on the LAL-RL workload, as the engine and the card have them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agents.lal_rl.config import GameConfig
from lal.data.dataset import Dataset
from lal.data.datasets import load_dataset
from lal.errors import UsageError
from lal.serialization import config_hash, versions


def training_datasets(config: GameConfig) -> list[Dataset]:
    """Return the data sets of the config without those held out, by name or family."""
    found = [load_dataset(name) for name in config.datasets]
    kept = [d for d in found if not {d.name, d.family} & set(config.hold_out)]
    if not kept:
        raise UsageError("hold_out leaves no data set to train on; name others in datasets")
    shared = {d.family for d in kept} & {load_dataset(name).family for name in config.eval_datasets}
    if shared:
        raise UsageError(
            f"family {sorted(shared)[0]!r} is both trained and evaluated on; take it out of one"
        )
    return kept


def get_pairs(datasets: Sequence[Dataset]) -> list[tuple[Any, Any]]:
    """Return samples and labels."""
    return [(np.asarray(d.X), np.asarray(d.y)) for d in datasets]


def data_card(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Return the name, family and hash of data sets, as cards and ``data.json`` have them."""
    return {d.name: {"family": d.family, "sha256": d.sha256} for d in datasets}


def game_card(config: GameConfig, datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Return what the card of any policy for this workload says of its training."""
    n_columns = [int(np.asarray(d.X).shape[1]) for d in datasets] or [1, 512]
    return {
        "trained_on": f"{len(datasets)} binary data sets, pools of 100, from two labels on",
        "learners": ["logistic_regression"],
        "do_not_use_when": [
            "the learner's probabilities are far from those of logistic regression",
            "the pool is much larger than 100 and its distances to labels differ from those",
        ],
        "ranges": {"n_classes": [2, 2], "n_columns": [min(n_columns), max(n_columns)]},
        "config_hash": config_hash(config),
        "control": config.control,
        "seed": config.seed,
        "data": data_card(datasets),
        "families_held_out": sorted(config.hold_out),
        "versions": versions(),
    }
