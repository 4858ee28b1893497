"""Compare strategies on data sets with paired runs; can be stopped and run again at any time."""

import json
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lal.data.dataset import Dataset
from lal.data.datasets import load_dataset
from lal.data.suites import Entry, Suite, load_suite
from lal.errors import UsageError
from lal.evaluation.analysis.summary import Row, format_summary, summarise
from lal.evaluation.holdout.access_log import Opening, log_opening
from lal.evaluation.holdout.partition import check_sealed
from lal.evaluation.runs.backends import Backend
from lal.evaluation.runs.controls import Controls, with_controls
from lal.evaluation.runs.costs import predict_seconds
from lal.evaluation.runs.methods import Entrant, parse_entrants
from lal.evaluation.runs.protocol import Protocol, Regime, make_protocol
from lal.evaluation.runs.runner import Plan, Progress, Summary, plan, run_cells
from lal.evaluation.runs.store import Format, RunStore
from lal.serialization import to_mapping, write_json
from scripts.entry import flags_of, run_main
from scripts.provenance import provenance


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is compared, on what, and how."""

    suite: tuple[str, ...] = ("bundled",)
    """Suites (bundled, synthetic, a folder, a .json list) or single data sets (sklearn:iris)."""

    datasets: tuple[str, ...] = ()
    """Names of the suites' data sets to take; all when empty."""

    strategies: tuple[str, ...] = ("random", "margin")
    """Names, skactiveml:Name, shipped policies or policy files; label=... names one apart."""

    controls: Controls = "none"
    """Controls added to the strategies. rules: random, margin (also as a policy), epsilon-margin,
    farthest-first and TypiClust before margin. all: also greedy oracles, and of every policy five
    untrained copies and a linear scorer of its features; list a copy trained on shuffled targets
    as shuffled=FILE."""

    learners: tuple[str, ...] = ("logistic_regression",)
    """Learners by name."""

    regime: Regime = "cold"
    """Start, budget and batch; cold is the headline."""

    runs: int = 20
    """Paired runs of every data set and learner (up to five starts on each split)."""

    budget: int | str | None = None
    """Labels bought after the start, or 20C for so many times the classes; the regime's when not
    given."""

    batch_size: int | str | None = None
    """Labels bought between refits, or 10C; the regime's when not given."""

    max_pool: int | None = None
    """Larger pools are sub-sampled, anew for every split; the regime's limit when not given."""

    metric: str = "balanced_accuracy"
    """Headline metric; accuracy, balanced_accuracy and log_likelihood are always measured."""

    seed: int = 0
    """Seed of every stream."""

    seen: tuple[str, ...] = ()
    """Families that the policies have seen, on top of those on their cards: marked, left out."""

    out: Path = Path("runs/eval")
    """Run store; finished cells in it are never played again."""

    jobs: int = 1
    """Processes; the numbers do not depend on it."""

    backend: Backend = "local"
    """Where cells are played: this machine, or a Dask or Ray cluster (extras dask and ray)."""

    address: str = ""
    """Address of a running cluster; empty to start one here with as many workers as jobs."""

    cell_seconds: float = 0.0
    """Processor time that one cell may take; 0 for no limit. Slower cells are kept as timed
    out. A busy machine does not count against a cell, unless it takes twenty times as long."""

    give_up: int = 0
    """Time-outs of a strategy on one data set and learner after which its other runs there are
    not tried, and kept as timed out with the reason; 0 to try all."""

    retry: bool = False
    """Play failed cells again."""

    dry_run: bool = False
    """Say what there is to do and how long it should take, and stop."""

    store_format: Format = "parquet"
    """Format of new cells: parquet (needs the extra tables) or json."""


def main(config: Config) -> list[Row]:
    """Play what is missing and print the summary; returns its rows (none for a dry run)."""
    entrants = parse_entrants(config.strategies)
    if config.controls != "none":
        entrants = with_controls(entrants, config.controls, _controls_folder(config))
    if config.controls == "all" and not any(e.label.startswith("shuffled") for e in entrants):
        print("no copy trained on shuffled targets is listed (shuffled=FILE)", file=sys.stderr)
    protocol = make_config_protocol(config)
    seen = {e.label: sorted({*e.seen, *config.seen}) for e in entrants if e.sha256}
    sealed = sealed_suites(config.suite)
    datasets = load_behind_walls(config, sealed, seen)
    store = RunStore(config.out, config.store_format)
    work = plan(
        protocol,
        datasets,
        config.learners,
        entrants,
        store=store,
        cell_seconds=config.cell_seconds,
        retry=config.retry,
    )
    opened = log_openings(sealed, protocol, entrants)
    if config.dry_run:
        print(cost_text(work, config))
        return []
    keys = [c.key for c in work.cells]
    about = {**manifest(config, protocol, datasets, entrants, seen), "openings": opened}
    store.write_manifest(about, keys)
    write_json(config.out / "config.json", config)
    done = run_cells(
        work,
        store,
        backend=config.backend,
        jobs=config.jobs,
        address=config.address,
        cell_seconds=config.cell_seconds,
        give_up=config.give_up,
        report=Reporter(),
    )
    print(done_text(done))
    rows = summarise(store.to_table(), seen=seen)
    print(f"\n{protocol.metric}, {protocol.n_runs} runs; differences in points, 95 % intervals\n")
    print(format_summary(rows))
    print(f"\npython -m scripts.report {shlex.quote(str(config.out))} --out report.html")
    return rows


