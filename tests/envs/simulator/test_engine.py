"""The compiled engine of an evaluation: the reference's runs, refusals by name, resumable."""

import re
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

import envs.simulator.engine as module
from envs.simulator.engine import CompiledEngine
from lal.data.datasets import load_dataset
from lal.errors import UsageError
from lal.evaluation import EvaluationConfig, evaluate
from lal.evaluation.runs.engine import check_engine
from lal.evaluation.runs.methods import parse_method, parse_methods
from lal.evaluation.runs.protocol import Protocol, Repetition
from lal.evaluation.runs.run import DONE, FAILED, Run, execute
from lal.policies.pool_policy import PoolPolicy

PROTOCOL = Protocol(budget=6, max_pool=40, n_splits=1, n_starts=2)
NAMES = ("iris", "breast_cancer")


def make_run(method, name="breast_cancer", learner="logistic_regression", start=0, **changes):
    spec = parse_method(method) if isinstance(method, str) else method
    dataset = load_dataset(f"sklearn:{name}")
    protocol = replace(PROTOCOL, **changes)
    return Run(protocol, dataset, learner, Repetition(0, start), spec, CompiledEngine.name)


def by_key(results):
    return {result.key: result for result in results}


def same(one, other):
    return (
        np.array_equal(one.queried, other.queried)
        and np.array_equal(one.n_labels, other.n_labels)
        and all(np.array_equal(one.metrics[name], other.metrics[name]) for name in one.metrics)
    )


@pytest.mark.parametrize(
    "method", ["margin", "entropy", "k_farthest_then_margin?k=4", "uncertainty_herding", "default"]
)
@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_the_reference_engine_s(method, name):
    """Same pool, test part, first labels and rows; a learner whose probabilities do not tie."""
    run = make_run(method, name)
    (found,) = CompiledEngine().execute([run])
    wanted = execute(replace(run, engine="reference"))
    assert found.status == DONE, found.error
    assert found.about == wanted.about
    assert np.array_equal(found.queried, wanted.queried)
    assert np.array_equal(found.n_labels, wanted.n_labels)
    assert set(found.metrics) == set(PROTOCOL.metrics)
    for metric, values in wanted.metrics.items():
        assert found.metrics[metric] == pytest.approx(values, abs=1e-3)
    assert found.seconds > 0
    assert found.key == run.key != wanted.key  # never mixed with the reference's


def test_methods_do_not_see_the_test_part():
    run = make_run("default")
    rng = np.random.default_rng(0)
    part = run.task().test_part()

    class Noisy(Run):
        def task(self):
            task = super().task()
            return replace(task, test=replace(part, y=rng.permutation(part.y)))

    noisy = Noisy(**{name: getattr(run, name) for name in run.__dataclass_fields__})
    (plain,), (other,) = CompiledEngine().execute([run]), CompiledEngine().execute([noisy])
    assert np.array_equal(plain.queried, other.queried)
    assert not np.array_equal(plain.metrics["accuracy"], other.metrics["accuracy"])


@pytest.mark.parametrize("learner", ["gaussian_nb", "random_forest"])
def test_what_a_run_gives_depends_on_no_other_run(learner):
    runs = [
        make_run(method, name, learner, start)
        for method in ("random", "margin", "default", "typiclust_then_margin?k=4")
        for name in NAMES
        for start in (0, 1)
    ]
    together = by_key(CompiledEngine().execute(runs))
    assert set(together) == {run.key for run in runs}
    assert all(result.status == DONE for result in together.values())
    apart = by_key(CompiledEngine(together=1).execute(runs[3:7][::-1]))
    assert all(same(result, together[key]) for key, result in apart.items())
    starts = {tuple(r.queried[:2]) for r in together.values() if r.about["dataset"] == "iris"}
    assert len(starts) == 2  # one per start, shared by the methods


def test_processes_change_nothing():
    runs = [make_run("margin", name, start=start) for name in NAMES for start in (0, 1)]
    one = by_key(CompiledEngine(together=1).execute(runs))
    two = by_key(CompiledEngine(jobs=2, together=1).execute(runs))
    assert all(same(result, two[key]) for key, result in one.items())


def attention_policy():
    op = {"op": "attention", "in": ["candidates", "reference", "reference"], "out": ["a"]}
    end = {"op": "select", "in": ["a"], "out": ["u"], "columns": [0]}
    return PoolPolicy(
        name="reads", candidate_features=("margin@1",), context_features=("n_labelled@1",),
        program={"ops": [op, end], "output": "u"}, tensors={}, card={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda: make_run("query_by_committee"), "'query_by_committee' has no compiled form"),
        (lambda: make_run("random?stream=3"), "'random?stream' has no compiled form"),
        (lambda: make_run("margin", learner="rbf_svm"), "learner 'rbf_svm'"),
        (lambda: make_run("margin", batch_size=5), "one label at a time, not 5"),
        (lambda: make_run("default", max_pool=30_000), "more than 20000 rows are screened"),
    ],
)
def test_what_has_no_compiled_form_is_refused_by_name(run, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        check_engine(CompiledEngine(), [run()])


def test_a_policy_that_reads_the_reference_set_is_refused(tmp_path):
    attention_policy().save(tmp_path / "reads.safetensors")
    run = make_run(str(tmp_path / "reads.safetensors"))
    assert "reads the reference set" in CompiledEngine().refusal(run)
    assert CompiledEngine().refusal(make_run("margin")) == ""


def test_a_failure_is_a_result_and_spares_the_others(monkeypatch):
    def broken(task, run):
        if run.dataset.name == "iris":
            raise ValueError("no start for iris")
        return start(task, run)

    start = module._start
    monkeypatch.setattr(module, "_start", broken)
    runs = [make_run("margin", name, start=at) for name in NAMES for at in (0, 1)]
    found = by_key(CompiledEngine().execute(runs))
    assert [found[run.key].status for run in runs] == [FAILED] * 2 + [DONE] * 2
    assert "no start for iris" in found[runs[0].key].error


def test_an_evaluation_takes_the_engine_and_goes_on_where_it_stopped(tmp_path):
    config = EvaluationConfig(
        suite=("sklearn:iris", "sklearn:breast_cancer"), strategies=("random", "margin", "default"),
        learners=("gaussian_nb",), runs=2, budget=5, max_pool=40, out=tmp_path / "run",
        store_format="json",
    )  # fmt: skip
    engine = CompiledEngine()
    some = evaluate(replace(config, strategies=("random", "margin")), engine=engine)
    assert some.done.executed == 2 * 2 * 3  # with the fully labelled pool
    found = evaluate(config, engine=engine)
    assert (found.done.found, found.done.executed, found.done.failed) == (12, 4, 0)
    assert {row.strategy for row in found.summary} >= {"random", "margin", "default"}
    whole = evaluate(replace(config, out=tmp_path / "whole"), engine=engine)
    for result in whole.store:
        assert same(result, found.store.get(result.key))
    methods = parse_methods(config.strategies)
    assert all(engine.refusal(make_run(method)) == "" for method in methods)
