"""Mutation score: the share of single-line faults that the tests notice.

A copy of the tracked files under ``--out`` is mutated. Every test runs once without faults, which
says what it reaches and how long it takes; a mutant is then met by the tests that reach its
statement, quickest first. ``--sample`` tests so many of each area, drawn at random. Started again
it goes on where it stopped, and measures only the tests that changed.

A mutant counts as noticed when a test fails, or does not end. A mutant that no test reaches counts
as not noticed, and so does one whose quick tests pass while slower ones were left out for
``--seconds``: the score is a lower bound. Mutants that nobody could notice are not drawn; single
ones that were looked at are named in `HARMLESS`, with the reason, and counted apart.
"""

import difflib
import fnmatch
import importlib.util
import json
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lal.errors import DataError, UsageError
from lal.labelling.progress import wilson
from lal.serialization import read_json, write_json
from scripts.benchmarks.base import Benchmark, Cell, Results
from scripts.benchmarks.robustness.mutations.selection import (
    Area,
    Selected,
    digest,
    reached,
    run_in_copy,
    selected,
)

ROOT = Path(__file__).parents[3]

HARMLESS = Path(__file__).parent / "mutations" / "harmless.json"
"""Mutants that somebody looked at and that change nothing: function, before, after, reason."""

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

NOTICED = ("killed", "timeout")
NOT_COUNTED = ("same", "not applied", "harmless")
"""Bytecode is the same, a function cannot be replaced while it lives, or named in `HARMLESS`."""


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

    seconds: float = 20.0
    """CPU seconds of tests per mutant; slower tests beyond them are left out."""

    out: Path = Path("runs/mutation")
    """Folder of the copy, of what each test reaches, and of what became of each mutant."""


@dataclass(frozen=True)
class Found:
    """What became of a mutant.

    Attributes:
        function: Its module and function.
        before: Changed lines as they are.
        after: Changed lines with the fault.
        outcome: killed, timeout, survived, not reached, left out, harmless, same or not applied.
        why: The reason for harmless ones, the test that noticed for others.
    """

    function: str
    before: str
    after: str
    outcome: str
    why: str = ""


def run(config: Config, results: Results) -> None:
    """Mutate, and add the scores by area."""
    if importlib.util.find_spec("mutmut") is None:
        raise UsageError("mutmut is not installed; run: pip install mutmut==3.8.1")
    copy = config.out.resolve() / "copy"
    copy_tracked(copy)
    for name, (only, tests) in chosen(config).items():
        folder = config.out.resolve() / name
        folder.mkdir(parents=True, exist_ok=True)
        measure(Area(name, folder, copy, mutable(copy, only), tests), config, results)


def measure(area: Area, config: Config, results: Results) -> None:
    """Add the score of an area, its survivors, and its harmless mutants."""
    everything = population(area)
    drawn = draw([m for m in everything if not m["harmless"]], config.sample, config.seed)
    found = attempt(area, drawn, config.seconds)
    write_json(area.folder / "found.json", [asdict(one) for one in found])
    results.add("mutation", {"area": area.name, "made": len(everything), **score(found)})
    for one in found:
        if one.outcome not in (*NOTICED, "same", "not applied"):
            row = {"function": one.function, "as it is": one.before, "the fault": one.after}
            table = "harmless" if one.outcome == "harmless" else "unnoticed"
            shown = {column: as_code(text) for column, text in row.items()}
            results.add(table, {"area": area.name, **shown, "why": one.why or one.outcome})
    for kind, n in sorted(Counter(m["harmless"] for m in everything if m["harmless"]).items()):
        results.add("never-drawn", {"area": area.name, "kind": kind, "mutants": n})


def as_code(text: str) -> str:
    """Return a line of code as a cell of a Markdown table."""
    quote = "``" if "`" in text else "`"
    return quote + text + quote if text else ""


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


def tracked() -> list[str]:
    """Return the files that git tracks."""
    said = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [name for name in said.split("\0") if name]


def copy_tracked(folder: Path) -> None:
    """Copy the files that git tracks, and compiled kernels; what is gone is removed."""
    compiled = [str(path.relative_to(ROOT)) for path in ROOT.glob("*/**/*.nb[ci]")]
    names = [name for name in tracked() if (ROOT / name).exists()]
    for name in [*names, *compiled]:
        to = folder / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, to)
    for path in [*folder.glob("*/**/*.py"), *folder.glob("*.py")]:
        if str(path.relative_to(folder)) not in names:
            path.unlink()


def mutable(copy: Path, patterns: Sequence[str]) -> list[str]:
    """Return the Python files that one of the patterns names.

    Raises:
        DataError: There are none.
    """
    files = (str(path.relative_to(copy)) for path in copy.glob("*/**/*.py"))
    paths = [name for name in files if any(fnmatch.fnmatch(name, p) for p in patterns)]
    if not paths:
        raise DataError(f"no file matches {' '.join(patterns)}; patterns are like lal/evaluation/*")
    return sorted(paths)


