"""Policy files: what is written is read, and everything else is refused in one line."""

import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

import lal
from lal.errors import PolicyFileError, UnknownNameError, UsageError
from lal.policies.files import SCHEMA, UNNAMED_SCHEMA, content_digest, read_file, save_policy
from lal.policies.kinds import KINDS, SHIPPED, _aliases, list_policies, load_as, load_policy
from lal.policies.margin import margin_policy
from lal.policies.pool_policy import PoolPolicy
from lal.streams.features import StreamItem
from lal.streams.policy import StreamPolicy

FROZEN = [Path(__file__).parent / f"frozen_v{schema}.safetensors" for schema in (1, 2)]
FROZEN_STREAM = Path(__file__).parent / "frozen_v3.safetensors"
PROBABILITIES = (0.5, 0.6, 0.75, 0.9, 1.0)
CANDIDATES = np.sin(np.outer(np.arange(1, 9), np.arange(1, 26)))
CONTEXT = np.cos(np.arange(16))
INPUTS = {"candidates": CANDIDATES, "context": CONTEXT}


def rewrite(path: Path, change) -> None:
    """Change fields or tensors of a file and give it the right sha256 again."""
    from safetensors.numpy import load_file, save_file

    with safe_open(path, "np") as file:
        fields = json.loads(file.metadata()["lal"])
    tensors = load_file(path)
    change(fields, tensors)
    if "sha256" in fields:
        fields["sha256"] = content_digest(fields, tensors)
    save_file(tensors, path, metadata={"lal": json.dumps(fields, sort_keys=True)})


def test_round_trip(policy, tmp_path):
    path = tmp_path / "deep" / "one.safetensors"
    policy.save(path)
    loaded = load_policy(path)
    for name in ("name", "candidate_features", "context_features", "program", "selection", "card"):
        assert getattr(loaded, name) == getattr(policy, name)
    np.testing.assert_array_equal(loaded.scorer.run(INPUTS), policy.scorer.run(INPUTS))
    assert [p.name for p in path.parent.iterdir()] == ["one.safetensors"]


def test_equal_policies_give_equal_bytes(policy, make_policy, tmp_path):
    names = ("a", "b")
    for name, one in zip(names, (policy, make_policy()), strict=True):
        one.save(tmp_path / f"{name}.safetensors")
    first, second = ((tmp_path / f"{n}.safetensors").read_bytes() for n in names)
    assert first == second


def test_strided_tensors_survive(make_policy, policy, tmp_path):
    """safetensors' numpy backend writes them wrongly without a word; ours copies first."""
    turned = {k: np.asfortranarray(v) for k, v in policy.tensors.items()}
    turned["w1"] = turned["w1"][::-1][::-1]
    path = tmp_path / "turned.safetensors"
    make_policy(tensors=turned).save(path)
    np.testing.assert_array_equal(load_policy(path).tensors["w1"], policy.tensors["w1"])


