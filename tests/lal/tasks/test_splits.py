import numpy as np
import pytest

from lal.data.datasets import load_dataset, make_dataset
from lal.data.encoding import MAX_LEVELS, fit_encoder
from lal.errors import UsageError
from lal.tasks.splits import make_task, split_rows


def blobs(n=200, n_classes=4, seed=0, name="blobs"):
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n)
    return make_dataset(name, rng.normal(size=(n, 3)) + y[:, None], y, source="test")


def parts(split):
    return {role: set(rows.tolist()) for role, rows in vars(split).items()}


@pytest.mark.parametrize("name", ["sklearn:iris", "sklearn:digits", "synthetic:imbalanced"])
@pytest.mark.parametrize("seed", [0, 1])
def test_parts_are_disjoint_and_hold_every_different_row(name, seed):
    data = load_dataset(name)
    split = split_rows(data, seed=seed, reward_share=0.3, n_state=7)
    rows = np.concatenate(list(vars(split).values()))
    assert len(rows) == len(set(rows.tolist()))
    whole = np.unique(np.c_[data.X, data.y], axis=0)
    assert len(rows) == len(whole)
    assert len(split.state) == 7
    assert len(split.test) == pytest.approx(0.4 * len(whole), abs=data.n_classes)
    rest = len(whole) - len(split.test)
    assert len(split.reward) == pytest.approx(0.3 * rest, abs=data.n_classes)


def test_every_class_is_in_the_pool_in_proportion():
    data = load_dataset("synthetic:imbalanced")
    split = split_rows(data, seed=3)
    pool = np.bincount(data.y[split.pool], minlength=3)
    test = np.bincount(data.y[split.test], minlength=3)
    assert np.allclose(test / (pool + test), 0.4, atol=0.04)


def test_single_and_double_members_stay_in_the_pool():
    y = np.array([0] * 20 + [1] * 20 + [2] + [3] * 2)
    data = make_dataset("rare", np.arange(43.0)[:, None], y, source="test")
    for seed in range(20):
        split = split_rows(data, seed=seed, reward_share=0.5, n_state=5, max_pool=6)
        assert set(data.y[split.pool].tolist()) == {0, 1, 2, 3}
        assert len(split.pool) == 6


def test_same_seed_same_split_other_seed_other_split():
    data = blobs()
    first, again, other = (split_rows(data, seed=s, n_state=3) for s in (5, 5, 6))
    for role, rows in vars(first).items():
        assert rows.tolist() == vars(again)[role].tolist()
    assert parts(first)["pool"] != parts(other)["pool"]


def test_row_order_has_no_part_in_the_task(learner):
    data = blobs()
    order = np.random.default_rng(1).permutation(len(data))
    mixed = make_dataset("blobs", data.X[order], data.y[order], source="test")
    a, b = (make_task(d, learner, seed=2, reward_share=0.2, n_state=4) for d in (data, mixed))
    assert np.array_equal(a.pool.X, b.pool.X)
    assert np.array_equal(a.pool.y, b.pool.y)
    assert np.array_equal(a.test_part().X, b.test_part().X)
    assert np.array_equal(a.reward_part().y, b.reward_part().y)


def test_duplicates_go_and_contradictions_stay_together():
    X = np.repeat(np.arange(40.0), 3)[:, None]  # each value three times
    y = np.tile([0, 0, 1], 40)  # twice as 0, once as 1
    X = np.r_[X, 100 + np.arange(40.0)[:, None]]
    y = np.r_[y, np.arange(40) % 2]
    data = make_dataset("dup", X, y, source="test")
    split = split_rows(data, seed=0, reward_share=0.25, n_state=5, max_pool=30)
    held = {role: set(data.X[rows, 0].tolist()) for role, rows in vars(split).items()}
    names = list(held)
    for i, a in enumerate(names):
        for b in names[:i]:
            assert not held[a] & held[b]
    pairs = [v for v in held["test"] if v < 40]
    values = data.X[split.test, 0]
    for v in pairs:
        assert sorted(data.y[split.test][values == v].tolist()) == [0, 1]
    assert len(split.state) == 5
    assert len(split.pool) <= 30


def test_large_pools_are_capped_by_class():
    data = blobs(3000)
    split = split_rows(data, seed=0, max_pool=500)
    assert len(split.pool) == 500
    whole, pool = np.bincount(data.y) / 3000, np.bincount(data.y[split.pool]) / 500
    assert np.allclose(whole, pool, atol=0.06)


