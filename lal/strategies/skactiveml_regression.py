"""What scikit-activeml's strategies for regression are given: the task's model, or their own."""

from collections.abc import Collection
from typing import Any

import numpy as np
from skactiveml.regressor import NICKernelRegressor, SklearnRegressor
from sklearn.base import BaseEstimator, RegressorMixin

from lal.arrays import Floats
from lal.state import QueryState

OWN_REGRESSOR = (
    "ExpectedModelOutputChange",
    "ExpectedModelVarianceReduction",
    "KLDivergenceMaximization",
)
"""Strategies that need a distribution over y: a kernel regressor is fitted to X, the task model is
unused."""


class Fitted(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor of scikit-learn's form around the task's learner.

    Args:
        learner: Fits it to the labelled rows.
    """

    def __init__(self, learner: Any = None) -> None:
        self.learner = learner

    def __sklearn_clone__(self) -> "Fitted":
        """Return a copy of what only carries its learner along: learners are no estimators."""
        return Fitted(self.learner)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Fitted":
        """Fit the learner to all rows given."""
        self.model_ = self.learner.fit(X, np.asarray(y), n_classes=0, sample_weight=sample_weight)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Floats:
        """Return the model's predictions, shape (n,)."""
        found: Floats = self.model_.predict(X)
        return found


def arguments(name: str, asked: Collection[str], state: QueryState) -> dict[str, Any]:
    """Return what a strategy's query is given besides the pool.

    Args:
        name: Class name in ``skactiveml.pool``.
        asked: Parameters of its query.
        state: The pool as it stands.
    """
    if "reg" not in asked:
        return {}
    own = name in OWN_REGRESSOR
    reg = NICKernelRegressor() if own else SklearnRegressor(Fitted(state.learner))
    return {"reg": reg, "fit_reg": True}
