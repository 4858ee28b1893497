"""A model whose rows are encoded first."""

from collections.abc import Callable
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.learners.capabilities import TrainingDiary, find_capability
from lal.task import Model


class EncodedModel:
    """A model behind an encoder; it can do what the model can.

    Args:
        model: Speaks of encoded rows.
        encode: Rows to what `model` takes, shape (n, d).
    """

    def __init__(self, model: Model, encode: Callable[[Rows], Floats]) -> None:
        self.model, self.encode, self.n_classes = model, encode, model.n_classes

    def predict_proba(self, X: Rows) -> Floats:
        """Return probabilities of all classes, shape (n, C)."""
        return self.model.predict_proba(self.encode(X))

    def predict(self, X: Rows) -> Ints:
        """Return class codes, shape (n,)."""
        return self.model.predict(self.encode(X))

    def committee_proba(self, X: Rows) -> Floats | None:
        """Return the members' probabilities, shape (M, n, C), or None without members."""
        return self.model.committee_proba(self.encode(X))

    def variance(self, X: Rows) -> Floats | None:
        """Return the predictive variance, shape (n,), or None."""
        return self.model.variance(self.encode(X))

    def embed(self, X: Rows) -> Floats | None:
        """Return what the last layer sees, shape (n, h); None without one."""
        return self._found("embed", X)

    def head_proba(self, embedding: Floats) -> Floats | None:
        """Return the last layer's probabilities, (n, h) to (n, C)."""
        found: Floats | None = find_capability(self.model, "head_proba", embedding)
        return found

    def sample_proba(self, X: Rows, n: int, rng: np.random.Generator) -> Floats | None:
        """Return probabilities under n draws, shape (n, rows, C); None without a posterior."""
        return self._found("sample_proba", X, n, rng)

    def gradient_embedding(self, X: Rows) -> Floats | None:
        """Return gradients of the last layer, shape (n, C h); None without them."""
        return self._found("gradient_embedding", X)

    def predict_loss(self, X: Rows) -> Floats | None:
        """Return predicted losses, shape (n,); None without a head for them."""
        return self._found("predict_loss", X)

    @property
    def diary(self) -> TrainingDiary | None:
        """The diary of the fit; None without one."""
        found: TrainingDiary | None = find_capability(self.model, "diary")
        return found

    def _found(self, name: str, X: Rows, *more: Any) -> Floats | None:
        found: Floats | None = find_capability(self.model, name, self.encode(X), *more)
        return found
