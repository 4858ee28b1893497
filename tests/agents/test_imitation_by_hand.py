"""The learner of look-ahead's imitation by hand: rounds, segments, held-out blocks, copies, cards.

States and fits are stand-ins; what is made of them is known.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("torch")

from agents.imitation import learner as imitation
from agents.imitation.config import IMITATION_PRESETS, SMOKE
from agents.imitation.learner import HIDING, ImitationLearner, LookaheadLearner
from agents.training.tasks import feature_lists, training_card
from lal.data.prior import PRIOR_VERSION
from lal.errors import UsageError
from lal.rng import generator

CONFIG = replace(IMITATION_PRESETS["smoke"], n_blocks=5, held_out_blocks=2, seed=3)


def paths(n: int) -> list[Path]:
    return [Path(f"{i:04d}.npz") for i in range(n)]


class Stand:
    """In place of a part of the learner: returns what it is given, and notes it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.calls: list[Any] = []

    def replace(self, name: str, answer: Any, where: Any = imitation) -> None:
        def call(*given: Any, **options: Any) -> Any:
            self.calls.append((name, *given, options) if options else (name, *given))
            return answer

        self.monkeypatch.setattr(where, name, call)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    return Stand(monkeypatch)


@pytest.mark.parametrize("held", [0, 2])
@pytest.mark.parametrize("tasks", [0, 4])
def test_a_fit_is_measured_on_the_last_blocks(stand: Stand, held: int, tasks: int) -> None:
    config = replace(CONFIG, held_out_blocks=held, check_tasks=tasks)
    learner: Any = ImitationLearner(config)
    learner._paths = paths(8)  # one more than the run needs
    stand.replace("load_states", SimpleNamespace(mask=np.ones((6, 2))))
    stand.replace("fit", "fitted")
    stand.replace("export", "policy", learner)
    stand.replace("pick_advantage", 0.25)
    stand.replace("_held_out_picks", "picks")
    stand.replace("play_check", "check")
    row = learner.train_segment(0)
    (_, first), (_, states, given), *rest = stand.calls
    assert (first, given) == (paths(8)[:5], config)
    assert learner._fitted == "fitted"
    expected: Any = {"n_states": 6, "pick_advantage": 0.25}
    wanted: list[Any] = [("export",), ("pick_advantage", states, "policy")]
    if held:
        expected["picks"] = "picks"
        wanted.append(("_held_out_picks", "policy", paths(8)[6:], config))
    if tasks:
        expected["check"] = "check"
        wanted.append(("play_check", "policy", config))
    assert row == expected
    assert rest == wanted


def test_rounds_run_blocks_in_turn_each_with_the_policy_of_the_last(
    stand: Stand, tmp_path: Path
) -> None:
    """Five blocks in two rounds are two and three; what is held out comes with the last."""
    learner: Any = ImitationLearner(replace(CONFIG, rounds=2, n_jobs=3))
    played: list[Any] = []

    def make(play: Any, files: Any, **options: Any) -> None:
        played.append((play, files, options))

    stand.monkeypatch.setattr(imitation, "make_blocks", make)
    stand.replace("_fit_round", None, learner)
    found = learner._play_rounds(tmp_path)
    files = [tmp_path / "blocks" / f"{i:04d}.npz" for i in range(7)]
    first = tmp_path / "rounds" / "00.safetensors"
    assert found == files
    assert stand.calls == [("_fit_round", files[:2], 0, first)]
    configs = [learner.config, replace(learner.config, own_policy=str(first))]
    for (play, given, options), config, numbers in zip(
        played, configs, [range(2), range(2, 7)], strict=True
    ):
        assert given == files
        assert (play.func, play.args) == (imitation.play_block, (config,))
        assert options == {"numbers": numbers, "n_jobs": 3, "progress": learner.progress}
    first.parent.mkdir()
    first.touch()
    learner._play_rounds(tmp_path)  # fitted before it was killed
    assert len(stand.calls) == 1
    learner.prepare(tmp_path)
    assert learner._paths == files
    learner._sources = paths(7)
    learner.prepare(tmp_path)
    assert learner._paths == paths(7)


def test_the_policy_of_a_round_is_kept_with_its_number(stand: Stand, tmp_path: Path) -> None:
    learner: Any = ImitationLearner(CONFIG)
    saved: list[Any] = []
    stand.replace("load_states", "states")
    stand.replace("fit", "fitted")
    stand.replace("export_policy", SimpleNamespace(save=saved.append))
    stand.replace("training_card", {"seed": 3})
    learner._fit_round(paths(2), 1, tmp_path / "rounds" / "01.safetensors")
    assert saved == [tmp_path / "rounds" / "01.safetensors"]
    assert saved[0].parent.is_dir()
    states, fitted, _, (_, *given, options) = stand.calls
    assert (states, fitted) == (
        ("load_states", paths(2)), ("fit", "states", CONFIG),
    )  # fmt: skip
    assert given == ["fitted", CONFIG]
    assert options["name"] == "imitation_round_1"
    assert (options["card"]["round"], options["card"]["n_states"]) == (1, 0)


