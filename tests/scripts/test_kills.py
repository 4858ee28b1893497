"""`kill -9` in evaluate and train: run again, nothing is lost and the end is the same.

``--kills 50`` kills more often; trainings share them, two for every agent at least. Processes are
forked off one that has imported what they need, so that a kill costs no start of Python.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from agents import AGENTS
from lal.evaluation.analysis.tables import read_table
from lal.evaluation.runs.store import RunStore
from scripts.entry import run_main
from scripts.evaluate import run as evaluate
from scripts.train import Config, main, start

pytestmark = pytest.mark.timeout(4000)  # of 50 kills on a busy machine
ROOT = Path(__file__).resolve().parents[2]
EVALUATE = [
    "--suite", "synthetic:rings@1", "--strategies", "random", "margin",
    "--learners", "gaussian_nb", "--runs", "12", "--budget", "12",
]  # fmt: skip
LEAST_KILLS = 2
TIMES = ("seconds", "query_seconds", "query_p95")


def learner_module(agent):
    learner = AGENTS[agent].learner
    return learner.partition(":")[0] if isinstance(learner, str) else learner.__module__


@pytest.fixture(scope="module")
def forkserver():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["scripts.evaluate", "lal.evaluation.evaluate", "lal.evaluation.analysis.summary",
         "sklearn.naive_bayes", "sklearn.linear_model", "scipy.stats", "pandas",
         "pyarrow.parquet", "scripts.train", *(learner_module(name) for name in AGENTS)]
    )  # fmt: skip
    return context


def begun(context, target, *arguments, **options):
    process = context.Process(target=target, args=arguments, kwargs=options)
    process.start()
    return process


def seconds_of(process):
    began = time.monotonic()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - began


def killed(process, seconds):
    """Kill a process after so long and say whether it was still at work."""
    process.join(seconds)
    if process.exitcode is None:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert process.exitcode in (-signal.SIGKILL, 0)
    return process.exitcode != 0


def results(folder):
    table = read_table(RunStore(folder))
    return table[[name for name in table.columns if name not in TIMES]]


@pytest.mark.slow
def test_evaluations_that_are_killed_end_alike_and_run_nothing_twice(forkserver, tmp_path, request):
    left, rng, round_ = request.config.getoption("--kills"), np.random.default_rng(1), 0
    flags = [*EVALUATE, "--out"]
    begun(forkserver, evaluate, [*flags, str(tmp_path / "first")]).join()  # fills caches
    whole = seconds_of(begun(forkserver, evaluate, [*flags, str(tmp_path / "whole")]))
    expected = results(tmp_path / "whole")
    while left > 0:
        before: dict[Path, int] = {}
        folder, round_ = tmp_path / f"killed-{round_}", round_ + 1
        while left > 0:
            process = begun(forkserver, evaluate, [*flags, str(folder)])
            if not killed(process, rng.uniform(0, whole)):
                break
            left -= 1
            now = {p: p.stat().st_mtime_ns for p in RunStore(folder).files()}
            assert {p: now.get(p) for p in before} == before  # nothing lost, nothing run twice
            assert not RunStore(folder).verify().quarantined
            before = now
        seconds_of(begun(forkserver, evaluate, [*flags, str(folder)]))
        found = RunStore(folder).verify()
        assert (found.missing, found.quarantined) == (0, ())
        assert results(folder).equals(expected)


def training(context, agent, folder):
    flags = ["--agent", agent, "--preset", "smoke", "--no-progress", "--out", str(folder)]
    return begun(context, run_main, main, Config, flags, start=start)


@pytest.mark.slow
@pytest.mark.parametrize("agent", sorted(AGENTS))
def test_trainings_that_are_killed_end_in_the_same_bytes(forkserver, tmp_path, request, agent):
    left, rng, round_ = request.config.getoption("--kills"), np.random.default_rng(2), 0
    left = max(LEAST_KILLS, -(-left // len(AGENTS)))
    training(forkserver, agent, tmp_path / "first").join()  # fills caches
    whole = seconds_of(training(forkserver, agent, tmp_path / "whole"))
    expected = (tmp_path / "whole" / "policy.safetensors").read_bytes()
    while left > 0:
        folder, round_ = tmp_path / f"killed-{round_}", round_ + 1
        while left > 0 and killed(training(forkserver, agent, folder), rng.uniform(0, whole)):
            left -= 1
        seconds_of(training(forkserver, agent, folder))
        assert (folder / "policy.safetensors").read_bytes() == expected
        assert (folder / "finished.json").exists()
        assert not list(folder.rglob("*.part"))
        assert not (folder / "checkpoints").exists()


def children(pid):
    """Return the processes that have `pid` as their parent."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_workers_end_with_an_evaluation_that_is_killed(tmp_path):
    command = [sys.executable, "-m", "scripts.evaluate", *EVALUATE, "--jobs", "2", "--runs", "4000"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)], cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not list(tmp_path.glob("cells/*/*.parquet")) and process.poll() is None:
        time.sleep(0.05)
    workers = children(process.pid)
    assert len(workers) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    with process.stdout as stdout:
        stdout.read()  # returns once no worker holds the other end
    while any(Path(f"/proc/{pid}").exists() for pid in workers):  # ended by the test's own limit
        time.sleep(0.05)
