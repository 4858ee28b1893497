"""Blocks are named by their seed: any number of workers on any backend makes the same files."""

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import joblib
import numpy as np
import pytest
from joblib._parallel_backends import ThreadingBackend

from agents import AGENTS
from agents.imitation.config import SMOKE
from agents.imitation.trees_config import PRESETS as TREES
from agents.imitation.trees_states import load_samples, make_samples
from agents.training import blocks
from agents.training.blocks import make_blocks
from agents.training.progress import Progress
from agents.training.run_folder import RunFolder
from lal.errors import UsageError

CONFIG = replace(TREES["smoke"], n_blocks=3)


class WholeLists(ThreadingBackend):  # type: ignore[misc]
    """A backend that returns results only all at once, as Ray's does."""

    supports_return_generator = False


@pytest.fixture(autouse=True, scope="module")
def backend_of_whole_lists():
    joblib.register_parallel_backend("whole_lists", WholeLists)
    yield
    joblib.parallel.BACKENDS.pop("whole_lists")


def made(folder, n_jobs, numbers=range(3)):
    paths = [folder / f"{i}.npz" for i in range(3)]
    make = partial(make_samples, CONFIG)
    make_blocks(make, paths, numbers=numbers, n_jobs=n_jobs, progress=Progress())
    return paths


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return load_samples(made(tmp_path_factory.mktemp("blocks"), 1))


@pytest.mark.parametrize("backend", ["loky", "threading", "whole_lists"])
def test_any_backend_makes_the_same_blocks(backend, alone, tmp_path):
    with joblib.parallel_config(backend=backend):
        found = load_samples(made(tmp_path, 2))
    for name in ("inputs", "gains", "state", "bought"):
        assert np.array_equal(getattr(found, name), getattr(alone, name)), name


def test_files_that_are_there_are_not_made_again(tmp_path):
    paths = made(tmp_path, 1, numbers=[1])
    before = paths[1].stat().st_mtime_ns
    assert not paths[0].exists()
    made(tmp_path, 1)
    assert paths[1].stat().st_mtime_ns == before
    assert all(path.exists() for path in paths)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_an_agent_trains_on_the_active_backend(backend, tmp_path):
    agent = AGENTS["gain_regression"]
    plain = agent.train(CONFIG, tmp_path / "plain")
    with joblib.parallel_config(backend=backend):
        path = agent.train(replace(CONFIG, n_jobs=2), tmp_path / backend)
    one, two = (np.load(p.parent / "samples" / "0002.npz") for p in (plain, path))
    assert all(np.array_equal(one[key], two[key]) for key in one.files)


def test_workers_become_the_agents_own_setting():
    from scripts.train import Config, with_workers

    config = Config(agent="lookahead", workers=3, options=SMOKE)
    assert with_workers(config).options == replace(SMOKE, n_jobs=3)
    assert with_workers(replace(config, workers=None)).options == SMOKE
    with pytest.raises(UsageError, match="--workers must be at least 1, got 0"):
        with_workers(replace(config, workers=0))
    with pytest.raises(UsageError, match="'dqn' trains in one process"):
        with_workers(Config(agent="dqn", workers=2))


def test_a_run_may_go_on_with_another_number_of_workers(tmp_path):
    begun = RunFolder(tmp_path, agent="lookahead", config=SMOKE)
    begun.begin()
    resumed = RunFolder(tmp_path, agent="lookahead", config=replace(SMOKE, n_jobs=3))
    assert resumed.hash == begun.hash
    with pytest.raises(UsageError, match="holds a run of another config"):
        RunFolder(tmp_path, agent="lookahead", config=replace(SMOKE, n_candidates=5, n_jobs=3))


class Jobs:
    """Stands in for joblib's Parallel: notes its options and runs jobs one after the other."""

    made: ClassVar[list[Any]] = []

    def __init__(self, **options: Any) -> None:
        self.options = options

    def __call__(self, jobs: Any) -> Any:
        jobs = list(jobs)
        self.made.append((self.options, [given for _, given, _ in jobs]))
        return [run(*given) for run, given, _ in jobs]


@pytest.fixture
def jobs(monkeypatch):
    """What was run, by the active backend of a name that returns results one by one or not."""
    monkeypatch.setattr(Jobs, "made", [])
    monkeypatch.setattr(joblib, "Parallel", Jobs)
    monkeypatch.setattr(blocks, "bound_workers", lambda: {"bound": True})

    work: Any = abs

    def run(name, one_by_one, n_jobs, n):
        backend = type(name, (), {"supports_return_generator": one_by_one})()
        monkeypatch.setattr("joblib.parallel.get_active_backend", lambda: (backend, 7))
        assert list(blocks._made(work, range(n), n_jobs)) == [(i, i) for i in range(n)]
        made, Jobs.made[:] = Jobs.made[:], []
        return made

    return run


@pytest.mark.parametrize(("name", "n_jobs", "bound"), [
    ("LokyBackend", 2, {"bound": True}), ("LokyBackend", -1, {"bound": True}),
    ("LokyBackend", 1, {}), ("ThreadingBackend", 2, {}),
])  # fmt: skip
def test_workers_of_this_machine_are_bounded(jobs, name, n_jobs, bound):
    options = {"n_jobs": n_jobs, "return_as": "generator_unordered", **bound}
    assert jobs(name, True, n_jobs, 3) == [(options, [(abs, i) for i in range(3)])]


@pytest.mark.parametrize(
    ("n_jobs", "sizes"), [(2, [8, 8, 1]), (1, [4] * 4 + [1]), (-1, [4] * 4 + [1])]
)
def test_backends_of_whole_lists_are_given_four_blocks_a_worker(jobs, n_jobs, sizes):
    found = jobs("RayBackend", False, n_jobs, 17)
    assert [len(given) for _, given in found] == sizes
    assert all(options == {"n_jobs": n_jobs} for options, _ in found)
