"""Random numbers inside kernels: SplitMix64 on one 64-bit word per stream.

Source: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".
"""

import numpy as np

from envs.simulator.compile import kernel


@kernel(forceinline=True)
def next_word(state):
    """Advance the stream `state`, shape (1,) uint64, and return 64 random bits."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel(forceinline=True)
def below(state, n):
    """Return a uniform integer in ``range(n)``; n under 2**31, bias under n / 2**32."""
    return np.int64(((next_word(state) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@kernel(forceinline=True)
def uniform(state):
    """Return a uniform number in [0, 1)."""
    return np.float64(next_word(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
