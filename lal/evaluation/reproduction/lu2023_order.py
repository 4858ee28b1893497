"""The order in which the published runs ask for rows whose margins are equal.

They sort the margins of the whole pool by the ``argsort`` of the numpy of their day and take the
first row that is not labelled. That sort is a quicksort (median of three, ranges of up to 16 by
insertion) and leaves equal keys in an order of its own, neither first nor last. Newer numpy sorts
with vector instructions and leaves another order on every kind of processor, so the old one is
run here, as far as it is asked for. Only data with equal rows notice.
"""

from collections.abc import Iterator

from lal.arrays import Floats

INSERTION = 15
"""Ranges whose ends are this far apart, or less, are sorted by insertion."""


def published_order(keys: Floats) -> Iterator[int]:
    """Yield positions from the smallest key on, equal keys as the published sort leaves them.

    Args:
        keys: Finite numbers, shape (n,).
    """
    values: list[float] = keys.tolist()
    yield from _sorted_range(values, list(range(len(values))), 0, len(values) - 1)


def _sorted_range(values: list[float], order: list[int], low: int, high: int) -> Iterator[int]:
    while high - low > INSERTION:
        at = _partition(values, order, low, high)
        yield from _sorted_range(values, order, low, at - 1)
        yield order[at]
        low = at + 1
    yield from sorted(order[low : high + 1], key=values.__getitem__)  # stable, as insertion is


def _partition(values: list[float], order: list[int], low: int, high: int) -> int:
    """Part a range at the median of its first, middle and last key; return where that came."""
    middle = low + (high - low) // 2
    for one, other in ((low, middle), (middle, high), (low, middle)):
        if values[order[other]] < values[order[one]]:
            order[one], order[other] = order[other], order[one]
    pivot = values[order[middle]]
    left, right = low, high - 1
    order[middle], order[right] = order[right], order[middle]
    while True:
        left += 1
        while values[order[left]] < pivot:
            left += 1
        right -= 1
        while pivot < values[order[right]]:
            right -= 1
        if left >= right:
            break
        order[left], order[right] = order[right], order[left]
    order[left], order[high - 1] = order[high - 1], order[left]
    return left
