"""Locked suites: loaded only when the partition holds, and every access is logged."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lal.data.dataset import Dataset
from lal.data.datasets import load_dataset
from lal.data.suites import IMAGES, Entry, Suite, load_suite
from lal.errors import UsageError
from lal.evaluation.holdout.access_log import TestAccess, log_access
from lal.evaluation.holdout.partition import check_locked
from lal.evaluation.runs.methods import MethodSpec
from lal.evaluation.runs.protocol import Protocol
from lal.serialization import to_mapping


def locked_suites(names: Sequence[str]) -> list[Suite]:
    """Return those of some suites that are locked; nothing of them is loaded."""
    suites = [load_suite(name) for name in names if not _is_single(name)]
    return [suite for suite in suites if suite.log is not None]


def load_evaluated(
    suites: Sequence[str], names: Sequence[str], seen: Mapping[str, Sequence[str]]
) -> list[Dataset]:
    """Return data sets to evaluate on, unless a policy saw relatives of locked ones in training.

    On other suites such data sets are evaluated, but marked and never averaged.

    Args:
        suites: Suites and single data sets.
        names: Data sets of the suites to take; all when empty.
        seen: Families seen in training, by the label of each policy.

    Raises:
        DataError: A locked data set has relatives that a policy was trained on.
        UsageError: A wanted name is in none of the suites.
    """
    locked = locked_suites(suites)
    check_locked([e for suite in locked for e in _wanted(suite, names)], seen)
    found = load_all(suites, names)
    inside = {name for suite in locked for name in suite.names}
    check_locked([d for d in found if d.name in inside], seen)  # content may tell more
    return found


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


def log_accesses(
    locked: Sequence[Suite], protocol: Protocol, methods: Sequence[MethodSpec]
) -> list[dict[str, Any]]:
    """Log that locked suites are evaluated on, and return all accesses so far.

    Call it when the whole plan was checked, so that a mistake logs nothing, and before anything is
    fitted.
    """
    policies = {m.label: m.sha256 for m in methods if m.sha256}
    found: list[TestAccess] = []
    for suite in locked:
        if suite.log is not None:
            found += log_access(
                suite.log, suite=suite.name, protocol=protocol.hash, policies=policies
            )
    return [to_mapping(access) for access in found]


def _is_single(name: str) -> bool:
    return ":" in name and not name.startswith(IMAGES) and not Path(name).exists()


def _wanted(suite: Suite, names: Sequence[str]) -> list[Entry]:
    return [entry for entry in suite.entries if not names or entry.name in names]
