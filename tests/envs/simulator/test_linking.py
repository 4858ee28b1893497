"""Kernels that are linked: the same numbers, and no array lost or freed too early."""

import gc
import importlib
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.simulator.compile import kernel
from envs.simulator.pool import PoolSimulator
from lal.learners import make_learner
from lal.task import Part, Task

runtime: Any = importlib.import_module("numba.core.runtime")
statistics: Any = importlib.import_module("numba.core.runtime._nrt_python")


@kernel
def get_half(values):
    """Give a part of an array back, so that references are counted."""
    return values[: len(values) // 2]


@kernel
def fresh(n):
    values = np.empty(n)
    for i in range(n):
        values[i] = i
    return values


@kernel
def get_total(table, k):
    """Read parts of an array alone, so that none are."""
    row = table[k]
    flat = table.reshape(table.shape[0] * table.shape[1])
    total = 0.0
    for i in range(len(row)):
        total += row[i] + flat[i]
    return total


@kernel
def everything(table, times):
    total = 0.0
    for k in range(times):
        total += get_total(table, k % table.shape[0]) + get_half(fresh(8))[3]
    return total


def test_arrays_are_neither_lost_nor_freed_too_early():
    table = np.arange(12.0).reshape(3, 4)
    expected = sum(table[k % 3].sum() + table[0].sum() + 3.0 for k in range(1000))
    assert everything(table, 1000) == expected
    before = sys.getrefcount(table)
    statistics.memsys_enable_stats()
    try:
        start = runtime.rtsys.get_allocation_stats()
        for _ in range(50):
            assert everything(table, 1000) == expected
        end = runtime.rtsys.get_allocation_stats()
    finally:
        statistics.memsys_disable_stats()
    assert end.mi_alloc - start.mi_alloc >= 50_000
    assert end.mi_alloc - start.mi_alloc == end.mi_free - start.mi_free
    assert sys.getrefcount(table) == before


def test_a_kernel_that_copies_one_part_over_another_keeps_what_it_copies():
    @kernel
    def shift(values):
        values[1:] = values[:-1]

    values = np.arange(6.0)
    shift(values)
    np.testing.assert_array_equal(values, [0, 0, 1, 2, 3, 4])


def test_an_array_outlives_the_kernel_that_it_comes_from():
    @kernel
    def part(n):
        return get_half(fresh(n))

    kept = part(1000)
    for _ in range(100):
        part(1000)
    np.testing.assert_array_equal(kept, np.arange(500.0))


@pytest.mark.parametrize("learner", ["logistic_regression", "ridge", "gp", "random_forest"])
def test_steps_of_the_simulator_free_what_they_make(learner):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = rng.normal(size=(60, 4)) + y[:, None]
    task = Task(
        name="three",
        family="three",
        learner=make_learner(learner),
        n_classes=3,
        pool=Part(X[:30], y[:30]),
        test=None,
        reward=Part(X[30:], y[30:]),
        budget=10,
    )
    simulator = PoolSimulator([task], 2, slate_size=6, seed=0)
    simulator.reset()
    simulator.step(np.zeros(2, dtype=np.int64))
    statistics.memsys_enable_stats()
    try:
        start = runtime.rtsys.get_allocation_stats()
        for _ in range(30):
            simulator.step(simulator.observations.mask.argmax(axis=1))
        end = runtime.rtsys.get_allocation_stats()
    finally:
        statistics.memsys_disable_stats()
    assert end.mi_alloc > start.mi_alloc
    assert end.mi_alloc - start.mi_alloc == end.mi_free - start.mi_free


def test_what_one_kernel_looked_up_does_not_loosen_the_next():
    @kernel
    def loose(a, b):
        return min(a + b, b) - a

    @kernel(fastmath=False)
    def strict(a, b):
        return min(a + b, np.inf) - a

    @kernel(fastmath=False)
    def again(a, b):
        return (a + b) - a

    loose(1e16, 1.0)
    assert strict(1e16, 1.0) == (1e16 + 1.0) - 1e16
    assert again(1e16, 1.0) == (1e16 + 1.0) - 1e16


def test_a_literal_and_a_variable_of_one_operator_are_not_confused():
    @kernel
    def mixed(values, k):
        return values[1] + values[k] + (k + 1) / 2 + (k + 1.0) // 2

    values = np.array([1.0, 2.0, 4.0])
    assert mixed(values, 2) == 2.0 + 4.0 + 1.5 + 1.0
    assert mixed(values.astype(np.float32), 2) == 2.0 + 4.0 + 1.5 + 1.0
    assert mixed(np.array([1, 2, 4]), 2) == 2 + 4 + 1.5 + 1.0


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_afterwards_as_before(enabled):
    @kernel
    def triple(x):
        return 3 * x

    (gc.enable if enabled else gc.disable)()
    try:
        assert triple(2) == 6
        assert gc.isenabled() == enabled
    finally:
        gc.enable()