def _controls_folder(config: Config) -> Path:
    """Return where copies of policies go: a dry run leaves nothing behind in the store."""
    if config.dry_run:
        return Path(tempfile.mkdtemp(prefix="lal-controls-"))
    return config.out / "controls"


def sealed_suites(names: Sequence[str]) -> list[Suite]:
    """Return those of some suites that are sealed; nothing of them is loaded."""
    suites = [load_suite(name) for name in names if not _is_single(name)]
    return [suite for suite in suites if suite.log is not None]


def load_behind_walls(
    config: Config, sealed: Sequence[Suite], seen: Mapping[str, Sequence[str]]
) -> list[Dataset]:
    """Return the data sets, unless a policy was trained on relatives of sealed ones.

    On other suites such data sets are played, but marked and never averaged.
    """
    check_sealed([e for suite in sealed for e in _wanted(suite, config.datasets)], seen)
    found = load_all(config.suite, config.datasets)
    inside = {name for suite in sealed for name in suite.names}
    check_sealed([d for d in found if d.name in inside], seen)  # content may tell more
    return found


def _is_single(name: str) -> bool:
    return ":" in name and not Path(name).exists()


def log_openings(
    sealed: Sequence[Suite], protocol: Protocol, entrants: Sequence[Entrant]
) -> list[dict[str, Any]]:
    """Log that sealed suites are opened and return all openings.

    It is done when the whole plan was checked, so that a mistake opens nothing, and before
    anything is fitted.
    """
    policies = {e.label: e.sha256 for e in entrants if e.sha256}
    found: list[Opening] = []
    for suite in sealed:
        if suite.log is not None:
            found += log_opening(
                suite.log, suite=suite.name, protocol=protocol.hash, policies=policies
            )
    return [to_mapping(opening) for opening in found]


def load_all(suites: Sequence[str], names: Sequence[str] = ()) -> list[Dataset]:
    """Return the data sets of some suites and single names, all loaded.

    Raises:
        UsageError: A wanted name is in none of the suites.
    """
    found: list[Dataset] = []
    for name in suites:
        if _is_single(name):
            found.append(load_dataset(name))
        else:
            suite = load_suite(name)
            found += [suite[entry.name] for entry in _wanted(suite, names)]
    if unknown := sorted(set(names) - {d.name for d in found}):
        raise UsageError(f"data sets {', '.join(unknown)} are in none of {', '.join(suites)}")
    return found


def _wanted(suite: Suite, names: Sequence[str]) -> list[Entry]:
    return [entry for entry in suite.entries if not names or entry.name in names]


def make_config_protocol(config: Config) -> Protocol:
    """Return the protocol that the flags describe."""
    changes: dict[str, Any] = {"metric": config.metric, "seed": config.seed}
    if config.budget is not None:
        changes["budget"] = config.budget
    for name in ("batch_size", "max_pool"):
        if getattr(config, name) is not None:
            changes[name] = getattr(config, name)
    return make_protocol(config.regime, **changes).with_runs(config.runs)


def cost_text(work: Plan, config: Config) -> str:
    """Return what a dry run says."""
    costs = predict_seconds(work, cell_seconds=config.cell_seconds, give_up=config.give_up)
    lines = [f"{len(work.cells)} cells, {len(work.cells) - len(work.missing)} finished"]
    lines += [f"  {label}: {seconds:.0f} s" for label, seconds in sorted(costs.items())]
    total = sum(costs.values())
    return "\n".join([*lines, f"about {total / config.jobs:.0f} s on {config.jobs} process(es)"])


def done_text(done: Summary) -> str:
    """Return what a run did, with its wall time and how flat its memory stayed."""
    failed = f", {done.failed} of them failed or timed out" if done.failed else ""
    early, late = done.memory
    memory = f"; memory peak {late:.0f} MiB" + (f", {early:.0f} after a tenth" if early else "")
    played = f"{done.played} played in {done.seconds:.0f} s{failed}"
    return f"{done.found} cells were finished, {played}{memory if done.played else ''}"


def manifest(
    config: Config,
    protocol: Protocol,
    datasets: Sequence[Dataset],
    entrants: Sequence[Entrant],
    seen: dict[str, list[str]],
) -> dict[str, Any]:
    """Return what is stored beside the cells: everything needed to run this again."""
    return {
        "config": to_mapping(config),
        "command": "python -m scripts.evaluate " + command(config),
        "protocol": json.loads(protocol.to_json()),
        "protocol_hash": protocol.hash,
        "entrants": [to_mapping(e) for e in entrants],
        "seen": seen,
        **provenance(config, data={d.name: d.sha256 for d in datasets}),
    }


def command(config: Config) -> str:
    """Return the flags that give this config."""
    return flags_of(config, Config())


class Reporter:
    """Prints progress lines on stderr: at most one every few seconds, and the last."""

    def __init__(self, every: float = 5.0) -> None:
        self.every = every
        self.last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Print a line when it is time."""
        now = time.monotonic()
        if progress.done < progress.total and now - self.last < self.every:
            return
        self.last = now
        failed = f", {progress.failed} failed" if progress.failed else ""
        left = f", about {progress.seconds_left:.0f} s left"
        print(f"{progress.done}/{progress.total} cells{failed}{left}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(run_main(main, Config))
