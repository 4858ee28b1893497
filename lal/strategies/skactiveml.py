"""Every pool strategy of scikit-activeml, for classification and regression, wrapped as it is.

What a strategy is given follows from its own signature. Model-free strategies and those that bring
their own classifier see the encoded rows Z; strategies that ask a classifier see X and the model
as it stands (only the look-ahead strategies refit its learner).
"""

import difflib
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import LalError, UnknownNameError, UsageError
from lal.registry import require
from lal.state import QueryState
from lal.strategies.base import select_top
from lal.task_kind import CLASSIFICATION, REGRESSION, TASK_KINDS, TaskKind

EXTRA = "hosts-skactiveml"

NOT_STRATEGIES = {
    "ExpectedErrorReduction": "the base of MonteCarloEER and ValueOfInformationEER; choose one",
    "RegressionTreeBasedAL": "broken with this NumPy (a TypeError within scikit-activeml 1.0.1)",
    "SubSamplingWrapper": "a wrapper around another strategy, not a strategy",
    "ParallelUtilityEstimationWrapper": "a wrapper around another strategy, not a strategy",
}

OWN_CLASSIFIER = {
    "ProbabilisticAL": "ParzenWindowClassifier",
    "EpistemicUncertaintySampling": "ParzenWindowClassifier",
    "FourDs": "MixtureModelClassifier",
}
"""Strategies that take one kind of classifier only; it is fitted to Z, the task model unused."""

LOOK_AHEAD = ("MonteCarloEER", "ValueOfInformationEER")
"""Strategies that refit for every row and class, so they fit the present model themselves too."""

NEEDS_A_LABEL = ("CostEmbeddingAL", "DiscriminativeAL")
"""Strategies that contrast labelled with unlabelled rows; all rows are equal before a label."""


BOTH_KINDS = ("CoreSet", "GreedySamplingX", "RandomSampling", "TypiClust")
"""Strategies that look at no model."""


def skactiveml_names(kind: TaskKind = CLASSIFICATION) -> list[str]:
    """Return the names of all pool strategies that can be wrapped.

    Args:
        kind: Only those that serve this kind of task.

    Raises:
        MissingDependencyError: scikit-activeml is not installed.
    """
    pool = _pool()
    found = {name: getattr(pool, name) for name in pool.__all__}
    usable = (name for name, member in found.items() if not _refusal(name, member))
    return sorted(name for name in usable if kind in _kinds(name, found[name]))


