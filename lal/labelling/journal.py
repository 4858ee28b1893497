"""The journal of a campaign: one line an event, on the disk before the answer counts."""

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from lal.errors import DataError, UsageError

SCHEMA = 1
"""Version of the journal's lines."""

Kind = Literal["label", "skip", "undo"]


@dataclass(frozen=True)
class Event:
    """One thing a person did.

    Attributes:
        do: What it was; an undo takes back the last event that still stands.
        row: The row, for labels and skips.
        label: The class, for labels.
        name: What the person calls the row, for people who read the journal.
    """

    do: Kind
    row: int | None = None
    label: str | None = None
    name: str | None = None


class Journal:
    """An append-only file of events, locked for one process.

    Every event is written and flushed to the disk (fsync) before `append` returns, so a killed
    process loses at most an answer that was never acknowledged: a torn last line is cut off when
    the journal is opened again.

    Args:
        path: The file, made when absent.
        about: What it belongs to (fingerprint of the table, target, classes); an existing journal
            must say the same.

    Raises:
        UsageError: Another process has it open, or it belongs to another table.
        DataError: A line in the middle is damaged.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        self._file: BinaryIO = path.open("a+b", buffering=0)
        try:
            _lock(self._file, path)
            self.standing = self._replay(dict(about))
        except BaseException:
            self._file.close()
            raise
        if fresh:
            _sync_folder(path.parent)

    def append(self, event: Event) -> None:
        """Write an event and wait until the disk has it.

        Raises:
            UsageError: An undo with nothing to take back, or the journal is closed.
        """
        if self._file.closed:
            raise UsageError(f"the journal {self.path.name!r} is closed; open the campaign again")
        if event.do == "undo" and not self.standing:
            raise UsageError("there is nothing to undo")
        self._write({k: v for k, v in asdict(event).items() if v is not None})
        _apply(self.standing, event)

    def close(self) -> None:
        """Close the file, which lets others open it."""
        self._file.close()

    def _replay(self, about: dict[str, Any]) -> list[Event]:
        """Return the events that stand, oldest first."""
        lines = self._whole_lines()
        if not lines:
            self._write({"schema": SCHEMA, **about})
            return []
        self._check_header(self._parse(lines[0], 1), about)
        standing: list[Event] = []
        for number, line in enumerate(lines[1:], start=2):
            try:
                _apply(standing, _event(self._parse(line, number)))
            except (TypeError, IndexError, ValueError) as error:
                raise self._damaged(number) from error
        return standing

    def _whole_lines(self) -> list[bytes]:
        """Return the lines that end; what is behind the last line end was never acknowledged."""
        self._file.seek(0)
        content = self._file.read()
        end = content.rfind(b"\n") + 1
        if end < len(content):
            self._file.truncate(end)
        return content[:end].splitlines()

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except ValueError as error:
            raise self._damaged(number) from error
        if not isinstance(value, dict):
            raise self._damaged(number)
        return value

    def _damaged(self, number: int) -> DataError:
        return DataError(
            f"line {number} of the journal {str(self.path)!r} is damaged; restore the file from a "
            "copy, or remove that line"
        )

    def _check_header(self, held: dict[str, Any], about: dict[str, Any]) -> None:
        if held.get("schema") != SCHEMA:
            raise DataError(
                f"the journal {str(self.path)!r} has schema {held.get('schema')!r}; this release "
                f"reads {SCHEMA}"
            )
        for key, value in about.items():
            if held.get(key) != value:
                raise UsageError(
                    f"the journal {str(self.path)!r} belongs to another {key} "
                    f"({held.get(key)!r}, now {value!r}); go back to it, or name a new journal"
                )

    def _write(self, value: Mapping[str, Any]) -> None:
        line = json.dumps(value, ensure_ascii=False).encode() + b"\n"
        before = os.fstat(self._file.fileno()).st_size
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(before)  # half a line must not stand before the next one
            raise DataError(
                f"the answer could not be written to {str(self.path)!r} ({error.strerror}); it "
                "does not count, give it again once there is room"
            ) from error


def _event(fields: dict[str, Any]) -> Event:
    """Return the event of a line, or raise ValueError or TypeError."""
    event = Event(**fields)
    number = type(event.row) is int and event.row >= 0
    text = isinstance(event.label, str)
    if (event.do, number, text) not in (
        ("label", True, True),
        ("skip", True, False),
        ("undo", False, False),
    ):
        raise ValueError("no such event")
    return event


def _apply(standing: list[Event], event: Event) -> None:
    if event.do == "undo":
        standing.pop()
    else:
        standing.append(event)


def _lock(file: BinaryIO, path: Path) -> None:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"another process has the journal {str(path)!r} open; end it first"
        ) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
