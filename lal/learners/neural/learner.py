"""NeuralLearner: small networks for tables and drawings, refitted from nothing each time."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.learners.capabilities import TrainingDiary
from lal.learners.neural.model import NeuralModel
from lal.learners.neural.network import Shape
from lal.learners.neural.scaling import make_scaling
from lal.learners.neural.training import Recipe, train
from lal.learners.neural.training import Rows as TrainingRows
from lal.learners.sklearn_model import ConstantModel
from lal.task import Model


class NeuralLearner:
    """Fits a stack of small networks; no fit begins from the weights of another.

    Args:
        name: For tables.
        hidden: Widths of the dense hidden layers.
        n_members: Networks with other first weights, trained as one stack.
        image: Channels, height and width of the rows, for convolutions; ``"square"`` for drawings
            of one channel whose side follows from the columns; None for dense layers alone.
        columns_alike: One scale for all columns, as for images: for counts of words.
        balanced: Weigh the classes alike, however many labels they have.
        **recipe: Fields of `lal.learners.neural.training.Recipe`.
    """

    def __init__(
        self, name: str = "mlp", *, hidden: tuple[int, ...] = (128, 64), n_members: int = 1,
        image: tuple[int, int, int] | str | None = None, columns_alike: bool = False,
        balanced: bool = False, **recipe: Any,
    ) -> None:  # fmt: skip
        if n_members < 1 or not hidden or min(hidden) < 1:
            raise UsageError(
                f"expected at least one member and one hidden layer, got n_members={n_members} "
                f"and hidden={hidden}"
            )
        self.name, self.hidden, self.n_members = name, tuple(hidden), n_members
        self.image, self.balanced = image, balanced
        self.by_column = image is None and not columns_alike
        self.recipe = replace(Recipe(), **recipe)
        self.pool: Rows | None = None
        if not 0.0 <= self.recipe.dropout < 1.0:
            raise UsageError(f"dropout must lie in [0, 1), got {self.recipe.dropout}")

    def __repr__(self) -> str:
        """Return the name and the number of members."""
        return f"NeuralLearner({self.name!r}, n_members={self.n_members})"

    def bind(self, X: Rows) -> "NeuralLearner":
        """Return the learner with a pool, of which `Recipe.consistency` takes the rows."""
        bound = copy.copy(self)
        bound.pool = X if self.recipe.consistency > 0.0 else None
        return bound

    def fit(
        self, X: Rows, y: Ints, *, n_classes: int, sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> Model:  # fmt: skip
        """Return a stack trained on the labelled rows; a constant before two classes are seen.

        Args:
            X: Labelled rows, shape (L, D), numbers; L may be 0.
            y: Their class codes, shape (L,).
            n_classes: C, classes of the task.
            sample_weight: Weights of the rows, shape (L,).
            seed: Of weights, orders and dropout.
        """
        y = np.asarray(y, dtype=np.int64)
        seen, places = np.unique(y, return_inverse=True)
        if len(seen) < 2:
            share = np.full(n_classes, 1.0 / n_classes)
            if len(seen):
                share = np.eye(n_classes)[seen[0]]
            return ConstantModel(share)
        scaling = make_scaling(X, by_column=self.by_column)
        rows = scaling.apply(X)
        shape = Shape(
            self.n_members, rows.shape[1], self.hidden, len(seen), self._image(rows.shape[1])
        )
        weights = torch.as_tensor(_weights(places, sample_weight, self.balanced))
        pool = None if self.pool is None else scaling.apply(self.pool)
        data = TrainingRows(rows, torch.as_tensor(places), weights, pool)
        trained = train(data, shape, self.recipe, seed)
        diary = TrainingDiary(trained.true.double().numpy(), trained.correct.double().numpy())
        return NeuralModel(
            trained.params, shape, scaling, columns=seen, n_classes=n_classes,
            dropout=self.recipe.dropout, seed=seed, diary=diary, head=trained.head,
        )  # fmt: skip

    def _image(self, n_columns: int) -> tuple[int, int, int] | None:
        if not isinstance(self.image, str):
            if self.image is not None and int(np.prod(self.image)) != n_columns:
                raise UsageError(f"an image of {self.image} has not {n_columns} columns")
            return self.image
        side = int(np.sqrt(n_columns))
        if side * side != n_columns:
            raise UsageError(
                f"{self.name} needs square drawings, and {n_columns} columns are not a square; "
                "give image=(channels, height, width)"
            )
        return 1, side, side


def _weights(places: Ints, given: Floats | None, balanced: bool) -> np.ndarray:
    """Return weights of mean 1, shape (L,)."""
    weights = np.ones(len(places)) if given is None else np.asarray(given, dtype=np.float64)
    if balanced:
        weights = weights / np.bincount(places, weights)[places]
    return (weights / max(float(weights.mean()), 1e-12)).astype(np.float32)
