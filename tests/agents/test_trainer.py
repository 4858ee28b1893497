"""The trainer by a learner that costs nothing: what is best, what is resumed, what is refused."""

import json
import os
import pickle
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest

from agents import AGENTS, Agent, RunConfig
from agents.training.checkpoints import load_arrays, load_torch, save_arrays
from agents.training.learner import Learner
from agents.training.run_folder import RunFolder
from agents.training.trainer import Trainer, best_row
from lal.errors import UsageError
from lal.policies.card import COUNTS
from lal.policies.kinds import load_policy
from lal.policies.pool_policy import PoolPolicy
from lal.provenance import code_state
from lal.rng import generator
from lal.serialization import LEFTOVER_AGE


@dataclass(frozen=True, kw_only=True)
class WalkConfig(RunConfig):
    n_segments: int = 4
    scores: tuple[float, ...] = ()


class Walk(Learner[WalkConfig]):
    """Its state is a sum of seeded draws; scores are the config's, segment by segment."""

    stop_after = 99

    def __init__(self, config):
        super().__init__(config)
        self.weight = 0.0
        self.segment = -1

    def data(self):
        return {"made-up": {"family": "made-up", "sha256": "0"}}

    def train_segment(self, segment):
        if segment > self.stop_after:
            raise KeyboardInterrupt
        self.segment = segment
        self.weight += float(generator(self.config.seed, "segment", segment).normal())
        return {"weight": self.weight}

    def save(self, folder):
        save_arrays(folder / "state.npz", {"weight": np.array(self.weight)})

    def load(self, folder):
        self.weight = float(load_arrays(folder / "state.npz")["weight"])

    def export(self):
        return policy(self.weight, self.config.control)

    def validate(self, policy):
        return self.config.scores[self.segment] if self.config.scores else None

    def check(self, policy):
        return {"controls": {"weight": float(policy.tensors["w"][0, 0])}}

    @classmethod
    def export_untrained(cls, config, n):
        return [policy(-1.0 - i, "untrained") for i in range(n)]


def policy(weight, control):
    op = {"op": "affine", "in": ["candidates"], "out": ["u"], "weight": "w"}
    return PoolPolicy(
        name="walk",
        candidate_features=("margin@1",),
        context_features=(),
        program={"ops": [op], "output": "u"},
        tensors={"w": np.array([[weight]], dtype=np.float32)},
        card={"control": control},
    )


CONFIG = WalkConfig()
AGENT = Agent(
    name="walk", summary="walks", config_type=WalkConfig, presets={"smoke": CONFIG}, learner=Walk
)


def weights(n, seed=0):
    """The learner's weight after each of `n` segments."""
    return np.cumsum([generator(seed, "segment", i).normal() for i in range(n)])


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("scores", "best"),
    [((0.1, 0.4, 0.3, 0.2), 1), ((0.5, 0.1, 0.2, 0.3), 0), ((0.1, 0.4, 0.4, 0.2), 2), ((), 3)],
    ids=["middle", "first", "the latest of equal ones", "unscored: the last"],
)
def test_the_best_segment_is_the_runs_policy(scores, best, tmp_path):
    """Fails when the worst is taken, when the last is, or when policy and figures disagree."""
    config = replace(CONFIG, scores=scores)
    made = load_policy(AGENT.train(config, tmp_path / "run"))
    assert made.tensors["w"][0, 0] == np.float32(weights(4)[best])
    finished = json.loads((tmp_path / "run" / "finished.json").read_text())
    assert finished["best"]["segment"] == best
    assert (finished["policy"], len(finished["config_hash"])) == ("policy.safetensors", 16)
    assert [row["segment"] for row in rows(tmp_path / "run")] == [0, 1, 2, 3]
    assert all(0 <= row["seconds"] < 60 for row in rows(tmp_path / "run"))
    if scores:
        assert made.card["dev_aubc"] == max(scores)
    else:
        assert "dev_aubc" not in made.card


@dataclass(frozen=True, kw_only=True)
class CountingConfig(WalkConfig):
    @property
    def training_size(self):
        return {"n_episodes": 40, "n_tasks": 8}


class Counting(Walk):
    """Counts its tasks itself; of its episodes only the whole run's number is known."""

    def train_segment(self, segment):
        return {**super().train_segment(segment), "n_tasks": 3 * (segment + 1)}


