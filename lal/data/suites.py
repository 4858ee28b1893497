"""Suites: named lists of data sets, each loaded when it is first asked for."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, overload

from lal.data.dataset import Dataset
from lal.data.datasets import BUNDLED, load_dataset
from lal.data.families import get_family
from lal.data.names import nearest_name_error
from lal.data.regression_sets import REGRESSION_NAMES
from lal.data.synthetic import SYNTHETIC
from lal.data.tables import READERS, load_file
from lal.errors import DataError
from lal.serialization import parse_json, read_file

KINDS = ("tabular", "synthetic")
"""Kinds of manifest entries that are loaded when nothing else is asked for."""


IMAGES = "images:"
"""Before a folder: only the images of its manifest.json."""


@dataclass(frozen=True)
class Entry:
    """A data set of a suite, known but not loaded."""

    name: str
    family: str
    source: str
    load: Callable[[], Dataset] = field(repr=False, compare=False)
    sha256: str | None = None


class Suite(Sequence[Dataset]):
    """Data sets in a fixed order; items are loaded at the first look and kept.

    Args:
        name: Name of the suite.
        entries: Its data sets, with different names.
        log: Access log of a locked suite; None for others.
    """

    def __init__(self, name: str, entries: Sequence[Entry], log: Path | None = None) -> None:
        if not entries:
            raise DataError(f"suite {name!r} has no data sets")
        names = [e.name for e in entries]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise DataError(f"suite {name!r} names {', '.join(twice)} more than once")
        self.name = name
        self.entries = tuple(entries)
        self.log = log
        self._loaded: dict[str, Dataset] = {}

    def __repr__(self) -> str:
        """Return the name and the number of data sets."""
        return f"Suite({self.name!r}, {len(self)} data sets)"

    def __len__(self) -> int:
        """Return the number of data sets."""
        return len(self.entries)

    def __iter__(self) -> Iterator[Dataset]:
        """Load and yield one data set after the other."""
        return (self[name] for name in self.names)

    @overload
    def __getitem__(self, key: int | str) -> Dataset: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Dataset]: ...
    def __getitem__(self, key: int | str | slice) -> Dataset | Sequence[Dataset]:
        """Return a data set by position or name, or a list of them by slice."""
        if isinstance(key, slice):
            return [self[e.name] for e in self.entries[key]]
        entry = self.entry(key) if isinstance(key, str) else self.entries[key]
        if entry.name not in self._loaded:
            self._loaded[entry.name] = entry.load()
        return self._loaded[entry.name]

    def entry(self, name: str) -> Entry:
        """Return what is known about a data set without loading it."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise nearest_name_error(f"data set of suite {self.name!r}", name, self.names)

    @property
    def names(self) -> list[str]:
        """Names in order."""
        return [e.name for e in self.entries]

    @property
    def families(self) -> list[str]:
        """Different families, sorted; nothing is loaded."""
        return sorted({e.family for e in self.entries})

    @property
    def datasets(self) -> list[Dataset]:
        """All data sets, loaded."""
        return list(self)

    def subset(self, names: Sequence[str]) -> "Suite":
        """Return the suite of some of the data sets, in the order given."""
        return Suite(self.name, [self.entry(name) for name in names], self.log)


def load_suite(name_or_path: str | Path, *, kinds: Sequence[str] = KINDS) -> Suite:
    """Return a suite; its data sets are loaded when first asked for.

    Args:
        name_or_path: ``"bundled"``, ``"synthetic"``, ``"regression"``, ``"images"`` (the digits),
            ``"images:FOLDER"`` (those of a folder's manifest.json), ``"openml-cc18"``,
            ``"alpbench"``, ``"tabular-al-v1"``, a folder (with a manifest.json, or just .npz, .csv
            and .parquet files), or a .json list of sources with names and hashes. ``"wall":
            "sealed"`` in the manifest or the list locks it: evaluations on it are logged beside it.
        kinds: Kinds of manifest entries to take; text and sequence data are not tables.

    Raises:
        DataError: No such suite, a damaged manifest, or no data sets.
    """
    if str(name_or_path) in SUITES:
        return SUITES[str(name_or_path)]()
    if str(name_or_path).startswith(IMAGES):
        manifest = Path(str(name_or_path).removeprefix(IMAGES)).expanduser() / "manifest.json"
        if str(name_or_path) == IMAGES or not manifest.is_file():
            raise DataError(f"expected images:FOLDER with a manifest.json, got {name_or_path!r}")
        return _from_manifest(manifest, ("image",))
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        manifest = path / "manifest.json"
        return _from_manifest(manifest, kinds) if manifest.is_file() else _from_folder(path)
    if path.suffix == ".json" and path.is_file():
        return _from_list(path)
    if path.suffix or len(path.parts) > 1:
        raise DataError(
            f"no such suite: {str(name_or_path)!r} is neither a folder nor a .json file; "
            f"built in: {', '.join(SUITES)}"
        )
    raise nearest_name_error("suite", str(name_or_path), list(SUITES))


def _named(name: str) -> Entry:
    bare = name.partition(":")[2]
    return Entry(bare, get_family(name), name, partial(load_dataset, name))


def _bundled() -> Suite:
    return Suite("bundled", [_named(f"sklearn:{n}") for n in BUNDLED])


def _images() -> Suite:
    return Suite("images", [_named("sklearn:digits")])


def _synthetic() -> Suite:
    return Suite("synthetic", [_named(f"synthetic:{n}") for n in SYNTHETIC])