def test_encoding_is_fitted_on_the_pool_only(learner):
    data = blobs()
    task = make_task(data, learner, seed=0)
    assert np.allclose(task.pool.X.mean(axis=0), 0)
    assert np.allclose(task.pool.X.std(axis=0), 1)
    assert not np.allclose(task.test_part().X.mean(axis=0), 0, atol=1e-6)
    split = split_rows(data, seed=0)
    mean, scale = data.X[split.pool].mean(axis=0), data.X[split.pool].std(axis=0)
    assert np.allclose(task.test_part().X, (data.X[split.test] - mean) / scale)


def test_missing_values_and_texts_are_encoded(learner):
    rng = np.random.default_rng(0)
    X = np.empty((60, 2), dtype=object)
    X[:, 0] = rng.normal(size=60)
    X[:, 1] = rng.choice(["a", "b", "c"], size=60)
    X[::7, 0] = None
    X[::11, 1] = None
    data = make_dataset("gaps", X, np.arange(60) % 2, source="test")
    task = make_task(data, learner, seed=0, budget=5, reward_share=0.2, n_state=4)
    assert task.pool.X.shape[1] == 5  # one number, three levels and missing
    assert task.state_X is not None
    for part in (task.pool.X, task.test_part().X, task.reward_part().X, task.state_X):
        assert part.dtype == np.float64
        assert np.isfinite(part).all()
        assert set(np.unique(part[:, 1:])) <= {0.0, 1.0}
        assert (part[:, 1:].sum(axis=1) == 1).all()


def test_levels_that_the_pool_never_met_are_all_zero(learner):
    X = np.array([["a"], ["b"]] * 20, dtype=object)
    X = np.c_[X, np.arange(40.0).astype(object)]
    data = make_dataset("t", X, np.arange(40) // 2 % 2, source="test")
    split = split_rows(data, seed=0)
    X[split.test[0], 0] = "new"
    data = make_dataset("t", X, data.y, source="test")
    encoder = fit_encoder(X[split.pool])
    assert encoder.transform(X[split.test[:1]])[0, 1:].tolist() == [0.0, 0.0]


def test_rare_levels_share_a_column():
    X = np.array([[f"level {i}"] for i in range(50)] + [["often"]] * 5, dtype=object)
    coded = fit_encoder(X).transform(X)
    assert coded.shape[1] == MAX_LEVELS
    assert (coded.sum(axis=1) == 1).all()


def test_the_task_says_what_it_is(learner):
    data = load_dataset("sklearn:wine")
    task = make_task(data, learner, seed=4, budget=9, start=5, classes_known=True)
    assert task.name == "wine/named"
    assert (task.family, task.n_classes, task.budget, task.start) == ("wine", 3, 9, 5)
    assert task.classes_known
    assert not task.budget_known
    assert task.reward is None
    assert task.state_X is None
    assert dict(task.info)["sha256"] == data.sha256
    assert dict(task.info)["split_seed"] == "4"


def test_without_a_test_part(learner):
    task = make_task(blobs(), learner, seed=0, test_share=0.0)
    assert task.test is None
    assert len(task.pool) == 200


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"budget": 10_000}, UsageError, r"a budget of 10000 labels .* is more than the pool"),
        ({"budget": 0}, UsageError, "budget must be at least 1"),
        ({"test_share": 1.0}, UsageError, "test_share must be from 0 up to but not including 1"),
        ({"reward_share": -0.1}, UsageError, "reward_share must be from 0"),
        ({"n_state": -1}, UsageError, "n_state must not be negative"),
        ({"n_state": 1000}, UsageError, r"cannot set 1000 of .* rows aside"),
        ({"max_pool": 1}, UsageError, "max_pool must be at least 2"),
    ],
)
def test_impossible_tasks(learner, options, error, match):
    with pytest.raises(error, match=match):
        make_task(blobs(), learner, seed=0, **options)


def test_a_learner_is_not_a_name():
    with pytest.raises(UsageError, match=r"use lal\.make_learner"):
        make_task(blobs(), "random_forest", seed=0)  # type: ignore[arg-type]


def test_too_few_rows_are_refused(learner):
    X = np.r_[np.zeros((9, 1)), np.ones((1, 1))]
    tiny = make_dataset("tiny", X, [0] * 9 + [1], source="test")
    assert len(split_rows(tiny, seed=0).pool) == 2
    with pytest.raises(UsageError, match="more than the pool of 2 rows"):
        make_task(tiny, learner, seed=0)
