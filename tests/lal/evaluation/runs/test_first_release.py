"""A store that the first release wrote: read as it is, found by the same keys, roles by label."""

import json
from pathlib import Path

import pytest

import lal
from lal.evaluation.analysis.control_tests import find_controls
from lal.evaluation.analysis.tables import get_roles, read_table
from lal.evaluation.report.model import make_page
from lal.evaluation.runs.methods import read_methods
from lal.evaluation.runs.replay import restore
from lal.evaluation.runs.store import RunStore

pytest.importorskip("pandas")
WRITTEN = Path(__file__).parents[1] / "stores" / "first_release.json"


@pytest.fixture
def store(tmp_path):
    found = json.loads(WRITTEN.read_text())
    for key, content in found["cells"].items():
        path = tmp_path / "cells" / key[:2] / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    (tmp_path / "evaluation.json").write_text(json.dumps(found["evaluation.json"]))
    return RunStore.existing(tmp_path)


def test_every_run_is_read_and_labels_become_roles(store):
    assert store.verify().counts == {"done": 12}
    table = read_table(store)
    assert get_roles(table) == {
        "random": "strategy", "margin": "strategy", "mine": "policy", "untrained0": "untrained",
        "shuffled": "shuffled", "@full": "full_labels",
    }  # fmt: skip
    assert find_controls(table)["shuffled"] == ["shuffled"]
    assert make_page(store, n_samples=100).focus == "mine"


def test_a_run_is_found_by_the_key_that_the_first_release_gave_it(store, monkeypatch):
    monkeypatch.setattr(lal, "__version__", "0.1.0")
    for result in store:
        if result.about["strategy"] != "mine":  # its policy file is not here
            assert restore(store, result).key == result.key


def test_methods_of_the_manifest_are_complete(store):
    mine = next(m for m in read_methods(store.manifest()) if m.label == "mine")
    assert (mine.spec, mine.options, len(mine.sha256)) == ("policy:mine.safetensors", "{}", 64)
