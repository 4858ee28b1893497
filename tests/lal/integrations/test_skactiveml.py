import copy
import pickle

import numpy as np
import pytest
from skactiveml.base import SingleAnnotatorPoolQueryStrategy
from skactiveml.classifier import ParzenWindowClassifier, SklearnClassifier
from skactiveml.pool import ParallelUtilityEstimationWrapper, SubSamplingWrapper
from skactiveml.pool.multiannotator import SingleAnnotatorWrapper
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from lal.errors import UnknownNameError, UsageError
from lal.integrations import as_skactiveml
from lal.integrations.numpy_loop import label_loop
from lal.integrations.skactiveml import LearnedQueryStrategy
from lal.strategies.base import make_strategy


def classifier(pool, estimator=None, missing=np.nan, classes=None):
    classes = np.unique(pool.y) if classes is None else classes
    return SklearnClassifier(
        LogisticRegression() if estimator is None else estimator,
        classes=classes,
        missing_label=missing,
    )


def host_loop(strategy, pool, clf, n_queries):
    y, rows = pool.labels(), list(pool.start)
    for _ in range(n_queries):
        (row,) = strategy.query(pool.X, y, clf)
        assert np.isnan(y[row])
        y[row] = pool.y[row]
        rows.append(int(row))
    assert np.array_equal(np.flatnonzero(~np.isnan(y)), np.sort(rows))
    return rows


@pytest.mark.parametrize("estimator", [LogisticRegression(), RandomForestClassifier(10)])
def test_same_sequence_as_the_plain_loop(pool, policy, estimator):
    strategy = LearnedQueryStrategy(policy, random_state=0)
    ours = host_loop(strategy, pool, classifier(pool, estimator), 15)
    plain, _ = label_loop(
        policy,
        pool.X,
        pool.answers,
        estimator,
        start=pool.start,
        n_queries=15,
        classes=np.unique(pool.y).tolist(),
    )
    assert ours == plain.tolist()


@pytest.mark.parametrize("name", ["margin", "entropy", "random", "query_by_committee"])
def test_strategies_by_name(pool, name):
    strategy = LearnedQueryStrategy(name, random_state=3)
    clf = classifier(pool)
    rows, table = strategy.query(pool.X, pool.labels(), clf, batch_size=4, return_utilities=True)
    assert len(set(rows.tolist())) == 4
    assert table.shape == (4, len(pool.X))
    assert np.isnan(table[0, pool.start]).all()
    assert np.array_equal(np.nanargmax(table, axis=1), rows)


def test_strategy_objects_are_taken(pool):
    by_name = LearnedQueryStrategy("entropy", random_state=0)
    by_object = LearnedQueryStrategy(make_strategy("entropy"), random_state=0)
    given = pool.X, pool.labels(), classifier(pool)
    assert np.array_equal(by_name.query(*given), by_object.query(*given))


def test_whole_batch_strategies_need_all_open_rows(pool):
    strategy = LearnedQueryStrategy("skactiveml:CoreSet", random_state=0)
    given = pool.X, pool.labels(), classifier(pool)
    assert len(set(strategy.query(*given, batch_size=3).tolist())) == 3
    with pytest.raises(UsageError, match="chooses whole batches itself, among all rows"):
        strategy.query(*given, candidates=[20, 30, 40], batch_size=2)


def test_a_policy_file(pool, policy, tmp_path):
    path = tmp_path / "network.safetensors"
    policy.save(path)
    from_file = LearnedQueryStrategy(str(path), random_state=0)
    given = pool.X, pool.labels(), classifier(pool)
    direct = LearnedQueryStrategy(policy, random_state=0)
    assert np.array_equal(from_file.query(*given, batch_size=5), direct.query(*given, batch_size=5))


def test_unknown_name(pool):
    with pytest.raises(UnknownNameError, match="no policy or strategy is called 'margni'"):
        LearnedQueryStrategy("margni").query(pool.X, pool.labels(), classifier(pool))


def test_candidates_change_who_is_asked_not_the_utilities(pool, policy):
    strategy = LearnedQueryStrategy(policy, random_state=0)
    given = pool.X, pool.labels(), classifier(pool)
    _, whole = strategy.query(*given, return_utilities=True)
    few = np.setdiff1d(np.arange(40, 80), pool.start)
    row, part = strategy.query(*given, candidates=few, return_utilities=True)
    assert row[0] == few[np.argmax(whole[0, few])]
    assert np.allclose(part[0, few], whole[0, few])
    assert np.isnan(np.delete(part[0], few)).all()
    place, table = strategy.query(*given, candidates=pool.X[few], return_utilities=True)
    assert few[place[0]] == row[0]
    assert np.allclose(table[0], whole[0, few])


