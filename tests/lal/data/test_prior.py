from typing import Any

import numpy as np
import pytest

from lal.data.coverage import participation_ratio, statistics, uncovered
from lal.data.datasets import make_dataset
from lal.data.drawing import assign, draw_codes
from lal.data.generators import DISCRETE, GENERATORS, board, turned
from lal.data.prior import PriorConfig, draw_shares, log_uniform, sample_dataset, sample_recipe
from lal.data.recipes import (
    Recipe,
    blurred,
    draw,
    filled,
    heavy_tailed,
    levelled,
    near_copies,
    noisy,
)
from lal.data.rules import cut_at_shares
from lal.data.suites import load_suite
from lal.errors import UsageError


def rng(seed=0):
    return np.random.default_rng(seed)


def equal(n_classes):
    return np.full(n_classes, 1 / n_classes)


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize(("n", "d", "n_classes"), [(120, 2, 2), (300, 20, 5), (400, 3, 30)])
def test_generators_give_rows_of_unit_scale_and_all_codes(kind, n, d, n_classes):
    X, y = GENERATORS[kind](rng(), n, d, equal(n_classes))
    assert X.shape == (n, d)
    assert y.shape == (n,)
    assert np.isfinite(X).all()
    assert y.min() >= 0
    assert y.max() < n_classes
    assert len(np.unique(y)) >= min(n_classes, 2)
    assert 0.05 < np.abs(X).mean() < 50
    again = GENERATORS[kind](rng(), n, d, equal(n_classes))
    assert np.array_equal(X, again[0])
    assert np.array_equal(y, again[1])


@pytest.mark.parametrize("kind", GENERATORS)
def test_shares_are_honoured(kind):
    shares = np.array([0.7, 0.2, 0.1])
    found = np.zeros(3)
    for seed in range(10):
        found += np.bincount(GENERATORS[kind](rng(seed), 500, 6, shares)[1], minlength=3) / 5000
    tolerance = 0.15 if kind in ("tree", "network", "linear", "rules") else 0.02
    assert np.allclose(found, shares, atol=tolerance)


def test_rare_classes_are_drawn_at_least_twice():
    y = draw_codes(rng(), 100, np.array([0.985, 0.01, 0.005]))
    assert np.bincount(y).tolist() == [96, 2, 2]
    assert len(y) == 100


def test_the_board_by_hand():
    X, y = board(rng(), 500, 2)
    assert np.array_equal(y, (X[:, 0] > 0) ^ (X[:, 1] > 0))
    X, y = board(rng(), 500, 4)
    cell = np.floor((X + 1) * 2).astype(int)
    assert np.array_equal(y, cell.sum(axis=1) % 2)


def test_turning_keeps_distances():
    X = rng().normal(size=(10, 3))
    there = turned(X, 0.7)
    assert np.allclose(np.linalg.norm(X[0] - X[1]), np.linalg.norm(there[0] - there[1]))
    assert np.allclose(turned(there, -0.7), X)


def test_assign_follows_scores_and_shares():
    scores = rng().normal(size=(4000, 2))
    y = assign(scores, np.array([0.9, 0.1]))
    assert np.mean(y == 1) == pytest.approx(0.1, abs=0.03)
    gap = scores[:, 1] - scores[:, 0]
    assert gap[y == 1].min() > gap[y == 0].max()


def test_nested_classes_share_a_centre_and_differ_in_spread():
    X, y = GENERATORS["nested"](rng(1), 2000, 10, equal(2))
    spread = sorted(X[y == c].std() for c in (0, 1))
    assert spread[1] > 1.4 * spread[0]


def test_rings_are_told_by_their_radius():
    X, y = GENERATORS["rings"](rng(), 600, 3, equal(3))
    radius = np.linalg.norm(X, axis=1)
    means = sorted(radius[y == c].mean() for c in range(3))
    assert np.allclose(means, [1, 2, 3], atol=0.1)


