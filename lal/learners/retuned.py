"""A learner whose parameters are tuned anew at every fit, on the labelled rows alone."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.pool import take
from lal.rng import generator
from lal.task import Learner, Model

GRIDS: Mapping[str, Mapping[str, Sequence[Any]]] = {
    "logistic_regression": {"C": (0.01, 0.1, 1.0, 10.0)},
    "random_forest": {"min_samples_leaf": (1, 2, 5)},
    "knn": {"n_neighbors": (1, 3, 5, 9)},
    "rbf_svm": {"C": (0.1, 1.0, 10.0)},
    "mlp": {"weight_decay": (1e-5, 1e-3), "dropout": (0.0, 0.3)},
}
"""Grids of learners for which none is given."""


class Retuned:
    """Chooses parameters by cross-validation at each fit, then fits to all labels.

    No label is spent on it: folds are of the labelled rows. The choice is that of the largest mean
    log-likelihood, the first of equal ones; below two labels a fold, the learner's own parameters.
    Source: Munjal, Hayat, Hayat, Sourati & Khan (2020), "Towards robust and reproducible active
    learning using neural networks", who tune at every round.

    Args:
        base: Name of a learner.
        grid: Values to try, by parameter; that of `GRIDS` when None.
        folds: Parts of the labelled rows.
    """

    def __init__(
        self, base: str, *, grid: Mapping[str, Sequence[Any]] | None = None, folds: int = 3
    ) -> None:
        if grid is None and base not in GRIDS:
            raise UsageError(
                f"retuned has no grid for {base!r}; give one, or use one of {', '.join(GRIDS)}"
            )
        if folds < 2:
            raise UsageError(f"folds must be at least 2, got {folds}")
        from lal.learners.names import make_learner

        grid = GRIDS[base] if grid is None else grid
        self.options = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
        self.tried: list[Learner] = [make_learner(base, **options) for options in self.options]
        self.default: Learner = make_learner(base)
        self.base, self.folds = base, folds
        self.name = f"retuned({base})"

    def fit(
        self, X: Rows, y: Ints, *, n_classes: int, sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> Model:  # fmt: skip
        """Return the model of the chosen parameters; see `Learner.fit`."""
        chosen = self.choose(X, np.asarray(y), n_classes=n_classes, seed=seed)
        learner = self.default if chosen is None else self.tried[chosen]
        return learner.fit(X, y, n_classes=n_classes, sample_weight=sample_weight, seed=seed)

    def choose(self, X: Rows, y: Ints, *, n_classes: int, seed: int) -> int | None:
        """Return the position in `options` of the best parameters; None with too few labels."""
        if len(y) < 2 * self.folds or len(np.unique(y)) < 2:
            return None
        order = generator(seed, "retuned").permutation(len(y))
        order = order[np.argsort(y[order], kind="stable")]  # dealt out class by class
        fold = np.empty(len(y), dtype=np.int64)
        fold[order] = np.arange(len(y)) % self.folds
        scores = [
            sum(self._score(learner, X, y, fold == f, n_classes, seed) for f in range(self.folds))
            for learner in self.tried
        ]
        return int(np.argmax(scores))

    def _score(
        self, learner: Learner, X: Rows, y: Ints, held: Any, n_classes: int, seed: int
    ) -> float:  # fmt: skip
        rest, out = np.flatnonzero(~held), np.flatnonzero(held)
        model = learner.fit(take(X, rest), y[rest], n_classes=n_classes, seed=seed)
        proba = model.predict_proba(take(X, out))
        return float(np.log(np.maximum(proba[np.arange(len(out)), y[out]], 1e-12)).sum())
