"""Test-set access log: who evaluated what on a locked suite, and when; lines are only added.

Every line holds the hash of the one before, so a line that is taken out or changed shows.
"""

import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lal.errors import DataError
from lal.serialization import canonical_json

FIRST = "0" * 64
"""What the first line has for the hash of the line before."""


@dataclass(frozen=True)
class TestAccess:
    """One evaluation on a locked suite.

    Attributes:
        who: Name of the account.
        when: UTC, to the second.
        suite: Name of the suite.
        protocol: Hash of the protocol.
        policies: Hashes of the policy files, by label; hand-written strategies have none.
        previous: SHA-256 of the line before.
    """

    who: str
    when: str
    suite: str
    protocol: str
    policies: Mapping[str, str]
    previous: str


def log_access(
    path: Path, *, suite: str, protocol: str, policies: Mapping[str, str]
) -> list[TestAccess]:
    """Add a line to the log, on disk before anything is executed; return all lines.

    An evaluation that is continued (same suite, protocol and policies as some line) does not count
    again.

    Raises:
        DataError: The log cannot be written, or was tampered with.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+", encoding="utf-8") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            log.seek(0)
            known = _parsed(log.read(), path)
            new = {"suite": suite, "protocol": protocol, "policies": dict(policies)}
            if not any(_same(access, new) for access in known):
                line = canonical_json({**new, **_now(), "previous": _last(known)})
                log.write(line + "\n")
                log.flush()
                os.fsync(log.fileno())
                known.append(TestAccess(**json.loads(line)))
            return known
    except OSError as error:
        raise DataError(
            f"the access log {str(path)!r} cannot be written ({error}); a locked suite is not "
            "evaluated without it"
        ) from error


def read_access_log(path: Path) -> list[TestAccess]:
    """Return all lines of a log; none when it was never written.

    Raises:
        DataError: A line was changed or taken out.
    """
    return _parsed(path.read_text(encoding="utf-8"), path) if path.exists() else []


def _now() -> dict[str, str]:
    return {"who": getpass.getuser(), "when": datetime.now(UTC).isoformat(timespec="seconds")}


def _same(access: TestAccess, new: Mapping[str, Any]) -> bool:
    return all(getattr(access, name) == value for name, value in new.items())


def _last(known: Sequence[TestAccess]) -> str:
    return _line_hash(known[-1]) if known else FIRST


def _line_hash(access: TestAccess) -> str:
    return hashlib.sha256(canonical_json(access).encode()).hexdigest()


def _parsed(text: str, path: Path) -> list[TestAccess]:
    found: list[TestAccess] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            access = TestAccess(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise DataError(
                f"line {number} of {str(path)!r} is not an access record: {error}"
            ) from error
        if access.previous != _last(found):
            raise DataError(
                f"line {number} of {str(path)!r} does not follow the line before: lines were "
                "changed or taken out"
            )
        found.append(access)
    return found
