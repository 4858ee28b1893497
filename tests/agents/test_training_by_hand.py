"""What all trainers share, by hand: configs, folders, replay, targets, loggers, figures."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.training import loggers, progress, tasks, validation
from agents.training.boosting import fit_boosted_trees
from agents.training.candidate_dqn import CandidateDQN, _weighted_huber
from agents.training.checkpoints import load_arrays, load_torch, save_arrays, save_torch
from agents.training.config import (
    SYNTHETIC_TASKS,
    EpisodeConfig,
    FineTuningConfig,
    PoolConfig,
    PoolEnvConfig,
    RunConfig,
    StreamConfig,
)
from agents.training.embeddings import make_embedding, standardised
from agents.training.intervals import mean_interval
from agents.training.pool_envs import REMEMBERED, ScaledRewards, ShuffledRewards, _options
from agents.training.prior_tasks import PriorPoolConfig, _WarmTasks
from agents.training.prioritised_replay import PRIORITY_FLOOR, PrioritisedReplay
from agents.training.replay import fill, load_replay, save_replay
from agents.training.run_folder import RunFolder
from agents.training.tasks import PlayableTasks, feature_lists, training_card
from agents.training.torch_learner import TorchLearner
from agents.training.trainer import best_row, get_summary, one_torch_thread
from agents.training.tuned import changed_fields, read_tuned, write_tuned
from agents.training.validation import PoolValidation
from lal.errors import DataError, UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES
from lal.policies.margin import margin_policy
from lal.rng import integer_seed


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


SPACE = spaces.Dict(
    {
        "candidates": spaces.Box(0, 1, (3, 2), dtype=np.float32),
        "context": spaces.Box(0, 1, (1,), dtype=np.float32),
        "mask": spaces.MultiBinary(3),
    }
)


def observation(value: float, n: int = 2, mask: Any = (1, 1, 1)) -> dict[str, Any]:
    return {
        "candidates": np.full((n, 3, 2), value, dtype=np.float32),
        "context": np.full((n, 1), value, dtype=np.float32),
        "mask": np.tile(np.array(mask, dtype=np.int8), (n, 1)),
    }


def buffer(size: int = 8, n: int = 2, **options: Any) -> PrioritisedReplay:
    return PrioritisedReplay(size, SPACE, spaces.Discrete(3), "cpu", n, **options)


def add(replay: PrioritisedReplay, i: int, n: int = 2) -> None:
    replay.add(observation(i / 10, n), observation(i / 10 + 0.05, n), np.full(n, i % 3),
               np.full(n, float(i)), np.zeros(n), [{}] * n)  # fmt: skip


def test_defaults_and_priorities_of_a_replay() -> None:
    replay = buffer()
    assert (replay.alpha, replay.beta, replay.reward_scale) == (0.6, 0.6, 1.0)
    assert (replay.n_steps, replay.gamma) == (1, 0.99)
    assert replay.rates.shape == (4, 2)
    assert replay.seams.tolist() == [False, False, False, True]
    add(replay, 1)
    assert replay.rates[0].tolist() == [1.0, 1.0]
    assert replay.sample(3).discounts.ravel().tolist() == pytest.approx([0.99] * 3)
    replay.update_priorities(np.array([1]), np.array([-3.0]))
    assert replay.rates[0, 1] == pytest.approx((3 + PRIORITY_FLOOR) ** 0.6)
    batch = replay.sample(500)
    rates = replay.rates[0]
    share = np.mean(batch.slots == 1)
    assert share == pytest.approx(rates[1] / rates.sum(), abs=0.08)
    by_hand = (2 * rates / rates.sum()) ** -0.6
    np.testing.assert_allclose(
        batch.weights.ravel(), (by_hand / by_hand.max())[batch.slots], rtol=1e-6
    )
    same = [buffer(seed=s) for s in (4, 4, 5)]
    for one in same:
        for i in range(4):
            add(one, i)
    first, second, other = (one.sample(50).slots.tolist() for one in same)
    assert first == second != other


def test_a_replay_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    replay = buffer()
    for i in range(3):
        add(replay, i)
    save_replay(replay, tmp_path / "r.npz")
    arrays = load_arrays(tmp_path / "r.npz")
    assert arrays["position"].tolist() == [3, 0]
    assert len(arrays["rewards"]) == 3
    said = r"has \S+ of shape \(3, .*; expected \(2, .* or fewer rows, as the run's config says"
    with pytest.raises(UsageError, match=said):
        load_replay(buffer(size=4), tmp_path / "r.npz")
    for position in ([4, 0], [-1, 0], [1], [[1, 2]]):
        save_arrays(tmp_path / "w.npz", {**arrays, "position": np.array(position)})
        with pytest.raises(UsageError, match="has no position within a buffer of this size"):
            load_replay(buffer(), tmp_path / "w.npz")
    save_arrays(tmp_path / "w.npz", {k: v for k, v in arrays.items() if k != "rewards"})
    with pytest.raises(UsageError, match="has rewards of shape None"):
        load_replay(buffer(), tmp_path / "w.npz")
    whole = buffer()
    load_replay(whole, tmp_path / "r.npz")
    assert (whole.pos, whole.full) == (3, False)


def test_recorded_steps_fill_a_buffer_and_the_rest_stays_out() -> None:
    seen = {k: np.concatenate([observation(i / 10, 1)[k] for i in range(5)]) for k in SPACE.spaces}
    after = {k: v + v.dtype.type(1) * (k == "context") for k, v in seen.items()}

    class Steps(SimpleNamespace):
        def __len__(self) -> int:
            return 5

    recorded: Any = Steps(
        observations=seen, next_observations=after, actions=np.arange(5) % 3,
        rewards=np.arange(5.0), ends=np.array([0, 1, 0, 0, 1], dtype=bool),
    )  # fmt: skip
    replay = buffer()
    fill(replay, recorded)
    assert replay.pos == 2
    assert replay.rewards[:2].tolist() == [[0, 1], [2, 3]]
    assert replay.dones[:2].tolist() == [[0, 1], [0, 0]]
    assert replay.actions[:2, :, 0].tolist() == [[0, 1], [2, 0]]
    np.testing.assert_allclose(replay.observations["context"][:2, :, 0], [[0, 0.1], [0.2, 0.3]])
    np.testing.assert_allclose(replay.next_observations["context"][1, 1], 1.3)


class Table(torch.nn.Module):
    """Values by the observation's context times a row of numbers."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.row = torch.tensor(values)

    def forward(self, seen: Any) -> Any:
        return seen["context"] * self.row

    def get_value(self, seen: Any, actions: Any) -> Any:
        return self(seen).gather(1, actions)