def from_name(name: str) -> Callable[..., "SkactivemlStrategy"]:
    """Return the constructor of the wrapped strategy called `name`.

    Raises:
        UnknownNameError: No such strategy, or one that this release cannot run; says why.
        MissingDependencyError: scikit-activeml is not installed.
    """
    pool = _pool()
    if name not in pool.__all__ or not inspect.isclass(getattr(pool, name)):
        near = difflib.get_close_matches(name, skactiveml_names(), n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
        raise UnknownNameError(
            f"scikit-activeml has no pool strategy {name!r}; {hint}"
            f"known: {', '.join(sorted({n for k in TASK_KINDS for n in skactiveml_names(k)}))}"
        )
    reason = _refusal(name, getattr(pool, name))
    if reason:
        raise UnknownNameError(f"'skactiveml:{name}' cannot be used: it is {reason}")
    return partial(SkactivemlStrategy, name)


class SkactivemlStrategy:
    """A strategy of scikit-activeml behind our contract.

    Args:
        name: Class name in ``skactiveml.pool``.
        **options: Passed to its constructor, over our defaults.
    """

    def __init__(self, name: str, **options: Any) -> None:
        self.name = name
        self.options = options
        self._class = getattr(_pool(), name)
        taken = set(inspect.signature(self._class.__init__).parameters) - {"self"}
        ours = {"random_state", "missing_label", "classes"}
        unknown = sorted(set(options) - (taken - ours))
        if unknown:
            raise UsageError(
                f"'skactiveml:{name}' takes no option {unknown[0]!r}; "
                f"it takes {', '.join(sorted(taken - ours)) or 'none'}"
            )
        self._init = taken
        self._query = set(inspect.signature(self._class.query).parameters)
        self.kinds = _kinds(name, self._class)
        self._asks_model = name not in OWN_CLASSIFIER and bool(
            self._query & {"clf", "estimator", "ensemble", "reg"}
        )

    def __repr__(self) -> str:
        """Return the name and the options."""
        return f"SkactivemlStrategy({self.name!r}, **{self.options!r})"

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the library's utilities for the first query of a batch, shape (N,).

        Rows without one (labelled, or filtered out) lie below all others. A strategy that draws
        its choice at random (Badge) has the drawn row on top. All equal before two classes are
        seen, for strategies that ask a model.
        """
        if self._undefined(state):
            return np.zeros(state.N)
        chosen, table = self._ask(state, rng, 1)
        return _finite(table[0], int(chosen[0]))

    def select_batch(
        self,
        state: QueryState,
        rng: np.random.Generator,
        ties: np.random.Generator,
        batch_size: int,
    ) -> Ints:
        """Return the batch that the library chooses, shape (batch_size,).

        Duplicates (Badge gives them where rows are equal) are replaced by the open rows of highest
        utility in the last step.
        """
        if batch_size > len(state.open):
            raise UsageError(
                f"batch_size {batch_size} is more than the {len(state.open)} rows that may be asked"
            )
        if self._undefined(state):
            return select_top(np.zeros(state.N), state.open, ties, batch_size)
        chosen, table = self._ask(state, rng, batch_size)
        batch = list(dict.fromkeys(int(index) for index in chosen))
        missing = batch_size - len(batch)
        if missing:
            left = np.setdiff1d(state.open, batch)
            last = _finite(table[-1], batch[0])
            batch += select_top(last, left, ties, missing).tolist()
        return np.array(batch, dtype=np.int64)

    def library_batch(self, state: QueryState, rng: np.random.Generator, batch_size: int) -> Ints:
        """Return the library's batch as it gives it, duplicates included, shape (batch_size,)."""
        return self._ask(state, rng, batch_size)[0]

    def _undefined(self, state: QueryState) -> bool:
        no_model = self._asks_model and state.proba is None
        if state.kind == REGRESSION:
            no_model = len(state.labelled) < 2
        return no_model or (self.name in NEEDS_A_LABEL and not len(state.labelled))

    def _ask(
        self, state: QueryState, rng: np.random.Generator, batch_size: int
    ) -> tuple[Ints, Floats]:
        seed = int(rng.integers(2**31))
        y = np.full(state.N, np.nan)
        y[state.labelled] = state.labels
        X = _dense_numbers(state, self.name) if self._asks_model else state.Z
        arguments = self._arguments(state, X, y, rng, seed)
        strategy = self._class(**self._constructor(state, seed))
        try:
            chosen, table = strategy.query(
                X=X, y=y, batch_size=batch_size, return_utilities=True, **arguments
            )
        except LalError:
            raise
        except (ValueError, TypeError, NotImplementedError, IndexError) as error:
            raise UsageError(
                f"'skactiveml:{self.name}' cannot query this pool of {state.N} rows, "
                f"{len(state.labelled)} labels and {state.n_classes} classes: {error}"
            ) from error
        return np.asarray(chosen, dtype=np.int64), np.atleast_2d(np.asarray(table, np.float64))

    def _constructor(self, state: QueryState, seed: int) -> dict[str, Any]:
        ours: dict[str, Any] = {"random_state": seed, "missing_label": np.nan}
        if "classes" in self._init:
            ours["classes"] = list(range(max(state.n_classes, 2)))
        return ours | self.options

    def _arguments(
        self, state: QueryState, X: Floats, y: Floats, rng: np.random.Generator, seed: int
    ) -> dict[str, Any]:
        from lal.strategies import skactiveml_model as models

        if state.kind == REGRESSION:
            from lal.strategies.skactiveml_regression import arguments

            return arguments(self.name, self._query, state)
        if self.name in OWN_CLASSIFIER:
            kind = OWN_CLASSIFIER[self.name]
            return {"clf": models.own_classifier(kind, X, y, state, seed), "fit_clf": False}
        if "discriminator" in self._query:
            return {"discriminator": models.discriminator(seed)}
        if "ensemble" in self._query:
            return {"ensemble": models.ensemble(state, X, y, rng), "fit_ensemble": False}
        for key in ("clf", "estimator"):
            if key in self._query:
                fit = self.name in LOOK_AHEAD
                return {key: models.as_fitted(state, X, y), f"fit_{key}": fit}
        return {}


def _pool() -> Any:
    return require("skactiveml.pool", EXTRA)


def _refusal(name: str, member: Any) -> str:
    """Return why a member of ``skactiveml.pool`` cannot be offered; empty if it can."""
    if not inspect.isclass(member) or not hasattr(member, "query"):
        return "not a strategy"
    if name in NOT_STRATEGIES:
        return NOT_STRATEGIES[name]
    return ""


def _kinds(name: str, member: Any) -> tuple[TaskKind, ...]:
    """Return the kinds of task that a strategy serves, by what its query asks for."""
    asked = inspect.signature(member.query).parameters
    if "reg" in asked:
        return (REGRESSION,)
    if name in BOTH_KINDS:
        return TASK_KINDS
    return (CLASSIFICATION,)


def _dense_numbers(state: QueryState, name: str) -> Floats:
    """Return X as the array that scikit-activeml takes."""
    X = state.X.toarray() if hasattr(state.X, "toarray") else np.asarray(state.X)
    if X.ndim != 2 or X.dtype.kind not in "fiub" or not np.isfinite(X).all():
        raise UsageError(
            f"'skactiveml:{name}' needs samples that are finite numbers in a 2-D array; encode "
            "categories and impute missing values first"
        )
    numbers: Floats = X.astype(np.float64)
    return numbers


def _finite(utilities: Floats, chosen: int) -> Floats:
    """Return utilities without nan and infinities, the chosen row among the highest."""
    known = np.isfinite(utilities)
    low = utilities[known].min() if known.any() else 0.0
    high = utilities[known].max() if known.any() else 0.0
    filled: Floats = np.where(known, utilities, low - 1.0)
    if filled[chosen] < high or not known.any():
        filled[chosen] = high + 1.0
    return filled
