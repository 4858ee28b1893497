"""Openings log: who evaluated what on a sealed suite, and when; lines are only ever added.

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
class Opening:
    """One evaluation on a sealed suite.

    Attributes:
        who: Name of the account.
        when: UTC, to the second.
        suite: Name of the suite.
        protocol: Hash of the protocol.
        policies: Hashes of the policy files, by label; hand-written rules have none.
        previous: SHA-256 of the line before.
    """

    who: str
    when: str
    suite: str
    protocol: str
    policies: Mapping[str, str]
    previous: str


def log_opening(
    path: Path, *, suite: str, protocol: str, policies: Mapping[str, str]
) -> list[Opening]:
    """Add a line to the log, on disk before anything is played; return all lines.

    The same evaluation gone on with (same suite, protocol and policies as some line) is no new
    opening.

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
            if not any(_same(opening, new) for opening in known):
                line = canonical_json({**new, **_now(), "previous": _last(known)})
                log.write(line + "\n")
                log.flush()
                os.fsync(log.fileno())
                known.append(Opening(**json.loads(line)))
            return known
    except OSError as error:
        raise DataError(
            f"the openings log {str(path)!r} cannot be written ({error}); a sealed suite is not "
            "opened without it"
        ) from error


def read_openings(path: Path) -> list[Opening]:
    """Return all lines of a log; none when it was never written.

    Raises:
        DataError: A line was changed or taken out.
    """
    return _parsed(path.read_text(encoding="utf-8"), path) if path.exists() else []


def _now() -> dict[str, str]:
    return {"who": getpass.getuser(), "when": datetime.now(UTC).isoformat(timespec="seconds")}


def _same(opening: Opening, new: Mapping[str, Any]) -> bool:
    return all(getattr(opening, name) == value for name, value in new.items())


def _last(known: Sequence[Opening]) -> str:
    return _line_hash(known[-1]) if known else FIRST


def _line_hash(opening: Opening) -> str:
    return hashlib.sha256(canonical_json(opening).encode()).hexdigest()


def _parsed(text: str, path: Path) -> list[Opening]:
    found: list[Opening] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            opening = Opening(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise DataError(f"line {number} of {str(path)!r} is no opening: {error}") from error
        if opening.previous != _last(found):
            raise DataError(
                f"line {number} of {str(path)!r} does not follow the line before: lines were "
                "changed or taken out"
            )
        found.append(opening)
    return found
