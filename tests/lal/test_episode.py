"""What an episode shows a strategy that is not told the classes: probabilities of those seen."""

import numpy as np
import pytest

from lal.data.dataset import make_dataset
from lal.episode import Episode, _Seen
from lal.learners import make_learner
from lal.tasks.splits import make_task


class Fixed:
    """A model of three classes with given probabilities."""

    def __init__(self, proba):
        self.proba = np.asarray(proba, dtype=float)
        self.n_classes = self.proba.shape[1]

    def predict_proba(self, X):
        return self.proba

    def predict(self, X):
        return np.argmax(self.proba, axis=1)

    def committee_proba(self, X):
        return np.stack([self.proba, self.proba])

    def variance(self, X):
        return None


def test_probabilities_of_seen_classes_sum_to_one_and_keep_their_ratio():
    seen = _Seen(Fixed([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]]), np.array([0, 2]))
    found = seen.predict_proba(None)
    np.testing.assert_allclose(found[0], [0.4, 0.6])
    np.testing.assert_allclose(found[1], [0.5, 0.5])  # no mass on what was seen: uniform
    assert seen.predict(None).tolist() == [1, 0]
    members = seen.committee_proba(None)
    assert members is not None
    np.testing.assert_allclose(members, np.stack([found, found]))


@pytest.mark.parametrize("known", [True, False])
def test_a_state_has_as_many_columns_as_the_strategy_may_know(known):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [40, 40, 4])
    X = rng.normal(0, 1, (84, 2)) + 3.0 * y[:, None]
    task = make_task(
        make_dataset("d", X, y, source="test:d", family="d"), make_learner("gaussian_nb"),
        seed=0, budget=5, test_share=0.25, classes_known=known,
    )  # fmt: skip
    state = Episode(task, 0).state()
    seen = len(np.unique(state.labels))
    assert seen == 2
    assert state.n_classes == (3 if known else 2)
    assert state.proba is not None
    assert state.proba.shape[1] == state.n_classes
    np.testing.assert_allclose(state.proba.sum(axis=1), 1.0)


def test_a_fork_is_independent_and_continues_alike():
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    data = make_dataset("d", rng.normal(0, 1, (60, 2)) + y[:, None], y, source="test:d", family="d")
    task = make_task(data, make_learner("gaussian_nb"), seed=0, budget=5, test_share=0.25)
    episode = Episode(task, 0)
    copy, spent = episode.fork(), episode.spent
    row = int(episode.pool.open[0])
    assert copy.label(row) == episode.task.pool.y[row]
    assert (copy.spent, episode.spent) == (spent + 1, spent)
    assert episode.label(row) == copy.pool.labels[np.searchsorted(copy.pool.labelled, row)]
    assert episode.pool.order.tolist() == copy.pool.order.tolist()
    assert episode.streams["strategy"].random() == copy.streams["strategy"].random()


def test_in_a_balanced_start_classes_take_turns_and_rare_ones_run_out():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 60, 6])
    X = rng.normal(0, 1, (126, 2)) + 3.0 * y[:, None]
    data = make_dataset("d", X, y, source="test:d", family="d")

    def make(start, **more):
        return make_task(
            data, make_learner("gaussian_nb"), seed=0, budget=5, test_share=0.25, start=start,
            balanced_start=True, **more,
        )  # fmt: skip

    def labels(start, seed=0, **more):
        task = make(start, **more)
        order = Episode(task, seed).pool.order
        return task.pool.y[order], order

    for seed in range(5):
        assert sorted(labels(3, seed)[0]) == [0, 1, 2]
        assert (
            sorted(labels("two_classes", seed)[0])[0] != sorted(labels("two_classes", seed)[0])[1]
        )
    rare = int((make(3).pool.y == 2).sum())
    assert 0 < rare < 10
    counts = np.bincount(labels(30)[0])
    assert counts[2] == rare
    assert abs(counts[0] - counts[1]) <= 1
    assert not np.array_equal(labels(3, 0)[1], labels(3, 1)[1])
    known = labels(6, conditions=["unknown_classes?share=0.3"])[0]
    assert sorted(known) == [0, 0, 0, 1, 1, 1]
