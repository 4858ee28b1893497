"""Learners that first learn a representation of the pool, without labels, and fit on that."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.learners.encoded import EncodedModel
from lal.pool import dense
from lal.registry import Registry
from lal.task import Learner, Model

Encoder = Callable[[Floats], Floats]
"""Rows to their representation, (n, D) to (n, d)."""

REPRESENTATIONS: Registry[Callable[[Floats, int], Encoder]] = Registry("representation")
"""Rows of a pool, shape (N, D), and a number of columns d to an encoder."""

for _name, _where in {
    "autoencoder": "representations:autoencoder",
    "contrastive": "representations:contrastive",
    "two_views": "two_views:two_views",
}.items():
    REPRESENTATIONS.add_lazy(_name, f"lal.learners.neural.{_where}")


@REPRESENTATIONS.register("pca")
def pca(rows: Floats, n_columns: int) -> Encoder:
    """Principal components, whitened."""
    from sklearn.decomposition import PCA

    made = PCA(min(n_columns, *rows.shape), whiten=True, svd_solver="full").fit(rows)
    encode: Encoder = made.transform
    return encode


class Represented:
    """Fits a learner to a representation that was learned from all rows of the pool.

    No label has a part in the representation, and no row outside the pool. Without a pool it is
    learned from the labelled rows. Source: Bengar, van de Weijer, Twardowski & Raducanu (2021),
    "Reducing label effort: self-supervised meets active learning".

    Args:
        base: The learner.
        by: A name in `REPRESENTATIONS`.
        n_columns: Numbers that represent a row, d.
    """

    def __init__(self, base: Learner, *, by: str = "pca", n_columns: int = 32) -> None:
        if n_columns < 1:
            raise UsageError(f"n_columns must be at least 1, got {n_columns}")
        self.base, self.by, self.n_columns = base, by, n_columns
        self.learn = REPRESENTATIONS[by]
        self.name = f"represented({base.name}, {by})"
        self.encode: Encoder | None = None

    def __repr__(self) -> str:
        """Return the name."""
        return self.name

    def bind(self, X: Rows) -> "Represented":
        """Return the learner with the representation of a pool, shape (N, D)."""
        bound = copy.copy(self)
        bound.encode = self._encoder(X)
        return bound

    def fit(
        self, X: Rows, y: Ints, *, n_classes: int, sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> Model:  # fmt: skip
        """Return the base learner fitted to represented rows; see `Learner.fit`."""
        given: dict[str, Any] = {"n_classes": n_classes, "sample_weight": sample_weight}
        if len(y) < 2:
            return self.base.fit(X, y, seed=seed, **given)  # a constant, whatever the rows
        encode = self._encoder(X) if self.encode is None else self.encode
        model = self.base.fit(encode(dense(X)), y, seed=seed, **given)
        return EncodedModel(model, _Encoded(encode))

    def _encoder(self, X: Rows) -> Encoder:
        rows = dense(X)
        if not np.isfinite(rows).all():
            raise UsageError(f"{self.name} needs finite numbers; impute missing values first")
        return self.learn(rows, self.n_columns)


class _Encoded:
    """An encoder of rows of any kind; a class, so that models can be pickled."""

    def __init__(self, encode: Encoder) -> None:
        self.encode = encode

    def __call__(self, X: Rows) -> Floats:
        return self.encode(dense(X))
