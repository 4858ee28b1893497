"""Run the tests of one mutant after the other, each in a fork that has everything imported.

Run in the copy: ``python -m scripts.benchmarks.robustness.mutations.runs JOB.json``. A mutant is
put in by replacing the code of its function, so that nothing has to be imported again.
"""

import ast
import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

KILLED, SURVIVED, TIMEOUT = "killed", "survived", "timeout"
SAME, NOT_APPLIED = "same", "not applied"
UNRELIABLE = "unreliable"
"""Noticed by a test that also fails, or does not end, without a fault: counts as not noticed."""

ROOM = 3 * 2**30
"""Bytes that a mutant may take beyond what is there: an endless list must not take the machine."""


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of the functions and methods of a module, in order."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from codes(inner)


def same(a: object, b: object) -> bool:
    """Say whether two constants or codes do the same, wherever their lines are."""
    if isinstance(a, CodeType) and isinstance(b, CodeType):
        parts = ("co_code", "co_names", "co_varnames", "co_freevars", "co_exceptiontable")
        return all(getattr(a, part) == getattr(b, part) for part in parts) and same(
            a.co_consts, b.co_consts
        )
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def replacement(path: Path, before: str, after: str, function: str) -> tuple[CodeType, CodeType]:
    """Return the code of a function as it is, and with the fault; both are equal if there is none.

    Raises:
        LookupError: There is no such function.
    """
    old, new = (
        [c for c in codes(compile(text, str(path), "exec")) if c.co_qualname == function]
        for text in (before, after)
    )
    if not old or len(old) != len(new):
        raise LookupError(function)
    pairs = list(zip(old, new, strict=True))
    return next((pair for pair in pairs if not same(*pair)), pairs[0])


Functions = Mapping[tuple[str, str], list[FunctionType]]
"""All functions that are alive, by file and qualified name."""


def functions() -> Functions:
    """Return the functions of modules and classes, also those behind decorators."""
    alive: defaultdict[tuple[str, str], list[FunctionType]] = defaultdict(list)
    for found in gc.get_objects():
        if type(found) is FunctionType:
            alive[found.__code__.co_filename, found.__code__.co_qualname].append(found)
    return alive


def put_in(alive: Functions, path: Path, old: CodeType, new: CodeType) -> list[FunctionType]:
    """Replace the code of all functions that have the old one, and return them.

    Functions inside of it are replaced, too, where some were made before: those that a factory
    gave to a table when its module was imported.
    """
    live = _having(alive, path, old)
    for found in live:
        found.__code__ = new
    inside = list(codes(old)), list(codes(new))
    if len(inside[0]) == len(inside[1]):
        for one, other in zip(*inside, strict=True):
            for found in () if same(one, other) else _having(alive, path, one):
                found.__code__ = other
    return live


def _having(alive: Functions, path: Path, code: CodeType) -> list[FunctionType]:
    named = alive.get((str(path), code.co_qualname), [])
    return [f for f in named if f.__code__.co_firstlineno == code.co_firstlineno]


def signatures(text: str, function: str) -> list[ast.arguments]:
    """Return the arguments of the functions of this name, in order."""

    def named(body: list[ast.stmt], before: str) -> Iterator[ast.arguments]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from named(node.body, f"{before}{node.name}.")
            elif isinstance(node, ast.FunctionDef) and before + node.name == function:
                yield node.args

    return list(named(ast.parse(text).body, ""))


def put_in_defaults(live: list[FunctionType], before: str, after: str) -> bool:
    """Replace the values of arguments that are left out; returns whether they differ."""
    name = live[0].__qualname__
    for old, new in zip(signatures(before, name), signatures(after, name), strict=True):
        if ast.dump(old) != ast.dump(new):
            for found in live:
                _set_defaults(found, new)
            return True
    return False


def _set_defaults(found: FunctionType, arguments: ast.arguments) -> None:
    def value(node: ast.expr) -> object:
        return eval(compile(ast.Expression(node), "default", "eval"), found.__globals__)

    found.__defaults__ = tuple(value(node) for node in arguments.defaults)
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found.__kwdefaults__ = {name.arg: value(node) for name, node in pairs if node is not None}


