"""Learners of numbers: any scikit-learn regressor, and REGRESSORS by name."""

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from lal.arrays import Floats, Labels, Rows
from lal.errors import DataError, LalError, UsageError, quoted
from lal.learners.members import last_step
from lal.learners.sklearn_learner import refused_fit, small_sample_changes, weight_argument
from lal.pool import dense, n_rows
from lal.registry import Registry
from lal.task import Learner
from lal.task_kind import REGRESSION, TaskKind

REGRESSORS: Registry[Callable[..., Learner]] = Registry("learner for regression")


class RegressionLearner:
    """Fits clones of a scikit-learn regressor; the estimator itself is never changed.

    Clones are changed as those of a `SklearnLearner`. With fewer than two labels the model is a
    constant: their mean, 0 without any.

    Args:
        estimator: A regressor or a pipeline that ends in one.
        name: Name for tables; the class name by default.

    Raises:
        UsageError: The estimator is not a regressor.
    """

    kind: ClassVar[TaskKind] = REGRESSION

    def __init__(self, estimator: Any, *, name: str | None = None) -> None:
        _check_regressor(estimator)
        self.estimator = estimator
        self.name = name or type(estimator).__name__

    def __repr__(self) -> str:
        """Return the name and the estimator with its parameters."""
        return f"RegressionLearner({self.estimator!r}, name={self.name!r})"

    def fit(
        self,
        X: Rows,
        y: Labels,
        *,
        n_classes: int = 0,
        sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> "RegressionModel":
        """Return a model fitted to the labelled rows.

        Args:
            X: Labelled rows, shape (L, D); L may be 0.
            y: Their numbers, shape (L,).
            n_classes: 0; there are no classes.
            sample_weight: Weights of the rows, shape (L,).
            seed: Sets every ``random_state`` that is None.

        Raises:
            UsageError: Lengths that differ, or weights for an estimator that takes none.
            DataError: The estimator cannot be fitted to these rows.
        """
        from sklearn.base import clone

        y = np.asarray(y, dtype=np.float64)
        if n_rows(X) != len(y):
            raise UsageError(f"X has {n_rows(X)} rows but y has {len(y)} labels; expected as many")
        if len(y) < 2:
            return RegressionModel(_Constant(float(y[0]) if len(y) else 0.0))
        estimator = clone(self.estimator)
        estimator.set_params(**small_sample_changes(estimator, len(y), seed))
        weights = weight_argument(estimator, sample_weight)
        try:
            with warnings.catch_warnings():
                # hyperparameters at their bounds are the ordinary case with a handful of labels
                warnings.filterwarnings("ignore", module="sklearn")
                estimator.fit(X, y, **weights)
        except LalError:
            raise
        except Exception as error:  # whatever a stranger's fit raises: one sentence
            raise refused_fit(self.name, len(y), error) from error
        return RegressionModel(estimator, X, y)


class RegressionModel:
    """A fitted regressor; a `lal.task.Model` without classes.

    Args:
        estimator: A fitted regressor or pipeline.
        labelled: The rows it was fitted on; without them ridge has no variance.
        labels: Their numbers.
    """

    n_classes = 0

    def __init__(
        self, estimator: Any, labelled: Rows | None = None, labels: Floats | None = None
    ) -> None:
        self.estimator = estimator
        self.labelled = labelled
        self.labels = labels

    def predict(self, X: Rows) -> Floats:
        """Return predictions, shape (n,).

        Raises:
            DataError: The estimator fails, or gives something else than one finite number a row.
        """
        return _checked(self.estimator.predict, X, type(self.estimator).__name__)

    def predict_proba(self, X: Rows) -> Floats:
        """Refuse: numbers have no class probabilities.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            f"{type(self.estimator).__name__} predicts numbers and has no class probabilities; ask "
            "for predict(X), or make the task with a classifier"
        )

    def committee_proba(self, X: Rows) -> None:
        """Return None: the members of a regressor are in `predict_members`."""
        return

    def predict_members(self, X: Rows) -> Floats | None:
        """Return the predictions of an ensemble's members, shape (M, n); None without members."""
        estimator, rows = last_step(self.estimator, X)
        return _member_predictions(estimator, rows)

    def variance(self, X: Rows) -> Floats | None:
        """Return the predictive variance, shape (n,), in squared units of y; None without one.

        Where ``predict`` takes ``return_std`` (Gaussian processes, Bayesian ridge), its square; for
        ridge regression the leverage times the residual variance; for ensembles the variance of
        their members.
        """
        from sklearn.linear_model import Ridge

        estimator, rows = last_step(self.estimator, X)
        if isinstance(estimator, Ridge) and self.labelled is not None and self.labels is not None:
            return self._ridge_variance(estimator, rows)
        if _gives_std(estimator):
            std: Floats = np.asarray(estimator.predict(rows, return_std=True)[1], np.float64)
            return std**2
        members = _member_predictions(estimator, rows)
        if members is None:
            return None
        spread: Floats = members.var(axis=0)
        return spread

    def _ridge_variance(self, ridge: Any, rows: Rows) -> Floats:
        """Return ``s^2 (1/L + z' (Z'Z + alpha I)^-1 z)``, z centred; Hoerl & Kennard (1970)."""
        _, labelled = last_step(self.estimator, self.labelled)
        A = dense(labelled)
        centre = A.mean(axis=0) if ridge.fit_intercept else np.zeros(A.shape[1])
        A, Z = A - centre, dense(rows) - centre
        alpha = max(float(np.max(ridge.alpha)), 1e-10)
        if len(A) < A.shape[1]:  # the smaller of the two systems
            inner = np.linalg.solve(A @ A.T + alpha * np.eye(len(A)), A @ Z.T)
            leverage = ((Z * Z).sum(axis=1) - ((Z @ A.T).T * inner).sum(axis=0)) / alpha
        else:
            solved = np.linalg.solve(A.T @ A + alpha * np.eye(A.shape[1]), Z.T)
            leverage = (Z.T * solved).sum(axis=0)
        residual = np.asarray(self.labels) - self.predict(self.labelled)
        spread = max(float(np.mean(residual**2)), 1e-12)
        variance: Floats = spread * (1.0 / len(A) + np.maximum(leverage, 0.0))
        return variance


class _Constant:
    """What is predicted before two labels are there."""

    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, X: Rows) -> Floats:
        return np.full(n_rows(X), self.value)


