"""Ranks of pool rows against the reference set: shares below, ties counted half.

Keys are whole numbers in float32, so that comparisons are exact and ties are those of the
definition, which rounds likewise.
"""

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.dense import set_all
from envs.simulator.kernels.simd import (
    load,
    maximum,
    minimum,
    reduce_max,
    reduce_sum,
    same_sign_mask,
    splat,
)

ZERO, ONE, HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)

DIGITS = np.float32(4e6)
"""What ranked distances are multiplied by and rounded to; halves are exact up to 2**23."""

LEAST_UNCERTAINTY = np.int32(814_000_000)
"""The bits of about 1e-9 as float32: lesser uncertainties are equal, as in the definition."""

BUCKETS = 256
"""What the range of the keys is cut into before they are compared: with a reference of 1 024 rows,
about four to a bucket, so that one vector holds nearly all that a row is compared with."""


@kernel
def distance_keys(values):
    """Return whole numbers in the order of distances, filled up to whole vectors."""
    keys = np.empty((len(values) + 15) // 16 * 16, np.float32)
    for i in range(len(values)):
        keys[i] = np.floor(values[i] * DIGITS + HALF)
    for i in range(len(values), len(keys)):
        keys[i] = keys[0]
    return keys


@kernel
def uncertainty_keys(uncertainty):
    """Return whole numbers in the order of uncertainties, five digits of each however small."""
    keys = np.empty((len(uncertainty) + 15) // 16 * 16, np.float32)
    for i in range(len(uncertainty)):
        bits = np.float32(max(uncertainty[i], ZERO)).view(np.int32) - LEAST_UNCERTAINTY
        keys[i] = np.float32((max(bits, np.int32(0)) + np.int32(32)) >> np.int32(6))
    for i in range(len(uncertainty), len(keys)):
        keys[i] = keys[0]
    return keys


@kernel
def _get_buckets(keys):
    """Return the bucket of every key, in the order of the keys."""
    low, high = load(keys, 0), load(keys, 0)
    for i in range(16, len(keys), 16):
        low, high = minimum(low, load(keys, i)), maximum(high, load(keys, i))
    least, most = -reduce_max(splat(ZERO) - low), reduce_max(high)
    scale = np.float32(BUCKETS - 1) / max(most - least, ONE)
    buckets = np.empty(len(keys), np.int32)
    for i in range(len(keys)):
        place = (keys[i] - least) * scale
        place = place if place > ZERO else ZERO  # NaN, too: it must not lead out of the table
        buckets[i] = np.int32(min(place, np.float32(BUCKETS - 1)))
    return buckets


@kernel
def take_ranks(keys, rows, reference, column):
    """Write the share of the reference rows below some rows of the pool, ties counted half.

    The reference is put in order of buckets. What lies in earlier buckets is less; a row is
    compared with its own bucket, sixteen at once, and with what follows there, which is more.

    Args:
        keys: Whole numbers below 2**23 of all pool rows, filled up to whole vectors.
        rows: Rows asked about, shape (n,).
        reference: Rows they are compared with, shape (R,).
        column: Shape (n,), overwritten.
    """
    R, one = len(reference), splat(ONE)
    buckets, ordered = _get_buckets(keys), np.empty(R + 16, np.float32)
    begins = np.empty(BUCKETS + 2, np.int32)
    set_all(begins, 0)
    for r in range(R):
        begins[buckets[reference[r]] + 2] += 1
    for b in range(2, BUCKETS + 2):
        begins[b] += begins[b - 1]
    for r in range(R):
        b = buckets[reference[r]] + 1
        ordered[begins[b]] = keys[reference[r]]
        begins[b] += 1
    for r in range(R, R + 16):
        ordered[r] = np.float32(1e9)
    share = np.float32(0.5 / R)
    for k in range(len(rows)):
        key, b = keys[rows[k]], buckets[rows[k]]
        above, below = splat(key + HALF), splat(key - HALF)
        x = load(ordered, begins[b])
        count = same_sign_mask(above - x, one) + same_sign_mask(below - x, one)
        for at in range(begins[b] + 16, begins[b + 1], 16):  # hardly ever
            x = load(ordered, at)
            count = count + (same_sign_mask(above - x, one) + same_sign_mask(below - x, one))
        column[k] = (np.float32(2 * begins[b]) + reduce_sum(count)) * share
