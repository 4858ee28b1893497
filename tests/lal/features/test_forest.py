"""The LAL features of a scikit-learn forest against its own attributes, and their asymmetry."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lal.checks import renamed
from lal.episode import Episode
from lal.features import candidate_matrix
from lal.learners import make_learner
from lal.task import Part, Task


def get_episode(learner, classes_known=False):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] + 0.5 * rng.normal(size=60) > 0).astype(np.int64)
    task = Task(
        "t", "t", make_learner(learner), 2, Part(X, y), None, budget=5, start=20,
        classes_known=classes_known,
    )  # fmt: skip
    return Episode(task, seed=4)


@pytest.mark.parametrize("known", [True, False])
def test_against_scikit_learn(known):
    forest = RandomForestClassifier(40, random_state=3)
    episode = get_episode(forest, known)
    state = episode.state()
    rows = episode.pool.labelled
    same = RandomForestClassifier(40, random_state=3, oob_score=True)
    same.fit(state.X[rows], episode.pool.labels)
    trees = np.stack([t.predict_proba(state.X)[:, 0] for t in same.estimators_])
    found = candidate_matrix(state, ["lal_forest@1"])
    np.testing.assert_allclose(found[:, 0], same.predict_proba(state.X)[:, 0])
    np.testing.assert_allclose(found[:, 1], trees.std(axis=0))
    whole = [
        episode.pool.labels.mean(),
        same.oob_score_,
        np.std(same.feature_importances_ / 3),
        trees.std(axis=0)[state.open].mean(),
        np.mean([t.get_depth() for t in same.estimators_]),
        20,
    ]
    np.testing.assert_allclose(found[7, 2:], whole)
    assert (np.ptp(found[:, 2:], axis=0) == 0).all()


def test_a_pipeline_knows_as_much():
    plain = get_episode(RandomForestClassifier(20, random_state=1)).state()
    piped = get_episode(
        make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=1))
    ).state()
    ours, theirs = (candidate_matrix(s, ["lal_forest@1"]) for s in (plain, piped))
    np.testing.assert_allclose(theirs[:, 3], ours[:, 3])
    np.testing.assert_allclose(theirs[:, 6], ours[:, 6])


def test_renaming_classes_changes_it_and_it_says_so():
    from lal.features import FEATURES

    state = get_episode(RandomForestClassifier(20, random_state=1)).state()
    ours = candidate_matrix(state, ["lal_forest@1"])
    theirs = candidate_matrix(renamed(state), ["lal_forest@1"])
    np.testing.assert_allclose(theirs[:, 0], 1.0 - ours[:, 0])
    np.testing.assert_allclose(theirs[:, 2], 1.0 - ours[:, 2])
    assert not FEATURES["lal_forest@1"].class_symmetric


@pytest.mark.parametrize("learner", ["logistic_regression", "gaussian_nb"])
def test_without_a_forest_it_is_undefined(learner):
    state = get_episode(learner).state()
    assert (candidate_matrix(state, ["lal_forest@1"]) == 0).all()
    assert (candidate_matrix(replace(state, model=None), ["lal_forest@1"]) == 0).all()


def test_out_of_bag_accuracy_is_one_half_where_no_row_is_left_out():
    state = get_episode("extra_trees").state()
    assert (candidate_matrix(state, ["lal_forest@1"])[:, 3] == 0.5).all()


def test_two_classes_folded_are_the_published_features_folded():
    state = get_episode(RandomForestClassifier(20, random_state=1)).state()
    published = candidate_matrix(state, ["lal_forest@1"])
    wanted = published.copy()
    wanted[:, 0] = np.abs(2 * published[:, 0] - 1)
    wanted[:, 2] = 2 * np.minimum(published[:, 2], 1 - published[:, 2])
    found = candidate_matrix(state, ["lal_forest_folded@1"])
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    np.testing.assert_allclose(
        candidate_matrix(renamed(state), ["lal_forest_folded@1"]), found, atol=1e-9
    )