def test_filling_stretching_cutting_and_noise():
    X = rng().normal(size=(500, 4))
    wide = filled(rng(), X, 40, correlated=1.0)
    assert np.array_equal(wide[:, :4], X)
    weights = np.linalg.lstsq(X, wide[:, 4:], rcond=None)[0]
    residual = (wide[:, 4:] - X @ weights).std(axis=0)
    assert (residual < 0.75).all()
    noise = filled(rng(), X, 40, correlated=0.0)[:, 4:]
    assert np.abs(np.corrcoef(X[:, 0], noise.T)[0, 1:]).max() < 0.25
    assert heavy_tailed(rng(), X, 0.0) is X
    tails = heavy_tailed(rng(), X, 1.0)
    assert np.array_equal(np.argsort(tails, axis=0), np.argsort(X, axis=0))
    cut = levelled(rng(), X, 1.0)
    for j in range(4):
        assert 2 <= len(np.unique(cut[:, j])) <= 5
    y = np.zeros(20_000, dtype=np.int64)
    flipped = noisy(rng(), y, 0.2, 3)
    assert np.mean(flipped != 0) == pytest.approx(0.2, abs=0.01)
    assert np.mean(flipped == 1) == pytest.approx(0.1, abs=0.01)
    assert noisy(rng(), y, 0.0, 3) is y


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"kind": "moons"}, "unknown kind 'moons'; known: clusters"),
        ({"informative": 9}, "informative columns must be 1 to 4, got 9"),
        ({"shares": (0.5, 0.4)}, "sum to 1"),
        ({"shares": (1.0,)}, "at least two"),
        ({"rows": 3}, "3 rows are too few for 2 classes"),
    ],
)
def test_impossible_recipes(change, match):
    fields = {"kind": "linear", "rows": 50, "columns": 4, "shares": (0.5, 0.5), "informative": 4}
    with pytest.raises(UsageError, match=match):
        Recipe(**(fields | change))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"rows": (10, 5)}, "rows must be a range from 20 up"),
        ({"columns": (1, 5)}, "columns must be a range from 2 up"),
        ({"classes": (1, 5)}, "classes must be a range from 2 up"),
        ({"kinds": {"moons": 1.0}}, "kinds must be weights of clusters"),
        ({"kinds": {}}, "kinds must be weights of clusters"),
        ({"rows": (20, 50), "classes": (10, 10)}, "20 rows cannot hold 10 classes"),
        ({"rare_shares": (0.1, 0.05)}, "rare_shares must be a range above 0 and up to 0.2"),
        ({"rare_shares": (0.1, 0.3)}, "rare_shares must be a range above 0 and up to 0.2"),
    ],
)
def test_impossible_priors(change, match):
    with pytest.raises(UsageError, match=match):
        PriorConfig(**change)


def test_the_prior_stays_in_its_ranges_and_reaches_their_ends():
    config = PriorConfig()
    source = rng(3)
    recipes = [sample_recipe(source, config) for _ in range(1500)]
    assert {r.kind for r in recipes} == set(config.kinds)
    rows = [r.rows for r in recipes]
    assert config.rows[0] <= min(rows) <= max(rows) <= config.rows[1]
    columns = [r.columns for r in recipes]
    assert min(columns) == config.columns[0]
    assert 250 < max(columns) <= config.columns[1]
    classes = [len(r.shares) for r in recipes]
    assert min(classes) == 2
    assert 27 <= max(classes) <= 30
    assert min(min(r.shares) for r in recipes if len(r.shares) <= 10) >= 0.0199
    noise = [r.label_noise for r in recipes]
    assert 0.15 < max(noise) <= 0.2
    assert 0.7 < np.mean(np.array(noise) == 0) < 0.8
    assert 0.3 < max(r.repeated for r in recipes) <= 0.4
    rules = [r for r in recipes if r.kind == "rules"]
    assert not any(r.heavy or r.levels or r.repeated for r in rules)


def test_equal_generators_give_equal_data_sets():
    a, b = sample_dataset(rng(7)), sample_dataset(rng(7))
    assert a.sha256 == b.sha256
    assert a.sha256 != sample_dataset(rng(8)).sha256