def test_double_q_targets_by_hand() -> None:
    """The online network chooses, the target network says what it is worth."""
    model: Any = SimpleNamespace(q_net=Table([1.0, 3.0, 2.0]), q_net_target=Table([5.0, 7.0, 9.0]))
    mask = torch.tensor([[1, 1, 1], [1, 1, 1], [0, 0, 0]])
    batch: Any = SimpleNamespace(
        next_observations={"context": torch.tensor([[1.0], [2.0], [2.0]]), "mask": mask},
        dones=torch.tensor([[0.0], [1.0], [0.0]]),
        rewards=torch.tensor([[0.5], [0.25], [0.125]]),
        discounts=torch.tensor([[0.5], [0.5], [0.5]]),
    )
    found = CandidateDQN._targets(model, batch)
    assert found.ravel().tolist() == [0.5 + 0.5 * 7.0, 0.25, 0.125]


def test_huber_by_hand() -> None:
    error = torch.tensor([[0.5], [-3.0]])
    weights = torch.tensor([[1.0], [0.5]])
    assert float(_weighted_huber(error, weights)) == pytest.approx((0.125 + 0.5 * 2.5) / 2)


def test_exploration_draws_legal_slots_alone() -> None:
    model: Any = SimpleNamespace(explorer=np.random.default_rng(0))
    mask = np.tile([[1, 0, 1]], (6000, 1))
    greedy = np.zeros(6000, dtype=np.int64)
    drawn = CandidateDQN._explored(model, greedy, mask, 0.5)
    assert set(drawn.tolist()) == {0, 2}
    assert np.mean(drawn == 2) == pytest.approx(0.25, abs=0.03)
    assert not CandidateDQN._explored(model, greedy, mask, 0.0).any()
    assert np.mean(CandidateDQN._explored(model, greedy, mask, 1.0) == 2) == pytest.approx(
        0.5, abs=0.03
    )
    nothing = CandidateDQN._explored(model, np.array([1, 1]), np.zeros((2, 3)), 1.0)
    assert nothing.tolist() == [1, 1]
    one = CandidateDQN._explored(model, np.array(1), np.array([0, 1, 0]), 1.0)
    assert one.shape == ()
    assert int(one) == 1


