"""Scenes: made-up grey images with the class and the object of every pixel.

A scene is a background with shapes on it; each class has a texture of its own, a grating with a
mean, a contrast, a direction and a frequency. Textures are a `Style`: scenes of one style are one
data set, and another style, or another light, is another domain. Nothing is downloaded.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from lal.arrays import Floats, Ints
from lal.errors import UsageError

FEATURES_OF_A_PIXEL = 6
"""What `pixel_features` gives for each pixel."""


@dataclass(frozen=True, eq=False)
class Style:
    """What the classes look like in one domain.

    Attributes:
        texture: Mean, contrast, direction (radians) and frequency (radians a pixel) of the
            grating of each class, shape (C, 4).
        noise: Standard deviation of the noise of a pixel.
        light: Largest change of brightness across an image.
    """

    texture: Floats
    noise: float = 0.15
    light: float = 0.3

    @property
    def n_classes(self) -> int:
        """Number of classes, C; class 0 is the background and the last one is rare."""
        return len(self.texture)

    def shifted(self, rng: np.random.Generator, amount: float) -> "Style":
        """Return the style of another domain: the same classes in another light.

        Args:
            rng: Draws the change.
            amount: 0 changes nothing; 1 turns gratings by about a quarter of a right angle.
        """
        change = rng.normal(size=self.texture.shape) * (0.25, 0.1, 0.4, 0.3)
        return replace(self, texture=self.texture + amount * change)


class Scene(NamedTuple):
    """One image.

    Attributes:
        image: Brightness, shape (S, S).
        classes: Class of every pixel, shape (S, S).
        objects: Object of every pixel, 0 for the background, shape (S, S).
    """

    image: Floats
    classes: Ints
    objects: Ints


def draw_style(rng: np.random.Generator, n_classes: int = 4, *, noise: float = 0.15) -> Style:
    """Return the style of a new data set."""
    if n_classes < 2:
        raise UsageError(f"a style needs a background and a class, got n_classes={n_classes}")
    columns = [
        rng.uniform(-0.5, 0.5, n_classes),
        rng.uniform(0.1, 0.6, n_classes),
        rng.uniform(0.0, np.pi, n_classes),
        rng.uniform(0.6, 2.4, n_classes),
    ]
    return Style(np.column_stack(columns), noise)


def draw_layout(
    rng: np.random.Generator,
    n_classes: int,
    *,
    size: int = 32,
    n_shapes: int = 3,
    rare: float = 0.2,
) -> tuple[Ints, Ints]:
    """Return the class and the object of every pixel, two (S, S).

    Args:
        rng: Draws discs and squares.
        n_classes: C.
        size: Pixels in each direction.
        n_shapes: Shapes of the common classes; none where there is only the rare one.
        rare: Probability that an image has a shape, a smaller one, of the last class.
    """
    classes = np.zeros((size, size), dtype=np.int64)
    objects = np.zeros((size, size), dtype=np.int64)
    wanted = [int(rng.integers(1, n_classes - 1)) for _ in range(n_shapes if n_classes > 2 else 0)]
    if rng.random() < rare:
        wanted.append(n_classes - 1)
    y, x = np.indices((size, size))
    for number, code in enumerate(wanted, start=1):
        low, high = (0.09, 0.15) if code == n_classes - 1 else (0.12, 0.28)
        radius = size * rng.uniform(low, high)
        dy, dx = (np.abs(axis - rng.uniform(0, size)) for axis in (y, x))
        inside = dy**2 + dx**2 < radius**2 if rng.random() < 0.5 else np.maximum(dy, dx) < radius
        classes[inside], objects[inside] = code, number
    return classes, objects


def paint(classes: Ints, style: Style, rng: np.random.Generator) -> Floats:
    """Return the image of a layout: gratings of random phase, a slope of light and noise."""
    y, x = np.indices(classes.shape)
    mean, contrast, turn, frequency = style.texture[classes].transpose(2, 0, 1)
    phase = rng.uniform(0.0, 2.0 * np.pi, style.n_classes)[classes]
    wave = np.sin(frequency * (x * np.cos(turn) + y * np.sin(turn)) + phase)
    slope = rng.uniform(-1.0, 1.0, 3) * style.light
    shade = slope[0] + (slope[1] * x + slope[2] * y) / max(classes.shape)
    image: Floats = mean + contrast * wave + shade + style.noise * rng.normal(size=classes.shape)
    return image


def draw_scene(style: Style, rng: np.random.Generator, *, size: int = 32) -> Scene:
    """Return one image of a style."""
    classes, objects = draw_layout(rng, style.n_classes, size=size)
    return Scene(paint(classes, style, rng), classes, objects)


def draw_slide(style: Style, rng: np.random.Generator, *, size: int = 256) -> Scene:
    """Return a large image that is covered by tissue of several classes, the last one rare.

    Every pixel has the class of the nearest of some centres; two of them are of the last class.
    """
    n_centres = 12 * style.n_classes
    centres = rng.uniform(0, size, (n_centres, 2))
    codes = rng.integers(style.n_classes - 1, size=n_centres)
    codes[:2] = style.n_classes - 1
    pixels = np.indices((size, size)).reshape(2, -1).T
    nearest = ((pixels[:, None, :] - centres) ** 2).sum(axis=2).argmin(axis=1)
    classes = codes[nearest].reshape(size, size)
    return Scene(paint(classes, style, rng), classes, nearest.reshape(size, size) + 1)


def pixel_features(image: Floats) -> Floats:
    """Return what an image is like around each pixel, shape (S, S, `FEATURES_OF_A_PIXEL`).

    Means over 3 and 9 pixels, the spread over 5, and mean absolute differences to the neighbours
    right, below and across.
    """
    padded = np.pad(image, ((0, 1), (0, 1)), mode="edge")
    here = padded[:-1, :-1]
    steps = (padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:])
    mean = ndimage.uniform_filter(image, 5)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(image**2, 5) - mean**2, 0.0))
    local = [ndimage.uniform_filter(np.abs(there - here), 7) for there in steps]
    wide = [ndimage.uniform_filter(image, width) for width in (3, 9)]
    return np.stack([*wide, spread, *local], axis=2)


def tiles(pixels: Floats | Ints, side: int) -> Floats | Ints:
    """Return square regions of an image, row by row.

    Args:
        pixels: Shape (S, S) or (S, S, f).
        side: Pixels of a region in each direction; S must be a multiple of it.

    Returns:
        Regions with their pixels side by side, shape (n, side^2) or (n, side^2, f).
    """
    size = len(pixels)
    if side < 1 or size % side:
        raise UsageError(f"an image of {size} pixels cannot be cut into regions of {side}")
    n, rest = size // side, pixels.shape[2:]
    grid = pixels.reshape(n, side, n, side, *rest).swapaxes(1, 2)
    return grid.reshape(n * n, side * side, *rest)


def count_clicks(classes: Ints) -> Ints:
    """Return the clicks that it takes to label each region, shape (n,).

    One for the class of every connected piece, and one for every corner of a border between
    classes inside the region; a region of one class takes one click.

    Args:
        classes: Class of every pixel of square regions, shape (n, side^2).
    """
    side = math.isqrt(classes.shape[1])
    if side**2 != classes.shape[1]:
        raise UsageError(
            f"clicks are counted in square regions, got {classes.shape[1]} pixels a region"
        )
    grid = classes.reshape(-1, side, side)
    a, b, c, d = grid[:, :-1, :-1], grid[:, :-1, 1:], grid[:, 1:, :-1], grid[:, 1:, 1:]
    straight = ((a == b) & (c == d)) | ((a == c) & (b == d))
    corners = (~straight).sum(axis=(1, 2))
    pieces = [sum(ndimage.label(one == code)[1] for code in np.unique(one)) for one in grid]
    clicks: Ints = corners + np.asarray(pieces, dtype=np.int64)
    return clicks