@pytest.mark.parametrize("control", ["none", "shuffled_reward"])
def test_an_exported_policy_is_named_after_agent_and_control(stand: Stand, control: Any) -> None:
    config = replace(CONFIG, control=control)
    stand.replace("export_policy", "policy")
    names = []
    for kind in (ImitationLearner, LookaheadLearner):
        learner: Any = kind(config)
        learner._fitted, learner._n_states = "fitted", 6
        assert learner.export() == "policy"
        (_, *given, options) = stand.calls[-1]
        assert given == ["fitted", config]
        assert options["card"] == {
            **training_card(config), "n_states": 6, "prior_version": PRIOR_VERSION,
            "summary": "Look-ahead imitated: ranks rows by what their labels should gain.",
            "ranges": {"n_classes": [2, 30], "n_labelled": [0, 200]},
        }  # fmt: skip
        names.append(options["name"])
    end = "" if control == "none" else "_shuffled_reward"
    assert names == [f"imitation{end}", f"lookahead{end}"]


@pytest.mark.parametrize(("distil", "size"), [(False, 3), (True, 1)])
def test_untrained_copies_are_members_of_other_numbers(
    stand: Stand, distil: bool, size: int
) -> None:
    config = replace(CONFIG, n_members=3, distil=distil, fallback=True)
    plain = replace(config, fallback=False)
    standard = SimpleNamespace(mean=np.zeros(7))
    stand.replace("make_states", "states")
    stand.replace("get_standard", standard)
    stand.replace("batchable", "data")
    stand.replace("training_card", {"seed": 3, "control": "none"})
    stand.monkeypatch.setattr(imitation, "scorer_network", lambda *given: given)
    stand.replace("_finish", "found")
    stand.replace("export_policy", "policy")
    found: Any = LookaheadLearner.export_untrained(config, 2)
    assert found == ["policy"] * 2
    assert stand.calls[:4] == [
        ("make_states", config, 0, {"measure": False}), ("get_standard", "states"),
        ("batchable", "states", standard, plain), ("training_card", config),
    ]  # fmt: skip
    for i in range(2):
        (_, *parts), (_, *given, options) = stand.calls[4 + 2 * i : 6 + 2 * i]
        members = [(7, plain, 10_000 + i * size + m) for m in range(size)]
        assert parts == [members, "data", "states", standard, plain]
        assert given == ["found", plain]
        assert options == {"name": f"lookahead_untrained_{i}",
                           "card": {"seed": 3, "control": "untrained"}}  # fmt: skip


@pytest.mark.parametrize("distil", [False, True])
def test_members_are_fitted_one_by_one_and_distilled_at_will(stand: Stand, distil: bool) -> None:
    config = replace(CONFIG, n_members=2, distil=distil)
    stand.replace("get_standard", "standard")
    stand.replace("hidden", "blind")
    stand.replace("batchable", "data")
    stand.monkeypatch.setattr(imitation, "fit_network", lambda *given: given)
    stand.replace("distil", "one network")
    stand.replace("_finish", "found")
    states: Any = "states"
    found: Any = imitation.fit(states, config)
    assert found == "found"
    members = [("data", config, i) for i in range(2)]
    networks = ["one network"] if distil else members
    assert stand.calls == [
        ("get_standard", "states"), ("hidden", "standard", config),
        ("batchable", "states", "blind", config),
        *([("distil", members, "data", config)] if distil else []),
        ("_finish", networks, "data", "states", "blind", config),
    ]  # fmt: skip


@dataclass(frozen=True)
class Scales:
    """The spread of each input."""

    scale: Any


def test_hidden_inputs_have_a_spread_that_makes_them_nothing() -> None:
    candidate, context = feature_lists(CONFIG)
    standard: Any = Scales(np.arange(1.0, 1.0 + len(context) + len(candidate)))
    found = imitation.hidden(standard, replace(CONFIG, without=(context[1], candidate[0])))
    wanted = standard.scale.copy()
    wanted[[1, len(context)]] = HIDING
    assert found.scale.tolist() == wanted.tolist()


def test_an_advantage_is_the_mean_gain_of_the_picks(stand: Stand) -> None:
    stand.replace("score_states", "scores")
    stand.replace("pick_gains", np.array([0.5, 0.25, 0.75]))
    states: Any = "states"
    policy: Any = "policy"
    assert imitation.pick_advantage(states, policy) == 0.5
    assert stand.calls == [("score_states", policy, states), ("pick_gains", states, "scores", 0.0)]


