import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from agents import AGENTS
from agents.dqn.config import PRESETS
from agents.dqn.learner import DQNLearner
from agents.training.checkpoints import load_arrays, save_arrays
from agents.training.tasks import aubc, dev_tasks, training_card, training_tasks
from agents.training.validation import PoolValidation
from lal.errors import UnknownNameError, UsageError
from lal.policies.kinds import load_policy
from lal.rng import generator
from lal.strategies.base import make_strategy

SMOKE = PRESETS["smoke"]
DQN = AGENTS["dqn"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    DQN.train(SMOKE, folder)
    return folder


def test_a_run_leaves_policy_metrics_and_config(finished):
    card = load_policy(finished / "policy.safetensors").card
    assert card["control"] == "none"
    assert card["learners"] == ["logistic_regression"]
    assert set(card["data"]) == {"iris", "digits"}
    assert "wine" in card["families_held_out"]
    assert set(card["slate_check"]) >= {"whole_pool", "slate", "passed"}
    rows = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [32, 64]
    assert json.loads((finished / "config.json").read_text())["agent"] == "dqn"
    assert not (finished / "checkpoints").exists()


def test_a_finished_run_is_left_alone(finished):
    before = {p.name: p.stat().st_mtime_ns for p in finished.iterdir()}
    DQN.train(SMOKE, finished)
    assert {p.name: p.stat().st_mtime_ns for p in finished.iterdir()} == before


def test_a_folder_of_another_config_is_refused(finished):
    with pytest.raises(UsageError, match="holds a run of another config"):
        DQN.train(replace(SMOKE, seed=1), finished)


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="is not empty and holds no config"):
        DQN.train(SMOKE, tmp_path)


@pytest.mark.slow
def test_a_killed_run_ends_bitwise_as_an_undisturbed_one(finished, tmp_path):
    folder = tmp_path / "killed"
    code = (
        "import sys; from pathlib import Path; from agents import AGENTS\n"
        "agent = AGENTS['dqn']; agent.train(agent.preset('smoke'), Path(sys.argv[1]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    first = folder / "checkpoints" / "0000"
    deadline = time.monotonic() + 120
    while not first.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert first.exists()
    assert not (folder / "finished.json").exists()
    DQN.train(SMOKE, folder)
    name = "policy.safetensors"
    assert (folder / name).read_bytes() == (finished / name).read_bytes()


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """A run that ended after its first segment."""
    folder = tmp_path_factory.mktemp("runs") / "cut"
    with pytest.MonkeyPatch.context() as patch:
        learn = DQNLearner.train_segment

        def stop(learner, segment):
            if segment > 0:
                raise KeyboardInterrupt
            return learn(learner, segment)

        patch.setattr(DQNLearner, "train_segment", stop)
        with pytest.raises(KeyboardInterrupt):
            DQN.train(SMOKE, folder)
    return folder


def test_a_checkpoint_holds_plain_arrays_only(cut):
    """No file of stable-baselines3's or pickle's, which run code when they are read."""
    files = {path.name for path in (cut / "checkpoints" / "0000").iterdir()}
    assert files == {"best.safetensors", "model.pt", "replay.npz", "state.json"}


class Runs:
    """Unpickling it runs code."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('a checkpoint ran code')",))


@pytest.mark.parametrize("name", ["model.pt", "replay.npz"])
def test_a_strangers_checkpoint_runs_no_code(name, cut, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(cut, folder)
    (folder / "checkpoints" / "0000" / name).write_bytes(pickle.dumps(Runs(), protocol=2))
    with pytest.raises(UsageError, match=f"{name}' cannot be read"):
        DQN.train(SMOKE, folder)


def test_a_replay_buffer_of_another_shape_is_refused(cut, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(cut, folder)
    path = folder / "checkpoints" / "0000" / "replay.npz"
    arrays = load_arrays(path)
    save_arrays(path, {**arrays, "rewards": arrays["rewards"][:, :1]})
    with pytest.raises(UsageError, match="has rewards of shape"):
        DQN.train(SMOKE, folder)


def test_a_cut_run_ends_as_an_undisturbed_one(cut, finished, tmp_path):
    shutil.copytree(cut, tmp_path / "run")
    DQN.train(SMOKE, tmp_path / "run")
    name = "policy.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (finished / name).read_bytes()


def test_validation_scores_are_aubc():
    """A larger score is a better policy; fails when the sign is turned."""
    tasks = dev_tasks(SMOKE, 2)
    found = aubc(make_strategy("margin"), tasks, seed=0)
    assert ((found > 0.0) & (found <= 1.0)).all()


def test_the_score_of_a_validation_is_an_aubc():
    validation = PoolValidation(SMOKE, 2, slate_size=8, slate_rule="random")
    assert 0.0 < validation.score(load_policy("margin")) <= 1.0


def test_the_shuffled_control_pays_other_rewards():
    config = replace(SMOKE, n_envs=1)
    rewards = {}
    for control in ("none", "shuffled_reward"):
        envs = DQNLearner(replace(config, control=control)).make_envs(0)
        envs.seed(0)
        envs.reset()
        rewards[control] = [float(envs.step(np.array([0]))[1][0]) for _ in range(12)]
    earned, paid = rewards["none"], rewards["shuffled_reward"]  # of the same episodes
    assert not np.allclose(paid, earned)
    assert set(np.round(paid, 6)) <= set(np.round(earned, 6))


def test_held_out_families_are_never_drawn():
    config = replace(SMOKE, datasets=("sklearn:iris", "sklearn:breast_cancer"), hold_out=("wdbc",))
    tasks = training_tasks(config)
    families = {tasks(generator(0, i)).family for i in range(20)}
    assert "breast cancer Wisconsin (diagnostic)" not in families
    assert set(training_card(config)["data"]) == {"iris"}


def test_holding_everything_out_is_refused():
    with pytest.raises(UsageError, match="leaves no real data set"):
        training_tasks(replace(SMOKE, datasets=("sklearn:iris",), hold_out=("iris",)))


def test_dev_tasks_are_blind_and_repeatable():
    tasks = dev_tasks(SMOKE, 3)
    assert all(task.test is None for task in tasks)
    again = aubc(make_strategy("random"), dev_tasks(SMOKE, 3), seed=0)
    assert np.array_equal(aubc(make_strategy("random"), tasks, seed=0), again)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_segments": 0}, "n_segments must be at least 1"),
        ({"total_timesteps": 3}, "total_timesteps must be at least 4 for 2 segments of 2"),
        ({"slate_size": 1}, "slate_size must be at least 2"),
    ],
)
def test_numbers_that_make_no_run_are_refused(change, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        DQN.train(replace(SMOKE, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_unknown_names_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'dqn'"):
        AGENTS["dqm"]
    with pytest.raises(UnknownNameError, match="has no preset 'fast'; known: demo"):
        DQN.preset("fast")
