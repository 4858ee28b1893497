"""The learner of LAL: make rows, compare regressors on tasks held back, fit, export.

Source: Konyushkova, Sznitman and Fua (2017), arXiv 1703.03365, and their published code.
"""

import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from agents.lal_regression.config import LalConfig
from agents.lal_regression.control_test import control_test
from agents.lal_regression.controls import controls, seen_by, untrained
from agents.lal_regression.fits import (
    card,
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
    oracle,
    uncertainty,
)
from agents.training.learner import Learner
from lal.arrays import Bools
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy


class LalLearner(Learner[LalConfig]):
    """Trees fitted to simulated rows, in one segment; rows are on disk when made."""

    def __init__(self, config: LalConfig) -> None:
        super().__init__(config)
        self.sources = training_data(config)
        self._paths: list[Path] = []
        self._policy: PoolPolicy | None = None

    def data(self) -> Mapping[str, Any]:
        """Return the data set that rows are made from, if it is one."""
        return self.sources

    def prepare(self, folder: Path) -> None:
        """Make the rows of all sizes that are not there."""
        self._paths = make_all(self.config, folder / "rows", progress=self.progress.shown)

    @cached_property
    def rows(self) -> GainRows:
        """The rows of all sizes."""
        return load_rows(self._paths, self.config.n_candidates)

    def train_segment(self, segment: int) -> Mapping[str, Any]:
        """Compare regressors on tasks held back, then fit the one that is shipped to all rows."""
        config = self.config
        evidence = compare(config, self.rows)
        for name, found in evidence.items():
            _say(f"pick advantage, {name}: {found}")
        features, targets = seen_by(config, self.rows)
        about = {**card(config, self.sources), "validation": _plain(evidence)}
        self._policy = make_policy(config, fit_boosted(config, features, targets), about)
        return {
            "n_rows": len(targets),
            **{f"advantage_{name}": found.mean for name, found in evidence.items()},
        }

    def export(self) -> PoolPolicy:
        """Return the trees as a policy."""
        if self._policy is None:
            raise UsageError("LAL exports what it has fitted; call train_segment first")
        return self._policy

    def check(self, policy: PoolPolicy) -> Mapping[str, Any]:
        """Return the comparison with copies that learned nothing."""
        copies = controls(self.config, self.rows)
        return {"did_it_learn": control_test(self.config, policy, copies, note=_say)}

    @classmethod
    def export_untrained(cls, config: LalConfig, n: int) -> list[PoolPolicy]:
        """Return `n` ensembles of the same shape, fitted to noise."""
        return untrained(config, n)


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
    return {name: Advantage.from_values(values) for name, values in found.items()}


def held_back(config: LalConfig, rows: GainRows) -> Bools:
    """Return which rows regressors are compared on: the last tasks of every size."""
    n_kept = int(np.ceil(config.n_tasks * (1.0 - config.validation_share)))
    held: Bools = rows.task % config.n_tasks >= min(n_kept, config.n_tasks - 1)
    return held


def _plain(evidence: Mapping[str, Advantage]) -> dict[str, Any]:
    return {name: [found.mean, found.half_width] for name, found in evidence.items()}
