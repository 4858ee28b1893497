"""Policy files: bytes to fields and tensors and back; knows no kind of policy, runs no code.

A file is safetensors with one metadata key that holds JSON. Its ``schema`` is the version of the
layout and nothing else: 1 is the first, 2 has ``screening``, 3 names its ``kind``. Files of pool
policies, which came first, name none and stay at 2, so that equal policies keep equal bytes.
"""

import hashlib
import json
import os
import stat
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from lal.errors import PolicyFileError, printable
from lal.policies.hub import upload
from lal.serialization import write_bytes

SCHEMA = 3
"""Newest layout; older ones keep loading."""

UNNAMED_SCHEMA = 2
"""Layout of files that name no kind."""

UNNAMED_KIND = "pool"
"""Kind of files that name none."""

KEY = "lal"
"""The one metadata key: several would be written in random order."""

MAX_HEADER = 4_000_000
MAX_FILE = 256_000_000
"""Limits in bytes, checked before reading."""

MAX_IDS = 1000
"""Feature ids of a policy."""

DTYPES = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64}
"""Types a tensor may have."""


WHEN_DAMAGED = (
    ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError,
)  # fmt: skip
"""What reading values that a stranger wrote may raise, besides our own errors."""


@dataclass(frozen=True)
class Field:
    """A field of a file's JSON: its type, and the layout that brought it."""

    type: type
    since: int = 1


@dataclass(frozen=True)
class PolicyFile:
    """What a file holds.

    Attributes:
        path: Where it was read.
        fields: The JSON, with ``schema`` and ``sha256``.
        tensors: Arrays by name.
        sha256: Hash of the file's bytes.
    """

    path: Path
    fields: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray]
    sha256: str

    @property
    def kind(self) -> str:
        """Kind of the policy, as the file says."""
        return str(self.fields.get("kind", UNNAMED_KIND))


class Saved(Protocol):
    """A policy that can be written."""

    @property
    def name(self) -> str:
        """Name, for messages."""
        ...

    @property
    def tensors(self) -> Mapping[str, np.ndarray]:
        """Arrays by name."""
        ...

    def to_fields(self) -> dict[str, Any]:
        """Return the JSON fields; ``kind`` is among them unless it is a pool policy."""
        ...


