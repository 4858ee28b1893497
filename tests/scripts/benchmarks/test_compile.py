import subprocess

import pytest

pytest.importorskip("numba")

from scripts.benchmarks.speed.compile import FIRST_STEPS, first_compile

STEP = (
    "import os\n"
    "from envs.simulator.kernels.random_numbers import below\n"
    "full = any(files for _, _, files in os.walk(os.environ['NUMBA_CACHE_DIR']))\n"
    "assert 0 <= below(np.zeros(1, np.uint64), 3) < 3\n"
    "assert sum(below.stats.cache_hits.values()) == int(full)\n"
)


def test_a_first_step_begins_with_an_empty_cache_and_is_timed_again_with_a_full_one(capsys):
    seconds = first_compile({"one": STEP})
    assert list(seconds) == ["one"]
    assert seconds["one"] > 0.0
    said = capsys.readouterr().out
    assert said.startswith(f"first compilation, one: {seconds['one']:.1f} s CPU, ")
    assert said.endswith("s CPU with the cache\n")


def test_a_first_step_that_fails_is_an_error():
    with pytest.raises(subprocess.CalledProcessError):
        first_compile({"wrong": "raise SystemExit(3)\n"})


@pytest.mark.parametrize("name", FIRST_STEPS)
def test_first_steps_are_programs(name):
    compile(FIRST_STEPS[name], name, "exec")
