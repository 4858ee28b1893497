"""Images as columns of numbers: small greyscale pictures, pixel by pixel."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lal.arrays import Floats
from lal.errors import DataError
from lal.registry import require

SIDE = 16
"""Pixels of the small picture in each direction."""

MOST_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded."""


def image_columns(paths: Sequence[Path]) -> Floats:
    """Return images as rows of numbers in [0, 1], shape (N, `SIDE` squared).

    Each is made grey and scaled down to a square of `SIDE` pixels by averaging. That tells apart
    what differs in brightness and layout; an embedding of a trained network, given as columns of a
    table, does better on photographs.

    Raises:
        MissingDependencyError: Pillow is not installed.
        DataError: A file that is missing, not an image, or too large.
    """
    require("PIL", "images")
    return np.stack([_pixels(path) for path in paths])


def _pixels(path: Path) -> Floats:
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise DataError(
            f"there is no image {str(path)!r}; say which folder the images are in (--images)"
        )
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(
                    f"{str(path)!r} has {image.width} x {image.height} pixels; at most "
                    f"{MOST_PIXELS} are read"
                )
            small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{str(path)!r} cannot be read as an image ({error})") from error
    return np.asarray(small, dtype=np.float64).ravel() / 255.0