def test_steps_clip_the_gradient_only_when_asked() -> None:
    class Line(TorchLearner[Any]):
        def __init__(self) -> None:
            self.network = torch.nn.Linear(1, 1, bias=False)
            torch.nn.init.zeros_(self.network.weight)
            self.optimiser = torch.optim.SGD(self.network.parameters(), lr=1.0)

        train_segment = export = export_untrained = None  # type: ignore[assignment]

    Line.__abstractmethods__ = frozenset()
    for norm, moved in ((None, 8.0), (2.0, 2.0), (100.0, 8.0)):
        learner: Any = Line()
        for times in (1, 2):
            loss = -8.0 * learner.network(torch.ones(1, 1)).sum()
            learner.step(loss, max_norm=norm)
            assert learner.network.weight.item() == pytest.approx(times * moved, rel=1e-4)


def test_boosted_trees_are_fitted_with_what_is_said(monkeypatch: Any) -> None:
    import sklearn.ensemble

    given: dict[str, Any] = {}

    class Trees:
        def __init__(self, **options: Any) -> None:
            given.update(options)

        def fit(self, X: Any, y: Any) -> Any:
            return (X, y)

    monkeypatch.setattr(sklearn.ensemble, "HistGradientBoostingRegressor", Trees)
    X, y = np.ones((3, 2)), np.arange(3.0)
    found = fit_boosted_trees(X, y, max_iter=7, learning_rate=0.2, max_leaf_nodes=5,
                              min_samples_leaf=3, seed=4)  # fmt: skip
    assert found == (X, y) or (found[0] is X and found[1] is y)
    assert given == {
        "max_iter": 7, "learning_rate": 0.2, "max_leaf_nodes": 5, "min_samples_leaf": 3,
        "l2_regularization": 1.0, "early_stopping": False, "random_state": integer_seed(4, "trees"),
    }  # fmt: skip


def test_an_embedding_is_standardised_on_the_training_classes() -> None:
    torch.manual_seed(0)
    X = np.random.default_rng(0).normal(3.0, 2.0, (40, 5)).astype(np.float32)
    y = np.arange(40) % 4
    bank: Any = SimpleNamespace(X=X, y=y, classes=lambda split: np.array([0, 1]))
    net = make_embedding(5, 3)
    assert [type(layer).__name__ for layer in net] == ["Linear", "ReLU", "Linear"]
    state = net.state_dict()
    assert [tuple(state[f"{i}.weight"].shape) for i in (0, 2)] == [(64, 5), (3, 64)]
    before = net(torch.from_numpy(X)).detach().numpy()
    after = standardised(net, bank)(torch.from_numpy(X)).detach().numpy()
    seen = np.isin(y, [0, 1])
    np.testing.assert_allclose(after[seen].mean(axis=0), 0, atol=1e-5)
    wanted = (before - before[seen].mean(axis=0)) / before[seen].std(ddof=1)
    np.testing.assert_allclose(after, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("whole", "slates", "passed"),
    [
        ([0.5, 0.7], [0.5, 0.6], True),
        ([0.5, 0.5, 0.5], [0.6, 0.6, 0.6], False),  # worse, without any spread
        ([0.5, 0.7], [0.6, 0.7], True),  # worse by one standard error
        ([0.5, 0.5, 0.51], [0.6, 0.61, 0.6], False),
        ([0.5], [0.6], False),
        ([0.6], [0.6], True),
    ],
)
def test_slates_are_compared_with_whole_pools(whole: Any, slates: Any, passed: bool) -> None:
    areas = {None: np.array(whole), 8: np.array(slates)}
    by: Any = SimpleNamespace(
        _areas=lambda policy, size=None: areas[size], slate_size=8, tasks=[None] * len(whole)
    )
    found = PoolValidation.slate_check(by, margin_policy())["slate_check"]
    gap = areas[None] - areas[8]
    error = gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else 0.0
    assert found == {
        "whole_pool": pytest.approx(np.mean(whole)), "slate": pytest.approx(np.mean(slates)),
        "difference": pytest.approx(gap.mean()), "standard_error": pytest.approx(error),
        "passed": passed,
    }  # fmt: skip
    assert PoolValidation.score(by, margin_policy()) == pytest.approx(np.mean(whole))


