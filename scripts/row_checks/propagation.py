"""Row 23: masks that propagate from the images that a person segments."""

import numpy as np

import lal
from lal.arrays import Ints
from lal.data.scenes import draw_layout, draw_style, paint, pixel_features
from lal.episode import Episode
from lal.metrics import mean_iou
from lal.state import Strategy
from lal.strategies.base import select
from lal.task import Part, Task
from scripts.row_checks.base import Outcome, all_of, lead

RUNS = range(100, 120)
"""Seeds; images and families were chosen on seeds 0 to 5."""

FAMILIES = (8, 4, 3, 3)
"""Images of each family, which share their textures."""

IMAGES = 5
"""Images that are segmented, the first one at random."""


def seg_propagation() -> Outcome:
    """Chooses images whose masks reach hard ones, and segments the others better for it."""
    methods = {
        "seg_propagation": lal.make_strategy("seg_propagation"),
        "without difficulty": lal.make_strategy("seg_propagation", difficulty=False),
        "without influence": lal.make_strategy("region_entropy"),
        "random": lal.make_strategy("random"),
    }
    found = np.array([
        [100.0 * others_iou(family_task(seed), strategy, seed) for strategy in methods.values()]
        for seed in RUNS
    ]).T  # fmt: skip
    ours, no_difficulty, no_influence, random = found
    ahead = int((ours > random).sum())
    return all_of(
        (
            ahead >= 0.8 * len(RUNS),
            f"mIoU of the {sum(FAMILIES) - IMAGES} images that nobody segmented "
            f"{lead(ours, random)} to random images, ahead in {ahead} of {len(RUNS)} runs",
        ),
        (
            bool(ours.mean() > no_influence.mean()),
            f"{lead(ours, no_influence)} to difficulty without influence",
        ),
        (True, f"{lead(ours, no_difficulty)} to influence without difficulty"),
    )


def family_task(seed: int) -> Task:
    """Return images of an object on a background in families, every second pixel of 32 x 32."""
    rng = np.random.default_rng(seed)
    X, masks = [], []
    for n in FAMILIES:
        style = draw_style(rng, 2)
        while abs(style.texture[0, 0] - style.texture[1, 0]) < 0.3:
            style = draw_style(rng, 2)  # an object that can be seen
        for _ in range(n):
            mask = draw_mask(rng)
            X.append(pixel_features(paint(mask, style, rng))[::2, ::2].ravel())
            masks.append(mask[::2, ::2].ravel())
    pixels = np.array(masks)
    learner = lal.make_learner("segmentation", base="label_spreading", n_pixels=pixels.shape[1])
    y = (pixels.mean(axis=1) > 0.5).astype(np.int64)
    return Task(
        "families", "families", learner, 2, Part(np.array(X), y, pixels=pixels), None,
        budget=IMAGES - 1, start=1, classes_known=True,
    )  # fmt: skip


def draw_mask(rng: np.random.Generator) -> Ints:
    """Return which pixels of an image are of an object, a seventh to six tenths of them."""
    while True:
        mask = (draw_layout(rng, 3, n_shapes=2, rare=0.0)[0] > 0).astype(np.int64)
        if 0.15 < mask.mean() < 0.6:
            return mask


def others_iou(task: Task, strategy: Strategy, seed: int) -> float:
    """Return the mean over the images that were not segmented of their mean IoU."""
    episode = Episode(task, seed)
    while not episode.finished:
        streams = episode.streams
        for row in select(strategy, episode.state(), streams["strategy"], streams["ties"]):
            episode.label(int(row))
    rows, truth = episode.pool.open, np.asarray(task.pool.pixels)
    proba = getattr(episode.model, "pixel_proba")(task.pool.X)  # noqa: B009
    return float(np.mean([mean_iou(truth[row], proba[row]) for row in rows]))
