"""The compiled prior against the numpy one: same recipes, same distribution, known structure."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

pytest.importorskip("numba")

from envs.simulator.kernels.prior.recipes import KINDS
from envs.simulator.pool import PoolSimulator
from envs.simulator.prior import CompiledPrior, compiled_rows, prior_tasks
from lal.data.coverage import _nearest, participation_ratio
from lal.data.generators import GENERATORS
from lal.data.prior import PriorConfig, sample_recipe
from lal.data.recipes import Recipe, draw
from lal.errors import UsageError

DRESSED = {
    "informative": 3,
    "columns": 12,
    "correlated": 0.5,
    "heavy": 0.4,
    "levels": 0.4,
    "label_noise": 0.1,
    "repeated": 0.3,
    "blur": 0.6,
}


def recipe(kind, **changes):
    fields: dict[str, Any] = {
        "rows": 200,
        "columns": 8,
        "shares": (0.5, 0.3, 0.2),
        "informative": 8,
    }
    return Recipe(kind, **(fields | changes))


def summary(X, y):
    """Majority share, size of values, spread over directions, nearest-neighbour accuracy."""
    Z = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 1e-12, X.std(axis=0), 1)
    found = _nearest(Z[:60], y[:60], Z[60:]) == y[60:]
    return [
        np.bincount(y).max() / len(y),
        np.abs(X).mean(),
        participation_ratio(Z),
        found.mean(),
        len(np.unique(X)) / X.size,
    ]


def test_every_kind_has_a_twin():
    assert set(KINDS) == set(GENERATORS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("added", [{}, DRESSED], ids=["bare", "dressed"])
def test_two_samples_of_a_kind_look_alike(kind, added):
    made = recipe(kind, **added)
    rng = np.random.default_rng(0)
    one = np.array([summary(*draw(rng, made)) for _ in range(150)])
    two = np.array([summary(*compiled_rows(made, np.uint64(i * 7919))) for i in range(150)])
    for j in range(one.shape[1]):
        assert ks_2samp(one[:, j], two[:, j], method="asymp").pvalue > 1e-4, f"statistic {j}"


def test_number_i_is_the_same_whatever_is_drawn_besides():
    prior = CompiledPrior(3)
    X, y = prior.rows(5)
    stream = CompiledPrior(3).stream()
    *_, (later, codes) = (next(stream) for _ in range(6))
    assert np.array_equal(X, later)
    assert np.array_equal(y, codes)
    assert not np.array_equal(y, prior.rows(6)[1][: len(y)])
    assert CompiledPrior(4).recipe(5) != prior.recipe(5)


def test_draws_follow_their_recipe():
    prior = CompiledPrior(0)
    for i in range(200):
        made, (X, y) = prior.recipe(i), prior.rows(i)
        assert X.shape == (made.rows, made.columns)
        assert np.isfinite(X).all()
        assert sorted(set(y.tolist())) == list(range(y.max() + 1))
        assert y.max() < len(made.shares)
    with pytest.raises(UsageError, match="numbered from 0, got -1"):
        prior.rows(-1)


def test_recipes_are_those_of_the_numpy_prior():
    drawn = [CompiledPrior(1).recipe(i) for i in range(600)]
    rng = np.random.default_rng(0)
    asked = [sample_recipe(rng) for _ in range(600)]
    for field in ("rows", "columns", "informative", "label_noise"):
        a, b = ([getattr(r, field) for r in group] for group in (drawn, asked))
        assert ks_2samp(a, b, method="asymp").pvalue > 1e-4, field


def test_xor_is_the_parity_of_its_cells():
    X, y = compiled_rows(recipe("xor", columns=2, informative=2, shares=(0.5, 0.5)), np.uint64(1))
    parity = (X > 0).sum(axis=1) % 2
    assert np.mean(parity == y) in (0.0, 1.0)


def test_rings_are_told_by_radius_and_nested_classes_by_spread():
    X, y = compiled_rows(recipe("rings", columns=3, informative=3), np.uint64(2))
    radius = np.linalg.norm(X, axis=1)
    assert np.allclose(sorted(radius[y == c].mean() for c in range(3)), [1, 2, 3], atol=0.1)
    X, y = compiled_rows(recipe("nested", rows=600), np.uint64(2))
    spread = sorted(X[y == c].std() for c in range(3))
    assert spread[1] > 1.3 * spread[0]
    assert spread[2] > 1.3 * spread[1]


def test_rules_are_deterministic_over_few_values():
    for word in range(20):
        X, y = compiled_rows(recipe("rules", rows=900), np.uint64(word))
        group = np.unique(X, axis=0, return_inverse=True)[1]
        assert max(len(np.unique(column)) for column in X.T) <= 6
        for g in np.flatnonzero(np.bincount(group) > 1):
            assert len(set(y[group == g])) == 1


def test_shares_and_noise():
    steep = recipe("clusters", rows=1000, shares=(0.94, 0.04, 0.02))
    assert np.bincount(compiled_rows(steep, np.uint64(0))[1]).tolist() == pytest.approx(
        [940, 40, 20], abs=3
    )
    apart = recipe("xor", rows=1000, columns=2, informative=2, shares=(0.5, 0.5), label_noise=0.2)
    X, y = compiled_rows(apart, np.uint64(0))
    wrong = np.mean((X > 0).sum(axis=1) % 2 != y)
    assert min(wrong, 1 - wrong) == pytest.approx(0.2, abs=0.04)


def test_a_blur_makes_cells_overlap():
    plain = recipe("xor", rows=2000, columns=2, informative=2, shares=(0.5, 0.5))
    X, y = compiled_rows(plain, np.uint64(0))
    moved, codes = compiled_rows(replace(plain, blur=0.5), np.uint64(0))
    assert np.array_equal(codes, y)
    for values, low, high in ((X, 0.0, 0.0), (moved, 0.1, 0.4)):
        wrong = np.mean((values > 0).sum(axis=1) % 2 != codes)
        assert low <= min(wrong, 1 - wrong) <= high


def test_the_compiled_simulator_plays_the_compiled_prior():
    config = PriorConfig(rows=(150, 250), columns=(3, 12))
    source = prior_tasks(("gaussian_nb",), config=config, budget=5, max_pool=80)
    rng = np.random.default_rng(0)
    simulator = PoolSimulator([source(rng) for _ in range(3)], 4, slate_size=10)
    simulator.reset()
    for _ in range(6):
        seen, steps = simulator.step(np.zeros(4, dtype=np.int64))
    assert np.isfinite(seen.candidates).all()
    assert np.isfinite(steps.rewards).all()
