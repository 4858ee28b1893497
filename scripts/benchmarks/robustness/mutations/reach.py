"""Which lines each test reaches, and how long it takes.

Run in the copy: ``python -m scripts.benchmarks.robustness.mutations.reach JOB.json``. What a
fixture of a module or of the session reaches belongs to every test that uses it.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

FIXTURE = "fixture "
"""Begins the contexts of fixtures; no test's name begins so."""


class Reach:
    """Plugin of pytest: one context of coverage for each test and each shared fixture."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.uses: defaultdict[str, set[str]] = defaultdict(set)
        self.failed: set[str] = set()
        self.inside: list[str] = []

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Measure a test."""
        for definitions in item._fixtureinfo.name2fixturedefs.values():  # type: ignore[attr-defined]
            if definitions[-1].scope != "function":
                self.uses[item.nodeid].add(_fixture(definitions[-1]))
        yield from self._within(item.nodeid)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Measure a fixture that several tests share."""
        if fixturedef.scope == "function":
            yield
            return
        self.uses[self.inside[0]].add(_fixture(fixturedef))
        yield from self._within(_fixture(fixturedef))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note tests that fail without any fault: they say nothing."""
        if report.failed:
            self.failed.add(report.nodeid)

    def _within(self, name: str) -> Iterator[None]:
        before = time.process_time()
        self.inside.append(name)
        self.measured.switch_context(name)
        yield
        spent = time.process_time() - before
        self.seconds[name] += spent
        self.inside.pop()
        if self.inside:
            self.measured.switch_context(self.inside[-1])
            self.seconds[self.inside[-1]] -= spent

    def tests(self, lines: dict[str, dict[str, list[int]]]) -> dict[str, Any]:
        """Return seconds and lines by file of every test that passes."""
        tests = (name for name in self.seconds if not name.startswith(FIXTURE))
        return {name: self._test(name, lines) for name in tests if name not in self.failed}

    def _test(self, name: str, lines: dict[str, dict[str, list[int]]]) -> dict[str, Any]:
        reached: defaultdict[str, set[int]] = defaultdict(set)
        for context in (name, *self.uses[name]):
            for path, numbers in lines.get(context, {}).items():
                reached[path] |= {*numbers}
        seconds = self.seconds[name] + sum(self.seconds[used] for used in self.uses[name])
        return {"seconds": seconds, "lines": {k: sorted(v) for k, v in reached.items()}}


def _fixture(found: Any) -> str:
    return f"{FIXTURE}{found.baseid}::{found.argname}"


def by_context(measured: coverage.Coverage, paths: list[str]) -> dict[str, dict[str, list[int]]]:
    """Return the lines that each context reached, by file."""
    found: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    data = measured.get_data()
    for path in paths:
        for line, contexts in data.contexts_by_lineno(str(Path(path).resolve())).items():
            for context in contexts:
                found[context][path].append(line)
    return {context: dict(lines) for context, lines in found.items()}


def main(job_file: str) -> int:
    """Run tests of a job, and write what they reach next to it."""
    job = json.loads(Path(job_file).read_text())
    measured = coverage.Coverage(
        data_file=None, config_file=False, include=[str(Path(p).resolve()) for p in job["paths"]]
    )
    reach = Reach(measured)
    measured.start()
    pytest.main(["-q", *job["arguments"], *job["tests"]], plugins=[reach])
    measured.stop()
    found = {"tests": reach.tests(by_context(measured, job["paths"])), "failed": [*reach.failed]}
    Path(job["out"]).write_text(json.dumps(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
