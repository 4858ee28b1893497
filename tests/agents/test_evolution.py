"""Fine-tuning by evolution: spaces, searchers, scores by hand, resumed equals undisturbed."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("cma")

from agents import AGENTS
from agents.evolution.config import PRESETS
from agents.evolution.learner import EvolutionLearner, prepare
from agents.evolution.score import FLOOR, get_scores, get_tail
from agents.evolution.search import make_searcher
from agents.evolution.space import Space
from agents.training.intervals import mean_interval
from envs.simulator.rankers import margin, policy_ranker
from lal.errors import UsageError
from lal.policies.kinds import load_policy
from lal.rng import generator

SMOKE = PRESETS["smoke"]
METHODS = ("cma", "openai_es")


def test_scores_divide_by_the_spread_of_the_task_and_add_the_tail_by_hand():
    areas = np.array([[0.6, 0.5], [0.5, 0.5]])
    margin = np.array([0.5, 0.5])
    wanted = 0.1 / (np.sqrt(0.1**2 / 2) + FLOOR)
    assert get_scores(areas, margin, 0.0) == pytest.approx([wanted / 2, 0.0])
    # the worst fifth of two tasks is the worse one, 0 here
    assert get_scores(areas, margin, 1.0) == pytest.approx([wanted / 4, 0.0])
    assert get_tail(np.arange(10.0)[None]) == pytest.approx([0.5])


def test_no_task_dominates():
    gaps = np.zeros((4, 10))
    gaps[0, 0], gaps[1, 1:] = 0.5, 0.01  # one large win, nine small ones
    scores = get_scores(0.5 + gaps, np.full(10, 0.5), 0.0)
    assert scores[1] > scores[0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("diagonal", [False, True])
def test_searchers_climb_a_quadratic_and_leave_the_global_generator_alone(method, diagonal):
    config = replace(SMOKE, method=method, diagonal=diagonal, population=16, spread=0.3, step=2.0)
    goal = np.array([1.0, -0.5, 0.25])
    before = repr(np.random.get_state())  # noqa: NPY002
    searcher = make_searcher(3, config)
    start = np.linalg.norm(searcher.centre - goal)
    for _ in range(80):
        points = searcher.ask()
        assert points.shape == (16, 3)
        searcher.tell(-((points - goal) ** 2).sum(axis=1))
    assert np.linalg.norm(searcher.centre - goal) < 0.2 * start
    assert repr(np.random.get_state()) == before  # noqa: NPY002


@pytest.mark.parametrize("kind", ["features", "outputs", "subspace"])
def test_zeros_are_the_start_and_other_points_move_only_their_space(kind):
    policy = load_policy("default")
    space = Space(policy, kind, dimensions=5, rng=generator(0, "x"))
    same = space.apply(np.zeros(space.size))
    assert all(np.array_equal(same[name], policy.tensors[name]) for name in same)
    moved = space.apply(np.full(space.size, 0.1))
    changed = {name for name in moved if not np.array_equal(moved[name], same[name])}
    if kind == "features":
        assert changed == {"scale", "mp_margin"}
        assert moved["scale"] == pytest.approx(same["scale"] / np.exp(0.1))
    else:
        assert changed
        assert not changed & {"mean", "scale"}
        for name in changed:  # blocks of zeros keep the members apart
            assert np.array_equal(moved[name] == 0, same[name] == 0)
    if kind == "subspace":
        assert space.size == 5


def test_a_point_ranks_as_its_policy_does_and_is_paired_with_it():
    tuning = prepare(SMOKE)
    tasks = tuning.tasks("generation", 0, 3)
    point = 0.1 * generator(0, "point").standard_normal(tuning.space.size)
    policy = tuning.policy(point, "x", {"summary": "x"})
    rankers = [margin, tuning.ranker(point), policy_ranker(policy, np.float32), margin]
    areas = tuning.areas(tasks, rankers, 5)
    assert areas.shape == (4, 3)
    assert np.array_equal(areas[0], areas[3])
    assert np.array_equal(areas[1], areas[2])
    assert not np.array_equal(areas[0], areas[1])
    assert ((areas > 0) & (areas <= 1)).all()


def test_intervals_hold_the_mean():
    mean, low, high = mean_interval(np.array([0.0, 1.0, 2.0, 3.0]))
    assert mean == 1.5
    assert 0.0 <= low < mean < high <= 3.0


@pytest.mark.parametrize("method", METHODS)
def test_resumed_equals_undisturbed_and_controls_differ(method, tmp_path):
    agent = AGENTS["evolution"]
    config = replace(SMOKE, method=method)
    first = agent.train(config, tmp_path / "a")
    content = first.read_bytes()
    check = json.loads((tmp_path / "a" / "finished.json").read_text())["synthetic_check"]
    assert check["n_tasks"] == SMOKE.check_tasks
    assert check["over_start"][1] <= check["over_start"][0] <= check["over_start"][2]
    train_segment = EvolutionLearner.train_segment

    def stop(learner, segment):
        if segment > 0:
            raise KeyboardInterrupt
        return train_segment(learner, segment)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EvolutionLearner, "train_segment", stop)
        with pytest.raises(KeyboardInterrupt):
            agent.train(config, tmp_path / "cut")
    assert agent.train(config, tmp_path / "cut").read_bytes() == content
    policy, start = load_policy(first), load_policy("default")
    assert policy.card["tuned_from"] == start.name
    assert not np.array_equal(policy.tensors["scale"], start.tensors["scale"])
    other = agent.train(replace(config, control="shuffled_reward"), tmp_path / "b")
    assert not np.array_equal(load_policy(other).tensors["scale"], policy.tensors["scale"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"population": 5}, "population must be even"),
        ({"population": 2}, "population must be at least 4"),
        ({"spread": 0.0}, "spread must be above 0"),
        ({"tail_weight": -1.0}, "tail_weight must be at least 0"),
        ({"candidate_features": ("margin@1",)}, "the features are those of the start"),
        ({"start": "margin"}, "standardises no inputs"),
    ],
)
def test_bad_configs_are_refused(change, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        AGENTS["evolution"].train(replace(SMOKE, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()
