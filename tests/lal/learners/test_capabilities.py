"""Capabilities: what a model gives, what a strategy may ask for, and the sentence of a refusal."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lal.checks import sample_state
from lal.episode import _Seen
from lal.errors import UsageError
from lal.learners import LEARNERS, make_learner
from lal.learners.capabilities import (
    CAPABILITIES,
    TrainingDiary,
    find_capability,
    last_layer_gradient,
    require_capability,
)
from lal.learners.laplace import draw_scores
from lal.learners.leverage import leverage


def blobs(n_classes=3, n=45):
    rng = np.random.default_rng(0)
    y = np.arange(n) % n_classes
    return rng.normal(size=(n, 4)) + 2.0 * np.eye(4)[y], y


def fitted(learner, X, y) -> Any:
    return make_learner(learner).fit(X, y, n_classes=3)


def arguments(name, model, X):
    drawn = (X, 3, np.random.default_rng(0))
    head = (find_capability(model, "embed", X),)
    wanted = (X, np.full((len(X), model.n_classes), 1.0 / model.n_classes))
    known = {
        "diary": (), "sample_proba": drawn, "pixel_samples": drawn, "head_proba": head,
        "input_gradient": wanted,
    }  # fmt: skip
    return known.get(name, (X,))


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_table_names_the_learners_that_have_a_capability(capability):
    X, y = blobs()
    having = []
    for name in LEARNERS:
        model = fitted(name, X, y)
        if find_capability(model, capability, *arguments(capability, model, X)) is not None:
            having.append(name)
    assert sorted(CAPABILITIES[capability].learners) == having


def test_gradients_by_hand():
    proba, embedding = np.array([[0.7, 0.3]]), np.array([[2.0, -1.0, 0.5]])
    expected = [[-0.6, 0.3, -0.15, 0.6, -0.3, 0.15]]
    np.testing.assert_allclose(last_layer_gradient(proba, embedding), expected)


def test_gradients_are_those_of_the_loss_of_the_predicted_label():
    X, y = blobs()
    model = fitted("logistic_regression", X, y)
    gradient = model.gradient_embedding(X)
    weights, bias = model.estimator.coef_, model.estimator.intercept_

    def loss(flat, x, label):
        scores = flat.reshape(weights.shape) @ x + bias
        return np.log(np.exp(scores).sum()) - scores[label]

    for row in range(4):
        label = model.predict(X)[row]
        for place in range(weights.size):
            step = np.zeros(weights.size)
            step[place] = 1e-5
            up, down = (loss(weights.ravel() + s, X[row], label) for s in (step, -step))
            assert gradient[row, place] == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_a_pipeline_embeds_what_its_last_step_sees():
    X, y = blobs()
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    found = fitted(pipeline, X, y).embed(X)
    np.testing.assert_allclose(found, StandardScaler().fit_transform(X))


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_a_perceptron_embeds_its_last_hidden_layer(activation):
    X, y = blobs()
    network = MLPClassifier((7, 5), activation=activation, max_iter=40, random_state=0)
    with pytest.warns(match="Maximum iterations"):
        network.fit(X, y)
    model = fitted("logistic_regression", X, y)
    model.estimator = network
    hidden = model.embed(X)
    assert hidden.shape == (45, 5)
    scores = hidden @ network.coefs_[-1] + network.intercepts_[-1]
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(proba, network.predict_proba(X))


def test_a_hinge_loss_has_an_embedding_but_no_gradient():
    X, y = blobs()
    hinge = fitted(SGDClassifier(random_state=0), X, y)
    assert hinge.embed(X) is not None
    assert hinge.gradient_embedding(X) is None
    log = fitted(SGDClassifier(loss="log_loss", random_state=0), X, y)
    assert log.gradient_embedding(X).shape == (45, 12)


class Full:
    """A model of three classes with every capability."""

    n_classes = 3
    proba = np.array([[0.2, 0.5, 0.3], [0.1, 0.8, 0.1]])
    diary = TrainingDiary(np.ones((2, 4)), np.ones((2, 4)))

    def predict_proba(self, X):
        return self.proba

    def predict(self, X):
        return self.proba.argmax(axis=1)

    def committee_proba(self, X):
        return None

    def variance(self, X):
        return None

    def embed(self, X):
        return np.array([[1.0, 2.0], [3.0, 4.0]])

    def sample_proba(self, X, n, rng):
        return np.stack([self.proba] * n)

    def gradient_embedding(self, X):
        return np.arange(12.0).reshape(2, 6)

    def predict_loss(self, X):
        return np.array([0.1, 0.2])


def test_capabilities_survive_classes_that_a_strategy_is_not_given():
    seen = _Seen(Full(), np.array([0, 2]))
    for name, asked in {"embed": (None,), "predict_loss": (None,)}.items():
        expected = find_capability(Full(), name, *asked)
        np.testing.assert_array_equal(find_capability(seen, name, *asked), expected)
    assert seen.diary is Full.diary
    drawn = seen.sample_proba(None, 4, np.random.default_rng(0))
    assert drawn is not None
    np.testing.assert_allclose(drawn, np.tile([[0.4, 0.6], [0.5, 0.5]], (4, 1, 1)))
    kept = [[0.0, 1.0, 4.0, 5.0], [6.0, 7.0, 10.0, 11.0]]
    gradient = seen.gradient_embedding(None)
    assert gradient is not None
    np.testing.assert_array_equal(gradient, kept)
    bare = _Seen(make_learner("knn").fit(*blobs(), n_classes=3), np.array([0, 2]))
    for name in CAPABILITIES:
        assert find_capability(bare, name, *arguments(name, bare, blobs()[0])) is None


def test_a_missing_capability_is_refused_with_the_learners_that_have_it():
    state = sample_state(learner="random_forest")
    with pytest.raises(
        UsageError,
        match=r"badge needs a learner with gradient_embedding \(gradients of its last layer\), "
        r"which random_forest does not have; learners that have it: 'logistic_regression'",
    ):
        require_capability(state, "gradient_embedding", "badge")
    assert require_capability(sample_state(), "embed", "badge").shape == (60, 4)


def test_draws_have_the_mean_and_the_variance_of_the_laplace_approximation():
    rng = np.random.default_rng(0)
    rows, labelled, weights = rng.normal(size=(5, 3)), rng.normal(size=(9, 3)), rng.random(9)
    normals = rng.normal(size=(40_000, 4)), rng.normal(size=(40_000, 9))
    scores = draw_scores(rows, labelled, weights, 0.5, normals)
    np.testing.assert_allclose(scores.mean(axis=0), 0.0, atol=0.03)
    np.testing.assert_allclose(
        scores.var(axis=0), leverage(rows, labelled, weights, 0.5), rtol=0.04
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_draws_of_logistic_regression_spread_more_where_it_knows_less(n_classes):
    X, y = blobs(n_classes)
    model = make_learner("logistic_regression").fit(X, y, n_classes=n_classes)
    near = find_capability(model, "sample_proba", X, 200, np.random.default_rng(0))
    far = find_capability(model, "sample_proba", X + 8.0, 200, np.random.default_rng(0))
    assert near.shape == (200, 45, n_classes)
    assert far.std(axis=0).mean() > near.std(axis=0).mean()
    assert (near.mean(axis=0).argmax(axis=1) == model.predict(X)).mean() > 0.9
