"""What all trainers share, by hand: configs, folders, replay, targets, loggers, figures."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.training import loggers, progress
from agents.training.checkpoints import load_arrays, load_torch, save_arrays, save_torch
from agents.training.config import (
    SYNTHETIC_TASKS,
    ClassEpisodeConfig,
    EpisodeConfig,
    FineTuningConfig,
    PoolConfig,
    PoolEnvConfig,
    RunConfig,
    StreamConfig,
)
from agents.training.intervals import mean_interval
from agents.training.prior_tasks import PriorPoolConfig
from agents.training.run_folder import RunFolder
from agents.training.trainer import best_row, get_summary, one_torch_thread
from agents.training.tuned import changed_fields, read_tuned, write_tuned
from lal.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "good", "bad", "message"),
    [
        (PoolConfig, {"budget": 1}, {"budget": 0}, "budget must be at least 1, got 0"),
        (PoolConfig, {"max_pool": 2}, {"max_pool": 1}, "max_pool must be at least 2, got 1"),
        (PoolConfig, {"share_synthetic": 1.0}, {"share_synthetic": 1.01},
         "share_synthetic must lie between 0 and 1, got 1.01"),
        (PoolConfig, {"share_synthetic": 0.0}, {"share_synthetic": -0.01}, "must lie between 0"),
        (PoolEnvConfig, {"n_envs": 1}, {"n_envs": 0}, "n_envs must be at least 1"),
        (PoolEnvConfig, {"slate_size": 2}, {"slate_size": 1}, "slate_size must be at least 2"),
        (PoolEnvConfig, {"batch_size": 1}, {"batch_size": 0}, "batch_size must be at least 1"),
        (PoolEnvConfig, {"n_dev_tasks": 1}, {"n_dev_tasks": 0}, "n_dev_tasks must be at least 1"),
        (PoolEnvConfig, {"n_tasks": 1}, {"n_tasks": 0}, "n_tasks must be at least 1"),
        (PoolEnvConfig, {"episodes_per_task": 1}, {"episodes_per_task": 0}, "must be at least 1"),
        (PoolEnvConfig, {"total_timesteps": 1}, {"total_timesteps": 0}, "must be at least 1"),
        (PoolEnvConfig, {"n_segments": 1}, {"n_segments": 0}, "n_segments must be at least 1"),
        (PoolEnvConfig, {"learning_rate": 1e-9}, {"learning_rate": 0.0},
         "learning_rate must be above 0, got 0.0"),
        (PoolEnvConfig, {"reward_scale": 0.1}, {"reward_scale": 0.0}, "reward_scale must be above"),
        (PoolEnvConfig, {"reward_share": 0.05}, {"reward_share": 0.04}, "between 0.05 and 0.95"),
        (PoolEnvConfig, {"reward_share": 0.95}, {"reward_share": 0.96}, "between 0.05 and 0.95"),
        (PoolEnvConfig, {"gamma": 1.0}, {"gamma": 1.1}, "gamma must lie between 0 and 1"),
        (PoolEnvConfig, {"gamma": 0.0}, {"gamma": float("nan")}, "gamma must lie between 0 and 1"),
        (FineTuningConfig, {"start_scale": 0.1}, {"start_scale": 0}, "start_scale must be above 0"),
        (FineTuningConfig, {"start": "margin"},
         {"start": "margin", "context_features": ("n_labelled@1",)}, "features are those of the"),
        (FineTuningConfig, {"control": "untrained"}, {"start": "margin", "control": "untrained"},
         "control 'untrained' has no meaning with a start; leave one out"),
        (FineTuningConfig, {"start": "margin", "control": "shuffled_reward"},
         {"start": "margin", "control": "uncertainty_only"}, "'uncertainty_only' has no meaning"),
        (StreamConfig, {"n_items": 1}, {"n_items": 0}, "n_items must be at least 1"),
        (StreamConfig, {"budget_fraction": 1.0}, {"budget_fraction": 1.1}, "between 0 and 1"),
        (StreamConfig, {"price": 0.0}, {"price": -0.1}, "price must be at least 0.0, got -0.1"),
        (EpisodeConfig, {"gradient_steps": 8}, {"gradient_steps": 12},
         r"gradient_steps must be a multiple of n_segments \(8\), got 12"),
        (EpisodeConfig, {"batch_size": 1}, {"batch_size": 0}, "batch_size must be at least 1"),
        (EpisodeConfig, {"learning_rate": 1e-5}, {"learning_rate": 0.0}, "must be above 0"),
        (ClassEpisodeConfig, {"n_dev_episodes": 1}, {"n_dev_episodes": 0}, "must be at least 1"),
        (PriorPoolConfig, {"warm_labels": (1, 1)}, {"warm_labels": (0, 3)},
         r"warm_labels must be a range from 1 up, got \(0, 3\)"),
        (PriorPoolConfig, {"warm_labels": (3, 3)}, {"warm_labels": (4, 3)}, "must be a range from"),
        (PriorPoolConfig, {"clean": 0.0}, {"clean": -0.1}, "clean must lie between 0 and 1"),
        (PriorPoolConfig, {"rare": 1.0}, {"rare": 1.1}, "rare must lie between 0 and 1"),
        (PriorPoolConfig, {"blurred": 1.0}, {"blurred": 1.1}, "blurred must lie between 0 and 1"),
        (PriorPoolConfig, {"warm": 1.0}, {"warm": 1.1}, "warm must lie between 0 and 1"),
    ],
)  # fmt: skip
def test_ranges_hold_at_their_ends(kind: Any, good: Any, bad: Any, message: str) -> None:
    kind(**good)
    with pytest.raises(UsageError, match=message):
        kind(**bad)


def test_fields_of_the_synthetic_preset_are_fields() -> None:
    config = PoolEnvConfig(**SYNTHETIC_TASKS)
    assert (config.datasets, config.share_synthetic, config.hold_out) == ((), 1.0, ())


def test_an_interval_of_a_mean() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(1.0, 2.0, 200)
    mean, low, high = mean_interval(x)
    assert mean == x.mean()
    half = 1.96 * x.std() / np.sqrt(200)
    assert low == pytest.approx(mean - half, abs=0.03)
    assert high == pytest.approx(mean + half, abs=0.03)
    assert mean_interval(x) == mean_interval(x, seed=0) != mean_interval(x, seed=1)
    means = [x[g.integers(200, size=200)].mean() for g in [np.random.default_rng(3)] * 50]
    assert mean_interval(x, seed=3, draws=50)[1:] == tuple(np.quantile(means, [0.025, 0.975]))


ROWS: list[dict[str, Any]] = [
    {"segment": 0, "dev_aubc": 0.5},
    {"segment": 1, "dev_aubc": 0.5},
    {"segment": 2},
]


def test_figures_of_segments() -> None:
    assert best_row(ROWS)["segment"] == 1  # the latest of equal ones
    assert best_row([{"segment": 0}, {"segment": 1}])["segment"] == 1
    assert best_row([{"segment": 0, "dev_aubc": -0.1}, {"segment": 1}])["segment"] == 1
    row = {"segment": 3, "seconds": 1.5, "loss": 0.123456, "step": 40, "mean": None}
    assert get_summary(row) == "loss 0.1235, step 40, mean None"
    assert loggers.get_numbers(row) == {"seconds": 1.5, "loss": 0.123456, "step": 40.0}
    assert loggers.get_step(row) == 40
    assert loggers.get_step({"segment": 3, "gradient_steps": 7}) == 7
    assert loggers.get_step({"segment": 3}) == 4


def test_one_thread_of_torch_and_the_old_number_again() -> None:
    torch.set_num_threads(3)
    with one_torch_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3


class Recorder:
    """Stands in for a writer, a module or a bar: remembers what is called."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> "Recorder":
            self.calls.append((name, *arguments, options) if options else (name, *arguments))
            return self

        return call


