"""Rules that read the training of the model, and those that change its input."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lal.checks import sample_state
from lal.errors import UsageError
from lal.learners.capabilities import TrainingDiary
from lal.strategies.base import make_strategy, select
from lal.strategies.cartography import correctness
from lal.strategies.model_reuse import source_weights
from lal.strategies.surprisal import surprisals
from lal.strategies.uncertainty import entropy_utility, margin_utility
from lal.strategies.virtual_adversary import adversary, divergence, spread_labels


def stream():
    return np.random.default_rng(0)


class Fixed:
    """A model that says the same of every row."""

    def __init__(self, proba):
        self.proba = np.asarray(proba)

    def predict_proba(self, X):
        return self.proba[: len(X)]


class WithDiary:
    """A fitted model with a diary."""

    def __init__(self, model, correct):
        self.model = model
        self.diary = TrainingDiary(correct, correct)

    def __getattr__(self, name):
        return getattr(self.model, name)


def test_correctness_counts_the_first_third_of_the_epochs():
    correct = np.zeros((12, 3))
    correct[:4, 0] = [1, 1, 0, 1]  # 0.75, in steps of 0.2: 0.8
    correct[:4, 1] = [0, 0, 0, 1]
    correct[4:, 2] = 1.0
    found = correctness(TrainingDiary(correct, correct))
    np.testing.assert_allclose(found, [0.8, 0.2, 0.0])


def test_cartography_is_margin_where_all_are_alike():
    state: Any = sample_state()
    for value in (0.0, 1.0):
        known = replace(state, model=WithDiary(state.model, np.full((6, 12), value)))
        found = make_strategy("cartography").utilities(known, stream())
        np.testing.assert_array_equal(found, margin_utility(state.proba))


def test_cartography_asks_between_hard_and_easy_rows():
    state: Any = sample_state()
    hard = state.X[state.labelled, 0] > np.median(state.X[state.labelled, 0])
    known = replace(state, model=WithDiary(state.model, np.tile(1.0 - hard, (6, 1))))
    found = make_strategy("cartography").utilities(known, stream())
    assert found.max() <= 0.0
    assert found.min() >= -0.5
    ends = [state.X[:, 0].argmin(), state.X[:, 0].argmax()]
    assert found.max() > found[ends].max()


def test_sources_lose_weight_with_their_errors():
    state: Any = sample_state()
    right = np.eye(3)[np.r_[state.labels, np.zeros(48, dtype=int)]]
    wrong, unsure = np.roll(right, 1, axis=1), np.full((60, 3), 1 / 3)
    weights = source_weights(np.stack([right, unsure, wrong]), state, 0.5)
    np.testing.assert_allclose(weights, np.exp([0.0, -0.5 * 8, -0.5 * 12]))


def test_reuse_without_sources_is_entropy_and_a_wrong_source_is_ignored():
    state: Any = sample_state()
    alone = make_strategy("model_reuse").utilities(state, stream())
    np.testing.assert_array_equal(alone, entropy_utility(state.proba))
    right = np.eye(3)[np.arange(60) % 3]
    rule: Any = make_strategy(
        "model_reuse", sources=[Fixed(right), Fixed(np.roll(right, 1, axis=1))]
    )
    vote = rule.vote(state)
    np.testing.assert_allclose(vote, 1 / 3 * state.proba + 2 / 3 * right, atol=1e-4)
    before = replace(state, proba=None, model=None, labelled=state.labelled[:0],
                     labels=state.labels[:0])  # fmt: skip
    assert rule.vote(before)[0].tolist() == [0.5, 0.5, 0.0]


def test_sources_of_other_classes_are_refused():
    state: Any = sample_state()
    rule = make_strategy("model_reuse", sources=[Fixed(np.full((60, 2), 0.5))])
    with pytest.raises(UsageError, match=r"models over the same classes.*classes_known=True"):
        rule.utilities(state, stream())


def test_a_model_that_does_not_change_has_no_inconsistency():
    state: Any = sample_state()
    still = replace(state, model=Fixed(state.proba))
    found = make_strategy("consistency").utilities(still, stream())
    np.testing.assert_allclose(found, 0.0, atol=1e-20)
    assert make_strategy("consistency").utilities(state, stream()).min() > 0.0


def test_the_adversary_changes_predictions_more_than_a_random_step():
    state: Any = sample_state()
    step = adversary(state, 0.2, stream())
    rng = np.random.default_rng(7)
    random = rng.normal(size=step.shape)
    random *= np.linalg.norm(step, axis=1, keepdims=True) / np.linalg.norm(
        random, axis=1, keepdims=True
    )
    model: Any = state.model
    ours, theirs = (
        divergence(state.proba, model.predict_proba(state.X + s)) for s in (step, random)
    )
    assert (ours > theirs).mean() >= 0.9
    scale = np.sqrt(state.X.var(axis=0).sum())
    np.testing.assert_allclose(np.linalg.norm(step, axis=1), 0.2 * scale)


def test_labels_spread_within_far_clusters():
    from lal.checks.states import sample_pool

    X, y = sample_pool()
    X = 0.05 * X + 10.0 * np.eye(4)[y]
    state: Any = sample_state()
    from lal.data.view import make_geometry

    moved = replace(state, X=X, geometry=make_geometry(X))
    np.testing.assert_array_equal(spread_labels(moved), y)


def test_surprise_is_the_error_of_a_column_given_the_others():
    rng = stream()
    points = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4))
    found = surprisals(points, 1.0, rng)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)
    centred = points - points.mean(axis=0)
    covariance = centred.T @ centred / 200 + 0.1 * np.eye(4)
    rest = [1, 2, 3]
    slope = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, 0])
    variance = covariance[0, 0] - covariance[0, rest] @ slope
    expected = 0.5 * (centred[:, 0] - centred[:, rest] @ slope) ** 2 / variance
    other = np.sort(rng.permutation(200)[:2])
    ratio = found[other[0], 0] / found[other[1], 0]
    whole = [0.5 * (centred @ np.linalg.inv(covariance)) ** 2 / np.diag(np.linalg.inv(covariance))][
        0
    ]
    np.testing.assert_allclose(whole[:, 0], expected)
    lengths = np.linalg.norm(whole, axis=1)
    assert ratio == pytest.approx(
        expected[other[0]] / lengths[other[0]] / (expected[other[1]] / lengths[other[1]])
    )


def test_surprise_is_zero_where_a_column_does_not_count():
    found = surprisals(stream().normal(size=(50, 20)), 0.15, stream())
    assert ((found > 0).sum(axis=1) == 3).all()


def test_one_row_for_each_cluster_of_surprises_without_a_label():
    state: Any = sample_state(2, 0)
    rows = select(make_strategy("surprisal"), state, stream(), np.random.default_rng(1), 6)
    assert len(set(rows.tolist())) == 6
