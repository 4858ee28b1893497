"""Blocks are named by their seed, so several processes make the blocks of one."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from agents.lookahead.config import PRESETS
from agents.lookahead.train import _make_blocks
from agents.training.run_folder import RunFolder
from lal.errors import UsageError


@pytest.mark.slow
def test_two_processes_make_the_blocks_of_one_bit_for_bit(tmp_path):
    alone = _make_blocks(PRESETS["smoke"], tmp_path / "one", False)
    shared = _make_blocks(replace(PRESETS["smoke"], n_jobs=2), tmp_path / "two", False)
    assert [p.name for p in alone] == [p.name for p in shared]
    for one, two in zip(alone, shared, strict=True):
        with np.load(one) as a, np.load(two) as b:
            assert a.files == b.files
            for key in a.files:
                assert np.array_equal(a[key], b[key]), key


def test_workers_become_the_agents_own_setting():
    from scripts.train import Config, with_workers

    config = Config(agent="lookahead", workers=3, options=PRESETS["smoke"])
    assert with_workers(config).options == replace(PRESETS["smoke"], n_jobs=3)
    assert with_workers(replace(config, workers=None)).options == PRESETS["smoke"]
    with pytest.raises(UsageError, match="--workers must be at least 1, got 0"):
        with_workers(replace(config, workers=0))
    with pytest.raises(UsageError, match="'dqn' plays in one process"):
        with_workers(Config(agent="dqn", workers=2))


def test_a_run_may_go_on_with_another_number_of_workers(tmp_path):
    config = PRESETS["smoke"]
    begun = RunFolder(tmp_path, agent="lookahead", config=config)
    begun.begin()
    resumed = RunFolder(tmp_path, agent="lookahead", config=replace(config, n_jobs=3))
    assert resumed.hash == begun.hash
    with pytest.raises(UsageError, match="holds a run of another config"):
        RunFolder(tmp_path, agent="lookahead", config=replace(config, n_candidates=5, n_jobs=3))
