"""Learning curves and the area under the budget curve (AUBC): the one formula of the project.

A curve is two rows of shape (T,): labels `n`, increasing, and a test metric `a`. Areas are
normalised by the width, so a constant curve c gives exactly c. An *AUBC point* is a hundredth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats, Ints
from lal.errors import UsageError

Numbers: TypeAlias = NDArray[Any]


def aubc(n: Numbers, a: Numbers) -> float:
    """Return the area under the budget curve, normalised by its width.

    Trapezoid rule over ``N - n0``; a curve of one point gives its value.

    Raises:
        UsageError: The rows differ in length, or the label counts do not increase.
    """
    x, y = checked_curve(n, a)
    if len(x) == 1:
        return float(y[0])
    return trapezoid(x, y) / float(x[-1] - x[0])


def trapezoid(x: Numbers, y: Numbers) -> float:
    """Return the integral of y over x by the trapezoid rule; 0 for one point."""
    return float(np.sum(0.5 * (y[1:] + y[:-1]) * np.diff(x)))


def checked_curve(n: Numbers, a: Numbers) -> tuple[Floats, Floats]:
    """Return label counts and values as float64.

    Raises:
        UsageError: The rows differ in length, or the label counts do not increase.
    """
    x, y = np.asarray(n, dtype=np.float64), np.asarray(a, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) == 0:
        raise UsageError(f"a curve is two equally long rows, got shapes {x.shape} and {y.shape}")
    if (np.diff(x) <= 0).any():
        raise UsageError("the label counts of a curve must increase")
    return x, y


@dataclass(frozen=True, eq=False)
class Curve:
    """What one episode gave.

    Attributes:
        n_labels: Labels acquired at each point, shape (T,).
        metrics: Test metrics by name, each of shape (T,).
        queried: Pool rows in the order of their labels, the initial ones first.
        n_start: Initial labels.
        n_all_seen: Labels at which every class of the pool was seen, or None.
        query_seconds: Mean time of one query.
        query_p95: Time that 95 % of the queries stayed under, in seconds; 0 when not taken.
    """

    n_labels: Ints
    metrics: Mapping[str, Floats]
    queried: Ints
    n_start: int
    n_all_seen: int | None = None
    query_seconds: float = 0.0
    query_p95: float = 0.0

    def area(self, metric: str = "accuracy") -> float:
        """Return the area under the budget curve of a metric; see `aubc`.

        Raises:
            UsageError: The metric was not measured, as accuracy is not in regression.
        """
        if metric not in self.metrics:
            known = ", ".join(self.metrics)
            raise UsageError(f"the curve has no metric {metric!r}; it has {known}")
        return aubc(self.n_labels, self.metrics[metric])
