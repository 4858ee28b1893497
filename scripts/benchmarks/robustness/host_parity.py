"""The same 15 queries in every host library, against the real packages.

Their pins conflict, so each host gets an environment of its own under `.venv-hosts`. Run
``python -m scripts.benchmark host_parity`` for all of them, or name some.
"""

import hashlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lal.errors import UnknownNameError, UsageError
from scripts.benchmarks.base import Benchmark, Results, Row

ROOT = Path(__file__).resolve().parents[3]
CORE = ("numpy", "scipy", "scikit-learn", "joblib", "safetensors")
TORCH = ("torch==2.13.0",)
"""Installed first and alone: left to the resolver it brings gigabytes of CUDA."""

RECIPES: dict[str, tuple[tuple[str, ...], ...]] = {
    "numpy": (CORE,),
    "skactiveml": ((*CORE, "scikit-activeml==1.0.1"),),
    "modal": ((*CORE, "modAL-python==0.4.2.1"),),
    "alipy": ((*CORE, "alipy==1.2.5"),),
    "small-text": ((*CORE, "small-text==1.4.1"),),
    "libact": (
        (*CORE, "matplotlib", "six", "cython", "wheel", "setuptools==65.5.0"),
        ("--no-deps", "--no-build-isolation", "libact==0.1.6"),
    ),
    "baal": (TORCH, (*CORE, *TORCH, "baal==2.1.0")),
}
"""Host to the arguments of the ``pip install`` calls that make its environment, in order."""

BUILD = {"LIBACT_BUILD_HINTSVM": "0", "LIBACT_BUILD_VARIANCE_REDUCTION": "0"}
"""libact's two C extensions do not build without BLAS headers; no strategy here needs them."""


@dataclass(frozen=True)
class Config:
    """Which hosts to try."""

    hosts: Annotated[tuple[str, ...], tyro.conf.Positional] = tuple(RECIPES)
    """Hosts; all of them by default."""
    folder: Path = Path(".venv-hosts")
    """Where the environments are kept between runs."""


def run(config: Config, results: Results) -> None:
    """Make the environments, run, and add a row for each way of using a host.

    Raises:
        UnknownNameError: No such host.
        UsageError: A host disagrees with the plain loop, or could not be installed or run.
    """
    unknown = [host for host in config.hosts if host not in RECIPES]
    if unknown:
        raise UnknownNameError(f"unknown host {unknown[0]!r}; known: {', '.join(RECIPES)}")
    records: list[dict[str, Any]] = []
    wrong: list[str] = []
    for host in config.hosts:
        print(f"{host} ...", file=sys.stderr, flush=True)
        try:
            found = play(environment(host, ROOT / config.folder), host)
        except subprocess.CalledProcessError as error:
            results.note(f"{host} failed: {last_line(error)}")
            wrong.append(host)
            continue
        records += found["records"]
        for record in found["records"]:
            results.add("parity", row(record))
        for name, said in found["strategies"].items():
            results.note(f"{name}: {said}")
            wrong += [name] if said != "ok" else []
    wrong += sorted({r["host"] for r in records if not agrees(r, records)})
    if wrong:
        raise UsageError(f"not as it should be: {', '.join(wrong)}; see the table")


def environment(host: str, folder: Path) -> Path:
    """Return the interpreter of a host's environment, made when missing or made otherwise.

    Raises:
        CalledProcessError: ``pip`` failed.
    """
    return make_environment(RECIPES[host], folder / host)


def make_environment(recipe: Sequence[Sequence[str]], where: Path) -> Path:
    """Return the interpreter of an environment, made when missing or made otherwise.

    Args:
        recipe: Arguments of the ``pip install`` calls, in order.
        where: Its folder.

    Raises:
        CalledProcessError: ``pip`` failed.
    """
    python = where / "bin" / "python"
    stamp = where / ".installed"
    wanted = hashlib.sha256(repr(recipe).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    if not python.is_file():
        where.parent.mkdir(parents=True, exist_ok=True)
        (where.parent / ".gitignore").write_text("*\n")  # linters keep out, too
        venv.create(where, with_pip=True)
    for arguments in recipe:
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*map(str, install), *arguments], BUILD)
    stamp.write_text(wanted)
    return python


def play(python: Path, host: str) -> dict[str, Any]:
    """Return what `host_worker` finds in a host's environment: records and strategies.

    Raises:
        CalledProcessError: The host or our adapter failed.
    """
    return run_worker(python, "scripts.benchmarks.robustness.host_worker", host, "PARITY ")


def run_worker(python: Path, module: str, argument: str, mark: str) -> dict[str, Any]:
    """Return the JSON behind the mark in what a module prints in another environment.

    Raises:
        CalledProcessError: It failed.
    """
    output = _run(
        [str(python), "-m", module, argument], {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    )
    (line,) = [line for line in output.splitlines() if line.startswith(mark)]
    found: dict[str, Any] = json.loads(line.removeprefix(mark))
    return found


def _run(command: list[str], extra: dict[str, str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, **extra}
    )
    return done.stdout


def last_line(error: subprocess.CalledProcessError) -> str:
    """Return the end of what a failed command said, on one line."""
    lines = [line.strip() for line in (error.stderr or "").splitlines() if line.strip()]
    return lines[-1][:100] if lines else f"exit code {error.returncode}"


def agrees(record: dict[str, Any], records: list[dict[str, Any]]) -> bool:
    """Whether a host asked for what the plain loop asks for, here and in every other host."""
    key = (record["policy"], record["n_classes"])
    others = [r["asked"] for r in records if (r["policy"], r["n_classes"]) == key]
    same = record["asked"] == record["plain"] and all(o == record["asked"] for o in others)
    return bool(same and record["labelled_as_asked"] and record["labels_right"])


def row(record: dict[str, Any]) -> Row:
    """Return a record as a row of the table."""
    same = sum(a == b for a, b in zip(record["asked"], record["plain"], strict=True))
    return {
        **{name: record[name] for name in ("host", "version", "way", "policy")},
        "classes": record["n_classes"],
        "same queries as the plain loop": f"{same} of {len(record['plain'])}",
        "item labelled = item asked": "yes" if record["labelled_as_asked"] else "NO",
        "labels right": "yes" if record["labels_right"] else "NO",
    }


main = Benchmark("host_parity", Config, run)