def test_the_card_says_what_code_trained_and_how_much_the_kept_checkpoint_had_seen(tmp_path):
    agent = replace(AGENT, name="counting", config_type=CountingConfig, learner=Counting)
    config = CountingConfig(scores=(0.1, 0.4, 0.3, 0.2))
    card = load_policy(agent.train(config, tmp_path / "run")).card
    assert (card["n_episodes"], card["n_tasks"]) == (20, 6)  # two segments of four
    assert card["code"] == code_state()
    assert "20 episodes" in str(card)
    assert f"sha256 of the code {card['code']['sha256'][:16]}" in str(card)
    control = replace(config, control="untrained")
    copy = load_policy(agent.train(control, tmp_path / "copy")).card
    assert copy["code"] == code_state()
    assert "n_episodes" not in copy  # it was trained on nothing


@pytest.mark.parametrize("name", AGENTS.names())
def test_every_agent_says_how_much_it_learned_from(name):
    """Agents that learn from states or rows write their own count; all others have a size."""
    by_state = {"gain_regression", "rmse_regression", "lal", "lal_rl", "lookahead", "imitation",
                "refine"}  # fmt: skip
    size = AGENTS[name].preset("smoke").training_size
    assert bool(size) == (name not in by_state)
    assert all(what in COUNTS and n >= 1 for what, n in size.items())


def test_evidence_of_the_final_policy_is_on_its_card(tmp_path):
    made = load_policy(AGENT.train(replace(CONFIG, scores=(0.3, 0.1, 0.2, 0.1)), tmp_path / "run"))
    assert made.card["controls"] == {"weight": pytest.approx(weights(4)[0])}
    data = json.loads((tmp_path / "run" / "data.json").read_text())
    assert data == {"made-up": {"family": "made-up", "sha256": "0"}}


@pytest.mark.parametrize("last", [0, 1, 2])
@pytest.mark.parametrize("scores", [(), (0.9, 0.1, 0.8, 0.1)], ids=["unscored", "scored"])
def test_a_resumed_run_equals_an_undisturbed_one(last, scores, tmp_path, monkeypatch):
    config = replace(CONFIG, scores=scores)
    whole = AGENT.train(config, tmp_path / "whole").read_bytes()
    monkeypatch.setattr(Walk, "stop_after", last)
    with pytest.raises(KeyboardInterrupt):
        AGENT.train(config, tmp_path / "cut")
    assert len(rows(tmp_path / "cut")) == last + 1
    monkeypatch.undo()
    assert AGENT.train(config, tmp_path / "cut").read_bytes() == whole
    assert not (tmp_path / "cut" / "checkpoints").exists()


def test_seeds_name_the_run(tmp_path):
    """Fails when the seed of a run is not the one of its config."""
    made = load_policy(AGENT.train(replace(CONFIG, seed=5), tmp_path / "run"))
    assert made.tensors["w"][0, 0] == np.float32(weights(4, seed=5)[-1])


def test_two_trainings_in_one_folder_are_refused(tmp_path):
    run = RunFolder(tmp_path / "run", agent="walk", config=CONFIG)
    with run.locked(), pytest.raises(UsageError, match="another process is training in"):
        AGENT.train(CONFIG, tmp_path / "run")
    assert AGENT.train(CONFIG, tmp_path / "run").exists()


def test_whoever_waits_for_the_lock_finds_the_run_finished(tmp_path, monkeypatch):
    """A process that looked before the other one was done does not train once more."""
    path = AGENT.train(CONFIG, tmp_path / "run")
    looked = iter([False, True])
    monkeypatch.setattr(RunFolder, "finished", property(lambda self: next(looked)))
    monkeypatch.setattr(Walk, "stop_after", -1)
    assert Trainer("walk", Walk, CONFIG, tmp_path / "run").train() == path


def test_an_untrained_control_is_a_run_of_its_own(tmp_path):
    made = load_policy(AGENT.train(replace(CONFIG, control="untrained"), tmp_path / "run"))
    assert made.tensors["w"][0, 0] == -1.0
    assert made.card["control"] == "untrained"


@pytest.mark.parametrize("scores", [[0.2, 0.9, 0.5], [-0.4, -0.1, -0.2]])
def test_the_best_row_has_the_largest_score(scores):
    found = best_row([{"segment": i, "dev_aubc": score} for i, score in enumerate(scores)])
    assert found["segment"] == 1


