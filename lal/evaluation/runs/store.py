"""Run store: finished runs as files named by the hash of what determines them."""

import contextlib
import io
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lal.errors import DataError, LalError, UsageError
from lal.evaluation.runs.run import DONE, RunResult
from lal.registry import require
from lal.serialization import config_hash, read_json, write_bytes, write_json

Format = Literal["parquet", "json"]
MANIFEST = "evaluation.json"
RUN_KEYS = "cells.json"
"""Keys of the latest evaluation; this name, and those inside the files, are the first release's."""

HEADER = b"lal"

LEFTOVER_AGE = 3600.0
"""Seconds after which a half-written file is nobody's any more."""


class StoreError(LalError):
    """The disk refuses to give or to take a run."""


@dataclass(frozen=True)
class Verification:
    """What a check of a store found.

    Attributes:
        counts: Undamaged runs by status.
        quarantined: Files set aside, now or before.
        missing: Runs of the latest evaluation that are not there.
    """

    counts: Mapping[str, int]
    quarantined: tuple[Path, ...]
    missing: int


class RunStore:
    """A folder of runs.

    A run is written once, atomically, under its key; writing it again changes nothing. A file
    that cannot be read, or whose content does not match its digest, is moved to ``quarantine``
    and counts as missing.

    Args:
        folder: Where the store lives; made when first written to.
        format: ``"parquet"`` (needs pyarrow) or ``"json"``, for new runs; both are read.
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
        """Return where the run with this key is written."""
        return self.folder / "cells" / key[:2] / f"{key}.{format or self.format}"

    def find(self, key: str) -> Path | None:
        """Return the file of a run in either format, or None."""
        return next(iter(self._paths(key)), None)

    def _paths(self, key: str) -> list[Path]:
        formats: tuple[Format, ...] = ("parquet", "json")
        return [p for f in formats if (p := self.path(key, f)).exists()]

    def keys(self) -> list[str]:
        """Return the keys of all runs, sorted."""
        return sorted({p.stem for p in self.files()})

    def files(self) -> list[Path]:
        """Return the files of all runs."""
        found = self.folder.glob("cells/??/*")
        return sorted(p for p in found if p.suffix in (".parquet", ".json") and p.name[0] != ".")

    def put(self, result: RunResult) -> None:
        """Write a run; a stored failure is replaced, a stored success kept.

        Raises:
            StoreError: The disk is full or refuses; what was stored before is untouched.
        """
        old = self.get(result.key)
        if old is not None and old.status == DONE:
            return
        path = self.path(result.key)
        try:
            write_bytes(path, _to_bytes(result, self.format))
        except OSError as error:
            raise StoreError(
                f"cannot write to {str(self.folder)!r} ({error}); nothing stored was harmed: make "
                "room or mend the disk, and run the same command again"
            ) from error
        for other in self._paths(result.key):
            if other != path:
                other.unlink(missing_ok=True)

    def get(self, key: str) -> RunResult | None:
        """Return a run, or None if it is missing or was damaged (then it is set aside).

        A run that is there in both formats, after a crash between two steps, counts once; a
        success counts before a failure.

        Raises:
            StoreError: The file is there but the disk does not give it; it is left where it is.
        """
        read = (self._read(path) for path in self._paths(key))
        found = sorted((r for r in read if r is not None), key=lambda r: r.status != DONE)
        return found[0] if found else None

    def _read(self, path: Path) -> RunResult | None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {str(path)!r} ({error}); try again") from error
        try:
            return _from_bytes(content, path)
        except Exception:  # whatever pyarrow, json or numpy raise on damaged bytes
            self._quarantine(path)
            return None

    def __iter__(self) -> Iterator[RunResult]:
        """Iterate over all undamaged runs in the order of their keys."""
        return (r for r in map(self.get, self.keys()) if r is not None)

    def verify(self) -> "Verification":
        """Read every run; set damaged files and what killed writes left behind aside."""
        counts: dict[str, int] = {}
        for key in self.keys():
            result = self.get(key)
            if result is not None:
                counts[result.status] = counts.get(result.status, 0) + 1
        for part in self.folder.glob("**/.*.part"):
            with contextlib.suppress(FileNotFoundError):  # its writer finished it just now
                if time.time() - part.stat().st_mtime > LEFTOVER_AGE:
                    self._quarantine(part)
        aside = sorted((self.folder / "quarantine").glob("*"))
        missing = [k for k in self.listed() if self.find(k) is None]
        return Verification(counts, tuple(aside), len(missing))

    def merge(self, other: "RunStore") -> int:
        """Take over the runs of another store that are missing or failed here; return how many."""
        taken = 0
        for theirs in other:
            ours = self.get(theirs.key)
            if ours is None or (ours.status != DONE and theirs.status == DONE):
                self.put(theirs)
                taken += 1
        return taken

    def _quarantine(self, path: Path) -> None:
        aside = self.folder / "quarantine"
        aside.mkdir(parents=True, exist_ok=True)
        taken = sum(1 for p in aside.iterdir() if p.name.startswith(path.name))
        with contextlib.suppress(FileNotFoundError):  # somebody else was faster
            path.replace(aside / f"{path.name}.{taken}")

    def write_manifest(self, manifest: Mapping[str, Any], runs: Sequence[str]) -> None:
        """Write what the latest evaluation was, and the keys of its runs."""
        write_json(self.folder / RUN_KEYS, sorted(runs))
        write_json(self.folder / MANIFEST, manifest)

    def manifest(self) -> dict[str, Any]:
        """Return what `write_manifest` wrote; empty before."""
        path = self.folder / MANIFEST
        found = read_json(path) if path.exists() else {}
        if not isinstance(found, dict) or not isinstance(found.get("protocol", {}), dict):
            raise DataError(
                f"{str(path)!r} does not describe an evaluation; restore it from a copy"
            )
        return found

    def listed(self) -> list[str]:
        """Return the keys of the latest evaluation's runs; all keys before the first."""
        path = self.folder / RUN_KEYS
        found = read_json(path) if path.exists() else self.keys()
        if not isinstance(found, list) or not all(isinstance(key, str) for key in found):
            raise DataError(f"{str(path)!r} does not list runs; restore it from a copy")
        return found


