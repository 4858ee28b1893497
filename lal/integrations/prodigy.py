"""Prodigy: JSON lines of tasks and answers.

Format: https://prodi.gy/docs/api-interfaces ("choice" and "classification"). A task with options
has the chosen ones in `accept`; one with a `label` was accepted or rejected. An answer of "ignore"
or "reject" names no class.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lal.data.items import Item
from lal.integrations.formats import Order, in_order, one_class, records, shown, write_text

OURS = ("lal_id", "lal_rank", "lal_predicted", "score")
"""Keys of `meta` that are written anew."""


@dataclass(frozen=True)
class Prodigy:
    """Reads and writes streams of tasks."""

    def read(self, path: Path, content: str = "") -> list[Item]:
        """Return the tasks; without a hash or an id, they are known by their line, from 1."""
        return [_item(r, content, i) for i, r in enumerate(records(path, lines=True), start=1)]

    def write(self, path: Path, items: Sequence[Item], order: Order) -> None:
        """Write tasks; rank, predicted class and its probability (`score`) stand in `meta`."""
        lines = []
        for item in in_order(items, order):
            meta = {k: v for k, v in item.source.get("meta", {}).items() if k not in OURS}
            meta["lal_id"] = item.id
            if item.id in order:
                placed = order[item.id]
                meta |= {"lal_rank": placed.rank, "lal_predicted": placed.label}
                meta |= {"score": placed.probability}
            lines.append(json.dumps({**item.source, "meta": meta}, ensure_ascii=False))
        write_text(path, "\n".join(lines) + "\n")


FORMAT = Prodigy()


def _item(record: dict[str, Any], content: str, line: int) -> Item:
    meta = record.get("meta") or {}
    name = str(meta.get("lal_id", record.get("_task_hash", record.get("id", line))))
    data = {
        k: v
        for k, v in record.items()
        if k[:1] != "_" and k not in ("id", "label", "options", "accept", "answer", "meta")
    }
    return Item(name, label=_label(record, name), source=record, **shown(data, content, name))


def _label(record: dict[str, Any], name: str) -> str | None:
    if record.get("answer") != "accept":
        return None
    if "options" in record or "accept" in record:
        return one_class(record.get("accept") or [], name)
    return one_class([record["label"]] if "label" in record else [], name)
