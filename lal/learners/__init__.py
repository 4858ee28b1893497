"""Learners: what is fitted to the labelled samples, by name or from any scikit-learn classifier."""

from lal.learners.names import LEARNERS, make_learner, make_named_learner, read_learner
from lal.learners.sklearn_learner import SklearnLearner
from lal.learners.sklearn_model import SklearnModel, wrap_fitted

__all__ = [
    "LEARNERS",
    "SklearnLearner",
    "SklearnModel",
    "make_learner",
    "make_named_learner",
    "read_learner",
    "wrap_fitted",
]
