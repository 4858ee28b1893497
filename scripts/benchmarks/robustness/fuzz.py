"""Mutated policy files: none may crash, hang, execute anything, or load silently wrong.

``python -m scripts.benchmark fuzz --mutations 20000`` changes files in eleven ways, loads each and
runs what loads. A loaded file counts as right when it answers as the original does; where the
mutation gave the file a right digest again, it is another valid policy and has to run, or to be
refused in one line. Events of Python's audit hook say whether loading executed or opened anything.
Files are loaded in child processes of limited memory, so that a crash is counted and not felt.
"""

import concurrent.futures.process
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lal.errors import DataError, LalError, UsageError
from lal.policies.pool_policy import PoolPolicy
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.robustness.fuzz_mutations import MUTATIONS
from scripts.benchmarks.robustness.fuzz_samples import Sample, answer, samples

FORBIDDEN = ("exec", "compile", "os.", "subprocess.", "pickle.", "socket.", "ctypes.", "shutil.")
"""Audit events, by their beginning, that loading must not raise once everything is imported."""

ALLOWED = ("os.listdir", "os.scandir")
"""Of these only reading the folder of shipped policies."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How many files, within which limits."""

    mutations: int = 20_000
    """Files."""

    first: int = 0
    """Number of the first file, to run in parts."""

    seed: int = 0
    """Names the mutations: file i is the same in every run."""

    seconds: float = 2.0
    """CPU seconds to load and run one file beyond which it counts as a hang."""

    megabytes: int = 400
    """Growth of the memory of a child process beyond which it counts as unbounded."""

    chunk: int = 1000
    """Files of one child process."""


@dataclass
class Found:
    """What became of some files."""

    outcomes: Counter[tuple[str, str]]
    slowest: float = 0.0
    grown: float = 0.0
    worst: str = ""


class Audit:
    """Counts the events of loading that should not be there."""

    def __init__(self) -> None:
        self.listening = False
        self.events: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.listening or event in ALLOWED:
            return
        written = event == "open" and any(c in str(arguments[1] or "r") for c in "wax+")
        if written or event.startswith(FORBIDDEN):
            self.events.append(event)


def fuzz(numbers: Sequence[int], seed: int, folder: Path, *, seconds: float = 2.0) -> Found:
    """Load the mutated files of these numbers and return what became of them."""
    originals = samples(folder)
    audit = _audit()
    found = Found(Counter())
    before = _peak()
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        kind = list(MUTATIONS)[number % len(MUTATIONS)]
        sample = originals[int(rng.integers(len(originals)))]
        path = folder / "mutated.safetensors"
        path.with_name("aliases.json").unlink(missing_ok=True)
        valid = MUTATIONS[kind](sample, path, rng)
        audit.events.clear()
        began = time.process_time()
        outcome = _outcome(sample, path, valid, audit)
        spent = time.process_time() - began
        if audit.events:
            outcome = f"EXECUTED {audit.events[0]}"
        outcome = outcome if spent <= seconds else "HUNG"
        if outcome.split()[0].isupper():
            found.worst = found.worst or f"{kind} {number}: {outcome}"
        found.outcomes[kind, outcome.split(":")[0]] += 1
        found.slowest = max(found.slowest, spent)
    found.grown = _peak() - before
    return found


_AUDITS: list[Audit] = []


def _audit() -> Audit:
    """Return the hook of this process; one cannot be taken away again."""
    if not _AUDITS:
        _AUDITS.append(Audit())
    return _AUDITS[0]


def _peak() -> float:
    """Return the most memory this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _outcome(sample: Sample, path: Path, valid: bool, audit: Audit) -> str:
    try:
        audit.listening = True
        try:
            policy = sample.load(path)
        finally:
            audit.listening = False
        return _judged(policy, sample, valid)
    except LalError as error:
        said = str(error)
        return "refused" if said.isprintable() and len(said) < 1000 else "REFUSED BADLY"
    except MemoryError:
        return "MEMORY"
    except Exception as error:  # finding any is what this is for
        return f"CRASHED {type(error).__name__}: {error}"


def _judged(policy: Any, sample: Sample, valid: bool) -> str:
    """Return what a file that loaded is worth: as before, another valid policy, or WRONG."""
    if isinstance(policy, PoolPolicy):
        str(policy.card), policy.card.to_html(), policy.card.to_markdown()
    try:
        values = answer(policy)
    except (DataError, UsageError):
        return "refused"
    same = len(values) == len(sample.right) and np.array_equal(values, sample.right)
    if same and len(getattr(policy, "candidate_features", ())) == sample.n_features:
        return "as before"
    return "another policy" if valid and values.shape == sample.right.shape else "WRONG"


def run(config: Config, results: Results) -> None:
    """Fuzz in child processes and add the counts.

    Raises:
        UsageError: A file crashed, hung, executed, or loaded wrongly.
    """
    total = Found(Counter())
    with tempfile.TemporaryDirectory() as folder:
        end = config.first + config.mutations
        for first in range(config.first, end, config.chunk):
            numbers = range(first, min(first + config.chunk, end))
            _add(total, _in_child(numbers, config, Path(folder)))
    report(total, config, results)
    bad = sum(n for (_, outcome), n in total.outcomes.items() if outcome.split()[0].isupper())
    if bad or total.grown > config.megabytes:
        raise UsageError(f"{bad} files failed ({total.worst}); memory grew {total.grown:.0f} MB")


def _in_child(numbers: Sequence[int], config: Config, folder: Path) -> Found:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(fuzz, numbers, config.seed, folder, seconds=config.seconds).result(
                timeout=config.seconds * len(numbers)
            )
        except concurrent.futures.process.BrokenProcessPool:
            crashed = Counter({("a child process", "CRASHED the interpreter"): 1})
            return Found(crashed, worst=f"files {numbers[0]} to {numbers[-1]}")


def _add(total: Found, found: Found) -> None:
    total.outcomes.update(found.outcomes)
    total.slowest = max(total.slowest, found.slowest)
    total.grown = max(total.grown, found.grown)
    total.worst = total.worst or found.worst


def report(found: Found, config: Config, results: Results) -> None:
    """Add the counts of the outcomes, for every mutation and in all."""
    outcomes = sorted({outcome for _, outcome in found.outcomes}, key=str.lower)
    for kind in sorted({kind for kind, _ in found.outcomes}):
        counts = {outcome: found.outcomes[kind, outcome] for outcome in outcomes}
        results.add("outcomes", {"mutation": kind, **counts})
    sums = {o: sum(n for (_, at), n in found.outcomes.items() if at == o) for o in outcomes}
    results.add("outcomes", {"mutation": "all", **sums})
    results.note(
        f"{config.mutations} files from {config.first} on, seed {config.seed}; "
        f"slowest {found.slowest:.3f} CPU s; "
        f"memory of a child process grew by {found.grown:.0f} MB at most"
    )


main = Benchmark("fuzz", Config, run)
