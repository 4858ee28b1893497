import numpy as np
import pytest

pytest.importorskip("numba")

from lal.data.datasets import load_dataset
from lal.errors import UsageError
from scripts.benchmarks.base import Results
from scripts.benchmarks.reproduction import lal_rl_training as bench


def save(folder, name, X, y):
    np.savez(folder / f"{name}.npz", X=X, y=y)


def test_the_family_held_out_and_tables_of_more_classes_are_not_trained_on(tmp_path):
    held_out = load_dataset(bench.HELD_OUT)
    rng = np.random.default_rng(0)
    save(tmp_path, "wdbc", held_out.X, held_out.y)
    save(tmp_path, "two", rng.normal(size=(40, 3)), np.arange(40) % 2)
    save(tmp_path, "three", rng.normal(size=(60, 3)), np.arange(60) % 3)
    pairs, names = bench.training_pairs([str(tmp_path)])
    assert names == "two"
    assert [X.shape for X, _ in pairs] == [(40, 3)]


def test_a_suite_with_nothing_to_train_on_is_refused(tmp_path):
    save(tmp_path, "three", np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3)
    with pytest.raises(UsageError, match="no binary data set of plain numbers"):
        bench.training_pairs([str(tmp_path)])


def test_without_data_sets_tables_are_drawn_from_the_prior(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "FOLDER", str(tmp_path))
    pairs, _ = bench.training_pairs([])
    assert len(pairs) == bench.N_SYNTHETIC
    assert all(len(np.unique(y)) == 2 and len(y) >= bench.LEAST_ROWS for _, y in pairs)


def test_larger_batches_replay_as_many_transitions():
    pytest.importorskip("stable_baselines3")
    small, large = bench.stable_schedule(1000, 32), bench.stable_schedule(1000, 512)
    assert small.gradient_steps == 0.27
    assert large.gradient_steps * 512 == pytest.approx(small.gradient_steps * 32)
    assert large.learning_rate == pytest.approx(4 * small.learning_rate)
    assert large.tau == pytest.approx(0.16)


def test_what_a_backend_took_and_gave_is_a_row(monkeypatch):
    monkeypatch.setattr(bench, "training_pairs", lambda suites: ([], "nothing"))
    monkeypatch.setattr(bench, "_one_backend", lambda *a: ("network", (2.0, 3.0, 1000, 8640)))

    def lengths(network, data, **options):
        assert data == bench.HELD_OUT
        return np.full(64, 20 if network is None else 10)

    monkeypatch.setattr(bench, "episode_lengths", lengths)
    results = Results()
    bench.run(bench.Config(total_timesteps=1000), results)
    (row,) = results.tables["training"].rows
    assert row["transitions replayed"] == "8,640"
    assert (row["CPU s"], row["labels, random"], row["labels, learned"]) == ("2.0", "20.0", "10.0")
    assert str(row["% fewer"]).startswith("50.0 [")
