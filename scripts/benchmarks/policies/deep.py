"""The strategies of the field's list, row by row: paired differences to random and to margin.

``python -m scripts.benchmark deep`` runs every line of `LINES` on every data set, from the same
random labels, and prints one line for each: the differences in AUBC points of accuracy with half of
their 95 % interval by Student's t. Finished runs lie in a folder and are never repeated;
``--minutes`` ends early.
"""

import gzip
import json
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lal.arrays import Floats
from lal.data.dataset import Dataset, make_dataset
from lal.data.datasets import load_dataset
from lal.data.texts import text_columns
from lal.episode import run_episode
from lal.errors import UsageError
from lal.evaluation.runs.methods import parse_method
from lal.learners import make_learner
from lal.learners.texts import hashed_ngrams
from lal.registry import parse_options
from lal.rng import integer_seed
from lal.serialization import read_json, write_json
from lal.tasks.splits import make_task
from scripts.benchmarks.base import Benchmark, Results, student_interval
from scripts.benchmarks.policies.deep_lines import BASE, LINES, Line, applies

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "logistic_regression": {"tol": 1e-3},
    **{
        name: {"max_epochs": 60}
        for name in ("mlp", "mlp_loss", "mlp_consistency", "small_cnn", "text_bow")
    },
}
"""Options of learners, for speed."""

MOST_TEXTS = 2500
"""Texts of a file that are read, evenly spread."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is run."""

    datasets: tuple[str, ...] = (
        "sklearn:digits", "file:../shared/data/dev/mnist_test10k.npz",
        "../shared/data/dev/text_trec6.jsonl.gz", "../shared/data/dev/text_sms_spam.jsonl.gz",
    )  # fmt: skip
    """Names, or .jsonl.gz files of texts with labels."""

    rows: tuple[int, ...] = ()
    """Rows of the field's list (0: strategies that it does not name); all when empty."""

    learners: tuple[str, ...] = ()
    """Learners whose lines are run; all when empty."""

    runs: int = 5
    """Paired runs of every line."""

    start: int = 20
    """Random labels that an episode begins with."""

    budget: int = 40
    """Labels acquired after the start."""

    batch_size: int = 20
    """Labels between refits."""

    max_pool: int = 600
    """Larger pools are sub-sampled."""

    out: Path = Path("runs/deep")
    """Folder of finished runs."""

    jobs: int = 1
    """Processes."""

    minutes: float = 0.0
    """No run begins after so many minutes; 0 for no limit."""


class Run(NamedTuple):
    """One episode."""

    dataset: str
    learner: str
    strategy: str
    seed: int
    conditions: tuple[str, ...] = ()


def run(config: Config, results: Results) -> None:
    """Run what is missing, then add one row for each line that has two pairs."""
    began = time.monotonic()
    missing = [one for one in _runs(config) if not _path(config, one).exists()]
    with ProcessPoolExecutor(config.jobs) as pool:
        list(pool.map(_finish, *zip(*[(config, one, began) for one in missing], strict=True))
             if missing else ())  # fmt: skip
    for dataset in config.datasets:
        for line in _lines(config):
            row = _row(config, dataset, line)
            if row is not None:
                results.add("lines", row)
    there = [read_json(_path(config, one)) for one in _runs(config) if _path(config, one).exists()]
    seconds = sum(kept["seconds"] for kept in there)
    results.note(f"{len(there)} of {len(_runs(config))} runs, {seconds:.0f} s of CPU time")
    results.note(f"this call: {time.monotonic() - began:.0f} s, {config.jobs} processes")


def _lines(config: Config) -> list[Line]:
    unknown = set(config.rows) - {line.row for line in LINES}
    if unknown:
        known = ", ".join(map(str, sorted({line.row for line in LINES} - {0})))
        raise UsageError(f"row {min(unknown)} has no line; rows with a line: {known}")
    return [
        line
        for line in LINES
        if (not config.rows or line.row in config.rows)
        and (not config.learners or line.learner in config.learners)
    ]


