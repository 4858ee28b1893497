"""The console command `lal`: its names, its help, and that it does what the scripts do."""

import csv
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lal.registry import import_attribute
from scripts import cli

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def untouched(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lal"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


def test_pip_installs_it_as_lal():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert import_attribute(project["project"]["scripts"]["lal"]) is cli.main
    assert "scripts" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(arguments, capsys):
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    for name, line in cli.SUMMARIES.items():
        assert f"  {name}" in out
        assert line in out


@pytest.mark.parametrize("name", [None, *cli.SUMMARIES])
def test_help_loads_neither_torch_nor_stable_baselines3(name):
    arguments = ["--help"] if name is None else [name, "--help"]
    code = (
        f"import sys\nfrom scripts.cli import main\n"
        f"try:\n    code = main({arguments})\nexcept SystemExit as stop:\n    code = stop.code\n"
        "print('LOADED', [m for m in ('torch', 'stable_baselines3') if m in sys.modules], code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] in ("LOADED [] 0", "LOADED [] None")
    assert name is None or f"lal {name}" in done.stdout


def test_unknown_command(capsys):
    assert cli.main(["labell"]) == 2
    assert "unknown command 'labell'; did you mean 'label'" in capsys.readouterr().err


def test_label_is_that_of_the_scripts(tmp_path, capsys):
    table = tmp_path / "data.csv"
    table.write_text("a,b,label\n" + "".join(f"{i},{i % 3},{'xy'[i % 2]}\n" for i in range(8)))
    flags = [str(table), "--policy", "margin", "--suggest", "2"]
    table.write_text(table.read_text() + "9,1,\n10,2,\n")
    assert cli.main(["label", *flags]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert sorted(row["_row"] for row in rows) == ["10", "9"]
    assert cli.main(["label", *flags, "--classes", "x"]) == 2
    assert "labelling needs two classes" in capsys.readouterr().err


def test_policies_lists_them_and_shows_a_card(capsys):
    assert cli.main(["policies", "--kind", "pool"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("margin") for line in lines)
    assert any(line.startswith("default: alias of") for line in lines)
    assert cli.main(["policies", "margin"]) == 0
    assert "margin" in capsys.readouterr().out
    assert cli.main(["policies", "marginn"]) == 2
    assert "unknown policy 'marginn'" in capsys.readouterr().err
