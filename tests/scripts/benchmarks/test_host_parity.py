import json
import subprocess
import venv

import pytest

from lal.errors import UnknownNameError, UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.robustness import host_parity, host_worker
from scripts.benchmarks.robustness.host_parity import Config, agrees, environment, row


def record(**changes):
    values = {
        "host": "numpy",
        "version": "2",
        "way": "plain loop",
        "policy": "margin",
        "n_classes": 2,
        "asked": [3, 1],
        "plain": [3, 1],
        "labelled_as_asked": True,
        "labels_right": True,
    }
    return values | changes


@pytest.mark.parametrize("host", ["numpy", "skactiveml"])
def test_parity_here(host):
    records = host_worker.main(host)
    assert {r["n_classes"] for r in records} == {2, 5}
    for r in records:
        assert len(r["asked"]) == 15
        assert agrees(r, records), r


@pytest.mark.parametrize(
    "change",
    [
        {"asked": [1, 3]},
        {"labelled_as_asked": False},
        {"labels_right": False},
    ],
)
def test_what_is_no_parity(change):
    good, bad = record(), record(host="other", **change)
    assert agrees(good, [good])
    assert not agrees(bad, [good, bad])


def test_hosts_are_compared_with_each_other():
    here, there = record(), record(host="other", asked=[2, 5], plain=[2, 5])
    assert not agrees(there, [here, there])


def test_a_row_counts_the_queries_that_are_the_same():
    assert row(record(asked=[3, 2]))["same queries as the plain loop"] == "1 of 2"


def test_every_recipe_has_a_way_to_play():
    assert set(host_parity.RECIPES) == set(host_worker.PLAYS)


def test_unknown_host():
    with pytest.raises(UnknownNameError, match="unknown host 'modalx'"):
        host_parity.run(Config(hosts=("modalx",)), Results())
    with pytest.raises(UnknownNameError, match="unknown host"):
        host_worker.main("modalx")


def test_an_environment_is_made_once(tmp_path, monkeypatch):
    commands = []

    class Done:
        stdout = "\nPARITY " + json.dumps({"records": [record()], "strategies": {"a:b": "ok"}})

    def run(command, **options):
        commands.append(command)
        return Done()

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(venv, "create", lambda where, with_pip: where.mkdir())
    environment("libact", tmp_path)
    assert ["install" in c for c in commands] == [True, True]
    assert "libact==0.1.6" in commands[1]
    environment("libact", tmp_path)
    assert len(commands) == 2
    host_parity.run(Config(hosts=("libact",), folder=tmp_path), Results())


def test_a_failure_is_shown_and_fails(tmp_path, monkeypatch, capsys):
    def broken(host, folder):
        raise subprocess.CalledProcessError(1, "pip", stderr="first\nno wheel for you\n")

    monkeypatch.setattr(host_parity, "environment", broken)
    with pytest.raises(UsageError, match="not as it should be: modal"):
        host_parity.run(Config(hosts=("modal",), folder=tmp_path), Results())
    assert "no wheel for you" in capsys.readouterr().out
