"""Argilla: records as `dataset.records.to_json` writes them, a JSON list.

Format: https://docs.argilla.io (`rg.Record`): `fields`, `responses` and `suggestions` by question,
`metadata`. The first question with a response, a suggestion, or the name "label" is the one asked.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lal.data.items import Item
from lal.integrations.formats import (
    AGENT,
    Order,
    in_order,
    one_class,
    part,
    records,
    shown,
    write_text,
)  # fmt: skip


@dataclass(frozen=True)
class Argilla:
    """Reads and writes the records of a dataset."""

    def read(self, path: Path, content: str = "") -> list[Item]:
        """Return the records; the label is that of the last response that was not discarded."""
        found = records(path, lines=False)
        question = _question(found)
        return [_item(record, content, question, i) for i, record in enumerate(found, start=1)]

    def write(self, path: Path, items: Sequence[Item], order: Order) -> None:
        """Write records to load with `from_json`: a suggestion each, the rank in the metadata."""
        question = _question([item.source for item in items])
        written = []
        for item in in_order(items, order):
            record = dict(item.source) | {"id": item.source.get("id", item.id)}
            if item.id in order:
                placed = order[item.id]
                record["metadata"] = {**(record.get("metadata") or {}), "lal_rank": placed.rank}
                if placed.label is not None:
                    suggestion = {"value": placed.label, "score": placed.probability}
                    suggestions = {question: {**suggestion, "agent": AGENT}}
                    record["suggestions"] = {**(record.get("suggestions") or {}), **suggestions}
            written.append(record)
        write_text(path, json.dumps(written, ensure_ascii=False, indent=1) + "\n")


FORMAT = Argilla()


def _question(found: Sequence[Mapping[str, Any]]) -> str:
    for where in ("responses", "suggestions"):
        for record in found:
            if record.get(where):
                return str(next(iter(record[where])))
    return "label"


def _item(record: dict[str, Any], content: str, question: str, number: int) -> Item:
    name = str(record.get("id", number))
    fields = part(record.get("fields"), dict, name, "fields")
    responses = part(record.get("responses") or {}, dict, name, "responses")
    given = [r for r in responses.get(question) or [] if r.get("status") != "discarded"]
    values = [given[-1].get("value")] if given else []
    return Item(name, label=one_class(values, name), source=record, **shown(fields, content, name))
