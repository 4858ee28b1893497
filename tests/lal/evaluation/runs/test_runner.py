"""Runner: paired, parallel without a trace, failures kept, killed and resumed."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lal.data.datasets import load_dataset
from lal.errors import UnknownNameError, UsageError
from lal.evaluation.analysis.tables import read_table
from lal.evaluation.runs import limits
from lal.evaluation.runs.costs import predict_seconds
from lal.evaluation.runs.limits import RunTimeout, time_limit
from lal.evaluation.runs.methods import MethodSpec, parse_methods
from lal.evaluation.runs.protocol import Protocol, Repetition, make_protocol
from lal.evaluation.runs.run import Run, make_runs
from lal.evaluation.runs.runner import Progress, execute_runs, plan
from lal.evaluation.runs.store import RunStore
from lal.strategies.base import STRATEGIES

ROOT = Path(__file__).parents[4]
METRICS = ["accuracy", "balanced_accuracy", "log_likelihood", "area", "n_labels"]
NAMES = ["strategy", "dataset", "learner", "split", "start", "status"]


class Broken:
    def utilities(self, state, rng):
        raise RuntimeError("no utilities today")


class Slow:
    def utilities(self, state, rng):
        busy()


def busy():
    began = time.monotonic()
    while time.monotonic() - began < 60:
        pass


@pytest.fixture
def broken():
    STRATEGIES._members.update({"broken": Broken, "slow": Slow})
    yield ["broken", "slow"]
    for name in ("broken", "slow"):
        STRATEGIES._members.pop(name)


def evaluate(protocol, datasets, methods, folder, *, jobs=1, learners=("gaussian_nb",), **options):
    store = RunStore(folder, "json")
    work = plan(protocol, datasets, learners, methods, store=store, **options)
    seconds = options.get("run_seconds", 0.0)
    return store, execute_runs(work, store, jobs=jobs, run_seconds=seconds)


def curves(store):
    return read_table(store)[NAMES + METRICS]


def test_strategies_share_split_start_and_learner_seeds(datasets, protocol, methods):
    runs = list(make_runs(protocol, datasets[:1], ["gaussian_nb"], methods))
    assert len(runs) == 4
    by_run: dict[Repetition, list[tuple[int, int]]] = {}
    for run in runs:
        by_run.setdefault(run.repetition, []).append((run.split_seed, run.episode_seed))
    assert all(len(set(seeds)) == 1 for seeds in by_run.values())
    assert len({seeds[0] for seeds in by_run.values()}) == 2


def test_the_first_labels_of_a_run_are_the_same(datasets, protocol, methods, tmp_path):
    store, _ = evaluate(protocol, datasets, methods, tmp_path)
    starts: dict[tuple[str, int, int], list[Any]] = {}
    for result in store:
        about = result.about
        if about["strategy"] != "@full":
            run = (about["dataset"], about["split"], about["start"])
            first = (result.queried[: about["n_start"]].tolist(), result.metrics["accuracy"][0])
            starts.setdefault(run, []).append(first)
    assert len(starts) == 4
    assert all(len(v) == 2 and v[0] == v[1] for v in starts.values())


def test_a_renamed_strategy_gives_the_same_curve(datasets, protocol, tmp_path):
    methods = parse_methods(["random", "twin=random", "other=random?stream=1"])
    store, _ = evaluate(protocol, datasets[:1], methods, tmp_path)
    queried: dict[str, dict[tuple[int, int], list[int]]] = {}
    for r in store:
        run = r.about["split"], r.about["start"]
        queried.setdefault(r.about["strategy"], {})[run] = r.queried.tolist()
    assert queried["random"] == queried["twin"]
    assert queried["random"] != queried["other"]


def test_margin_as_a_policy_asks_for_what_margin_asks(datasets, protocol, tmp_path):
    methods = parse_methods(["margin", "written=policy:margin"])
    store, _ = evaluate(protocol, datasets, methods, tmp_path, learners=["logistic_regression"])
    queried: dict[str, dict[Any, list[int]]] = {}
    for r in store:
        run = r.about["dataset"], r.about["split"], r.about["start"]
        queried.setdefault(r.about["strategy"], {})[run] = r.queried.tolist()
    assert len(queried["margin"]) == 4
    assert queried["margin"] == queried["written"]


def test_every_part_of_a_cell_is_in_its_key(datasets, protocol):
    method = MethodSpec("margin", "margin")
    base = Run(protocol, datasets[0], "gaussian_nb", Repetition(0, 0), method)
    others = [
        dataclasses.replace(base, protocol=dataclasses.replace(protocol, budget=5)),
        dataclasses.replace(base, dataset=datasets[1]),
        dataclasses.replace(base, learner="knn"),
        dataclasses.replace(base, repetition=Repetition(1, 0)),
        dataclasses.replace(base, repetition=Repetition(0, 1)),
        dataclasses.replace(base, method=MethodSpec("margin", "entropy")),
        dataclasses.replace(base, method=MethodSpec("m", "margin")),
        dataclasses.replace(base, method=MethodSpec("margin", "margin", '{"stream": 1}')),
        dataclasses.replace(base, method=MethodSpec("margin", "margin", sha256="1")),
    ]
    assert len({c.key for c in [base, *others]}) == len(others) + 1
    moved = [MethodSpec("p", f"policy:{folder}/p", sha256="1") for folder in ("a", "b")]
    assert len({dataclasses.replace(base, method=e).key for e in moved}) == 1


def test_two_processes_give_what_one_gives(datasets, protocol, methods, tmp_path):
    one, _ = evaluate(protocol, datasets, methods, tmp_path / "1", learners=["knn"])
    two, done = evaluate(protocol, datasets, methods, tmp_path / "2", jobs=2, learners=["knn"])
    assert done.executed == 12
    assert curves(one).equals(curves(two))


@pytest.mark.parametrize("told", [True, False])
def test_strategies_are_told_what_the_protocol_says(datasets, methods, told):
    rules = Protocol(budget=3, classes_known=told, budget_known=told)
    task = Run(rules, datasets[0], "gaussian_nb", Repetition(0, 0), methods[0]).task()
    assert (task.classes_known, task.budget_known) == (told, told)


def test_finished_runs_are_not_executed_again(datasets, protocol, methods, tmp_path):
    store, first = evaluate(protocol, datasets, methods, tmp_path)
    times = {p: p.stat().st_mtime_ns for p in store.files()}
    _, again = evaluate(protocol, datasets, methods, tmp_path)
    assert (first.executed, again.executed, again.found) == (12, 0, 12)
    assert {p: p.stat().st_mtime_ns for p in store.files()} == times
    _, more = evaluate(protocol.with_runs(3), datasets, methods, tmp_path)
    assert more.executed > 0


def test_failures_are_kept_and_only_played_again_on_request(broken, datasets, protocol, tmp_path):
    methods = parse_methods(["broken"])
    store, first = evaluate(protocol, datasets[:1], methods, tmp_path)
    assert first.failed == 2
    failed = [r for r in store if r.status == "failed"]
    assert all("no utilities today" in r.error and "Traceback" in r.error for r in failed)
    assert evaluate(protocol, datasets[:1], methods, tmp_path)[1].executed == 0
    work = plan(protocol, datasets[:1], ["gaussian_nb"], methods, store=store, retry=True)
    assert len(work.missing) == 2


def test_slow_cells_end_and_a_longer_limit_plays_them_again(broken, datasets, protocol, tmp_path):
    methods = parse_methods(["slow"])
    store, done = evaluate(protocol, datasets[:1], methods, tmp_path, run_seconds=0.2)
    assert done.failed == 2
    assert {r.status for r in store} == {"timed out", "done"}
    for limit, missing in ((0.2, 0), (0.3, 2), (0.0, 2)):
        work = plan(
            protocol, datasets[:1], ["gaussian_nb"], methods, store=store, run_seconds=limit
        )
        assert len(work.missing) == missing


def test_budget_is_capped_at_the_share_of_the_pool(datasets):
    pool = 36
    half = Protocol(budget=30, max_share=0.5)
    whole = Protocol(budget=None, max_share=1.0)
    repetition = Repetition(0, 0)
    method = MethodSpec("random", "random")
    assert Run(half, datasets[0], "gaussian_nb", repetition, method).task().budget == pool // 2
    assert Run(whole, datasets[0], "gaussian_nb", repetition, method).task().budget == pool - 2


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"learners": ["gaussian_bn"]}, UnknownNameError, "did you mean 'gaussian_nb'"),
        ({"datasets": []}, UsageError, "no data sets"),
        (
            {"protocol": Protocol(budget=500)},
            UsageError,
            r"^2 of 2 data sets cannot be used: \S+, \S+; .* more than the pool of .*--datasets",
        ),
        ({"protocol": Protocol(metrics=("auroc",), metric="auroc")}, UsageError, "unknown metrics"),
    ],
)
def test_what_cannot_be_played_is_refused_at_once(
    change, error, message, datasets, protocol, methods, tmp_path
):
    given = {"protocol": protocol, "datasets": datasets, "learners": ["gaussian_nb"], **change}
    store = RunStore(tmp_path / "s", "json")
    with pytest.raises(error, match=message):
        plan(**given, methods=methods, store=store)
    assert not (tmp_path / "s").exists()


def test_data_sets_have_different_names(datasets, protocol, methods, tmp_path):
    with pytest.raises(UsageError, match="apples are listed twice"):
        evaluate(protocol, [datasets[0], datasets[0]], methods, tmp_path)


def test_cost_is_predicted_without_storing(datasets, protocol, methods, tmp_path):
    store = RunStore(tmp_path / "s", "json")
    work = plan(protocol, datasets, ["gaussian_nb"], methods, store=store)
    costs = predict_seconds(work)
    assert set(costs) == {"random", "margin", "@full"}
    assert all(seconds > 0 for seconds in costs.values())
    assert not store.folder.exists()


def test_progress_extrapolates():
    assert Progress(done=2, total=10, failed=0, elapsed=3.0).seconds_left == pytest.approx(12.0)


def limited(seconds, work):
    caught = []

    def run():
        try:
            with time_limit(seconds):
                work()
        except RunTimeout:
            caught.append("stopped")

    return caught, run


@pytest.mark.parametrize("threaded", [False, True])
def test_time_limit_stops_in_any_thread(threaded):
    caught, run = limited(0.05, busy)
    if threaded:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(timeout=60)
    else:
        run()
    assert caught == ["stopped"]


def test_waiting_costs_no_processor_time_but_has_an_end_too(monkeypatch):
    monkeypatch.setattr(limits, "PATIENCE", 2)
    caught, run = limited(0.5, lambda: time.sleep(0.6))
    run()
    assert caught == []
    caught, run = limited(0.05, lambda: time.sleep(60))
    run()
    assert caught == ["stopped"]


def test_what_ends_in_time_is_left_alone():
    caught, run = limited(5.0, lambda: None)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    run()
    assert caught == []


def test_one_thread_covers_what_is_loaded_while_it_lasts(tmp_path):
    code = (
        "import os; os.environ.pop('OMP_NUM_THREADS', None)\n"
        "from lal.evaluation.runs.limits import one_thread\n"
        "with one_thread():\n"
        "    import sklearn.ensemble, sklearn.svm, scipy.linalg, threadpoolctl\n"
        "    pools = threadpoolctl.threadpool_info()\n"
        "assert {p['user_api'] for p in pools} >= {'blas', 'openmp'}, pools\n"
        "assert all(p['num_threads'] == 1 for p in pools), pools\n"
        "assert 'OMP_NUM_THREADS' not in os.environ"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_hopeless_strategies_are_given_up_and_say_so(broken, datasets, protocol, tmp_path):
    methods = parse_methods(["slow", "random"])
    rules = protocol.with_runs(5)
    store = RunStore(tmp_path, "json")
    work = plan(rules, datasets[:1], ["gaussian_nb"], methods, store=store, run_seconds=0.2)
    done = execute_runs(work, store, run_seconds=0.2, max_timeouts=2)
    assert done.executed == 15
    assert done.failed == 5
    slow = [r for r in store if r.about["strategy"] == "slow"]
    assert sorted(r.error.partition(":")[0] for r in slow) == [
        *["not tried"] * 3, *["stopped after 0.2 s of processor time"] * 2,
    ]  # fmt: skip
    assert {r.status for r in slow} == {"timed out"}
    more = plan(rules.with_runs(7), datasets[:1], ["gaussian_nb"], methods, store=store,
                run_seconds=0.2)  # fmt: skip
    assert sum(more.timed_out.values()) == 2
    longer = plan(rules, datasets[:1], ["gaussian_nb"], methods, store=store, run_seconds=0.3)
    assert len(longer.missing) == 5


def test_predicted_cost_stops_at_the_limit_and_counts_what_is_given_up(
    broken, datasets, protocol, tmp_path
):
    store = RunStore(tmp_path / "s", "json")
    rules = protocol.with_runs(5)
    methods = parse_methods(["slow"])
    work = plan(rules, datasets[:1], ["gaussian_nb"], methods, store=store)
    assert predict_seconds(work, run_seconds=0.2)["slow"] == pytest.approx(1.0)
    assert predict_seconds(work, run_seconds=0.2, max_timeouts=2)["slow"] == pytest.approx(0.4)


EVALUATE = [
    sys.executable, "-m", "scripts.evaluate", "--suite", "synthetic:rings@1", "synthetic:xor@1",
    "--strategies", "random", "margin", "--learners", "gaussian_nb", "--runs", "20",
    "--budget", "20", "--jobs", "2",
]  # fmt: skip


@pytest.mark.slow
def test_killed_and_run_again_gives_the_same_and_plays_nothing_twice(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*EVALUATE, "--out", str(killed)],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(list(killed.glob("cells/*/*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {p: p.stat().st_mtime_ns for p in RunStore(killed).files()}
    assert 3 <= len(before) < 120
    for folder in (killed, whole):
        subprocess.run(
            [*EVALUATE, "--out", str(folder)],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
        )
    assert {p: p.stat().st_mtime_ns for p in before} == before
    tables = [read_table(RunStore(folder))[NAMES + METRICS] for folder in (killed, whole)]
    assert tables[0]["area"].notna().all()
    assert tables[0].equals(tables[1])


def test_batches_of_ten_labels_a_class(tmp_path):
    rules = dataclasses.replace(make_protocol("batch_10C"), n_splits=1, n_starts=1)
    store, _ = evaluate(rules, [load_dataset("sklearn:wine")], parse_methods(["random"]), tmp_path)
    curve = next(r for r in store if r.about["strategy"] == "random")
    assert curve.n_labels.tolist() == [30, 60, 84]  # three classes; at most half of the pool of 108
    assert curve.query_p95 >= curve.query_seconds > 0
