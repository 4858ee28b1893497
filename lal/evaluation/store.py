"""Run store: finished cells as files named by the hash of what determines them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lal.errors import DataError, UsageError
from lal.evaluation.cells import CellResult
from lal.records import config_hash, read_json, write_atomic, write_json
from lal.registry import require

Format = Literal["parquet", "json"]
MANIFEST = "evaluation.json"
CELLS = "cells.json"
HEADER = b"lal"


class RunStore:
    """A folder of cells.

    A cell is written once, atomically, under its key; writing it again changes nothing. A file
    that cannot be read, or whose content does not match its digest, is moved to ``quarantine``
    and counts as missing.

    Args:
        folder: Where the store lives; made when first written to.
        format: ``"parquet"`` (needs pyarrow) or ``"json"``, for new cells; both are read.
    """

    def __init__(self, folder: str | Path, format: Format = "parquet") -> None:
        self.folder = Path(folder)
        self.format = format
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{str(self.folder)!r} is a file; a run store is a folder")
        if format == "parquet":
            require("pyarrow.parquet", "tables")

    @classmethod
    def existing(cls, folder: str | Path) -> "RunStore":
        """Return a store that must be there.

        Raises:
            DataError: The folder holds no run store.
        """
        path = Path(folder)
        if not (path / "cells").is_dir():
            raise DataError(f"there is no run store in {str(path)!r}; run scripts.evaluate first")
        return cls(path, "json")

    def path(self, key: str, format: Format | None = None) -> Path:
        """Return where the cell with this key is written."""
        return self.folder / "cells" / key[:2] / f"{key}.{format or self.format}"

    def find(self, key: str) -> Path | None:
        """Return the file of a cell in either format, or None."""
        formats: tuple[Format, ...] = ("parquet", "json")
        return next((p for f in formats if (p := self.path(key, f)).exists()), None)

    def keys(self) -> list[str]:
        """Return the keys of all cells, sorted."""
        return sorted({p.stem for p in self.files()})

    def files(self) -> list[Path]:
        """Return the files of all cells."""
        found = self.folder.glob("cells/??/*")
        return sorted(p for p in found if p.suffix in (".parquet", ".json") and p.name[0] != ".")

    def put(self, result: CellResult) -> None:
        """Write a cell; a stored failure is replaced, a stored success kept."""
        old = self.get(result.key)
        if old is not None and old.status == "done":
            return
        write_atomic(self.path(result.key), lambda part: _write(part, result, self.format))

    def get(self, key: str) -> CellResult | None:
        """Return a cell, or None if it is missing or was damaged (then it is set aside)."""
        path = self.find(key)
        if path is None:
            return None
        try:
            return _read(path)
        except (DataError, OSError, ValueError, KeyError):
            self._quarantine(path)
            return None

    def __iter__(self) -> Iterator[CellResult]:
        """Iterate over all undamaged cells in the order of their keys."""
        return (r for r in map(self.get, self.keys()) if r is not None)

    def verify(self) -> list[Path]:
        """Read every cell, set damaged files aside, and return where those went."""
        for key in self.keys():
            self.get(key)
        return sorted((self.folder / "quarantine").glob("*"))

    def merge(self, other: "RunStore") -> int:
        """Take over the cells of another store that are missing here; return how many."""
        known = set(self.keys())
        fresh = [r for r in other if r.key not in known]
        for result in fresh:
            self.put(result)
        return len(fresh)

    def _quarantine(self, path: Path) -> None:
        aside = self.folder / "quarantine"
        aside.mkdir(parents=True, exist_ok=True)
        taken = sum(1 for p in aside.iterdir() if p.name.startswith(path.name))
        path.replace(aside / f"{path.name}.{taken}")

    def write_manifest(self, manifest: Mapping[str, Any], cells: Sequence[str]) -> None:
        """Write what the latest evaluation was, and the keys of its cells."""
        write_json(self.folder / CELLS, sorted(cells))
        write_json(self.folder / MANIFEST, manifest)

    def manifest(self) -> dict[str, Any]:
        """Return what `write_manifest` wrote; empty before."""
        path = self.folder / MANIFEST
        found: dict[str, Any] = read_json(path) if path.exists() else {}
        return found

    def listed(self) -> list[str]:
        """Return the keys of the latest evaluation's cells; all keys before the first."""
        path = self.folder / CELLS
        found: list[str] = read_json(path) if path.exists() else self.keys()
        return found

    def to_table(self) -> Any:
        """Return the latest evaluation's cells as a tidy data frame; see `tables.long_table`.

        Areas are of the latest evaluation's headline metric, whichever was it when a cell was
        played: cells keep the curves of all metrics.
        """
        from lal.evaluation.tables import long_table

        headline = self.manifest().get("protocol", {}).get("metric")
        results = results_of(self, self.listed()).values()
        if headline is None:
            return long_table(results)
        return long_table([replace(r, about={**r.about, "metric": headline}) for r in results])


def _payload(result: CellResult) -> dict[str, Any]:
    content = asdict(result)
    content["n_labels"] = [int(n) for n in result.n_labels]
    content["queried"] = [int(i) for i in result.queried]
    content["metrics"] = {k: [float(v) for v in values] for k, values in result.metrics.items()}
    return content


def _write(path: Path, result: CellResult, format: Format) -> None:
    content = _payload(result)
    header = {"digest": config_hash(content)}
    if format == "json":
        path.write_text(json.dumps({**header, "cell": content}), encoding="utf-8")
        return
    pa, parquet = require("pyarrow", "tables"), require("pyarrow.parquet", "tables")
    columns = {"n_labels": content.pop("n_labels"), **content.pop("metrics")}
    table = pa.table({k: np.asarray(v) for k, v in columns.items()})
    meta = {HEADER: json.dumps({**header, "cell": content}).encode()}
    parquet.write_table(table.replace_schema_metadata(meta), path)


def _read(path: Path) -> CellResult:
    if path.suffix == ".json":
        whole = json.loads(path.read_text(encoding="utf-8"))
        content = whole["cell"]
    else:
        parquet = require("pyarrow.parquet", "tables")
        table = parquet.ParquetFile(path).read()
        whole = json.loads(table.schema.metadata[HEADER])
        columns = table.to_pydict()
        content = {**whole["cell"], "n_labels": columns.pop("n_labels"), "metrics": columns}
    if config_hash(content) != whole["digest"]:
        raise DataError(f"{path.name} does not match its digest")
    content["n_labels"] = np.array(content["n_labels"], dtype=np.int64)
    content["queried"] = np.array(content["queried"], dtype=np.int64)
    content["metrics"] = {k: np.array(v, dtype=np.float64) for k, v in content["metrics"].items()}
    return CellResult(**content)


def results_of(store: RunStore, keys: Iterable[str]) -> dict[str, CellResult]:
    """Return the stored cells among `keys`, by key."""
    found = ((key, store.get(key)) for key in keys)
    return {key: result for key, result in found if result is not None}