def test_a_failed_save_leaves_the_old_file(policy, make_policy, tmp_path, monkeypatch):
    path = tmp_path / "p.safetensors"
    policy.save(path)
    before = path.read_bytes()

    def broken(part, target):
        raise OSError("disk full")

    monkeypatch.setattr("lal.serialization.os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        make_policy(1).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["p.safetensors"]


def test_unsavable_policies_are_refused(make_policy, policy, tmp_path):
    path = tmp_path / "p.safetensors"
    half = {k: v.astype(np.float16) for k, v in policy.tensors.items()}
    with pytest.raises(PolicyFileError, match="has type float16; files hold F32"):
        save_policy(make_policy(tensors=half), path)
    with pytest.raises(PolicyFileError, match="is not plain JSON"):
        save_policy(make_policy(card={"x": float("nan")}), path)
    assert not path.exists()


@pytest.mark.parametrize("path", FROZEN, ids=lambda path: path.stem)
def test_a_frozen_file_of_every_version_loads(path):
    policy = load_policy(path)
    expected = json.loads(path.with_suffix(".json").read_text())
    assert policy.name == expected["name"]
    assert policy.screening == expected["screening"]
    assert policy.selection == expected["selection"]
    np.testing.assert_allclose(policy.scorer.run(INPUTS), expected["utilities"], atol=1e-9)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == expected["sha256"]


def test_there_is_a_frozen_file_of_the_version_that_is_written():
    assert len(FROZEN) == UNNAMED_SCHEMA
    assert json.loads(read_header(FROZEN[-1]))["schema"] == UNNAMED_SCHEMA
    assert json.loads(read_header(FROZEN_STREAM))["schema"] == SCHEMA


def test_the_frozen_stream_policy_loads():
    policy = load_as(StreamPolicy, FROZEN_STREAM)
    expected = json.loads(FROZEN_STREAM.with_suffix(".json").read_text())
    assert (policy.name, policy.pace) == (expected["name"], expected["pace"])
    assert list(policy.features) == expected["features"]
    memory = policy.start(budget=0.5)
    found = [policy.utility(memory, StreamItem(np.array([p, 1 - p]))) for p in PROBABILITIES]
    np.testing.assert_allclose(found, expected["utilities"], atol=1e-9)
    assert hashlib.sha256(FROZEN_STREAM.read_bytes()).hexdigest() == expected["sha256"]
    assert isinstance(load_policy(FROZEN_STREAM), StreamPolicy)
    with pytest.raises(PolicyFileError, match="holds a policy of kind 'stream', expected 'pool'"):
        load_as(PoolPolicy, FROZEN_STREAM)


def read_header(path: Path) -> str:
    with safe_open(path, "np") as file:
        return str(file.metadata()["lal"])


def test_shipped_policies():
    assert lal.load_policy("margin").name == "margin"
    policies = list_policies()
    assert policies["margin"].startswith("Margin sampling, written by hand")
    for name, line in policies.items():
        policy = load_policy(name)
        assert line, name
        assert "\n" not in line, name
        assert isinstance(policy, KINDS[policy.kind])
    kinds = ("pool", "regression", "stream", "subset", "predict_or_ask")
    assert {name for kind in kinds for name in list_policies(kind)} == set(policies)
    assert lal.list_stream_policies() == list_policies("stream") != {}
    assert all(isinstance(load_policy(name), PoolPolicy) for name in list_policies("pool"))


def test_the_shipped_margin_is_the_one_of_the_code(tmp_path):
    margin_policy().save(tmp_path / "margin.safetensors")
    shipped = Path(lal.__file__).parent / "policies" / "shipped" / "margin.safetensors"
    assert shipped.read_bytes() == (tmp_path / "margin.safetensors").read_bytes()


def test_an_alias_is_resolved_and_recorded(policy, tmp_path, monkeypatch):
    policy.save(tmp_path / "dated-2026-01.safetensors")
    (tmp_path / "aliases.json").write_text('{"best": "dated-2026-01"}')
    monkeypatch.setattr("lal.policies.kinds.SHIPPED", tmp_path)
    monkeypatch.setattr("lal.policies.kinds._aliases", lambda: {"best": "dated-2026-01"})
    assert load_policy("best").name == policy.name
    assert list_policies()["best"].startswith("alias of dated-2026-01")


@pytest.mark.parametrize("name", ["marginn", "", "..", "a\x00b", "margin.pickle", "x" * 5000])
def test_unknown_names(name):
    with pytest.raises(UnknownNameError, match=r"shipped: .*margin"):
        load_policy(name)


def test_a_missing_file(tmp_path):
    with pytest.raises(PolicyFileError, match="cannot be read \\(No such file"):
        load_policy(tmp_path / "nowhere.safetensors")


def test_a_name_that_no_file_system_takes():
    with pytest.raises(PolicyFileError, match="cannot be read"):
        load_policy("a\x00b.safetensors")
    with pytest.raises(PolicyFileError, match="cannot be read"):
        load_policy("x" * 5000 + ".safetensors")


def test_strange_aliases_are_shown_as_printable_text(policy, tmp_path, monkeypatch):
    """A file of aliases is data, too: its names reach messages, not the terminal."""
    policy.save(tmp_path / "dated.safetensors")
    strange = {"\x1b[31m": "dated", "y" * 5000: "dated", "gone": "nowhere"}
    monkeypatch.setattr("lal.policies.kinds.SHIPPED", tmp_path)
    monkeypatch.setattr("lal.policies.kinds._aliases", lambda: strange)
    with pytest.raises(UnknownNameError, match="unknown policy 'other'") as caught:
        load_policy("other")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    assert "gone" not in str(caught.value)


@pytest.mark.parametrize("text", ['{"best": 1}', "[]", "{", '{"best": NaN}'])
def test_a_damaged_file_of_aliases(text, tmp_path, monkeypatch):
    (tmp_path / "aliases.json").write_text(text)
    monkeypatch.setattr("lal.policies.kinds.SHIPPED", tmp_path)
    _aliases.cache_clear()
    try:
        with pytest.raises(
            PolicyFileError, match=r"aliases.json: (damaged|expected a JSON object)"
        ):
            load_policy("best")
    finally:
        _aliases.cache_clear()


def unknown_feature(fields, tensors):
    fields["candidate_features"][0] = "margin@77"


def unknown_op(fields, tensors):
    fields["program"]["ops"][0]["op"] = "eval"


def unknown_schema(fields, tensors):
    fields["schema"] = 99


def further_field(fields, tensors):
    fields["code"] = "import os"


def wrong_kind(fields, tensors):
    fields["candidate_features"] = "margin@1"


def wrong_shape(fields, tensors):
    tensors["w2"] = np.ones((2, 12))


def wrong_type(fields, tensors):
    tensors["w2"] = np.ones((1, 12), dtype=np.float16)


def no_digest(fields, tensors):
    del fields["sha256"]


def infinite(fields, tensors):
    tensors["w2"] = np.full((1, 12), np.inf)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (unknown_feature, "unknown feature 'margin@77'"),
        (unknown_op, "unknown op 'eval'"),
        (unknown_schema, "schema '99' is unknown; this release reads 1 to 3"),
        (further_field, "the fields are"),
        (wrong_kind, "'candidate_features' must be list"),
        (wrong_shape, "must have width 1"),
        (wrong_type, "has type 'F16'"),
        (no_digest, "the fields are"),
        (infinite, "not finite"),
    ],
)
def test_files_that_say_something_else(change, message, policy, tmp_path):
    path = tmp_path / "p.safetensors"
    policy.save(path)
    rewrite(path, change)
    with pytest.raises(PolicyFileError, match=message) as caught:
        load_policy(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_damaged_files(policy, tmp_path, monkeypatch):
    path = tmp_path / "p.safetensors"
    policy.save(path)
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[-3] ^= 1
    for damaged, message in [
        (b"", "too short"),
        (content[:5], "too short"),
        (content[:-9], "damaged or not a policy file"),
        (content + b"x", "file not fully covered"),
        (bytes(flipped), "sha256 does not match"),
        (struct.pack("<Q", 2**62) + content[8:], "header claims"),
        (b"\x80\x04\x95" + content, "header claims"),
        (struct.pack("<Q", 2) + b"[]", "damaged or not a policy file"),
    ]:
        path.write_bytes(damaged)
        with pytest.raises(PolicyFileError, match=message):
            load_policy(path)
    path.write_bytes(content)
    monkeypatch.setattr("lal.policies.files.MAX_FILE", 1000)
    with pytest.raises(PolicyFileError, match="more than 1000"):
        load_policy(path)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda p: p.symlink_to("/dev/zero")])
