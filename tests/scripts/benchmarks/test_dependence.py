"""Partial dependence of a linear policy is known by hand."""

import numpy as np
import pytest

from lal.policies.pool_policy import PoolPolicy
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies.dependence import Config, Kept, dependence, run


@pytest.fixture
def linear():
    return PoolPolicy(
        name="linear",
        candidate_features=("margin@1", "density@1"),
        context_features=("n_labelled@1",),
        program={
            "ops": [{"op": "affine", "in": ["candidates"], "out": ["u"], "weight": "w"}],
            "output": "u",
        },
        tensors={"w": np.array([[-2.0, 0.0]], dtype=np.float32)},
        card={},
    )


def test_a_linear_weight_is_a_line_and_no_weight_is_flat(linear):
    rows = np.column_stack([np.linspace(0, 1, 11), np.linspace(0, 1, 11)])
    states = [Kept(rows, np.array([0.1]))]
    values, mean = dependence(linear, states, 0)
    spread = (2.0 * rows[:, 0]).std()
    assert mean == pytest.approx(-2.0 * (values - values.mean()) / spread)
    assert dependence(linear, states, 1)[1] == pytest.approx(np.zeros(len(values)))


def test_the_picture_and_the_table_of_the_shipped_policy(tmp_path):
    pytest.importorskip("numba")
    pytest.importorskip("matplotlib")
    picture = tmp_path / "new" / "dependence.png"
    results = Results()
    run(Config(runs=1, budget=8, n_states=5, learners=("gaussian_nb",), picture=picture), results)
    assert picture.stat().st_size > 1000
    ranges = {row["feature"]: row for row in results.tables["dependence"].rows}
    assert float(str(ranges["min_distance@1"]["2-6 labels"])) > 0
    assert "margin_z@1" in ranges