def test_areas_of_a_validation_are_half_of_each_accuracy(monkeypatch: Any) -> None:
    given: list[Any] = []

    def rollout(drawn: Any, rankers: Any, **options: Any) -> Any:
        given.append((drawn, rankers, options))
        return SimpleNamespace(mixed_areas=lambda share: np.array([[share, 0.25]]))

    monkeypatch.setattr(validation, "rollout", rollout)
    monkeypatch.setattr(validation, "policy_ranker", lambda policy: policy.name)
    monkeypatch.setattr(validation, "dev_tasks", lambda config, n: [None] * n)
    by = PoolValidation(PoolConfig(seed=6), 2, slate_size=8, slate_rule="half_uncertain")
    assert by._areas(margin_policy()).tolist() == [0.5, 0.25]
    assert by._areas(margin_policy(), 8).tolist() == [0.5, 0.25]
    features = (("margin@1",), ())
    assert given == [
        ([None, None], ["margin"], {"features": features, "slate_size": size, "slate_rule": rule,
                                    "seed": 6})
        for size, rule in ((None, "random"), (8, "half_uncertain"))
    ]  # fmt: skip


def task(n_pool: int, n_reward: int, start: Any = "two_classes") -> Any:
    @dataclass(frozen=True)
    class Small:
        pool: Any
        reward: Any
        start: Any

    return Small(range(n_pool), range(n_reward) if n_reward else None, start)


def test_tasks_that_teach_nothing_are_drawn_again() -> None:
    drawn = iter([task(9, 20), task(10, 19), task(10, 0), DataError("too few"), task(10, 20)])

    def sampler(rng: Any) -> Any:
        found = next(drawn)
        if isinstance(found, Exception):
            raise found
        return found

    found = PlayableTasks(sampler, 5)(np.random.default_rng(0))  # type: ignore[arg-type]
    assert (len(found.pool), len(found.reward or ())) == (10, 20)
    calls: list[int] = []

    def never(rng: Any) -> Any:
        calls.append(1)
        if len(calls) == 100:
            raise UsageError("the last trouble")
        return task(1, 1)

    said = r"100 draws gave no task for a budget of 5 \(the last trouble\); lower the budget, raise"
    with pytest.raises(UsageError, match=said):
        PlayableTasks(never, 5)(np.random.default_rng(0))  # type: ignore[arg-type]
    assert len(calls) == 100
    with pytest.raises(UsageError, match=r"\(every pool had fewer than 10 rows or too few rewards"):
        PlayableTasks(lambda rng: task(9, 30), 5)(np.random.default_rng(0))  # type: ignore[arg-type]


def test_warm_starts_are_a_share_with_labels_to_both_ends() -> None:
    warm = _WarmTasks(lambda rng: task(5, 5), 0.5, (3, 5))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    starts = [warm(rng).start for _ in range(400)]
    cold = sum(start == "two_classes" for start in starts)
    assert cold == pytest.approx(200, abs=40)
    assert {start for start in starts if start != "two_classes"} == {3, 4, 5}


def test_feature_lists_follow_the_config() -> None:
    assert feature_lists(PoolConfig()) == (DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES)
    named = PoolConfig(candidate_features=("rank@1",), context_features=("n_labelled@1",))
    assert feature_lists(named) == (("rank@1",), ("n_labelled@1",))
    alone = replace(named, control="uncertainty_only")
    assert feature_lists(alone) == (("margin@1",), ("n_labelled@1",))
    plain = PoolConfig(control="uncertainty_only")
    assert feature_lists(plain) == (("margin@1",), DEFAULT_CONTEXT_FEATURES)


