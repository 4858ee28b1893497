"""Results for others: runs, curves and picks as Parquet, described in Croissant."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lal.curve import aubc
from lal.errors import UsageError
from lal.evaluation.runs.methods import RESERVED, read_methods
from lal.evaluation.runs.run import RunResult
from lal.evaluation.runs.store import RunStore, read_results
from lal.registry import require
from lal.serialization import write_bytes

CROISSANT = "http://mlcommons.org/croissant/1.0"
"""What the description conforms to."""

PARQUET = "application/x-parquet"

TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty",
    "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator",
    "source", "subField", "transform",
)  # fmt: skip

CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in TERMS},
}
"""The terms of Croissant 1.0, all of which a description declares."""

KEYS = ("dataset", "family", "source", "sha256", "n_classes", "learner", "split", "start",
        "strategy", "n_start", "n_pool")  # fmt: skip
"""What a run is about, in the order of the columns."""

COLUMNS: Mapping[str, str] = {
    "key": "The run; the same in all files",
    "sha256": "Hash of the data set's values and labels",
    "area": "Area under the budget curve of the headline metric, 0 to 1",
    "role": "What the method is for: strategy, policy, a control, an oracle, full_labels",
    "status": "done, failed or timed out",
    "n_start": "Labels before the first query",
    "n_pool": "Rows of the pool",
    "n_labels": "Labels at this point of the curve",
    "order": "Place among the labels of the run, from 0",
    "row": "Row of the pool that was labelled; pools follow from data set, split and protocol",
    "initial": "Whether it belongs to the initial labelled set, which no method chose",
    "seconds": "Wall time of the run",
    "query_seconds": "Mean wall time of a query",
    "error": "Last line of what went wrong",
}
"""What columns mean that do not say it by their name."""

TYPES = {"int64": "sc:Integer", "double": "sc:Float", "string": "sc:Text", "bool": "sc:Boolean"}


def publish(store: RunStore, folder: Path) -> list[Path]:
    """Write the latest evaluation of a store as files that others read without this package.

    runs.parquet has a row for each run, curves.parquet one for each point, picks.parquet one for
    each label; evaluation.json is the manifest, with protocol, methods and hashes of the data; and
    croissant.json describes the files, with their hashes.

    Raises:
        UsageError: The store has no runs.
    """
    results = sorted(read_results(store, store.listed()).values(), key=lambda r: r.key)
    if not results:
        raise UsageError(f"the run store {str(store.folder)!r} holds no runs to publish")
    manifest = store.manifest()
    roles = {m.label: m.role for m in read_methods(manifest)} | dict(RESERVED)
    metric = str(manifest["protocol"]["metric"])
    tables = {
        "runs": [_run_row(result, roles, metric) for result in results],
        "curves": [row for result in results for row in _curve_rows(result)],
        "picks": [row for result in results for row in _pick_rows(result)],
    }
    schemas = {
        name: _write_parquet(folder / f"{name}.parquet", rows) for name, rows in tables.items()
    }
    evaluation = folder / "evaluation.json"
    write_bytes(evaluation, json.dumps(manifest, indent=1, sort_keys=True).encode())
    files = [*(folder / f"{name}.parquet" for name in tables), evaluation]
    about = describe(manifest, files, schemas)
    write_bytes(folder / "croissant.json", json.dumps(about, indent=1).encode())
    return [*files, folder / "croissant.json"]


def _run_row(result: RunResult, roles: Mapping[str, str], metric: str) -> dict[str, Any]:
    about = {name: result.about.get(name) for name in KEYS}
    curve = result.metrics.get(metric)
    return {
        "key": result.key,
        **about,
        "role": roles.get(str(about["strategy"]), "strategy"),
        "status": result.status,
        "area": None if curve is None else float(aubc(result.n_labels, curve)),
        "seconds": result.seconds,
        "query_seconds": result.query_seconds,
        "error": result.error.strip().rpartition("\n")[2],
    }


def _curve_rows(result: RunResult) -> list[dict[str, Any]]:
    columns = {name: values.tolist() for name, values in result.metrics.items()}
    points = enumerate(result.n_labels.tolist())
    return [
        {"key": result.key, "n_labels": n, **{name: v[i] for name, v in columns.items()}}
        for i, n in points
    ]


def _pick_rows(result: RunResult) -> list[dict[str, Any]]:
    n_start = int(result.about.get("n_start") or 0)
    rows = enumerate(result.queried.tolist())
    return [
        {"key": result.key, "order": order, "row": row, "initial": order < n_start}
        for order, row in rows
    ]


def _write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Write rows, and return the type of every column."""
    pa, parquet = require("pyarrow", "tables"), require("pyarrow.parquet", "tables")
    table = pa.Table.from_pylist(list(rows))
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, sink.getvalue().to_pybytes())
    return {field.name: str(field.type) for field in table.schema}


def describe(
    manifest: Mapping[str, Any], files: Sequence[Path], schemas: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return the description of published files in Croissant 1.0 (JSON-LD).

    Args:
        manifest: Of the run store.
        files: The files, written already.
        schemas: Table to column to the type that Arrow has for it.
    """
    suites = ", ".join(map(str, manifest["config"]["suite"]))
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": CROISSANT,
        "name": "active-learning-runs",
        "description": (
            f"Runs of active learning on {suites}: learning curves and the rows queried. Made by: "
            f"{manifest['command']}"
        ),
        "version": f"{manifest['protocol']['version']}.0.0",
        "identifier": str(manifest["protocol_hash"]),
        "distribution": [_file_object(path) for path in files],
        "recordSet": [_record_set(name, columns) for name, columns in schemas.items() if columns],
    }


def _file_object(path: Path) -> dict[str, str]:
    content = path.read_bytes()
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{len(content)} B",
        "encodingFormat": PARQUET if path.suffix == ".parquet" else "application/json",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _record_set(name: str, columns: Mapping[str, str]) -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{column}",
            "name": column,
            "description": COLUMNS.get(column, column.replace("_", " ")),
            "dataType": TYPES.get(kind, "sc:Text"),
            "source": {
                "fileObject": {"@id": f"{name}.parquet"},
                "extract": {"column": column},
            },
        }
        for column, kind in columns.items()
    ]
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}