class Killer:
    """Plugin of pytest that notes the test that noticed."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the first failure."""
        if report.failed:
            self.name = self.name or report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note the first file that cannot be imported."""
        if report.failed:
            self.name = self.name or report.nodeid


def attempt(mutant: Mapping[str, Any], arguments: list[str], alive: Functions) -> tuple[str, str]:
    """Put the mutant in and run its tests; returns what became of it, and the test that noticed."""
    if mutant["text"]:
        path = Path(mutant["path"]).resolve()
        if wrong := _apply(path, mutant, alive):
            return wrong
    killer = Killer()
    code = int(pytest.main(["-x", "-q", *arguments, *mutant["tests"]], plugins=[killer]))
    if code in (4, 5):
        return NOT_APPLIED, f"pytest ended with {code}"
    return (SURVIVED if code == 0 else KILLED), killer.name


def _apply(path: Path, mutant: Mapping[str, Any], alive: Functions) -> tuple[str, str] | None:
    before, after = path.read_text(), mutant["text"]
    try:
        old, new = replacement(path, before, after, mutant["function"])
        live = put_in(alive, path, old, new)
        if not live:
            return NOT_APPLIED, "no such function is alive"
        if same(old, new) and not put_in_defaults(live, before, after):
            return SAME, ""
    except (LookupError, SyntaxError, ValueError) as error:
        return NOT_APPLIED, str(error)  # ValueError: another number of free variables
    return None


def in_fork(mutant: Mapping[str, Any], arguments: list[str], alive: Functions) -> dict[str, Any]:
    """Return name, outcome, the test that noticed and CPU seconds of a mutant."""
    reader, writer = os.pipe()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if (child := os.fork()) == 0:
        _child(mutant, arguments, alive, writer)
    os.close(writer)
    ended = _wait(child, 300 + 60 * mutant["seconds"])  # others may be using the processors
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome, killer = json.loads(said) if said else (TIMEOUT if not ended else KILLED, "ended")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"name": mutant["name"], "outcome": outcome, "by": killer, "cpu": round(seconds, 2)}


def _child(mutant: Mapping[str, Any], arguments: list[str], alive: Functions, writer: int) -> None:
    os.setpgid(0, 0)
    limit = int(30 + 5 * mutant["seconds"])
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + ROOM, held + ROOM))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    signal.signal(signal.SIGXCPU, lambda *_: _say(writer, (TIMEOUT, "")))
    try:
        result = attempt(mutant, arguments, alive)
    except BaseException as error:  # what escapes pytest is a failure, too
        result = (KILLED, repr(error))
    _say(writer, result)


def _say(writer: int, result: tuple[str, str]) -> None:
    with contextlib.suppress(OSError):
        os.write(writer, json.dumps(result).encode())
    os._exit(0)


def _wait(child: int, seconds: float) -> bool:
    """Wait for the child at most so long; kill it and what it began otherwise."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def import_modules(paths: list[str]) -> None:
    """Import what is mutated: a module that nothing has loaded yet has no living functions.

    A module whose library is not installed stays out; its mutants count as not applied.
    """
    for path in paths:
        with contextlib.suppress(ImportError):
            importlib.import_module(path.removesuffix(".py").replace("/", "."))


def main(job_file: str) -> int:
    """Import all tests, run the mutants of the job, and append a line for each to its file."""
    job = json.loads(Path(job_file).read_text())
    with Path(os.devnull).open("w") as nothing, contextlib.redirect_stdout(nothing):
        pytest.main(["--collect-only", "-qq", *job["arguments"], *job["tests"]])
    import_modules(sorted({mutant["path"] for mutant in job["mutants"]}))
    alive = functions()
    gc.collect()
    gc.freeze()
    with Path(job["out"]).open("a") as out:
        for mutant in job["mutants"]:
            result = in_fork(mutant, job["arguments"], alive)
            if not reliable(result, mutant, job["arguments"], alive):
                result["outcome"] = UNRELIABLE
            out.write(json.dumps(result) + "\n")
            out.flush()
            print(result["outcome"], result["cpu"], mutant["place"], result["by"], flush=True)
    return 0


def reliable(
    result: Mapping[str, Any], mutant: Mapping[str, Any], arguments: list[str], alive: Functions
) -> bool:
    """Say whether what noticed a mutant is the mutant: without it, tests pass and end in time."""
    if result["outcome"] == TIMEOUT:
        return bool(in_fork({**mutant, "text": ""}, arguments, alive)["outcome"] == SURVIVED)
    return result["outcome"] != KILLED or passes(result["by"], arguments, alive)


CHECKED: dict[str, bool] = {}
"""Tests that noticed a mutant, and whether they pass without one."""


def passes(test: str, arguments: list[str], alive: Functions) -> bool:
    """Say whether a test passes without any fault in the same surroundings."""
    if "::" not in test:
        return True
    if test not in CHECKED:
        clean = {"name": "", "text": "", "tests": [test], "seconds": 20.0}
        CHECKED[test] = in_fork(clean, arguments, alive)["outcome"] == SURVIVED
    return CHECKED[test]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