def test_a_labelled_candidate_may_be_asked_again(pool, policy):
    strategy = LearnedQueryStrategy(policy, random_state=0)
    row = strategy.query(pool.X, pool.labels(), classifier(pool), candidates=[pool.start[0]])
    assert row.tolist() == [pool.start[0]]


@pytest.mark.parametrize("missing", [np.nan, -1, None, "none"])
def test_missing_labels(make_pool, policy, missing):
    pool = make_pool(2)
    names = np.array(["no", "yes"]) if missing == "none" else np.arange(2)
    y = np.full(len(pool.X), missing, dtype=object)
    y[pool.start] = names[pool.y[pool.start]]
    if missing == "none":
        y = y.astype(str)
    elif missing is not None:
        y = y.astype(float)
    strategy = LearnedQueryStrategy(policy, missing_label=missing, random_state=0)
    clf = classifier(pool, missing=missing, classes=names)
    plain = LearnedQueryStrategy(policy, random_state=0)
    expected = plain.query(pool.X, pool.labels(), classifier(pool), batch_size=5)
    assert np.array_equal(strategy.query(pool.X, y, clf, batch_size=5), expected)


@pytest.mark.parametrize("n_seen", [0, 1])
def test_cold_start(pool, policy, n_seen):
    strategy = LearnedQueryStrategy(policy, random_state=0)
    y = pool.labels(pool.start[:n_seen])
    for clf in (classifier(pool), ParzenWindowClassifier(classes=np.unique(pool.y))):
        rows = strategy.query(pool.X, y, clf, batch_size=3)
        assert len(set(rows.tolist()) - set(pool.start[:n_seen])) == 3


def test_other_classifiers_are_fitted_their_way(pool, policy):
    strategy = LearnedQueryStrategy(policy, random_state=0)
    clf = ParzenWindowClassifier(classes=np.unique(pool.y))
    refitted = strategy.query(pool.X, pool.labels(), clf, batch_size=5)
    assert not hasattr(clf, "classes_")
    clf.fit(pool.X, pool.labels())
    as_is = strategy.query(pool.X, pool.labels(), clf, fit_clf=False, batch_size=5)
    assert np.array_equal(refitted, as_is)


def test_fitted_classifiers_are_used_as_they_are(pool, policy):
    strategy = LearnedQueryStrategy(policy, random_state=0)
    clf = classifier(pool, LogisticRegression(C=0.01))
    with pytest.raises(NotFittedError):
        strategy.query(pool.X, pool.labels(), clf, fit_clf=False)
    clf.fit(pool.X, pool.labels())
    refitted = strategy.query(pool.X, pool.labels(), clf, batch_size=9)
    as_is = strategy.query(pool.X, pool.labels(), clf, fit_clf=False, batch_size=9)
    assert np.array_equal(refitted, as_is)


def test_sample_weight_reaches_the_learner(make_pool):
    pool = make_pool(2)
    strategy = LearnedQueryStrategy("margin", random_state=0)
    y = pool.labels(np.arange(20))
    weight = np.where(np.arange(len(y)) < 10, 50.0, 0.01)
    clf = classifier(pool)
    _, plain = strategy.query(pool.X, y, clf, return_utilities=True)
    _, weighted = strategy.query(pool.X, y, clf, sample_weight=weight, return_utilities=True)
    assert not np.allclose(plain[0, 20:], weighted[0, 20:])


def test_copies(pool, policy):
    strategy = LearnedQueryStrategy(policy, random_state=0)
    given = pool.X, pool.labels(), classifier(pool)
    first = strategy.query(*given, batch_size=5)
    assert clone(strategy).policy is policy
    for other in (clone(strategy), copy.deepcopy(strategy), pickle.loads(pickle.dumps(strategy))):
        assert isinstance(other, SingleAnnotatorPoolQueryStrategy)
        assert np.array_equal(other.query(*given, batch_size=5), first)
    assert strategy.set_params(policy="margin").get_params()["policy"] == "margin"
    margin = as_skactiveml("margin", random_state=0)
    assert np.array_equal(strategy.query(*given), margin.query(*given))


