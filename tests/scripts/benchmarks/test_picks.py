"""Picks on held-out blocks: every version and margin are there; no blocks, no table."""

from pathlib import Path

import pytest

pytest.importorskip("numba")

from agents.imitation.config import SMOKE
from agents.imitation.states import make_states
from lal.errors import UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.policies.picks import Config, run


def test_the_same_policy_twice_differs_by_nothing(tmp_path):
    for block in range(3):
        make_states(SMOKE, block).save(tmp_path / "blocks" / f"{block:04d}.npz")
    config = Config(
        policies=("a=default", "b=default"), states=tmp_path, blocks=2, tasks=2, budget=3
    )
    results = Results()
    run(config, results)
    a, b, margin = results.tables["picks"].rows
    assert (a.pop("policy"), b.pop("policy"), margin["policy"]) == ("a", "b", "margin")
    assert a == b
    assert "2 blocks" in results.notes[0]
    rows = [a, b, *results.tables["episodes"].rows]
    assert [row["minus the first"] for row in rows] == ["+0.000 [+0.000, +0.000]"] * 4


def test_a_folder_without_blocks_is_refused():
    with pytest.raises(UsageError, match="has no blocks"):
        run(Config(states=Path("nowhere")), Results())
