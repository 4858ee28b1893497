"""Locked suites: accesses are logged once, in order, tampering shows; partition by family."""

import pytest

from lal.data.suites import Entry
from lal.errors import DataError
from lal.evaluation.holdout.access_log import log_access, read_access_log
from lal.evaluation.holdout.partition import DataPartition


def accessed(path, protocol="p1", **policies):
    return log_access(path, suite="locked", protocol=protocol, policies=policies)


def test_every_evaluation_is_one_line_and_going_on_is_none(tmp_path):
    path = tmp_path / "log" / "openings.jsonl"
    assert read_access_log(path) == []
    assert len(accessed(path, mine="a1")) == 1
    assert len(accessed(path, mine="a1")) == 1
    assert len(accessed(path, mine="a2")) == 2
    found = accessed(path, "p2", mine="a2")
    assert [(o.protocol, o.policies) for o in found] == [
        ("p1", {"mine": "a1"}), ("p1", {"mine": "a2"}), ("p2", {"mine": "a2"}),
    ]  # fmt: skip
    assert read_access_log(path) == found
    assert all(o.who and o.when.endswith("+00:00") for o in found)


@pytest.mark.parametrize("damage", ["removed", "changed", "garbage"])
def test_tampering_shows(tmp_path, damage):
    path = tmp_path / "openings.jsonl"
    for name in ("a", "b", "c"):
        accessed(path, name)
    lines = path.read_text().splitlines()
    lines = {
        "removed": [lines[0], lines[2]],
        "changed": [lines[0].replace('"a"', '"z"'), *lines[1:]],
        "garbage": [*lines, "nothing"],
    }[damage]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=r"changed or taken out|is not an access record"):
        accessed(path, "d")
    number, said = {
        "removed": (2, "does not follow the line before: lines were changed or taken out"),
        "changed": (2, "does not follow the line before: lines were changed or taken out"),
        "garbage": (4, "is not an access record: Expecting value"),
    }[damage]
    with pytest.raises(DataError, match=f"^line {number} of '{path}' {said}"):
        read_access_log(path)


def test_a_log_that_cannot_be_written_keeps_the_suite_locked(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="a locked suite is not evaluated without it"):
        accessed(tmp_path / "file" / "openings.jsonl")


def entry(name, family):
    return Entry(name, family, name, load=lambda: None)  # type: ignore[arg-type, return-value]


def test_families_stay_in_one_part():
    heart, wine, iris = entry("heart", "heart"), entry("wine", "wine"), entry("iris", "iris")
    DataPartition([heart], [wine], [iris]).check()
    with pytest.raises(DataError, match=r"wine: white against wine"):
        DataPartition([heart], [entry("white", "wine")], [wine]).check()