def test_every_draw_keeps_the_contract():
    source = rng(11)
    for _ in range(150):
        data = sample_dataset(source)
        assert np.isfinite(data.X).all()
        assert sorted(set(data.y.tolist())) == list(range(data.n_classes))
        assert np.sum(np.bincount(data.y) >= 2) >= 2
        assert data.family == "checkerboard" or data.family.startswith("synthetic:")


def test_kinds_can_be_chosen_and_boards_are_relatives_of_all_boards():
    only = PriorConfig(kinds={"checkerboard": 1.0}, rows=(50, 60), columns=(2, 4))
    data = sample_dataset(rng(), only)
    assert data.name == "prior_checkerboard"
    assert data.family == "checkerboard"
    assert 50 <= len(data) <= 60


def test_log_uniform_covers_both_ends():
    source = rng()
    drawn = [log_uniform(source, 2, 5) for _ in range(400)]
    assert set(drawn) == {2, 3, 4, 5}
    assert drawn.count(2) > drawn.count(5)


def test_shares_sum_to_one_and_keep_the_floor():
    source = rng()
    for n_classes in (2, 7, 30):
        for _ in range(50):
            shares = draw_shares(source, n_classes, PriorConfig())
            assert sum(shares) == pytest.approx(1)
            assert min(shares) >= min(0.02, 0.5 / n_classes) - 1e-12


def test_steep_shares_fall_geometrically_to_the_floor():
    config = PriorConfig(steep=1.0)
    shares = np.sort(draw_shares(rng(2), 4, config))[::-1]
    assert shares[0] > 0.4
    assert shares[-1] >= 0.02
    raw = (shares - 0.02) / (1 - 4 * 0.02)
    assert np.allclose(raw[1:] / raw[:-1], raw[1] / raw[0])


def test_rules_are_rules_over_few_values():
    for seed in range(40):
        shares = np.array([0.7, 0.22, 0.04, 0.04])
        X, y = GENERATORS["rules"](rng(seed), 900, 12, shares)
        assert np.array_equal(X, np.rint(X))
        assert max(len(np.unique(X[:, j])) for j in range(12)) <= 6
        rows, group = np.unique(X, axis=0, return_inverse=True)
        for g in np.flatnonzero(np.bincount(group) > 1):
            assert len(set(y[group == g])) == 1, "equal rows have equal labels"
        assert len(np.unique(y)) >= 2
        assert len(rows) > 20


def test_small_factorials_are_sampled_without_replacement():
    X, _ = GENERATORS["rules"](rng(3), 300, 3, equal(2))
    combinations = np.prod([len(np.unique(X[:, j])) for j in range(3)])
    assert combinations >= 300
    assert len(np.unique(X, axis=0)) == 300


def test_cuts_follow_the_score_and_its_ties():
    score = np.repeat([0.0, 1.0, 2.0, 3.0], 25)
    y = cut_at_shares(score, np.array([0.5, 0.5]), rng())
    assert len(set(y[:50])) == len(set(y[50:])) == 1
    assert y[0] != y[99]


def test_factors_lie_near_few_directions():
    X, _ = GENERATORS["factors"](rng(4), 400, 40, equal(3))
    variances = np.linalg.svd(X - X.mean(axis=0), compute_uv=False) ** 2
    assert variances[:12].sum() > 0.7 * variances.sum()


def test_near_copies_lie_next_to_their_source():
    X = rng().normal(size=(400, 3))
    y = np.arange(400)
    copied, codes = near_copies(rng(1), X, y, 0.25)
    changed = codes != y
    assert 0.18 < changed.mean() < 0.32
    assert np.abs(copied[changed] - X[codes[changed]]).max() < 0.02 * X.std(axis=0).max() * 5
    assert np.array_equal(copied[~changed][:, 0] == X[~changed][:, 0], codes[~changed] >= 0)
    assert near_copies(rng(), X, y, 0.0)[0] is X


