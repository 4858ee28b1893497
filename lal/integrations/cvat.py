"""CVAT: "CVAT for images 1.1", the XML of a task or job with tags on whole images.

Format: https://docs.cvat.ai/docs/manual/advanced/xml_format. A tag whose source is "auto" is a
model's; any other is a person's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from lal.data.items import Item
from lal.errors import DataError
from lal.integrations.formats import Order, in_order, one_class, write_text
from lal.serialization import read_file

AUTO = "auto"
"""Source of tags that a model gave."""


@dataclass(frozen=True)
class Cvat:
    """Reads and writes annotations of images."""

    def read(self, path: Path, content: str = "") -> list[Item]:
        """Return the images of an export, known by their ids."""
        root = _root(path)
        images = [_item(image, root.find("meta"), path) for image in root.findall("image")]
        if not images:
            raise DataError(
                f"{path.name!r} has no images; expected an export as 'CVAT for images 1.1' "
                "(that for video has tracks and no images)"
            )
        return images

    def write(self, path: Path, items: Sequence[Item], order: Order) -> None:
        """Write images in their order, with the predicted class as a tag of the source "auto"."""
        root = ElementTree.Element("annotations")
        ElementTree.SubElement(root, "version").text = "1.1"
        meta = items[0].source[1]
        if meta is not None:
            root.append(meta)
        for item in in_order(items, order):
            image = _without_auto(item.source[0])
            placed = order.get(item.id)
            if placed is not None and placed.label is not None:
                ElementTree.SubElement(image, "tag", label=placed.label, source=AUTO)
            root.append(image)
        ElementTree.indent(root)
        text = ElementTree.tostring(root, encoding="unicode")
        write_text(path, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n')


FORMAT = Cvat()


def _root(path: Path) -> ElementTree.Element:
    """Return the root of the XML.

    Raises:
        DataError: It is not XML of CVAT, or declares entities, which could grow without bound.
    """
    content = read_file(path)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise DataError(f"{path.name!r} declares a document type, which CVAT never does")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise DataError(f"cannot read {path.name!r} as XML: {error}") from error
    version = root.findtext("version")
    if root.tag != "annotations" or version != "1.1":
        raise DataError(
            f"{path.name!r} has the root {root.tag!r} and the version {version!r}; expected "
            "annotations of version 1.1 (export as 'CVAT for images 1.1')"
        )
    return root


def _item(image: ElementTree.Element, meta: ElementTree.Element | None, path: Path) -> Item:
    name, file = image.get("id"), image.get("name")
    if name is None or file is None:
        raise DataError(f"an image of {path.name!r} has no id or no name; export it again")
    labels = [tag.get("label") for tag in image.findall("tag") if tag.get("source") != AUTO]
    return Item(name, image=file, label=one_class(labels, name), source=(image, meta))


def _without_auto(image: ElementTree.Element) -> ElementTree.Element:
    """Return a copy without the tags of models."""
    copy = ElementTree.Element("image", image.attrib)
    copy.extend(e for e in image if not (e.tag == "tag" and e.get("source") == AUTO))
    return copy
