"""A policy whose answers hang on every default feature, and pools with known answers."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES, FEATURES
from lal.policies.pool_policy import PoolPolicy


def random_network(seed: int = 0, **changes) -> PoolPolicy:
    rng = np.random.default_rng(seed)
    width = sum(FEATURES[i].dim for i in DEFAULT_CANDIDATE_FEATURES + DEFAULT_CONTEXT_FEATURES)
    ops = [
        {"op": "concat", "in": ["candidates", "context"], "out": ["x"]},
        {"op": "affine", "in": ["x"], "out": ["h"], "weight": "w1"},
        {"op": "tanh", "in": ["h"], "out": ["a"]},
        {"op": "affine", "in": ["a"], "out": ["u"], "weight": "w2"},
    ]
    tensors = {"w1": rng.normal(size=(8, width)) / 4, "w2": rng.normal(size=(1, 8))}
    return PoolPolicy(
        name="random network",
        candidate_features=DEFAULT_CANDIDATE_FEATURES,
        context_features=DEFAULT_CONTEXT_FEATURES,
        program={"ops": ops, "output": "u"},
        tensors=tensors,
        **changes,
    )


class Pool:
    def __init__(self, n_classes: int, n: int = 120) -> None:
        self.X, self.y = make_classification(
            n,
            6,
            n_informative=5,
            n_redundant=0,
            n_classes=n_classes,
            n_clusters_per_class=1,
            random_state=n_classes,
        )
        self.start = [int(np.flatnonzero(self.y == c)[0]) for c in range(n_classes)]

    def answers(self, rows):
        return self.y[rows].tolist()

    def labels(self, rows=None, missing=np.nan):
        y = np.full(len(self.y), missing, dtype=object if missing is None else None)
        rows = self.start if rows is None else rows
        y[rows] = self.y[rows]
        return y


@pytest.fixture
def policy():
    return random_network()


@pytest.fixture
def make_policy():
    return random_network


@pytest.fixture(params=[2, 5], ids=["binary", "five classes"])
def pool(request):
    return Pool(request.param)


@pytest.fixture
def make_pool():
    return Pool
