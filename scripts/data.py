"""Data and stores: fetch a suite, verify, compare or merge run stores, read an access log."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from lal.data.suites import Suite, load_suite
from lal.errors import DataError, UsageError
from lal.evaluation.holdout.access_log import read_access_log
from lal.evaluation.runs.shards import merge_stores
from lal.evaluation.runs.store import RunStore
from lal.serialization import config_hash, write_json
from scripts.entry import run_main


@dataclass(frozen=True)
class Fetch:
    """Load every data set of a suite once and write the list with the hash of each."""

    suite: Annotated[str, tyro.conf.Positional] = "bundled"
    """bundled, synthetic, openml-cc18, alpbench, tabular-al-v1, a folder or a .json list."""

    out: Path | None = None
    """The list that pins what was fetched; SUITE.lock.json when not given."""

    keep_going: bool = False
    """Leave out what cannot be fetched, and say so, instead of stopping there."""


@dataclass(frozen=True)
class Verify:
    """Read every run of a run store; damaged files are moved to its folder quarantine."""

    store: Annotated[Path, tyro.conf.Positional] = Path("runs/eval")
    """Run store of scripts.evaluate."""


@dataclass(frozen=True)
class Compare:
    """Say whether run stores hold the same results: rows asked for and metrics, no times."""

    stores: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Two run stores or more, for example of one evaluation on several backends."""


@dataclass(frozen=True)
class Merge:
    """Put the finished runs of shards into one run store, by what determines each run."""

    into: Annotated[Path, tyro.conf.Positional] = Path("runs/eval")
    """Run store that takes them; made when absent."""

    stores: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Run stores of the shards."""


@dataclass(frozen=True)
class AccessLog:
    """Show who evaluated what on a locked suite, and when."""

    suite: Annotated[str, tyro.conf.Positional] = "."
    """A folder or a .json list that says "wall": "sealed"."""


def fetch(config: Fetch) -> None:
    """Fetch a suite; what is there already is only checked."""
    suite = load_suite(config.suite)
    if suite.log is not None:
        raise UsageError(f"suite {suite.name!r} is locked; only an evaluation looks at its data")
    items, failed = _fetched(suite, config.keep_going)
    out = config.out or Path(f"{suite.name}.lock.json")
    write_json(out, {"name": suite.name, "datasets": items})
    for line in failed:
        print(line, file=sys.stderr)
    left_out = f", {len(failed)} left out" if failed else ""
    print(f"{len(items)} data sets of {suite.name}{left_out}; pinned in {out}")


def _fetched(suite: Suite, keep_going: bool) -> tuple[list[dict[str, Any]], list[str]]:
    items: list[dict[str, Any]] = []
    failed: list[str] = []
    for number, entry in enumerate(suite.entries, start=1):
        try:
            dataset = suite[entry.name]
        except DataError as error:
            if not keep_going:
                raise
            failed.append(f"{entry.name}: {error}")
            continue
        shape = f"{len(dataset)} rows, {dataset.n_features} columns, {dataset.n_classes} classes"
        print(f"{number}/{len(suite)} {entry.name}: {shape}", file=sys.stderr)
        about = {"id": entry.name, "source": entry.source, "family": dataset.family}
        items.append({**about, "sha256": dataset.sha256})
    if not items:
        raise DataError(f"nothing of suite {suite.name!r} could be fetched: {failed[0]}")
    return items, failed


def verify(config: Verify) -> None:
    """Check a store.

    Raises:
        DataError: Files were set aside; the command that repeats them is in the message.
    """
    found = RunStore.existing(config.store).verify()
    counts = ", ".join(f"{n} {status}" for status, n in sorted(found.counts.items())) or "no runs"
    print(f"{counts}; {found.missing} of the latest evaluation missing")
    if found.quarantined:
        raise DataError(
            f"{len(found.quarantined)} files are in {str(config.store / 'quarantine')!r}; run the "
            "evaluation again to repeat these runs, and delete the folder when you have seen it"
        )


def compare(config: Compare) -> None:
    """Print a digest of the results of every store.

    Raises:
        DataError: The stores differ.
    """
    if len(config.stores) < 2:
        raise UsageError("name two run stores or more, for example runs/one runs/two")
    results = [dict(digests(RunStore.existing(folder))) for folder in config.stores]
    for folder, found in zip(config.stores, results, strict=True):
        print(f"{folder}: {len(found)} runs, results {config_hash(found)}")
    first, every = results[0], {key for found in results for key in found}
    unequal = [k for k in sorted(every) if any(f.get(k) != first.get(k) for f in results)]
    if unequal:
        raise DataError(
            f"{len(unequal)} of {len(every)} runs differ or are missing, the first {unequal[0]}"
        )
    print("the same runs, the same rows queried, the same metrics to the last digit")


def merge(config: Merge) -> None:
    """Merge stores; runs that are there already are not taken twice."""
    if not config.stores:
        raise UsageError("name the run stores to merge, for example runs/eval runs/eval/shards/*")
    sources = [RunStore.existing(folder) for folder in config.stores]
    parquet = any(path.suffix == ".parquet" for store in sources for path in store.files()[:1])
    into = RunStore(config.into, "parquet" if parquet else "json")
    for folder, n in merge_stores(into, sources).items():
        print(f"{folder}: {n} runs taken")
    missing = sum(into.find(key) is None for key in into.listed())
    print(f"{config.into}: {len(into.keys())} runs, {missing} of the latest evaluation missing")


def digests(store: RunStore) -> Iterator[tuple[str, str]]:
    """Yield the key of every run and a hash of what does not depend on the machine's speed."""
    for run in store:
        curves = {name: values.tolist() for name, values in run.metrics.items()}
        points = {"n_labels": run.n_labels.tolist(), "queried": run.queried.tolist()}
        yield run.key, config_hash({"status": run.status, **points, "metrics": curves})


def access_log(config: AccessLog) -> None:
    """Print the access log of a locked suite."""
    suite = load_suite(config.suite)
    if suite.log is None:
        raise UsageError(f"suite {suite.name!r} is not locked; it has no access log")
    found = read_access_log(suite.log)
    for access in found:
        policies = ", ".join(f"{k} {v[:12]}" for k, v in access.policies.items()) or "no policy"
        print(f"{access.when} {access.who}: protocol {access.protocol}, {policies}")
    print(f"{suite.name}: {len(found)} accesses")


COMMANDS: dict[str, tuple[Callable[[Any], None], type]] = {
    "fetch": (fetch, Fetch),
    "verify": (verify, Verify),
    "compare": (compare, Compare),
    "merge": (merge, Merge),
    "access-log": (access_log, AccessLog),
}

RENAMED = {"openings": "access-log"}
"""Commands of earlier releases."""


def run(argv: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    argv = [RENAMED.get(argv[0], argv[0]), *argv[1:]] if argv else []
    if not argv or argv[0] not in COMMANDS:
        print(__doc__.strip())
        for name, (_, config) in COMMANDS.items():
            print(f"  python -m scripts.data {name}: {(config.__doc__ or '').splitlines()[0]}")
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    main, config_type = COMMANDS[argv[0]]
    return run_main(main, config_type, argv[1:])


if __name__ == "__main__":
    raise SystemExit(run(sys.argv[1:]))
