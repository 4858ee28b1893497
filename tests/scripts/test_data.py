"""scripts.data: fetch, verify and openings; and what scripts.evaluate writes on a sealed suite."""

import json
from dataclasses import replace

import pytest

from lal.data.suites import load_suite
from lal.policies.margin import margin_policy
from scripts.data import run
from scripts.entry import run_main
from scripts.evaluate import Config, main

SMALL = ["--strategies", "random", "--learners", "gaussian_nb", "--runs", "2", "--budget", "3"]


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "vault.json"
    sets = [{"source": "synthetic:xor@1", "id": "board"}]
    path.write_text(json.dumps({"name": "vault", "wall": "sealed", "datasets": sets}))
    return path


def test_fetch_pins_what_was_loaded(tmp_path, capsys):
    out = tmp_path / "lock.json"
    assert run(["fetch", "bundled", "--out", str(out)]) == 0
    assert "4 data sets of bundled; pinned in" in capsys.readouterr().out
    suite = load_suite(out)
    assert suite["iris"].sha256 == suite.entry("iris").sha256 or suite["iris"].sha256


def test_fetch_stops_or_says_what_it_leaves_out(tmp_path, capsys):
    path = tmp_path / "two.json"
    sets = [{"source": "sklearn:iris"}, {"source": "file:none.npz", "id": "gone"}]
    path.write_text(json.dumps({"name": "two", "datasets": sets}))
    assert run(["fetch", str(path), "--out", str(tmp_path / "a.json")]) == 2
    assert not (tmp_path / "a.json").exists()
    assert run(["fetch", str(path), "--out", str(tmp_path / "a.json"), "--keep-going"]) == 0
    said = capsys.readouterr()
    assert "1 data sets of two, 1 left out" in said.out
    assert "gone: no such file" in said.err


def test_verify_counts_and_names_the_damage(tmp_path, capsys):
    out = tmp_path / "store"
    flags = ["--suite", "synthetic:xor@1", *SMALL, "--out", str(out), "--store-format", "json"]
    assert run_main(main, Config, flags) == 0
    capsys.readouterr()
    assert run(["verify", str(out)]) == 0
    assert "4 done; 0 of the latest evaluation missing" in capsys.readouterr().out
    next(out.glob("cells/??/*.json")).write_text("torn")
    assert run(["verify", str(out)]) == 2
    said = capsys.readouterr()
    assert "3 done; 1 of the latest evaluation missing" in said.out
    assert "1 files are in" in said.err
    assert run_main(main, Config, flags) == 0
    assert "3 runs were finished, 1 executed" in capsys.readouterr().out


