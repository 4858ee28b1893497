"""The benchmark over embeddings: pairs, resuming, what is embedded, and what it refuses."""

import json

import numpy as np
import pytest

import lal
from lal.episode import Episode
from lal.learners.capabilities import require_capability
from lal.strategies.base import make_strategy
from scripts.benchmarks.base import student_interval
from scripts.benchmarks.policies import embeddings
from scripts.benchmarks.policies.embeddings import Embedded, OverEmbedding, main


def flags(tmp_path, *more):
    shape = ["--starts", "1", "--batch-sizes", "4", "--budgets", "8", "--max-pool", "60"]
    return [*shape, "--runs", "2", "--datasets", "sklearn:iris", "--by", "pca", "--n-columns", "3",
            "--out", str(tmp_path / "e"), *more]  # fmt: skip


def test_the_default_is_compared_in_pairs_and_nothing_runs_twice(tmp_path, monkeypatch):
    target = tmp_path / "e.json"
    assert main(flags(tmp_path, "--json", str(target))) == 0
    tables = json.loads(target.read_text())["tables"]
    files = sorted((tmp_path / "e").glob("*.json"))
    areas = [json.loads(path.read_text())["areas"] for path in files]
    assert [path.name for path in files] == ["fixed-iris-1-0.json", "fixed-iris-1-1.json"]
    gaps = np.array([run["4/default"][0] - run["4/margin"][0] for run in areas])
    (row,) = tables["settings"]["rows"]
    assert row["minus margin"] == student_interval(gaps)
    assert (row["labels a class"], row["batch"]) == (1, 4)
    (cell,) = tables["cells"]["rows"]
    assert cell["random"] == f"{np.mean([run['4/random'][0] for run in areas]):.1f}"
    assert tables["counts"]["rows"][0]["ahead of margin"] == str(int(gaps.mean() > 0))

    monkeypatch.setattr(embeddings, "_run", lambda *_: pytest.fail("ran again"))
    assert main(flags(tmp_path)) == 0


def test_student_s_interval_is_wider_than_the_normal_one():
    assert student_interval(np.array([1.0, 3.0])) == "+2.00 +- 12.71"  # 12.706 standard errors


def test_an_embedding_is_learned_from_the_pool_alone():
    data, learner = lal.load_dataset("sklearn:iris"), lal.make_learner("logistic_regression")
    task = lal.make_task(data, learner, seed=0, budget=5)
    made = Embedded("pca", 3)(task, np.random.default_rng(0))
    pool = np.asarray(made.pool.X)
    np.testing.assert_allclose(pool.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(np.cov(pool.T), np.eye(3), atol=1e-6)
    assert np.asarray(made.test_part().X).shape == (len(task.test_part()), 3)
    np.testing.assert_array_equal(made.pool.y, task.pool.y)


def test_a_strategy_over_the_embedding_sees_what_the_last_layer_sees():
    class Looks:
        def utilities(self, state, rng):
            self.Z = state.Z
            return np.zeros(state.N)

    data, learner = lal.load_dataset("sklearn:iris"), lal.make_learner("mlp", max_epochs=3)
    state = Episode(lal.make_task(data, learner, seed=0, budget=5, start=6), 0).state()
    looks, rng = Looks(), np.random.default_rng(0)
    OverEmbedding(looks).utilities(state, rng)
    assert state.model is not None
    layer = require_capability(state, "embed", "a test")
    widest = layer.std(axis=0).argmax()  # the view scales columns and clips what lies far out
    assert abs(np.corrcoef(looks.Z[:, widest], layer[:, widest])[0, 1]) > 0.98
    rows = OverEmbedding(make_strategy("k_farthest_then_margin")).select_batch(state, rng, rng, 3)
    assert len(set(rows.tolist()) - set(state.labelled.tolist())) == 3


def test_wrong_flags_are_refused(tmp_path, capsys):
    assert main([*flags(tmp_path), "--batch-sizes", "1", "2"]) == 2
    assert "one budget for each batch size, got 1 budgets and 2" in capsys.readouterr().err
    assert main([*flags(tmp_path), "--minutes", "1e-9"]) == 2
    assert "expected two finished runs at least" in capsys.readouterr().err