def test_the_default_recipe_draws_are_learnable():
    recipe = Recipe("clusters", rows=400, columns=5, shares=(0.5, 0.5), informative=5)
    X, y = draw(rng(1), recipe)
    found = statistics(make_dataset("c", X, y, source="t"))
    assert found["accuracy_200"] > 0.3


def test_statistics_by_hand():
    line = np.outer(np.linspace(-1, 1, 50), [1.0, 2.0, 3.0])
    assert participation_ratio(line) == pytest.approx(1)
    assert participation_ratio(np.vstack([np.eye(4), -np.eye(4)])) == pytest.approx(4)
    y = np.repeat([0, 1], [90, 30])
    X = rng().normal(size=(120, 2)) + 20.0 * y[:, None]
    found = statistics(make_dataset("far", X, y, source="t"))
    assert found["smallest_class"] == 0.25
    entropy = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    assert found["imbalance"] == pytest.approx(1 - entropy)
    assert found["accuracy_50"] == 1.0
    assert found["linearity"] == 0.0
    assert found["classes"] == pytest.approx(np.log(2))


def test_what_lies_outside_is_named():
    data = make_dataset("wide", rng().normal(size=(60, 50)), np.arange(60) % 2, source="t")
    inside = statistics(data)
    narrow = [inside | {"columns": np.log(3)}, inside | {"columns": np.log(9)}]
    (found,) = uncovered([data], narrow)
    assert (found.dataset, found.statistic) == ("wide", "columns")
    assert found.value == pytest.approx(np.log(50))
    assert (found.low, found.high) == pytest.approx((np.log(3), np.log(9)))


def test_the_prior_covers_the_further_data_sets(further_data):
    source = rng(0)
    prior = [statistics(sample_dataset(source)) for _ in range(1000)]
    for folder in ("dev", "bridge"):
        outside = uncovered(load_suite(further_data / folder), prior)
        assert not outside, "\n".join(map(str, outside))


def test_what_is_off_draws_nothing():
    plain, off = rng(5), rng(5)
    config = PriorConfig(rare=0.0, blurred=0.0)
    for _ in range(50):
        assert sample_recipe(plain) == sample_recipe(off, config)
    assert plain.random() == off.random()


def test_rare_classes_lie_in_their_range_and_one_class_is_large():
    config = PriorConfig(rare=1.0, rare_shares=(0.02, 0.15))
    source = rng(6)
    recipes = [sample_recipe(source, config) for _ in range(400)]
    assert {len(r.shares) for r in recipes} == {2, 3, 4, 5}
    for made in recipes:
        assert sum(made.shares) == pytest.approx(1)
        assert 0.02 <= min(made.shares) <= 0.15
        assert max(made.shares) > 0.2
        assert made.label_noise <= 0.2 * min(made.shares), "wrong labels do not drown a rare class"


def test_a_blur_makes_classes_overlap_and_keeps_their_shares():
    X, y = GENERATORS["xor"](rng(1), 2000, 2, equal(2))
    moved = blurred(rng(2), X, 0.5)
    gap = (moved - X) / X.std(axis=0)
    assert gap.std() == pytest.approx(0.5, rel=0.05)
    parity = (moved > 0).sum(axis=1) % 2
    wrong = np.mean(parity != y)
    assert 0.1 < min(wrong, 1 - wrong) < 0.4
    assert blurred(rng(), X, 0.0) is X
    fields: dict[str, Any] = {"rows": 2000, "columns": 2, "shares": (0.5, 0.5), "informative": 2}
    assert np.array_equal(draw(rng(3), Recipe("xor", **fields, blur=0.5))[1],
                          draw(rng(3), Recipe("xor", **fields))[1])  # fmt: skip


def test_blurs_are_drawn_as_often_as_asked():
    source = rng(8)
    found = [sample_recipe(source, PriorConfig(blurred=0.5, blur=0.6)) for _ in range(400)]
    smooth = [r for r in found if r.kind not in DISCRETE]
    assert 0.4 < np.mean([r.blur > 0 for r in smooth]) < 0.6
    assert 0.5 < max(r.blur for r in smooth) <= 0.6
    assert not any(r.blur for r in found if r.kind in DISCRETE)
