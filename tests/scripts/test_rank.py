"""scripts.rank: a table and tasks of tools from flags to files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from scripts import rank


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "data.csv"
    rows = [
        f"k{i},{rng.normal() + 2 * (i % 2):.3f},{rng.normal():.3f},"
        + (["no", "yes"][i % 2] if i < 20 else "")
        for i in range(60)
    ]
    path.write_text("key,p,q,label\n" + "\n".join(rows))
    return path


def test_a_table(table, capsys):
    before = table.read_bytes()
    out = table.with_name("order.csv")
    flags = [str(table), "--id", "key", "--policy", "margin", "--out", str(out)]
    assert rank.run(flags) == 0
    said = capsys.readouterr()
    assert f"40 of 60 ranked by margin; the order is in {out}" in said.out
    assert "learning from p, q" in said.err
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["id"] for row in rows) == sorted(f"k{i}" for i in range(20, 60))
    assert list(rows[0]) == ["id", "rank", "utility", "predicted", "probability", "reasons"]
    shares = [float(row["probability"]) for row in rows]
    assert shares == sorted(shares)  # of two classes, the least sure first
    assert table.read_bytes() == before
    assert sorted(p.name for p in table.parent.iterdir()) == ["data.csv", "order.csv"]


def test_tasks_of_a_tool(tmp_path, capsys):
    words = [["ship", "sea", "sail"], ["dog", "cat", "fur"]]
    rng = np.random.default_rng(0)
    tasks = [
        {"id": i, "text": f"{' '.join(rng.permutation(words[i % 2]))} {rng.integers(999)}",
         "label": ["boat", "pet"][i % 2 : i % 2 + 1] if i < 12 else []}
        for i in range(40)
    ]  # fmt: skip
    path = tmp_path / "export.jsonl"
    path.write_text("\n".join(map(json.dumps, tasks)))
    flags = ["--format", "doccano", "--out", str(tmp_path / "order.jsonl")]
    flags += ["--tasks", str(tmp_path / "import.jsonl"), "--batch-size", "5"]
    assert rank.run([str(path), *flags]) == 0
    order = [json.loads(line) for line in (tmp_path / "order.jsonl").read_text().splitlines()]
    assert all(row["predicted"] == ["boat", "pet"][int(row["id"]) % 2] for row in order)
    written = [json.loads(line) for line in (tmp_path / "import.jsonl").read_text().splitlines()]
    assert [str(task["id"]) for task in written[:28]] == [row["id"] for row in order]
    assert [task.get("lal_rank") for task in written] == [*range(1, 29), *[None] * 12]


def test_nothing_else_is_replaced(table, monkeypatch, capsys):
    monkeypatch.chdir(table.parent)
    Path("notes.csv").write_text("mine\n")
    assert rank.run(["data.csv", "--out", "notes.csv"]) == 2
    assert "is there already and is not an order" in capsys.readouterr().err
    assert Path("notes.csv").read_text() == "mine\n"
    assert rank.run(["data.csv", "--policy", "margin", "--out", "order.csv"]) == 0
    assert rank.run(["data.csv", "--policy", "random", "--out", "order.csv"]) == 0
    assert rank.run(["e.jsonl", "--format", "doccano", "--tasks", "notes.csv"]) == 2
    assert "name another file for the tasks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out", "order.txt"], "ending in .csv or .jsonl, got '.txt'"),
        (["--format", "labelstudio"], "did you mean 'label-studio'?"),
        (["--tasks", "x.json"], "name it with --format"),
        (["--format", "cvat", "--text", "a"], "--text names a column of a CSV file"),
        (["--reasons", "-1"], "reasons must be at least 0"),
        (["--out", "data.csv"], "is the input, which is never changed"),
        (["--format", "doccano", "--out", "a.csv", "--tasks", "a.csv"], "name the same file"),
        (["--target", "labels"], "has no column 'labels' but one called 'label'"),
        (["--id", "p q"], "has no column 'p q'"),
        (["--policy", "nothing"], "unknown strategy 'nothing'"),
    ],
)
def test_refusals(flags, message, table, monkeypatch, capsys):
    monkeypatch.chdir(table.parent)
    assert rank.run(["data.csv", *flags]) == 2
    assert message in capsys.readouterr().err
    assert [p.name for p in table.parent.iterdir()] == ["data.csv"]