def _runs(config: Config) -> list[Run]:
    """Return all runs, seed by seed, so that an early end leaves whole pairs."""
    found: dict[Run, None] = {}
    for seed in range(config.runs):
        for dataset in config.datasets:
            for line in _lines(config):
                if applies(line, dataset):
                    found.update(dict.fromkeys(_three(line, dataset, seed)))
    return list(found)


def _three(line: Line, dataset: str, seed: int) -> tuple[Run, Run, Run]:
    """Return a line's run, and those of random and margin."""
    base = BASE.get(line.learner, line.learner)
    shared = tuple(filter(None, (line.condition,)))
    own = (*shared, *filter(None, (line.remedy,)))
    random, margin = (Run(dataset, base, name, seed, shared) for name in ("random", "margin"))
    return Run(dataset, line.learner, line.strategy, seed, own), random, margin


def _path(config: Config, one: Run) -> Path:
    shape = f"{config.start}-{config.budget}-{config.batch_size}-{config.max_pool}"
    name = ".".join((one.learner, one.strategy, *one.conditions, str(one.seed)))
    return config.out / shape / _short(one.dataset) / (re.sub(r"[?:=]", "_", name) + ".json")


def _short(dataset: str) -> str:
    return Path(dataset.partition(":")[2] or dataset).name.partition(".")[0]


def _finish(config: Config, one: Run, began: float) -> None:
    if config.minutes and time.monotonic() - began > 60.0 * config.minutes:
        return
    clock = time.process_time()
    data = load_rows(one.dataset, hashed=one.learner == "text_bow")
    seed = integer_seed(0, "deep", _short(one.dataset), one.seed)
    name, options = parse_options(one.learner)
    learner = make_learner(name, **OPTIONS.get(name, {}), **options)
    task = make_task(
        data, learner, seed=seed, start=config.start, budget=config.budget,
        max_pool=config.max_pool, conditions=one.conditions,
    )  # fmt: skip
    method = parse_method(one.strategy).make()
    curve = run_episode(method, task, seed=seed, batch_size=config.batch_size)
    kept = {"area": curve.area("accuracy"), "seconds": round(time.process_time() - clock, 2)}
    write_json(_path(config, one), kept)


@cache
def load_rows(dataset: str, *, hashed: bool = False) -> Dataset:
    """Return a data set by name, or the texts of a .jsonl.gz file as columns.

    Args:
        dataset: A name or a file.
        hashed: Texts are rows of hashed n-grams, as `text_bow` takes them, not of a few directions.
    """
    if not dataset.endswith(".jsonl.gz"):
        return load_dataset(dataset)
    if not Path(dataset).is_file():
        raise UsageError(f"there is no file {dataset!r}; expected texts as .jsonl.gz")
    with gzip.open(dataset, "rt", encoding="utf-8") as file:
        items = [json.loads(text) for text in file]
    kept = [items[i] for i in np.unique(np.linspace(0, len(items) - 1, MOST_TEXTS).astype(int))]
    columns = (hashed_ngrams if hashed else text_columns)([item["text"] for item in kept])
    labels = [item["label"] for item in kept]
    return make_dataset(_short(dataset), columns, labels, source=f"file:{Path(dataset).name}")


def _row(config: Config, dataset: str, line: Line) -> dict[str, str | int] | None:
    pairs = list(_pairs(config, dataset, line)) if applies(line, dataset) else []
    if len(pairs) < 2:
        return None
    ours, random, margin = 100.0 * np.array(pairs).T
    base = BASE.get(line.learner, line.learner)
    learner = line.learner if base == line.learner else f"{line.learner}, against {base}"
    under = " and ".join(filter(None, (line.condition, line.remedy and f"({line.remedy})")))
    return {
        "row": line.row or "", "strategy": f"`{line.strategy}`", "learner": learner,
        "data set": _short(dataset), "pool": under, "runs": len(pairs),
        "minus random": student_interval(ours - random),
        "minus margin": student_interval(ours - margin),
    }  # fmt: skip


def _pairs(config: Config, dataset: str, line: Line) -> Iterator[Floats]:
    for seed in range(config.runs):
        three = [_path(config, one) for one in _three(line, dataset, seed)]
        if all(path.exists() for path in three):
            yield np.array([read_json(path)["area"] for path in three])


main = Benchmark("deep", Config, run)
