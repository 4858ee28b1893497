"""Regions of images as tasks: a pool whose rows are square regions, answered pixel by pixel.

The label of a row is the commonest class of its pixels, so every strategy, feature, policy and
environment for pools runs on regions as it is; the learner is fitted to the pixels, and metrics
are of pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from lal.arrays import Ints
from lal.data.scenes import Scene, Style, draw_scene, draw_style, pixel_features, tiles
from lal.errors import UsageError
from lal.learners import make_learner
from lal.task import Learner, Part, Start, Task


def commonest_class(pixels: Ints, n_classes: int) -> Ints:
    """Return the class of most pixels of each region, the first of equally common ones, (n,)."""
    counts = (pixels[:, :, None] == np.arange(n_classes)).sum(axis=1)
    codes: Ints = counts.argmax(axis=1)
    return codes


def region_part(
    scenes: Sequence[Scene], side: int, n_classes: int, points: Sequence[Ints] = ()
) -> Part:
    """Return the regions of images, image by image and in each row by row.

    Args:
        scenes: The images.
        side: Pixels of a region in each direction.
        n_classes: C.
        points: Which point of a surface each pixel shows, (S, S) for each image; the last column
            of the pixels. None are named when empty.
    """
    columns = [pixel_features(scene.image) for scene in scenes]
    columns = [np.dstack(pair) for pair in zip(columns, points, strict=True)] if points else columns
    X = np.concatenate([tiles(one, side) for one in columns])
    pixels = np.concatenate([tiles(scene.classes, side) for scene in scenes]).astype(np.int64)
    y = commonest_class(pixels, n_classes)
    return Part(X.reshape(len(X), -1), y, pixels=pixels)


def make_region_task(
    pool: Sequence[Scene],
    *,
    n_classes: int,
    reward: Sequence[Scene] = (),
    test: Sequence[Scene] = (),
    side: int = 8,
    base: Learner | str = "logistic_regression",
    budget: int = 40,
    start: Start = 4,
    points: Sequence[Ints] = (),
    name: str = "scenes",
) -> Task:
    """Return a task in which a label is the class of every pixel of a region.

    Args:
        pool: Images whose regions may be asked.
        n_classes: C.
        reward: Images that rewards are measured on.
        test: Images that only evaluation sees.
        side: Pixels of a region in each direction; that of the images makes a region an image.
        base: Learns the class of a pixel, a learner or its name.
        budget: Regions that are labelled after the start.
        start: Random regions before them.
        points: Where several images show one surface, the number of the point that each pixel
            shows, (S, S) for each image of the pool; see the strategy "viewal".
        name: Of the images, for tables.

    Raises:
        UsageError: No image, or a side that does not divide theirs.
    """
    if not pool:
        raise UsageError("a task of regions needs an image whose regions may be asked, got none")
    make = partial(region_part, side=side, n_classes=n_classes)
    named = int(len(points) > 0)
    nowhere = [np.full(scene.classes.shape, -1) for scene in (*reward, *test)] if named else []
    learner = make_learner("segmentation", base=base, n_pixels=side * side, n_names=named)
    return Task(
        name=f"{name}/{learner.name}",
        family=name,
        learner=learner,
        n_classes=n_classes,
        pool=make(pool, points=points),
        reward=make(reward, points=nowhere[: len(reward)]) if reward else None,
        test=make(test, points=nowhere[len(reward) :]) if test else None,
        budget=budget,
        start=start,
        classes_known=True,
    )


@dataclass(frozen=True)
class RegionSampler:
    """Draws a style, images of it and their split.

    Attributes:
        budget: Regions that are labelled after the start.
        n_pool: Images whose regions may be asked.
        n_reward: Images that rewards are measured on.
        n_test: Images that only evaluation sees; 0 where nothing is evaluated.
        size: Pixels of an image in each direction.
        side: Pixels of a region in each direction.
        n_classes: C; the last class is rare.
        bases: Learners of the class of a pixel, or their names; drawn uniformly.
        style: What draws the looks of the classes.
    """

    budget: int = 40
    n_pool: int = 16
    n_reward: int = 8
    n_test: int = 0
    size: int = 32
    side: int = 8
    n_classes: int = 4
    bases: Sequence[Any] = ("logistic_regression",)
    style: Callable[..., Style] = field(default=draw_style)

    def __post_init__(self) -> None:
        """Refuse a sampler that cannot draw."""
        if self.n_pool < 1 or self.n_reward < 0 or self.n_test < 0 or not self.bases:
            raise UsageError(
                "a sampler of regions needs at least one image in the pool and one base, got "
                f"n_pool={self.n_pool}, n_reward={self.n_reward}, n_test={self.n_test}, "
                f"bases={self.bases}"
            )

    def __call__(self, rng: np.random.Generator) -> Task:
        """Return the next task."""
        style = self.style(rng, self.n_classes)
        counts = (self.n_pool, self.n_reward, self.n_test)
        parts = [[draw_scene(style, rng, size=self.size) for _ in range(n)] for n in counts]
        return make_region_task(
            parts[0],
            reward=parts[1],
            test=parts[2],
            n_classes=self.n_classes,
            side=self.side,
            base=self.bases[int(rng.integers(len(self.bases)))],
            budget=self.budget,
        )
