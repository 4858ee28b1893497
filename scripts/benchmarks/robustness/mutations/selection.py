"""Which tests meet a mutant: those that reach its statement, quickest first."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lal.serialization import read_json, write_json

ARGUMENTS = [
    "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no",
    "--deselect=tests/lal/policies/query/test_border.py",
]  # fmt: skip
"""Of pytest. The test of the border is slow, and draws what the version of Hypothesis says."""

PACKAGE = "scripts.benchmarks.robustness.mutations"


@dataclass(frozen=True)
class Area:
    """Files that are mutated, and what is known about them.

    Attributes:
        name: Of the area.
        folder: Where its results are.
        copy: The copy of the repository.
        paths: Mutated files, relative to it.
        tests: Files and folders of tests.
    """

    name: str
    folder: Path
    copy: Path
    paths: list[str]
    tests: Sequence[str]


@dataclass(frozen=True)
class Selected:
    """Tests that reach a mutant, quickest first.

    Attributes:
        names: Of the tests.
        seconds: CPU seconds that they take together.
        left_out: How many slower ones are left out.
    """

    names: list[str]
    seconds: float
    left_out: int


def selected(mutant: Mapping[str, Any], tests: Mapping[str, Any], seconds: float) -> Selected:
    """Return the tests that reach one of the lines of the mutant, as far as the seconds go."""
    lines = {*range(mutant["first"], mutant["last"] + 1)}
    reaching = [n for n, t in tests.items() if lines & {*t["lines"].get(mutant["path"], ())}]
    reaching.sort(key=lambda name: (tests[name]["seconds"], name))
    spent = np.cumsum([max(tests[name]["seconds"], 0.001) for name in reaching])
    n = max(int(np.searchsorted(spent, seconds, side="right")), min(1, len(reaching)))
    return Selected(reaching[:n], float(spent[n - 1]) if n else 0.0, len(reaching) - n)


def reached(area: Area) -> dict[str, Any]:
    """Return seconds and lines of every test; only tests of files that changed run again."""
    cache = area.folder / "reach.json"
    before: Any = read_json(cache) if cache.exists() else {"source": "", "files": {}}
    texts = [(area.copy / path).read_text(encoding="utf-8") for path in area.paths]
    source = digest(*area.paths, *texts)
    files = {path: digest(*_texts(area.copy / path)) for path in test_files(area)}
    kept = before["files"] if before["source"] == source else {}
    kept = {path: known for path, known in kept.items() if files.get(path) == known["digest"]}
    if new := [path for path in files if path not in kept]:
        out = area.folder / "reach-new.json"
        run_in_copy(area, "reach", {"paths": area.paths, "tests": new, "out": str(out)})
        said = read_json(out)
        for name in said["failed"]:
            print(f"fails without any fault, and is left out: {name}")
        for path in new:
            tests = {n: t for n, t in said["tests"].items() if n.partition("::")[0] == path}
            kept[path] = {"digest": files[path], "tests": tests}
        write_json(cache, {"source": source, "files": kept})
    return {
        name: {**test, "digest": known["digest"]}
        for known in kept.values()
        for name, test in known["tests"].items()
    }


def _texts(test: Path) -> list[str]:
    """Return the text of a test file, and of the conftests above it."""
    above = [folder / "conftest.py" for folder in test.parents if (folder / "conftest.py").exists()]
    return [path.read_text(encoding="utf-8") for path in (test, *above)]


def test_files(area: Area) -> list[str]:
    """Return the files of tests of an area."""
    files: list[Path] = []
    for test in area.tests:
        path = area.copy / test.partition("::")[0]
        files += [path] if path.is_file() else path.rglob("test_*.py")
    return sorted({str(path.relative_to(area.copy)) for path in files})


def run_in_copy(area: Area, module: str, job: Mapping[str, Any]) -> None:
    """Run a module of the package in the copy, on a job written to a file."""
    arguments = [*ARGUMENTS, f"--basetemp={area.folder / 'temporary'}"]
    file = area.folder / f"{module}-job.json"
    write_json(file, {"arguments": arguments, "tests": test_files(area), **job})
    env = {**os.environ, "PYTHONPATH": str(area.copy), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", f"{PACKAGE}.{module}", str(file)]
    subprocess.run(command, cwd=area.copy, check=True, env=env)


def digest(*texts: str) -> str:
    """Return a short hash of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:20]
