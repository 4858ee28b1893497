"""Items: what labelling tools show to people (a text, an image, some fields) as rows of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from lal.arrays import Floats
from lal.data.images import image_columns
from lal.data.texts import text_columns
from lal.errors import DataError


@dataclass(frozen=True)
class Item:
    """One thing to label, whatever tool it came from.

    Attributes:
        id: What the tool calls it; unique in a file.
        text: The text shown, if it is one.
        image: Path or address of the image shown, if it is one.
        fields: Other values, numbers or texts, by name.
        label: The class that a person gave, None without one.
        source: What the tool's file holds of it, so that nothing is lost when it is written again.
    """

    id: str
    text: str | None = None
    image: str | None = None
    fields: Mapping[str, float | str] = field(default_factory=dict)
    label: str | None = None
    source: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Placed:
    """Where an item stands in the order, and what the model takes it for.

    Attributes:
        id: Of the item.
        rank: 1 for the item to label first.
        share: ``(rank - 1) / n`` of n ranked items: 0 for the first, below 1 for the last.
        label: The class that the model predicts; None before there is a model.
        probability: Its probability.
    """

    id: str
    rank: int
    share: float
    label: str | None
    probability: float | None


def check_items(items: Sequence[Item], name: str) -> None:
    """Refuse items that cannot be told apart.

    Raises:
        DataError: There are none, or two have the same id.
    """
    if not items:
        raise DataError(f"{name!r} holds no tasks; expected at least one")
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise DataError(f"{name!r} has two tasks with the id {item.id!r}; ids must differ")
        seen.add(item.id)


def item_columns(items: Sequence[Item], images: Path = Path()) -> Floats:
    """Return items as rows of numbers, shape (N, d): texts, else images, else their fields.

    Args:
        items: All texts, all images, or all with the same fields.
        images: Folder that relative paths of images start from.

    Raises:
        DataError: The items are of different kinds, or nothing can be learned from them.
    """
    if all(item.text is not None for item in items):
        return text_columns([item.text or "" for item in items])
    if all(item.image is not None for item in items):
        return image_columns([image_file(item.image or "", images) for item in items])
    return _field_columns(items)


def image_file(image: str, folder: Path) -> Path:
    """Return the file of an image; an address on a server has none.

    Raises:
        DataError: It is on a server.
    """
    scheme, colon, rest = image.partition("://")
    if not colon:
        return folder / image
    if scheme != "file":
        raise DataError(
            f"the image {image!r} is on a server, and nothing is fetched from servers; save the "
            "images to a folder and name files in the tasks"
        )
    return Path(unquote(rest))


def _field_columns(items: Sequence[Item]) -> Floats:
    from lal.data.dataset import stack_columns
    from lal.data.encoding import fit_encoder
    from lal.data.tables import csv_column

    names = list(items[0].fields)
    uneven = [item.id for item in items if set(item.fields) != set(names)]
    if not names or uneven:
        raise DataError(
            f"task {uneven[0] if uneven else items[0].id!r} has neither a text nor an image, and "
            "not the fields of the first task; all tasks must be texts, images, or have the same "
            "fields"
        )
    cells = [csv_column([str(item.fields[name]) for item in items]) for name in names]
    useful = [column for column in cells if len({c for c in column if c is not None}) > 1]
    if not useful:
        raise DataError(f"the fields {', '.join(names)} have one value each; nothing to learn from")
    raw = stack_columns(useful)
    return np.asarray(fit_encoder(raw).transform(raw), dtype=np.float64)
