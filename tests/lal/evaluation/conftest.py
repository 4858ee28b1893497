"""Small evaluations."""

import numpy as np
import pytest

from lal.data.dataset import make_dataset
from lal.evaluation.runs.methods import parse_methods
from lal.evaluation.runs.protocol import Protocol


def blobs(name, seed, n=60):
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], n // 2)
    X = rng.normal(0, 1, (n, 2)) + 2.0 * y[:, None]
    return make_dataset(name, X, y, source=f"test:{name}", family=name)


@pytest.fixture(scope="session")
def datasets():
    return [blobs("apples", 0), blobs("pears", 1)]


@pytest.fixture(scope="session")
def protocol():
    return Protocol(budget=6).with_runs(2)


@pytest.fixture
def methods():
    return parse_methods(["random", "margin"])
