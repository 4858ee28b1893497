"""Rooms, maps and self-labels of exploration: geometry by hand, rules, and what labels do."""

from dataclasses import replace

import numpy as np
import pytest

from lal.errors import UnknownNameError, UsageError
from lal.exploration.detector import MadeUpRooms, any_side, fit_detector, pretrained
from lal.exploration.observer import BLOCKED, CONFIDENT, FREE, UNKNOWN, Observer
from lal.exploration.rooms import (
    OFFSETS,
    SIZE,
    Room,
    distances,
    lines_of_sight,
    make_looks,
    make_room,
)
from lal.exploration.self_labels import improve, map_labels, own_labels
from lal.exploration.strategies import EXPLORERS

LOOKS = make_looks(0)


def room_of(cells, free=None, start=(5, 5)):
    """Return a room without walls, with objects that face north."""
    free = np.ones((SIZE, SIZE), dtype=bool) if free is None else free
    cells = np.array(cells).reshape(-1, 2)
    free[tuple(cells.T)] = False
    n = len(cells)
    zeros = np.zeros(n, dtype=np.int64)
    return Room(free, cells, np.arange(n) % 4, zeros, np.zeros((n, 8)), LOOKS, start)


def observer_of(room, seed=0):
    return Observer(room, pretrained(0), np.random.default_rng(seed))


def walk(name, world, seed, steps=40):
    room = make_room(make_looks(world), np.random.default_rng(seed))
    observer = Observer(room, pretrained(world), np.random.default_rng(seed))
    rng, gains = np.random.default_rng(seed), 0
    start = int(observer.confident.sum())
    for _ in range(steps):
        gains += observer.move(EXPLORERS[name](observer, rng))
    assert gains == observer.confident.sum() - start
    return observer


def test_a_wall_hides_what_is_behind_it():
    free = np.ones((SIZE, SIZE), dtype=bool)
    free[5, 6] = False
    offsets = OFFSETS.tolist()

    def seen(offset):
        return lines_of_sight(free)[offsets.index(list(offset)), 5, 5]

    assert seen((0, 1))
    assert not seen((0, 2))
    assert seen((1, 2))  # through the cell below the wall
    free[6, 6] = False
    assert not seen((1, 2))
    assert not seen((2, 2))
    assert seen((-2, 2))
    assert lines_of_sight(free)[:, 0, 0].sum() == 9  # a corner of the grid


def test_steps_go_around_walls():
    free = np.ones((SIZE, SIZE), dtype=bool)
    free[:-1, 3] = False
    goals = np.zeros_like(free)
    goals[0, 4] = True
    steps = distances(free, goals)
    assert (steps[0, 4], steps[0, 5], steps[0, 2]) == (0, 1, 24)
    free[-1, 3] = False
    assert np.isinf(distances(free, goals)[0, 2])


def test_sides_by_hand():
    """An object that faces north shows its front to the north and its right to the east."""
    room = room_of([[5, 5]])
    sides = [int(room.sides_from(cell)[0]) for cell in ((3, 5), (5, 7), (7, 5), (5, 3))]
    assert sides == [0, 1, 2, 3]
    east = replace(room, facing=np.array([1]))
    assert [int(east.sides_from(cell)[0]) for cell in ((3, 5), (5, 7))] == [3, 0]
    cells, beside = room.beside
    assert [int(room.sides_from(tuple(cell))[0]) for cell in cells[0]] == beside[0].tolist()
    with pytest.raises(UsageError, match="n_objects must be 1 to 28, got 0"):
        make_room(LOOKS, np.random.default_rng(0), 0)


def test_the_map_knows_what_was_seen_only():
    free = np.ones((SIZE, SIZE), dtype=bool)
    free[5, 6] = False
    observer = observer_of(room_of([[3, 5]], free))
    assert (observer.map[5, 5], observer.map[5, 6], observer.map[5, 7]) == (FREE, BLOCKED, UNKNOWN)
    assert observer.known.tolist() == [True]
    assert observer.sides.tolist() == [[False, False, True, False]]  # its back
    assert observer.frontier()[7, 7]
    assert not observer.frontier()[5, 5]
    observer.scores[:] = 0.0
    wanted = np.argwhere(observer.lookouts()).tolist()
    assert wanted == [[3, 4], [3, 6]]  # its north is not on the map yet
    observer.scores[0, 0] = CONFIDENT
    assert not observer.lookouts().any()
    assert observer.open_moves().tolist() == [True, False, True, True]


def test_every_glance_at_an_object_gets_the_label_of_the_map():
    observer = walk("lookout", 0, seed=1)
    glances, labels = map_labels(observer)
    sure = observer.confident
    objects = np.concatenate([glance.objects for glance in observer.glances])
    assert len(glances) == len(labels) == sure[objects].sum()
    np.testing.assert_array_equal(labels, observer.scores.argmax(axis=1)[objects[sure[objects]]])
    own, codes = own_labels(observer)
    np.testing.assert_array_equal(codes, observer.detector.scores(own).argmax(axis=1))
    assert len(own) < len(glances)


def test_rules_find_more_confident_objects_than_a_random_walk():
    found = {
        name: np.mean([walk(name, 0, seed).confident.sum() for seed in range(5)])
        for name in EXPLORERS.names()
    }
    assert found["frontier"] > found["random_walk"] + 1.0
    assert found["lookout"] > found["random_walk"] + 1.0
    with pytest.raises(UnknownNameError, match="did you mean 'frontier'"):
        EXPLORERS["fronteir"]


def test_labels_of_the_map_improve_the_detector():
    rng, before, after, own = np.random.default_rng(0), [], [], []
    for world in range(3):
        glances, codes = any_side([make_room(make_looks(world), rng) for _ in range(10)], rng)
        observers = [walk("lookout", world, seed) for seed in range(3)]
        before.append(pretrained(world).accuracy(glances, codes))
        after.append(improve(world, observers).accuracy(glances, codes))
        own.append(improve(world, observers, by_map=False).accuracy(glances, codes))
    assert np.mean(after) > np.mean(before) + 0.02
    assert np.mean(after) > np.mean(own) + 0.02


def test_a_class_without_pictures_gets_no_score():
    rng = np.random.default_rng(0)
    codes = np.array([0, 2]).repeat(20)
    glances = rng.normal(size=(40, 3)) + 3.0 * (codes == 2)[:, None]
    detector = fit_detector(glances, codes, 4)
    scores = detector.scores(glances)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)
    assert scores[:, [1, 3]].max() < 1e-6
    assert detector.accuracy(glances, codes) > 0.95
    assert detector.scores(glances[:0]).shape == (0, 4)


def test_walks_of_another_world_are_refused():
    with pytest.raises(UsageError, match="walks through rooms of world 4, one at least"):
        improve(4, [])
    with pytest.raises(UsageError, match="walks through rooms of world 4, one at least"):
        improve(4, [walk("random_walk", 5, 0, steps=1)])


@pytest.mark.parametrize("options", [{"n_worlds": 0}, {"first": -1}])
def test_worlds_are_numbered_from_zero(options):
    with pytest.raises(UsageError, match="worlds are numbered from 0"):
        MadeUpRooms(**options)
