import os

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=os.environ.get("NUMBA_DISABLE_JIT") == "1")
def _quiet_as_compiled():
    """Compiled integers wrap around and compiled divisions by zero are infinite, without a word."""
    with np.errstate(all="ignore"):
        yield
