"""The benchmark of what-if features: its rows, and that a phase without states says so."""

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("torch")

from agents.imitation.states import States
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies.what_if import PHASES, Config, _row, run


def test_versions_are_compared_by_labels():
    config = Config(
        blocks=5, block_tasks=2, rows=(200, 250), columns=(2, 4), shortlist=4, offered=20,
        sizes=(2, 4), n_members=1, n_epochs=1,
    )  # fmt: skip
    results = Results()
    run(config, results)
    names = [row["picks of"] for row in results.tables["gains"].rows]
    assert names[0] == "margin"
    assert names[-2:] == ["second stage without what-if features", "second stage"]
    assert len(results.tables["differences"].rows) == 3
    assert results.notes[0].endswith("states of 10 tasks")


def test_rows_by_hand():
    """Blocks of +1 and +3 early, nothing late."""
    n = np.array([2, 4, 8, 8])
    none = np.zeros((4, 1), dtype=np.float32)
    states = States(none, none, none, none > 0, n)
    row = _row(np.array([1.0, 1.0, 2.0, 4.0]), states, np.array([0, 0, 1, 1]))
    assert list(row) == list(PHASES)
    assert row["all"].startswith("+2.00 +- 1.96")
    assert row["from 33"] == "too few states"
