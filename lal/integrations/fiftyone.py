"""FiftyOne: `samples.json` of a FiftyOneDataset, or `labels.json` of an image-classification one.

Formats: https://docs.voxel51.com/user_guide/export_datasets.html (`FiftyOneDataset` and
`FiftyOneImageClassificationDataset`). In the second, an image without a label is null, and there
is no place for predictions: its images are written in their order, and no more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lal.data.items import Item, Placed
from lal.errors import DataError
from lal.integrations.formats import Order, in_order, one_class, part, records, write_text

GIVEN = "ground_truth"
"""Field of a sample that holds what a person said, unless another one is named."""

PREDICTED, RANK = "lal_prediction", "lal_rank"


@dataclass(frozen=True)
class FiftyOne:
    """Reads and writes the samples of a dataset."""

    def read(self, path: Path, content: str = "") -> list[Item]:
        """Return the samples; `content` names the field of labels, "ground_truth" when empty."""
        (held,) = records(path, lines=False) or [{}]
        if "samples" in held:
            samples = part(held["samples"], list, path.name, "samples")
            return [_sample(sample, content or GIVEN) for sample in samples]
        if "labels" in held:
            return _images(held, path)
        raise DataError(
            f"{path.name!r} has neither 'samples' nor 'labels'; expected the samples.json of a "
            "FiftyOneDataset, or the labels.json of a FiftyOneImageClassificationDataset"
        )

    def write(self, path: Path, items: Sequence[Item], order: Order) -> None:
        """Write a file of the kind that was read."""
        ordered = in_order(items, order)
        if "filepath" in items[0].source:
            samples = [_written(item, order.get(item.id)) for item in ordered]
            content: dict[str, Any] = {"samples": samples}
        else:
            classes = items[0].source["classes"]
            labels = {item.id: item.source["target"] for item in ordered}
            content = (
                {"labels": labels} if classes is None else {"classes": classes} | {"labels": labels}
            )
        write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


FORMAT = FiftyOne()


def _sample(sample: Mapping[str, Any], field: str) -> Item:
    image = part(sample.get("filepath"), str, str(sample.get("_id")), "filepath")
    key = sample.get("_id", image)
    name = str(key.get("$oid", image) if isinstance(key, Mapping) else key)
    given = sample.get(field) or {}
    labels = [given["label"]] if given.get("label") is not None else []
    return Item(name, image=image, label=one_class(labels, name), source=dict(sample))


def _written(item: Item, placed: Placed | None) -> dict[str, Any]:
    sample = {k: v for k, v in item.source.items() if k not in (PREDICTED, RANK)}
    if placed is None:
        return sample
    sample[RANK] = placed.rank
    if placed.label is not None:
        sample[PREDICTED] = {
            "_cls": "Classification",
            "label": placed.label,
            "confidence": placed.probability,
        }
    return sample


def _images(held: Mapping[str, Any], path: Path) -> list[Item]:
    classes = held.get("classes")
    folder = path.parent / "data"
    files = {file.stem: file for file in sorted(folder.iterdir())} if folder.is_dir() else {}
    items = []
    for name, target in part(held["labels"], dict, path.name, "labels").items():
        image = str(files[name]) if name in files else name
        source = {"classes": classes, "target": target}
        items.append(Item(name, image=image, label=_class(target, classes, name), source=source))
    return items


def _class(target: Any, classes: Sequence[str] | None, name: str) -> str | None:
    """Return the class of an image: a name, a place in the classes, or an object with either."""
    label = target.get("label") if isinstance(target, Mapping) else target
    if classes is not None and isinstance(label, int):
        if not 0 <= label < len(classes):
            raise DataError(f"image {name!r} has the class {label}; there are {len(classes)}")
        label = classes[label]
    labels = label if isinstance(label, list) else [] if label is None else [label]
    return one_class(labels, name)
