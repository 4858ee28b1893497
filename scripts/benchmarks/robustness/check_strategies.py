"""What `check_strategy` finds in scikit-activeml's own pool strategies, as a table.

``python -m scripts.benchmark check_strategies`` runs every check over every strategy
as we offer it (``skactiveml:<Name>``), and besides asks the library itself for batches among equal
rows.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lal.checks import sample_state, strategy_checks
from lal.data.view import make_geometry
from lal.errors import LalError
from lal.state import QueryState
from lal.strategies.skactiveml import SkactivemlStrategy, skactiveml_names
from scripts.benchmarks.base import Benchmark, Results

BATCH = 10
SEEDS = 5


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which strategies."""

    names: tuple[str, ...] = ()
    """Names without the prefix; all when empty."""


def run(config: Config, results: Results) -> None:
    """Add one row per strategy: the checks that fail, one sentence each."""
    names = config.names or skactiveml_names()
    clean = 0
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the library's own, about few labels
            passed, n_checks, found = findings(name)
        clean += not found
        said = "; ".join(found).replace("|", "/") or "none"
        row = {"strategy": name, "checks passed": f"{passed} of {n_checks}", "findings": said}
        results.add("skactiveml", row)
    results.note(f"{clean} of {len(names)} without a finding")


def findings(name: str) -> tuple[int, int, list[str]]:
    """Return the checks that a strategy passes, all checks, and what the failed ones say."""
    failed: dict[str, list[str]] = {}
    n_checks = 1
    for title, check in strategy_checks(f"skactiveml:{name}"):
        n_checks += 1
        try:
            check()
        except LalError as error:
            failed.setdefault(_sentence(error, name), []).append(title)
    said = [f"{sentence} ({'; '.join(titles)})" for sentence, titles in failed.items()]
    twice = list(duplicates(name))
    n_failed = sum(len(titles) for titles in failed.values()) + len(twice)
    return n_checks - n_failed, n_checks, said + twice


def _sentence(error: LalError, name: str) -> str:
    said = " ".join(str(error).split()).replace("'", "")
    said = re.sub(rf"skactiveml:{name} (\([a-z ]+\) )?", "", said)
    return re.sub(r"cannot query this pool of [^:]*: ", "refuses: ", said)[:120]


def duplicates(name: str) -> Iterator[str]:
    """Yield a sentence when the library's batch holds a row twice where rows are equal."""
    state = _equal_rows()
    strategy = SkactivemlStrategy(name)
    seeds = []
    for seed in range(SEEDS):
        try:
            batch = strategy.library_batch(state, np.random.default_rng(seed), BATCH)
        except LalError as error:
            yield f"batch among equal rows: {_sentence(error, name)}"
            return
        if len(set(batch.tolist())) < BATCH:
            seeds.append(seed)
    if seeds:
        yield (
            f"the library's batch of {BATCH} among equal rows holds a row twice ({len(seeds)} of "
            f"{SEEDS} seeds; ours fills such places anew)"
        )


def _equal_rows() -> QueryState:
    """Return a state in which every open row is there four times."""
    state = sample_state()
    source = np.concatenate([np.arange(12), np.repeat(np.arange(12, 24), 4)])
    X = state.X[source]
    proba = None if state.proba is None else state.proba[source]
    return replace(state, X=X, geometry=make_geometry(X), proba=proba)


main = Benchmark("check_strategies", Config, run)