def _member_predictions(estimator: Any, X: Rows) -> Floats | None:
    """Return the members' predictions, shape (M, n): forests, bagging and voting have members."""
    from sklearn.ensemble import (
        BaggingRegressor,
        ExtraTreesRegressor,
        RandomForestRegressor,
        VotingRegressor,
    )

    kinds = BaggingRegressor | ExtraTreesRegressor | RandomForestRegressor | VotingRegressor
    if not isinstance(estimator, kinds):
        return None
    members = list(estimator.estimators_)
    if not isinstance(estimator, VotingRegressor):
        # members of forests and bagging were fitted on plain arrays, without column names
        X = X.tocsr() if hasattr(X, "tocsr") else np.asarray(X)
    columns = getattr(estimator, "estimators_features_", [None] * len(members))
    found = [
        np.asarray(member.predict(X if keep is None else X[:, keep]), dtype=np.float64)
        for member, keep in zip(members, columns, strict=True)
    ]
    return np.stack(found)


def _gives_std(estimator: Any) -> bool:
    import inspect

    try:
        return "return_std" in inspect.signature(estimator.predict).parameters
    except (TypeError, ValueError):
        return False


def _checked(predict: Callable[[Rows], Any], X: Rows, name: str) -> Floats:
    try:
        found = np.asarray(predict(X), dtype=np.float64)
    except LalError:
        raise
    except Exception as error:  # whatever a stranger's code raises: one sentence
        raise DataError(
            f"{name} gives no predictions for the rows of X: {quoted(error)}"
        ) from error
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.shape != (n_rows(X),) or not np.isfinite(found).all():
        raise DataError(
            f"{name} gave predictions of shape {found.shape}, or not finite; expected one finite "
            f"number for each of the {n_rows(X)} rows"
        )
    return found


def wrap_fitted_regressor(reg: Any, labelled: Rows, labels: Floats) -> RegressionModel:
    """Return the model of a regressor that was fitted elsewhere; it is never refitted.

    Raises:
        UsageError: It is not a regressor, or not fitted.
    """
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    _check_regressor(reg)
    try:
        check_is_fitted(reg)
    except NotFittedError:
        raise UsageError(
            f"{type(reg).__name__} is not fitted; fit it first, or pass fit_clf=True to have a "
            "clone fitted"
        ) from None
    return RegressionModel(reg, labelled, labels)


def _check_regressor(estimator: Any) -> None:
    from sklearn.base import is_regressor

    if not (hasattr(estimator, "fit") and hasattr(estimator, "__sklearn_tags__")):
        raise UsageError(
            f"{estimator!r} is not an estimator; expected a scikit-learn regressor or pipeline, or "
            'a learner with kind = "regression"'
        )
    if not is_regressor(estimator):
        raise UsageError(
            f"{type(estimator).__name__} is not a regressor, and the task is a regression; "
            "expected a regressor such as Ridge() or RandomForestRegressor()"
        )


def _named(name: str, estimator: Any, options: dict[str, Any]) -> RegressionLearner:
    shown = ", ".join(f"{key}={value!r}" for key, value in sorted(options.items()))
    return RegressionLearner(estimator, name=f"{name}({shown})" if shown else name)


@REGRESSORS.register("ridge")
def ridge(**options: Any) -> Learner:
    """Ridge regression, alpha 1; its variance is leverage times residual variance."""
    from sklearn.linear_model import Ridge

    return _named("ridge", Ridge(**options), options)


@REGRESSORS.register("gp")
def gp(**options: Any) -> Learner:
    """Gaussian process whose length scale and noise are the likeliest of a grid."""
    from lal.learners.gp_regression import GPRegression

    return _named("gp", GPRegression(**options), options)


@REGRESSORS.register("random_forest")
def random_forest(**options: Any) -> Learner:
    """Random forest of 50 full-depth trees; its trees are its committee."""
    from sklearn.ensemble import RandomForestRegressor

    defaults = {"n_estimators": 50}
    return _named("random_forest", RandomForestRegressor(**(defaults | options)), options)


@REGRESSORS.register("mlp_ensemble")
def mlp_ensemble(**options: Any) -> Learner:
    """Five small networks on bootstraps, y standardised; its networks are its committee."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import BaggingRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.preprocessing import StandardScaler

    network = MLPRegressor(
        **({"hidden_layer_sizes": (16,), "solver": "lbfgs", "alpha": 0.1} | options)
    )
    scaled = TransformedTargetRegressor(network, transformer=StandardScaler())
    return _named("mlp_ensemble", BaggingRegressor(scaled, n_estimators=5), options)