def test_a_card_says_all_of_the_training() -> None:
    config = PoolConfig(
        datasets=("sklearn:iris",), hold_out=("wdbc", "sklearn:wine"), seed=4, budget=7,
        max_pool=90, learners=("knn", "ridge"), share_synthetic=0.25,
    )  # fmt: skip
    card = training_card(config)
    assert list(card["data"]) == ["iris"]
    assert set(card["data"]["iris"]) == {"family", "sha256"}
    assert len(card["families_held_out"]) == 2
    told = ("control", "seed", "budget", "max_pool", "learners", "share_synthetic")
    assert [card[k] for k in told] == ["none", 4, 7, 90, ["knn", "ridge"], 0.25]
    assert "tuned_from" not in card
    assert card["versions"]
    start = replace(margin_policy(), card={"data": {"old": {"family": "f", "sha256": "1"}}})
    tuned = training_card(config, start)
    assert tuned["tuned_from"] == "margin"
    assert list(tuned["data"]) == ["old", "iris"]
    other = training_card(replace(config, seed=5))
    assert other["config_hash"] != card["config_hash"]


def test_curves_of_dev_tasks_are_paired_by_their_seeds(monkeypatch: Any) -> None:
    seen: list[Any] = []

    def run_episode(strategy: Any, one: Any, *, seed: int, part: str) -> Any:
        seen.append((strategy, one, seed, part))
        return SimpleNamespace(area=lambda: len(seen) / 10)

    monkeypatch.setattr(tasks, "run_episode", run_episode)
    found = tasks.aubc("rule", ["a", "b"], seed=3)  # type: ignore[arg-type, list-item]
    assert found.tolist() == [0.2, 0.2]
    assert seen == [("rule", one, integer_seed(3, "dev_episode", i), "reward")
                    for i, one in enumerate("ab")]  # fmt: skip


def test_options_of_the_environments(monkeypatch: Any) -> None:
    monkeypatch.setattr("agents.training.pool_envs.training_tasks", lambda config: "tasks")
    monkeypatch.setattr("agents.training.pool_envs.cpu_count", lambda: 9)
    config = PoolEnvConfig(seed=2, n_envs=8, n_tasks=48, episodes_per_task=16, slate_size=9)
    found = _options(config, (("a",), ("b",)), 3)
    assert found == {
        "tasks": "tasks", "candidate_features": ("a",), "context_features": ("b",), "slate_size": 9,
        "slate_rule": "half_uncertain", "reward": "accuracy_gain", "n_tasks": 48, "refresh": 96,
        "task_seed": integer_seed(2, "tasks", 3), "threads": 4,
    }  # fmt: skip
    few = replace(config, n_tasks=1, episodes_per_task=1)
    assert _options(few, ((), ()), 3)["refresh"] == 1


@contextmanager
def wrapped(kind: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
    venv: Any = SimpleNamespace(
        num_envs=2, observation_space=SPACE, action_space=spaces.Discrete(3),
        get_attr=lambda name, indices=None: [None, None], reset=lambda: "begun",
        step_wait=lambda: ("seen", np.array([1.0, 2.0]), "done", "infos"),
    )  # fmt: skip
    yield kind(venv, *arguments, **options)


def test_rewards_are_scaled_or_those_of_other_times() -> None:
    with wrapped(ScaledRewards, 20.0) as envs:
        observations, rewards, done, infos = envs.step_wait()
        assert (observations, done, infos, envs.reset()) == ("seen", "done", "infos", "begun")
        assert rewards.tolist() == [20.0, 40.0]
        assert rewards.dtype == np.float32
    with wrapped(ShuffledRewards, seed=1) as envs:
        paid = np.concatenate([envs.step_wait()[1] for _ in range(200)])
        assert set(paid.tolist()) == {1.0, 2.0}
        assert np.mean(paid) == pytest.approx(1.5, abs=0.1)
        for i in range(REMEMBERED):
            envs.exchange(np.array([float(i)]))
        later = {float(envs.exchange(np.array([0.0]))[0]) for _ in range(20)}
        assert min(envs._earned[:REMEMBERED]) >= 0
        assert len(envs._earned) == REMEMBERED
        assert len(later) > 10
    with wrapped(ShuffledRewards, seed=1) as one, wrapped(ShuffledRewards, seed=2) as two:
        first, second = ([e.exchange(np.arange(9.0)).tolist() for _ in range(3)]
                         for e in (one, two))  # fmt: skip
        assert first != second
