"""Exponentials and logarithms made of arithmetic, so that loops over them are vectorised.

The C library's are called once per number. LLVM has vector versions of them only where Intel's
SVML is installed, and then other bits than elsewhere.
"""

import numpy as np

from envs.simulator.compile import kernel

_LOG2E = 1.4426950408889634
_LN2_HIGH = 0.693145751953125
_LN2_LOW = 1.42860682030941723212e-6
"""ln 2 in two parts: n times the first is exact, so that the remainder keeps all its digits."""


@kernel(forceinline=True)
def exponential(x):
    """Return e**x to 3e-10 relative; unlike the library's it is vectorised in loops."""
    x = min(max(x, -700.0), 700.0)
    n = np.floor(x * _LOG2E + 0.5)
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    p = 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.388888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 1.6666666666666666e-01
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * np.int64((np.int64(n) + 1023) << 52).view(np.float64)


@kernel(forceinline=True)
def single_logarithm(p):
    """Return log p of a float32 to 1e-6, that of 1e-30 below it; vectorised in loops."""
    bits = np.float32(max(p, np.float32(1e-30))).view(np.int32)
    exponent = np.float32((bits >> np.int32(23)) - np.int32(127))
    m = np.int32((bits & np.int32(0x7FFFFF)) | np.int32(0x3F800000)).view(np.float32)
    upper = m > np.float32(1.4142135)
    m = np.float32(0.5) * m if upper else m
    exponent = exponent + np.float32(1.0) if upper else exponent
    s = (m - np.float32(1.0)) / (m + np.float32(1.0))
    z = s * s
    series = np.float32(1.0 / 9.0)
    series = series * z + np.float32(1.0 / 7.0)
    series = series * z + np.float32(1.0 / 5.0)
    series = series * z + np.float32(1.0 / 3.0)
    series = series * z + np.float32(1.0)
    return exponent * np.float32(0.6931472) + np.float32(2.0) * s * series
