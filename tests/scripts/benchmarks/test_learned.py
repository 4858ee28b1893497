import pytest

pytest.importorskip("pandas")

import pandas as pd

from lal.errors import UsageError
from lal.evaluation.runs.cells import DONE
from scripts.benchmarks.agents.learned import MEAN, differences

AREAS = {"mine": 0.8, "random": 0.7, "shuffled": 0.75, "untrained-0": 0.5, "untrained-1": 0.6}


def rows(**areas):
    """Three sets, two runs each; every strategy has one area everywhere."""
    found = [
        {"family": d, "dataset": d, "learner": "l", "split": i, "start": i, "status": DONE,
         "strategy": name, "area": area, "cell": f"{d}/{i}/{name}"}
        for d in ("a", "b", "c") for i in range(2) for name, area in (AREAS | areas).items()
    ]  # fmt: skip
    return pd.DataFrame(found)


def test_untrained_copies_count_with_their_mean():
    found = differences(rows(), "mine")
    assert {name: round(gap.mean, 6) for name, gap in found.items()} == {
        "random": 0.1, "shuffled": 0.05, MEAN: 0.25,
    }  # fmt: skip


def test_a_policy_behind_its_shuffled_copy_did_not_learn():
    assert differences(rows(shuffled=0.9), "mine")["shuffled"].high < 0


def test_an_evaluation_without_copies_is_refused():
    table = rows()
    with pytest.raises(UsageError, match="needs its runs and those of random, untrained"):
        differences(table[table["strategy"] != "shuffled"], "mine")