def save_policy(policy: Saved, path: str | Path) -> None:
    """Write a policy to a file, atomically: a crash leaves the old file or the new one.

    Equal policies give equal bytes.

    Raises:
        PolicyFileError: A tensor type that files do not hold, or a card that is not plain JSON.
    """
    tensors = {name: _contiguous(name, tensor) for name, tensor in policy.tensors.items()}
    given = policy.to_fields()
    given["schema"] = SCHEMA if "kind" in given else UNNAMED_SCHEMA
    try:
        fields = json.loads(json.dumps(given, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise PolicyFileError(f"policy {policy.name!r} is not plain JSON: {error}") from error
    fields["sha256"] = content_digest(fields, tensors)
    text = json.dumps(fields, sort_keys=True, allow_nan=False)
    write_bytes(Path(path), save(tensors, metadata={KEY: text}))


class SavedPolicy:
    """What policies of all kinds do with themselves."""

    def save(self: Saved, path: str | Path) -> None:
        """Write the policy to a file; see `save_policy`."""
        save_policy(self, path)

    def push(self: Saved, address: str, *, private: bool = False) -> str:
        """Write the policy and its card to the Hugging Face Hub; see `hub.upload`."""
        return upload(self, address, private=private)


def _contiguous(name: str, tensor: np.ndarray) -> np.ndarray:
    if tensor.dtype not in [np.dtype(kind) for kind in DTYPES.values()]:
        raise PolicyFileError(
            f"tensor {name!r} has type {tensor.dtype}; files hold {', '.join(DTYPES)}"
        )
    return np.array(tensor, order="C", copy=True)  # safetensors writes strided arrays wrongly


def content_digest(fields: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> str:
    """Return the sha256 of all fields but itself, and of all tensors with name, type and shape."""
    given = {k: v for k, v in fields.items() if k != "sha256"}
    digest = hashlib.sha256(json.dumps(given, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).data)  # no copy of a large one
    return digest.hexdigest()


def read_file(path: Path) -> PolicyFile:
    """Return what a policy file holds, after checking its size, layout and sha256.

    Raises:
        PolicyFileError: Anything is not as written by `save_policy`; one line.
    """
    try:
        content = _content(path)
        fields, tensors = _parse(content)
    except PolicyFileError as error:
        raise PolicyFileError(f"{path}: {printable(error)}") from None
    except (OSError, SafetensorError, *WHEN_DAMAGED) as error:
        raise PolicyFileError(
            f"{path}: damaged or not a policy file ({printable(error)})"
        ) from error
    return PolicyFile(path, fields, tensors, hashlib.sha256(content).hexdigest())


def _content(path: Path) -> bytes:
    """Return the bytes of a regular file of bounded size; nothing else is waited for or read."""
    try:  # without O_NONBLOCK, opening a FIFO waits for whoever writes to it
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:  # a name may hold what no file system takes
        reason = getattr(error, "strerror", None) or printable(error)
        raise PolicyFileError(f"cannot be read ({reason})") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise PolicyFileError("cannot be read (expected a regular file)")
        if status.st_size > MAX_FILE:
            raise PolicyFileError(f"the file has {status.st_size} bytes, more than {MAX_FILE}")
        with open(handle, "rb", closefd=False) as file:
            return file.read(MAX_FILE)
    finally:
        os.close(handle)


def _parse(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if len(content) < 8:
        raise PolicyFileError("too short to be a policy file")
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(MAX_HEADER, len(content) - 8):
        raise PolicyFileError(f"the header claims {length} bytes; damaged or not a policy file")
    fields = _json(_json(content[8 : 8 + length].decode())["__metadata__"][KEY])
    schema = fields.get("schema") if isinstance(fields, dict) else None
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise PolicyFileError(
            f"schema {str(schema)[:20]!r} is unknown; this release reads 1 to {SCHEMA}"
        )
    if "sha256" not in fields:
        raise PolicyFileError(f"the fields are {sorted(fields)}, expected 'sha256' among them")
    tensors = {name: _tensor(name, entry) for name, entry in deserialize(content)}  # type: ignore[no-untyped-call]
    if content_digest(fields, tensors) != fields["sha256"]:
        raise PolicyFileError("the sha256 does not match; the file is damaged")
    return fields, tensors


def _json(text: str) -> Any:
    """Return the values of strict JSON: nan and infinities are none."""

    def refuse(constant: str) -> Any:
        raise PolicyFileError(f"the header holds {constant}, which is not JSON")

    return json.loads(text, parse_constant=refuse)


def _tensor(name: str, entry: Mapping[str, Any]) -> np.ndarray:
    if entry["dtype"] not in DTYPES:
        raise PolicyFileError(f"tensor {name!r} has type {entry['dtype']!r}, expected {[*DTYPES]}")
    if len(entry["shape"]) > 4:
        raise PolicyFileError(f"tensor {name!r} has the shape {entry['shape']!r}")
    dtype = np.dtype(DTYPES[entry["dtype"]])
    array = np.frombuffer(entry["data"], dtype=dtype.newbyteorder("<")).astype(dtype, copy=False)
    return array.reshape(entry["shape"])


def check_fields(fields: Mapping[str, Any], wanted: Mapping[str, Field]) -> None:
    """Refuse fields that are not those of a kind, of the types that it names.

    Args:
        fields: The JSON of a file.
        wanted: The fields of the kind.

    Raises:
        PolicyFileError: A field is missing, not known, or of another type.
    """
    common = {"schema": int, "sha256": str} | ({"kind": str} if "kind" in fields else {})
    known = {name: f.type for name, f in wanted.items() if f.since <= fields["schema"]} | common
    if set(fields) != set(known):
        raise PolicyFileError(f"the fields are {sorted(fields)}, expected {sorted(known)}")
    for name, expected in known.items():
        if type(fields[name]) is not expected:
            raise PolicyFileError(f"the field {name!r} must be {expected.__name__}")


def check_ids(ids: Sequence[Any]) -> None:
    """Refuse feature ids that are not text, or more of them than any policy has."""
    if len(ids) > MAX_IDS or not all(isinstance(i, str) for i in ids):
        raise PolicyFileError(f"feature ids must be text, {MAX_IDS} at most")
