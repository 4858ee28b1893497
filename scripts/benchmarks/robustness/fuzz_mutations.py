"""Ways to damage a policy file."""

import itertools
import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lal.features import FEATURES
from lal.policies.files import content_digest, read_file
from scripts.benchmarks.robustness.fuzz_samples import Sample

Rng = np.random.Generator
KINDS = {"float32": "F32", "float64": "F64", "int32": "I32", "int64": "I64"}


def _parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _packed(header: str, data: bytes) -> bytes:
    encoded = header.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(encoded)) + encoded + data


def _file(fields: Any, tensors: Mapping[str, np.ndarray], *, digest: bool) -> bytes:
    """Return a policy file of these fields and tensors, its digest right or as it stands."""
    if digest and isinstance(fields, dict):
        fields = {**fields, "sha256": content_digest(fields, tensors)}
    header: dict[str, Any] = {"__metadata__": {"lal": json.dumps(fields)}}
    data = b""
    for name, tensor in tensors.items():
        raw = tensor.tobytes()
        kind = KINDS.get(tensor.dtype.name, "F16")
        place = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": place}
        data += raw
    return _packed(json.dumps(header), data)


def _bytes(content: bytes, rng: Rng, end: int) -> bytes:
    """Return the content with a few places before `end` flipped, cut, filled, or repeated."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(0, max(min(end, len(data)), 1)))
        width = int(rng.integers(1, 20))
        kind = rng.integers(5)
        if kind == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[at : at + width]
        elif kind == 2:
            data[at:at] = rng.bytes(width)
        elif kind == 3:
            data[at:at] = data[at : at + width]
        else:
            data[at : at + 1] = rng.choice([b"9", b"-", b"[", b"{", b'"', b"null", b"\\ud800"])
    return bytes(data)


ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2**63, 10**30, 1e308, 0.5, float("nan"), float("inf"), "", "u",
    "candidates", "context", "reference", "w1", "trees", "../../etc/passwd", "\ud800", "a\nb\x00",
    "__import__('os').system('id')", "margin@1", "x" * 5000, [], {}, [[]], [0] * 5000, {"a": {}},
)  # fmt: skip
"""Values that take the place of others."""


def _json(value: Any, rng: Rng) -> Any:
    """Return a JSON value with one place changed, dropped, doubled, or swapped for an odd one."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = sorted(value)[int(rng.integers(len(value)))]
        what = rng.random()
        if what < 0.08:
            return {k: v for k, v in value.items() if k != key}
        if what < 0.16:
            return {**value, str(ODD[int(rng.integers(len(ODD)))]): value[key]}
        return {**value, key: _json(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = int(rng.integers(len(value)))
        if rng.random() < 0.15:
            return value[:at] + value[at + 1 :]
        if rng.random() < 0.15:
            return [*value[: at + 1], *value[at:]]
        return [*value[:at], _json(value[at], rng), *value[at + 1 :]]
    return ODD[int(rng.integers(len(ODD)))]


def everywhere(sample: Sample, path: Path, rng: Rng) -> bool:
    """Change bytes anywhere."""
    path.write_bytes(_bytes(sample.content, rng, len(sample.content)))
    return False


def header(sample: Sample, path: Path, rng: Rng) -> bool:
    """Change bytes of the length and the JSON header."""
    (length,) = struct.unpack("<Q", sample.content[:8])
    path.write_bytes(_bytes(sample.content, rng, 8 + length))
    return False


def ends(sample: Sample, path: Path, rng: Rng) -> bool:
    """Cut the file, append to it, or claim another header length."""
    content, kind = sample.content, int(rng.integers(4))
    if kind == 0:
        content = content[: int(rng.integers(len(content)))]
    elif kind == 1:
        content += content if rng.random() < 0.5 else rng.bytes(int(rng.integers(1, 4096)))
    elif kind == 2:
        content = struct.pack("<Q", int(rng.integers(2**62))) + content[8:]
    else:
        content = b"\x80\x04\x95" + content
    path.write_bytes(content)
    return False


def fields(sample: Sample, path: Path, rng: Rng) -> bool:
    """Change a field and leave the digest as it was."""
    known, tensors = _read(sample, path)
    path.write_bytes(_file(_json(known, rng), tensors, digest=False))
    return False


def fields_signed(sample: Sample, path: Path, rng: Rng) -> bool:
    """Change a field and make the digest right again."""
    known, tensors = _read(sample, path)
    return _signed(path, _json(known, rng), tensors)


def program_signed(sample: Sample, path: Path, rng: Rng) -> bool:
    """Change one to three places of the program and make the digest right again."""
    known, tensors = _read(sample, path)
    name = "program" if "program" in known else "programs"
    for _ in range(int(rng.integers(1, 4))):
        known[name] = _json(known[name], rng)
    return _signed(path, known, tensors)


def hungry_program(sample: Sample, path: Path, rng: Rng) -> bool:
    """Add registers and operations, wide and many, and make the digest right again."""
    known, tensors = _read(sample, path)
    if "candidate_features" not in known:
        return fields_signed(sample, path, rng)
    ops, wide = known["program"]["ops"], int(2 ** rng.uniform(4, 12))
    n_features = sum(FEATURES[i].dim for i in known["candidate_features"])
    more = {"more": np.ones((wide, n_features), dtype=np.float32)}
    into = ("candidates", "reference")[int(rng.integers(2))]
    added = [{"op": "affine", "in": [into], "out": ["h0"], "weight": "more"}]
    first = bool(rng.integers(2))  # all read the first, so that it stays, or each the one before
    names = [f"h{i}" for i in range(int(rng.integers(1, 480)))]
    for before, name in itertools.pairwise(names):
        kind = ("tanh", "gelu", "softmax")[int(rng.integers(3))]
        added.append({"op": kind, "in": ["h0" if first else before], "out": [name]})
    for at in range(0, len(names) - 1, 8) if rng.integers(2) else ():
        group = names[at : at + 8]
        if len(group) > 1:
            added.append({"op": "add", "in": group, "out": [f"sum of {group[0]}"]})
    known["program"]["ops"] = [*added, *ops]
    return _signed(path, known, {**tensors, **more})


def _signed(path: Path, changed: Any, tensors: Mapping[str, np.ndarray]) -> bool:
    try:
        path.write_bytes(_file(changed, tensors, digest=True))
    except UnicodeEncodeError:  # no digest of half a character: as it stands
        path.write_bytes(_file(changed, tensors, digest=False))
    return True


def tensor_table(sample: Sample, path: Path, rng: Rng) -> bool:
    """Change types, shapes and places of tensors in the header, huge ones among them."""
    table, data = _parts(sample.content)
    meta = table.pop("__metadata__")
    for _ in range(int(rng.integers(1, 4))):
        name = sorted(table)[int(rng.integers(len(table)))]
        entry = table[name]
        if not isinstance(entry, dict) or rng.random() < 0.3:
            table = _json(table, rng)
            table = table if isinstance(table, dict) and table else {"w": entry}
            continue
        huge = [2**31, 2**40, 2**63, -1, 0, 10**30, 1.5, "8"][int(rng.integers(8))]
        key = ("shape", "data_offsets", "dtype")[int(rng.integers(3))]
        dtypes = ("F16", "BF16", "U8", "F64", "I32", "BOOL", "O", 3)
        new = dtypes[int(rng.integers(8))] if key == "dtype" else [huge, huge]
        table[name] = {**entry, key: new}
    path.write_bytes(_packed(json.dumps({"__metadata__": meta, **table}), data))
    return False


def tensors_signed(sample: Sample, path: Path, rng: Rng) -> bool:
    """Change numbers, shape or type of a tensor and make the digest right again."""
    known, tensors = _read(sample, path)
    name = sorted(tensors)[int(rng.integers(len(tensors)))]
    tensor, kind = tensors[name].copy(), int(rng.integers(7))
    at = int(rng.integers(max(tensor.size, 1)))
    if kind == 0 and tensor.dtype.kind == "f":
        tensor.flat[at] = (np.nan, np.inf, -np.inf, 1e38)[int(rng.integers(4))]
    elif kind in (1, 2):
        tensor.flat[at] = (-1, 0, 2**31 - 1)[int(rng.integers(3))]
    elif kind == 3:
        tensor = tensor.reshape(-1)[: int(rng.integers(tensor.size + 1))]
    elif kind == 4:
        tensor = tensor.T
    elif kind == 5:
        tensor = tensor.astype((np.float16, np.float32, np.int64)[int(rng.integers(3))])
    else:
        tensor = np.zeros((0, *tensor.shape[1:]), dtype=tensor.dtype)
    with np.errstate(all="ignore"):
        return _signed(path, known, {**tensors, name: np.ascontiguousarray(tensor)})


def nested(sample: Sample, path: Path, rng: Rng) -> bool:
    """Nest JSON deeply, in the header, in the fields, or in the card with a right digest."""
    known, tensors = _read(sample, path)
    depth = int(10 ** rng.uniform(1, 6))
    where = int(rng.integers(3))
    if where == 2 and depth <= 400:
        card: Any = 0
        for _ in range(depth):
            card = [card] if rng.random() < 0.5 else {"a": card}
        return _signed(path, {**known, "card": {"deep": card}}, tensors)
    deep = "[" * depth + "]" * depth
    text = f'{{"__metadata__": {deep}}}' if where == 0 else _nested_fields(known, deep)
    path.write_bytes(_packed(text, b""))
    return False


def _nested_fields(known: Mapping[str, Any], deep: str) -> str:
    inner = json.dumps(known)[:-1] + f', "card": {{"a": {deep}}}}}'
    return json.dumps({"__metadata__": {"lal": inner}})


def aliases(sample: Sample, path: Path, rng: Rng) -> bool:
    """Change the file of aliases that names the policy."""
    path.write_bytes(sample.content)
    text = json.dumps({"best": "mutated", "other": "mutated"}).encode()
    kind = int(rng.integers(3))
    if kind == 0:
        text = _bytes(text, rng, len(text))
    elif kind == 1:
        text = json.dumps(_json(json.loads(text), rng)).encode()
    else:
        depth = int(10 ** rng.uniform(1, 6))
        text = b'{"best": ' + b"[" * depth + b"]" * depth + b"}"
    path.with_name("aliases.json").write_bytes(text)
    return False


def _read(sample: Sample, path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    path.write_bytes(sample.content)
    file = read_file(path)
    return dict(file.fields), dict(file.tensors)


Mutation = Callable[[Sample, Path, Rng], bool]

MUTATIONS: Mapping[str, Mutation] = {
    "bytes anywhere": everywhere,
    "bytes of the header": header,
    "ends and lengths": ends,
    "fields": fields,
    "fields, digest right": fields_signed,
    "program, digest right": program_signed,
    "hungry program, digest right": hungry_program,
    "table of tensors": tensor_table,
    "tensors, digest right": tensors_signed,
    "deep nesting": nested,
    "aliases": aliases,
}
"""Each writes a damaged file and says whether it may be another valid policy."""
