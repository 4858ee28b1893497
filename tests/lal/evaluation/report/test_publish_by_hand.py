"""Published results by hand: rows of each table, and the whole description."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.errors import UsageError
from lal.evaluation.report import publish as module
from lal.evaluation.report.publish import CONTEXT, _curve_rows, _pick_rows, _run_row, describe
from lal.evaluation.runs.methods import FULL_LABEL, MethodSpec
from lal.evaluation.runs.run import RunResult

ABOUT = {"dataset": "waves", "family": "kin", "source": "made:up", "sha256": "ab", "n_classes": 3,
         "learner": "knn", "split": 0, "start": 1, "strategy": "mine", "n_start": 2,
         "n_pool": 40}  # fmt: skip


def result(key: str = "k", **changes: Any) -> RunResult:
    fields = {
        "about": {**ABOUT, "protocol": "not a column"}, "n_labels": np.array([2, 3, 6]),
        "metrics": {"accuracy": np.array([0.5, 0.75, 0.25]), "loss": np.array([3.0, 2.0, 1.0])},
        "queried": np.array([9, 4, 7]), "seconds": 1.5, "query_seconds": 0.25, "query_p95": 0.5,
        "error": "Traceback\n  line\nValueError: why\n", **changes,
    }  # fmt: skip
    return RunResult(key, "done", **fields)


def test_a_run_is_a_row() -> None:
    row = _run_row(result(), {"mine": "policy"}, "accuracy")
    assert row == {
        "key": "k", **ABOUT, "role": "policy", "status": "done", "seconds": 1.5,
        "area": pytest.approx((0.5 + 0.75) / 2 / 4 + (0.75 + 0.25) / 2 * 3 / 4),
        "query_seconds": 0.25, "error": "ValueError: why",
    }  # fmt: skip
    assert list(row) == ["key", *ABOUT, "role", "status", "area", "seconds", "query_seconds",
                         "error"]  # fmt: skip
    failed = _run_row(result(about={"strategy": "x"}, metrics={}, error=""), {}, "accuracy")
    nothing = dict.fromkeys(ABOUT) | {"strategy": "x"}
    assert failed == {
        "key": "k", **nothing, "role": "strategy", "status": "done", "seconds": 1.5, "area": None,
        "query_seconds": 0.25, "error": "",
    }  # fmt: skip


def test_points_and_picks_are_rows() -> None:
    assert _curve_rows(result()) == [
        {"key": "k", "n_labels": n, "accuracy": a, "loss": loss}
        for n, a, loss in ((2, 0.5, 3.0), (3, 0.75, 2.0), (6, 0.25, 1.0))
    ]
    picks = [{"key": "k", "order": i, "row": row, "initial": i < 2} for i, row in
             enumerate((9, 4, 7))]  # fmt: skip
    assert _pick_rows(result()) == picks
    for unknown in ({}, {"n_start": None}):
        assert not any(row["initial"] for row in _pick_rows(result(about=unknown)))


MANIFEST = {
    "config": {"suite": ["bundled", "sklearn:iris"]}, "command": "a command", "protocol_hash": 12,
    "protocol": {"version": 3, "metric": "accuracy"},
}  # fmt: skip


def file_object(path: Path, kind: str) -> dict[str, str]:
    content = path.read_bytes()
    return {
        "@type": "cr:FileObject", "@id": path.name, "name": path.name, "contentUrl": path.name,
        "contentSize": f"{len(content)} B", "encodingFormat": kind,
        "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip


def test_a_description_names_files_and_columns(tmp_path: Path) -> None:
    files = [tmp_path / "runs.parquet", tmp_path / "evaluation.json"]
    for i, path in enumerate(files):
        path.write_bytes(b"x" * (3 + i))
    schemas = {"runs": {"key": "string", "n_pool": "int64", "mean_iou": "double", "odd": "list"},
               "picks": {}}  # fmt: skip
    fields = [
        {"@type": "cr:Field", "@id": f"runs/{name}", "name": name, "description": text,
         "dataType": kind, "source": {"fileObject": {"@id": "runs.parquet"},
                                      "extract": {"column": name}}}
        for name, text, kind in (
            ("key", "The run; the same in all files", "sc:Text"),
            ("n_pool", "Rows of the pool", "sc:Integer"), ("mean_iou", "mean iou", "sc:Float"),
            ("odd", "odd", "sc:Text"),
        )
    ]  # fmt: skip
    assert describe(MANIFEST, files, schemas) == {
        "@context": dict(CONTEXT), "@type": "sc:Dataset", "name": "active-learning-runs",
        "conformsTo": "http://mlcommons.org/croissant/1.0", "version": "3.0.0", "identifier": "12",
        "description": "Runs of active learning on bundled, sklearn:iris: learning curves and the "
        "rows queried. Made by: a command",
        "distribution": [file_object(files[0], "application/x-parquet"),
                         file_object(files[1], "application/json")],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "runs", "name": "runs", "field": fields}],
    }  # fmt: skip


def test_the_latest_evaluation_is_written_in_the_order_of_its_keys(
    monkeypatch: Any, tmp_path: Path
) -> None:
    written: dict[str, Any] = {}
    full = result("a", about={**ABOUT, "strategy": FULL_LABEL})
    found = {"x": result("c"), "y": full}
    methods = [MethodSpec("mine", "margin", role="policy")]

    def write(path: Path, rows: Any) -> dict[str, str]:
        path.parent.mkdir(exist_ok=True)
        path.write_text(path.stem)
        written[path.stem] = rows
        return {"key": "string"}

    monkeypatch.setattr(module, "read_results", lambda store, keys: found if keys == "all" else {})
    monkeypatch.setattr(module, "read_methods", lambda manifest: methods)
    monkeypatch.setattr(module, "_write_parquet", write)
    store: Any = SimpleNamespace(folder=tmp_path, manifest=lambda: MANIFEST, listed=lambda: "all")
    out = tmp_path / "out"
    paths = module.publish(store, out)
    names = ["runs.parquet", "curves.parquet", "picks.parquet", "evaluation.json"]
    assert paths == [out / name for name in [*names, "croissant.json"]]
    assert [(row["key"], row["role"]) for row in written["runs"]] == [
        ("a", "full_labels"), ("c", "policy"),
    ]  # fmt: skip
    assert written["curves"] == [*_curve_rows(full), *_curve_rows(found["x"])]
    assert written["picks"] == [*_pick_rows(full), *_pick_rows(found["x"])]
    assert (out / "evaluation.json").read_text() == json.dumps(MANIFEST, indent=1, sort_keys=True)
    about = describe(MANIFEST, paths[:-1], {name: {"key": "string"} for name in written})
    assert (out / "croissant.json").read_text() == json.dumps(about, indent=1)
    found.clear()
    with pytest.raises(UsageError, match=f"the run store '{tmp_path}' holds no runs to publish"):
        module.publish(store, out)
