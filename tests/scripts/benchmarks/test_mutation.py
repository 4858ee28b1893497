"""Mutation score: counts by hand, the draw, settings, and what cannot be run."""

import pytest

from lal.errors import UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.robustness import mutation
from scripts.benchmarks.robustness.mutation import (
    AREAS,
    ROOT,
    Config,
    chosen,
    draw,
    score,
    settings,
)


def test_score_counts_what_no_test_reaches_as_not_noticed():
    found = ["killed"] * 7 + ["timeout"] + ["survived"] * 6 + ["no tests"] * 2
    row = score({f"mutant {i}": outcome for i, outcome in enumerate(found)})
    assert row == {
        "mutants": 16, "noticed": 8, "not reached": 2, "score": "50.0%",
        "interval": "[28.0%, 72.0%]",
    }  # fmt: skip


def test_the_draw_is_seeded_and_has_no_mutant_twice():
    names = [f"x_f__mutmut_{i}" for i in range(1000)]
    drawn = draw(names, 100, 3)
    assert drawn == draw(names, 100, 3) != draw(names, 100, 4)
    assert len(set(drawn)) == 100 == len(set(drawn) & set(names))
    assert draw(names, 5000, 0) == names
    each = [sum(int(name.rpartition("_")[2]) for name in draw(names, 50, s)) for s in range(50)]
    assert sum(each) / 2500 == pytest.approx(499.5, abs=5 * 289 / 50)  # five standard errors


def test_a_sample_is_tested_once_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    state = {f"x_f__mutmut_{i}": "not checked" for i in range(9)}
    tested = []

    def run_mutmut(folder, jobs, *names):
        for name in sorted(set(names) & set(state))[:4]:  # killed after four
            tested.append(name)
            state[name] = "killed"

    monkeypatch.setattr(mutation, "run_mutmut", run_mutmut)
    monkeypatch.setattr(mutation, "outcomes", lambda folder: dict(state))
    config = Config(sample=6, seed=1)
    expected = draw(sorted(state), 6, 1)
    assert [*mutation.run_sample(tmp_path, config)] == expected
    found = mutation.run_sample(tmp_path, config)
    assert tested == expected
    assert set(found.values()) == {"killed"}


def test_every_area_has_files_and_tests():
    for only, tests in AREAS.values():
        assert any(list(ROOT.glob(pattern)) for pattern in only)
        assert all((ROOT / test).exists() for test in tests)


def test_settings_name_files_and_tests():
    text = settings(["lal/curve.py"], ["tests/lal/test_curve.py"])
    assert "only_mutate =\n    lal/curve.py\n" in text
    assert "test_selection =\n    tests/lal/test_curve.py\n" in text


def test_what_cannot_be_run_is_one_sentence(monkeypatch):
    with pytest.raises(UsageError, match="--only and --tests go together"):
        chosen(Config(only=("lal/curve.py",)))
    with pytest.raises(UsageError, match="unknown areas kernels; expected some of evaluation"):
        chosen(Config(areas=("kernels",)))
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UsageError, match="mutmut is not installed"):
        mutation.run(Config(), Results())
