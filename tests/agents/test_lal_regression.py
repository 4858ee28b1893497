from dataclasses import replace

import numpy as np
import pytest

from agents import AGENTS
from agents.lal_regression.config import PRESETS
from agents.lal_regression.controls import shuffled_targets
from agents.lal_regression.folding import fold, unfolded
from agents.lal_regression.learner import held_back
from agents.lal_regression.rankers import stacked
from agents.lal_regression.rows import GainRows, compiled, load_rows, make_rows, play
from agents.lal_regression.tasks import board_task, gaussian_task
from agents.lal_regression.validation import Advantage, advantages, uncertainty
from lal.errors import DataError, UsageError
from lal.policies.kinds import load_policy
from lal.policies.scoring.trees import from_sklearn_forest

AGENT = AGENTS["lal"]
SMOKE = PRESETS["smoke"]


def rows_of(gains, task, features=None):
    gains = np.array(gains, dtype=np.float64)
    features = np.zeros((len(gains), 8)) if features is None else features
    return GainRows(features, gains, np.array(task))


def test_pick_advantage_by_hand():
    """Task 0 picks 0.3 of mean 0.2; task 1 ties its last two, 0.1 and -0.5, of mean -0.1."""
    rows = rows_of([0.1, 0.3, 0.1, 0.1, -0.5], [0, 0, 1, 1, 1])
    found = advantages(np.array([0.0, 1.0, 0.0, 2.0, 2.0]), rows)
    np.testing.assert_allclose(found, [0.1, -0.2 + 0.1])
    assert Advantage.from_values(found).mean == pytest.approx(0.0)


def test_uncertainty_prefers_a_half():
    features = np.zeros((3, 8))
    features[:, 0] = 0.1, 0.5, 0.8
    assert uncertainty(rows_of([0, 0, 0], [0, 0, 0], features)).argmax() == 1


