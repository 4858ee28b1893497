"""The shipped LAL policies in `query`: they ask with a forest and warn without one."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from lal.policies.kinds import load_policy
from lal.policies.pool_policy import PolicyRangeWarning

X, Y = make_classification(80, 4, random_state=0)
KNOWN = np.where(np.arange(80) < 12, Y, np.nan)


@pytest.mark.parametrize("name", ["lal-independent", "lal-iterative"])
def test_a_forest_is_asked(name):
    forest = RandomForestClassifier(50, random_state=0)
    _, utilities = load_policy(name).query(X, KNOWN, forest, return_utilities=True)
    assert len(np.unique(utilities[0, 12:])) > 5
    fitted = RandomForestClassifier(50, random_state=0).fit(X[:12], Y[:12])
    _, own = load_policy(name).query(X, KNOWN, fitted, fit_clf=False, return_utilities=True)
    np.testing.assert_array_equal(own, utilities)


def test_other_learners_are_warned_of():
    policy = load_policy("lal-independent")
    with pytest.warns(PolicyRangeWarning, match="needs a learner with committee"):
        policy.query(X, KNOWN, LogisticRegression())


def test_more_classes_are_warned_of():
    y = np.where(np.arange(80) < 12, np.arange(80) % 3, np.nan)
    with pytest.warns(PolicyRangeWarning, match="trained with n_classes from 2 to 2"):
        load_policy("lal-independent").query(X, y, RandomForestClassifier(50, random_state=0))


def test_renaming_classes_changes_what_is_asked():
    """Declared, and so: the first feature is the probability of class 0."""
    policy = load_policy("lal-independent")
    forest = RandomForestClassifier(50, random_state=0)
    _, ours = policy.query(X, KNOWN, forest, return_utilities=True)
    _, theirs = policy.query(X, 1.0 - KNOWN, forest, return_utilities=True)
    assert not policy.class_symmetric
    assert not np.allclose(ours[0, 12:], theirs[0, 12:])
