"""Time the report on a large synthetic store: reading, computing, writing, opening in a browser.

``python -m scripts.benchmark report`` makes the store through its own interface (curves are drawn,
not run) and adds one row a step. The browser step needs Playwright and a Chromium.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lal.errors import UsageError
from lal.evaluation.report.report import make_page, write_report
from lal.evaluation.runs.protocol import Protocol
from lal.evaluation.runs.run import RunResult
from lal.evaluation.runs.store import RunStore
from lal.registry import require
from lal.rng import generator
from scripts.benchmarks.base import Benchmark, Results


@dataclass(frozen=True, kw_only=True)
class Config:
    """How large a store."""

    datasets: int = 10
    """Data sets."""

    strategies: int = 25
    """Strategies."""

    learners: int = 2
    """Learners."""

    runs: int = 20
    """Repetitions; runs are the product of the four."""

    budget: int = 50
    """Labels of each curve."""

    samples: int = 2000
    """Bootstrap samples of each interval."""

    browser: bool = True
    """Open the page in Chromium."""

    out: str = ""
    """Folder to keep the store and the page in; a temporary one when not given."""


NAMES = ("apples", "pears", "plums", "figs", "limes", "dates", "kiwis", "leeks", "beans", "peas")


def draw_results(config: Config) -> Iterator[RunResult]:
    """Yield drawn curves: strategies, data sets and runs differ, the shape is a learning curve."""
    rng = generator(0, "benchmark report")
    n = np.arange(2, config.budget + 3)
    for d in range(config.datasets):
        for s in range(config.strategies):
            for learner in range(config.learners):
                for run in range(config.runs):
                    top = 0.8 + 0.01 * (d % 7) + 0.0005 * s + rng.normal(0, 0.01)
                    curve = top - 0.4 / np.sqrt(n) + rng.normal(0, 0.01, len(n))
                    yield _result(config, (d, s, learner, run), n, curve)


def _result(config: Config, place: tuple[int, int, int, int], n: Any, curve: Any) -> RunResult:
    d, s, learner, run = place
    strategy = ("random", "margin")[s] if s < 2 else f"strategy {s}"
    about = {
        "dataset": f"{NAMES[d % len(NAMES)]} {d}",
        "family": f"family {d}",
        "source": f"synthetic:nothing@{d}",
        "sha256": f"{d:064x}",
        "n_classes": 2 + d % 3,
        "learner": f"learner {learner}",
        "split": run // 5,
        "start": run % 5,
        "strategy": strategy,
        "metric": "balanced_accuracy",
        "protocol": "drawn",
        "n_start": 2,
        "n_all_seen": 2,
        "n_pool": 300,
    }
    key = hashlib.sha256(repr(place).encode()).hexdigest()[:40]
    return RunResult(
        key=key,
        status="done",
        about=about,
        n_labels=n,
        metrics={"accuracy": curve, "balanced_accuracy": curve - 0.01},
        queried=np.arange(len(n)),
        query_seconds=0.001 * (1 + s),
    )


def make_store(config: Config, folder: Path) -> RunStore:
    """Return a store of drawn runs."""
    store = RunStore(folder, "parquet")
    keys = []
    for result in draw_results(config):
        store.put(result)
        keys.append(result.key)
    protocol = Protocol(budget=config.budget).with_runs(config.runs)
    manifest = {"protocol": json.loads(protocol.to_json()), "command": "drawn, not run"}
    store.write_manifest(manifest, keys)
    return store


def open_in_browser(path: Path) -> int:
    """Open every tab of a page and return their number.

    Raises:
        UsageError: There is no Chromium.
    """
    sync_api = require("playwright.sync_api", "test")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise UsageError("no chromium on the path; install it or pass --no-browser")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(path.resolve().as_uri())
        tabs = page.query_selector_all("[role=tab]")
        for tab in tabs:
            tab.click()
        browser.close()
    return len(tabs)


def run(config: Config, results: Results) -> None:
    """Make the store, the page, and open it; add the time of each step."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(config.out or scratch)
        began, busy = time.perf_counter(), time.process_time()

        def add(what: str) -> None:
            nonlocal began, busy
            now, used = time.perf_counter(), time.process_time()
            cells = {"wall s": f"{now - began:.1f}", "CPU s": f"{used - busy:.1f}"}
            results.add("report", {"step": what, **cells})
            began, busy = now, used

        store = make_store(config, folder / "store")
        add(f"{len(store.listed())} runs written")
        page = make_page(store, n_samples=config.samples)
        add("read and summed up")
        path = folder / "report.html"
        write_report(page, store, path)
        add(f"page of {path.stat().st_size / 2**20:.1f} MiB written")
        if config.browser:
            add(f"{open_in_browser(path)} tabs opened in Chromium")


main = Benchmark("report", Config, run)
