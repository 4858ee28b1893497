"""Mutation score: counts by hand, settings, and what cannot be run."""

import pytest

from lal.errors import UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.robustness import mutation
from scripts.benchmarks.robustness.mutation import AREAS, ROOT, Config, chosen, score, settings


def test_score_counts_what_tests_reach():
    found = ["killed"] * 7 + ["timeout"] + ["survived"] * 2 + ["no tests"] * 5
    assert score(found) == {"noticed": 8, "survived": 2, "unreached": 5, "score": 0.8}
    assert score(["no tests"])["score"] == 0.0


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
