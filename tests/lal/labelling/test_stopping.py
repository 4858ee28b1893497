"""Stopping rules: formulas with known answers, when each says stop, and the registry."""

from typing import Any

import numpy as np
import pytest

import lal
from lal.errors import UnknownNameError, UsageError
from lal.labelling.stopping import STOPPING_RULES, Checkpoints, make_rule
from lal.labelling.stopping.base import STOP_STEP
from lal.labelling.stopping.committee import agreement
from lal.labelling.stopping.confidence import expected_error, overall_uncertainty


@pytest.fixture
def blobs():
    rng = np.random.default_rng(0)
    codes = np.arange(300) % 2
    return rng.normal(size=(300, 2)) + 8.0 * codes[:, None], codes


def points(X, learner="logistic_regression"):
    return Checkpoints(lal.make_learner(learner), X, n_classes=2, seed=0)


def in_order(codes, n):
    return [(i, int(codes[i])) for i in range(n)]


def test_formulas():
    proba = np.array([[1.0, 0.0], [0.5, 0.5]])
    assert overall_uncertainty(proba) == pytest.approx(0.5)
    assert expected_error(proba) == pytest.approx(0.25)
    three = np.full((4, 3), 1 / 3)
    assert overall_uncertainty(three) == pytest.approx(1.0)
    assert expected_error(three) == pytest.approx(2 / 3)
    assert agreement(np.array([[0, 1], [0, 1], [0, 1]]), 2) == pytest.approx(1.0)
    assert agreement(np.array([[0, 0], [1, 1]]), 2) == pytest.approx(0.0)
    votes = np.array([[0], [0], [0], [1]])
    expected = 1.0 + (0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / np.log(2)
    assert agreement(votes, 2) == pytest.approx(expected)


@pytest.mark.parametrize("name", STOPPING_RULES.names())
def test_every_rule_waits_and_says_a_sentence(name, blobs):
    X, codes = blobs
    rule = make_rule(name, points(X))
    few = rule.judge(in_order(codes, 9))
    assert not few.stop
    assert "too few labels" in str(few) or name == "budget"
    one_class = rule.judge([(i, 0) for i in range(0, 200, 2)][:60])
    assert not one_class.stop
    said = rule.judge(in_order(codes, 100))
    assert "threshold" in str(said)
    assert rule.judge(in_order(codes, 100)) == said  # asking twice changes nothing


@pytest.mark.parametrize("name", [n for n in STOPPING_RULES.names() if n != "budget"])
def test_every_rule_stops_on_separable_data_and_not_on_noise(name, blobs):
    X, codes = blobs
    assert make_rule(name, points(X)).judge(in_order(codes, 200)).stop
    rng = np.random.default_rng(1)
    noise = rng.integers(2, size=300)
    if name == "committee_agreement":  # of noise a committee agrees on nothing: chosen rows count
        return
    learner = "knn" if name == "stabilising_predictions" else "logistic_regression"
    spread = rng.normal(size=(300, 2))
    assert not make_rule(name, points(spread, learner)).judge(in_order(noise, 60)).stop


def test_committee_goes_on_while_chosen_rows_are_hard():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    codes = (X[:, 0] > 0).astype(int)
    far = np.flatnonzero(np.abs(X[:, 0]) > 0.6)
    near = np.argsort(np.abs(X[:, 0]))
    easy = [(int(i), int(codes[i])) for i in far[:60]]
    hard = [(int(i), int(codes[i])) for i in near[:40]]
    rule = make_rule("committee_agreement", points(X))
    assert rule.judge([*hard, *easy]).stop
    early = [(int(i), int(codes[i])) for i in far[:10]]
    said: Any = rule.judge([*early, *hard])
    assert not said.stop
    assert said.value < 0


def test_budget_counts_labels(blobs):
    X, codes = blobs
    rule = make_rule("budget:50", points(X))
    assert not rule.judge(in_order(codes, 49)).stop
    said = rule.judge(in_order(codes, 50))
    assert said.stop
    assert str(said) == "labelling may stop (number of labels 50, threshold 50)"


def test_models_are_looked_at_every_tenth_label(blobs):
    X, codes = blobs
    looked = points(X)
    assert looked.counts(in_order(codes, 37), 3) == [STOP_STEP, 2 * STOP_STEP, 3 * STOP_STEP]
    assert looked.counts(in_order(codes, 29), 3) == []
    assert looked.counts([(2 * i, 0) for i in range(10)] + in_order(codes, 37), 4) == []
    labels = in_order(codes, 40)
    assert looked.model(labels) is looked.model(list(labels))
    everything = [(i, int(c)) for i, c in enumerate(codes)]
    assert len(looked.open_proba(everything)) == 300  # nothing is open: all rows looked at


def test_names_and_thresholds(blobs):
    X, _ = blobs
    with pytest.raises(UnknownNameError, match="unknown stopping rule 'overal_uncertainty'"):
        make_rule("overal_uncertainty", points(X))
    with pytest.raises(UsageError, match="threshold of 'budget' must be a number, got 'x'"):
        make_rule("budget:x", points(X))
    with pytest.raises(UsageError, match="threshold of 'overall_uncertainty' must be 0 to 1"):
        make_rule("overall_uncertainty:3", points(X))
