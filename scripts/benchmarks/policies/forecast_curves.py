"""Learning curves that the forecast is calibrated on and tested on, kept in a folder."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.data.dataset import Dataset
from lal.data.prior import PriorConfig, sample_dataset
from lal.data.suites import load_suite
from lal.episode import run_episode
from lal.errors import DataError, UsageError
from lal.labelling.query import load_strategy
from lal.learners import make_learner
from lal.rng import generator, integer_seed
from lal.tasks.splits import make_task
from scripts.benchmarks.kept import kept

STEP = 10
"""Labels between points of a curve."""

TEST_SHARE = 0.4
"""Rows of a data set that accuracy is measured on."""

MOST = 0.7
"""Share of the pool that is labelled at most."""

PRIOR = PriorConfig(rows=(400, 3000))
"""Synthetic data sets for long curves that are measured on 160 rows and more."""


@dataclass(frozen=True, kw_only=True)
class CurveConfig:
    """What is labelled, and by what."""

    suite: str = "bundled"
    """Suite or folder that intervals are tested on."""

    policy: str = "margin"
    """What chooses the rows."""

    learner: str = "logistic_regression"
    """What is fitted."""

    labels: int = 200
    """Labels at the end; 70 % of the pool where that is less."""

    max_pool: int = 400
    """Larger pools are sub-sampled."""

    out: Path | None = None
    """Folder where finished curves are kept; the same command goes on there."""


@dataclass(frozen=True)
class Curves:
    """The learning curves of one run.

    Attributes:
        n: Labels.
        a: Accuracies of the policy.
        random: Accuracies of random choice.
        of: Rows that accuracies are measured on.
    """

    n: Floats
    a: Floats
    random: Floats
    of: int


Job = tuple[CurveConfig, str, int]
"""Config, name of the data set or "" for one of the prior, and number of the run."""


def get_curves(job: Job) -> Curves | None:
    """Return the curves of a run, kept ones if there are; None where the data set is too small."""
    config, name, k = job
    depends: Mapping[str, Any] = {**asdict(config), "name": name, "run": k}
    protocol = {f: depends[f] for f in ("policy", "learner", "labels", "max_pool", "name", "run")}
    protocol["from"] = config.suite if name else asdict(PRIOR)
    found = kept(config.out, f"{name or 'prior'}-{k}", protocol, lambda: _measure(job))
    if not found["of"]:
        return None
    n, a, random = (np.array(found[field], dtype=np.float64) for field in ("n", "a", "random"))
    return Curves(n, a, random, found["of"])


def _measure(job: Job) -> dict[str, Any]:
    """Return the fields of the curves on one task; of no rows where it is too small."""
    config, name, k = job
    seed = integer_seed(0, "forecast", name or "prior", k)
    dataset: Dataset
    dataset = load_suite(config.suite)[name] if name else sample_dataset(generator(seed), PRIOR)
    pool = min(config.max_pool, int((1.0 - TEST_SHARE) * len(dataset.y)))
    total = min(config.labels, int(MOST * pool)) // STEP * STEP
    learner = make_learner(config.learner)
    try:
        task = make_task(
            dataset,
            learner,
            seed=seed,
            start=STEP,
            budget=total - STEP,
            test_share=TEST_SHARE,
            max_pool=config.max_pool,
        )
    except (UsageError, DataError):  # too few rows to split, or a pool of one class
        return {"of": 0}
    found: dict[str, Any] = {"of": len(task.test_part().y)}
    for field, strategy in (("a", config.policy), ("random", "random")):
        curve = run_episode(load_strategy(strategy), task, seed=seed, batch_size=STEP)
        found |= {"n": curve.n_labels.tolist(), field: curve.metrics["accuracy"].tolist()}
    return found
