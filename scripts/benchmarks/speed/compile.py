"""How long the kernels take to compile, in processes of their own with an empty cache."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from lal.registry import Registry
from scripts.benchmarks.base import Benchmark, Results

FIRST_STEPS: Registry[str] = Registry("first step")
"""What a process does whose first compilation is timed."""

FIRST_STEPS.add(
    "lal_rl",
    "from scripts.benchmarks.speed.simulator import Config, _engine\n"
    "_engine(Config(), 2).step(np.full(2, -1))\n",
)
FIRST_STEPS.add(
    "pool, logistic regression",
    "from scripts.benchmarks.speed.learners import get_task\n"
    "from envs.simulator.pool import PoolSimulator\n"
    "task = get_task('logistic_regression', C=3, D=13, N=80, T=40)\n"
    "simulator = PoolSimulator([task], 2, slate_size=5)\n"
    "simulator.reset()\n"
    "simulator.step(np.zeros(2))\n",
)
FIRST_STEPS.add(
    "prior", "from envs.simulator.prior import CompiledPrior\nCompiledPrior(0).rows(0)\n"
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is compiled."""

    steps: tuple[str, ...] = tuple(FIRST_STEPS)
    """First steps."""


def run(config: Config, results: Results) -> None:
    """Add the seconds of each first step, imports included, and of the same with a full cache."""
    for name in config.steps:
        with tempfile.TemporaryDirectory() as folder:
            cpu, clock = _seconds(FIRST_STEPS[name], folder)
            again, _ = _seconds(FIRST_STEPS[name], folder)
        seconds = {"CPU s": f"{cpu:.1f}", "wall s": f"{clock:.1f}", "cached, CPU s": f"{again:.1f}"}
        results.add("compile", {"first step": name, **seconds})


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


main = Benchmark("compile", Config, run)
