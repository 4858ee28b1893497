"""Search among latents by differences: the model may be anything that predicts probabilities."""

from collections.abc import Callable

import numpy as np

from lal.arrays import Floats

Score = Callable[[Floats], Floats]
"""Latents (n, d) to numbers (n,)."""

STEP = 1e-2
"""Of the differences, in latent units."""


def log_odds(proba: Floats) -> Floats:
    """Return the difference of the two largest log-probabilities with the sign of two classes.

    For two classes it is log p_1 / p_0; for more it is the lead of the likeliest class.
    """
    log = np.log(np.maximum(proba, 1e-12))
    if proba.shape[1] == 2:
        odds: Floats = log[:, 1] - log[:, 0]
        return odds
    ordered = np.sort(log, axis=1)
    lead: Floats = ordered[:, -1] - ordered[:, -2]
    return lead


def entropy(proba: Floats) -> Floats:
    """Return the entropy in nats, shape (n,)."""
    values: Floats = -(proba * np.log(np.maximum(proba, 1e-12))).sum(axis=1)
    return values


def gradient(score: Score, z: Floats) -> Floats:
    """Return the gradient at one latent by central differences, shape (d,)."""
    steps = STEP * np.eye(len(z))
    values = score(np.concatenate([z + steps, z - steps]))
    slope: Floats = (values[: len(z)] - values[len(z) :]) / (2.0 * STEP)
    return slope


def to_zero(score: Score, z: Floats, reach: float, n_steps: int = 25) -> Floats:
    """Return the latent of smallest |score| on the way of Newton steps along the gradient."""
    best, least = z, np.inf
    for _ in range(n_steps):
        value = float(score(z[None])[0])
        if abs(value) < least:
            best, least = z, abs(value)
        slope = gradient(score, z)
        z = np.clip(z - value * slope / (float(slope @ slope) + 1e-9), -reach, reach)
    return best


def uphill(score: Score, z: Floats, reach: float, n_steps: int = 20) -> Floats:
    """Return the best latent on the way of gradient steps of falling length."""
    best, most = z, -np.inf
    for step in range(n_steps):
        value = float(score(z[None])[0])
        if value > most:
            best, most = z, value
        slope = gradient(score, z)
        length = 0.5 * reach * (1.0 - step / n_steps) / (float(np.linalg.norm(slope)) + 1e-9)
        z = np.clip(z + 0.5 * length * slope, -reach, reach)
    return best
