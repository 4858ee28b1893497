"""SklearnLearner: any scikit-learn classifier or pipeline as a learner."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import DataError, LalError, UsageError, quoted
from lal.learners.sklearn_model import ConstantModel, SklearnModel
from lal.learners.targets import Targets, fitted_columns, make_targets, translated
from lal.pool import n_rows
from lal.rng import integer_seed
from lal.task import Model


class SklearnLearner:
    """Fits clones of a scikit-learn classifier; the estimator itself is never changed.

    On each clone, and on every estimator nested in it: a ``random_state`` of None is set from the
    seed, ``n_neighbors`` is lowered to the number of labelled rows, and decision values are asked
    for one class against the rest.

    Args:
        estimator: A classifier or a pipeline that ends in one.
        name: Name for tables; the class name by default.
        classes: The caller's labels by code, for what the estimator has keyed by labels; the
            codes themselves by default.

    Raises:
        UsageError: The estimator is not a classifier.
    """

    def __init__(
        self, estimator: Any, *, name: str | None = None, classes: Sequence[Any] | None = None
    ) -> None:
        _check_classifier(estimator)
        self.estimator = estimator
        self.name = name or type(estimator).__name__
        self.classes = classes

    def __repr__(self) -> str:
        """Return the name and the estimator with its parameters."""
        return f"SklearnLearner({self.estimator!r}, name={self.name!r})"

    def fit(
        self,
        X: Rows,
        y: Ints,
        *,
        n_classes: int,
        sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> Model:
        """Return a model fitted to the labelled rows.

        Args:
            X: Labelled rows, shape (L, D); L may be 0.
            y: Their class codes, shape (L,).
            n_classes: C, classes of the task.
            sample_weight: Weights of the rows, shape (L,).
            seed: Sets every ``random_state`` that is None.

        Raises:
            UsageError: Codes outside ``range(n_classes)``, lengths that differ, or weights for an
                estimator that takes none.
        """
        y = np.asarray(y, dtype=np.int64)
        _check_labels(X, y, n_classes)
        seen = np.unique(y)
        if len(seen) < 2:
            share = np.full(n_classes, 1.0 / n_classes)
            if len(seen) == 1:
                share = np.zeros(n_classes)
                share[seen] = 1.0
            return ConstantModel(share)
        classes = range(n_classes) if self.classes is None else self.classes
        targets = make_targets(self.estimator, y, classes)
        estimator = self._clone(targets, seed)
        weights = weight_argument(estimator, sample_weight)
        try:
            with warnings.catch_warnings():
                # a handful of labels of many classes is the ordinary case here
                warnings.filterwarnings("ignore", message="The number of unique classes is greater")
                estimator.fit(X, targets.values, **weights)
        except LalError:
            raise
        except Exception as error:  # whatever a stranger's fit raises, the caller gets one sentence
            raise refused_fit(self.name, len(y), error) from error
        columns = fitted_columns(estimator, targets, classes)
        return SklearnModel(estimator, columns, n_classes, X, y)

    def _clone(self, targets: Targets, seed: int) -> Any:
        from sklearn.base import clone

        estimator = clone(self.estimator)
        changes = translated(estimator, targets)
        changes |= small_sample_changes(estimator, len(targets.values), seed)
        return estimator.set_params(**changes) if changes else estimator


def small_sample_changes(estimator: Any, n_labelled: int, seed: int) -> dict[str, Any]:
    """Return the parameters that a clone is fitted with in place of its own; see `SklearnLearner`.

    Args:
        estimator: Any estimator, with those nested in it.
        n_labelled: Rows that it will be fitted to.
        seed: Sets every ``random_state`` that is None.
    """
    changes: dict[str, Any] = {}
    for key, value in estimator.get_params(deep=True).items():
        last = key.rsplit("__", 1)[-1]
        if last == "random_state" and value is None:
            changes[key] = integer_seed(seed, key)
        elif last == "n_neighbors" and isinstance(value, int) and value > n_labelled:
            changes[key] = n_labelled
        elif last == "decision_function_shape" and value == "ovo":
            changes[key] = "ovr"
    return changes


def refused_fit(name: str, n_labelled: int, error: Exception) -> DataError:
    """Return the error of an estimator that could not be fitted, in one sentence."""
    said = quoted(error)
    return DataError(f"{name} cannot be fitted to the {n_labelled} labelled rows: {said}")


def _check_classifier(estimator: Any) -> None:
    from sklearn.base import is_classifier, is_regressor

    if not (hasattr(estimator, "fit") and hasattr(estimator, "__sklearn_tags__")):
        raise UsageError(
            f"{estimator!r} is not an estimator; expected a scikit-learn classifier or pipeline, "
            "or a learner whose fit takes n_classes"
        )
    if is_regressor(estimator):
        raise UsageError(
            f"{type(estimator).__name__} is a regressor, expected a classifier; pass "
            'task="regression" to learn numbers'
        )
    answers = hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")
    if not is_classifier(estimator) and not answers:
        raise UsageError(
            f"{type(estimator).__name__} is not a classifier; expected predict_proba or "
            "decision_function"
        )


def _check_labels(X: Rows, y: Ints, n_classes: int) -> None:
    if n_rows(X) != len(y):
        raise UsageError(f"X has {n_rows(X)} rows but y has {len(y)} labels; expected as many")
    if len(y) and not (y.min() >= 0 and y.max() < n_classes):
        wrong = y.min() if y.min() < 0 else y.max()
        raise UsageError(f"label {wrong} is not a class code; expected 0 to {n_classes - 1}")


def weight_argument(estimator: Any, sample_weight: Floats | None) -> dict[str, Floats]:
    """Return the keyword that carries the weights to the (last) estimator."""
    if sample_weight is None:
        return {}
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import has_fit_parameter

    key = "sample_weight"
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        key = f"{name}__{key}"
    if not has_fit_parameter(estimator, "sample_weight"):
        raise UsageError(
            f"{type(estimator).__name__} takes no sample_weight; drop the weights or choose a "
            "learner that takes them, such as 'logistic_regression'"
        )
    return {key: sample_weight}
