"""The small parts of an evaluation, by hand: keys, seeds, budgets, costs, shards, time-outs."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import lal
from lal.data.dataset import make_dataset
from lal.errors import UsageError
from lal.evaluation.runs import costs, limits
from lal.evaluation.runs import run as run_module
from lal.evaluation.runs.engine import check_engine
from lal.evaluation.runs.limits import RunTimeout, time_limit
from lal.evaluation.runs.methods import (
    FULL_LABEL,
    MethodSpec,
    ReseededStrategy,
    parse_method,
    read_methods,
)
from lal.evaluation.runs.protocol import (
    PROTOCOLS,
    WHOLE,
    Protocol,
    Repetition,
    _alpbench,
    count_labels,
)
from lal.evaluation.runs.run import (
    DONE,
    FAILED,
    FULL,
    TIMED_OUT,
    Run,
    RunResult,
    about,
    make_runs,
)
from lal.evaluation.runs.runner import Plan, Progress, _again, _TimeoutTracker, peak_memory
from lal.evaluation.runs.shards import Shard, all_shards, find_shards, take_shard
from lal.evaluation.runs.store import RunStore
from lal.rng import integer_seed
from lal.strategies.base import make_strategy


@pytest.fixture(scope="module")
def data() -> Any:
    X = np.sin(np.outer(np.arange(40), [1.0, 2.0]))
    return make_dataset("waves", X, np.arange(40) % 2, source="made-up", family="kin")


@pytest.fixture(scope="module")
def run(data: Any) -> Run:
    method = MethodSpec("m", "margin", '{"stream": 1}')
    return Run(Protocol(seed=3), data, "knn", Repetition(2, 1), method)


def test_what_determines_a_run(run: Run, data: Any) -> None:
    assert run.identity == {
        "format": 1, "lal": lal.__version__, "protocol": Protocol(seed=3).run_hash,
        "dataset": data.sha256, "learner": "knn", "split": 2, "start": 1,
        "entrant": {"label": "m", "strategy": "margin", "options": '{"stream": 1}'},
    }  # fmt: skip
    other = replace(run, engine="compiled@1")
    assert other.identity == {**run.identity, "engine": "compiled@1"}
    assert other.key != run.key
    assert len(run.key) == 40
    assert run.split_seed == integer_seed(3, "split", data.sha256, 2)
    assert run.episode_seed == integer_seed(3, "episode", data.sha256, 2, 1)
    moved = replace(run, learner="ridge", method=FULL, repetition=Repetition(2, 0))
    assert moved.split_seed == run.split_seed
    assert moved.episode_seed != run.episode_seed


def test_what_tables_say_of_a_run(run: Run, data: Any) -> None:
    assert about(run) == {
        "dataset": "waves", "family": "kin", "source": "made-up", "sha256": data.sha256,
        "n_classes": 2, "learner": "knn", "split": 2, "start": 1, "strategy": "m",
        "metric": "balanced_accuracy", "protocol": run.protocol.run_hash,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "budget"),
    [
        ({}, 12),  # half of the pool of 24
        ({"budget": 5}, 5),
        ({"budget": "3C"}, 6),
        ({"budget": None, "max_share": 1.0}, 22),  # two labels begin an episode
        ({"budget": None, "max_share": 1.0, "start": 10}, 14),
        ({"budget": None, "max_share": 0.25}, 6),
        ({"budget": 22, "max_share": 0.9}, 21),
        ({"budget": 1, "max_share": 0.01}, 1),  # at least one
    ],
)
def test_budgets_by_hand(changes: dict[str, Any], budget: int, data: Any) -> None:
    rules = replace(Protocol(budget=12), **changes)
    task = Run(rules, data, "gaussian_nb", Repetition(0, 0), FULL).task()
    assert len(task.pool) == 24
    assert task.budget == budget


def test_rules_reach_the_task(data: Any) -> None:
    rules = Protocol(budget=3, test_share=0.5, max_pool=15, start="2C", classes_known=True,
                     budget_known=True)  # fmt: skip
    task = Run(rules, data, "gaussian_nb", Repetition(0, 0), FULL).task()
    assert (len(task.pool), len(task.test_part()), task.start) == (15, 20, 4)
    assert task.classes_known
    assert task.budget_known
    assert not replace(task, classes_known=False).classes_known


def test_runs_go_by_repetition_first(data: Any) -> None:
    rules = Protocol().with_runs(2)
    methods = [MethodSpec("a", "random"), FULL, MethodSpec("o", "@oracle_seen", role="oracle")]
    found = list(make_runs(rules, [data], ["knn", "ridge"], methods, "fast@1"))
    places = [(r.repetition.split, r.repetition.start, r.learner, r.method.label) for r in found]
    assert places[:3] == [(0, 0, "knn", "a"), (0, 0, "knn", FULL_LABEL), (0, 0, "knn", "o")]
    assert places[3][2] == "ridge"
    assert len(places) == 12
    assert {(r.method.label, r.engine) for r in found} == {
        ("a", "fast@1"), (FULL_LABEL, "reference"), ("o", "reference"),
    }  # fmt: skip


def test_a_full_fit_is_one_point(data: Any) -> None:
    one = Run(Protocol(budget=3), data, "gaussian_nb", Repetition(0, 0), FULL)
    found = run_module.execute(one)
    assert (found.key, found.status, found.n_labels.tolist()) == (one.key, DONE, [24])
    assert found.queried.tolist() == []
    assert set(found.metrics) == set(Protocol().metrics)
    assert [len(v) for v in found.metrics.values()] == [1, 1, 1]
    assert [found.about[k] for k in ("n_start", "n_all_seen", "n_pool")] == [24, 24, 24]
    assert found.seconds > 0
    task = one.task()
    model = task.learner.fit(task.pool.X, task.pool.y, n_classes=2, seed=0)
    right = model.predict_proba(task.test_part().X).argmax(axis=1) == task.test_part().y
    assert found.metrics["accuracy"][0] == pytest.approx(right.mean())


def test_a_full_fit_of_numbers_is_measured_on_the_test_part() -> None:
    X = np.linspace(0.0, 1.0, 40)[:, None]
    y = np.sin(6.0 * X[:, 0])
    line = make_dataset("line", X, y, source="made-up", family="kin", task="regression")
    rules = Protocol(budget=3, start=5, metric="r2", metrics=("r2", "neg_rmse"))
    one = Run(rules, line, "ridge", Repetition(0, 0), FULL)
    found = run_module.execute(one)
    task = one.task()
    model = task.learner.fit(task.pool.X, task.pool.y, n_classes=0, seed=0)
    test = task.test_part()
    error = np.sqrt(np.mean((model.predict(test.X) - test.y) ** 2))
    assert found.metrics["neg_rmse"] == pytest.approx([-error])
    assert found.metrics["r2"] == pytest.approx([1 - error**2 / test.y.var()])
    assert found.n_labels.tolist() == [len(task.pool)]


def test_oracles_take_one_label_at_a_time(data: Any) -> None:
    oracle = MethodSpec("@oracle_seen", "@oracle_seen", role="oracle")
    rules = Protocol(budget=4, batch_size=2)
    with pytest.raises(UsageError, match="the oracles acquire one label at a time, not 2"):
        run_module.execute(Run(rules, data, "gaussian_nb", Repetition(0, 0), oracle))


def test_a_result_begins_empty() -> None:
    empty = RunResult("k", FAILED, {})
    assert (empty.seconds, empty.query_seconds, empty.query_p95, empty.limit) == (0, 0, 0, 0)
    assert (empty.error, empty.metrics) == ("", {})
    assert empty.n_labels.dtype == empty.queried.dtype == np.int64


@pytest.mark.parametrize(
    ("status", "limit", "run_seconds", "retry", "again"),
    [
        (TIMED_OUT, 2.0, 3.0, False, True),
        (TIMED_OUT, 2.0, 2.0, False, False),
        (TIMED_OUT, 2.0, 1.0, True, False),
        (TIMED_OUT, 2.0, 0.0, False, True),
        (FAILED, 0.0, 0.0, False, False),
        (FAILED, 0.0, 0.0, True, True),
        (DONE, 0.0, 0.0, True, False),
    ],
)
def test_what_is_tried_again(
    status: str, limit: float, run_seconds: float, retry: bool, again: bool
) -> None:
    old = RunResult("k", status, {}, limit=limit)
    assert _again(old, run_seconds, retry) is again


def test_groups_that_time_out_are_given_up(run: Run) -> None:
    group = ("waves", "knn", "m")
    tracker = _TimeoutTracker(2, 1.5, {group: 1})
    tracker.count(RunResult("a", DONE, about(run), seconds=9.0))
    tracker.count(RunResult("b", TIMED_OUT, about(run), seconds=0.0))  # was not tried
    assert [r.key for r in tracker.pass_on([run])] == [run.key]
    tracker.count(RunResult("c", TIMED_OUT, about(run), seconds=1.5))
    assert list(tracker.pass_on([run])) == []
    (skipped,) = tracker.take()
    assert (skipped.key, skipped.status, skipped.limit) == (run.key, TIMED_OUT, 1.5)
    assert skipped.error == "not tried: 2 runs of it were stopped after 1.5 s each"
    assert skipped.about == about(run)
    assert list(tracker.take()) == []
    never = _TimeoutTracker(0, 1.5, {group: 99})
    assert [r.key for r in never.pass_on([run])] == [run.key]


def test_progress_and_memory() -> None:
    assert Progress(0, 10, 0, 2.0).seconds_left == 20.0
    assert Progress(4, 10, 1, 2.0).seconds_left == 3.0
    assert 20 < peak_memory() < 1_000_000  # MiB


class Clock:
    """Seconds of a run by its budget: one, and two more for each further label."""

    def __init__(self, status: str = DONE) -> None:
        self.status = status
        self.budgets: list[Any] = []

    def __call__(self, run: Run, limit: float) -> RunResult:
        self.budgets.append((run.protocol.budget, limit))
        seconds = 1.0 + 2.0 * (int(run.protocol.budget or 0) - 1)
        return RunResult(run.key, self.status, {}, seconds=seconds)


def test_costs_are_scaled_up_from_short_episodes(data: Any, monkeypatch: Any) -> None:
    clock = Clock()
    monkeypatch.setattr(costs, "execute_limited", clock)
    rules = Protocol(budget=10).with_runs(2)
    method = MethodSpec("m", "margin")
    runs = tuple(make_runs(rules, [data], ["gaussian_nb"], [method, FULL]))
    found = costs.predict_seconds(Plan(runs, runs), times=3, run_seconds=99.0)
    assert clock.budgets == [(1, 99.0), (3, 99.0), (10, 99.0)]
    assert found == {"m": (1.0 + 2.0 * 9) * 2 * 3, FULL_LABEL: 19.0 * 2 * 3}
    few = costs.predict_seconds(Plan(runs, runs), probe_labels=99)
    assert few["m"] == 19.0 * 2
    assert clock.budgets[4] == (10, 0.0)  # no more labels than the budget
    other = tuple(replace(r, engine="fast@1") for r in runs)
    assert costs.predict_seconds(Plan(other, other)) == {}
    monkeypatch.setattr(costs, "execute_limited", Clock(FAILED))
    assert costs.predict_seconds(Plan(runs[:1], runs[:1])) == {"m": 1.0}
    assert costs.predict_seconds(Plan(runs[:1], runs[:1]), run_seconds=1.0) == {"m": 1.0}
    stopped = costs.predict_seconds(Plan(runs, runs), times=9, run_seconds=0.5, max_timeouts=4)
    assert stopped["m"] == 0.5 * 4


def test_shards_take_keys_by_their_first_digits() -> None:
    assert ("00000005" + "f" * 32) in Shard(2, 4)
    assert ("00000005" + "f" * 32) not in Shard(1, 4)
    assert "0000000f" in Shard(16, 16)
    assert [(s.number, s.of) for s in all_shards(3)] == [(1, 3), (2, 3), (3, 3)]
    assert Shard.parse("2/4") == Shard(2, 4)
    for bad in ("1/", "/4", "1/4/5", " 1/4", "-1/4"):
        with pytest.raises(UsageError, match="a shard is given as NUMBER/OF, for example 2/4, got"):
            Shard.parse(bad)
    with pytest.raises(UsageError, match="there is no shard 5 of 4; they are numbered from 1"):
        Shard(5, 4)


def test_folders_of_shards(tmp_path: Any) -> None:
    assert Shard(2, 4).folder(tmp_path) == tmp_path / "shards" / "2-of-4"
    assert Shard(2, 4).folder(tmp_path, "jobs") == tmp_path / "jobs" / "2-of-4"
    for name in ("2-of-2", "1-of-2"):
        (tmp_path / "shards" / name / "cells").mkdir(parents=True)
    (tmp_path / "shards" / "else").mkdir()
    assert [p.name for p in find_shards(tmp_path)] == ["1-of-2", "2-of-2"]
    assert find_shards(tmp_path, "jobs") == []


def test_a_shard_leaves_out_what_the_whole_has(run: Run, tmp_path: Any) -> None:
    runs = tuple(replace(run, repetition=Repetition(i, 0)) for i in range(8))
    whole = RunStore(tmp_path, "json")
    mine = [r for r in runs if r.key in Shard(1, 2)]
    whole.put(RunResult(mine[0].key, FAILED, {}))
    part = take_shard(Plan(runs, runs[1:]), Shard(1, 2), whole)
    assert list(part.runs) == mine
    assert list(part.missing) == [r for r in mine[1:] if r is not runs[0]]
    alone = take_shard(Plan(runs, runs), Shard(1, 2))
    assert list(alone.missing) == mine


def test_methods_of_manifests_old_and_new() -> None:
    new = {"label": "p", "spec": "policy:x", "options": "{}", "sha256": "1", "seen": ["kin"],
           "role": "untrained"}  # fmt: skip
    (found,) = read_methods({"methods": [new]})
    assert (found.label, found.seen, found.role) == ("p", ("kin",), "untrained")
    old = [{"label": label, "spec": "random", "sha256": sha}
           for label, sha in (("untrained3", "1"), ("shuffled", ""), ("linear", ""), ("mine", "1"),
                              ("margin", ""), ("@full", ""), ("@oracle_seen", ""))]  # fmt: skip
    assert [m.role for m in read_methods({"entrants": old})] == [
        "untrained", "shuffled", "linear", "policy", "strategy", "full_labels", "oracle",
    ]  # fmt: skip
    assert read_methods({}) == []
    assert read_methods({"entrants": old})[4] == MethodSpec("margin", "random")


def test_what_a_method_is_by_its_content() -> None:
    assert MethodSpec("a", "margin").identity == {
        "label": "a", "strategy": "margin", "options": "{}",
    }  # fmt: skip
    assert MethodSpec("a", "policy:x", sha256="9").identity["strategy"] == "9"


def test_private_streams_differ_and_are_repeatable() -> None:
    state: Any = SimpleNamespace(N=6)
    rule: Any = SimpleNamespace(utilities=lambda state, rng: rng.random(6))

    def drawn(stream: int, seed: int = 0) -> list[float]:
        values = ReseededStrategy(rule, stream).utilities(state, np.random.default_rng(seed))
        return list(values)

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(1, seed=1) != drawn(1)
    made = parse_method("a=random?stream=7").make()
    assert isinstance(made, ReseededStrategy)
    assert made.stream == 7
    assert isinstance(parse_method("random").make(), type(make_strategy("random")))


def test_options_are_json_or_text() -> None:
    found = parse_method("x=epsilon_margin?epsilon=0.25&role=shuffled")
    assert (found.options, found.role) == ('{"epsilon": 0.25}', "shuffled")
    with pytest.raises(UsageError, match=r"option 'epsilon' of 'epsilon_margin\?epsilon' has no"):
        parse_method("epsilon_margin?epsilon")
    with pytest.raises(UsageError, match=r"strategy .margin.no=yes. cannot be made"):
        parse_method("margin?no=yes")


def test_regimes_are_what_the_documentation_says() -> None:
    told = ("budget", "start", "batch_size", "max_share", "max_pool", "test_share", "n_splits",
            "n_starts", "metric", "classes_known", "budget_known", "seed")  # fmt: skip
    common = (2000, 0.4, 10, 5, "balanced_accuracy", False, False, 0)
    others = (1 / 3, 10, 1, "accuracy", False, False, 0)
    large = (1 / 3, 50, 1, "accuracy", False, False, 0)
    wanted = {
        "cold": (100, "two_classes", 1, 0.5), "warm": (200, 20, 1, 0.5),
        "batch": (100, "10C", 5, 0.5), "batch_10C": ("200C", "10C", "10C", 0.5),
        "full_pool": (None, 20, 1, 1.0),
    }  # fmt: skip
    found = {k: tuple(getattr(p, name) for name in told) for k, p in PROTOCOLS.items()}
    assert {k: found.pop(k) for k in wanted} == {k: (*v, *common) for k, v in wanted.items()}
    assert found == {
        "alpbench_small": (200, 30, 10, 1.0, WHOLE, *others),
        "alpbench_medium": (1000, 100, 50, 1.0, WHOLE, *others),
        "alpbench_large": (4000, 300, 200, 1.0, WHOLE, *others),
        "cdalbench": (400, "1C", 1, 1.0, WHOLE, *large),
    }
    assert Protocol().metrics == ("accuracy", "balanced_accuracy", "log_likelihood")


def test_a_setting_of_alpbench_is_twenty_batches() -> None:
    for size, start, batch_size in (("small", 30, 10), ("medium", 100, 50), ("large", 300, 200)):
        found = _alpbench(size, start, batch_size)
        assert found == PROTOCOLS[f"alpbench_{size}"]
        assert found.name == f"alpbench_{size}"
        assert (found.start, found.budget, found.batch_size) == (start, 20 * batch_size, batch_size)
        assert (found.test_share, found.max_pool, found.max_share) == (1 / 3, WHOLE, 1.0)
        assert (found.n_splits, found.n_starts, found.metric) == (10, 1, "accuracy")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_splits": 0}, "n_splits must be at least 1, got 0"),
        ({"n_starts": 0}, "n_starts must be at least 1"),
        ({"max_pool": 0}, "max_pool must be at least 1"),
        ({"test_share": 0.0}, "test_share must lie between 0 and 1, got 0.0"),
        ({"max_share": 1.1}, "max_share must be above 0 and at most 1, got 1.1"),
        ({"start": "0C"}, "start must be a number or a text like '10C', which counts classes, got"),
        ({"batch_size": "10"}, "batch_size must be a number or a text like '10C'"),
    ],
)
def test_rules_at_their_ends(changes: dict[str, Any], message: str) -> None:
    Protocol(budget=1, n_splits=1, n_starts=1, max_pool=1, batch_size=1, max_share=1.0, start="1C")
    with pytest.raises(UsageError, match=message):
        Protocol(**changes)


def test_repetitions_are_starts_within_splits() -> None:
    rules = Protocol(n_splits=2, n_starts=2)
    assert [(r.split, r.start) for r in rules.repetitions] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [Protocol().with_runs(n).n_starts for n in (1, 2, 3, 4, 5, 6, 8, 10, 15)] == [
        1, 1, 1, 2, 1, 3, 4, 5, 5,
    ]  # fmt: skip
    with pytest.raises(UsageError, match="runs must be at least 1, got 0"):
        Protocol().with_runs(0)
    assert [count_labels(c, 7) for c in (3, "1C", "10C")] == [3, 7, 70]
    assert Protocol(start=5).get_start(3) == 5


def test_engines_name_each_reason_once(run: Run) -> None:
    engine: Any = SimpleNamespace(
        name="fast@1", refusal=lambda r: "too wide" if r.learner == "knn" else ""
    )
    fine = replace(run, engine="fast@1", learner="ridge")
    check_engine(engine, [fine, run])  # the reference's runs are nobody else's business
    bad = replace(run, engine="fast@1")
    said = (r"the fast@1 engine cannot execute every run: m with knn: too wide; leave these out, or"
            " use the reference engine")  # fmt: skip
    with pytest.raises(UsageError, match=said):
        check_engine(engine, [bad, fine, bad])


def test_no_limit_is_no_limit(monkeypatch: Any) -> None:
    def never(*arguments: Any) -> Iterator[None]:
        raise AssertionError("a limit was set")

    monkeypatch.setattr(limits, "_signal_limit", never)
    monkeypatch.setattr(limits, "_thread_limit", never)
    for seconds in (0, 0.0, -1.0):
        with time_limit(seconds):
            pass


def test_timers_are_off_afterwards() -> None:
    import signal

    before = signal.getsignal(signal.SIGPROF), signal.getsignal(signal.SIGALRM)
    with time_limit(50.0):
        assert 0 < signal.getitimer(signal.ITIMER_PROF)[0] <= 50.1
        assert 900 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000.1
    assert signal.getitimer(signal.ITIMER_PROF)[0] == signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert (signal.getsignal(signal.SIGPROF), signal.getsignal(signal.SIGALRM)) == before
    assert not issubclass(RunTimeout, Exception)
    assert threading.current_thread() is threading.main_thread()
