"""The journal of a labelling project: one line an event, on disk before an answer counts."""

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from lal.errors import DataError, UsageError
from lal.serialization import check_file, parse_json

SCHEMA = 1
"""Version of the journal's lines."""

Kind = Literal["label", "skip", "unsure", "change", "settle", "undo"]

HEADER_BEGINS = b'{"schema": '
"""How the first line of every journal begins."""

EVENT_BEGINS = b'{"do": "'
"""How every other line begins."""


@dataclass(frozen=True)
class Event:
    """One thing a person did.

    Attributes:
        do: What it was; an undo takes back the last event that still stands.
        row: The row, for all but undos.
        label: The class, for labels, changes and settlements.
        name: What the person calls the row, for people who read the journal.
        check: True for a label that is kept apart to measure the accuracy; None otherwise.
        by: The annotator; None without a name.
        note: What the annotator wrote about the row.
    """

    do: Kind
    row: int | None = None
    label: str | None = None
    name: str | None = None
    check: bool | None = None
    by: str | None = None
    note: str | None = None


class Journal:
    """An append-only file of events, locked for one process.

    Every event is written and flushed to the disk (fsync) before `append` returns, so a killed
    process loses at most an answer that was never acknowledged: a torn last line is cut off when
    the journal is opened again. A file that does not begin as a journal is never changed.

    Args:
        path: The file, made when absent.
        about: What it belongs to (fingerprint of the table, target, classes); an existing journal
            must say the same.

    Attributes:
        standing: The events that stand, oldest first.
        given: Every (row, label) that was ever given, taken back or not.
        noted: Every (row, note) that was ever written.

    Raises:
        UsageError: Another process has it open, it is not a journal, or of another table.
        DataError: A line in the middle is damaged, or the file cannot be opened.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self.standing: list[Event] = []
        self.given: set[tuple[int, str]] = set()
        self.noted: set[tuple[int, str]] = set()
        fresh = not path.exists()
        self._file = open_to_append(path)
        try:
            lock(self._file, path)
            self._replay(dict(about))
        except BaseException:
            self._file.close()
            raise
        if fresh:
            sync_folder(path.parent)

    def append(self, event: Event) -> None:
        """Write an event and wait until the disk has it.

        Raises:
            UsageError: An undo with nothing to take back, or the journal is closed.
        """
        if self._file.closed:
            raise UsageError(f"the journal {self.path.name!r} is closed; open the project again")
        if event.do == "undo" and not self.standing:
            raise UsageError("there is nothing to undo")
        self._write({k: v for k, v in asdict(event).items() if v is not None})
        self._apply(event)

    def close(self) -> None:
        """Close the file, which lets others open it."""
        self._file.close()

    def _replay(self, about: dict[str, Any]) -> None:
        """Read the events, oldest first; write the first line where there is none."""
        header = json.dumps({"schema": SCHEMA, **about}, ensure_ascii=False).encode() + b"\n"
        self._file.seek(0)
        content = self._file.read()
        end = content.rfind(b"\n") + 1
        lines, torn = content[:end].split(b"\n")[:-1], content[end:]
        if content and not _begins(content, HEADER_BEGINS if lines else header):
            raise UsageError(
                f"{str(self.path)!r} is not a journal of answers; it was left as it is, name "
                "another file for the journal"
            )
        if len(lines) == 1 and not torn and self._is_unused(lines[0], about):
            self._file.truncate(0)
            lines = []
        if lines:
            self._check_header(self._parse(lines[0], 1), about)
        whole = bool(lines) and _is_event(torn)  # an editor may leave out the last line end
        self._read_events([*lines[1:], torn] if whole else lines[1:])
        if lines and not _begins(torn, EVENT_BEGINS):
            raise self._damaged(len(lines) + 1)
        if whole:
            self._write_line(b"\n")
        elif torn:  # a killed write left it; it was never acknowledged
            self._file.truncate(end)
        if not lines:
            self._write_line(header)

    def _is_unused(self, line: bytes, about: dict[str, Any]) -> bool:
        """Whether a journal without answers was begun for another table, and may serve this one."""
        held = self._parse(line, 1)
        ours = held.keys() == {"schema", *about} and held["schema"] == SCHEMA
        return ours and any(held[key] != value for key, value in about.items())

    def _read_events(self, lines: list[bytes]) -> None:
        for number, line in enumerate(lines, start=2):
            try:
                self._apply(_event(self._parse(line, number)))
            except (TypeError, IndexError, ValueError) as error:
                raise self._damaged(number) from error

    def _apply(self, event: Event) -> None:
        if event.do == "undo":
            self.standing.pop()
            return
        self.standing.append(event)
        if event.row is not None and event.label is not None:
            self.given.add((event.row, event.label))
        if event.row is not None and event.note is not None:
            self.noted.add((event.row, event.note))

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            value = parse_json(line)
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
        self._write_line(json.dumps(value, ensure_ascii=False).encode() + b"\n")

    def _write_line(self, line: bytes) -> None:
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
        ("change", True, True),
        ("settle", True, True),
        ("skip", True, False),
        ("unsure", True, False),
        ("undo", False, False),
    ):
        raise ValueError("no such event")
    if event.check is not None and not (event.check is True and event.do == "label"):
        raise ValueError("only labels are kept apart")
    if not (_is_text_or_none(event.by) and _is_text_or_none(event.note)):
        raise ValueError("names and notes are texts")
    return event


def _is_text_or_none(value: object) -> bool:
    return value is None or (isinstance(value, str) and value != "")


def _is_event(line: bytes) -> bool:
    try:
        _event(parse_json(line))
    except (TypeError, ValueError):
        return False
    return True


def _begins(content: bytes, start: bytes) -> bool:
    """Whether content begins so, or is cut off while it does."""
    return content.startswith(start) or start.startswith(content)


def open_to_append(path: Path) -> BinaryIO:
    """Return the file, open for reading and appending; it is made when absent.

    Raises:
        DataError: It cannot be opened, or is a folder, a pipe or a device.
    """
    if path.exists():
        check_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+b", buffering=0)
    except OSError as error:
        raise DataError(
            f"the journal {str(path)!r} cannot be opened ({error.strerror}); answers need a place "
            "that can be written to, name another (journal=, --journal)"
        ) from error


def lock(file: BinaryIO, path: Path) -> None:
    """Take the file for this process until it is closed.

    Raises:
        UsageError: Another process has it.
    """
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"another process has the journal {str(path)!r} open; end it first"
        ) from error


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names of a folder's files."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