def population(area: Area) -> list[dict[str, Any]]:
    """Return all mutants of an area; those of files that did not change come from the last time."""
    from scripts.benchmarks.robustness.mutations.mutants import mutants

    cache = area.folder / "mutants.json"
    before = read_json(cache) if cache.exists() else {}
    now: dict[str, Any] = {}
    for path in area.paths:
        text = (area.copy / path).read_text(encoding="utf-8")
        key = digest(path, text)
        now[key] = before.get(key) or [asdict(mutant) for mutant in mutants(path, text)]
    write_json(cache, now)
    return [mutant for made in now.values() for mutant in made]


def draw(made: Sequence[dict[str, Any]], n: int, seed: int) -> list[dict[str, Any]]:
    """Return `n` of the mutants at random, or all where there are no more, or `n` is 0."""
    chance = np.random.default_rng(seed)
    order = chance.choice(len(made), min(n or len(made), len(made)), replace=False)
    return [made[i] for i in np.sort(order)]


def attempt(area: Area, drawn: Sequence[dict[str, Any]], seconds: float) -> list[Found]:
    """Return what became of each of the mutants; those that were tested before are not again."""
    tests = reached(area)
    known = _known(area.folder / "outcomes.jsonl")
    harmless = {(h["function"], h["before"], h["after"]): h["reason"] for h in read_json(HARMLESS)}
    job: list[dict[str, Any]] = []
    drawn_now: list[tuple[tuple[str, str, str], str, Selected]] = []
    for mutant, text, before, after in _with_text(area, drawn):
        function = f"{mutant['path'].removesuffix('.py').replace('/', '.')}.{mutant['function']}"
        place = (function, before, after)
        select = selected(mutant, tests, seconds)
        key = digest(*place, *(t + tests[t]["digest"] for t in select.names))
        drawn_now.append((place, key, select))
        if select.names and place not in harmless and key not in known:
            row = {"name": key, "path": mutant["path"], "function": mutant["function"]}
            row |= {"text": text, "tests": select.names, "place": " | ".join(place)}
            job.append({**row, "seconds": select.seconds})
    if job:
        job.sort(key=lambda one: one["seconds"])
        run_in_copy(area, "runs", {"mutants": job, "out": str(area.folder / "outcomes.jsonl")})
        known.update(_known(area.folder / "outcomes.jsonl"))
    return [
        Found(*place, "harmless", harmless[place])
        if place in harmless
        else _outcome(place, known.get(key), select)
        for place, key, select in drawn_now
    ]


def _outcome(
    place: tuple[str, str, str], result: Mapping[str, Any] | None, select: Selected
) -> Found:
    if result is None:
        return Found(*place, "not reached")
    if result["outcome"] == "survived" and select.left_out:
        return Found(*place, "left out", f"{select.left_out} slower tests left out")
    return Found(*place, result["outcome"], result["by"])


def _known(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {row["name"]: row for row in map(json.loads, lines)}


def _with_text(
    area: Area, drawn: Sequence[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any], str, str, str]]:
    """Yield each mutant with the text of its file, and the changed lines before and after."""
    from scripts.benchmarks.robustness.mutations.mutants import mutated

    by_path: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for mutant in drawn:
        by_path[mutant["path"]].append(mutant)
    for path, here in by_path.items():
        text = (area.copy / path).read_text(encoding="utf-8")
        changed = mutated(path, text, [mutant["number"] for mutant in here])
        for mutant, after in zip(here, changed, strict=True):
            yield mutant, after, *changed_lines(text, after)


def changed_lines(before: str, after: str) -> tuple[str, str]:
    """Return the lines that differ, as they were and as they are, without their indentation."""
    lines = [*difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)][2:]
    old, new = ([line[1:].strip() for line in lines if line[0] == sign] for sign in "-+")
    return " ".join(old), " ".join(new)


def score(found: Sequence[Found]) -> dict[str, Cell]:
    """Return counts, the share noticed, and its 95 % interval (Wilson)."""
    counts = Counter(one.outcome for one in found)
    n = len(found) - sum(counts[outcome] for outcome in NOT_COUNTED)
    noticed = sum(counts[outcome] for outcome in NOTICED)
    low, high = wilson(noticed / n, n)
    return {
        "drawn": len(found),
        "harmless": counts["harmless"] + counts["same"],
        "not applied": counts["not applied"],
        "counted": n,
        "noticed": noticed,
        "not reached": counts["not reached"],
        "score": f"{noticed / n:.1%}",
        "interval": f"[{low:.1%}, {high:.1%}]",
    }


main = Benchmark("mutation", Config, run)
