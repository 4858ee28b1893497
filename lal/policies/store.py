"""Policy files: safetensors with one JSON key, checked before anything is used; no code inside."""

import contextlib
import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lal.errors import LalError, PolicyFileError, UnknownNameError
from lal.policies.pool_policy import PoolPolicy
from lal.streams.policy import StreamPolicy

SCHEMA = 2
"""Version of the file layout that is written; older ones keep loading."""

KEY = "lal"
"""The one metadata key: several would be written in random order."""

MAX_HEADER = 4_000_000
MAX_FILE = 256_000_000
"""Limits in bytes, checked before reading."""

DTYPES = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64}
"""Types a tensor may have."""

LONGEST = 100
"""Letters of the longest name of a shipped policy."""

SHIPPED = Path(__file__).parent / "shipped"

FIELDS = (
    "name",
    "candidate_features",
    "context_features",
    "program",
    "selection",
    "class_symmetric",
    "card",
    "screening",
)
"""What the JSON holds of a policy, besides schema and sha256."""

STREAM_SCHEMA = 3
"""Version of files that name their kind: "stream"; those of pool policies name none."""

STREAM_FIELDS: Mapping[str, type] = {
    "kind": str,
    "name": str,
    "features": list,
    "program": dict,
    "card": dict,
    "content_width": int,
    "pace": str,
}
"""What the JSON holds of a stream policy, besides schema and sha256, and its types."""

SIBLING_FIELDS = ("kind", "name", "sizes", "programs", "card")
"""What the JSON holds of a policy that ranks no pool; see `lal.policies.program_policy`."""

SINCE = {"screening": 2}
"""Schema that brought a field; files of older ones lack it, and the policy takes its default."""


def save_policy(policy: Any, path: str | Path) -> None:
    """Write a policy to a file, atomically: a crash leaves the old file or the new one.

    Equal policies give equal bytes.

    Raises:
        PolicyFileError: A tensor type that files do not hold, or a card that is no plain JSON.
    """
    pool = isinstance(policy, PoolPolicy)
    names, schema = (FIELDS, SCHEMA) if pool else (SIBLING_FIELDS, STREAM_SCHEMA)
    fields: dict[str, Any] = {name: getattr(policy, name) for name in names}
    _save(policy.name, {**fields, "schema": schema}, policy.tensors, Path(path))


def save_stream_policy(policy: StreamPolicy, path: str | Path) -> None:
    """Write a stream policy to a file, as `save_policy` does."""
    told = {name: getattr(policy, name) for name in STREAM_FIELDS if name != "kind"}
    fields = {**told, "kind": "stream", "schema": STREAM_SCHEMA}
    _save(policy.name, fields, policy.tensors, Path(path))


