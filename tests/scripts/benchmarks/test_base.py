"""Benchmarks: rows are printed as they come, written as JSON with provenance, rendered alike."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from lal.errors import UsageError
from scripts import benchmark
from scripts.benchmarks.base import Benchmark, Results, Table, interval, line, render, slug


@dataclass(frozen=True, kw_only=True)
class Config:
    """A benchmark of nothing."""

    n: int = 2
    """Rows."""


def run(config: Config, results: Results) -> None:
    for i in range(config.n):
        results.add("squares", {"i": i, "square": f"{i * i:.1f}"})
    results.add("squares", {"i": "all"})
    results.note("done")


def test_rows_are_printed_and_written_with_their_provenance(tmp_path, capsys):
    path = tmp_path / "squares.json"
    assert Benchmark("squares", Config, run)(["--n", "3", "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    record = json.loads(path.read_text())
    assert record["config"] == {"n": 3}
    assert record["command"].startswith("python -m scripts.benchmark squares --n 3 --json")
    assert set(record["provenance"]) >= {"git", "machine", "versions", "config_hash"}
    assert record["notes"] == ["done"]
    table = render(Table(**record["tables"]["squares"]))
    assert table in printed
    assert table.splitlines() == [
        "| i | square |", "|---|---|", "| 0 | 0.0 |", "| 1 | 1.0 |", "| 2 | 4.0 |", "| all | |",
    ]  # fmt: skip


@pytest.mark.parametrize("flags", [["--json"], ["--json", "folder"]])
def test_json_needs_a_file(flags, capsys):
    assert Benchmark("squares", Config, run)(flags) == 2
    assert "--json needs a file that ends in .json" in capsys.readouterr().err


def test_a_row_cannot_bring_a_column_that_the_table_lacks():
    results = Results()
    results.add("t", {"a": 1})
    with pytest.raises(UsageError, match="table 't' has no column 'b'; it has a"):
        results.add("t", {"b": 2})


def test_a_bar_inside_of_a_cell_begins_no_column():
    assert line(["a | b", r"a \| b", None, 0]) == r"| a \| b | a \| b | | 0 |"


def test_interval_and_slug():
    assert interval(np.array([1.0, 2.0, 3.0]), 2) == "+2.00 +- 1.13"
    assert interval(np.array([1.0, 2.0, 3.0]), 1, sign="") == "2.0 +- 1.1"
    assert slug("PAL on made-up languages, 3") == "pal-on-made-up-languages-3"


@pytest.mark.parametrize("name", benchmark.BENCHMARKS.names())
def test_names_are_written_with_hyphens_or_underscores(name, monkeypatch):
    called = []
    monkeypatch.setattr(benchmark, "BENCHMARKS", {name: lambda arguments: called.append(arguments)})
    for spelled in (name, name.replace("_", "-")):
        assert benchmark.main([spelled, "--x"]) == 0
    assert called == [["--x"], ["--x"]]
