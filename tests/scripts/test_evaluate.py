"""scripts.evaluate: one command, in process; bad input is one line and exit code 2."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lal.evaluation.analysis.tables import read_table
from lal.evaluation.runs.store import RunStore
from scripts import report
from scripts.entry import run_main
from scripts.evaluate import Config, command, current_flags, main, saved_config

ROOT = Path(__file__).parents[2]
SMALL = ["--suite", "synthetic:xor@1", "--learners", "gaussian_nb", "--runs", "2", "--budget", "5"]


def run(*flags):
    return run_main(main, Config, [*SMALL, *map(str, flags)])


def test_one_command_gives_table_config_and_provenance(tmp_path, capsys):
    out = tmp_path / "eval"
    assert run("--strategies", "random", "margin", "--out", out) == 0
    said = capsys.readouterr().out
    assert "vs margin" in said
    assert "6 executed in " in said
    assert "memory peak" in said
    manifest = json.loads((out / "evaluation.json").read_text())
    assert {"command", "protocol", "protocol_hash", "versions", "git", "data"} <= set(manifest)
    assert list(manifest["data"]) == ["xor"]
    table = read_table(RunStore(out))
    assert set(table["strategy"]) == {"random", "margin", "@full"}
    assert len(table) == 2 * (6 + 6 + 1)


def test_saved_config_reruns_and_plays_nothing_twice(tmp_path, capsys):
    out = tmp_path / "eval"
    assert run("--strategies", "random", "margin", "--out", out) == 0
    capsys.readouterr()
    assert run_main(main, Config, ["--config", str(out / "config.json")]) == 0
    assert "6 runs were finished, 0 executed" in capsys.readouterr().out


def test_a_network_on_images_and_its_page_take_one_command(tmp_path, capsys):
    out, page = tmp_path / "eval", tmp_path / "page.html"
    flags = ["--suite", "images", "--learners", "small_cnn?max_epochs=2", "--runs", "2"]
    few = ["--start", "20", "--budget", "4", "--batch-size", "4", "--max-pool", "40"]
    asked = [*flags, *few, "--strategies", "random", "badge", "--out", str(out)]
    assert run_main(main, Config, [*asked, "--report", str(page)]) == 0
    said = capsys.readouterr().out
    assert said.rstrip().endswith(str(page))
    assert "python -m scripts.report" not in said
    assert "small_cnn" in page.read_text()
    assert run_main(main, Config, [*asked, "--report", str(page), "--dry-run"]) == 2
    assert "--report needs all runs" in capsys.readouterr().err


def test_the_compiled_engine_executes_and_repeats_its_own_runs(tmp_path, capsys):
    pytest.importorskip("numba")
    out = tmp_path / "eval"
    flags = ["--engine", "compiled", "--strategies", "random", "default", "--out", out]
    assert run(*flags) == 0
    assert "6 executed in " in capsys.readouterr().out
    assert run(*flags) == 0
    assert "6 runs were finished, 0 executed" in capsys.readouterr().out
    manifest = json.loads((out / "evaluation.json").read_text())
    assert "--engine compiled" in manifest["command"]
    key = next(r.key for r in RunStore(out) if r.about["strategy"] == "default")
    assert run_main(report.main, report.Config, [str(out), "--rerun", key[:12]]) == 0
    assert "the same rows queried, the same metrics" in capsys.readouterr().out
    # the reference's runs are others, beside them in the same store
    assert run("--strategies", "random", "--out", out) == 0
    assert "2 runs were finished, 2 executed" in capsys.readouterr().out


def test_what_the_compiled_engine_cannot_execute_is_refused_by_name(tmp_path, capsys):
    pytest.importorskip("numba")
    flags = ["--engine", "compiled", "--strategies", "query_by_committee", "--out", tmp_path / "e"]
    assert run(*flags) == 2
    said = capsys.readouterr().err
    assert (
        "the compiled-1 engine cannot execute every run: query_by_committee with gaussian_nb"
        in said
    )
    assert not list(tmp_path.glob("e/**/*.parquet"))
    assert run(*flags[:2], "--strategies", "random", "--out", tmp_path / "e", "--dry-run") == 0
    assert "2 by the compiled-1 engine, whose time is not predicted" in capsys.readouterr().out


def test_dry_run_writes_nothing(tmp_path, capsys):
    assert run("--strategies", "random", "--out", tmp_path / "eval", "--dry-run") == 0
    assert "4 runs, 0 finished" in capsys.readouterr().out
    assert not (tmp_path / "eval").exists()


def test_controls_come_with_one_flag(tmp_path, capsys):
    out = tmp_path / "eval"
    assert run("--strategies", "random", "--controls", "all", "--dry-run", "--out", out) == 0
    said = capsys.readouterr()
    assert "28 runs, 0 finished" in said.out
    assert "@oracle_other" in said.out
    assert "no copy trained on shuffled targets is listed" in said.out
    assert not out.exists()


def test_command_names_what_differs_from_the_defaults():
    config = Config(runs=3, strategies=("a b", "margin"), dry_run=True, out=Path("x"))
    assert command(config) == "--strategies 'a b' margin --runs 3 --out x --dry-run"
    assert command(Config()) == ""


def test_flags_and_configs_of_earlier_releases_still_work():
    assert current_flags(["--cell-seconds", "3", "--give-up=2", "--runs", "5"]) == [
        "--run-seconds", "3", "--max-timeouts=2", "--runs", "5",
    ]  # fmt: skip
    assert saved_config([], {"cell_seconds": 3.0, "give_up": 2}) == Config(
        run_seconds=3.0, max_timeouts=2
    )


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    np.savez(folder / "one_class.npz", X=X, y=np.zeros(40, dtype=int))
    np.savez(folder / "regression.npz", X=X, y=rng.normal(size=40))
    np.savez(folder / "tiny.npz", X=X[:8], y=np.arange(8) % 2)
    (folder / "broken.safetensors").write_bytes(b"\x99" * 50)
    (folder / "broken.npz").write_bytes(b"PK nothing")
    return folder


BAD = {
    "strategy": (["--strategies", "margn"], "did you mean 'margin'"),
    "option": (["--strategies", "margin?colour=3"], "cannot be made"),
    "twice": (["--strategies", "margin", "margin"], "listed twice"),
    "learner": (["--learners", "knnn"], "did you mean 'knn'"),
    "suite": (["--suite", "bundeld"], "bundled"),
    "dataset": (["--suite", "sklearn:iriss"], "iris"),
    "subset": (["--suite", "bundled", "--datasets", "irish"], "irish"),
    "missing policy": (["--strategies", "policy:{files}/none.safetensors"], "no policy file"),
    "missing file": (["--suite", "file:{files}/none.npz"], "none.npz"),
    "corrupt policy": (["--strategies", "{files}/broken.safetensors"], "broken.safetensors"),
    "corrupt data": (["--suite", "file:{files}/broken.npz"], "broken.npz"),
    "one class": (["--suite", "file:{files}/one_class.npz"], "class"),
    "regression": (["--suite", "file:{files}/regression.npz"], "regression"),
    "budget": (["--budget", "5000"], "more than the pool"),
    "tiny": (["--suite", "file:{files}/tiny.npz"], "more than the pool"),
    "zero runs": (["--runs", "0"], "runs must be at least 1"),
    "metric": (["--metric", "auroc"], "'auroc' is not among"),
    "config": (["--config", "{files}/none.json"], "none.json"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(case, files, tmp_path, capsys):
    flags, message = BAD[case]
    flags = [f.format(files=files) for f in flags]
    assert run(*flags, "--out", tmp_path / "eval") == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "eval").exists()


def test_help_loads_no_rl():
    code = (
        "import sys; from scripts.entry import run_main\n"
        "from scripts.evaluate import Config, main\n"
        "try:\n    run_main(main, Config, ['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'stable_baselines3', 'gymnasium', 'matplotlib', 'pandas', 'sklearn'}\n"
        "found = heavy & set(sys.modules)\nsys.exit(f'loaded {found}' if found else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--strategies" in done.stdout
