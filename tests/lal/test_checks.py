"""The shipped checkers: everything registered passes, everything broken is named."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lal.checks import (
    check_dataset,
    check_feature,
    check_learner,
    check_policy,
    check_strategy,
    sample_state,
)
from lal.data.datasets import DATASETS, load_dataset
from lal.errors import CheckError
from lal.features import FEATURES, Feature
from lal.features.candidate import margin
from lal.learners import LEARNERS, make_learner
from lal.policies.kinds import list_policies
from lal.policies.margin import margin_policy
from lal.policies.pool_policy import PoolPolicy
from lal.strategies.base import STRATEGIES

LEARNER_FOR: dict[str, Any] = {
    "learning_loss": "mlp_loss",
    "ta_vaal": "mlp_loss",
    "cartography": "mlp",
    "crowd_expertise": "crowd",
    "multilabel_crowd": "crowd",
    "mada": make_learner("with_source", X=np.eye(4)[[0, 1, 2, 3, 0]], y=np.arange(5) % 2),
    "region_entropy": "segmentation",
    "region_margin": "segmentation",
    "region_bald": "segmentation",
    "region_impurity": "segmentation",
    "region_clusters": "segmentation",
    "seg_propagation": "segmentation",
    "viewal": make_learner("segmentation", n_names=1),
}


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_strategy(name):
    check_strategy(name, LEARNER_FOR.get(name, "logistic_regression"))


@pytest.mark.parametrize("name", FEATURES.names())
def test_every_feature(name):
    check_feature(name)


@pytest.mark.parametrize("name", LEARNERS.names())
def test_every_learner(name):
    check_learner(name)


@pytest.mark.parametrize("name", [*list_policies("pool"), *list_policies("regression")])
def test_every_policy(name):
    check_policy(name)


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_dataset(name):
    check_dataset(name)


class Rule:
    """A strategy whose faults are given as functions."""

    def __init__(self, utilities):
        self.make = utilities

    def utilities(self, state, rng):
        return self.make(state)


class Counting(Rule):
    """Answers differently every time."""

    calls = 0

    def utilities(self, state, rng):
        self.calls += 1
        return np.full(state.N, float(self.calls))


class TwiceTheSame(Rule):
    def select_batch(self, state, rng, ties, batch_size):
        return np.repeat(state.open[:1], batch_size)


class Labelled(Rule):
    def select_batch(self, state, rng, ties, batch_size):
        return np.arange(batch_size)


def zeros(state):
    return np.zeros(state.N)


def changes_labels(state):
    state.labels[:] = 0
    return np.zeros(state.N)


def global_draw(state):
    return np.random.random(state.N)  # noqa: NPY002  (the fault to be found)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (object(), "has no method utilities"),
        (Rule(lambda s: np.zeros(3)), "gives shape \\(3,\\), not \\(60,\\)"),
        (Rule(lambda s: np.full(s.N, np.nan)), "not finite"),
        (Rule(global_draw), "draws from a global random generator"),
        (Rule(changes_labels), "changes the state"),
        (Counting(zeros), "answers differently when asked again"),
        (Rule(lambda s: np.zeros(s.N)), "cannot be pickled"),
        (TwiceTheSame(zeros), "chooses a row twice in a batch"),
        (Labelled(zeros), "chooses a row that has a label"),
    ],
)
def test_broken_strategies(strategy, message):
    with pytest.raises(CheckError, match=message):
        check_strategy(strategy)


def by_position(state):
    return np.arange(state.N, dtype=float)


def test_a_strategy_of_row_numbers():
    with pytest.raises(CheckError, match="Rule depends on the order of rows"):
        check_strategy(Rule(by_position))


def feature(compute, **fields):
    return Feature("broken@1", "candidate", compute, **fields)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (replace(FEATURES["margin@1"], id="margin"), "has no version"),
        (feature(lambda s, r: np.zeros((len(r), 2))), "computes shape \\(60, 2\\)"),
        (feature(lambda s, r: np.full(len(r), np.inf)), "is not finite"),
        (feature(lambda s, r: np.arange(len(r)) / 100), "depends on which rows are asked"),
        (feature(lambda s, r: r / 100), "depends on the order of rows"),
        (feature(lambda s, r: s.proba[r, 0], needs=("proba",)), "say class_symmetric=False"),
    ],
)
def test_broken_features(broken, message):
    with pytest.raises(CheckError, match=message):
        check_feature(broken)


class Learner:
    """A learner whose probabilities are changed on the way out."""

    name = "broken"

    def __init__(self, change):
        self.change = change
        self.fits = 0

    def fit(self, X, y, *, n_classes, sample_weight=None, seed=0):
        self.fits += 1
        model: Any = make_learner("gaussian_nb").fit(X, y, n_classes=n_classes, seed=seed)
        inner = model.predict_proba
        model.predict_proba = lambda rows: self.change(inner(rows), self.fits)
        return model


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, n: p[:, :2], "probabilities \\(60, 2\\), not \\(60, 4\\)"),
        (lambda p, n: 2 * p, "do not sum to one"),
        (lambda p, n: p - 1, "negative or not finite"),
        (lambda p, n: np.roll(p, n, axis=1) * 0.5 + 0.125, "differs between fits"),
    ],
)
def test_broken_learners(change, message):
    with pytest.raises(CheckError, match=message):
        check_learner(Learner(change))


class Peeking(PoolPolicy):
    """Its utilities follow the class codes."""

    def utilities(self, state, rng=None):
        return np.zeros(state.N) if state.proba is None else state.proba[:, 0]


class Fitting(PoolPolicy):
    """Fits the classifier that it was lent."""

    def query(self, X, y, clf=None, **options):
        clf.fit(X, np.arange(len(X)) % 2)
        return super().query(X, y, clf, **options)


@pytest.mark.parametrize(
    ("kind", "message"),
    [(Peeking, "say class_symmetric=False"), (Fitting, "fits the classifier that it was given")],
)
def test_broken_policies(kind, message):
    good = margin_policy()
    broken = kind(
        name="broken",
        candidate_features=good.candidate_features,
        program=good.program,
        tensors=good.tensors,
    )
    with pytest.raises(CheckError, match=message):
        check_policy(broken)


def test_a_network_policy():
    weights = np.linspace(-1, 1, 3)[None]
    ops = [{"op": "affine", "in": ["candidates"], "out": ["u"], "weight": "w"}]
    ids = ("entropy@1", "min_distance@1", "density_rank@1")
    for selection in ("top", "gumbel", "greedy_diverse"):
        check_policy(
            PoolPolicy(
                name=selection,
                candidate_features=ids,
                program={"ops": ops, "output": "u"},
                tensors={"w": weights},
                selection=selection,
            )
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": ""}, "lacks name, family or hash"),
        ({"y": np.zeros(150, dtype=np.int64)}, "codes 0 to C - 1"),
        ({"y": np.zeros(150)}, "must be integer codes"),
        ({"y": np.zeros(9, dtype=np.int64)}, "has 150 rows, 9 labels"),
        ({"class_names": ("a", "b", "b")}, "names two classes alike"),
        ({"class_names": ("a",)}, "fewer than two classes"),
    ],
)
def test_broken_datasets(change, message):
    with pytest.raises(CheckError, match=message):
        check_dataset(replace(load_dataset("sklearn:iris"), **change))


def test_the_sample_states_are_what_they_say():
    assert sample_state(10, 25).n_classes == 10
    assert sample_state(1, 3).proba is None
    assert margin(sample_state(), np.arange(60)).std() > 0.05
