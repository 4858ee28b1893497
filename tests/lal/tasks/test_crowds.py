"""Crowds and several labels: questions, simulated annotators, EM, and the rules that ask."""

from typing import Any

import numpy as np
import pytest
from scipy.special import expit

import lal
from lal.checks.states import sample_state
from lal.errors import UsageError
from lal.learners.crowd import CrowdLearner, QuestionColumns, soft_logistic
from lal.strategies.crowds import CrowdExpertise, MultiLabelCrowd
from lal.tasks.crowds import Crowd, crowd_task, make_multilabel_task

NOBODY: Any = "none"


def items(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, (X[:, 0] > 0).astype(np.int64)


def wine_task(crowd=None, **options):
    made = lal.make_task(
        lal.load_dataset("sklearn:wine"), lal.make_learner("logistic_regression"),
        seed=0, budget=5, max_pool=40,
    )  # fmt: skip
    return crowd_task(made, crowd, seed=0, **options)


@pytest.mark.parametrize("n_labels", [1, 3])
def test_questions_come_apart_as_they_were_joined(n_labels):
    X, columns = items(5)[0], QuestionColumns(4, n_labels)
    found = columns.split(columns.every(X))
    assert found.annotator.tolist() == list(range(4)) * 5 * n_labels
    assert found.label.tolist() == np.tile(np.repeat(np.arange(n_labels), 4), 5).tolist()
    np.testing.assert_array_equal(found.items, np.repeat(X, 4 * n_labels, axis=0))
    truth = columns.split(columns.truth(X))
    assert (truth.annotator == -1).all()
    assert len(truth.label) == 5 * n_labels


def test_half_space_annotators_are_wrong_on_one_side_as_often_as_they_say():
    X, y = items(4000)
    crowd = Crowd(3, good=0.1, bad=0.4)
    rng = np.random.default_rng(1)
    errors = crowd.errors(X, rng)
    assert set(np.unique(errors)) == {0.1, 0.4}
    said = crowd.answers(y, errors[:, 0], 2, rng)
    for rate in (0.1, 0.4):
        assert (said != y)[errors[:, 0] == rate].mean() == pytest.approx(rate, abs=0.04)


def test_abstention_is_a_further_class_that_is_never_predicted():
    made = wine_task(Crowd(2, "perfect", abstain=0.3))
    assert made.task.n_classes == 4
    assert (made.task.pool.y == 3).mean() == pytest.approx(0.3, abs=0.12)
    curve = lal.run_episode(lal.make_strategy("crowd_expertise"), made.task, seed=0)
    model = made.task.learner.bind(made.task.pool.X).fit(
        made.task.pool.X[curve.queried], made.task.pool.y[curve.queried], n_classes=4
    )
    assert (model.predict_proba(made.task.pool.X)[:, 3] == 0).all()


def test_soft_logistic_is_where_its_gradient_vanishes():
    X, y = items(50)
    F = np.column_stack([np.ones(50), X])
    target, weight = 0.8 * y + 0.1, np.linspace(0.5, 2.0, 50)
    w = soft_logistic(F, target, weight, np.zeros(3), centre=1.4, penalty=2.0,
                      intercept_penalty=0.5, n_steps=20)  # fmt: skip
    pull = np.array([0.5, 2.0, 2.0]) * (w - [1.4, 0.0, 0.0])
    gradient = F.T @ (weight * (expit(F @ w) - target)) + pull
    np.testing.assert_allclose(gradient, 0.0, atol=1e-8)


def test_em_tells_a_bad_annotator_from_good_ones():
    X, y = items(60)
    columns, rng = QuestionColumns(3), np.random.default_rng(2)
    Q = columns.every(X)
    error = np.tile([0.05, 0.1, 0.5], 60)
    said = Crowd(3).answers(np.repeat(y, 3), error, 2, rng)
    learner = CrowdLearner(3, expertise="constant", annotator_penalty=0.5)
    model = learner.bind(Q).fit(Q, said, n_classes=2)
    found = model.annotator_error(Q[:3])
    np.testing.assert_allclose(found, [0.05, 0.1, 0.5], atol=0.1)
    assert (model.predict(columns.truth(X)) == y).mean() > 0.9


def test_without_answers_nothing_is_known():
    Q = QuestionColumns(2).every(items(4)[0])
    model = CrowdLearner(2).fit(Q[:0], np.zeros(0, np.int64), n_classes=2)
    np.testing.assert_array_equal(model.predict_proba(Q), 0.5)
    np.testing.assert_allclose(model.annotator_error(Q), 1 - expit(1.4))


def asked_state(learner, Q, y, rows):
    from lal.data.view import make_geometry
    from lal.state import QueryState

    model = learner.bind(Q).fit(Q[rows], y[rows], n_classes=2)
    return QueryState(
        X=Q, geometry=make_geometry(Q), labelled=rows, labels=y[rows], n_classes=2,
        classes_known=True, proba=model.predict_proba(Q), model=model, learner=learner,
    )  # fmt: skip


def test_crowd_expertise_by_hand_and_costs():
    X, y = items(20)
    Q = QuestionColumns(2).every(X)
    state = asked_state(CrowdLearner(2), Q, np.repeat(y, 2), np.arange(0, 40, 3))
    p, error = state.proba[:, 1], state.model.annotator_error(Q)
    rng = np.random.default_rng(0)
    found = CrowdExpertise(weight=0.7).utilities(state, rng)
    np.testing.assert_allclose(found, -((0.5 - p) ** 2) - 0.7 * error, atol=1e-12)
    dear = CrowdExpertise(weight=0.7, costs=(0.0, 9.0)).utilities(state, rng)
    np.testing.assert_allclose(found - dear, np.tile([0.0, 9.0], 20))


def test_the_most_reliable_annotator_of_a_question_comes_first():
    X, y = items(12)
    Q = QuestionColumns(3, 2).every(X)
    labels = np.repeat(np.column_stack([y, 1 - y]).ravel(), 3)
    state = asked_state(CrowdLearner(3, 2, expertise="constant"), Q, labels, np.arange(30))
    error = state.model.annotator_error(Q)
    found = MultiLabelCrowd(explore=0).utilities(state, np.random.default_rng(0))
    open_values = found[30:].reshape(-1, 3)
    assert (open_values.argmax(axis=1) == error[:3].argmin()).all()
    np.testing.assert_allclose(open_values.min(axis=1), 0.25 * open_values.max(axis=1))


@pytest.mark.parametrize("name", ["crowd_expertise", "multilabel_crowd"])
def test_other_learners_are_refused(name):
    with pytest.raises(UsageError, match=r"needs a learner with annotator_error .*'crowd'"):
        lal.make_strategy(name).utilities(sample_state(), np.random.default_rng(0))


@pytest.mark.parametrize("name", ["margin", "core_set", "crowd_expertise"])
def test_pool_strategies_run_on_crowds_as_they_are(name):
    made = wine_task()
    curve = lal.run_episode(lal.make_strategy(name), made.task, seed=0)
    assert curve.n_labels[-1] == 15
    assert curve.metrics["accuracy"][-1] > 0.5


def test_the_default_policy_runs_on_crowds():
    curve = lal.run_episode(lal.load_policy("default"), wine_task().task, seed=0)
    assert curve.n_labels[-1] == 15


def test_several_labels_without_a_crowd_are_pairs_of_item_and_label():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    Y = (X > 0).astype(int)
    made = make_multilabel_task(X, Y, seed=0, budget=60)
    assert len(made.task.pool) == 3 * len(np.unique(made.task.pool.X[:, :3], axis=0))
    assert (made.task.pool.y == made.truth).all()
    curve = lal.run_episode(lal.make_strategy("margin"), made.task, seed=0, batch_size=10)
    assert curve.metrics["accuracy"][-1] > 0.8


def test_test_labels_never_reach_the_learner():
    made = wine_task()
    assert not made.task.test.X[:, -5:].any()
    assert made.task.blind().test is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Crowd(2, NOBODY), "expertise must be 'half_space'"),
        (lambda: Crowd(good=0.5, bad=0.1), "expected 0 <= good <= bad <= 1"),
        (lambda: Crowd(2, costs=(1.0,)), "2 annotators and 1 costs"),
        (lambda: QuestionColumns(0), "must be at least 1, got 0 and 1"),
        (lambda: QuestionColumns(2).split(np.ones((3, 2))), "got 2 columns"),
        (lambda: CrowdLearner(expertise=NOBODY), "expertise must be 'rows' or 'constant'"),
        (lambda: CrowdExpertise(weight=-1.0), "weight must not be negative"),
        (lambda: MultiLabelCrowd(discount=2.0), "discount must lie between 0 and 1"),
        (lambda: wine_task(learner=CrowdLearner(2)), "the learner is for QuestionColumns"),
        (lambda: make_multilabel_task(np.ones((4, 2)), [1, 0, 1, 0], seed=0), "a table of 0 and 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()
