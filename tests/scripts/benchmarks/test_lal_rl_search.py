import numpy as np
import pytest

pytest.importorskip("numba")


from scripts.benchmarks.reproduction.lal_rl_search import Config, get_path, get_settings, main


@pytest.fixture
def folder(tmp_path):
    """Three small binary sets."""
    for i, name in enumerate(("one", "two", "three")):
        rng = np.random.default_rng(i)
        X = rng.normal(size=(160, 3))
        y = (X[:, 0] + 0.5 * rng.normal(size=160) > 0).astype(int)
        np.savez(tmp_path / f"{name}.npz", X=X, y=y)
    return tmp_path


def test_a_set_is_left_out_and_finished_runs_are_kept(folder, capsys):
    flags = ["--folder", str(folder), "--sets", "one", "two", "three", "--left-out", "three"]
    flags += ["--seeds", "0", "1", "--generations", "1", "--n-judged", "64"]
    flags += ["--out", str(folder / "out")]
    assert main(flags) == 0
    table = capsys.readouterr().out
    assert "| three |" in table
    assert "| one |" not in table
    assert "the mean of its weights" in table
    held = {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    assert main(flags) == 0
    assert capsys.readouterr().out == table
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()} == held


def test_settings_decide_where_a_run_is_kept():
    config = Config()
    assert get_settings(config, "heart", 1).hold_out == ("heart",)
    assert get_settings(config, "heart", 1).searches == 1
    longer = Config(generations=41)
    assert get_path(config, "heart", 1) != get_path(longer, "heart", 1)
