import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from lal.data.datasets import load_dataset
from lal.errors import UsageError
from lal.tasks.sampler import TaskSampler, default_tasks

SMALL = ("sklearn:iris", "sklearn:wine", "sklearn:breast_cancer")


def draw(sampler: TaskSampler, n: int = 20):
    return [sampler(np.random.default_rng(seed)) for seed in range(n)]


def test_tasks_are_blind_and_playable():
    for task in draw(TaskSampler(SMALL, budget=15, max_pool=60)):
        assert task.test is None
        assert len(task.reward_part()) > 0
        assert len(task.pool) <= 60
        assert 1 <= task.budget <= 15
        assert task.budget <= len(task.pool) // 2


def test_equal_generators_give_equal_tasks():
    sampler = TaskSampler(SMALL)
    for seed in range(6):
        first, second = (sampler(np.random.default_rng(seed)) for _ in range(2))
        assert first.info == second.info
        assert first.name == second.name
        np.testing.assert_array_equal(first.pool.X, second.pool.X)
        np.testing.assert_array_equal(first.pool.y, second.pool.y)
        assert (first.classes_known, first.budget_known) == (
            second.classes_known,
            second.budget_known,
        )


def test_families_held_out_are_never_drawn():
    everything = {t.family for t in draw(TaskSampler(SMALL), 60)}
    held = sorted(everything)[::2]
    rest = {t.family for t in draw(TaskSampler(SMALL, hold_out=held), 60)}
    assert len(held) >= 3
    assert rest
    assert not rest & set(held)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_synthetic(share):
    tasks = draw(TaskSampler(SMALL, share_synthetic=share))
    assert {t.name.startswith("prior_") for t in tasks} == {bool(share)}


@pytest.mark.parametrize("told", ["classes_known", "budget_known"])
@pytest.mark.parametrize(
    ("chance", "expected"), [(0.0, {False}), (0.5, {False, True}), (1.0, {True})]
)
def test_told_with_probability(told, chance, expected):
    tasks = draw(TaskSampler(SMALL[:1], share_synthetic=0.0, **{told: chance}))
    assert {getattr(t, told) for t in tasks} == expected


def test_every_learner_is_drawn():
    sampler = TaskSampler(SMALL[:1], learners=("logistic_regression", "gaussian_nb"))
    assert {t.learner.name for t in draw(sampler)} == {"logistic_regression", "gaussian_nb"}


def test_sampler_pickles():
    sampler = pickle.loads(pickle.dumps(default_tasks()))
    assert sampler(np.random.default_rng(1)).name == default_tasks()(np.random.default_rng(1)).name


def test_sampler_takes_loaded_data_sets_and_knows_its_families():
    iris = load_dataset("sklearn:iris")
    sampler = TaskSampler([iris, "sklearn:wine"], share_synthetic=0.0, hold_out=[iris.family])
    assert sampler.families() == (load_dataset("sklearn:wine").family,)
    assert {t.family for t in draw(sampler, 5)} == set(sampler.families())


def test_nothing_left_to_draw_is_refused():
    families = [load_dataset(name).family for name in SMALL]
    sampler = TaskSampler(SMALL, hold_out=families, share_synthetic=0.0)
    with pytest.raises(UsageError, match="leaves no data set to train on"):
        sampler(np.random.default_rng(0))

    @dataclass
    class OneFamily:
        def __call__(self, rng):
            return load_dataset("sklearn:iris")

    sampler = TaskSampler(hold_out=families, share_synthetic=1.0, synthetic=OneFamily())
    with pytest.raises(UsageError, match="all fell into the families held out"):
        sampler(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share_synthetic": 1.5}, r"share_synthetic must lie between 0 and 1, got 1\.5"),
        ({"classes_known": -1.0}, "classes_known must lie between 0 and 1"),
        ({"learners": ()}, "at least one learner"),
        ({"hold_out": "iris"}, "hold_out is a list of families, got the text 'iris'"),
    ],
)
def test_bad_samplers_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        TaskSampler(**options)
