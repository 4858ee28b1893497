"""How long the kernels take to compile, in processes of their own with an empty cache."""

import os
import subprocess
import sys
import tempfile

FIRST_STEPS = {
    "LAL-RL engine": (
        "from scripts.benchmarks.speed.simulator import Config, _engine\n"
        "_engine(Config(), 2).step(np.full(2, -1))\n"
    ),
    "lal/Pool-v0 with logistic regression": (
        "from scripts.benchmarks.speed.learners import get_task\n"
        "from envs.simulator.pool import PoolSimulator\n"
        "task = get_task('logistic_regression', C=3, D=13, N=80, T=40)\n"
        "simulator = PoolSimulator([task], 2, slate_size=5)\n"
        "simulator.reset()\n"
        "simulator.step(np.zeros(2))\n"
    ),
    "prior": ("from envs.simulator.prior import CompiledPrior\nCompiledPrior(0).rows(0)\n"),
}
"""What a process does whose first compilation is timed."""


def first_compile(steps: dict[str, str] = FIRST_STEPS) -> dict[str, float]:
    """Print the CPU and clock seconds of first steps, and of the same with a full cache.

    Args:
        steps: What to run, by name.

    Returns:
        The CPU seconds of the first runs, imports included.
    """
    return {name: _first_compile(name, step) for name, step in steps.items()}


def _first_compile(name: str, step: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        cpu, clock = _seconds(step, folder)
        again, _ = _seconds(step, folder)
    print(
        f"first compilation, {name}: {cpu:.1f} s CPU, {clock:.1f} s by the clock; "
        f"{again:.1f} s CPU with the cache",
        flush=True,
    )
    return cpu


def _seconds(step: str, folder: str) -> tuple[float, float]:
    """Return the CPU and clock seconds of a process that imports what it needs and steps once."""
    code = (
        "import time; cpu, clock = time.process_time(), time.perf_counter()\n"
        f"import numpy as np\n{step}"
        "print(time.process_time() - cpu, time.perf_counter() - clock)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_CACHE_DIR": folder},
        capture_output=True,
        text=True,
        check=True,
    )
    cpu, clock = (float(word) for word in done.stdout.split())
    return cpu, clock
