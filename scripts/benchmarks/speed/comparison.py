"""Two ways to do the same work, timed in turns on one thread: the rows of the speed benchmarks.

The ratio of CPU times is what counts, from medians over the turns; other work on the machine moves
both sides.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lal.registry import Registry
from scripts.benchmarks.base import Results

Side = Callable[[], tuple[float, int]]
"""Does some steps one way; returns the CPU seconds that they took and how many they were."""


@dataclass(frozen=True)
class Comparison:
    """Two ways to do the same work.

    Attributes:
        reference: The plain way, with scikit-learn.
        compiled: The same in the simulator.
        aim: The ratio that the project holds itself to.
        operations: Float32 operations of a step that no method avoids; 0 where nobody counted.
        memory: Bytes of an episode; 0 where there is none.
    """

    reference: Side
    compiled: Side
    aim: float | None = None
    operations: float = 0.0
    memory: int = 0


def clocked(work: Callable[[], object], steps: int) -> tuple[float, int]:
    """Return the CPU seconds of this thread that a call takes, and its number of steps."""
    began = time.thread_time()
    work()
    return time.thread_time() - began, steps


def measure(comparison: Comparison, rounds: int) -> tuple[float, float]:
    """Return the median seconds of a step, plain and compiled, after a turn to warm up."""
    turns = [(comparison.reference(), comparison.compiled()) for _ in range(rounds + 1)]
    per_step = [[seconds / steps for seconds, steps in turn] for turn in turns[1:]]
    reference, compiled = np.median(per_step, axis=0)
    return float(reference), float(compiled)


def compare(
    rows: Registry[Callable[[], Comparison]], names: Sequence[str], rounds: int, results: Results
) -> None:
    """Measure the rows named, or all, one after the other and add each as it is done."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # forests: rows that no tree left out of its bag
        speed = sgemm_speed()
        for name in names or rows:
            comparison = rows[name]()
            reference, compiled = measure(comparison, rounds)
            floor = comparison.operations / speed / compiled
            results.add("speed", {
                "row": name,
                "scikit-learn, us": f"{reference * 1e6:.0f}",
                "compiled, us": f"{compiled * 1e6:.2f}",
                "ratio": f"{reference / compiled:.0f}x",
                "aim": f"{comparison.aim:.0f}x" if comparison.aim else None,
                "of the sgemm floor": f"{floor:.1%}" if floor else None,
                "kB an episode": f"{comparison.memory / 1024:.0f}" if comparison.memory else None,
                "steps/s": f"{1 / compiled:.0f}",
            })  # fmt: skip


def sgemm_speed() -> float:
    """Return the float32 operations a second of this machine's matrix product, one thread."""
    A = np.random.default_rng(0).normal(size=(512, 512)).astype(np.float32)
    spent = [clocked(lambda: A @ A, 1)[0] for _ in range(20)]
    return float(2 * 512**3 / np.median(spent))
