"""Mutation score: the share of single-line faults that the tests notice, by mutmut.

Every area is mutated in a copy of the tracked files under ``--out``, with the tests next to it.
``--only`` takes glob patterns of files, which then need ``--tests``. It takes hours for all areas,
minutes for one file; started again it goes on where it stopped.
"""

import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lal.errors import DataError, UsageError
from scripts.benchmarks.base import Benchmark, Results

ROOT = Path(__file__).parents[3]

AREAS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "evaluation": (
        ("lal/evaluation/*", "lal/curve.py", "lal/episode.py", "scripts/ship.py"),
        ("tests/lal/evaluation", "tests/lal/test_curve.py", "tests/lal/test_episode.py",
         "tests/scripts/test_ship.py"),
    ),
    "policies": (("lal/policies/*",), ("tests/lal/policies",)),
    "features": (("lal/features/*",), ("tests/lal/features",)),
    "tasks": (("lal/tasks/*",), ("tests/lal/tasks",)),
    "trainers": (("agents/training/*", "agents/*/learner.py"), ("tests/agents",)),
}  # fmt: skip
"""Files that are mutated, and the tests that should notice, by area."""

SETTINGS = """[mutmut]
source_paths =
    lal
    envs
    agents
    scripts
only_mutate =
{only}
also_copy =
    docs
    README.md
pytest_add_cli_args_test_selection =
{tests}
pytest_add_cli_args =
    -m
    not slow
    -p
    no:cacheprovider
"""


@dataclass(frozen=True)
class Config:
    """What is mutated."""

    areas: tuple[str, ...] = tuple(AREAS)
    """Areas: evaluation, policies, features, tasks, trainers."""

    only: tuple[str, ...] = ()
    """Glob patterns of files in place of an area's."""

    tests: tuple[str, ...] = ()
    """Tests that should notice faults in them."""

    jobs: int = 1
    """Processes."""

    out: Path = Path("runs/mutation")
    """Folder of the mutated copies, and of what was not noticed."""


def run(config: Config, results: Results) -> None:
    """Mutate, and add the scores by area."""
    if shutil.which("mutmut") is None:
        raise UsageError("mutmut is not installed; run: pip install mutmut==3.8.1")
    for area, (only, tests) in chosen(config).items():
        folder = config.out / area
        copy_tracked(folder)
        (folder / "setup.cfg").write_text(settings(only, tests), encoding="utf-8")
        command = ["mutmut", "run", "--max-children", str(config.jobs)]
        subprocess.run(command, cwd=folder, check=False)  # `outcomes` says when nothing came of it
        results.add("mutation", {"area": area, **score(outcomes(folder))})


def chosen(config: Config) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return what is mutated, with its tests, by name.

    Raises:
        UsageError: An unknown area, or files without tests.
    """
    if config.only or config.tests:
        if not (config.only and config.tests):
            raise UsageError("--only and --tests go together: name the files and their tests")
        return {"chosen": (config.only, config.tests)}
    if unknown := sorted(set(config.areas) - set(AREAS)):
        raise UsageError(f"unknown areas {', '.join(unknown)}; expected some of {', '.join(AREAS)}")
    return {area: AREAS[area] for area in config.areas}


def settings(only: Sequence[str], tests: Sequence[str]) -> str:
    """Return mutmut's settings."""
    lines = {"only": only, "tests": tests}
    return SETTINGS.format(**{k: "\n".join(f"    {v}" for v in vs) for k, vs in lines.items()})


def copy_tracked(folder: Path) -> None:
    """Copy the files that git tracks; mutants and results that are there already stay."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        to = folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, to)


def outcomes(folder: Path) -> list[str]:
    """Return what became of every mutant, as mutmut names it."""
    command = ["mutmut", "results", "--all", "true"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    found = [line.rpartition(": ")[2] for line in said.splitlines() if "__mutmut_" in line]
    if not found:
        raise DataError(f"mutmut made no mutants in {str(folder)!r}; do the patterns match a file?")
    survived = [line.strip() for line in said.splitlines() if line.endswith(": survived")]
    (folder / "survived.txt").write_text("\n".join(survived) + "\n", encoding="utf-8")
    return found


def score(found: Sequence[str]) -> dict[str, float]:
    """Return counts and the share noticed: killed or timed out, of all that some test reaches."""
    counts = Counter(found)
    noticed = counts["killed"] + counts["timeout"]
    reached = noticed + counts["survived"] + counts["suspicious"]
    share = noticed / reached if reached else 0.0
    return {
        "noticed": noticed,
        "survived": reached - noticed,
        "unreached": counts["no tests"],
        "score": round(share, 4),
    }


main = Benchmark("mutation", Config, run)
