"""Tree ensembles in a program predict what scikit-learn predicts."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_regression
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from lal.errors import PolicyFileError, UsageError
from lal.policies.scoring.scorer import run
from lal.policies.scoring.trees import (
    from_sklearn_forest,
    from_sklearn_hist_gradient_boosting,
    tree_op,
)

X, Y = make_regression(300, 7, noise=3.0, random_state=0)
MORE = np.random.default_rng(1).normal(size=(200, 7)) * 2


def predict(tensors, rows, float32):
    named = {f"t.{role}": value for role, value in tensors.items()}
    op = tree_op(tensors, into="candidates", out="u", prefix="t", float32=float32)
    program = {"ops": [op], "output": "u"}
    return run(program, named, {"candidates": rows, "context": np.zeros(1)})


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
@pytest.mark.parametrize("options", [{}, {"max_leaf_nodes": 9}, {"max_depth": 1}])
def test_forests(kind, options):
    forest = kind(n_estimators=12, random_state=0, **options).fit(X, Y)
    ours = predict(from_sklearn_forest(forest), MORE, float32=True)
    np.testing.assert_allclose(ours, forest.predict(MORE), atol=1e-6)


def test_forest_thresholds_compare_single_precision():
    """A row exactly on a threshold goes the way scikit-learn sends it."""
    forest = RandomForestRegressor(n_estimators=5, random_state=0).fit(X, Y)
    rows = X.copy()
    tree = forest.estimators_[0].tree_
    rows[:, tree.feature[0]] = tree.threshold[0] + 1e-12
    ours = predict(from_sklearn_forest(forest), rows, float32=True)
    np.testing.assert_allclose(ours, forest.predict(rows), atol=1e-6)


def test_forest_classifier_gives_probabilities():
    rows, y = load_iris(return_X_y=True)
    forest = RandomForestClassifier(n_estimators=9, random_state=0).fit(rows, y)
    ours = predict(from_sklearn_forest(forest, output=1), rows, float32=True)
    np.testing.assert_allclose(ours, forest.predict_proba(rows)[:, 1], atol=1e-6)


def test_leaves_that_count_rows_give_shares():
    """Trees of classifiers held counts before scikit-learn 1.3."""
    tree = SimpleNamespace(
        value=np.array([[[3.0, 7.0]], [[3.0, 1.0]], [[0.0, 6.0]]]),
        children_left=np.array([1, -1, -1]), children_right=np.array([2, -1, -1]),
        feature=np.array([0, -2, -2]), threshold=np.array([0.5, -2.0, -2.0]),
    )  # fmt: skip
    forest = SimpleNamespace(estimators_=[SimpleNamespace(tree_=tree)], classes_=np.arange(2))
    tensors = from_sklearn_forest(forest, output=1)
    rows = np.array([[0.0], [1.0]])
    np.testing.assert_allclose(predict(tensors, rows, float32=True), [0.25, 1.0])


def test_gradient_boosting():
    model = HistGradientBoostingRegressor(max_iter=30, random_state=0).fit(X, Y)
    ours = predict(from_sklearn_hist_gradient_boosting(model), MORE, float32=False)
    np.testing.assert_allclose(ours, model.predict(MORE), atol=1e-6)
    binary = HistGradientBoostingClassifier(max_iter=9, random_state=0).fit(X, Y > 0)
    ours = predict(from_sklearn_hist_gradient_boosting(binary), MORE, float32=False)
    np.testing.assert_allclose(ours, binary.decision_function(MORE), atol=1e-6)


def test_gradient_boosting_of_three_classes():
    rows, y = load_iris(return_X_y=True)
    model = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(rows, y)
    tensors = from_sklearn_hist_gradient_boosting(model)
    columns = [
        predict(
            {**tensors, "value": tensors["value"][:, [c]], "bias": tensors["bias"][[c]]},
            rows,
            False,
        )
        for c in range(3)
    ]
    logits = np.column_stack(columns)
    np.testing.assert_allclose(logits, model.decision_function(rows), atol=1e-6)


def test_categorical_splits_are_refused():
    codes = np.repeat(np.arange(6), 50)[:, None]
    model = HistGradientBoostingRegressor(categorical_features=[0], max_iter=2)
    with pytest.raises(UsageError, match="categorical splits cannot be exported"):
        from_sklearn_hist_gradient_boosting(model.fit(codes, (codes[:, 0] % 2).astype(float)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left": np.array([0, 1, 2]), "right": np.array([2, 1, 2])}, "children must come after"),
        ({"left": np.array([1, 0, 2])}, "children must come after"),
        ({"left": np.array([9, 1, 2])}, "children must come after"),
        ({"feature": np.array([7, 0, 0])}, "must be below 7"),
        ({"feature": np.array([-1, 0, 0])}, "must be below 7"),
        ({"roots": np.array([3])}, "roots must be node numbers below 3"),
        ({"roots": np.zeros(0, dtype=np.int64)}, "roots must be"),
        ({"left": np.array([1.0, 1.0, 2.0])}, "must hold integers"),
        ({"threshold": np.zeros(2)}, "expected \\(3,\\)"),
        ({"left": np.array([2, 1, 2])}, "one parent"),
        ({"roots": np.array([0, 2])}, "one parent"),
        ({"value": np.zeros(3)}, "nodes, outputs"),
    ],
)
def test_bad_trees_are_refused(change, message):
    tree = {
        "roots": np.array([0]),
        "feature": np.array([0, 0, 0]),
        "threshold": np.zeros(3),
        "left": np.array([1, 1, 2]),
        "right": np.array([2, 1, 2]),
        "value": np.array([[0.0], [1.0], [2.0]]),
    }
    np.testing.assert_allclose(
        predict(tree, np.array([[-1.0] * 7, [1.0] * 7]), float32=False), [1.0, 2.0]
    )
    with pytest.raises(PolicyFileError, match=message):
        predict({**tree, **change}, MORE, float32=False)


def test_endless_trees_are_refused():
    """A chain, every second node a leaf: bounded depth bounds the time of a run."""
    n = 601
    own = np.arange(n)
    chain = {
        "roots": np.array([0]),
        "feature": np.zeros(n, dtype=np.int64),
        "threshold": np.zeros(n),
        "left": np.where((own % 2 == 0) & (own < n - 1), own + 1, own),
        "right": np.where((own % 2 == 0) & (own < n - 1), own + 2, own),
        "value": np.zeros((n, 1)),
    }
    with pytest.raises(PolicyFileError, match="at most 256 deep"):
        predict(chain, MORE, float32=False)
