"""RunFolder: a training run on disk that survives `kill -9`.

Layout: ``config.json``, ``metrics.jsonl``, ``data.json``, ``checkpoints/NNNN/`` (the last one),
``tensorboard/`` if asked for, and, when done, ``policy.safetensors`` and ``finished.json``.
``.lock`` is held by the process that trains.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agents.training.config import RunConfig
from lal.errors import UsageError
from lal.serialization import (
    config_hash,
    part_path,
    read_json,
    remove_leftovers,
    to_mapping,
    write_atomic,
    write_json,
)

STATE = "state.json"
LOCK = ".lock"

OF_THE_MACHINE = ("n_jobs",)
"""Options that change how long a run takes and nothing else: a run may go on with others."""


class RunFolder:
    """The folder of one run.

    Args:
        folder: Made by `begin` if it does not exist.
        agent: Name of the agent.
        config: Its config; a folder that holds another one is refused.
    """

    def __init__(self, folder: Path, *, agent: str, config: RunConfig) -> None:
        self.folder = folder
        self._content = {"agent": agent, "options": to_mapping(config)}
        self.hash = _hash_of_result(self._content)
        self._refuse_others()

    def _refuse_others(self) -> None:
        path = self.folder / "config.json"
        if not path.exists():
            _refuse_foreign(self.folder)
            return
        saved = _hash_of_result(read_json(path))
        if saved != self.hash:
            raise UsageError(
                f"{str(self.folder)!r} holds a run of another config ({saved}, this one is "
                f"{self.hash}); give another folder, or rerun it with --config {path}"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep other trainings out of it; a killed process keeps nobody out.

        Raises:
            UsageError: Another training has the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(
                    f"another process is training in {str(self.folder)!r}; wait for it, or give "
                    "another folder"
                ) from error
            yield

    def begin(self) -> None:
        """Make the folder and write the config into it, once all of it was found to be usable."""
        if not (self.folder / "config.json").exists():
            write_json(self.folder / "config.json", self._content)

    @property
    def policy_path(self) -> Path:
        """Where the trained policy lies once the run is finished."""
        return self.folder / "policy.safetensors"

    @property
    def finished(self) -> bool:
        """Whether the run is complete."""
        return (self.folder / "finished.json").exists()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Mark the run as complete and drop its checkpoint."""
        write_json(self.folder / "finished.json", dict(summary))
        shutil.rmtree(self.folder / "checkpoints", ignore_errors=True)

    def last_checkpoint(self) -> tuple[Path, dict[str, Any]] | None:
        """Return the newest complete checkpoint's folder and its state; None before the first."""
        done = sorted(p for p in (self.folder / "checkpoints").glob("[0-9]*") if p.is_dir())
        if not done:
            return None
        state: dict[str, Any] = read_json(done[-1] / STATE)
        return done[-1], state

    def save_checkpoint(
        self, segment: int, state: Mapping[str, Any], write: Callable[[Path], None]
    ) -> None:
        """Write a checkpoint folder beside its place, flush it, rename it, drop older ones.

        What killed writes left behind is removed once it is an hour old, and when the run ends.
        """
        place = self.folder / "checkpoints" / f"{segment:04d}"
        place.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(place.parent)
        part = part_path(place)
        try:
            _fill(part, state, write)
            if not place.exists():  # it does where another container trains the same, bit for bit
                part.replace(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        _flush(place.parent)
        for old in place.parent.glob("[0-9]*"):
            if old != place:
                shutil.rmtree(old)

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replace ``metrics.jsonl`` by these rows, one JSON object a line."""
        text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows)
        write_atomic(self.folder / "metrics.jsonl", lambda part: part.write_text(text))


def _hash_of_result(content: Mapping[str, Any]) -> str:
    """Return the hash of all in a run's config.json that its result depends on."""
    options = dict(content.get("options", {}))
    for name in OF_THE_MACHINE:
        options.pop(name, None)
    return config_hash({**content, "options": options})


def _refuse_foreign(folder: Path) -> None:
    """Refuse a file, and a folder with somebody else's files in it."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{str(folder)!r} is a file; expected a folder for the results")
    if folder.is_dir() and any(not p.name.startswith(".") for p in folder.iterdir()):
        raise UsageError(
            f"{str(folder)!r} is not empty and holds no config.json; give another folder"
        )


def _fill(part: Path, state: Mapping[str, Any], write: Callable[[Path], None]) -> None:
    part.mkdir()
    write(part)
    write_json(part / STATE, dict(state))
    for path in [*part.iterdir(), part]:
        _flush(path)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
