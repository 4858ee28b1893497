"""Synthetic tasks by their config: warm starts, rare classes, overlap, and what is off."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agents.training import prior_tasks as module
from agents.training.prior_tasks import PriorPoolConfig, prior_tasks
from lal.data.prior import PriorConfig, sample_dataset
from lal.errors import UsageError
from lal.rng import generator

PLAIN = PriorPoolConfig(
    learners=("gaussian_nb",), rows=(300, 400), columns=(2, 6), budget=10, max_pool=150
)


def drawn(config, n=12):
    draw = prior_tasks(config, 10)
    return [draw(generator(0, "task", i)) for i in range(n)]


def test_what_is_off_changes_no_task():
    off = replace(PLAIN, rare=0.0, blurred=0.0, warm=0.0, warm_labels=(3, 4))
    for one, two in zip(drawn(PLAIN), drawn(off), strict=True):
        assert np.array_equal(one.pool.X, two.pool.X)
        assert one.start == two.start == "two_classes"


def test_a_share_of_the_tasks_begins_warm_and_is_the_same_otherwise():
    warm = drawn(replace(PLAIN, warm=0.5, warm_labels=(5, 9)), 24)
    starts = [task.start for task in warm]
    assert {type(start) for start in starts} == {str, int}
    assert all(5 <= start <= 9 for start in starts if start != "two_classes")
    assert 6 <= sum(start == "two_classes" for start in starts) <= 18
    for one, two in zip(drawn(PLAIN), warm, strict=False):
        assert np.array_equal(one.pool.X, two.pool.X)


def test_rare_classes_and_overlap_reach_the_tasks():
    tasks = drawn(replace(PLAIN, rare=1.0))
    assert all(task.n_classes <= 5 for task in tasks)
    rarest = [np.bincount(task.pool.y).min() / len(task.pool) for task in tasks]
    assert max(rarest) < 0.25
    assert np.median(rarest) < 0.12
    plain, blurred = drawn(PLAIN), drawn(replace(PLAIN, blurred=1.0))
    assert not all(np.array_equal(a.pool.X, b.pool.X) for a, b in zip(plain, blurred, strict=True))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"rare": 1.5}, "rare must lie between 0 and 1, got 1.5"),
        ({"blurred": -0.1}, "blurred must lie between 0 and 1, got -0.1"),
        ({"warm": 2.0}, "warm must lie between 0 and 1, got 2.0"),
        ({"warm_labels": (0, 4)}, "warm_labels must be a range from 1 up"),
        ({"warm_labels": (9, 4)}, "warm_labels must be a range from 1 up"),
    ],
)
def test_ranges_are_checked(change, match):
    with pytest.raises(UsageError, match=match):
        replace(PLAIN, **change)


@dataclass(frozen=True)
class Sampler:
    """In place of the sampler of the training tasks of a config."""

    of: Any
    synthetic: Any = None
    reward_share: float = 0.0


def test_the_prior_and_half_of_the_rows_for_rewards_are_those_of_the_config(monkeypatch):
    monkeypatch.setattr(
        module, "training_tasks", lambda config: SimpleNamespace(sampler=Sampler(config))
    )
    fields: Any = {"rows": (300, 400), "columns": (2, 6), "clean": 0.5, "informative": (0.3, 0.9),
                   "rare": 0.25, "blurred": 0.125}  # fmt: skip
    config = PriorPoolConfig(**fields)
    found: Any = prior_tasks(config, 7)
    assert found.budget == 7
    assert (found.sampler.of, found.sampler.reward_share) == (config, 0.5)
    synthetic = found.sampler.synthetic
    assert (synthetic.func, synthetic.args) == (sample_dataset, ())
    assert synthetic.keywords == {"config": PriorConfig(**fields)}
    warm: Any = prior_tasks(replace(config, warm=0.5, warm_labels=(3, 5)), 7)
    assert (warm.share, warm.labels, warm.tasks.budget) == (0.5, (3, 5), 7)
