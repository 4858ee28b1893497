"""Models: fitted scikit-learn classifiers that speak of all classes of the task."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import DataError, UsageError
from lal.learners.capabilities import last_layer_gradient
from lal.learners.embeddings import embedding, has_gradient, head_proba
from lal.learners.laplace import draw_proba
from lal.learners.leverage import class_leverage
from lal.learners.members import last_step, member_proba
from lal.learners.probabilities import estimator_proba, spread
from lal.learners.targets import label_tuple
from lal.pool import dense, n_rows
from lal.task import Model


class ConstantModel:
    """What is predicted before two classes are seen.

    Args:
        proba: Probabilities of all classes, the same for every row, shape (C,).
    """

    def __init__(self, proba: Floats) -> None:
        self.proba = proba
        self.n_classes = len(proba)

    def predict_proba(self, X: Rows) -> Floats:
        """Return the constant probabilities, shape (n, C)."""
        return np.tile(self.proba, (n_rows(X), 1))

    def predict(self, X: Rows) -> Ints:
        """Return the likeliest class code for every row, shape (n,)."""
        return np.full(n_rows(X), int(np.argmax(self.proba)), dtype=np.int64)

    def committee_proba(self, X: Rows) -> None:
        """Return None: a constant has no members."""
        return

    def variance(self, X: Rows) -> None:
        """Return None: a constant has no variance."""
        return


class SklearnModel:
    """A fitted classifier with one probability column for every class of the task.

    Args:
        estimator: A fitted classifier or pipeline.
        columns: Class code of each of its columns, -1 where that is not a class of the task.
        n_classes: C, classes of the task.
        labelled: The rows it was fitted on; without them there is no leverage.
        labels: Their class codes; without them a forest has no statistics.
    """

    def __init__(
        self,
        estimator: Any,
        columns: Ints,
        n_classes: int,
        labelled: Rows | None = None,
        labels: Ints | None = None,
    ) -> None:
        self.estimator = estimator
        self.columns = columns
        self.n_classes = int(n_classes)
        self.labelled = labelled
        self.labels = labels

    def predict_proba(self, X: Rows) -> Floats:
        """Return probabilities of all classes, shape (n, C); 0 for classes never seen.

        Where the estimator has only a ``decision_function``, through the fixed logistic of
        `lal.learners.probabilities.decision_to_proba`.
        """
        return self._spread(estimator_proba(self.estimator, X, len(self.columns)))

    def _spread(self, narrow: Floats) -> Floats:
        kept = self.columns >= 0
        if kept.all():
            return spread(narrow, self.columns, self.n_classes)
        return spread(narrow[..., kept], self.columns[kept], self.n_classes)

    def predict(self, X: Rows) -> Ints:
        """Return the codes of the likeliest classes, shape (n,)."""
        codes: Ints = np.argmax(self.predict_proba(X), axis=1)
        return codes

    def committee_proba(self, X: Rows) -> Floats | None:
        """Return the members' probabilities, shape (M, n, C); None without members."""
        estimator, rows = last_step(self.estimator, X)
        members = member_proba(estimator, rows)
        return None if members is None else self._spread(members)

    def embed(self, X: Rows) -> Floats | None:
        """Return what the last layer sees, shape (n, h); see `lal.learners.embeddings`."""
        return embedding(self.estimator, X)

    def head_proba(self, embedding: Floats) -> Floats | None:
        """Return the last layer's probabilities of points of the embedding, (n, h) to (n, C)."""
        narrow = head_proba(self.estimator, embedding, len(self.columns))
        return None if narrow is None else self._spread(narrow)

    def gradient_embedding(self, X: Rows) -> Floats | None:
        """Return the last layer's gradients for the predicted labels, shape (n, C h).

        None for all but logistic regression and multi-layer perceptrons.
        """
        seen = self.embed(X) if has_gradient(self.estimator) else None
        return None if seen is None else last_layer_gradient(self.predict_proba(X), seen)

    def input_gradient(self, X: Rows, target: Floats) -> Floats | None:
        """Return the gradient of the cross-entropy of `target` (n, C) in the rows, shape (n, D).

        Logistic regression alone: ``(p - t) W``. None for pipelines and other estimators.
        """
        if not has_gradient(self.estimator) or np.ndim(getattr(self.estimator, "coef_", 0)) != 2:
            return None
        error = (self.predict_proba(X) - target)[:, self.columns]
        weights = self.estimator.coef_
        gradient: Floats = (error[:, 1:] if len(weights) == 1 else error) @ weights
        return gradient

    def sample_proba(self, X: Rows, n: int, rng: np.random.Generator) -> Floats | None:
        """Return probabilities under n draws of logistic regression's weights, shape (n, rows, C).

        None for other estimators. Source: see `lal.learners.laplace`.
        """
        known = self.labelled
        drawn = None if known is None else draw_proba(self.estimator, X, known, n, rng)
        return None if drawn is None else self._spread(drawn)

    def variance(self, X: Rows) -> Floats | None:
        """Return the predictive variance, shape (n,): leverage for logistic regression.

        An estimator's own ``predictive_variance(X)`` wins. None for all other estimators.
        """
        from sklearn.linear_model import LogisticRegression

        estimator, rows = last_step(self.estimator, X)
        if hasattr(estimator, "predictive_variance"):
            own: Floats = np.asarray(estimator.predictive_variance(rows), dtype=np.float64)
            return own
        if self.labelled is None or not isinstance(estimator, LogisticRegression):
            return None
        _, labelled = last_step(self.estimator, self.labelled)
        proba = np.asarray(estimator.predict_proba(labelled), dtype=np.float64)
        ridge = max(1.0 / estimator.C, 1e-10)
        return class_leverage(dense(rows), dense(labelled), proba, ridge)

    def forest_statistics(self) -> tuple[float, Floats, float] | None:
        """Return what a forest knows of itself; None for other estimators.

        Returns:
            Out-of-bag accuracy (0.5 where no row was left out of a tree), importances (D,), mean
            depth of the trees.
        """
        from lal.learners.forests import statistics

        if self.labelled is None or self.labels is None:
            return None
        estimator, rows = last_step(self.estimator, self.labelled)
        return statistics(estimator, rows, self.labels)


