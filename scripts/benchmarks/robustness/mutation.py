"""Mutation score: the share of single-line faults that the tests notice, by mutmut.

Every area is mutated in a copy of the tracked files under ``--out``, with the tests next to it.
``--only`` takes glob patterns of files, which then need ``--tests``. It takes days for all mutants
of all areas, minutes for one file; ``--sample`` tests so many of each area, drawn at random.
Started again it goes on where it stopped.

A mutant counts as noticed when a test fails, or does not end. A mutant that no test reaches counts
as not noticed.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lal.errors import DataError, UsageError
from lal.labelling.progress import wilson
from scripts.benchmarks.base import Benchmark, Cell, Results

ROOT = Path(__file__).parents[3]

AREAS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "evaluation": (
        ("lal/evaluation/*", "lal/curve.py", "lal/episode.py", "scripts/ship.py"),
        ("tests/lal/evaluation", "tests/lal/test_curve.py", "tests/lal/test_episode.py",
         "tests/scripts/test_evaluate.py", "tests/scripts/test_report.py",
         "tests/scripts/test_ship.py"),
    ),
    "policies": (
        ("lal/policies/*",),
        ("tests/lal/policies", "tests/agents/test_program_policies.py",
         "tests/scripts/benchmarks/test_few_shot.py"),
    ),
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
track_dependencies = false
timeout_constant = 60
timeout_multiplier = 5
pytest_add_cli_args =
    -m
    not slow
    -p
    no:cacheprovider
    --deselect=tests/lal/policies/query/test_border.py
"""
"""Of mutmut. The test of the border is dear, and what it draws follows the version of Hypothesis.
The time a mutant has is long: on a busy machine most would time out, and count as noticed."""


@dataclass(frozen=True)
class Config:
    """What is mutated."""

    areas: tuple[str, ...] = tuple(AREAS)
    """Areas: evaluation, policies, features, tasks, trainers."""

    only: tuple[str, ...] = ()
    """Glob patterns of files in place of an area's."""

    tests: tuple[str, ...] = ()
    """Tests that should notice faults in them."""

    sample: int = 0
    """Mutants of each area, drawn at random; 0 for all."""

    seed: int = 0
    """Of the draw."""

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
        if config.sample:
            found = run_sample(folder, config)
        else:
            run_mutmut(folder, config.jobs)
            found = outcomes(folder)
        write_unnoticed(folder, found)
        results.add("mutation", {"area": area, **score(found)})


def run_mutmut(folder: Path, jobs: int, *names: str) -> None:
    """Test all mutants, or those of these names; `outcomes` says what came of it."""
    command = ["mutmut", "run", "--max-children", str(jobs), *names]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}  # would hide the mutants
    subprocess.run(command, cwd=folder, check=False, env=env)


def run_sample(folder: Path, config: Config) -> dict[str, str]:
    """Test the mutants of a sample that were not tested before, and return what became of all."""
    run_mutmut(folder, config.jobs, "none*")  # makes the mutants, runs the tests, refuses the name
    names = draw(sorted(outcomes(folder)), config.sample, config.seed)
    found = outcomes(folder)
    if left := [name for name in names if found[name] == "not checked"]:
        run_mutmut(folder, config.jobs, *left)
        found = outcomes(folder)
    return {name: found[name] for name in names}


def draw(names: Sequence[str], n: int, seed: int) -> list[str]:
    """Return `n` of the names at random, or all where there are no more."""
    chance = np.random.default_rng(seed)
    drawn = chance.choice(len(names), min(n, len(names)), replace=False)
    return [names[i] for i in np.sort(drawn)]


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
    """Copy the files that git tracks, and compiled kernels; what is there already stays."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    compiled = (str(path.relative_to(ROOT)) for path in (ROOT / "envs").rglob("*.nb[ci]"))
    for name in [*filter(None, listed.stdout.split("\0")), *compiled]:
        to = folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, to)


def outcomes(folder: Path) -> dict[str, str]:
    """Return what became of every mutant, as mutmut names it.

    Raises:
        DataError: There are no mutants.
    """
    command = ["mutmut", "results", "--all", "true"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    lines = [line.strip().rpartition(": ") for line in said.splitlines() if "__mutmut_" in line]
    if not lines:
        raise DataError(f"mutmut made no mutants in {str(folder)!r}; do the patterns match a file?")
    return {name: outcome for name, _, outcome in lines}


NOTICED = ("killed", "timeout", "segfault")


def write_unnoticed(folder: Path, found: Mapping[str, str]) -> None:
    """Write the diffs of the mutants that went unnoticed to ``survived.diff``."""
    names = [name for name, outcome in found.items() if outcome not in NOTICED]
    shown = [
        subprocess.run(["mutmut", "show", n], cwd=folder, capture_output=True, text=True).stdout
        for n in names
    ]
    (folder / "survived.diff").write_text("\n".join(shown), encoding="utf-8")


def score(found: Mapping[str, str]) -> dict[str, Cell]:
    """Return counts, the share noticed, and its 95 % interval (Wilson)."""
    counts = Counter(found.values())
    noticed = sum(counts[outcome] for outcome in NOTICED)
    low, high = wilson(noticed / len(found), len(found))
    return {
        "mutants": len(found),
        "noticed": noticed,
        "not reached": counts["no tests"],
        "score": f"{noticed / len(found):.1%}",
        "interval": f"[{low:.1%}, {high:.1%}]",
    }


main = Benchmark("mutation", Config, run)
