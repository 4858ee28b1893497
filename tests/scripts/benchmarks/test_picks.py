"""Picks on held-out blocks: every version and margin are there; no blocks, no table."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from agents.imitation.config import SMOKE
from agents.imitation.states import make_states
from lal.errors import UsageError
from scripts.benchmarks.policies.picks import Config, run


def test_the_same_policy_twice_differs_by_nothing(tmp_path, capsys):
    for block in range(3):
        make_states(SMOKE, block).save(tmp_path / "blocks" / f"{block:04d}.npz")
    gains = run(
        Config(policies=("a=default", "b=default"), states=tmp_path, blocks=2, tasks=2, budget=3)
    )
    assert set(gains) == {"a", "b", "margin"}
    assert np.array_equal(gains["a"], gains["b"])
    printed = capsys.readouterr().out
    assert "2 blocks" in printed
    assert printed.count("minus the first: +0.000 [+0.000, +0.000]") == 4


def test_a_folder_without_blocks_is_refused():
    with pytest.raises(UsageError, match="has no blocks"):
        run(Config(states=Path("nowhere")))
