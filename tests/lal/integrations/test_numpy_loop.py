"""The plain loop with a teacher who cannot tell some rows."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from lal.errors import DataError
from lal.integrations.numpy_loop import label_loop

START = [0, 50, 51, 101]


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def run(iris, policy, marks, *, n_queries=10, batch_size=1):
    """Return rows, y and the rows that were asked, in order."""
    X, t = iris
    asked = []

    def answers(rows):
        asked.extend(rows.tolist())
        return [marks if 55 <= row < 100 else int(t[row]) for row in rows]

    rows, y = label_loop(
        policy, X, answers, LogisticRegression(max_iter=500), start=START, n_queries=n_queries,
        batch_size=batch_size,
    )  # fmt: skip
    return rows.tolist(), y, asked


@pytest.mark.parametrize("mark", [None, float("nan"), np.float64("nan")])
@pytest.mark.parametrize("policy", ["default", "margin", "random"])
def test_rows_that_nobody_can_tell_are_asked_once_and_do_not_count(iris, policy, mark):
    rows, y, asked = run(iris, policy, mark)
    assert len(set(asked)) == len(asked) == 14
    assert rows == [row for row in asked if not 55 <= row < 100]
    assert [i for i, label in enumerate(y) if label is not None] == sorted(rows)
    assert all(y[row] == iris[1][row] for row in rows)


@pytest.mark.parametrize("policy", ["margin", "k_farthest_then_margin", "default"])
def test_batches_too(iris, policy):
    rows, y, asked = run(iris, policy, None, n_queries=6, batch_size=4)
    assert len(set(asked)) == len(asked) == 28
    assert len(rows) == sum(label is not None for label in y)


def test_the_loop_ends_when_no_other_row_is_left(iris):
    rows, _, asked = run(iris, "margin", None, n_queries=60, batch_size=3)
    assert sorted(asked) == list(range(150))
    assert len(rows) == 105


def test_fewer_answers_than_rows_are_refused(iris):
    with pytest.raises(DataError, match="4 rows were asked for and 0 answers came"):
        label_loop(
            "margin", iris[0], lambda rows: [], LogisticRegression(), start=START, n_queries=1
        )


class WholeBatches:
    """Chooses the first open rows, whole batches at a time."""

    def utilities(self, state, rng):
        return -np.arange(state.N, dtype=np.float64)

    def select_batch(self, state, rng, ties, batch_size):
        return state.open[:batch_size]


def test_strategies_of_whole_batches_too(iris):
    _, _, asked = run(iris, WholeBatches(), None, n_queries=30, batch_size=3)
    assert asked[4:] == [i for i in range(150) if i not in START][:90]
