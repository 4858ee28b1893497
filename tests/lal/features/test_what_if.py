"""What-if features: the surrogate against its optimum, statistics and forms by hand, bounds."""

import numpy as np
import pytest

from lal.checks import check_feature
from lal.data.view import make_geometry
from lal.features import what_if as module
from lal.features.what_if import FORMS, STATISTICS, WHAT_IF_FEATURES, what_if
from lal.learners import make_learner
from lal.state import QueryState


def make_state(n_classes=2, d=4, n_labelled=12, n=120, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.normal(size=(n, d)) + 1.5 * rng.normal(size=(n_classes, d))[y]
    labelled = np.sort(rng.permutation(n - n_classes)[: n_labelled - n_classes] + n_classes)
    labelled = np.r_[np.arange(n_classes), labelled]
    model = make_learner("logistic_regression").fit(
        X[labelled], y[labelled], n_classes=n_classes, seed=0
    )
    return QueryState(
        X=X, geometry=make_geometry(X), labelled=labelled, labels=y[labelled],
        n_classes=n_classes, classes_known=True, proba=model.predict_proba(X),
    )  # fmt: skip


def softmax(F):
    E = np.exp(F - F.max(axis=-1, keepdims=True))
    return E / E.sum(axis=-1, keepdims=True)


def gradient(W, A, y):
    """Of the penalised log loss, from its definition."""
    penalty = np.r_[module.INTERCEPT_PENALTY, np.full(A.shape[1] - 1, module.PENALTY)]
    return (softmax(A @ W.T) - np.eye(len(W))[y]).T @ A + penalty * W


def place(statistic, form):
    return list(STATISTICS).index(statistic), list(FORMS).index(form)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_surrogate_is_fitted(n_classes):
    found = module._fit(make_state(n_classes))
    left = gradient(found.W, found.A, found.y)
    assert np.abs(left).max() < 0.03
    np.testing.assert_allclose(found.rest, left, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_many_steps_lead_to_the_refit(monkeypatch, n_classes):
    state = make_state(n_classes)
    found = module._fit(state)
    x = np.array([[1.0, *state.Z[50]]])
    monkeypatch.setattr(module, "STEPS", 600)
    (W,) = module._refit(x, np.array([1]), found)
    left = gradient(W, np.r_[found.A, x], np.r_[found.y, 1])
    np.testing.assert_allclose(left, found.rest, atol=1e-6)


@pytest.mark.parametrize(("n_classes", "n_labelled"), [(2, 4), (2, 40), (4, 12)])
def test_few_steps_rank_as_the_refit_does(monkeypatch, n_classes, n_labelled):
    rows = np.arange(60, 100)
    few = what_if(make_state(n_classes, n_labelled=n_labelled), rows)
    monkeypatch.setattr(module, "STEPS", 200)
    many = what_if(make_state(n_classes, n_labelled=n_labelled), rows)
    for name in ("change", "squared_change", "error", "entropy"):
        at = place(name, "expected")
        assert np.corrcoef(few[:, *at], many[:, *at])[0, 1] > 0.95, name


def test_statistics_by_hand():
    """Two reference rows, one of which changes sides; one labelled row."""
    V = np.array([[1.0, 1.0], [1.0, -1.0]])
    before = np.array([[0.6, 0.4], [0.2, 0.8]])
    s = module._Surrogate(
        A=np.array([[1.0, 1.0]]), y=np.array([0]), weight=1.0, W=np.zeros((2, 2)),
        rest=np.zeros((2, 2)), inverse=np.zeros((2, 2, 2)), V=V, P=before,
    )  # fmt: skip
    W = np.array([[[0.0, 0.0], [0.0, np.log(3.0)]]])  # odds of the second class: 3, 1/3
    (found,) = module._compare(W, np.array([[1.0, -1.0]]), np.array([0]), s)
    found = dict(zip(STATISTICS, found, strict=True))
    after = np.array([[0.25, 0.75], [0.75, 0.25]])
    assert found["flips"] == 1.0
    assert found["change"] == pytest.approx((0.35 + 0.55) / 2)
    assert found["squared_change"] == pytest.approx((0.35**2 + 0.55**2) / 2)
    assert found["error"] == pytest.approx(0.25 - (0.4 + 0.2) / 2)
    entropies = [-(p * np.log2(p)).sum(axis=1).mean() for p in (after, before)]
    assert found["entropy"] == pytest.approx(entropies[0] - entropies[1])
    assert found["fit"] == pytest.approx(0.5)  # the old row is lost, the new one is right
    assert found["shares"] == 0.0  # one each way


def test_forms_by_hand():
    values = np.array([[[1.0], [3.0], [8.0]]])
    model, smooth = np.array([[0.2, 0.6, 0.2]]), np.array([[0.25, 0.25, 0.0]])
    (found,) = module._forms(values, model, smooth)[0]
    wanted = {
        "expected": 0.2 + 1.8 + 1.6, "smoothed": 2.0, "least": 1.0, "most": 8.0, "likelier": 3.0,
        "surprising": 4.5,
    }  # fmt: skip
    assert dict(zip(FORMS, found, strict=True)) == pytest.approx(wanted)


def test_labels_that_no_class_expects_count_the_same():
    assert module._weighted(np.array([[[1.0], [3.0]]]), np.zeros((1, 2))) == pytest.approx(2.0)


def test_the_likeliest_labels_are_tried_and_the_surrogate_breaks_ties():
    proba = np.array([[0.1, 0.2, 0.6, 0.1]])
    own = np.array([[0.3, 0.2, 0.1, 0.4]])
    assert module._likeliest(proba, own).tolist() == [[2, 1, 3]]


def test_a_label_far_away_changes_more_than_its_predicted_one():
    state = make_state()
    found = what_if(state, np.setdiff1d(np.arange(state.N), state.labelled))
    assert (found[:, *place("change", "most")] >= found[:, *place("change", "least")]).all()
    surprise, likely = (found[:, *place("change", form)] for form in ("surprising", "likelier"))
    assert (surprise > likely).mean() > 0.9


def test_wide_rows_and_many_labels_are_bounded():
    found = module._fit(make_state(d=60, n_labelled=300, n=400))
    assert found.A.shape == (module.MOST_LABELLED, module.COLUMNS + 1)
    assert found.weight == pytest.approx(300 / 256)
    assert len(found.V) == module.REFERENCE


@pytest.mark.parametrize("seen", [[], [1, 1]])
def test_undefined_before_two_classes_have_a_label(seen):
    state = make_state()
    few = QueryState(
        X=state.X, geometry=state.geometry, labelled=np.arange(len(seen)), proba=state.proba,
        labels=np.array(seen, dtype=np.int64), n_classes=2, classes_known=True,
    )  # fmt: skip
    assert (what_if(few, np.arange(5)) == 0.0).all()


@pytest.mark.parametrize("name", [WHAT_IF_FEATURES[0], WHAT_IF_FEATURES[-1]])
def test_contract(name):
    check_feature(name)
