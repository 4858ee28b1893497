import subprocess

import pytest

pytest.importorskip("numba")

from lal.registry import Registry
from scripts.benchmarks.base import Results
from scripts.benchmarks.speed import compile as bench
from scripts.benchmarks.speed.compile import FIRST_STEPS, Config, run

STEP = (
    "import os\n"
    "from envs.simulator.kernels.random_numbers import below\n"
    "full = any(files for _, _, files in os.walk(os.environ['NUMBA_CACHE_DIR']))\n"
    "assert 0 <= below(np.zeros(1, np.uint64), 3) < 3\n"
    "assert sum(below.stats.cache_hits.values()) == int(full)\n"
)


@pytest.fixture
def steps(monkeypatch):
    """First steps of these tests in place of the real ones."""
    found: Registry[str] = Registry("first step")
    found.add("one", STEP)
    found.add("wrong", "raise SystemExit(3)\n")
    monkeypatch.setattr(bench, "FIRST_STEPS", found)


@pytest.mark.usefixtures("steps")
def test_a_first_step_begins_with_an_empty_cache_and_is_timed_again_with_a_full_one():
    results = Results()
    run(Config(steps=("one",)), results)
    (row,) = results.tables["compile"].rows
    assert row["first step"] == "one"
    assert float(str(row["CPU s"])) > 0.0
    assert set(row) == {"first step", "CPU s", "wall s", "cached, CPU s"}


@pytest.mark.usefixtures("steps")
def test_a_first_step_that_fails_is_an_error():
    with pytest.raises(subprocess.CalledProcessError):
        run(Config(steps=("wrong",)), Results())


@pytest.mark.parametrize("name", FIRST_STEPS)
def test_first_steps_are_programs(name):
    compile(FIRST_STEPS[name], name, "exec")
