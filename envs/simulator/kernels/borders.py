"""Checks of what enters a kernel, cheap enough for every step of a single episode.

numpy's reductions cost microseconds a call, whatever the length; a step of one episode takes five.
"""

from envs.simulator.compile import kernel


@kernel
def all_within(values, least, size):
    """Return whether integers (n,) are all from `least` to `size` - 1."""
    inside = True
    for value in values:
        inside &= least <= value < size
    return inside


@kernel
def all_open(mask):
    """Return whether every row of a mask (E, N) has an entry that is not 0."""
    for e in range(len(mask)):
        n = 0
        while n < mask.shape[1] and mask[e, n] == 0:
            n += 1
        if n == mask.shape[1]:
            return False
    return True
