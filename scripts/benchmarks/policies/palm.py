"""PALM, the learning-curve model of Machnio, Nielsen and Ghazi (2025), as a comparison.

Source: "To Label or Not to Label: PALM, a predictive model for evaluating sample efficiency in
active learning models", arXiv 2507.15381; bounds and starting point as in the authors' fit.
"""

import warnings
from collections.abc import Callable

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from lal.arrays import Floats

Curve = Callable[[Floats], Floats]

START = (90.0, 0.1, 5.0, 1.0)
BOUNDS = ((0.0, 0.0, 0.0, -1.0), (100.0, 1.0, 20.0, 10.0))
"""Achievable accuracy in percent, coverage efficiency, early-stage performance, scalability."""

MAX_EVALUATIONS = 1000


def palm(x: Floats, a_max: float, delta: float, alpha: float, beta: float) -> Floats:
    """Return ``a_max * (1 - (1 - delta) ** ((x + alpha) ** beta))``, in percent."""
    return a_max * (1.0 - (1.0 - delta) ** ((x + alpha) ** beta))


def fit_palm(n: Floats, a: Floats, step: int) -> Curve | None:
    """Return the fitted curve from labels to accuracy, or None where the fit does not converge.

    Args:
        n: Labels.
        a: Accuracies, in [0, 1].
        step: Labels a batch; the model counts batches, which keeps its bounds meaningful.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # powers of a share that is nearly 0
        try:
            found, _ = curve_fit(
                palm, n / step, 100.0 * a, p0=START, bounds=BOUNDS, max_nfev=MAX_EVALUATIONS
            )
        except RuntimeError:
            return None
    return lambda x: palm(np.asarray(x) / step, *found) / 100.0
