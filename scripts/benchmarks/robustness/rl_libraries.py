"""Reinforcement-learning libraries train on the compiled vector environment of ``lal/Pool-v0``.

RLlib pins a Gymnasium of its own and TorchRL a tensordict, so each library gets an environment
under `.venv-hosts`. Run ``python -m scripts.benchmark rl_libraries`` for both, or name one.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lal.errors import UnknownNameError, UsageError
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.robustness.host_parity import (
    CORE,
    ROOT,
    TORCH,
    last_line,
    make_environment,
    run_worker,
)

ENVIRONMENT = (*CORE, "numba==0.68.1", "llvmlite==0.50.0")
"""What the compiled environment needs, but for Gymnasium."""

RECIPES: dict[str, tuple[tuple[str, ...], ...]] = {
    "torchrl": (TORCH, (*ENVIRONMENT, *TORCH, "gymnasium==1.4.0", "torchrl==0.14.1")),
    "rllib": (TORCH, (*ENVIRONMENT, *TORCH, "gymnasium==1.2.2", "ray[rllib]==2.60.0")),
}
"""Library to the arguments of the ``pip install`` calls that make its environment, in order."""


@dataclass(frozen=True)
class Config:
    """Which libraries to try."""

    libraries: Annotated[tuple[str, ...], tyro.conf.Positional] = tuple(RECIPES)
    """Libraries; all of them by default."""
    folder: Path = Path(".venv-hosts")
    """Where the environments are kept between runs."""


def run(config: Config, results: Results) -> None:
    """Make the environments, train, and add a row for each library.

    Raises:
        UnknownNameError: No such library.
        UsageError: One could not be installed, or did not train.
    """
    unknown = [name for name in config.libraries if name not in RECIPES]
    if unknown:
        raise UnknownNameError(f"unknown library {unknown[0]!r}; known: {', '.join(RECIPES)}")
    wrong = []
    for name in config.libraries:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            python = make_environment(RECIPES[name], ROOT / config.folder / name)
            found = train(python, name)
        except subprocess.CalledProcessError as error:
            results.note(f"{name} failed: {last_line(error)}")
            wrong.append(name)
            continue
        results.add("libraries", row(found))
        wrong += [] if trained(found) else [name]
    if wrong:
        raise UsageError(f"did not train: {', '.join(wrong)}; see the table")


def train(python: Path, library: str) -> dict[str, Any]:
    """Return what `rl_worker` finds in a library's environment.

    Raises:
        CalledProcessError: The library or our environment failed.
    """
    return run_worker(python, "scripts.benchmarks.robustness.rl_worker", library, "TRAINED ")


def trained(found: dict[str, Any]) -> bool:
    """Whether steps were taken, episodes ended, and the weights moved and are numbers."""
    moved = float(found["moved"])
    return bool(found["steps"] > 0 and found["episodes"] > 0 and 0.0 < moved < float("inf"))


def row(found: dict[str, Any]) -> dict[str, Any]:
    """Return what was found as a row of the table."""
    same = {name: found[name] for name in ("library", "version", "gymnasium", "steps", "episodes")}
    return {**same, "trained": "yes" if trained(found) else "NO"}


main = Benchmark("rl_libraries", Config, run)
