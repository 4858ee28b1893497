"""PALM's fit finds its own curves, and says when it finds nothing."""

import numpy as np

from scripts.benchmarks.policies.palm import fit_palm, palm

LABELS = np.arange(10.0, 110.0, 10.0)


def test_a_curve_of_the_model_is_found_again():
    whole = palm(LABELS / 10, 85.0, 0.3, 1.0, 0.6) / 100
    fitted = fit_palm(LABELS[:7], whole[:7], 10)
    assert fitted is not None
    assert np.abs(fitted(LABELS) - whole).max() < 0.005


def test_the_formula_at_points_known_by_hand():
    assert palm(np.array([1.0]), 100.0, 0.5, 1.0, 1.0) == 75.0  # two batches, half each
    assert palm(np.array([3.0]), 80.0, 1.0, 0.0, 1.0) == 80.0
    assert palm(np.array([5.0]), 80.0, 0.0, 0.0, 1.0) == 0.0


def test_a_flat_curve_stays_flat():
    fitted = fit_palm(LABELS, np.full(10, 0.7), 10)
    assert fitted is not None
    assert np.abs(fitted(np.array([200.0])) - 0.7).max() < 0.02