def _regression() -> Suite:
    return Suite("regression", [_named(name) for name in REGRESSION_NAMES])


def _listed(name: str) -> Suite:
    return _from_list(Path(__file__).parent / "lists" / f"{name}.json")


SUITES: Mapping[str, Callable[[], Suite]] = {
    "bundled": _bundled,
    "synthetic": _synthetic,
    "regression": _regression,
    "images": _images,
    "openml-cc18": partial(_listed, "openml-cc18"),
    "alpbench": partial(_listed, "alpbench"),
    "tabular-al-v1": partial(_listed, "tabular-al-v1"),
}
"""Suites by name; those of OpenML are fetched when a data set is first looked at."""


def _from_folder(folder: Path) -> Suite:
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in READERS)
    if not paths:
        raise DataError(
            f"folder {str(folder)!r} has no manifest.json and no {', '.join(READERS)} files"
        )
    return Suite(folder.name, [_file_entry(path, path.stem, None, None) for path in paths])


def _file_entry(path: Path, name: str, family: str | None, sha256: str | None) -> Entry:
    source = f"file:{path}"
    known = family or _bare_family(name)
    load = partial(_load_checked, path, name=name, source=source, family=family, sha256=sha256)
    return Entry(name, known, source, load, sha256)


def _bare_family(name: str) -> str:
    try:
        return get_family(name)
    except DataError:
        return name


def _load_checked(
    path: Path, *, name: str, source: str, family: str | None, sha256: str | None
) -> Dataset:
    """Load a file after checking its hash."""
    if not path.exists():
        raise DataError(f"the manifest names {path.name!r}, which is not in {str(path.parent)!r}")
    if sha256 is not None:
        found = hashlib.sha256(read_file(path)).hexdigest()
        if found != sha256:
            raise DataError(
                f"{path.name!r} is not the file of the manifest: its sha256 is {found[:12]}..., "
                f"expected {sha256[:12]}...; fetch it again"
            )
    return load_file(path, name=name, source=source, family=family)


def _from_manifest(path: Path, kinds: Sequence[str]) -> Suite:
    manifest = _read_json(path)
    items = manifest.get("datasets") if isinstance(manifest, dict) else None
    if not isinstance(items, list):
        raise DataError(f"{str(path)!r} must be an object with a list 'datasets'")
    collection = str(manifest.get("collection", path.parent.name))
    entries = [
        _manifest_entry(path, collection, item)
        for item in items
        if _field(path, item, "kind", "tabular") in kinds
    ]
    return Suite(collection, entries, _openings_log(path, manifest))


def _manifest_entry(path: Path, collection: str, item: dict[str, Any]) -> Entry:
    name = _field(path, item, "name")
    file = path.parent / _field(path, item, "file")
    if path.parent.resolve() not in file.resolve().parents:
        raise DataError(f"{str(path)!r} names a file outside its folder: {item['file']!r}")
    family = get_family(f"{collection}:{name}")
    if family == f"{collection}:{name}":  # not in our table
        family = get_family(str(item["family"])) if item.get("family") else _bare_family(name)
    return _file_entry(file, name, family, _sha256(path, item))


def _from_list(path: Path) -> Suite:
    """Read a .json suite: sources that `load_dataset` knows, with the hash each must have."""
    content = _read_json(path)
    items = content.get("datasets") if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise DataError(f"{str(path)!r} must be an object with a list 'datasets'")
    entries = [_list_entry(path, item) for item in items]
    return Suite(str(content.get("name", path.stem)), entries, _openings_log(path, content))


def _openings_log(path: Path, content: Mapping[str, Any]) -> Path | None:
    """Return the access log of a locked suite, a file beside what lists it."""
    if content.get("wall", "") != "sealed":
        return None
    return path.with_name(
        "openings.jsonl" if path.name == "manifest.json" else f"{path.stem}.openings.jsonl"
    )


def _list_entry(path: Path, item: dict[str, Any]) -> Entry:
    source = _field(path, item, "source")
    name = _field(path, item, "id", source.partition(":")[2] or source)
    family = str(item["family"]) if item.get("family") else None
    sha256 = _sha256(path, item)
    load = partial(_load_listed, source, name, family, sha256)
    return Entry(name, family or _source_family(source), source, load, sha256)


def _source_family(source: str) -> str:
    if source.startswith("file:"):
        return _bare_family(Path(source[5:].partition("?target=")[0]).stem)
    return get_family(source)


def _load_listed(source: str, name: str, family: str | None, sha256: str | None) -> Dataset:
    dataset = load_dataset(source)
    if sha256 is not None and dataset.sha256 != sha256:
        raise DataError(
            f"{source!r} has content {dataset.sha256[:12]}..., the suite expects {sha256[:12]}..."
        )
    return replace(dataset, name=name, family=family or dataset.family)


def _field(path: Path, item: Any, key: str, default: str | None = None) -> str:
    if not isinstance(item, dict) or (key not in item and default is None):
        raise DataError(f"an entry of {str(path)!r} has no {key!r}")
    return str(item.get(key, default))


def _sha256(path: Path, item: Mapping[str, Any]) -> str | None:
    found = item.get("sha256")
    if found is not None and not isinstance(found, str):
        raise DataError(f"an entry of {str(path)!r} has the sha256 {found!r}; expected a text")
    return found


def _read_json(path: Path) -> Any:
    content = read_file(path)
    try:
        return parse_json(content)
    except ValueError as error:
        raise DataError(f"cannot read {str(path)!r} as JSON: {error}") from error