def _save(
    name: str, given: Mapping[str, Any], arrays: Mapping[str, np.ndarray], path: Path
) -> None:
    from safetensors.numpy import save

    # safetensors writes strided or Fortran-ordered arrays wrongly; a C-ordered copy is safe.
    tensors = {k: np.array(v, order="C", copy=True) for k, v in arrays.items()}
    odd = [k for k, v in tensors.items() if v.dtype not in [np.dtype(d) for d in DTYPES.values()]]
    if odd:
        raise PolicyFileError(
            f"tensor {odd[0]!r} has type {tensors[odd[0]].dtype}; files hold {', '.join(DTYPES)}"
        )
    try:
        fields = json.loads(json.dumps(dict(given), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise PolicyFileError(f"policy {name!r} is no plain JSON: {error}") from error
    fields["sha256"] = content_digest(fields, tensors)
    text = json.dumps(fields, sort_keys=True, allow_nan=False)
    _write(path, save(tensors, metadata={KEY: text}))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def content_digest(fields: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> str:
    """Return the sha256 of all fields but itself, and of all tensors with name, type and shape."""
    told = {k: v for k, v in fields.items() if k != "sha256"}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def load_policy(name_or_path: str | Path, *, missing_label: Any = float("nan")) -> PoolPolicy:
    """Return a shipped policy or one from a file; loading never runs code.

    Args:
        name_or_path: Name from `list_policies`, or a path that ends in .safetensors.
        missing_label: What stands for a missing label in `query`, besides None and nan.

    Raises:
        UnknownNameError: No shipped policy of that name.
        PolicyFileError: The file is missing, damaged, of an unknown version, or needs a feature
            or an operation that is not here.
    """
    text = str(name_or_path)
    if text.endswith(".safetensors") or os.sep in text:
        return _load(Path(text), missing_label)
    resolved = _aliases().get(text, text)
    path = SHIPPED / f"{resolved}.safetensors"
    legal = len(resolved) <= LONGEST and resolved.replace("-", "").replace("_", "").isalnum()
    if not legal or not path.is_file():
        known = ", ".join(list_policies())
        raise UnknownNameError(
            f"unknown policy {text[:LONGEST]!r}; shipped: {known}; a file's name ends in "
            ".safetensors"
        )
    return _load(path, missing_label)


def list_policies() -> dict[str, str]:
    """Return the shipped policies: name to one line of description."""
    lines = {}
    for path in sorted(SHIPPED.glob("*.safetensors")):
        fields, _ = read_file(path)
        lines[path.stem] = str(fields["card"].get("summary", ""))
    for alias, target in _aliases().items():
        if target in lines:
            lines[alias] = f"alias of {target}: {lines[target]}"
    return lines


@cache
def _aliases() -> dict[str, str]:
    path = SHIPPED / "aliases.json"
    try:
        aliases = json.loads(path.read_text()) if path.is_file() else {}
    except (ValueError, RecursionError) as error:
        raise PolicyFileError(f"{path}: damaged ({_line(error)})") from error
    named = aliases.items() if isinstance(aliases, dict) else [(None, None)]
    if not all(isinstance(target, str) and alias for alias, target in named):
        raise PolicyFileError(f"{path}: expected a JSON object of alias to policy name")
    return dict(named)


def _load(path: Path, missing_label: Any) -> PoolPolicy:
    fields, tensors = read_file(path)
    if fields.get("kind") == "stream":
        raise PolicyFileError(f"{path} is a stream policy; load it with lal.load_stream_policy")
    if "kind" in fields:
        raise PolicyFileError(
            f"{path} is a {_line(ValueError(fields['kind']))[:LONGEST]} policy; load it with "
            "lal.policies.program_policy.load_sibling"
        )
    given = {name: fields[name] for name in FIELDS if name in fields}
    try:
        return PoolPolicy(**given, tensors=tensors, missing_label=missing_label)
    except LalError as error:
        raise PolicyFileError(f"{path}: {_line(error)}") from error
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise PolicyFileError(f"{path}: the policy is malformed ({_line(error)})") from error


def load_stream_policy(name_or_path: str | Path) -> StreamPolicy:
    """Return a shipped stream policy or one from a file; loading never runs code.

    Raises:
        UnknownNameError: No shipped stream policy of that name.
        PolicyFileError: The file is missing, damaged, of another kind or an unknown version.
    """
    text = str(name_or_path)
    path = Path(text)
    if not (text.endswith(".safetensors") or os.sep in text):
        shipped = {p.stem: p for p in sorted((SHIPPED / "stream").glob("*.safetensors"))}
        if text not in shipped:
            raise UnknownNameError(
                f"unknown stream policy {text[:LONGEST]!r}; shipped: {', '.join(shipped)}; a "
                "file's name ends in .safetensors"
            )
        path = shipped[text]
    fields, tensors = read_file(path)
    if "kind" not in fields:
        raise PolicyFileError(f"{path} is a pool policy; load it with lal.load_policy")
    if fields["kind"] != "stream":
        raise PolicyFileError(
            f"{path} holds a policy of kind {fields['kind']!r}; load it with "
            f"lal.policies.program_policy.load_sibling"
        )
    given = {name: fields[name] for name in STREAM_FIELDS if name != "kind"}
    try:
        return StreamPolicy(**given, tensors=tensors)
    except LalError as error:
        raise PolicyFileError(f"{path}: {_line(error)}") from error


def list_stream_policies() -> dict[str, str]:
    """Return the shipped stream policies: name to one line of description."""
    found = sorted((SHIPPED / "stream").glob("*.safetensors"))
    return {path.stem: str(read_file(path)[0]["card"].get("summary", "")) for path in found}


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the fields and tensors of a policy file after checking size, layout and sha256.

    Raises:
        PolicyFileError: Anything is not as written by `save_policy`; one line.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise PolicyFileError(f"the file has {size} bytes, more than {MAX_FILE}")
        content = path.read_bytes()
    except PolicyFileError as error:
        raise PolicyFileError(f"{path}: {error}") from None
    except (OSError, ValueError) as error:  # a name may hold what no file system takes
        reason = getattr(error, "strerror", None) or _line(error)
        raise PolicyFileError(f"{path}: cannot be read ({reason})") from error
    try:
        return _parse(content)
    except PolicyFileError as error:
        raise PolicyFileError(f"{path}: {_line(error)}") from None
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        raise PolicyFileError(f"{path}: damaged or no policy file ({_line(error)})") from error


def _line(error: Exception) -> str:
    """Return what an error says as one printable line; a file can make it say anything."""
    said = "".join(c if c.isprintable() else "?" for c in str(error))
    return said[:500] or type(error).__name__


def _parse(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if len(content) < 8:
        raise PolicyFileError("too short to be a policy file")
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(MAX_HEADER, len(content) - 8):
        raise PolicyFileError(f"the header claims {length} bytes; damaged or no policy file")
    header = _json(content[8 : 8 + length].decode())
    metadata = header.pop("__metadata__")
    fields = _json(metadata[KEY])
    schema = fields.get("schema") if isinstance(fields, dict) else None
    if type(schema) is not int or not 1 <= schema <= STREAM_SCHEMA:
        raise PolicyFileError(
            f"schema {str(schema)[:20]!r} is unknown; this release reads 1 to {STREAM_SCHEMA}"
        )
    _check_fields(fields, schema)
    tensors = _tensors(header, memoryview(content)[8 + length :])
    if content_digest(fields, tensors) != fields["sha256"]:
        raise PolicyFileError("the sha256 does not match; the file is damaged")
    return fields, tensors


def _json(text: str) -> Any:
    """Return the values of strict JSON: nan and infinities are none."""

    def refuse(constant: str) -> Any:
        raise PolicyFileError(f"the header holds {constant}, which is no JSON")

    return json.loads(text, parse_constant=refuse)


def _check_fields(fields: Mapping[str, Any], schema: int) -> None:
    if schema == STREAM_SCHEMA and fields.get("kind") != "stream":
        _check_sibling(fields)
        return
    if schema == STREAM_SCHEMA:
        _check_types(fields, {**STREAM_FIELDS, "schema": int, "sha256": str})
        _check_ids(fields["features"])
        return
    kinds: dict[str, type] = {name: str for name in FIELDS if SINCE.get(name, 1) <= schema} | {
        "candidate_features": list,
        "context_features": list,
        "program": dict,
        "class_symmetric": bool,
        "card": dict,
        "schema": int,
        "sha256": str,
    }
    _check_types(fields, kinds)
    _check_ids((*fields["candidate_features"], *fields["context_features"]))


def _check_types(fields: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    if set(fields) != set(kinds):
        raise PolicyFileError(f"the fields are {sorted(fields)}, expected {sorted(kinds)}")
    for name, kind in kinds.items():
        if type(fields[name]) is not kind:
            raise PolicyFileError(f"the field {name!r} must be {kind.__name__}")


def _check_ids(ids: Sequence[Any]) -> None:
    if not all(isinstance(i, str) for i in ids) or len(ids) > 1000:
        raise PolicyFileError("feature ids must be text, 1 000 at most")


def _check_sibling(fields: Mapping[str, Any]) -> None:
    kinds = {"kind": str, "name": str, "sizes": dict, "programs": dict, "card": dict}
    _check_types(fields, {**kinds, "schema": int, "sha256": str})
    if len(fields["programs"]) > 16 or len(fields["sizes"]) > 64:
        raise PolicyFileError("a policy has at most 16 programs and 64 sizes")
    if not all(type(size) is int and 0 <= size <= 1_000_000 for size in fields["sizes"].values()):
        raise PolicyFileError("sizes must be whole numbers from 0 to 1 000 000")


def _tensors(header: Mapping[str, Any], data: memoryview) -> dict[str, np.ndarray]:
    """Return the tensors; safetensors' layout, read without it so that limits come first."""
    tensors = {}
    end_of_last = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        if entry["dtype"] not in DTYPES:
            raise PolicyFileError(
                f"tensor {name!r} has type {entry['dtype']!r}, expected {[*DTYPES]}"
            )
        start, end = entry["data_offsets"]
        shape = entry["shape"]
        if len(shape) > 4 or not all(type(s) is int and s >= 0 for s in (*shape, start, end)):
            raise PolicyFileError(f"tensor {name!r} has the shape {shape!r}")
        dtype = np.dtype(DTYPES[entry["dtype"]]).newbyteorder("<")
        count = 1
        for s in shape:
            count *= s
        if start != end_of_last or end - start != count * dtype.itemsize or end > len(data):
            raise PolicyFileError(f"tensor {name!r} does not fill its place; the file is damaged")
        end_of_last = end
        array = np.frombuffer(data[start:end], dtype=dtype).reshape(shape)
        tensors[name] = array.astype(dtype.newbyteorder("="))
    if end_of_last != len(data):
        raise PolicyFileError("there are bytes behind the last tensor; the file is damaged")
    return tensors
