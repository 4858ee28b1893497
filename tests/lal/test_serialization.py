"""Reads that end and writes that never tear, whoever else writes into the folder."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from lal import serialization
from lal.errors import DataError, UsageError
from lal.serialization import from_mapping, parse_json, read_file, read_json, write_bytes


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    pair: tuple[int, int] = (1, 2)
    names: tuple[str, ...] = ()
    maybe: int | None = None


@pytest.mark.parametrize(
    "held",
    [
        {"pair": [1]}, {"pair": [1, 2, 3]}, {"pair": 3}, {"pair": ["a", "b"]}, {"names": [1]},
        {"names": "ab"}, {"inner": [1]}, {"inner": {"rate": "x"}}, {"inner": {"rate": 10**400}},
        {"inner": {"rate": True}}, {"maybe": 1.5}, {"maybe": []}, {"other": 1},
    ],
)  # fmt: skip
def test_a_config_of_the_wrong_kind_is_refused_by_field(held):
    with pytest.raises(UsageError, match=rf"config.*{next(iter(held))}"):
        from_mapping(Outer, held)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", "{", "nul", b"\xff\xfe"])
def test_json_that_is_deep_or_damaged_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_json_files_are_regular_and_bounded(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="there is no file"):
        read_json(tmp_path / "none.json")
    with pytest.raises(UsageError, match="it is a folder"):
        read_json(tmp_path)
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)
    with pytest.raises(UsageError, match="cannot be read as JSON: it is nested too deeply"):
        read_json(deep)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(DataError, match="a pipe, a socket or a device"):
            read_file(path)
    with pytest.raises(DataError, match="it has 100000 bytes; at most 10 are read"):
        read_file(deep, largest=10)
    with pytest.raises(DataError, match="null"):
        read_file(Path("a\0b"))


def test_leftovers_of_the_same_file_are_removed_once_they_are_old(tmp_path):
    old, young, other = (
        tmp_path / name for name in (".a.json.77.part", ".a.json.78.part", ".ab.json.77.part")
    )
    for path in (old, young, other):
        path.write_text("half")
    for path in (old, other):
        os.utime(path, (0, time.time() - 2 * serialization.LEFTOVER_AGE))
    write_bytes(tmp_path / "a.json", b"whole")
    assert not old.exists()
    assert young.exists()
    assert other.exists()
    assert (tmp_path / "a.json").read_bytes() == b"whole"


def test_processes_of_one_number_do_not_share_a_part(tmp_path, monkeypatch):
    """Two containers that share a folder may both have process 1."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    seen = []

    def write(part):
        seen.append(part)
        part.write_text("outer")
        if len(seen) == 1:  # another container writes the same file in between
            serialization.write_atomic(tmp_path / "a.json", write)
            assert part.read_text() == "outer"

    serialization.write_atomic(tmp_path / "a.json", write)
    assert len({path.name for path in seen}) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_long_names_can_be_written(tmp_path):
    write_bytes(tmp_path / ("n" * 250), b"x")
    assert (tmp_path / ("n" * 250)).read_bytes() == b"x"
