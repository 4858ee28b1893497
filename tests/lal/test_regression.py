"""Regression from data to curve and query: floats go in, and nothing of classes is asked."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression, Ridge

import lal
from lal.checks import check_dataset
from lal.checks.states import sample_regression_state, sample_state
from lal.data.dataset import make_dataset
from lal.data.suites import load_suite
from lal.episode import Episode
from lal.errors import DataError, UsageError
from lal.features import REGRESSION_CANDIDATE_FEATURES, REGRESSION_CONTEXT_FEATURES
from lal.metrics import r2, rmse_skill
from lal.policies.pool_policy import PoolPolicy
from lal.policies.regression_policy import RegressionPolicy
from lal.task import Part, Task
from lal.task_kind import REGRESSION

X = np.random.default_rng(0).normal(size=(80, 3))
Y = np.sin(X[:, 0]) + X[:, 1] + 0.1 * np.random.default_rng(1).normal(size=80)


def make_data(scale=1.0):
    return make_dataset("toy", X, scale * Y, source="toy", task=REGRESSION)


def make_policy():
    weight = np.random.default_rng(2).normal(size=(1, len(REGRESSION_CANDIDATE_FEATURES)))
    op = {"op": "affine", "in": ["candidates"], "out": ["u"], "weight": "w"}
    return PoolPolicy(
        name="linear",
        candidate_features=REGRESSION_CANDIDATE_FEATURES,
        context_features=REGRESSION_CONTEXT_FEATURES,
        program={"ops": [op], "output": "u"},
        tensors={"w": weight},
    )


def holding(n=10, scale=1.0):
    y = np.full(80, np.nan)
    y[:n] = scale * Y[:n]
    return y


def test_float_targets_need_the_argument_and_are_kept():
    with pytest.raises(DataError, match='looks like a regression; pass task="regression"'):
        make_dataset("toy", X, Y, source="toy")
    data = make_data()
    np.testing.assert_array_equal(data.y, Y)
    assert (data.kind, data.n_classes) == (REGRESSION, 0)
    with pytest.raises(UsageError, match="task must be one of 'classification', 'regression'"):
        make_dataset("toy", X, Y, source="toy", task="ranking")
    with pytest.raises(DataError, match="holds texts; a regression needs numbers"):
        make_dataset("toy", X, ["a", "b"] * 40, source="toy", task=REGRESSION)


@pytest.mark.parametrize("name", load_suite("regression").names)
def test_every_data_set_of_the_suite(name):
    check_dataset(load_suite("regression")[name])


def test_a_file_says_so_in_its_name(tmp_path):
    np.savez(tmp_path / "toy.npz", X=X, y=Y)
    data = lal.load_dataset(f"file:{tmp_path}/toy.npz?task=regression")
    np.testing.assert_array_equal(data.y, Y)
    table = "a,b,price\n" + "\n".join(f"{a},{b},{a + b / 3}" for a, b in X[:, :2])
    (tmp_path / "toy.csv").write_text(table)
    data = lal.load_dataset(f"file:{tmp_path}/toy.csv?target=price&task=regression")
    assert data.kind == REGRESSION
    assert len(np.unique(data.y)) == 80


def test_metrics_by_hand():
    y, answer = np.array([0.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0])
    assert rmse_skill(y, answer) == pytest.approx(1 - np.sqrt(2 / 3) / np.sqrt(8 / 3))
    assert r2(y, answer) == pytest.approx(1 - 2 / 8)
    assert rmse_skill(y, np.full(3, 2.0)) == pytest.approx(0.0)


@pytest.mark.parametrize("learner", ["ridge", "gp"])
def test_an_episode_measures_what_scikit_learn_measures(learner):
    task = lal.make_task(make_data(), lal.make_learner(learner, task=REGRESSION), seed=0, budget=12)
    curve = lal.run_episode(lal.make_strategy("improved_greedy_sampling"), task, seed=0)
    assert len(set(curve.queried.tolist())) == 14
    rows = np.sort(curve.queried)
    model = task.learner.fit(task.pool.X[rows], task.pool.y[rows])
    test = task.test_part()
    error = np.sqrt(np.mean((model.predict(test.X) - test.y) ** 2))
    assert curve.metrics["neg_rmse"][-1] == pytest.approx(-error)
    with pytest.raises(UsageError, match="no metric 'accuracy'; it has rmse_skill"):
        curve.area()


def test_the_unit_of_y_changes_nothing():
    areas, picks = [], []
    for scale in (1.0, 1000.0):
        learner = lal.make_learner("gp", task=REGRESSION)
        task = lal.make_task(make_data(scale), learner, seed=0, budget=8)
        curve = lal.run_episode(make_policy(), task, seed=0)
        areas.append(curve.area("rmse_skill"))
        picks.append(curve.queried.tolist())
    assert picks[0] == picks[1]
    assert areas[0] == pytest.approx(areas[1])


def test_learner_and_task_must_be_of_one_kind():
    with pytest.raises(UsageError, match=r"its learner is for classification; make the learner"):
        lal.make_task(make_data(), lal.make_learner("ridge"), seed=0, budget=5)
    with pytest.raises(UsageError, match=r'Ridge is a regressor.*pass task="regression"'):
        lal.make_learner(Ridge())
    with pytest.raises(UsageError, match="LogisticRegression is not a regressor"):
        lal.make_learner(LogisticRegression(), task=REGRESSION)


def test_hidden_labels_do_not_show():
    learner = lal.make_learner("ridge", task=REGRESSION)
    part = Part(X[:40], Y[:40])
    task = Task("t", "t", learner, 0, part, Part(X[40:], Y[40:]), budget=8, kind=REGRESSION)
    first = Episode(task, 0)
    other = Y[:40] + 100.0
    other[first.pool.labelled] = first.pool.labels
    second = Episode(Task("t", "t", learner, 0, Part(X[:40], other), None, budget=8,
                          kind=REGRESSION), 0)  # fmt: skip
    policy = make_policy()
    np.testing.assert_array_equal(policy.utilities(first.state()), policy.utilities(second.state()))


@pytest.mark.parametrize(
    "regressor", [Ridge(), RandomForestRegressor(5), GaussianProcessRegressor()]
)
def test_query_takes_any_regressor_and_leaves_it_alone(regressor):
    policy = make_policy()
    picked, table = policy.query(
        X, holding(), regressor, task=REGRESSION, batch_size=3, return_utilities=True
    )
    assert len(set(picked.tolist())) == 3
    assert np.isnan(table[0, :10]).all()
    assert not hasattr(regressor, "n_features_in_")
    mixed = [None if np.isnan(v) else v for v in holding()]
    np.testing.assert_array_equal(policy.query(X, mixed, regressor, task=REGRESSION), picked[:1])


def test_query_gives_the_utilities_of_the_loop():
    policy, learner = make_policy(), lal.make_learner(Ridge(), task=REGRESSION)
    task = Task("t", "t", learner, 0, Part(X, Y), None, budget=8, kind=REGRESSION)
    episode = Episode(task, 0)
    for row in episode.pool.open[:8]:
        episode.label(int(row))
    state = episode.state()
    y = np.full(80, np.nan)
    y[state.labelled] = state.labels
    _, table = policy.query(X, y, Ridge(), task=REGRESSION, return_utilities=True)
    np.testing.assert_allclose(table[0, state.open], policy.utilities(state)[state.open], atol=1e-9)


def test_query_works_before_any_label_and_with_a_fitted_regressor():
    policy = make_policy()
    assert len(policy.query(X, holding(0), Ridge(), task=REGRESSION, batch_size=2)) == 2
    fitted = Ridge().fit(X[:10], Y[:10])
    same = policy.query(X, holding(), fitted, task=REGRESSION, fit_clf=False)
    np.testing.assert_array_equal(same, policy.query(X, holding(), Ridge(), task=REGRESSION))
    with pytest.raises(UsageError, match="Ridge is not fitted"):
        policy.query(X, holding(), Ridge(), task=REGRESSION, fit_clf=False)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"task": "classification"}, UsageError, "'linear' is for regression, and this is"),
        ({"y": np.where(np.arange(80) < 5, np.inf, np.nan)}, DataError, "not a finite number"),
        ({"y": ["a", *[None] * 79]}, DataError, "'a', which is not a finite number"),
        ({"y": np.column_stack([Y, Y])}, DataError, "one label a row"),
        ({"clf": None}, UsageError, "10 numbers but no model; give a regressor"),
        ({"clf": LogisticRegression()}, UsageError, "is not a regressor"),
        ({"classes": [0, 1]}, UsageError, "proba= and classes= are for classification"),
    ],
)
def test_bad_input_is_refused(arguments, error, message):
    given = {"y": holding(), "clf": Ridge(), "task": REGRESSION} | arguments
    with pytest.raises(error, match=message):
        make_policy().query(X, given.pop("y"), given.pop("clf"), **given)


def test_policies_for_classification_refuse_regression():
    with pytest.raises(UsageError, match="is for classification, and this is a regression task"):
        lal.load_policy("margin").query(X, holding(), Ridge(), task=REGRESSION)


def test_no_policy_ranks_a_state_of_the_other_kind():
    with pytest.raises(UsageError, match="policy 'margin' is for classification, and this is a r"):
        lal.load_policy("margin").utilities(sample_regression_state())
    with pytest.raises(UsageError, match="policy 'linear' is for regression, and this is a class"):
        make_policy().make_batch(sample_state(), np.arange(20), 2)


def test_features_of_two_kinds_do_not_mix():
    with pytest.raises(UsageError, match=r"'value_distance@1' is for regression and 'margin@1'"):
        PoolPolicy(name="both", candidate_features=("margin@1", "value_distance@1"),
                   program={"ops": [], "output": "candidates"})  # fmt: skip


def test_a_regression_policy_is_a_kind_of_its_own(tmp_path):
    path = tmp_path / "number.safetensors"
    made = RegressionPolicy.from_pool_policy(make_policy())
    made.save(path)
    loaded = lal.load_policy(path)
    assert isinstance(loaded, RegressionPolicy)
    given = (X, holding(), Ridge())
    np.testing.assert_array_equal(
        loaded.query(*given, task=REGRESSION, batch_size=4),
        make_policy().query(*given, task=REGRESSION, batch_size=4),
    )
    with pytest.raises(UsageError, match="'margin' looks at features of classification alone"):
        RegressionPolicy.from_pool_policy(lal.load_policy("margin"))


def test_the_shipped_policy_takes_any_regressor():
    policy = lal.load_policy("default-regression")
    assert "default-regression" in lal.list_policies("regression")
    assert "default-regression" not in lal.list_policies("pool")
    for regressor in (Ridge(), RandomForestRegressor(5)):
        assert len(policy.query(X, holding(), regressor, task=REGRESSION, batch_size=3)) == 3
