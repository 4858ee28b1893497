"""Uncertainty herding: the rows whose labels raise most the uncertainty-weighted coverage."""

from functools import partial

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.coverage import (
    Float32Array,
    coverage_gain,
    covering_kernel,
    covering_radius,
    squares_to_reference,
)
from lal.features.geometry import CHUNK, get_reference
from lal.features.labelled import unchanged
from lal.learners.calibration import held_out, scale_temperature, select_temperature
from lal.state import QueryState
from lal.strategies.selection import Batch
from lal.strategies.uncertainty import margin_utility

SPLITS = 3
"""Parts of the labelled rows that are held out in turn when a temperature is chosen."""


class UncertaintyHerding:
    """Asks for the row that raises most the uncertainty-weighted kernel coverage of the pool.

    Source: Bae, Oliveira & Sutherland (ICLR 2025), "Uncertainty herding: one active learning
    method for all label budgets": a Gaussian kernel ``exp(-d^2 / r^2)`` whose radius r is the
    smallest distance between two labelled rows, and margins as uncertainties. Without a model all
    rows weigh the same, which is the MaxHerding of Bae, Noh & Sutherland (ECCV 2024). Here
    distances are those of Z and the coverage is that of the reference set.

    In a batch the coverage counts the rows chosen so far, and the radius stays.

    Args:
        normalise: Scale the rows of Z to unit length first, as the source does with features of
            networks: distances are then those of directions.
        calibrate: Scale the temperature of the probabilities, as the source does: of a few, the one
            with the least calibration error on labelled rows that a refit did not see. Costs three
            refits a query; without a learner, or with fewer than six labels, it is 1.
    """

    batch_rule = "greedy"

    def __init__(self, normalise: bool = False, calibrate: bool = False) -> None:
        self.normalise, self.calibrate = normalise, calibrate

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the gains in coverage, shape (N,), each in [0, 1]."""
        return self._gains(state, np.arange(state.N))

    def make_batch(self, state: QueryState, rows: Ints, size: int) -> Batch:
        """Return what a batch rule chooses from; further picks score no more rows than wanted."""
        everything = np.arange(state.N)
        return Batch(state, self._gains(state, everything), rows, everything, self._gains, size)

    def _gains(self, state: QueryState, rows: Ints) -> Floats:
        """Return the gains in coverage of some rows, shape (n,)."""
        reference = get_reference(state.geometry)
        radius = state.memo("herding.radius", lambda: self._radius(state), unchanged)
        weight = self._weights(state, reference.rows)
        covered = covering_kernel(self._squares(state, state.labelled), radius).max(
            axis=0, initial=0.0
        )
        gains = np.empty(len(rows))
        for first in range(0, len(rows), CHUNK):  # the arrays of a chunk stay in the cache
            part = slice(first, first + CHUNK)
            kernel = covering_kernel(self._squares(state, rows[part]), radius)
            (gains[part],) = coverage_gain(kernel, covered, weight)
        return gains

    def _radius(self, state: QueryState) -> float:
        # rows of unit length lie up to 2 apart, so 1 is the scale where nothing is known
        scale = 1.0 if self.normalise else get_reference(state.geometry).scale
        return covering_radius(self._points(state, state.labelled), scale)

    def _weights(self, state: QueryState, rows: Ints) -> Float32Array:
        """Return the uncertainties of some rows, 1 - margin; ones while there is no model."""
        if state.proba is None:
            return np.ones(len(rows), dtype=np.float32)
        proba = state.proba[rows]
        if self.calibrate:
            temperature = state.memo("herding.temperature", lambda: _temperature(state), unchanged)
            proba = scale_temperature(proba, temperature)
        return (1.0 + margin_utility(proba)).astype(np.float32)

    def _points(self, state: QueryState, rows: Ints) -> Floats:
        Z = state.geometry.rows(rows)
        return unit_rows(Z) if self.normalise else Z

    def _squares(self, state: QueryState, rows: Ints) -> Float32Array:
        """Return squared distances of some rows to the reference set, shape (n, R)."""
        if self.normalise:
            unit = partial(self._points, state)
            return squares_to_reference(state, rows, unit, form="unit")
        return squares_to_reference(state, rows)


def unit_rows(Z: Floats) -> Floats:
    """Return rows over their length; a row of zeros stays as it is."""
    length = np.linalg.norm(Z, axis=1, keepdims=True)
    rows: Floats = Z / np.where(length > 0.0, length, 1.0)
    return rows


def _temperature(state: QueryState) -> float:
    """Return the temperature with the least calibration error on rows held out."""
    if state.learner is None:
        return 1.0
    proba, labels = held_out(state, SPLITS)
    return select_temperature(proba, labels)
