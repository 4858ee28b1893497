import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from agents.dqn.config import DQNConfig
from scripts.entry import parse, run_main
from scripts.train import Config, main, start

ROOT = Path(__file__).parents[2]
SMOKE = ["--preset", "smoke", "--no-progress"]


def test_help_loads_neither_torch_nor_stable_baselines3():
    code = (
        "import sys\n"
        "from scripts.entry import run_main\n"
        "from scripts.train import Config, main, start\n"
        "try:\n"
        "    run_main(main, Config, ['--help'], start=start)\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'torch', 'stable_baselines3', 'gymnasium', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--learning-rate" in done.stdout
    assert "Discount; 0 only looks at the next label" in " ".join(done.stdout.split()).replace(
        "│ ", ""
    )


def test_flags_change_the_preset():
    config = parse(Config, [*SMOKE, "--gamma", "0.25"], start=start)
    assert isinstance(config.options, DQNConfig)
    assert config.options.gamma == 0.25
    assert config.options.total_timesteps == 64
    assert config.agent == "dqn"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train") / "run"
    assert run_main(main, Config, [*SMOKE, "--out", str(folder)], start=start) == 0
    return folder


def test_results_say_where_they_come_from(run):
    found = json.loads((run / "provenance.json").read_text())
    assert len(found["config_hash"]) == 16
    assert len(found["data"]["iris"]) == 64
    assert "torch" in found["versions"]
    assert set(found) >= {"git", "machine"}


def test_a_finished_run_says_so(run, capsys):
    assert run_main(main, Config, [*SMOKE, "--out", str(run)], start=start) == 0
    assert "is finished already; nothing was done" in capsys.readouterr().out


def test_a_saved_config_is_rerun(run):
    config = parse(Config, ["--config", str(run / "config.json"), "--seed", "4"], start=start)
    assert isinstance(config.options, DQNConfig)
    assert config.options.seed == 4
    assert config.options.total_timesteps == 64


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--workers", "2"], "agent 'dqn' trains in one process; leave --workers out"),
        (["--agent", "dqm"], "unknown agent 'dqm'; did you mean 'dqn'?"),
        (["--preset", "quick"], "has no preset 'quick'"),
        (["--datasets", "sklearn:irix"], "irix"),
        (["--learners", "logistic"], "logistic"),
        (["--reward", "accuracy_gains"], "unknown reward"),
        (["--candidate-features", "margin@9"], "margin@9"),
        (["--config", "nowhere.json"], "there is no file 'nowhere.json'"),
        (["--budget", "0"], "budget must be at least 1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(flags, message, tmp_path, capsys):
    folder = tmp_path / "run"
    assert run_main(main, Config, [*SMOKE, "--out", str(folder), *flags], start=start) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not folder.exists()


def test_a_saved_config_with_a_strange_field_is_refused(tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"agent": "dqn", "options": {"gama": 0.5}}))
    assert run_main(main, Config, ["--config", str(path)], start=start) == 2
    assert "unknown fields gama" in capsys.readouterr().err


def test_default_stands_for_the_agent_and_preset_of_the_shipped_policy():
    from agents import AGENTS

    for flags in (["--agent", "default"], ["--agent=default"]):
        config = parse(Config, flags, start=start)
        assert config.options == AGENTS["lookahead"].preset("full")
    short = parse(Config, ["--agent", "default", "--preset", "fiftieth"], start=start)
    assert short.options == AGENTS["lookahead"].preset("fiftieth")


def test_default_trains_the_agent_it_stands_for(tmp_path):
    flags = ["--agent", "default", "--preset", "smoke", "--out", str(tmp_path / "run")]
    assert run_main(main, Config, [*flags, "--no-progress"], start=start) == 0
    assert (tmp_path / "run" / "policy.safetensors").exists()


SMALL = ["--agent", "dad", "--preset", "smoke", "--no-progress"]


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("agent", ["dad", "dqn"])
def test_tensorboard_gets_the_figures_of_every_segment(agent, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tmp_path / "run"
    flags = [*SMOKE, "--agent", agent, "--out", str(folder), "--tensorboard"]
    assert run_main(main, Config, flags, start=start) == 0
    found = EventAccumulator(str(folder / "tensorboard")).Reload()
    name, step = {"dad": ("bound", "gradient_steps"), "dqn": ("dev_aubc", "step")}[agent]
    logged = [(event.step, event.value) for event in found.Scalars(f"segment/{name}")]
    assert logged == [(row[step], pytest.approx(row[name])) for row in metrics(folder)]
    own = [tag for tag in found.Tags()["scalars"] if tag.startswith("rollout/")]
    assert bool(own) == (agent == "dqn")  # stable-baselines3's own figures, in the same folder


def test_without_flags_nothing_is_logged_and_nothing_imported(run, tmp_path):
    assert not (run / "tensorboard").exists()
    code = (
        "import sys\n"
        "from scripts.entry import run_main\n"
        "from scripts.train import Config, main, start\n"
        f"code = run_main(main, Config, {[*SMALL, '--out', str(tmp_path / 'run')]}, start=start)\n"
        "loaded = {'tensorboard', 'wandb', 'optuna'} & set(sys.modules)\n"
        "sys.exit(f'loaded {loaded}' if loaded else code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


class FakeWandb(ModuleType):
    """The part of wandb that is used; keeps what it is given."""

    def __init__(self):
        super().__init__("wandb")
        self.given, self.rows, self.ended = {}, [], []

    def init(self, **given):
        self.given = given
        return self

    def log(self, row, step):
        self.rows.append((step, row))

    def finish(self, exit_code):
        self.ended.append(exit_code)


def test_weights_and_biases_get_the_same_figures(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", fake := FakeWandb())
    folder = tmp_path / "a-run"
    assert run_main(main, Config, [*SMALL, "--out", str(folder), "--wandb"], start=start) == 0
    rows = metrics(folder)
    assert [step for step, _ in fake.rows] == [row["gradient_steps"] for row in rows]
    assert [row["bound"] for _, row in fake.rows] == [row["bound"] for row in rows]
    assert fake.ended == [0]
    saved = json.loads((folder / "config.json").read_text())
    assert fake.given["name"] == "a-run"
    assert fake.given["config"] == saved
    assert fake.given["resume"] == "allow"


def test_a_run_that_fails_ends_as_failed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", fake := FakeWandb())
    (tmp_path / "notes.txt").write_text("mine")
    assert run_main(main, Config, [*SMALL, "--out", str(tmp_path), "--wandb"], start=start) == 2
    assert fake.ended == [1]


def test_weights_and_biases_are_asked_for_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    flags = [*SMALL, "--out", str(tmp_path / "run"), "--wandb"]
    assert run_main(main, Config, flags, start=start) == 2
    assert "wandb is not installed; run: pip install" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