def test_tensorboard_is_told_each_number_at_its_step(monkeypatch: Any, tmp_path: Path) -> None:
    made = Recorder()
    monkeypatch.setattr(loggers, "require", lambda *names: made if names == (
        "torch.utils.tensorboard", "train") else None)  # fmt: skip
    with loggers.tensorboard_logger(tmp_path) as watch:
        assert made.calls == []  # nothing before the first segment
        watch({"segment": 0, "loss": 0.5, "step": 8}, None)
        watch({"segment": 1, "loss": 0.25, "step": 16}, None)
    assert made.calls == [
        ("SummaryWriter", str(tmp_path)), ("add_scalar", "segment/loss", 0.5, 8),
        ("add_scalar", "segment/step", 8.0, 8), ("flush",),
        ("add_scalar", "segment/loss", 0.25, 16), ("add_scalar", "segment/step", 16.0, 16),
        ("flush",), ("close",),
    ]  # fmt: skip


def test_weights_and_biases_keeps_the_id_and_hears_how_it_ended(monkeypatch: Any) -> None:
    made = Recorder()
    monkeypatch.setattr(loggers, "require", lambda *names: made if names == (
        "wandb", "wandb") else None)  # fmt: skip
    config, folder = RunConfig(seed=3), Path("runs/mine")
    with loggers.wandb_logger("walk", config, folder) as watch:
        watch({"segment": 1, "loss": 0.5}, None)
    (_, options), log, finish = made.calls
    assert options["name"] == "mine"
    assert options["id"].startswith("mine-")
    assert options["resume"] == "allow"
    assert options["config"] == {"agent": "walk", "options": {"seed": 3, "control": "none"}}
    assert log == ("log", {"loss": 0.5}, {"step": 2})
    assert finish == ("finish", {"exit_code": 0})
    other = Recorder()
    monkeypatch.setattr(loggers, "require", lambda *_: other)
    with pytest.raises(KeyError), loggers.wandb_logger("walk", RunConfig(), folder):
        raise KeyError
    assert other.calls[-1] == ("finish", {"exit_code": 1})
    assert other.calls[0][1]["id"] != options["id"]


