"""What one query costs, beside the other libraries: seconds and memory on one core.

``python -m scripts.benchmark query`` runs each contestant in a process of its own, bound to one
core. modAL and ALiPy are run in the environments that ``make test-hosts`` made under
`.venv-hosts`; where one is missing, the table says so. Memory is the most that the process held
during a query, less what it held before (pool, labels and fitted classifier included).
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmarks.base import Benchmark, Results

ROOT = Path(__file__).resolve().parents[3]

PYTHONS = {"modAL margin": "modal", "ALiPy margin": "alipy"}
"""Contestants that need a host's own environment."""

LEARNERS = "logistic regression, fitted before the clock starts to 100 labels"


@dataclass(frozen=True)
class Case:
    """A pool, a batch and who is asked."""

    title: str
    shape: tuple[int, int, int, int]
    batch: int
    contestants: tuple[str, ...]


OTHERS = ("scikit-activeml margin", "modAL margin", "ALiPy margin")
CASES = {
    "million": Case(
        "1 row of 1 000 000 x 20, 2 classes",
        (1_000_000, 20, 2, 100),
        1,
        ("predict_proba alone", "plain numpy margin", "lal margin", "lal default", *OTHERS),
    ),
    "batch": Case(
        "500 rows of 100 000 x 20, 2 classes",
        (100_000, 20, 2, 100),
        500,
        ("predict_proba alone", "plain numpy margin", "lal margin", "lal default", *OTHERS),
    ),
    "classes": Case(
        "1 row of 200 000 x 20, 10 classes",
        (200_000, 20, 10, 100),
        1,
        ("predict_proba alone", "plain numpy margin", "lal margin", "lal default", *OTHERS),
    ),
    "small": Case(
        "1 row of 2 000 x 20, 3 classes",
        (2_000, 20, 3, 60),
        1,
        ("predict_proba alone", "plain numpy margin", "lal margin", "lal default", *OTHERS),
    ),
    "ten": Case(
        "10 rows of 2 000 x 20, 3 classes",
        (2_000, 20, 3, 60),
        10,
        ("predict_proba alone", "plain numpy margin", "lal margin", "lal default", *OTHERS),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which cases, how often."""

    cases: tuple[str, ...] = tuple(CASES)
    """Cases: million, batch, classes, small, ten."""

    repeats: int = 7
    """Timed queries after a first one; the median counts."""

    share: int = 1
    """Divides the rows of every pool: 100 for a quick look."""

    folder: Path = Path(".venv-hosts")
    """Environments of the other libraries."""


def run(config: Config, results: Results) -> None:
    """Add one table per case."""
    for name in config.cases:
        case = CASES[name]
        results.note(f"{name}: {case.title} ({LEARNERS})")
        plain: float | None = None
        for contestant in case.contestants:
            found = play(contestant, case, config)
            if isinstance(found, str):
                results.add(name, dict.fromkeys(COLUMNS) | {"who": contestant, "CPU s": found})
                continue
            if contestant == "plain numpy margin":
                plain = found["cpu"]
            results.add(name, _row(found, plain))


COLUMNS = ("who", "CPU s", "wall s", "memory beyond the pool, MB", "over plain margin", "twice")


def _row(found: dict[str, Any], plain: float | None) -> dict[str, Any]:
    ratio = f"{found['cpu'] / plain:.2f}x" if plain else None
    twice = found["batch"] - found["unlike"]
    times = f"{found['cpu']:.4f}", f"{found['wall']:.4f}", f"{found['megabytes']:.0f}"
    return dict(zip(COLUMNS, (found["contestant"], *times, ratio, twice), strict=True))


def play(contestant: str, case: Case, config: Config) -> dict[str, Any] | str:
    """Return what a contestant needs, or a sentence saying why it was not run."""
    python = sys.executable
    if contestant in PYTHONS:
        place = ROOT / config.folder / PYTHONS[contestant] / "bin" / "python"
        if not place.is_file():
            return f"not installed: make test-hosts HOSTS={PYTHONS[contestant]}"
        python = str(place)
    n, *rest = case.shape
    shape = (max(n // config.share, 4 * case.batch, 200), *rest)
    given = {"shape": shape, "batch": case.batch, "repeats": config.repeats}
    command = [python, "-m", "scripts.benchmarks.speed.query_worker", contestant, json.dumps(given)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=_environment(), check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("QUERY ")]
    if done.returncode or len(lines) != 1:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return f"failed: {last[:80].replace('|', '/')}"
    found: dict[str, Any] = json.loads(lines[0].removeprefix("QUERY "))
    return found


def _environment() -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONPATH": str(ROOT)}


main = Benchmark("query", Config, run)
