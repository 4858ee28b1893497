"""What results are kept as: configs as JSON, their hash, versions, and writes that never tear."""

import dataclasses
import hashlib
import json
import os
import types
import typing
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from lal.errors import UsageError

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
        return _any_of(arguments, value, where)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return from_mapping(typing.cast("type", hint), value, where=where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = [arguments[0]] * len(value) if arguments[1:] == (...,) else arguments
        return tuple(_value(k, v, where=where) for k, v in zip(kinds, value, strict=True))
    if origin is typing.Literal:
        return _check(value in arguments, value, f"one of {', '.join(map(repr, arguments))}", where)
    if hint is Path:
        return Path(_check(isinstance(value, str | Path), value, "a path", where))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and origin is None:
        fits = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
        return _check(fits, value, f"a value of type {hint.__name__}", where)
    return value


def _any_of(choices: tuple[Any, ...], value: Any, where: str) -> Any:
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


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        UsageError: The file is missing or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {str(path)!r}; check the path") from error
    except (ValueError, OSError) as error:
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
    The folder is flushed too, so that the new name is still there after a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        _flush(part)
        os.replace(part, path)  # noqa: PTH105 - so that a test can spoil it with the other steps
        _flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


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
