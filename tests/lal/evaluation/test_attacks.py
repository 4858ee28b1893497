"""What reviewers attack, where no other test already looks; see docs/design/method.md."""

import numpy as np
import pytest

from lal.data.dataset import make_dataset
from lal.evaluation.analysis.summary import summarise
from lal.evaluation.analysis.tables import long_table
from lal.evaluation.runs.methods import parse_method
from lal.evaluation.runs.protocol import Protocol, Repetition
from lal.evaluation.runs.run import Run, RunResult, execute

pytest.importorskip("pandas", reason="pandas is absent")


def lopsided(n=100, rare=8):
    rng = np.random.default_rng(0)
    y = np.zeros(n, dtype=np.int64)
    y[:rare] = 1
    X = rng.normal(0, 1, (n, 2)) + 2.0 * y[:, None]
    return make_dataset("lopsided", X, y, source="test:lopsided", family="lopsided")


def test_a_start_without_a_class_costs_its_labels_and_is_no_failure():
    dataset, margin = lopsided(), parse_method("margin")
    protocol = Protocol(budget=4)
    starts = []
    for start in range(5):
        result = execute(Run(protocol, dataset, "gaussian_nb", Repetition(0, start), margin))
        assert result.status == "done"
        assert result.n_labels[0] == result.about["n_start"]
        assert len(result.queried) == result.n_labels[-1] == result.n_labels[0] + 4
        starts.append(result.about["n_start"])
    assert max(starts) > 2


def test_pools_are_not_shrunk():
    result = execute(
        Run(
            Protocol(budget=1),
            lopsided(n=700),
            "gaussian_nb",
            Repetition(0, 0),
            parse_method("random"),
        )
    )
    assert result.about["n_pool"] == pytest.approx(0.6 * 700, abs=2)
    assert Protocol().max_pool >= 2000


def run(strategy, run, level, status="done"):
    about = {
        "dataset": "d", "family": "d", "learner": "l", "split": run, "start": 0,
        "strategy": strategy, "metric": "accuracy", "n_classes": 2, "n_all_seen": None,
    }  # fmt: skip
    if status != "done":
        return RunResult(f"{strategy}{run}", status, about, error="boom")
    curve = {"accuracy": np.array([level, level])}
    return RunResult(f"{strategy}{run}", status, about, np.array([2, 3]), curve)


def test_a_failure_moves_no_average():
    runs = [run("random", r, 0.5 + 0.1 * r) for r in range(3)]
    runs += [run("mine", r, 0.6 + 0.1 * r) for r in range(2)] + [run("mine", 2, 0, "timed out")]
    found = {r.strategy: r for r in summarise(long_table(runs), n_samples=50)}
    assert found["mine"].against["random"].interval.mean == pytest.approx(0.1)
    assert found["mine"].area == pytest.approx(0.65)
    assert found["mine"].failed == 1
