"""The rows of all sizes, made where missing; in iterative growth each size's regressor helps."""

import sys
from pathlib import Path

from agents.lal_regression.config import LalConfig
from agents.lal_regression.rankers import Ranker, stacked
from agents.lal_regression.rows import GainRows, load_rows, make_rows
from lal.policies.scoring.trees import Tensors, from_sklearn_forest
from lal.rng import integer_seed

GROWTH_LEAF = 20
"""Smallest number of candidates in a leaf of the regressors that grow labelled sets."""


def make_all(config: LalConfig, folder: Path, *, progress: bool = False) -> list[Path]:
    """Return the files of all sizes after making those that are not there.

    An interrupted run goes on: regressors of finished sizes are fitted again, to the same trees.
    """
    from tqdm import tqdm

    sizes = range(config.first_size, config.last_size + 1)
    paths = [folder / f"{size:03d}.npz" for size in sizes]
    grown: list[Tensors] = []
    bar = tqdm(sizes, desc="labels", unit="size", file=sys.stderr, disable=not progress)
    for size, path in zip(bar, paths, strict=True):
        if not path.exists():
            make_rows(config, size, _rankers(config, grown)).save(path)
        if config.growth == "iterative" and size < config.last_size:
            grown.append(size_regressor(config, size, load_rows([path], config.n_candidates)))
    return paths


def _rankers(config: LalConfig, grown: list[Tensors]) -> Ranker | None:
    """Return the regressors of the sizes so far; None where sets grow at random."""
    return stacked(grown) if config.growth == "iterative" and grown else None


def size_regressor(config: LalConfig, size: int, rows: GainRows) -> Tensors:
    """Return the trees that ask at one number of labels, which is not one of their features."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        n_estimators=config.growth_trees,
        min_samples_leaf=GROWTH_LEAF,
        max_features=3,
        random_state=integer_seed(config.seed, "lal_growth", size),
    )
    return from_sklearn_forest(forest.fit(rows.features[:, :-1], rows.gains))