@pytest.mark.parametrize("steps", [1, 2])
def test_a_block_has_the_gains_of_its_teacher(stand: Stand, steps: int) -> None:
    config = replace(CONFIG, teacher_steps=steps)
    stand.replace("make_states", "states")
    stand.monkeypatch.setattr(
        imitation, "multi_step_gains", lambda config, n, rng: (config, n, rng.integers(10**9))
    )
    found: Any = imitation.play_block(config, 4)
    assert found == "states"
    number = generator(3, "teacher", 4).integers(10**9)
    gains = (config, 2, number) if steps == 2 else None
    assert stand.calls == [("make_states", config, 4, {"gains_of": gains})]


def test_picks_on_held_out_blocks_are_compared_with_those_of_margin(stand: Stand) -> None:
    """Blocks of two and of three states; margin prefers what has the smallest."""
    column = feature_lists(CONFIG)[0].index("margin@1")
    sizes = {"0005.npz": 2, "0006.npz": 3}
    candidates = np.random.default_rng(0).normal(size=(5, 4, 9)).astype(np.float32)

    def load(files: Any) -> Any:
        n = sum(sizes[path.name] for path in files)
        return SimpleNamespace(mask=np.ones((n, 4)), candidates=candidates[:n])

    stand.monkeypatch.setattr(imitation, "load_states", load)
    stand.replace("score_states", "scores")
    stand.replace("pick_table", "table")
    policy: Any = "policy"
    found: Any = imitation._held_out_picks(policy, paths(7)[5:], CONFIG)
    assert found == "table"
    (_, *given), (_, held_out, versions, config) = stand.calls
    assert (given[0], given[1].mask.shape, config) == ("policy", (5, 4), CONFIG)
    assert held_out.states is given[1]
    assert held_out.block.tolist() == [0, 0, 1, 1, 1]
    assert list(versions) == ["policy", "margin"]
    assert versions["policy"] == "scores"
    assert versions["margin"].dtype == np.float64
    assert np.array_equal(versions["margin"], -candidates[:, :, column].astype(float))


def test_blocks_of_another_run_are_read_in_order(tmp_path: Path) -> None:
    config = replace(CONFIG, states_from=str(tmp_path), n_blocks=2, held_out_blocks=1)
    (tmp_path / "blocks").mkdir()
    for name in ("0002.npz", "0000.npz", "other.txt"):
        (tmp_path / "blocks" / name).touch()
    with pytest.raises(UsageError, match=r"has 2 blocks; expected at least 3 \(n_blocks and held"):
        imitation.get_blocks(config)
    (tmp_path / "blocks" / "0001.npz").touch()
    found = imitation.get_blocks(config)
    assert [path.name for path in found] == ["0000.npz", "0001.npz", "0002.npz"]
    assert imitation.get_blocks(replace(config, states_from="")) == []
    assert ImitationLearner(config)._sources == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"without": ("luck@1", "fate@1")}, "without names fate@1, luck@1, which this run does no"),
        ({"candidate_features": ("entropy@1",)}, "must have margin@1, min_distance@1"),
        ({"candidate_features": ("margin@1", "min_distance@1"), "margin_prior": 0.5},
         "the features must have margin_z@1"),
        ({"candidate_features": ("margin@1", "min_distance@1"), "fallback": True},
         "the features must have margin_z@1"),
    ],
)  # fmt: skip
def test_features_that_the_run_cannot_do_without(changes: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ImitationLearner(replace(CONFIG, **{"margin_prior": 0.0, **changes}))
    narrow = replace(CONFIG, margin_prior=0.0, candidate_features=("margin@1", "min_distance@1"))
    assert ImitationLearner(narrow).n_segments == 1


def test_whole_pools_are_compared_with_slates_where_asked_for(stand: Stand) -> None:
    made: list[Any] = []

    def validation(*given: Any, **options: Any) -> Any:
        made.append((given, options))
        return SimpleNamespace(slate_check=lambda policy: ("checked", policy))

    stand.monkeypatch.setattr(imitation, "PoolValidation", validation)
    stand.replace("training_card", {"data": "the data"})
    config = replace(SMOKE, n_dev_tasks=2)
    learner: Any = ImitationLearner(config)
    assert made == []
    assert learner.data() == "the data"
    options = {"slate_size": config.n_candidates, "slate_rule": "half_uncertain"}
    assert made == [((config, 2), options)]
    assert learner.check("policy") == ("checked", "policy")
    none: Any = ImitationLearner(replace(config, n_dev_tasks=0))
    assert none.check("policy") == {}
