"""Published results: what the Parquet files hold, and that the Croissant description is true."""

import hashlib
import json

import numpy as np
import pytest

from lal.curve import aubc
from lal.errors import UsageError
from lal.evaluation import EvaluationConfig, evaluate
from lal.evaluation.report.publish import publish
from lal.evaluation.runs.store import RunStore, read_results

pandas = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    mine = folder / "mine.py"
    mine.write_text(
        "def rule(state, rng):\n    return rng.random(len(state.X))\n"
        "def broken(state, rng):\n    raise ValueError('no answer')\n"
    )
    found = evaluate(
        EvaluationConfig(
            suite=("sklearn:iris",), strategies=("random", f"{mine}:rule", f"{mine}:broken"),
            runs=2, budget=5, out=folder / "runs",
        )
    )  # fmt: skip
    publish(found.store, folder / "out")
    return found, folder / "out"


def test_the_files_hold_every_run_with_its_curve_and_picks(published):
    found, folder = published
    runs, curves, picks = (
        pandas.read_parquet(folder / f"{name}.parquet") for name in ("runs", "curves", "picks")
    )
    counts = runs.groupby("strategy").size().to_dict()
    assert counts == {"@full": 2, "broken": 2, "random": 2, "rule": 2}
    assert set(runs[runs.strategy == "@full"].role) == {"full_labels"}
    assert set(runs[runs.status == "failed"].error) == {"ValueError: no answer"}
    results = read_results(found.store, found.store.listed())
    for run in runs[(runs.status == "done") & (runs.strategy != "@full")].itertuples():
        result = results[run.key]
        curve, asked = curves[curves.key == run.key], picks[picks.key == run.key]
        np.testing.assert_array_equal(curve.n_labels, result.n_labels)
        np.testing.assert_array_equal(curve.accuracy, result.metrics["accuracy"])
        np.testing.assert_array_equal(asked.row, result.queried)
        assert run.area == aubc(curve.n_labels.to_numpy(), curve.balanced_accuracy.to_numpy())
    assert (~picks.initial).sum() == 4 * 5
    parquet = pytest.importorskip("pyarrow.parquet")
    column = parquet.ParquetFile(folder / "curves.parquet").metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    starts = picks[picks.initial].groupby("key").row.apply(tuple)
    assert len(starts) == 4
    assert len(set(starts)) == 2  # random and rule share the initial labels of each run
    manifest = json.loads((folder / "evaluation.json").read_text())
    assert manifest["protocol_hash"] == found.manifest["protocol_hash"]
    assert [method["label"] for method in manifest["methods"]] == ["random", "rule", "broken"]
    (sha256,) = set(runs.sha256)
    assert manifest["data"] == {"iris": sha256}


def test_the_description_is_true(published):
    _, folder = published
    about = json.loads((folder / "croissant.json").read_text())
    assert about["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert about["@type"] == "sc:Dataset"
    for file in about["distribution"]:
        content = (folder / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"
    kinds = {file["name"]: file["encodingFormat"] for file in about["distribution"]}
    parquet = {f"{name}.parquet": "application/x-parquet" for name in ("runs", "curves", "picks")}
    assert kinds == {**parquet, "evaluation.json": "application/json"}
    assert {file["@type"] for file in about["distribution"]} == {"cr:FileObject"}
    assert (about["name"], about["version"]) == ("active-learning-runs", "1.0.0")
    assert about["description"].startswith("Runs of active learning on sklearn:iris: learning cur")
    assert about["identifier"] == published[0].manifest["protocol_hash"]
    ids = {file["@id"] for file in about["distribution"]}
    for records in about["recordSet"]:
        frame = pandas.read_parquet(folder / f"{records['@id']}.parquet")
        assert [field["source"]["extract"]["column"] for field in records["field"]] == [*frame]
        for field in records["field"]:
            assert field["source"]["fileObject"]["@id"] in ids
            number = frame[field["name"]].dtype.kind in "if"
            assert (field["dataType"] in ("sc:Integer", "sc:Float")) == number
            assert (field["dataType"] == "sc:Boolean") == (field["name"] == "initial")
            assert field["description"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mlcommons_own_reader_reads_the_description(published):
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    _, folder = published
    dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert len(list(dataset.records(record_set="picks"))) >= 4 * 5


def test_a_store_without_runs_is_refused(tmp_path, published):
    found, _ = published
    empty = RunStore(tmp_path / "empty")
    empty.write_manifest(found.manifest, [])
    with pytest.raises(UsageError, match="holds no runs to publish"):
        publish(empty, tmp_path / "out")
    assert not (tmp_path / "out").exists()
