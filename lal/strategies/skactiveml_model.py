"""Our models as scikit-activeml's classifiers. Loaded lazily: it imports scikit-activeml."""

from collections.abc import Callable
from typing import Any

import numpy as np
from skactiveml.base import SkactivemlClassifier
from skactiveml.classifier import MixtureModelClassifier, ParzenWindowClassifier, SklearnClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import BayesianGaussianMixture

from lal.arrays import Floats
from lal.state import QueryState
from lal.strategies.committee import bagged_models


class TaskClassifier(SkactivemlClassifier):  # type: ignore[misc]
    """The task's learner behind scikit-activeml's interface; unlabelled rows carry nan.

    Args:
        learner: Fits and predicts.
        classes: Class codes.
        missing_label: Marks rows without a label.
        cost_matrix: Kept for the interface; None.
        random_state: Seed of the learner.
    """

    def __init__(
        self,
        learner: Any = None,
        classes: Any = None,
        missing_label: float = np.nan,
        cost_matrix: Any = None,
        random_state: int | None = None,
    ) -> None:
        super().__init__(classes, missing_label, cost_matrix, random_state)
        self.learner = learner

    def fit(self, X: Any, y: Any, sample_weight: Floats | None = None) -> "TaskClassifier":
        """Fit the learner to the rows with a label."""
        X, codes, sample_weight = self._validate_data(X, y, sample_weight)
        known = codes >= 0
        model = self.learner.fit(
            X[known],
            codes[known].astype(np.int64),
            n_classes=len(self.classes_),
            sample_weight=None if sample_weight is None else sample_weight[known],
            seed=self.random_state or 0,
        )
        self.answer_ = model.predict_proba
        return self

    def adopt(self, X: Any, y: Any, answer: Callable[[Any], Floats]) -> "TaskClassifier":
        """Take over a fitted model's probabilities instead of fitting."""
        self._validate_data(X, y)
        self.answer_ = answer
        return self

    def predict_proba(self, X: Any, **_: Any) -> Floats:
        """Return the model's probabilities, shape (n, C)."""
        proba: Floats = self.answer_(X)
        return proba


class _Members:
    """The members' probabilities of the rows asked for last; all members ask for the same."""

    def __init__(self, answer: Callable[[Any], Floats]) -> None:
        self.answer = answer
        self.rows: Any = None
        self.members: Floats | None = None

    def of(self, index: int, rows: Any) -> Floats:
        if self.members is None or not np.array_equal(self.rows, rows):
            self.rows, self.members = rows, self.answer(rows)
        one: Floats = self.members[index]
        return one


class _Member:
    def __init__(self, members: _Members, index: int) -> None:
        self.members, self.index = members, index

    def __call__(self, rows: Any) -> Floats:
        return self.members.of(self.index, rows)


def as_fitted(state: QueryState, X: Floats, y: Floats) -> TaskClassifier:
    """Return the state's model as a fitted classifier; a refit goes through its learner."""
    return _classifier(state).adopt(X, y, state.model.predict_proba)  # type: ignore[union-attr]


def ensemble(
    state: QueryState, X: Floats, y: Floats, rng: np.random.Generator, n_members: int = 8
) -> list[TaskClassifier]:
    """Return the members of the state's model, or bagged refits of its learner."""
    answers: list[Callable[[Any], Floats]]
    if state.committee is not None:
        members = _Members(state.model.committee_proba)  # type: ignore[union-attr, arg-type]
        answers = [_Member(members, index) for index in range(len(state.committee))]
    else:
        answers = [model.predict_proba for model in bagged_models(state, rng, n_members)]
    return [_classifier(state).adopt(X, y, answer) for answer in answers]


def own_classifier(kind: str, X: Floats, y: Floats, state: QueryState, seed: int) -> Any:
    """Return the classifier that a strategy insists on, fitted to Z and the labels."""
    classes = list(range(max(state.n_classes, 2)))
    if kind == "MixtureModelClassifier":
        mixture = BayesianGaussianMixture(
            n_components=min(5, len(X)), covariance_type="diag", random_state=seed, max_iter=1000
        )
        clf = MixtureModelClassifier(mixture, classes=classes, random_state=seed)
    else:
        clf = ParzenWindowClassifier(classes=classes, random_state=seed)
    return clf.fit(X, y)


def discriminator(seed: int) -> Any:
    """Return the classifier that tells labelled rows from unlabelled ones."""
    return SklearnClassifier(LogisticRegression(max_iter=1000), classes=[0, 1], random_state=seed)


def _classifier(state: QueryState) -> TaskClassifier:
    return TaskClassifier(
        state.learner, classes=list(range(state.n_classes)), missing_label=np.nan, random_state=0
    )
