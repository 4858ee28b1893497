"""The one column that is learned from where rows are texts, images, or have embeddings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lal.arrays import Floats
from lal.data.dataset import LARGEST
from lal.data.images import image_columns
from lal.data.items import image_file
from lal.data.texts import text_columns
from lal.errors import DataError, UsageError
from lal.serialization import parse_json, write_bytes

ContentKind = Literal["text", "image", "embedding"]

Embed = Callable[[list[Any]], Any]
"""Texts, or paths of images, to numbers: a row of an array for each."""

PICTURES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
    ".webp": "image/webp", ".bmp": "image/bmp",
}  # fmt: skip
"""Endings of files that are pictures, with what browsers call them."""

IMAGE = "image"
"""Column of paths in the table of a folder."""


@dataclass(frozen=True)
class Content:
    """A column, and how its cells become numbers.

    Attributes:
        column: Its name.
        kind: ``"text"``: hashed words; ``"image"``: small grey pictures; ``"embedding"``: its cells
            are lists of numbers, as JSON or separated by spaces.
        folder: Folder that relative paths of images start from.
        embed: Makes the numbers of texts or images in place of the usual way.
    """

    column: str
    kind: ContentKind
    folder: Path = Path()
    embed: Embed | None = None

    def numbers(self, cells: Sequence[str]) -> Floats:
        """Return the cells as rows of numbers, shape (N, d).

        Raises:
            DataError: They cannot be read so, or `embed` returned something else than numbers.
        """
        if self.kind == "embedding":
            return _parsed(cells, self.column)
        paths = [self.file(cell) for cell in cells] if self.kind == "image" else []
        if self.embed is not None:
            given: list[Any] = list(paths) if self.kind == "image" else list(cells)
            return _checked(self.embed(given), len(cells))
        return image_columns(paths) if self.kind == "image" else text_columns(list(cells))

    def file(self, cell: str) -> Path:
        """Return the file of an image.

        Raises:
            DataError: It is on a server.
        """
        return image_file(cell.strip(), self.folder)

    def picture(self, cell: str) -> Path | None:
        """Return the file to show for a cell: a picture inside the folder; None for others."""
        if self.kind != "image":
            return None
        try:
            path, folder = self.file(cell).resolve(), self.folder.resolve()
        except (DataError, OSError, ValueError):
            return None
        shown = folder in path.parents and path.suffix.lower() in PICTURES and path.is_file()
        return path if shown else None


def one_column(
    *,
    text: str | None = None,
    image: str | None = None,
    embedding: str | None = None,
    images: str | Path | None = None,
    embed: Embed | None = None,
) -> Content | None:
    """Return the content that the arguments name; None where rows are learned from as tables.

    Args:
        text: Column of texts.
        image: Column of paths of images.
        embedding: Column of lists of numbers.
        images: Folder that relative paths of images start from.
        embed: Makes numbers of texts or paths.

    Raises:
        UsageError: More than one column is named, or what goes with none.
    """
    kinds: dict[ContentKind, str | None] = {"text": text, "image": image, "embedding": embedding}
    named = {kind: column for kind, column in kinds.items() if column is not None}
    if len(named) > 1:
        raise UsageError(
            f"rows are learned from by one of {' and '.join(named)}, got both; leave out one"
        )
    if embed is not None and not (text or image):
        raise UsageError(
            "embed makes numbers of texts or images; name their column (text=, image=)"
        )
    if embed is not None and not callable(embed):
        raise UsageError(f"embed must be a function, got {type(embed).__name__}")
    if images is not None and image is None:
        raise UsageError("images is the folder of a column of images; name that (image=, --image)")
    if not named:
        return None
    ((kind, column),) = named.items()
    return Content(column, kind, Path(images or ""), embed)


def folder_table(folder: Path) -> Path:
    """Return the table of a folder of images: a CSV beside it with a column of their paths.

    It is made when absent. One that is there is kept, with whatever columns it has.

    Raises:
        DataError: The folder holds no images, or others than the table.
    """
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in PICTURES and path.is_file()
    )
    if not found:
        raise DataError(f"the folder {str(folder)!r} holds no images ({', '.join(PICTURES)})")
    table = folder.resolve().with_name(f"{folder.resolve().name}.images.csv")
    if not table.exists():
        quoted = ('"' + name.replace('"', '""') + '"' for name in found)
        write_bytes(table, "".join(f"{line}\n" for line in (IMAGE, *quoted)).encode())
        return table
    from lal.labelling.table import read_table

    if sorted(read_table(table).column(IMAGE)) != found:
        raise DataError(
            f"{str(table)!r} lists other images than the folder {str(folder)!r} holds now; put "
            "them back, or remove the list and its journal to begin anew"
        )
    return table


def _parsed(cells: Sequence[str], column: str) -> Floats:
    rows = []
    for number, cell in enumerate(cells, start=1):
        try:
            text = cell.strip()
            row = parse_json(text.encode()) if text.startswith("[") else text.split()
            rows.append([float(value) for value in row])
        except (TypeError, ValueError) as error:
            raise DataError(
                f"row {number} of column {column!r} is not a list of numbers, as [0.1, 0.2] or "
                f"0.1 0.2; got {cell[:40]!r}"
            ) from error
    uneven = next((i for i, row in enumerate(rows, 1) if len(row) != len(rows[0])), None)
    if uneven is not None:
        raise DataError(
            f"row {uneven} of column {column!r} has {len(rows[uneven - 1])} numbers and row 1 has "
            f"{len(rows[0])}; embeddings have one length"
        )
    return _checked(rows, len(cells))


def _checked(rows: object, n: int) -> Floats:
    """Return embeddings, scaled so that a column has unit mean square on average."""
    try:
        found: Floats = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"embeddings must be numbers, a row each ({error})") from error
    if found.ndim != 2 or len(found) != n or found.shape[1] == 0:
        raise DataError(
            f"embeddings must be an array with {n} rows, one for each, got shape {found.shape}"
        )
    if not bool((np.abs(found) <= LARGEST).all()):
        raise DataError("embeddings must be finite numbers")
    centred: Floats = found - found.mean(axis=0)
    scale = float(np.sqrt(np.mean(centred**2)))
    if scale == 0.0:
        raise DataError("all rows have the same embedding; nothing can be learned from them")
    return centred / scale
