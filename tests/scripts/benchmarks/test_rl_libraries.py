"""The command around the libraries; the libraries themselves run by ``make test-rl``."""

import json
import subprocess
import venv

import pytest

from lal.errors import UnknownNameError, UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.robustness import rl_libraries, rl_worker
from scripts.benchmarks.robustness.rl_libraries import Config, row, trained

GOOD = {
    "library": "torchrl", "version": "0.14.1", "gymnasium": "1.4.0", "steps": 96, "episodes": 4,
    "moved": 0.2,
}  # fmt: skip


@pytest.mark.parametrize(
    "change", [{"steps": 0}, {"episodes": 0}, {"moved": 0.0}, {"moved": float("nan")}]
)
def test_what_is_no_training(change):
    assert trained(GOOD)
    assert row(GOOD)["trained"] == "yes"
    assert not trained({**GOOD, **change})
    assert row({**GOOD, **change})["trained"] == "NO"


def test_every_recipe_has_a_way_to_train():
    assert set(rl_libraries.RECIPES) == set(rl_worker.TRAIN)


def test_unknown_library():
    with pytest.raises(UnknownNameError, match="unknown library 'tianshou'; known: torchrl, rllib"):
        rl_libraries.run(Config(libraries=("tianshou",)), Results())
    with pytest.raises(UnknownNameError, match="unknown library"):
        rl_worker.main("tianshou")


def test_a_library_is_installed_and_trains(tmp_path, monkeypatch):
    commands = []

    class Done:
        stdout = "some log\nTRAINED " + json.dumps(GOOD)

    def run(command, **options):
        commands.append(command)
        return Done()

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(venv, "create", lambda where, with_pip: where.mkdir())
    rl_libraries.run(Config(libraries=("torchrl",), folder=tmp_path), results := Results())
    assert ["install" in c for c in commands] == [True, True, False]
    assert commands[-1][-2:] == ["scripts.benchmarks.robustness.rl_worker", "torchrl"]
    assert results.tables["libraries"].rows == [row(GOOD)]


def test_a_library_that_fails_is_shown_and_fails(tmp_path, monkeypatch, capsys):
    def broken(recipe, folder):
        raise subprocess.CalledProcessError(1, "pip", stderr="first\nno wheel for you\n")

    monkeypatch.setattr(rl_libraries, "make_environment", broken)
    with pytest.raises(UsageError, match="did not train: rllib"):
        rl_libraries.run(Config(libraries=("rllib",), folder=tmp_path), Results())
    assert "no wheel for you" in capsys.readouterr().out