def wrap_fitted(
    clf: Any, classes: Sequence[Any], labelled: Rows | None = None, labels: Ints | None = None
) -> Model:
    """Return the model of a classifier that was fitted elsewhere.

    Args:
        clf: A fitted classifier or pipeline; it is used as it is and never refitted.
        classes: All classes of the task; position is code. May hold classes `clf` never saw.
        labelled: The rows `clf` was fitted on, for the leverage of logistic regression.
        labels: Their class codes, for the out-of-bag accuracy of forests.

    Raises:
        UsageError: `clf` is not fitted.
        DataError: `clf` knows a class that is not among `classes`, or was fitted to the columns
            of a frame and is given others.
    """
    _check_columns(clf, labelled)
    own = getattr(clf, "classes_", None)
    if own is None:
        raise UsageError(
            f"{type(clf).__name__} is not fitted (it has no classes_); fit it first, or pass "
            "fit_clf=True to have a clone fitted"
        )
    code = {label: i for i, label in enumerate(np.asarray(classes).tolist())}
    names = label_tuple(own, type(clf).__name__)
    strangers = [label for label in names if label not in code]
    if strangers:
        raise DataError(
            f"the classifier knows the class {strangers[0]!r}, which is not among the "
            f"{len(code)} classes of the task; expected a subset of them"
        )
    columns = np.array([code[label] for label in names], dtype=np.int64)
    return SklearnModel(clf, columns, len(code), labelled, labels)


def _check_columns(clf: Any, rows: Rows | None) -> None:
    """Refuse a frame whose columns are not those of the fit; some libraries go by position."""
    named = [str(name) for name in getattr(clf, "feature_names_in_", ())]
    columns = [str(name) for name in getattr(rows, "columns", ())]
    if not named or not columns or columns == named:
        return
    if set(columns) != set(named) and named == [f"Column_{i}" for i in range(len(named))]:
        return  # LightGBM's names for an array
    raise DataError(
        f"{type(clf).__name__} was fitted to the columns {named} and X has {columns}; pass the "
        "same columns in the same order"
    )
