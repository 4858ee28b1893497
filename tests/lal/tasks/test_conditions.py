"""Conditions of a pool: what they change, what stays, and that nobody is told."""

from dataclasses import replace

import numpy as np
import pytest

import lal
from lal.data.datasets import make_dataset
from lal.episode import Episode, run_episode
from lal.errors import UnknownNameError, UsageError
from lal.evaluation import EvaluationConfig, evaluate
from lal.evaluation.runs.oracles import run_oracle
from lal.evaluation.runs.protocol import Protocol
from lal.learners import make_learner, read_learner
from lal.metrics import accuracy, group_metrics, parity_gap
from lal.strategies.base import make_strategy
from lal.task import INVALID, Part
from lal.tasks.conditions import CONDITIONS, apply_conditions, make_condition
from lal.tasks.sampler import TaskSampler
from lal.tasks.splits import make_task


def blobs(n=120, n_classes=4):
    y = np.arange(n) % n_classes
    X = np.random.default_rng(0).normal(size=(n, 4)) + 4.0 * np.eye(4)[y]
    return make_dataset("blobs", X, y, source="test", family="blobs")


def task(*conditions, start: int = 8, seed=0, **more):
    learner = make_learner("gaussian_nb")
    given = {"start": start, "budget": 12, "conditions": conditions, **more}
    return make_task(blobs(), learner, seed=seed, **given)


@pytest.mark.parametrize("name", CONDITIONS.names())
def test_a_condition_is_repeatable_and_leaves_test_rows_of_known_classes(name):
    plain, first, second = task(), task(name), task(name)
    np.testing.assert_array_equal(first.pool.X, second.pool.X)
    np.testing.assert_array_equal(first.pool.y, second.pool.y)
    assert first.info[-1] == ("condition", name)
    assert not np.array_equal(task(name, seed=1).pool.y, first.pool.y)
    width = plain.pool.X.shape[1]
    rows = {row.tobytes() for row in np.asarray(plain.test_part().X)}
    found = np.ascontiguousarray(first.test_part().X[:, :width])
    assert {row.tobytes() for row in found} <= rows


def test_copies_come_behind_the_pool_with_its_labels():
    plain, made = task(), task("redundancy?share=0.5&copies=2&noise=0.01")
    n = len(plain.pool)
    assert len(made.pool) == n + 2 * round(0.5 * n)
    np.testing.assert_array_equal(made.pool.X[:n], plain.pool.X)
    distance = np.linalg.norm(made.pool.X[n:, None] - plain.pool.X, axis=2)
    assert (distance.min(axis=1) > 0).all()
    assert distance.min(axis=1).max() < 0.2
    np.testing.assert_array_equal(made.pool.y[n:], plain.pool.y[distance.argmin(axis=1)])


def test_clusters_keep_one_row_of_each_copy_and_every_class():
    plain = task()
    doubled = apply_conditions(plain, ["redundancy?noise=0.001"], seed=0)
    n = len(plain.pool)
    kept = apply_conditions(doubled, ["without_redundancy?keep=0.5"], seed=0)
    distance = np.linalg.norm(kept.pool.X[:, None] - plain.pool.X, axis=2)
    assert len(kept.pool) == n
    assert len(np.unique(distance.argmin(axis=1))) > 0.9 * n
    few = task(start=2, budget=2)
    tiny = apply_conditions(few, ["without_redundancy?keep=0.03"], seed=0)
    assert set(tiny.pool.y) == set(plain.pool.y)


def test_outliers_have_the_share_asked_for_and_wrong_labels():
    plain, made = task(), task("outliers?share=0.25")
    n = len(plain.pool)
    assert (len(made.pool) - n) / len(made.pool) == pytest.approx(0.25, abs=0.01)
    twins = made.pool.X[n + (len(made.pool) - n) // 2 :]
    own = plain.pool.y[np.linalg.norm(twins[:, None] - plain.pool.X, axis=2).argmin(axis=1)]
    assert (own != made.pool.y[-len(twins) :]).all()


def test_rows_of_unknown_classes_cost_a_label_and_are_not_asked_again():
    made = task("unknown_classes")
    assert made.n_classes == 2
    assert made.has_invalid
    assert set(made.test_part().y) == {0, 1}
    episode = Episode(made, seed=0)
    while not episode.finished:
        state = episode.state()
        asked = int(state.open[0])
        answer = episode.label(asked)
        assert answer == made.pool.y[asked]
        assert asked not in episode.state().open
        assert (asked in episode.state().refused) == (answer == INVALID)
    assert episode.spent == 20 == len(np.unique(episode.pool.order))
    assert episode.pool.n_labelled == (made.pool.y[episode.pool.order] != INVALID).sum() < 20
    assert set(episode.state().labels) == {0, 1}
    refused = int(episode.pool.refused[0])
    with pytest.raises(UsageError, match=f"sample {refused} is already known to be of no class"):
        episode.pool.add(refused, 0)
    twin = episode.fork()
    np.testing.assert_array_equal(twin.pool.order, episode.pool.order)
    np.testing.assert_array_equal(twin.pool.refused, episode.pool.refused)


def test_curves_count_the_answers_that_were_no_label():
    made = task("unknown_classes")
    curve = run_episode(make_strategy("margin"), made, seed=0, batch_size=4)
    assert curve.n_labels.tolist() == [8, 12, 16, 20]
    assert curve.metrics["accuracy"][-1] > 0.9
    assert (made.pool.y[curve.queried] == INVALID).any()


def test_oracles_and_kernels_refuse_rows_of_no_class():
    made = task("unknown_classes")
    with pytest.raises(UsageError, match="leave the oracles out"):
        run_oracle(made, seed=0)
    tables = pytest.importorskip("envs.simulator.tables")
    with pytest.raises(UsageError, match="rows of no class, which are not compiled"):
        tables.learner_spec(made)


def test_class_mismatch_wastes_fewer_labels_than_margin():
    wasted = {}
    for name in ("margin", "class_mismatch"):
        made = task("unknown_classes", budget=24)
        picks = run_episode(make_strategy(name), made, seed=0, batch_size=4).queried[8:]
        wasted[name] = (made.pool.y[picks] == INVALID).mean()
    assert wasted["class_mismatch"] < 0.25 < wasted["margin"]


def test_group_metrics_by_hand():
    y, groups = np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 0, 0, 1, 1])
    proba = np.eye(2)[[0, 0, 1, 0, 1, 1]]
    found = {name: metric(y, proba) for name, metric in group_metrics(groups).items()}
    # right: 3 of 4 and 1 of 2; a predicted 1 is right in 1 of 1 and 1 of 2, a 0 in one group only
    assert found == {"worst_group_accuracy": 0.5, "neg_group_gap": -0.25, "neg_parity_gap": -0.5}
    assert parity_gap(y, np.eye(2)[y], groups) == 0.0