def _payload(result: RunResult) -> dict[str, Any]:
    content = asdict(result)
    content["n_labels"] = [int(n) for n in result.n_labels]
    content["queried"] = [int(i) for i in result.queried]
    content["metrics"] = {k: [float(v) for v in values] for k, values in result.metrics.items()}
    return content


def _to_bytes(result: RunResult, format: Format) -> bytes:
    content = _payload(result)
    header = {"digest": config_hash(content)}
    if format == "json":
        return json.dumps({**header, "cell": content}).encode()
    pa, parquet = require("pyarrow", "tables"), require("pyarrow.parquet", "tables")
    columns = {"n_labels": content.pop("n_labels"), **content.pop("metrics")}
    table = pa.table({k: np.asarray(v) for k, v in columns.items()})
    meta = {HEADER: json.dumps({**header, "cell": content}).encode()}
    sink = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(meta), sink)
    return sink.getvalue()


def _from_bytes(raw: bytes, path: Path) -> RunResult:
    if path.suffix == ".json":
        whole = json.loads(raw)
        content = whole["cell"]
    else:
        parquet = require("pyarrow.parquet", "tables")
        table = parquet.ParquetFile(io.BytesIO(raw)).read()
        whole = json.loads(table.schema.metadata[HEADER])
        columns = table.to_pydict()
        content = {**whole["cell"], "n_labels": columns.pop("n_labels"), "metrics": columns}
    if config_hash(content) != whole["digest"]:
        raise DataError(f"{path.name} does not match its digest")
    if content["key"] != path.stem:
        raise DataError(f"{path.name} holds another run, {content['key']}")
    content["n_labels"] = np.array(content["n_labels"], dtype=np.int64)
    content["queried"] = np.array(content["queried"], dtype=np.int64)
    content["metrics"] = {k: np.array(v, dtype=np.float64) for k, v in content["metrics"].items()}
    return RunResult(**content)


def read_results(store: RunStore, keys: Iterable[str]) -> dict[str, RunResult]:
    """Return the stored runs among `keys`, by key."""
    found = ((key, store.get(key)) for key in keys)
    return {key: result for key, result in found if result is not None}
