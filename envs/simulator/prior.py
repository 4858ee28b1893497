"""The synthetic task prior of `lal.data.prior`, its rows made by compiled code.

Recipes come from `lal.data.prior.sample_recipe` itself; only the rows are drawn elsewhere, by
kernels that are twins of `lal.data.generators`. So the distribution is the same and the draws are
not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from envs.simulator.kernels.prior.recipes import KINDS, draw
from lal.arrays import Floats, Ints
from lal.data.dataset import Dataset, make_dataset
from lal.data.prior import PriorConfig, sample_recipe
from lal.data.recipes import Recipe
from lal.errors import DataError, UsageError
from lal.rng import seed_sequence
from lal.task import Learner
from lal.tasks.sampler import TaskSampler

MOST_DRAWS = 10
"""Draws of a recipe before one that gives a single class is reported."""


@dataclass(frozen=True)
class CompiledPrior:
    """Data sets of the prior by number; number i is the same however many are drawn.

    It is also what `lal.tasks.sampler.TaskSampler` takes as `synthetic`.

    Attributes:
        seed: Names every data set, together with its number.
        config: Ranges of the recipes.
    """

    seed: int = 0
    config: PriorConfig = field(default_factory=PriorConfig)

    def recipe(self, number: int) -> Recipe:
        """Return the recipe of data set `number`."""
        return self._begin(number)[0]

    def rows(self, number: int) -> tuple[Floats, Ints]:
        """Return rows (N, D) and codes (N,) of data set `number`, every code present."""
        return compiled_rows(*self._begin(number))

    def dataset(self, number: int) -> Dataset:
        """Return data set `number`, checked and hashed."""
        recipe, word = self._begin(number)
        X, y = compiled_rows(recipe, word)
        name = f"prior_{recipe.kind}"
        return make_dataset(name, X, y, source="prior", family=recipe.family)

    def stream(self, first: int = 0) -> Iterator[tuple[Floats, Ints]]:
        """Return the rows and codes of one data set after the other, without end."""
        number = first
        while True:
            yield self.rows(number)
            number += 1

    def __call__(self, rng: np.random.Generator) -> Dataset:
        """Return the data set whose number the generator draws."""
        return self.dataset(int(rng.integers(2**32)))

    def _begin(self, number: int) -> tuple[Recipe, np.uint64]:
        if number < 0:
            raise UsageError(f"data sets are numbered from 0, got {number}")
        words = seed_sequence(self.seed, "prior", number).generate_state(3, np.uint64)
        recipe = sample_recipe(np.random.Generator(np.random.PCG64(words[:2])), self.config)
        return recipe, words[2]


def compiled_rows(recipe: Recipe, word: np.uint64) -> tuple[Floats, Ints]:
    """Return rows (N, D) and codes (N,) of a recipe, every code present.

    Args:
        recipe: What to make.
        word: State of the random stream.

    Raises:
        DataError: Ten draws in a row had fewer than two classes with two rows.
    """
    state = np.array([word], dtype=np.uint64)
    size = np.array([recipe.rows, recipe.columns, recipe.informative], dtype=np.int64)
    added = np.array(
        [recipe.correlated, recipe.heavy, recipe.levels, recipe.label_noise, recipe.repeated,
         recipe.blur]
    )  # fmt: skip
    make: Callable[..., tuple[Floats, Ints]] = draw
    for _ in range(MOST_DRAWS):
        X, y = make(KINDS.index(recipe.kind), state, size, np.array(recipe.shares), added)
        counts = np.bincount(y)
        if (counts >= 2).sum() >= 2:
            codes: Ints = y if counts.all() else np.unique(y, return_inverse=True)[1]
            return X, codes
    raise DataError(
        f"the recipe of kind {recipe.kind!r} gave one class only {MOST_DRAWS} times; use more rows"
    )


def prior_tasks(
    learners: Sequence[Learner | str] = ("logistic_regression",),
    *,
    seed: int = 0,
    config: PriorConfig | None = None,
    **fields: Any,
) -> TaskSampler:
    """Return a source of tasks over the compiled prior alone.

    Args:
        learners: Learners or names, drawn uniformly.
        seed: Names the data sets.
        config: Ranges of the recipes.
        **fields: Further fields of `lal.tasks.sampler.TaskSampler`.
    """
    prior = CompiledPrior(seed, config or PriorConfig())
    return TaskSampler(
        datasets=(), learners=learners, share_synthetic=1.0, synthetic=prior, **fields
    )