def test_only_regular_files_are_read(make, tmp_path):
    """A FIFO would be waited for without end, /dev/zero read without end."""
    path = tmp_path / "p.safetensors"
    make(path)
    with pytest.raises(PolicyFileError, match="cannot be read \\(expected a regular file\\)"):
        load_policy(path)


def test_digest_of_a_file_is_that_of_its_bytes(policy, tmp_path):
    path = tmp_path / "p.safetensors"
    policy.save(path)
    assert read_file(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_missing_label_is_for_policies_that_read_labels():
    assert load_policy("margin", missing_label=-1).missing_label == -1
    with pytest.raises(UsageError, match="a stream policy reads no labels of a pool"):
        load_policy("stream-dqn", missing_label=-1)


def test_shipped_names_are_unique():
    names = [path.stem for path in SHIPPED.rglob("*.safetensors")]
    assert sorted(set(names)) == sorted(names)


def attempt(path: Path) -> tuple[PoolPolicy | None, str]:
    """Return the policy of a file, or None and the message; any other error goes through."""
    try:
        return load_policy(path), ""
    except PolicyFileError as error:
        return None, str(error)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, insert, repeat or swap bytes, half of the time in the header."""
    data = bytearray(content)
    (length,) = struct.unpack("<Q", content[:8])
    end = 8 + length if rng.random() < 0.7 else len(data)
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(0, min(end, len(data))))
        width = int(rng.integers(1, 20))
        kind = rng.integers(5)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[at : at + width]
        elif kind == 2:
            data[at:at] = rng.bytes(width)
        elif kind == 3:
            data[at:at] = data[at : at + width]
        else:
            data[at : at + 1] = rng.choice([b"9", b"-", b"[", b"{", b'"', b"null"])
        if len(data) < 2:
            break
    return bytes(data)


def test_mutated_files_never_load_wrongly(policy, tmp_path):
    """500 damaged files: a PolicyFileError of one line, or exactly the policy that was saved."""
    path = tmp_path / "p.safetensors"
    policy.save(path)
    content = path.read_bytes()
    right = policy.scorer.run(INPUTS)
    rng = np.random.default_rng(0)
    for _ in range(500):
        path.write_bytes(mutated(content, rng))
        loaded, refusal = attempt(path)
        assert "\n" not in refusal
        if loaded is not None:
            np.testing.assert_array_equal(loaded.scorer.run(INPUTS), right)


def mutate_json(value, rng):
    """Change one place of a JSON value to something else."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = str(rng.choice(sorted(value)))
        return {**value, key: mutate_json(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = int(rng.integers(len(value)))
        return [*value[:at], mutate_json(value[at], rng), *value[at + 1 :]]
    odd: tuple[Any, ...] = (
        None,
        True,
        -1,
        10**30,
        1e308,
        "",
        "candidates",
        "w1",
        [],
        {},
        [[]],
        "u",
        "trees",
        0.5,
    )
    return odd[int(rng.integers(len(odd)))]


def test_mutated_programs_with_a_right_digest(policy, tmp_path):
    """Somebody who recomputes the digest gets a working policy or a PolicyFileError."""
    path = tmp_path / "p.safetensors"
    policy.save(path)
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(150):
        path.write_bytes(content)

        def change(fields, tensors):
            mutated_fields = mutate_json({k: v for k, v in fields.items() if k != "sha256"}, rng)
            if isinstance(mutated_fields, dict):
                fields.update(mutated_fields)

        rewrite(path, change)
        loaded, _ = attempt(path)
        if loaded is not None:
            width = len(loaded.candidate_features)
            loaded.scorer.run({"candidates": np.zeros((3, width)), "context": CONTEXT})


def test_loading_needs_no_trainer():
    code = (
        "import sys, lal; p = lal.load_policy('margin'); p.scorer\n"
        "heavy = {'torch', 'gymnasium', 'numba', 'matplotlib', 'pandas', 'sklearn'}\n"
        "bad = heavy & set(sys.modules)\n"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
