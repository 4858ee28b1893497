"""The members of ensembles, as a committee."""

from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows


def last_step(estimator: Any, X: Rows) -> tuple[Any, Rows]:
    """Return the last step of a pipeline and the rows as that step sees them."""
    from sklearn.pipeline import Pipeline

    while isinstance(estimator, Pipeline):
        if len(estimator.steps) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator.steps[-1][1]
    return estimator, X


def last_estimator(estimator: Any) -> Any:
    """Return the last step of a pipeline, or the estimator itself."""
    from sklearn.pipeline import Pipeline

    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def member_proba(estimator: Any, X: Rows) -> Floats | None:
    """Return the members' probabilities over the ensemble's classes, shape (M, n, S), or None.

    Forests, bagging and voting have members; boosting has not: its stages are terms of one sum.
    """
    from sklearn.ensemble import (
        BaggingClassifier,
        ExtraTreesClassifier,
        RandomForestClassifier,
        VotingClassifier,
    )

    if not isinstance(
        estimator,
        BaggingClassifier | ExtraTreesClassifier | RandomForestClassifier | VotingClassifier,
    ):
        return None
    members = list(estimator.estimators_)
    if not all(hasattr(member, "predict_proba") for member in members):
        return None
    if not isinstance(estimator, VotingClassifier):
        # Members of forests and bagging were fitted on plain arrays, without column names.
        X = X.tocsr() if hasattr(X, "tocsr") else np.asarray(X)
    columns = getattr(estimator, "estimators_features_", [None] * len(members))
    n_classes = len(estimator.classes_)
    return np.stack(
        [
            _one(member, X if keep is None else X[:, keep], n_classes)
            for member, keep in zip(members, columns, strict=True)
        ]
    )


def _one(member: Any, X: Rows, n_classes: int) -> Floats:
    proba = np.asarray(member.predict_proba(X), dtype=np.float64)
    # A bootstrap may miss classes; members speak of positions in the ensemble's classes.
    seen: Ints = np.asarray(member.classes_).astype(np.int64)
    full = np.zeros((len(proba), n_classes))
    full[:, seen] = proba
    return full
