"""Provenance: the hash of the code follows every byte and every path, and nothing else."""

import shutil
from importlib.machinery import ModuleSpec

import pytest

from lal import provenance
from lal.serialization import versions


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Two packages that stand in for the code."""
    for name in ("lal", "agents"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "a.py").write_text(f"# {name}\n")
        (tmp_path / name / "b.py").write_text("x = 1\n")

    def find(name):
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(tmp_path / name)]
        return spec if (tmp_path / name).is_dir() else None

    monkeypatch.setattr(provenance, "find_spec", find)
    return tmp_path


def read():
    return provenance.code_hash.__wrapped__()


def test_the_hash_follows_content_and_paths_of_the_source(packages):
    first = read()
    assert len(first) == 64
    (packages / "lal" / "notes.txt").write_text("no code")
    assert read() == first
    (packages / "agents" / "b.py").write_text("x = 2\n")
    second = read()
    assert second != first
    (packages / "agents" / "b.py").rename(packages / "agents" / "c.py")
    third = read()
    assert third not in (first, second)
    shutil.rmtree(packages / "agents")
    assert read() not in (first, second, third)


def test_a_card_names_the_version_that_is_installed_and_the_code_that_runs():
    found = provenance.code_state()
    assert found["sha256"] == read() == provenance.code_hash()
    assert found["version"] == versions()["learned-active-learning"]
