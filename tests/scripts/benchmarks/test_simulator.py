import json

import numpy as np
import pytest

pytest.importorskip("numba")

from scripts.benchmarks.speed import simulator as bench
from scripts.benchmarks.speed.comparison import Comparison, measure
from scripts.benchmarks.speed.simulator import ScikitLearnSteps, german_like


def test_medians_are_taken_over_turns_after_the_first():
    slow, fast = iter([100.0, 4.0, 6.0, 50.0]), iter([100.0, 1.0, 2.0, 9.0])
    comparison = Comparison(lambda: (next(slow), 2), lambda: (next(fast), 10))
    assert measure(comparison, 3) == (3.0, 0.2)


def test_the_plain_step_does_the_published_work():
    steps = ScikitLearnSteps(*german_like())
    bought, open_ = np.arange(30), np.arange(30, 100)
    features, state, accuracy = steps.step(bought, open_)
    assert features.shape == (70, 3)
    assert state.shape == (30,)
    assert (np.diff(state) >= 0).all()
    assert steps.reward_X.shape == (500, 20)
    assert 0.4 < accuracy < 1
    assert features[:, 1:].min() > 0
    assert features[:, 1:].max() < 2


def test_the_data_look_like_german_credit():
    X, y = german_like()
    assert X.shape == (1000, 20)
    assert y.mean() == pytest.approx(0.3, abs=0.01)


def test_the_table_is_printed_and_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench, "LABELS", 5)
    out = tmp_path / "table.json"
    code = bench.main(["--rows", "lal_rl E=1", "--rounds", "1", "--json", str(out)])
    assert code == 0
    assert "| of the sgemm floor |" in capsys.readouterr().out
    (row,) = json.loads(out.read_text())["tables"]["speed"]["rows"]
    assert row["row"] == "lal_rl E=1"
    assert row["aim"] == "250x"
    assert float(row["of the sgemm floor"].rstrip("%")) > 0


def test_an_unknown_row_is_refused(capsys):
    assert bench.main(["--rows", "lal_rl E=63"]) == 2
    assert "did you mean" in capsys.readouterr().err
