"""Self-labels: what the map says of an object becomes the label of every glance at it."""

from collections.abc import Sequence

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.exploration.detector import Detector, fit_detector, front_pictures
from lal.exploration.observer import CONFIDENT, Observer
from lal.exploration.rooms import make_looks


def map_labels(observer: Observer) -> tuple[Floats, Ints]:
    """Return the glances at confident objects and their labels, (n, d) and (n,).

    The label of an object is the class of the largest score that it got from any side, so a glance
    at its back is labelled by what its front showed.
    """
    sure, labels = observer.confident, observer.scores.argmax(axis=1)
    objects, features = _glances(observer)
    kept = sure[objects]
    return features[kept], labels[objects[kept]]


def own_labels(observer: Observer) -> tuple[Floats, Ints]:
    """Return confident glances, each labelled by its own score: self-training without a map."""
    _, features = _glances(observer)
    scores = observer.detector.scores(features)
    kept = scores.max(axis=1) >= CONFIDENT
    return features[kept], scores[kept].argmax(axis=1)


def improve(world: int, observers: Sequence[Observer], *, by_map: bool = True) -> Detector:
    """Return the detector of a world, fitted to its first pictures and to self-labels.

    Args:
        world: The world, of `lal.exploration.detector.pretrained`.
        observers: Walks through rooms of it.
        by_map: Labels from the map; otherwise each glance has its own.

    Raises:
        UsageError: No walk, or one through a room of another world.
    """
    looks = make_looks(world)
    if not observers or any(observer.room.looks is not looks for observer in observers):
        raise UsageError(f"expected walks through rooms of world {world}, one at least")
    label = map_labels if by_map else own_labels
    pairs = [front_pictures(looks, world), *(label(one) for one in observers)]
    glances, codes = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return fit_detector(glances, codes, looks.n_classes)


def _glances(observer: Observer) -> tuple[Ints, Floats]:
    objects = np.concatenate([glance.objects for glance in observer.glances])
    return objects, np.concatenate([glance.features for glance in observer.glances])
