"""Everything that the pages of a small made-up evaluation say, held against what they said before.

Texts, tables, what charts are given and what they draw are in ``golden.json`` and two Markdown
files. After a change that is meant, look at the difference that this command makes::

    python tests/lal/evaluation/report/test_golden_page.py
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from lal.evaluation.report import charts as charts_module
from lal.evaluation.report.advice import which_strategy
from lal.evaluation.report.charts import dots_of_runs
from lal.evaluation.report.draw import Dot, Line, Point, cost_chart, dot_chart, line_chart
from lal.evaluation.report.draw_tables import Cell, cut, heat_map, rank_diagram, shade
from lal.evaluation.report.export import get_tables, to_csv, to_latex
from lal.evaluation.report.leaderboard import complete_repetitions, leaderboard, provenance
from lal.evaluation.report.model import evidence, headline, make_page
from lal.evaluation.report.player import episodes
from lal.evaluation.report.report import context
from lal.evaluation.runs.run import RunResult
from lal.evaluation.runs.store import RunStore

GOLDEN = Path(__file__).parent / "golden.json"
KINDS = ("dot_chart", "line_chart", "heat_map", "rank_diagram", "cost_chart")
N_SAMPLES = 150

SETS = {  # classes, pool, family
    "apples": (2, 120, "fruit"),
    "pears": (2, 299, "fruit"),
    "iris": (3, 90, "iris"),
    "wine": (3, 300, "wine"),
    "yeast": (10, 800, "yeast"),
}
LEVELS = {
    "random": 0.70, "margin": 0.74, "mine": 0.75, "untrained": 0.69, "shuffled": 0.70,
    "slow": 0.735, "twin": 0.74, "@oracle_other": 0.85,
}  # fmt: skip
ROLES = {"mine": "policy", "untrained": "untrained", "shuffled": "shuffled"}
REPETITIONS = ((0, 1), (1, 0))
UNFINISHED = {("slow", "wine", "failed"), ("slow", "apples", "timed out")}


def result(strategy: str, dataset: str, at: tuple[int, int], learner: str, n: int) -> RunResult:
    classes, pool, family = SETS[dataset]
    twin = {"twin": "margin"}.get(strategy, strategy)
    number = sum(map(ord, f"{twin} {dataset} {at} {learner}"))
    rng = np.random.default_rng(number)
    about = {
        "dataset": dataset, "family": family, "source": f"made-up:{dataset}",
        "sha256": f"{number:064d}", "n_classes": classes, "learner": learner, "split": at[0],
        "start": at[1], "strategy": strategy, "metric": "balanced_accuracy", "protocol": "p",
        "n_start": 2, "n_all_seen": 2 + classes, "n_pool": pool,
    }  # fmt: skip
    key = f"{number:08x}{abs(hash_of(strategy)):032x}"
    statuses = {s for s in ("failed", "timed out") if (strategy, dataset, s) in UNFINISHED}
    if statuses and at == (1, 0):
        status = statuses.pop()
        return RunResult(key, status, about, seconds=3.0, error=f"{status} & <why>", limit=2.0)
    counts = np.array([pool]) if n == 1 else np.arange(2, 2 + n)
    rise = 0.2 * (1 - np.exp(-(counts - 2) / 9)) if n > 1 else np.array([0.15])
    level = LEVELS.get(strategy, 0.8) - 0.03 * (dataset == "yeast") + rng.normal(0, 0.015)
    values = level - 0.1 + rise + rng.normal(0, 0.004, len(counts))
    metrics = {"accuracy": values + 0.01, "balanced_accuracy": values}
    speed = 0.001 * (1 + len(strategy))
    return RunResult(
        key, "done", about, counts, metrics, np.arange(len(counts)), 1.0, speed, 2 * speed
    )


def hash_of(text: str) -> int:
    return int.from_bytes(text.encode()[:12], "big")


def results() -> Iterator[RunResult]:
    for at in REPETITIONS:
        for dataset in SETS:
            learners = ("gaussian_nb", "logistic") if dataset == "iris" else ("logistic",)
            for learner in learners:
                for strategy in LEVELS:
                    yield result(strategy, dataset, at, learner, 29)
                yield result("@full", dataset, at, learner, 1)


def method(label: str) -> dict[str, str]:
    sha256 = "ab" * 32 if label == "mine" else ""
    return {"label": label, "spec": label, "role": ROLES.get(label, "strategy"), "sha256": sha256}


def manifest() -> dict[str, Any]:
    return {
        "command": "python -m scripts.evaluate --suite made-up",
        "protocol": {"metric": "balanced_accuracy", "budget": 28, "start": "two_classes",
                     "batch_size": 1, "n_splits": 2, "n_starts": 1},
        "protocol_hash": "0123", "git": {"commit": "c0ffee0123456789"},
        "versions": {"numpy": "9"}, "data": {}, "seen": {"mine": ["iris"]},
        "policies": {"mine": "default"},
        "methods": [method(s) for s in LEVELS if not s.startswith("@")],
    }  # fmt: skip


def make_store(folder: Path, *, dropped: int = 0) -> RunStore:
    store = RunStore(folder, "json")
    every = list(results())
    with patch("os.fsync"):  # nothing is lost here
        for one in every[: len(every) - dropped]:
            store.put(one)
    store.write_manifest(manifest(), [one.key for one in every])
    return store


def plain(value: Any) -> Any:
    """Return plain JSON values; long arrays as length, ends, middle and sum."""
    if isinstance(value, np.ndarray):
        flat = value.astype(float).ravel()
        if len(flat) > 8:
            flat = np.array([len(flat), flat[0], flat[len(flat) // 2], flat[-1], flat.sum()])
        return [plain(v) for v in flat.tolist()]
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 6) + 0.0
    return value


@contextmanager
def figures_are_what_they_are_given() -> Iterator[None]:
    """Charts keep the arguments of their figures in place of figures."""

    def recorded(kind: str) -> Any:
        return lambda *arguments, **options: {"kind": kind, "given": [*arguments, options]}

    with patch.multiple(charts_module, **{kind: recorded(kind) for kind in KINDS}):
        yield


def described(figure: Any) -> dict[str, Any]:
    """Return what a figure draws: texts, lines, patches, and the axes."""
    from matplotlib.colors import to_hex

    (axes,) = figure.axes
    figure.draw_without_rendering()
    texts = [
        [
            t.get_text(),
            *t.get_position(),
            to_hex(t.get_color()),
            t.get_size(),
            t.get_ha(),
            t.get_gid(),
        ]
        for t in (*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels())
    ]
    lines = [
        [np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float),
         to_hex(line.get_color()), line.get_linewidth(), str(line.get_linestyle()),
         str(line.get_marker()), line.get_markersize(), line.get_gid()]
        for line in axes.lines
    ]  # fmt: skip
    patches = [
        [p.get_extents().transformed(axes.transData.inverted()).extents, to_hex(p.get_facecolor()),
         p.get_alpha(), p.get_linewidth(), p.get_gid()]
        for p in axes.patches
    ]  # fmt: skip
    bands = [
        [c.get_paths()[0].vertices.sum(axis=0), to_hex(c.get_color()[0]) if len(c.get_color()) else
         "", c.get_alpha(), c.get_linewidth()]
        for c in axes.collections if hasattr(c, "get_segments")
    ]  # fmt: skip
    filled = [
        [c.get_paths()[0].vertices.sum(axis=0), to_hex(c.get_facecolor()[0]), c.get_alpha()]
        for c in axes.collections
        if not hasattr(c, "get_segments")
    ]
    grid = [[line.get_visible(), to_hex(line.get_color()), line.get_linewidth()]
            for line in (axes.get_xgridlines()[:1] + axes.get_ygridlines()[:1])]  # fmt: skip
    return {
        "texts": texts, "lines": lines, "patches": patches, "bands": bands, "filled": filled,
        "grid": grid, "x": [axes.get_xlabel(), axes.get_xscale(), *axes.get_xlim()],
        "y": [axes.get_ylabel(), *axes.get_ylim()], "size": figure.get_size_inches(),
        "labels": [to_hex(axes.xaxis.label.get_color()), axes.xaxis.label.get_size(),
                   to_hex(axes.yaxis.label.get_color()), axes.yaxis.label.get_size()],
        "on": axes.axison, "ground": [figure.get_facecolor(), axes.get_facecolor()],
        "spines": [s.get_visible() for s in axes.spines.values()],
    }  # fmt: skip


def drawings() -> dict[str, Any]:
    """Return figures made by hand, one of each kind."""
    x = np.array([2.0, 5.0, 9.0])
    lines = [Line("a & b", 1, x, x / 10, x / 10 - 0.1, x / 10 + 0.2), Line("c", 0, x, x, x, x)]
    dots = [
        Dot("won", 1.0, 0.5, 1.5), Dot("bound", 0.25, 0.2, 0.4, censored=True, style=3),
        Dot("seen", -1.0, -2.0, 0.0, marked=True),
    ]  # fmt: skip
    points = [Point("fast", 0.0, 1.0, 0), Point("slow", 250.0, -2.5, 2)]
    cells = [[Cell(2.0), Cell(-0.5), Cell(None)], [Cell(3.0, marked=True), Cell(0.0), Cell(-2.0)]]
    names = ["best", "second", "third", "a name of more than twenty-four letters", "last"]
    ranks = np.array([1.5, 2.0, 2.25, 4.0, 5.25])
    return {
        "lines": line_chart(lines, y_label="y", rope=0.2),
        "lines without a region": line_chart(lines, y_label="y", x_label="x"),
        "dots": dot_chart(dots, x_label="x", rope=0.2),
        "dots around 1": dot_chart(dots, x_label="x", rope=0.2, reference=1),
        "dots without a line": dot_chart(dots, x_label="x", reference=None),
        "cost": cost_chart(points, y_label="gain"),
        "cells": heat_map(["r1", "a row of more than twenty-four letters"], ["a", "b", "c"], cells),
        "many columns": heat_map(["r"], [f"c{i}" for i in range(9)], [[Cell(0.26)] * 9], digits=2),
        "ranks": rank_diagram(names, ranks, [(0, 2), (3, 4)]),
        "ranks of one": rank_diagram(["one"], np.array([1.0]), []),
    }  # fmt: skip


def said(folder: Path) -> dict[str, Any]:
    """Return all that the pages say of the made-up evaluation."""
    store = make_store(folder / "whole")
    with figures_are_what_they_are_given():
        page = make_page(store, n_samples=N_SAMPLES)
        everything = context(page, store, [])
        other = make_page(store, table=page.table, rows=page.rows, policy="margin",
                          n_samples=N_SAMPLES)  # fmt: skip
        about_margin = {
            "headline": headline(other), "evidence": evidence(other), "drawn": other.drawn,
            "episodes": episodes(other, store), "dots": dots_of_runs(other, "iris"),
        }  # fmt: skip
    for key in ("store", "light", "dark", "strokes"):
        del everything[key]
    tables = {k: [to_csv(*t), to_latex(*t)] for k, t in get_tables(page).items()}
    return {
        "page": everything,
        "page about margin": about_margin,
        "tables": tables,
        "drawings": {name: described(figure) for name, figure in drawings().items()},
    }


def markdown(folder: Path) -> dict[str, str]:
    whole, part = make_store(folder / "w"), make_store(folder / "p", dropped=15)
    none = complete_repetitions(make_store(folder / "n", dropped=70))
    return {
        "leaderboard.md": leaderboard(whole, command="again", n_samples=N_SAMPLES),
        "unfinished.md": leaderboard(part, command="again", n_samples=N_SAMPLES)
        + "\n".join([*none.caution, provenance(none)]),
        "which.md": which_strategy(
            complete_repetitions(whole), command="again", n_samples=N_SAMPLES,
            more=[complete_repetitions(part)],
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    for name in ("pandas", "matplotlib", "jinja2"):
        pytest.importorskip(name, reason=f"{name} is absent")
    return json.loads(json.dumps(plain(said(tmp_path_factory.mktemp("stores")))))


GOLDEN_SAID = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
PARTS = [(part, key) for part, by in GOLDEN_SAID.items() for key in by]


@pytest.mark.parametrize(("part", "key"), PARTS)
def test_the_page_says_what_it_said(part, key, found):
    assert same(found[part][key], GOLDEN_SAID[part][key]), found[part][key]


def same(now: Any, before: Any) -> bool:
    """Compare JSON values; numbers to a millionth."""
    if isinstance(before, float) or isinstance(now, float):
        return bool(now == pytest.approx(before, abs=2e-6))
    if isinstance(before, dict):
        return now.keys() == before.keys() and all(same(now[k], v) for k, v in before.items())
    if isinstance(before, list):
        return len(now) == len(before) and all(map(same, now, before))
    return bool(now == before)


def test_nothing_new_is_left_out_of_the_golden_file(found):
    assert {part: sorted(by) for part, by in found.items()} == {
        part: sorted(by) for part, by in GOLDEN_SAID.items()
    }


def test_markdown_pages_say_what_they_said(tmp_path):
    pytest.importorskip("pandas", reason="pandas is absent")
    for name, text in markdown(tmp_path).items():
        assert text == (GOLDEN.parent / name).read_text(encoding="utf-8"), name


def test_names_are_cut_and_shades_are_steps():
    assert cut("x" * 24) == "x" * 24
    assert cut("x" * 25) == "x" * 23 + "…"
    assert [shade(v, 2.0) for v in (-9, -2, -1, -0.2, 0, 0.25, 0.3, 1.5, 2, 9)] == [
        "m4", "m4", "m2", "h0", "h0", "h0", "p1", "p3", "p4", "p4",
    ]  # fmt: skip


def write() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = json.dumps(plain(said(folder)), indent=1, ensure_ascii=False, sort_keys=True)
        GOLDEN.write_text(content + "\n", encoding="utf-8")
        for file, text in markdown(folder).items():
            (GOLDEN.parent / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
