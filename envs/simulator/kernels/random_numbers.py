"""Random numbers inside kernels: SplitMix64, as streams and as keys of counters.

A stream is one 64-bit word, a key a function of its counters alone, so that nothing drawn depends
on what else was drawn. Source: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number
generators".
"""

import numpy as np

from envs.simulator.compile import kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""What a stream advances by: 2**64 over the golden ratio, odd."""

_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_S11, _S32 = np.uint64(11), np.uint64(32)
_UNIT = 1.0 / 9007199254740992.0
"""2**-53: a float64 holds 53 of the 64 bits."""


@kernel(forceinline=True)
def mix(x):
    """Return the finaliser of SplitMix64 of a 64-bit number."""
    x = (x ^ (x >> _S30)) * _A
    x = (x ^ (x >> _S27)) * _B
    return x ^ (x >> _S31)


@kernel(forceinline=True)
def next_word(state):
    """Advance the stream `state`, shape (1,) uint64, and return 64 random bits."""
    state[0] += GOLDEN
    return mix(state[0])


@kernel(forceinline=True)
def below(state, n):
    """Return a uniform integer in ``range(n)``; n under 2**31, bias under n / 2**32."""
    return np.int64(((next_word(state) >> _S32) * np.uint64(n)) >> _S32)


@kernel(forceinline=True)
def uniform(state):
    """Return a uniform number in [0, 1)."""
    return np.float64(next_word(state) >> _S11) * _UNIT


@kernel
def make_key(seed, a, b, c):
    """Return a 64-bit key of a seed and three counters."""
    x = mix(np.uint64(seed) + GOLDEN)
    x = mix(x ^ (np.uint64(a) + GOLDEN))
    x = mix(x ^ (np.uint64(b) + GOLDEN))
    return mix(x ^ (np.uint64(c) + GOLDEN))


@kernel(forceinline=True)
def draw(states, i, j, n):
    """Advance the stream kept in ``states[i, j]``, int64, and return an integer in [0, n)."""
    state = np.uint64(states[i, j]) + GOLDEN
    states[i, j] = np.int64(state)
    return np.int64(np.float64(mix(state) >> _S11) * _UNIT * n)
