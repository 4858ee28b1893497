"""A small picture of a pool, drawn with numpy alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lal.arrays import Floats, Ints

Picture = NDArray[np.uint8]

SIZE = 320
"""Side of the square that shows the pool, in pixels."""

CURVE_HEIGHT = 80
MARGIN = 12
OPEN_COLOUR = (200, 200, 200)
INK = (30, 30, 30)
CLASS_COLOURS = np.array(
    [
        (0, 114, 178),
        (230, 159, 0),
        (0, 158, 115),
        (204, 121, 167),
        (213, 94, 0),
        (86, 180, 233),
        (240, 228, 66),
        (120, 94, 60),
    ],
    dtype=np.uint8,
)
"""Colours that colour-blind readers can tell apart (Okabe and Ito); classes beyond wrap around."""


def draw_pool(
    Z: Floats,
    *,
    labelled: Ints,
    labels: Ints,
    last: int | None,
    curve: Sequence[tuple[int, float]],
) -> Picture:
    """Return the first two principal components of the pool above the accuracy so far.

    Args:
        Z: Encoded rows, shape (N, d).
        labelled: Rows acquired, shape (L,), drawn in the colour of their class; others are grey.
        labels: Their classes, shape (L,).
        last: The row acquired last, framed; or None.
        curve: Labels and accuracy at every refit.

    Returns:
        Pixels, shape (H, W, 3).
    """
    picture = np.full((SIZE + CURVE_HEIGHT, SIZE, 3), 255, dtype=np.uint8)
    places = _pixels(_plane(Z))
    for row in np.setdiff1d(np.arange(len(Z)), labelled):
        _square(picture, places[row], 1, OPEN_COLOUR)
    for row, label in zip(labelled.tolist(), labels.tolist(), strict=True):
        if row == last:
            _square(picture, places[row], 6, INK)
            _square(picture, places[row], 5, (255, 255, 255))
        _square(picture, places[row], 3, CLASS_COLOURS[label % len(CLASS_COLOURS)])
    picture[SIZE] = INK
    _draw_curve(picture, curve)
    return picture


def _plane(Z: Floats) -> Floats:
    """Return the scores on the first two principal components, shape (N, 2)."""
    centred = Z - Z.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((len(Z), 2))
    plane[:, : len(axes[:2])] = centred @ axes[:2].T
    return plane


def _pixels(plane: Floats) -> Ints:
    low, high = plane.min(axis=0), plane.max(axis=0)
    share = (plane - low) / np.where(high > low, high - low, 1.0)
    pixels: Ints = np.rint(MARGIN + share * (SIZE - 2 * MARGIN)).astype(np.int64)
    return pixels


def _draw_curve(picture: Picture, curve: Sequence[tuple[int, float]]) -> None:
    """Draw accuracy (0 to 1, upwards) over labels into the strip under the pool."""
    x, values = np.array([n for n, _ in curve], float), np.array([v for _, v in curve])
    columns = np.arange(MARGIN, SIZE - MARGIN)
    at = x[0] + (columns - MARGIN) / (len(columns) - 1) * max(x[-1] - x[0], 1.0)
    heights = np.clip(np.interp(at, x, values), 0.0, 1.0) * (CURVE_HEIGHT - 2 * MARGIN)
    bottom = SIZE + CURVE_HEIGHT - MARGIN
    picture[bottom, columns] = OPEN_COLOUR
    for column, height in zip(columns.tolist(), np.rint(heights).astype(int).tolist(), strict=True):
        _square(picture, (column, bottom - height), 1, INK)


def _square(
    picture: Picture, centre: Sequence[int] | Ints, half: int, colour: Sequence[int] | Picture
) -> None:
    x, y = int(centre[0]), int(centre[1])
    picture[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1] = colour
