"""Control tests over training seeds: what is trained, held out and decided."""

import pytest

from lal.data.datasets import load_dataset
from lal.errors import UsageError
from scripts.benchmarks.agents.seeds import Config, run
from scripts.benchmarks.base import Results
from scripts.trained import get_settings


def test_every_seed_gets_a_row_with_its_controls_and_a_second_call_trains_nothing(tmp_path):
    config = Config(
        preset="smoke", changes=("budget=3", "n_tasks=1"), seeds=(0, 1),
        suite=("sklearn:iris", "sklearn:wine"), baselines=("random", "margin"), runs=1, budget=4,
        n_untrained=2, out=tmp_path, jobs=1,
    )  # fmt: skip
    results = Results()
    run(config, results)
    rows = results.tables["seeds"].rows
    assert [row["seed"] for row in rows] == [0, 1]
    assert set(rows[0]) == {
        "seed", "minus untrained", "minus shuffled", "minus random", "minus margin",
        "minus margin, accuracy", "learned",
    }  # fmt: skip
    assert rows[0]["minus random"] != rows[1]["minus random"]
    over = results.tables["over-seeds"].rows
    assert {row["minus"] for row in over} == {n.removeprefix("minus ") for n in rows[0]} - {
        "seed",
        "learned",
    }
    policies = sorted(tmp_path.glob("seed-*/*/policy.safetensors"))
    assert len(policies) == 4
    before = [path.stat().st_mtime_ns for path in policies]
    again = Results()
    run(config, again)
    assert again.tables["seeds"].rows == rows
    assert [path.stat().st_mtime_ns for path in policies] == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("gamma", "a change is a field of GRPOConfig and its value, such as gamma=0; got 'gamma'"),
        ("gama=0", "got 'gama=0'"),
        ("start=default", "the value of start must be JSON"),
    ],
)
def test_changes_that_are_not_name_and_value(change, said):
    with pytest.raises(UsageError, match=said):
        get_settings("grpo", "smoke", 0, [], [change])


def test_only_families_that_training_could_see_are_held_out():
    datasets = [load_dataset("sklearn:iris"), load_dataset("synthetic:rings")]
    assert get_settings("grpo", "smoke", 0, datasets).hold_out == ("synthetic:rings",)
    real = ('datasets=["sklearn:wine"]', "share_synthetic=0.5")
    held = get_settings("grpo", "smoke", 0, datasets, real).hold_out
    assert held == ("iris", "synthetic:rings")