@pytest.mark.parametrize("random_state", [0, np.random.RandomState(4)])
def test_a_query_is_pure(pool, policy, random_state):
    strategy = LearnedQueryStrategy("random", random_state=random_state)
    given = pool.X, pool.labels(), classifier(pool)
    before = str(np.random.get_state())  # noqa: NPY002
    assert np.array_equal(strategy.query(*given), strategy.query(*given))
    LearnedQueryStrategy("random").query(*given)
    assert str(np.random.get_state()) == before  # noqa: NPY002


def test_inside_the_parallel_wrapper(pool, policy):
    strategy = LearnedQueryStrategy(policy, random_state=0)
    wrapped = ParallelUtilityEstimationWrapper(
        strategy, n_jobs=2, parallel_dict={"backend": "threading"}, random_state=0
    )
    given = pool.X, pool.labels()
    row, table = strategy.query(*given, clf=classifier(pool), return_utilities=True)
    same, others = wrapped.query(*given, clf=classifier(pool), return_utilities=True)
    assert row.tolist() == same.tolist()
    assert np.allclose(table, others, equal_nan=True)


@pytest.mark.parametrize("alone", [False, True])
def test_inside_the_sub_sampling_wrapper(pool, policy, alone):
    strategy = LearnedQueryStrategy(policy, random_state=0)
    wrapped = SubSamplingWrapper(
        strategy, max_candidates=30, exclude_non_subsample=alone, random_state=1
    )
    rows, table = wrapped.query(
        pool.X,
        pool.labels(),
        clf=classifier(pool),
        batch_size=3,
        return_utilities=True,
    )
    assert np.isfinite(table[0]).sum() == 30
    assert np.array_equal(np.nanargmax(table, axis=1), rows)
    if not alone:
        few = np.flatnonzero(np.isfinite(table[0]))
        own = strategy.query(pool.X, pool.labels(), classifier(pool), candidates=few, batch_size=3)
        assert np.array_equal(own, rows)


def test_inside_the_annotator_wrapper(pool, policy):
    strategy = LearnedQueryStrategy(policy, random_state=0)
    y = np.repeat(pool.labels()[:, None], 2, axis=1)
    pairs = SingleAnnotatorWrapper(strategy, random_state=0).query(
        pool.X, y, clf=classifier(pool), batch_size=4
    )
    own = strategy.query(pool.X, pool.labels(), classifier(pool), batch_size=4)
    assert set(pairs[:, 0].tolist()) <= set(own.tolist())
    assert pairs[0, 0] == own[0]


def test_missing_values_in_X(make_pool, policy):
    pool = make_pool(2)
    strategy = LearnedQueryStrategy(policy, random_state=0)
    X = pool.X.copy()
    X[::7, 2] = np.nan
    trees = classifier(pool, HistGradientBoostingClassifier(min_samples_leaf=1))
    assert len(strategy.query(X, pool.labels(), trees, batch_size=3)) == 3


def test_refusals(pool, policy):
    strategy = LearnedQueryStrategy(policy)
    X, y, clf = pool.X, pool.labels(), classifier(pool)
    with pytest.raises(TypeError, match="clf"):
        strategy.query(X, y, LogisticRegression())
    with pytest.raises(TypeError, match="fit_clf"):
        strategy.query(X, y, clf, fit_clf="yes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="missing_label"):
        strategy.query(X, y, classifier(pool, missing=-1))
    with (
        pytest.raises(UsageError, match="nothing is left to ask"),
        pytest.warns(match="batch_size"),
    ):
        strategy.query(X, pool.y.astype(float), clf)
    with pytest.raises(UsageError, match="candidates must be row numbers or samples, got 7"):
        strategy.query(X, y, clf, candidates=7)
    with pytest.warns(match="is larger than number"):
        assert len(strategy.query(X, y, clf, candidates=[50, 60], batch_size=9)) == 2


def test_classes_declared_in_the_classifier_are_known_to_the_policy(pool):
    """Two classes are labelled and a third is declared, so entropies are over three."""
    from lal.policies.pool_policy import PoolPolicy

    seen = []

    class Watching(PoolPolicy):
        def query(self, *arguments, **options):
            seen.append(options["classes"])
            return super().query(*arguments, **options)

    from lal.policies.margin import margin_policy

    fields = {f: getattr(margin_policy(), f) for f in ("name", "candidate_features", "program")}
    policy = Watching(**fields, tensors=margin_policy().tensors)
    strategy = LearnedQueryStrategy(policy, random_state=0)
    names = [*np.unique(pool.y).tolist(), 99]
    strategy.query(pool.X, pool.labels(), classifier(pool, classes=names))
    assert seen == [names]
