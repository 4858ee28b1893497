"""Shards: parts of an evaluation that machines execute apart from each other, and their merge.

A run belongs to a shard by its key, the hash of its content, so every machine finds its part by
itself, whatever else is listed and in whatever order. Every shard writes to a store of its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lal.errors import DataError, UsageError
from lal.evaluation.runs.runner import Plan
from lal.evaluation.runs.store import RunStore

FOLDER = "shards"
"""Folder of an evaluation in which its shards' stores are."""


@dataclass(frozen=True)
class Shard:
    """One part of an evaluation.

    Attributes:
        number: From 1.
        of: Number of parts.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        """Refuse a part that there is not."""
        if not 1 <= self.number <= self.of:
            raise UsageError(
                f"there is no shard {self.number} of {self.of}; they are numbered from 1"
            )

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Return the shard that a text such as ``2/4`` names.

        Raises:
            UsageError: Another form, or a number that is not there.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if not found:
            raise UsageError(f"a shard is given as NUMBER/OF, for example 2/4, got {text!r}")
        return cls(int(found[1]), int(found[2]))

    def __contains__(self, key: object) -> bool:
        """Whether the run with this key belongs here."""
        return int(str(key)[:8], 16) % self.of == self.number - 1

    def folder(self, out: Path, name: str = FOLDER) -> Path:
        """Return where the shard's store is, below the folder of the evaluation."""
        return out / name / f"{self.number}-of-{self.of}"


def all_shards(of: int) -> Iterator[Shard]:
    """Yield all shards of an evaluation in so many parts."""
    return (Shard(number, of) for number in range(1, of + 1))


def take_shard(work: Plan, shard: Shard, whole: RunStore | None = None) -> Plan:
    """Return a shard's part of a plan, without what the store of the whole has already."""
    return replace(
        work,
        runs=tuple(run for run in work.runs if run.key in shard),
        missing=tuple(
            run
            for run in work.missing
            if run.key in shard and (whole is None or whole.find(run.key) is None)
        ),
    )


def find_shards(out: Path, name: str = FOLDER) -> list[Path]:
    """Return the stores of the shards that are there, below the folder of the evaluation."""
    return sorted(path.parent for path in (out / name).glob("*/cells"))


def merge_stores(into: RunStore, sources: Iterable[RunStore]) -> dict[Path, int]:
    """Take over what other stores have and this one lacks, by key; return how many runs of each.

    The manifest, too, is taken over where there is none; then it lists the runs of all stores.

    Raises:
        DataError: The stores are of evaluations with different protocols; nothing was taken.
    """
    stores = list(sources)
    manifests = [m for store in (into, *stores) if (m := store.manifest())]
    if len({m.get("protocol_hash") for m in manifests}) > 1:
        raise DataError(
            f"the stores to merge into {str(into.folder)!r} follow different protocols; merge only "
            "shards of one evaluation"
        )
    taken = {store.folder: into.merge(store) for store in stores}
    if manifests and not into.manifest():
        into.write_manifest(_whole(manifests[0]), _listed(stores))
    return taken


def _whole(manifest: Mapping[str, object]) -> dict[str, object]:
    config = manifest.get("config")
    whole = {**config, "shard": ""} if isinstance(config, dict) else config
    return {**manifest, "config": whole}


def _listed(stores: Sequence[RunStore]) -> list[str]:
    return sorted({key for store in stores for key in store.listed()})
