"""On-the-fly force fields: derivatives by hand, the process against loops, calls and tables."""

import numpy as np
import pytest

from lal.errors import DataError, UsageError
from lal.search.force_field import (
    OnTheFly,
    PairForceGP,
    SplineMap,
    lennard_jones,
    octahedron,
    pairs_of_atoms,
)


def energy(x):
    gaps = np.linalg.norm(x[:, None] - x[None], axis=2)[np.triu_indices(len(x), 1)]
    return 4.0 * (gaps**-12 - gaps**-6).sum()


def fitted(seed=0):
    rng = np.random.default_rng(seed)
    model = PairForceGP()
    for _ in range(4):
        x = octahedron(rng)[0] + 0.05 * rng.normal(size=(6, 3))
        model.add(pairs_of_atoms(x), lennard_jones(x), [0, 1, 2])
    return model, x


def test_forces_are_the_slope_of_the_energy():
    x = octahedron(np.random.default_rng(0))[0] + 0.05 * np.random.default_rng(1).normal(
        size=(6, 3)
    )
    forces = lennard_jones(x)
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-9)
    for i, axis in ((0, 0), (3, 2)):
        moved = np.zeros_like(x)
        moved[i, axis] = 1e-6
        slope = (energy(x + moved) - energy(x - moved)) / 2e-6
        assert forces[i, axis] == pytest.approx(-slope, rel=1e-5)


def test_forces_and_deviations_are_sums_over_pairs():
    model, x = fitted()
    pairs = pairs_of_atoms(x + 0.02)
    found = model.force(pairs)
    for i in range(6):
        r, u = pairs.distances[i], pairs.directions[i]
        np.testing.assert_allclose(found.mean[i], model.pair_mean(r) @ u, atol=1e-6)
        variance = np.diag(u.T @ model.pair_covariance(r) @ u)
        assert found.deviation[i] ** 2 == pytest.approx(variance.max(), abs=1e-5)


def test_labels_are_fitted_and_far_distances_are_unsure():
    model, x = fitted()
    found = model.force(pairs_of_atoms(x))
    np.testing.assert_allclose(found.mean[:3], lennard_jones(x)[:3], atol=0.05)
    assert found.deviation[:3].max() < 0.05
    assert model.force(pairs_of_atoms(1.5 * x)).deviation.min() > 5.0


def test_the_map_agrees_with_the_process():
    model, x = fitted()
    table = SplineMap(model)
    exact, mapped = (m.force(pairs_of_atoms(x + 0.01)) for m in (model, table))
    np.testing.assert_allclose(mapped.mean, exact.mean, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(mapped.deviation, exact.deviation, rtol=1e-2, atol=1e-3)


def test_the_oracle_is_called_where_the_deviation_is_large_and_nowhere_else():
    x, v = octahedron(np.random.default_rng(0))
    calls = []

    def oracle(positions):
        calls.append(positions)
        return lennard_jones(positions)

    simulation = OnTheFly(oracle, tolerance=-0.05)
    run = simulation.run(x, v, 60)
    assert len(calls) == run.called.sum() < 20
    np.testing.assert_array_equal(run.called[1:], run.deviations[1:].max(axis=1) > 0.05)
    exact = np.array([lennard_jones(p) for p in run.positions])
    np.testing.assert_array_equal(run.forces[run.called], exact[run.called])
    assert np.abs(run.forces - exact).max() < 0.3
    assert OnTheFly(every=20).run(x, v, 41).called.sum() == 3


def test_what_makes_no_sense_is_refused():
    with pytest.raises(DataError, match="two atoms lie in one place"):
        pairs_of_atoms(np.zeros((2, 3)))
    with pytest.raises(UsageError, match="tolerance must not be 0"):
        OnTheFly(tolerance=0.0)
    with pytest.raises(UsageError, match="noise and signal must be above 0"):
        PairForceGP(noise=0.0)