def test_whole_tasks_are_held_back():
    config = replace(SMOKE, n_tasks=4, n_candidates=2, validation_share=0.25)
    rows = rows_of(np.zeros(16), np.arange(16) // 2)
    assert np.flatnonzero(held_back(config, rows)).tolist() == [6, 7, 14, 15]


def test_shuffling_stays_within_the_task():
    rows = rows_of(np.arange(40), np.arange(40) // 10)
    shuffled = shuffled_targets(SMOKE, rows)
    assert not np.array_equal(shuffled, rows.gains)
    np.testing.assert_array_equal(np.sort(shuffled.reshape(4, 10)), rows.gains.reshape(4, 10))


def test_gaussian_tasks_follow_the_paper():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        task = gaussian_task(rng, 40, 60)
        assert task.points.shape == (2, 100)
        assert sorted(task.codes[task.start]) == [0, 1]
        shares.append(task.codes.mean())
    assert 0.02 <= min(shares) < 0.25
    assert 0.75 < max(shares) <= 0.98


def test_a_board_has_four_cells():
    task = board_task(np.random.default_rng(0), 50, 50)
    x, y = task.points
    np.testing.assert_array_equal(task.codes == 1, (x > 0.5) != (y > 0.5))


def test_features_have_the_published_order():
    rows = make_rows(replace(SMOKE, n_tasks=3), 4)
    mean, spread, positive, out_of_bag, importance, pool_spread, depth, size = rows.features.T
    assert ((mean >= 0) & (mean <= 1) & (spread <= 0.5) & (out_of_bag <= 1)).all()
    assert set(positive) <= {0.25, 0.5, 0.75}
    assert (importance <= 0.25).all()
    assert ((depth > 0) & (depth <= 3)).all()
    assert (size == 4).all()
    for column in (positive, out_of_bag, importance, pool_spread, depth):
        assert (np.ptp(column.reshape(3, -1), axis=1) == 0).all()


def test_growth_by_a_ranker_asks_what_it_ranks_first():
    """A ranker of closeness to P = 0.5 buys what uncertainty buys."""
    from sklearn.ensemble import RandomForestRegressor

    grid = np.linspace(0, 1, 401)
    forest = RandomForestRegressor(1, bootstrap=False, random_state=0)
    features = np.zeros((401, 8))
    features[:, 0] = grid
    forest.fit(features, -np.abs(grid - 0.5))
    ranker = stacked([from_sklearn_forest(forest)])
    task = gaussian_task(np.random.default_rng(1), 60, 300)
    np.testing.assert_array_equal(
        play(task, "ranker", 15, ranker=ranker), play(task, "uncertainty", 15)
    )
    assert not np.array_equal(play(task, "uncertainty", 15), play(task, "random", 15))


def test_rankers_rank_as_their_trees():
    from sklearn.ensemble import RandomForestRegressor

    from envs.simulator.kernels.learners.trees import predict_forest

    rng = np.random.default_rng(0)
    X, y = rng.random((200, 8)).astype(np.float32), rng.normal(size=200)
    forests = [RandomForestRegressor(3, random_state=s).fit(X, y) for s in (0, 1)]
    feature, threshold, child, leaf = stacked([from_sklearn_forest(f) for f in forests])
    for s, forest in enumerate(forests):
        found = np.zeros((1, 200))
        trees = (feature[s], threshold[s], child[s], leaf[s], np.empty(0, np.int64))
        predict_forest(X.T.copy(), trees, 1, found, np.empty(0), np.empty(0), 0, 200)
        assert np.ptp(found[0] - forest.predict(X) / 3) < 1e-6


def test_masks_measure_what_leaves_measure():
    from envs.simulator.kernels.learners.trees import predict_forest

    kernels, rng = compiled(), np.random.default_rng(3)
    for n in (2, 5, 30):
        task = gaussian_task(rng, 60, 1500)
        work = kernels.workspace(2, n, 20)
        rows, order, _, _ = kernels.begin(task.points, 60, task.start, n)
        rows[2:] = np.setdiff1d(np.arange(60), task.start)[: n - 2]
        for a in range(2, n):
            kernels.insert_sorted(task.points, rows, order, a)
        kernels.fit(task.points, task.codes, rows, order, n, 1, 5, work)
        proba = np.empty((2, 1500))
        predict_forest(task.points, work[0], 2, proba, np.empty(0), np.empty(0), 60, 1560)
        expected = ((proba[1] > proba[0]) == (task.codes[60:] == 1)).mean()
        assert kernels.accuracy(task.points, task.codes, 60, work) == pytest.approx(expected)


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path):
    first = AGENT.train(SMOKE, tmp_path / "a").read_bytes()
    assert AGENT.train(SMOKE, tmp_path / "b").read_bytes() == first
    assert AGENT.train(replace(SMOKE, seed=1), tmp_path / "c").read_bytes() != first


@pytest.mark.parametrize("growth", ["independent", "iterative"])
def test_an_interrupted_run_ends_as_an_undisturbed_one(tmp_path, growth):
    config = replace(SMOKE, growth=growth)
    whole = AGENT.train(config, tmp_path / "whole")
    broken = tmp_path / "broken"
    AGENT.train(config, broken)
    for name in ("policy.safetensors", "finished.json", "rows/004.npz"):
        (broken / name).unlink()
    kept = (broken / "rows" / "003.npz").stat().st_mtime_ns
    assert AGENT.train(config, broken).read_bytes() == whole.read_bytes()
    assert (broken / "rows" / "003.npz").stat().st_mtime_ns == kept
    policy = load_policy(whole)
    assert policy.name == f"lal-{growth}"
    assert not policy.class_symmetric


def test_iterative_growth_reaches_other_states(tmp_path):
    random = make_rows(SMOKE, 4)
    AGENT.train(replace(SMOKE, growth="iterative"), tmp_path / "run")
    grown = load_rows([tmp_path / "run" / "rows" / "004.npz"], SMOKE.n_candidates)
    assert not np.allclose(grown.features, random.features)


def test_controls_are_other_policies(tmp_path):
    learned = load_policy(AGENT.train(SMOKE, tmp_path / "a"))
    control = load_policy(AGENT.train(replace(SMOKE, control="shuffled_reward"), tmp_path / "b"))
    untrained = AGENT.export_untrained(SMOKE, 2)
    values = [p.tensors["trees.value"] for p in (learned, control, *untrained)]
    for i, value in enumerate(values):
        assert not any(np.array_equal(value, other) for other in values[:i])
    assert control.card["control"] == "shuffled_reward"


def test_warm_start_from_a_labelled_set(tmp_path):
    config = replace(SMOKE, source="sklearn:breast_cancer")
    policy = load_policy(AGENT.train(config, tmp_path / "run"))
    assert set(policy.card["data"]) == {"breast_cancer"}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"source": "sklearn:iris"}, DataError, "LAL is binary, but 'iris' has 3 classes"),
        ({"first_size": 1}, UsageError, "first_size must be at least 2, got 1"),
        ({"n_pool": 10}, UsageError, "n_pool must be at least 14, got 10"),
        ({"validation_share": 1.0}, UsageError, r"must lie in \(0, 1\), got 1.0"),
    ],
)
def test_what_cannot_be_simulated_is_refused(tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        AGENT.train(replace(SMOKE, **change), tmp_path / "run")


def test_compiled_rankers_rank_as_the_shipped_policies():
    """The curves of the benchmark are those of the policy file."""
    from agents.lal_regression.control_test import get_ranker
    from envs.simulator.kernels.learners.trees import predict_forest

    rows = make_rows(replace(SMOKE, n_tasks=20), 4)
    for name in ("lal-independent", "lal-iterative"):
        policy = load_policy(name)
        feature, threshold, child, leaf = get_ranker(policy)
        trees = (feature[0], threshold[0], child[0], leaf[0], np.empty(0, np.int64))
        columns, n = rows.features.T.astype(np.float32).copy(), len(rows.gains)
        found = np.zeros((1, n))
        predict_forest(columns, trees, 1, found, np.empty(0), np.empty(0), 0, n)
        given = {"candidates": rows.features, "context": np.zeros(0)}
        np.testing.assert_allclose(
            np.ptp(found[0] * feature.shape[1] - policy.scorer.run(given)), 0.0, atol=1e-5
        )


@pytest.mark.parametrize("name", ["lal-independent", "lal-iterative"])
def test_shipped_policies_say_what_they_are(name):
    policy = load_policy(name)
    assert not policy.class_symmetric
    assert policy.card["n_rows"] == 240_000
    assert policy.card["ranges"]["n_classes"] == [2, 2]
    assert set(policy.card["did_it_learn"]) >= {"random", "untrained", "shuffled", "learned"}


def test_folding_forgets_the_names_of_the_classes():
    rows = make_rows(replace(SMOKE, n_tasks=5), 4)
    mirrored = rows.features.copy()
    mirrored[:, [0, 2]] = 1.0 - mirrored[:, [0, 2]]
    np.testing.assert_allclose(fold(rows.features), fold(mirrored), atol=1e-12)


def test_trees_on_folded_features_are_the_same_unfolded():
    """What the compiled curves walk is what the policy file says."""
    from agents.lal_regression.control_test import get_ranker, predictions
    from agents.lal_regression.fits import fit_boosted, make_policy
    from envs.simulator.kernels.learners.trees import predict_forest

    config = replace(SMOKE, n_tasks=40, folded=True, max_iter=10)
    rows = make_rows(config, 4)
    published = rows.features.astype(np.float32).astype(np.float64)
    folded = fold(published)
    policy = make_policy(config, fit_boosted(config, folded, rows.gains), {})
    assert policy.class_symmetric
    feature, threshold, child, leaf = get_ranker(policy)
    trees = (feature[0], threshold[0], child[0], leaf[0], np.empty(0, np.int64))
    found = np.zeros((1, len(folded)))
    columns = rows.features.T.astype(np.float32).copy()
    predict_forest(columns, trees, 1, found, np.empty(0), np.empty(0), 0, len(folded))
    wanted = policy.scorer.run({"candidates": folded, "context": np.zeros(0)})
    np.testing.assert_array_equal(predictions(policy, published), wanted)
    assert wanted.std() > 0
    np.testing.assert_allclose(np.ptp(found[0] * feature.shape[1] - wanted), 0.0, atol=1e-5)


def test_unfolding_keeps_what_lies_on_a_threshold():
    tree = {
        "feature": np.array([2, 0, 0]),
        "threshold": np.array([0.5, 0.0, 0.0]),
        "left": np.array([1, 1, 2]),
        "right": np.array([2, 1, 2]),
        "value": np.array([[0.0], [1.0], [2.0]]),
        "roots": np.array([0]),
    }
    for column in (0, 2):
        tree["feature"] = np.array([column, 0, 0])
        flat = unfolded(tree)
        for value in (0.0, 0.2, 0.25, 0.3, 0.5, 0.7, 0.75, 0.8, 1.0):
            features = np.zeros((1, 8))
            features[0, column] = value
            node = int(flat["roots"][0])
            while flat["left"][node] != node:
                right = features[0, flat["feature"][node]] > flat["threshold"][node]
                node = int(flat["right" if right else "left"][node])
            wanted = 1.0 if fold(features)[0, column] <= 0.5 else 2.0
            assert flat["value"][node, 0] == wanted, (column, value)


def test_shuffling_everywhere_leaves_no_task_means():
    rows = rows_of(np.repeat(np.arange(50.0), 10), np.arange(500) // 10)
    shuffled = shuffled_targets(SMOKE, rows, within=False).reshape(50, 10)
    assert shuffled.mean(axis=1).std() < 10.0 < rows.gains.reshape(50, 10).mean(axis=1).std()
    np.testing.assert_array_equal(np.sort(shuffled.ravel()), rows.gains)


def test_uncertainty_only_splits_nothing_else(tmp_path):
    config = replace(SMOKE, control="uncertainty_only", n_tasks=40)
    policy = load_policy(AGENT.train(config, tmp_path / "run"))
    leaf = policy.tensors["trees.left"] == np.arange(len(policy.tensors["trees.left"]))
    assert set(policy.tensors["trees.feature"][~leaf]) == {0}
