"""What results are kept as: configs as JSON, their hash, versions; bounded reads, atomic writes."""

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
import types
import typing
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from lal.errors import DataError, UsageError

C = TypeVar("C")

PACKAGES = (
    "learned-active-learning",
    "numpy",
    "scipy",
    "scikit-learn",
    "safetensors",
    "joblib",
    "torch",
    "gymnasium",
    "stable-baselines3",
    "scikit-activeml",
    "numba",
)
"""Distributions whose versions are kept with results."""


PART = ".part"
"""How the names of half-written files end."""

LARGEST_FILE = 2**31
"""Bytes of the longest file that is read whole."""

LARGEST_INTEGER = 2**1000
"""Larger integers of a JSON file do not become floats."""

LEFTOVER_AGE = 3600.0
"""Seconds after which a half-written file no longer belongs to a process that may finish it."""


def to_mapping(config: Any) -> Any:
    """Return a config (nested dataclasses, tuples, paths) as what JSON can hold."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {f.name: to_mapping(getattr(config, f.name)) for f in dataclasses.fields(config)}
    if isinstance(config, Mapping):
        return {str(key): to_mapping(value) for key, value in config.items()}
    if isinstance(config, tuple | list):
        return [to_mapping(value) for value in config]
    if isinstance(config, Path):
        return str(config)
    return config


def from_mapping(config_type: type[C], mapping: Mapping[str, Any], *, where: str = "config") -> C:
    """Return a config of the given dataclass; fields that are missing keep their defaults.

    Args:
        config_type: A dataclass.
        mapping: What `to_mapping` gave.
        where: Names the source in errors.

    Raises:
        UsageError: A field is unknown, or a value is not of the field's kind.
    """
    hints = typing.get_type_hints(config_type)
    known = {f.name for f in dataclasses.fields(config_type) if f.init}  # type: ignore[arg-type]
    unknown = sorted(set(mapping) - known)
    if unknown:
        raise UsageError(
            f"{where} has unknown fields {', '.join(unknown)}; "
            f"{config_type.__name__} has {', '.join(sorted(known))}"
        )
    values = {k: _value(hints[k], v, where=f"{where}: {k}") for k, v in mapping.items()}
    return config_type(**values)


def _value(hint: Any, value: Any, *, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _value(arguments[0], value, where=where)
    if origin in (typing.Union, types.UnionType):
        return _get_any(arguments, value, where)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return from_mapping(typing.cast("type", hint), value, where=where)
    if origin is tuple:
        _check(isinstance(value, list | tuple), value, "a list", where)
        kinds = [arguments[0]] * len(value) if arguments[1:] == (...,) else arguments
        _check(len(kinds) == len(value), value, f"{len(kinds)} values", where)
        return tuple(_value(k, v, where=where) for k, v in zip(kinds, value, strict=True))
    if origin is typing.Literal:
        return _check(value in arguments, value, f"one of {', '.join(map(repr, arguments))}", where)
    if hint is Path:
        return Path(_check(isinstance(value, str | Path), value, "a path", where))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        _check(abs(value) <= LARGEST_INTEGER, value, "a value of type float", where)
        return float(value)
    if isinstance(hint, type) and origin is None:
        fits = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
        return _check(fits, value, f"a value of type {hint.__name__}", where)
    return value


def _get_any(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    """Return the value as the first alternative of a union that takes it."""
    for choice in choices:
        try:
            return _value(choice, value, where=where)
        except UsageError:
            continue
    raise UsageError(f"{where} is {value!r}; expected one of {choices}")


def _check(fits: bool, value: Any, expected: str, where: str) -> Any:
    if not fits:
        raise UsageError(f"{where} is {value!r}; expected {expected}")
    return value


def canonical_json(value: Any) -> str:
    """Return sorted, compact JSON: equal values give equal texts."""
    return json.dumps(to_mapping(value), sort_keys=True, separators=(",", ":"))


def config_hash(config: Any) -> str:
    """Return 16 hexadecimal digits that are the same for equal configs on every machine."""
    return hashlib.sha256(canonical_json(config).encode()).hexdigest()[:16]


def check_file(path: Path, *, largest: int = LARGEST_FILE) -> None:
    """Refuse what cannot be read whole, before it is opened.

    Opening a named pipe waits for a writer, and a device such as ``/dev/zero`` never ends.

    Raises:
        DataError: No such file, not a regular file, or longer than `largest` bytes.
    """
    try:
        about = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read {str(path)!r}: {reason}") from error
    if not stat.S_ISREG(about.st_mode):
        kind = "a folder" if stat.S_ISDIR(about.st_mode) else "a pipe, a socket or a device"
        raise DataError(f"cannot read {str(path)!r}: it is {kind}; expected a regular file")
    if about.st_size > largest:
        raise DataError(
            f"cannot read {str(path)!r}: it has {about.st_size} bytes; at most {largest} are read"
        )


def read_file(path: Path, *, largest: int = LARGEST_FILE) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        DataError: As `check_file`, or the file cannot be read.
    """
    check_file(path, largest=largest)
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from error


def parse_json(text: str | bytes) -> Any:
    """Return what JSON text holds.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        UsageError: The file is missing, not a regular file, or not JSON.
    """
    if not path.exists():
        raise UsageError(f"there is no file {str(path)!r}; check the path")
    try:
        return parse_json(read_file(path))
    except ValueError as error:
        raise UsageError(f"{str(path)!r} cannot be read as JSON: {error}") from error


def write_json(path: Path, value: Any) -> None:
    """Write sorted, indented JSON atomically."""
    text = json.dumps(to_mapping(value), sort_keys=True, indent=2) + "\n"
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically; see `write_atomic`."""
    write_atomic(path, lambda part: _pour(part, content))


def _pour(part: Path, content: bytes) -> None:
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        left = memoryview(content)
        while left:  # a full disk may take a part and refuse the rest
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a file beside `path`, flush it to disk and rename it into place.

    Whoever reads `path` sees the old content or the new, never a part, whenever the process dies.
    The folder is flushed too, so that the new name is still there after a power cut. The part has
    a random name, because processes in two containers may share a folder and a process number.
    What killed writes of the same file left behind is removed once it is an hour old.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path.name)
    part = part_path(path)
    try:
        write(part)
        _flush(part)
        os.replace(part, path)  # noqa: PTH105 - so that a test can spoil it with the other steps
        _flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


def part_path(path: Path) -> Path:
    """Return a path beside `path` for what is half written; no other process has the same."""
    return path.with_name(f"{_part_prefix(path.name)}{secrets.token_hex(8)}{PART}")


def remove_leftovers(folder: Path, name: str = "") -> None:
    """Remove the parts that killed writes left in a folder more than an hour ago.

    Args:
        folder: Where they lie; parts that are folders themselves are removed with all they hold.
        name: Of the file or folder that was being written; those of any where it is empty.
    """
    prefix, now = _part_prefix(name) if name else ".", time.time()
    with os.scandir(folder) as entries:
        parts = [e for e in entries if e.name.startswith(prefix) and e.name.endswith(PART)]
    for entry in parts:
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            if now - entry.stat(follow_symlinks=False).st_mtime > LEFTOVER_AGE:
                _remove(entry)


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path)
    else:
        Path(entry.path).unlink()


def _part_prefix(name: str) -> str:
    return f".{name[:100]}."  # with the token, still a legal name


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def versions() -> dict[str, str]:
    """Return the versions of the installed packages that results depend on; imports none."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