def test_a_bar_moves_to_where_it_is_told(monkeypatch: Any) -> None:
    bars: list[Any] = []

    class Bar(Recorder):
        n = 0

        def __init__(self, **options: Any) -> None:
            super().__init__()
            bars.append((self, options))

        def update(self, by: int) -> None:
            self.n += by

    monkeypatch.setattr("tqdm.tqdm", Bar)
    shown = progress.Progress(shown=True)
    shown.start(10, "train")
    bar, options = bars[0]
    assert (options["total"], options["desc"]) == (10, "train")
    shown.at(4)
    shown.at(6)
    assert bar.n == 6
    shown.note("text")
    shown.start(3, "more")
    assert bar.calls == [("set_postfix_str", "text"), ("close",)]
    shown.close()
    shown.at(9)
    shown.note("nothing")
    assert bars[1][0].calls == [("close",)]
    silent = progress.Progress()
    silent.start(3, "x")
    silent.at(1)
    silent.note("x")
    silent.close()
    assert len(bars) == 2


@dataclass(frozen=True, kw_only=True)
class Tuned(RunConfig):
    width: int = 8
    net_arch: tuple[int, ...] = (32, 32)
    rate: float = 0.5


def test_tuned_settings_are_the_fields_that_differ(tmp_path: Path) -> None:
    config = Tuned(seed=5, control="untrained", width=16, net_arch=(64,))
    assert changed_fields(config) == {"width": 16, "net_arch": [64]}
    assert read_tuned("walk", tmp_path / "none") == {}
    path = write_tuned("walk", "Stream", config, tmp_path / "new")
    assert path == tmp_path / "new" / "walk.yml"
    write_tuned("walk", "Pool", Tuned(rate=0.25), tmp_path / "new")
    assert read_tuned("walk", tmp_path / "new") == {
        "Pool": {"rate": 0.25}, "Stream": {"width": 16, "net_arch": [64]},
    }  # fmt: skip
    text = path.read_text()
    assert text.startswith("# walk: the fields that differ from its defaults, by environment.")
    assert "--agent walk --preset ENVIRONMENT" in text
    assert text.index("Pool:") < text.index("Stream:")
    write_tuned("walk", "Stream", Tuned(), tmp_path / "new")
    assert read_tuned("walk", tmp_path / "new")["Stream"] == {}
    for wrong in ("- a\n", "Pool: 3\n"):
        path.write_text(wrong)
        with pytest.raises(UsageError, match=r"walk\.yml must map environments to fields of the"):
            read_tuned("walk", tmp_path / "new")


