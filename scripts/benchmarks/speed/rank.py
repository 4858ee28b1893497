"""How long `lal rank` takes for many tasks, in each of the formats of labelling tools.

``python -m scripts.benchmark rank --json docs/guide/rank.json`` writes an export of made-up tasks
in every format, ranks it, and takes the time from the flags to the last byte written. CVAT and
FiftyOne hold images, small PNG files here; the others hold texts.
"""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from lal.registry import require
from lal.rng import generator
from scripts import rank
from scripts.benchmarks.base import Benchmark, Results

KINDS = ("boat", "pet")
"""Classes of the tasks."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How much is ranked."""

    tasks: int = 10_000
    """Tasks of an export."""

    labelled: int = 200
    """Of these, tasks with a label."""

    words: int = 60
    """Words of a text."""

    formats: tuple[str, ...] = (
        "label-studio", "doccano", "argilla", "prodigy", "cvat", "fiftyone",
    )  # fmt: skip
    """Formats by name."""

    policies: tuple[str, ...] = ("default",)
    """What ranks."""

    seed: int = 0
    """Names the tasks."""


Label = str | None


def label_studio(i: int, text: str, label: Label) -> dict[str, Any]:
    """Return a task of Label Studio."""
    value = {"from_name": "kind", "to_name": "note", "type": "choices"}
    given = [] if label is None else [{"result": [{**value, "value": {"choices": [label]}}]}]
    return {"id": i, "data": {"text": text}, "annotations": given}


def doccano(i: int, text: str, label: Label) -> dict[str, Any]:
    """Return a line of doccano."""
    return {"id": i, "text": text, "label": [] if label is None else [label]}


def argilla(i: int, text: str, label: Label) -> dict[str, Any]:
    """Return a record of Argilla."""
    given = {} if label is None else {"kind": [{"value": label, "user_id": "u"}]}
    return {"id": str(i), "fields": {"text": text}, "responses": given, "metadata": {}}


def prodigy(i: int, text: str, label: Label) -> dict[str, Any]:
    """Return a line of Prodigy."""
    task = {"text": text, "_task_hash": i, "options": [{"id": k, "text": k} for k in KINDS]}
    return task if label is None else {**task, "accept": [label], "answer": "accept"}


def fiftyone(i: int, file: str, label: Label) -> dict[str, Any]:
    """Return a sample of FiftyOne."""
    sample: dict[str, Any] = {"_id": {"$oid": f"{i:024x}"}, "filepath": file}
    return sample if label is None else {**sample, "ground_truth": {"label": label}}


Maker = Callable[[int, str, Label], dict[str, Any]]

MAKERS: Mapping[str, Maker] = {
    "label-studio": label_studio, "doccano": doccano, "argilla": argilla, "prodigy": prodigy,
    "fiftyone": fiftyone,
}  # fmt: skip

LINES = ("doccano", "prodigy")
"""Formats with a task a line."""


def export_text(name: str, shown: list[str], labels: list[Label]) -> str:
    """Return an export of tasks: their texts or files, with the labels that are there."""
    if name == "cvat":
        images = (
            f'<image id="{i}" name="{file}">{_tag(label)}</image>'
            for i, (file, label) in enumerate(zip(shown, labels, strict=True))
        )
        return f"<annotations><version>1.1</version>{''.join(images)}</annotations>"
    tasks = [MAKERS[name](i, *pair) for i, pair in enumerate(zip(shown, labels, strict=True))]
    if name in LINES:
        return "".join(json.dumps(task) + "\n" for task in tasks)
    return json.dumps({"samples": tasks} if name == "fiftyone" else tasks)


def _tag(label: Label) -> str:
    return "" if label is None else f'<tag label="{label}" source="manual"/>'


def make_texts(config: Config, codes: np.ndarray) -> list[str]:
    """Return texts of made-up words, a few of which speak for the class."""
    rng = generator(config.seed, "rank", "texts")
    common = [f"word{i}" for i in range(5000)]
    weights = 1.0 / np.arange(1, 5001)
    picks = rng.choice(5000, (config.tasks, config.words), p=weights / weights.sum())
    return [
        " ".join([*(common[j] for j in row), *[f"{KINDS[c]}{rng.integers(9)}"] * 3])
        for row, c in zip(picks.tolist(), codes.tolist(), strict=True)
    ]


def make_images(config: Config, codes: np.ndarray, folder: Path) -> list[str]:
    """Write pictures that are lighter for the second class; return their names."""
    image = require("PIL.Image", "images")
    rng = generator(config.seed, "rank", "images")
    names = [f"{i}.png" for i in range(config.tasks)]
    for name, code in zip(names, codes.tolist(), strict=True):
        pixels = rng.integers(0, 200, (32, 32)) + 40 * code
        image.fromarray(pixels.astype(np.uint8)).save(folder / name)
    return names


def run(config: Config, results: Results) -> None:
    """Rank an export in every format by every policy."""
    rng = generator(config.seed, "rank")
    codes = rng.integers(len(KINDS), size=config.tasks)
    labels: list[Label] = [
        KINDS[c] if i < config.labelled else None for i, c in enumerate(codes.tolist())
    ]
    with tempfile.TemporaryDirectory(prefix="lal-rank-") as made:
        folder = Path(made)
        for name in config.formats:
            pictures = name in ("cvat", "fiftyone")
            shown = make_images(config, codes, folder) if pictures else make_texts(config, codes)
            export = folder / f"{name}.export"
            export.write_text(export_text(name, shown, labels), encoding="utf-8")
            for policy in config.policies:
                results.add("rank", _row(name, policy, export, folder))


def _row(name: str, policy: str, export: Path, folder: Path) -> dict[str, Any]:
    order, tasks = folder / f"{name}-{policy}.csv", folder / f"{name}-{policy}.tasks"
    wall, cpu = time.perf_counter(), time.process_time()
    with redirect_stdout(StringIO()):
        lines = rank.main(
            rank.Config(
                data=export, format=name, out=order, tasks=tasks, images=folder, policy=policy
            )
        )
    return {
        "format": name,
        "policy": policy,
        "tasks ranked": len(lines),
        "CPU seconds": f"{time.process_time() - cpu:.1f}",
        "wall seconds": f"{time.perf_counter() - wall:.1f}",
    }


main = Benchmark("rank", Config, run)
