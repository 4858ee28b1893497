"""doccano: JSON lines of a text-classification project.

Format: https://doccano.github.io/doccano (import and export of JSONL). doccano shows texts in the
order of the file; keys that it does not know become metadata, which it shows beside the text.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lal.data.items import Item
from lal.integrations.formats import Order, in_order, one_class, records, shown, write_text

LABELS = ("label", "labels")


@dataclass(frozen=True)
class Doccano:
    """Reads and writes the texts of a project."""

    def read(self, path: Path, content: str = "") -> list[Item]:
        """Return the texts of an export; without ids, they are known by their line, from 1."""
        return [_item(r, content, i) for i, r in enumerate(records(path, lines=True), start=1)]

    def write(self, path: Path, items: Sequence[Item], order: Order) -> None:
        """Write texts to import, with rank, predicted class and probability as metadata."""
        lines = []
        for item in in_order(items, order):
            line = dict(item.source) | {"id": item.source.get("id", item.id)}
            if item.id in order:
                placed = order[item.id]
                line |= {
                    "lal_rank": placed.rank,
                    "lal_predicted": placed.label,
                    "lal_probability": placed.probability,
                }
            lines.append(json.dumps(line, ensure_ascii=False))
        write_text(path, "\n".join(lines) + "\n")


FORMAT = Doccano()


def _item(record: dict[str, Any], content: str, line: int) -> Item:
    name = str(record.get("id", line))
    given: Any = next((record[key] for key in LABELS if key in record), [])
    labels = given if isinstance(given, list) else [] if given is None else [given]
    data = {k: v for k, v in record.items() if k not in (*LABELS, "id") and k[:4] != "lal_"}
    return Item(name, label=one_class(labels, name), source=record, **shown(data, content, name))