class Runs:
    """Unpickling it runs code."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('a checkpoint ran code')",))


def test_a_pickle_in_place_of_weights_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    for name, write in {
        "pickle": lambda path: path.write_bytes(pickle.dumps(Runs(), protocol=2)),
        "torch": lambda path: torch.save({"weights": Runs()}, path),
    }.items():
        path = tmp_path / f"{name}.pt"
        write(path)
        with pytest.raises(UsageError, match=r"cannot be read: .*; expected plain arrays"):
            load_torch(path)


def test_pickled_arrays_are_refused(tmp_path):
    path = tmp_path / "state.npz"
    with path.open("wb") as handle:
        np.savez(handle, weight=np.array([Runs()], dtype=object))
    with pytest.raises(UsageError, match="cannot be read: Object arrays cannot be loaded"):
        load_arrays(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn"])
def test_a_torn_checkpoint_is_one_sentence(content, tmp_path):
    pytest.importorskip("torch")
    for name, load in (("a.npz", load_arrays), ("a.pt", load_torch)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match="remove the folder 'checkpoints'"):
            load(tmp_path / name)


def make_run(tmp_path):
    return RunFolder(tmp_path, agent="walk", config=CONFIG)


def test_checkpoints_of_two_processes_do_not_share_a_part(tmp_path):
    """Two containers that share a folder may not see each other's lock."""
    run, seen = make_run(tmp_path), []

    def write(part):
        seen.append(part)
        (part / "outer").write_text("outer")
        if len(seen) == 1:
            run.save_checkpoint(4, {"metrics": [], "of": "the other"}, write)
            assert (part / "outer").read_text() == "outer"

    run.save_checkpoint(4, {"metrics": []}, write)
    assert len({path.name for path in seen}) == 2
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["0004"]
    assert run.last_checkpoint()[1]["of"] == "the other"  # the first: both are equal in a run


def test_half_a_checkpoint_is_removed_once_it_is_old(tmp_path):
    run = make_run(tmp_path)
    old, young = (tmp_path / "checkpoints" / f".0001.{age}.part" for age in ("old", "young"))
    for part in (old, young):
        part.mkdir(parents=True)
        (part / "replay.npz").write_bytes(b"half")
    os.utime(old, (0, time.time() - 2 * LEFTOVER_AGE))
    run.save_checkpoint(2, {}, lambda part: None)
    assert not old.exists()
    assert young.exists()


def test_a_checkpoint_that_cannot_be_written_leaves_nothing(tmp_path):
    run = make_run(tmp_path)
    run.save_checkpoint(1, {"metrics": []}, lambda part: None)

    def full(part):
        (part / "replay.npz").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        run.save_checkpoint(2, {}, full)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["0001"]


def test_a_checkpoint_that_is_gone_in_the_middle_is_one_sentence(tmp_path, monkeypatch):
    import shutil

    real = RunFolder.save_checkpoint

    def lose(self, *given):
        real(self, *given)
        shutil.rmtree(self.folder / "checkpoints")

    monkeypatch.setattr(RunFolder, "save_checkpoint", lose)
    with pytest.raises(UsageError, match="run' lost its checkpoint while training; start the run"):
        AGENT.train(CONFIG, tmp_path / "run")


def test_watchers_see_every_segment_before_its_checkpoint(tmp_path):
    seen = []

    def watch(row, policy):
        done = sorted(p.name for p in (tmp_path / "run" / "checkpoints").glob("[0-9]*"))
        seen.append((row["segment"], float(policy.tensors["w"][0, 0]), done))

    AGENT.train(CONFIG, tmp_path / "run", watchers=(watch,))
    assert [segment for segment, *_ in seen] == [0, 1, 2, 3]
    assert [weight for _, weight, _ in seen] == pytest.approx(list(weights(4)))
    assert [done for *_, done in seen] == [[], ["0000"], ["0001"], ["0002"]]


def test_a_watcher_can_end_a_run_which_goes_on_there(tmp_path):
    def stop(row, policy):
        if row["segment"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        AGENT.train(CONFIG, tmp_path / "run", watchers=(stop,))
    assert not (tmp_path / "run" / "finished.json").exists()
    seen = []
    AGENT.train(CONFIG, tmp_path / "run", watchers=(lambda row, policy: seen.append(row),))
    assert [row["segment"] for row in seen] == [2, 3]