def test_groups_are_measured_and_reach_no_strategy():
    made = task("minority")
    curve = run_episode(make_strategy("margin"), made, seed=0)
    assert curve.metrics["worst_group_accuracy"].shape == curve.metrics["accuracy"].shape
    assert (curve.metrics["worst_group_accuracy"] <= curve.metrics["accuracy"]).all()
    pool, test = made.pool, made.test_part()
    other = replace(
        made,
        pool=Part(pool.X, pool.y, None),
        test=Part(test.X, test.y, 1 - np.asarray(test.groups)),
    )
    np.testing.assert_array_equal(
        run_episode(make_strategy("margin"), other, seed=0).queried, curve.queried
    )


def test_a_minority_is_where_the_mark_is_wrong():
    made = task("minority?share=0.5&agreement=1")
    marked = np.asarray(made.pool.X[:, -4:]).argmax(axis=1)
    assert ((marked == made.pool.y) == (np.asarray(made.pool.groups) == 0)).all()


def test_an_evaluation_runs_under_conditions_from_one_list(tmp_path):
    config = EvaluationConfig(
        suite=(), strategies=("random",), runs=1, budget=4, out=tmp_path,
        conditions=("minority",), learners=("retuned?base=knn",),
    )  # fmt: skip
    found = evaluate(config, data=[blobs()])
    table = found.table
    assert set(table["learner"]) == {"retuned?base=knn"}
    assert table["worst_group_accuracy"].notna().all()
    assert found.manifest["protocol"]["conditions"] == ["minority"]


def test_protocols_without_conditions_keep_their_hash():
    plain = Protocol()
    assert (plain.hash, plain.run_hash) == ("5a4f64ade3a146bd", "f6759a6fabadbd8b")
    other = Protocol(conditions=("outliers",))
    assert other.run_hash != plain.run_hash
    assert Protocol.from_json(other.to_json()) == other
    assert Protocol.from_json(plain.to_json()) == plain


def test_samplers_train_under_conditions():
    sampler = TaskSampler(
        datasets=[blobs()], share_synthetic=0.0, conditions=["outliers?share=0.5"]
    )
    drawn = sampler(np.random.default_rng(0))
    assert drawn.info[-1] == ("condition", "outliers?share=0.5")
    # of 120 rows, 72 are no reward rows, and as many outliers come to them
    assert len(drawn.pool) == 144


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("outliers?share=1", "share must be at least 0 and below 1, got 1"),
        ("outliers?part=1", r"condition 'outliers\?part=1' does not take these options"),
        ("redundancy?share", r"option 'share' of 'redundancy\?share' has no value"),
        ("without_redundancy?by=size", "by must be 'clusters' or 'random', got 'size'"),
    ],
)
def test_wrong_conditions_are_refused(text, sentence):
    with pytest.raises(UsageError, match=sentence):
        make_condition(text)
    with pytest.raises(UsageError, match=sentence):
        Protocol(conditions=(text,))


def test_conditions_are_named_and_for_classes():
    with pytest.raises(UnknownNameError, match="unknown condition 'outlier'; did you mean"):
        make_condition("outlier")
    with pytest.raises(UsageError, match="conditions is a list of texts, got the text 'outliers'"):
        apply_conditions(task(), "outliers", seed=0)
    with pytest.raises(UsageError, match="leave none to be unknown; two stay known"):
        task("unknown_classes?share=0.1")
    number = lal.load_dataset("sklearn:diabetes")
    with pytest.raises(UsageError, match="conditions are for classification"):
        make_task(number, make_learner("ridge", task="regression"), seed=0, conditions=["outliers"])


def test_learners_are_read_with_their_options():
    assert read_learner("logistic_regression?C=0.1").name == "logistic_regression(C=0.1)"
    assert accuracy(np.array([0]), np.array([[1.0, 0.0]])) == 1.0
