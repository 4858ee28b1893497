"""FORMATS: files of labelling tools by the tool's name, read into items and written in their order.

A format is a module with two functions::

    def read(path: Path, content: str) -> list[Item]
    def write(path: Path, items: Sequence[Item], order: Order) -> None

`read` returns what the tool exported; `write` writes a file that the tool imports: ranked tasks
first, in their order, with the model's prediction where the format has a place for one, and
everything that was in the export. What `write` wrote, `read` reads back as the same items.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lal.data.items import Item, Placed
from lal.errors import DataError
from lal.registry import Registry
from lal.serialization import parse_json, read_file, write_bytes

Order = Mapping[str, Placed]
"""Ids of the ranked items to their places."""

AGENT = "learned-active-learning"
"""What predictions are signed with."""


class Format(Protocol):
    """What a module of `FORMATS` has."""

    def read(self, path: Path, content: str) -> list[Item]:
        """Return the items of a file; `content` names the field with the text or image."""
        ...

    def write(self, path: Path, items: Sequence[Item], order: Order) -> None:
        """Write items with their places."""
        ...


FORMATS: Registry[Format] = Registry("format of tasks")
for _name in ("label_studio", "cvat", "doccano", "argilla", "fiftyone", "prodigy"):
    FORMATS.add_lazy(_name.replace("_", "-"), f"lal.integrations.{_name}:FORMAT")

TEXTS = ("text", "html", "content", "document")
"""Names under which tools keep the text, tried in this order."""

IMAGES = ("image", "img", "image_url", "filepath")

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def shown(data: Mapping[str, Any], content: str, name: str) -> dict[str, Any]:
    """Return `text`, `image` or `fields` of an `Item`, from the data that a tool shows.

    Args:
        data: The values by name.
        content: The name of the text or image; found by common names, else the only text, when
            empty.
        name: Of the task, for messages.

    Raises:
        DataError: There is no such value, or nothing that could be learned from.
    """
    if content:
        if not isinstance(data.get(content), str):
            raise DataError(
                f"task {name!r} has no text or image {content!r}; it has {', '.join(data)}"
            )
        return _text_or_image(content, data[content])
    for key in (*TEXTS, *IMAGES):
        if isinstance(data.get(key), str):
            return _text_or_image(key, data[key])
    fields = {key: value for key, value in data.items() if isinstance(value, str | int | float)}
    texts = [key for key, value in fields.items() if isinstance(value, str)]
    if len(fields) == len(texts) == 1:
        return _text_or_image(texts[0], fields[texts[0]])
    if not fields:
        raise DataError(f"task {name!r} has no text, image or number; it has {', '.join(data)}")
    return {"fields": fields}


def _text_or_image(key: str, value: Any) -> dict[str, Any]:
    picture = key in IMAGES or value.lower().endswith(SUFFIXES)
    return {"image" if picture else "text": value}


def one_class(labels: Iterable[Any], name: str) -> str | None:
    """Return the class among the labels of a task, None where there is none.

    Raises:
        DataError: There are several, or it is not a text.
    """
    found = list(labels)
    if len(found) > 1 or not all(isinstance(label, str | int) for label in found):
        raise DataError(
            f"task {name!r} has the labels {found!r}; expected one class, given as a text"
        )
    return str(found[0]) if found else None


def in_order(items: Sequence[Item], order: Order) -> list[Item]:
    """Return ranked items first, by rank, then the others as they come."""
    return sorted(items, key=lambda item: order[item.id].rank if item.id in order else len(items))


def records(path: Path, *, lines: bool) -> list[dict[str, Any]]:
    """Return the objects of a JSON list, or of a file with one JSON object a line.

    Raises:
        DataError: It cannot be read so.
    """
    content = read_file(path)
    try:
        pieces = [piece for piece in content.splitlines() if piece.strip()] if lines else [content]
        found = [parse_json(piece) for piece in pieces]
    except ValueError as error:
        what = "one JSON object a line" if lines else "JSON"
        raise DataError(f"cannot read {path.name!r} as {what}: {error}") from error
    listed = found if lines or not isinstance(found[0], list) else found[0]
    wrong = [value for value in listed if not isinstance(value, dict)]
    if wrong:
        raise DataError(f"{path.name!r} holds {type(wrong[0]).__name__}; expected JSON objects")
    return listed


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8."""
    write_bytes(path, text.encode())


def part(value: Any, kind: type, name: str, what: str) -> Any:
    """Return a value that must be of a kind.

    Raises:
        DataError: It is of another.
    """
    if not isinstance(value, kind):
        raise DataError(
            f"task {name!r} has {what} of type {type(value).__name__}; expected {kind.__name__}"
        )
    return value