def test_checkpoints_of_arrays_and_tensors(tmp_path: Path) -> None:
    save_arrays(tmp_path / "a.npz", {"x": np.arange(3), "y": np.ones((2, 2))})
    found = load_arrays(tmp_path / "a.npz")
    assert sorted(found) == ["x", "y"]
    assert found["x"].tolist() == [0, 1, 2]
    save_torch(tmp_path / "b.pt", {"w": torch.ones(2), "n": 3})
    assert load_torch(tmp_path / "b.pt")["n"] == 3
    torch.save([1], tmp_path / "c.pt")
    with pytest.raises(UsageError, match=r"c\.pt' holds a list; expected a mapping"):
        load_torch(tmp_path / "c.pt")
    with pytest.raises(
        UsageError, match=r"the checkpoint file .*none\.npz' cannot be read: .*No s"
    ):
        load_arrays(tmp_path / "none.npz")


def make_folder(path: Path, **changes: Any) -> RunFolder:
    return RunFolder(path, agent="walk", config=replace(Tuned(), **changes))


def test_a_run_folder_holds_one_config(tmp_path: Path) -> None:
    run = make_folder(tmp_path / "run")
    with run.locked():
        run.begin()
    written = json.loads((tmp_path / "run" / "config.json").read_text())
    assert written["agent"] == "walk"
    assert written["options"]["net_arch"] == [32, 32]
    again = make_folder(tmp_path / "run")
    assert again.hash == run.hash
    with pytest.raises(UsageError, match=rf"another config \({run.hash}, this one is [0-9a-f]+\); "
                       "give another folder, or rerun it with --config .*config.json"):  # fmt: skip
        make_folder(tmp_path / "run", width=9)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file; expected a folder for the results"):
        make_folder(tmp_path / "file")
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / ".lock").write_text("")
    make_folder(tmp_path / "hidden")  # only the lock of a run that wrote nothing


def test_the_newest_checkpoint_counts_and_is_the_only_one(tmp_path: Path) -> None:
    run = make_folder(tmp_path)
    assert run.last_checkpoint() is None
    for segment in (0, 9, 10):
        run.save_checkpoint(segment, {"segment": segment}, lambda part: None)
    place, state = run.last_checkpoint() or (None, {})
    assert place == tmp_path / "checkpoints" / "0010"
    assert state == {"segment": 10}
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["0010"]
    run.write_metrics([{"b": 1, "a": 2}, {"c": None}])
    assert (tmp_path / "metrics.jsonl").read_text() == '{"a": 2, "b": 1}\n{"c": null}\n'
    before = run.finished
    run.finish({"best": 3})
    assert (before, run.finished) == (False, True)
    assert json.loads((tmp_path / "finished.json").read_text()) == {"best": 3}
    assert not (tmp_path / "checkpoints").exists()
    assert run.policy_path == tmp_path / "policy.safetensors"
