"""Random numbers from counters (splitmix64), so that a draw depends on its key alone."""

import numpy as np

from envs.simulator.compile import kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_A = np.uint64(0xBF58476D1CE4E5B9)
_B = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@kernel
def mix(x):
    """Return the splitmix64 finaliser of a 64-bit number."""
    x = (x ^ (x >> _S30)) * _A
    x = (x ^ (x >> _S27)) * _B
    return x ^ (x >> _S31)


@kernel
def key_of(seed, a, b, c):
    """Return a 64-bit key of a seed and three counters."""
    x = mix(np.uint64(seed) + GOLDEN)
    x = mix(x ^ (np.uint64(a) + GOLDEN))
    x = mix(x ^ (np.uint64(b) + GOLDEN))
    return mix(x ^ (np.uint64(c) + GOLDEN))


@kernel(forceinline=True)
def draw(states, i, j, n):
    """Advance the stream kept in ``states[i, j]`` and return an integer in [0, n)."""
    state = np.uint64(states[i, j]) + GOLDEN
    states[i, j] = np.int64(state)
    return np.int64(np.float64(mix(state) >> _S11) * (1.0 / 9007199254740992.0) * n)
