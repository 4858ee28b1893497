"""Two views of a row: negatives by hand, and codes that find each other."""

import numpy as np
import pytest

from lal.errors import UsageError

torch = pytest.importorskip("torch")
from lal.learners.neural.two_views import (  # noqa: E402 (needs torch)
    NEGATIVES,
    choose_negatives,
    contrast,
    plus_plus,
    train_two_views,
    two_views,
)


def test_points_are_taken_by_squared_distance_and_never_twice():
    points = np.array([[0.0], [0.0], [10.0], [4.0], [4.0]])
    for seed in range(20):
        found = plus_plus(points, 3, np.random.default_rng(seed))
        assert found[0] == 2
        assert len({float(points[i, 0]) for i in found}) == 3  # equal points have distance 0
        assert sorted(plus_plus(points, 5, np.random.default_rng(seed))) == [0, 1, 2, 3, 4]


def test_the_contrast_by_hand_leaves_the_row_itself_out():
    eye = torch.eye(2)
    layer = eye[None], torch.zeros(1, 1, 2)
    nets = [layer, layer], [layer, layer]
    halves = (eye, eye)
    few, negatives = torch.tensor([0]), torch.tensor([0, 1])
    # its own view has cosine 1, the other row 0; the row itself is no negative: log(1 + e^-10)
    expected = float(np.log1p(np.exp(-10.0)))
    assert float(contrast(nets, halves, few, negatives)) == pytest.approx(expected, abs=1e-6)


def test_codes_find_the_other_half_of_rows_never_seen():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(240, 4))
    X = np.hstack([hidden, hidden @ rng.normal(size=(4, 4))])
    encoder = two_views(X[:200], 8)
    assert encoder(X).shape == (240, 8)
    first, second = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in encoder.views(X[200:]))
    found = ((first @ second.T).argmax(axis=1) == np.arange(40)).mean()
    assert found > 0.3  # chance is 1 in 40


def test_negatives_are_different_rows():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(100, 4))
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    chosen = choose_negatives(codes, codes[:10], rng)
    assert len(np.unique(chosen)) == NEGATIVES


def test_one_column_has_no_two_views():
    with pytest.raises(UsageError, match="two views need at least two columns"):
        train_two_views(np.zeros((5, 1)), 2, choose_negatives)
