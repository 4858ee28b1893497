"""The benchmark of the field's list: pairs, resuming, texts, and what it refuses."""

import gzip
import json
from typing import Any

import numpy as np
import pytest

from lal.strategies.base import STRATEGIES
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies.deep import Config, load_rows, main, run
from scripts.benchmarks.policies.deep_lines import ELSEWHERE, LINES, applies
from scripts.row_checks.base import load_rows as load_list

QUICK: dict[str, Any] = {"start": 8, "budget": 8, "batch_size": 4, "max_pool": 60}


def flags(tmp_path, *more):
    shape = [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]
    return [*shape, "--datasets", "sklearn:iris", "--out", str(tmp_path / "d"), *more]


def test_lines_belong_to_rows_that_name_them():
    named = {row.number: " ".join(row.has) for row in load_list()}
    for line in LINES:
        strategy, learner = line.strategy, line.learner.partition("?")[0]
        assert strategy in STRATEGIES or strategy == "policy:default"
        conditions = [text.partition("?")[0] for text in (line.condition, line.remedy) if text]
        own = any(f":{name}" in named[line.row] for name in (strategy, learner, *conditions)) if (
            line.row
        ) else True  # fmt: skip
        assert own, line


def test_a_line_is_the_mean_of_paired_differences_and_nothing_runs_twice(tmp_path, capsys):
    wanted = flags(tmp_path, "--rows", "45", "--runs", "2", "--json", str(tmp_path / "d.json"))
    assert main(wanted) == 0
    kept = json.loads((tmp_path / "d.json").read_text())["tables"]["lines"]["rows"]
    (row,) = kept
    assert (row["row"], row["strategy"], row["data set"], row["runs"]) == (45, "`dal`", "iris", 2)
    files = {path.name: path for path in (tmp_path / "d").rglob("*.json")}
    assert sorted(files) == sorted(
        f"logistic_regression.{name}.{seed}.json"
        for name in ("dal", "margin", "random") for seed in (0, 1)
    )  # fmt: skip
    area = {name: json.loads(path.read_text())["area"] for name, path in files.items()}
    gaps = [
        100
        * (area[f"logistic_regression.dal.{s}.json"] - area[f"logistic_regression.random.{s}.json"])
        for s in (0, 1)
    ]
    half = 12.706205 * np.std(gaps, ddof=1) / np.sqrt(2)  # Student's t, one degree of freedom
    assert row["minus random"] == f"{np.mean(gaps):+.2f} +- {half:.2f}"
    before = {name: path.stat().st_mtime_ns for name, path in files.items()}
    assert main(wanted) == 0
    assert before == {name: path.stat().st_mtime_ns for name, path in files.items()}
    assert "6 of 6 runs" in capsys.readouterr().out


def test_an_early_end_leaves_the_rest_for_later(tmp_path):
    config = Config(**QUICK, datasets=("sklearn:iris",), rows=(45,), out=tmp_path, minutes=1e-9)
    results = Results()
    run(config, results)
    assert not results.tables
    assert results.notes[0] == "0 of 15 runs, 0 s of CPU time"


def test_texts_become_columns(tmp_path):
    path = tmp_path / "text_small.jsonl.gz"
    items = [{"text": f"word{i % 5} and thing{i}", "label": "ab"[i % 2]} for i in range(40)]
    with gzip.open(path, "wt") as file:
        file.write("\n".join(map(json.dumps, items)))
    data = load_rows(str(path))
    assert data.name == "text_small"
    assert len(data.y) == 40
    assert data.n_classes == 2


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--rows", "1"], "row 1 has no line; rows with a line: 2, 6,"),
        (["--datasets", "none.jsonl.gz", "--rows", "45"], "there is no file 'none.jsonl.gz'"),
    ],
)
def test_wrong_flags_are_refused(wrong, sentence, tmp_path, capsys):
    assert main([*flags(tmp_path), *wrong]) == 2
    assert sentence in capsys.readouterr().err


def test_every_row_of_deep_strategies_has_a_line_or_a_reason():
    wanted = {
        *(1, 2, 3, 4, 6, 8, 9, 10, 13, 16, 18, 19, 22, 31, 33, 35, 37, 38, 42, 43, 45, 46, 48, 49),
        *(50, 51, 52, 54, 58, 60, 61, 62, 64, 65, 68, 69, 70, 71, 72, 73, 74, 75, 78, 81, 82, 83),
        *(84, 87, 88),
    }
    lines = {line.row for line in LINES}
    assert wanted <= lines | set(ELSEWHERE)
    assert not lines & set(ELSEWHERE)


def test_lines_apply_where_they_make_sense():
    found = {
        on: [name for name in ("sklearn:digits", "text_trec6.jsonl.gz", "text_sms_spam.jsonl.gz")
             if applies(LINES[0]._replace(on=on), name)]
        for on in ("all", "images", "texts", "two classes", "many classes")
    }  # fmt: skip
    digits, trec, sms = "sklearn:digits", "text_trec6.jsonl.gz", "text_sms_spam.jsonl.gz"
    assert found == {
        "all": [digits, trec, sms], "images": [digits], "texts": [trec, sms],
        "two classes": [sms], "many classes": [digits, trec],
    }  # fmt: skip