def test_equal_stores_are_told_from_others(tmp_path, capsys):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, form in ((one, "json"), (two, "parquet")):
        flags = ["--suite", "synthetic:xor@1", *SMALL, "--out", str(folder), "--store-format", form]
        assert run_main(main, Config, flags) == 0
    capsys.readouterr()
    assert run(["compare", str(one), str(two)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split("results")[1] == said[1].split("results")[1]
    assert said[2].startswith("the same runs")
    next(two.glob("cells/??/*")).unlink()
    assert run(["compare", str(one), str(two)]) == 2
    assert "1 of 4 runs differ or are missing" in capsys.readouterr().err
    assert run(["compare", str(one)]) == 2
    assert "two run stores or more" in capsys.readouterr().err


def test_no_store_no_command(tmp_path, capsys):
    assert run(["verify", str(tmp_path)]) == 2
    assert "no run store" in capsys.readouterr().err
    assert run([]) == 2
    assert run(["--help"]) == 0
    assert "scripts.data verify" in capsys.readouterr().out


def test_a_locked_suite_is_logged_first_and_never_fetched(sealed, tmp_path, capsys):
    assert run(["fetch", str(sealed)]) == 2
    assert "is locked" in capsys.readouterr().err
    for budget in ("3", "3", "4"):
        flags = ["--suite", str(sealed), *SMALL[:-1], budget, "--out", str(tmp_path / "store")]
        assert run_main(main, Config, flags) == 0
    manifest = json.loads((tmp_path / "store" / "evaluation.json").read_text())
    assert len(manifest["test_set_access"]) == 2
    assert manifest["test_set_access"][1]["protocol"] == manifest["protocol_hash"]
    capsys.readouterr()
    assert run(["openings", str(sealed)]) == 0
    assert "vault: 2 accesses" in capsys.readouterr().out


def test_a_mistake_accesses_nothing(sealed, tmp_path, capsys):
    flags = ["--suite", str(sealed), "--out", str(tmp_path / "store"), *SMALL[:-1], "100000"]
    assert run_main(main, Config, flags) == 2
    assert "more than the pool" in capsys.readouterr().err
    log = load_suite(sealed).log
    assert log is not None
    assert not log.exists()


def test_a_policy_that_saw_relatives_accesses_nothing(sealed, tmp_path, capsys):
    path = tmp_path / "met.safetensors"
    policy = margin_policy()
    replace(policy, card={**policy.card, "families": ["checkerboard"]}).save(path)
    flags = ["--suite", str(sealed), *SMALL, "--out", str(tmp_path / "store")]
    flags.insert(flags.index("random") + 1, f"mine={path}")
    assert run_main(main, Config, flags) == 2
    said = capsys.readouterr().err
    assert "checkerboard: mine against board" in said
    assert "nothing was accessed" in said
    log = load_suite(sealed).log
    assert log is not None
    assert not log.exists()
    flags[flags.index(str(sealed))] = "synthetic:xor@1"  # not locked: marked, not averaged
    assert run_main(main, Config, flags) == 0
    assert "mine: xor seen in training, left out" in capsys.readouterr().out


def test_what_is_not_locked_has_no_log(capsys):
    assert run(["openings", "bundled"]) == 2
    assert "not locked" in capsys.readouterr().err


def test_a_plan_its_shards_and_their_merge(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = ["--suite", "synthetic:xor@1", *SMALL, "--store-format", "json"]
    assert run_main(main, Config, [*flags, "--out", "one"]) == 0
    assert run_main(main, Config, [*flags, "--out", "plan", "--plan", "2"]) == 0
    said = capsys.readouterr().out
    assert "4 runs to execute in 2 shards of about 2" in said
    script = (tmp_path / "plan" / "array.sh").read_text()
    assert "#SBATCH --array=1-2" in script
    config = script.split("--config ")[1].split()[0]
    for number in ("1/2", "2/2"):
        assert run_main(main, Config, ["--config", config, "--shard", number]) == 0
    assert "shard 2/2: 0 runs were finished" in capsys.readouterr().out
    assert run(["merge", "plan", "plan/shards/1-of-2", "plan/shards/2-of-2"]) == 0
    assert "plan: 4 runs, 0 of the latest evaluation missing" in capsys.readouterr().out
    assert run(["compare", "one", "plan"]) == 0
    assert run(["merge", "plan"]) == 2
    assert "name the run stores to merge" in capsys.readouterr().err
    assert run_main(main, Config, [*flags, "--plan", "2", "--shard", "1/2"]) == 2
    assert "goes without --shard" in capsys.readouterr().err


def test_millions_of_runs_are_estimated_from_one_repetition(tmp_path, capsys):
    flags = [
        "--suite",
        "synthetic:xor@1",
        "--learners",
        "gaussian_nb",
        "--budget",
        "3",
        "--dry-run",
    ]
    flags += ["--out", str(tmp_path / "none"), "--plan", "400", "--runs", "1500000"]
    assert run_main(main, Config, flags) == 0
    said = capsys.readouterr().out
    assert "4500000 runs, 0 finished" in said
    assert "in each of 400 shards" in said
    assert not (tmp_path / "none").exists()
