"""Label Studio: exported JSON (a list of tasks with annotations) and predictions with scores.

Format: https://labelstud.io/guide/task_format and https://labelstud.io/guide/predictions. Choices
with one answer are read; other kinds of labels (spans, boxes) are not classes of a task.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lal.data.items import Item, Placed
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

CONTROL = ("label", "text")
"""Names of the choices and of what they are about, where no annotation says them."""


@dataclass(frozen=True)
class LabelStudio:
    """Reads and writes the tasks of a project."""

    def read(self, path: Path, content: str = "") -> list[Item]:
        """Return the tasks of an export; the label is that of the last annotation that counts."""
        return [read_task(task, content) for task in records(path, lines=False)]

    def write(self, path: Path, items: Sequence[Item], order: Order) -> None:
        """Write tasks to import, each with its annotations and one prediction.

        The score of a prediction is the share of tasks that come before it: what Label Studio
        calls uncertainty sampling shows low scores first.
        """
        control = next(filter(None, (_control(item.source) for item in items)), CONTROL)
        tasks = []
        for item in in_order(items, order):
            task = {key: value for key, value in item.source.items() if key != "predictions"}
            if item.id in order:
                task["predictions"] = [prediction(order[item.id], control)]
            tasks.append(task)
        write_text(path, json.dumps(tasks, ensure_ascii=False, indent=1) + "\n")


FORMAT = LabelStudio()


def read_task(task: Mapping[str, Any], content: str = "") -> Item:
    """Return a task, as exports and requests of Label Studio have it, as an item.

    Raises:
        DataError: It is not a task, or has several classes.
    """
    name = str(task.get("id"))
    data = part(task.get("data"), dict, name, "data")
    return Item(name, label=answer(task), source=dict(task), **shown(data, content, name))


def answer(task: Mapping[str, Any]) -> str | None:
    """Return the class that the last annotation gives a task; cancelled ones do not count."""
    name = str(task.get("id"))
    for annotation in reversed(part(task.get("annotations") or [], list, name, "annotations")):
        if not annotation.get("was_cancelled"):
            return choice(annotation, name)
    return None


def choice(annotation: Mapping[str, Any], name: str) -> str | None:
    """Return the class in an annotation, None where nothing was chosen.

    Raises:
        DataError: Several were.
    """
    results = [r for r in annotation.get("result") or [] if r.get("type") == "choices"]
    return one_class([c for r in results for c in r.get("value", {}).get("choices", [])], name)


def _control(task: Mapping[str, Any]) -> tuple[str, str] | None:
    for annotation in task.get("annotations") or []:
        for result in annotation.get("result") or []:
            if result.get("type") == "choices":
                return str(result["from_name"]), str(result["to_name"])
    return None


def prediction(placed: Placed, control: tuple[str, str]) -> dict[str, Any]:
    """Return the place and the predicted class of a task as a prediction of Label Studio."""
    result = []
    if placed.label is not None:
        result = [
            {
                "from_name": control[0],
                "to_name": control[1],
                "type": "choices",
                "value": {"choices": [placed.label]},
                "score": placed.probability,
            }
        ]
    return {"model_version": AGENT, "score": placed.share, "result": result}
