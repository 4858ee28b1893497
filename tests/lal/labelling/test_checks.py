"""Rows kept apart: drawn at random, never learned from, in the journal; and what they forecast."""

import numpy as np
import pytest

from lal.errors import UsageError
from lal.labelling import LabellingProject
from lal.labelling.checks import forecast_lines
from lal.labelling.forecast import forecast, standard_error
from lal.labelling.session import LabellingSession, reason

N = 120


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 2))
    path = tmp_path / "data.csv"
    path.write_text("\n".join(["a,b", *(f"{a:.3f},{b:.3f}" for a, b in X)]))
    return path


def opened(path, **options):
    fields = {"classes": ("no", "yes"), "learner": "gaussian_nb", "check_every": 4, "seed": 1}
    return LabellingProject(path, target="label", **{**fields, **options})


def answer(project, n):
    """Label the next n rows, one at a time, and return them."""
    asked = []
    for _ in range(n):
        (row,) = project.suggest(1)
        project.label(row.row, "yes" if float(row.cells["a"]) > 0 else "no")
        asked.append(row)
    return asked


def test_every_fourth_question_is_random_and_never_learned_from(data):
    with opened(data) as project:
        asked = answer(project, 20)
        assert [i for i, row in enumerate(asked, 1) if row.check] == [4, 8, 12, 16, 20]
        checks = [row.row for row in asked if row.check]
        assert list(project.store.checks) == checks
        assert not set(checks) & set(project.state().labelled.tolist())
        assert len(project.store.rows) == 15
        assert project.progress().n_labelled == 20
        assert "kept apart" in reason(asked[3])
        reserved = set(project.checks.order)
        assert len(reserved) == N // 4
        assert not reserved & {row.row for row in asked if not row.check}
        assert [row.check for row in project.suggest(9)] == [(i % 4) == 0 for i in range(1, 10)]


def test_the_reserved_rows_are_a_random_sample_of_the_table(data):
    means = []
    for seed in range(8):
        with opened(data, seed=seed, journal=data.with_name(f"{seed}.jsonl")) as project:
            means.append(np.mean(project.checks.order))
    assert len(set(means)) == 8
    assert abs(np.mean(means) - (N - 1) / 2) < 4 * N / np.sqrt(12 * 8 * N / 4)


def test_a_project_goes_on_as_one_that_was_not_interrupted(data, tmp_path):
    with opened(data, journal=tmp_path / "whole.jsonl") as project:
        whole = [row.row for row in answer(project, 18)]
    parts = []
    for _ in range(3):
        with opened(data, journal=tmp_path / "parts.jsonl") as project:
            parts += [row.row for row in answer(project, 6)]
    assert parts == whole
    # without the flag, what was kept apart stays apart
    with opened(data, journal=tmp_path / "parts.jsonl", check_every=0) as project:
        assert list(project.store.checks) == whole[3::4]
        assert not set(whole[3::4]) & set(project.state().labelled.tolist())
        assert not {row.row for row in project.suggest(50)} & set(whole)


def test_undo_and_change_of_a_row_kept_apart(data):
    with opened(data) as project:
        last = answer(project, 4)[-1]
        label = project.classes[project.store.labels[last.row]]
        other = "no" if label == "yes" else "yes"
        project.change(last.row, other)
        assert list(project.store.checks) == [last.row]
        project.undo()
        project.undo()
        assert list(project.store.checks) == []
        assert project.suggest(1)[0].row == last.row


def test_all_rows_can_be_labelled(data):
    with opened(data) as project:
        answer(project, N)
        assert project.suggest(1) == ()
        assert len(project.store.checks) == N // 4


def test_accuracy_and_forecast_come_from_the_rows_kept_apart(data, tmp_path):
    with opened(data) as project:
        answer(project, 12)
        assert project.checked_accuracy() is None
        assert project.forecast() is None
        answer(project, 56)
        checked = project.checked_accuracy()
        rows = list(project.store.checks)
        truth = [project.store.labels[row] for row in rows]
        hits = project.state().model.predict(project.query.X[rows]) == truth
        assert abs(checked.right - int(hits.sum())) <= 1  # the learner's seed is another
        assert checked.of == len(rows) == 17
        said = project.forecast()
        assert said.n == 50
        assert said.fit.noise == standard_error(said.accuracy, 17)
        session = LabellingSession(project, out=tmp_path / "out.csv", reach=(0.5,))
        session.look()
        assert session.news[0].startswith("checked accuracy")
        assert "on 17 random rows kept apart" in session.news[0]
        assert any(line.startswith("forecast: to reach 50.0%, 50") for line in session.news)


def test_few_rows_widen_the_intervals():
    n, a = [10, 20, 30, 40, 50], [0.6, 0.7, 0.74, 0.76, 0.78]
    many, few = forecast(n, a), forecast(n, a, of=20)
    for ahead in (75, 100, 200):
        wide, narrow = few.accuracy_with(ahead), many.accuracy_with(ahead)
        assert wide.value == narrow.value
        assert wide.low < narrow.low
        assert wide.high > narrow.high or wide.high == 1.0
    assert "90 % interval" in forecast_lines(few, [0.8])[-1]
    with pytest.raises(UsageError, match="at least one row, got 0"):
        forecast(n, a, of=0)


@pytest.mark.parametrize("every", [1, -2])
def test_a_share_that_leaves_nothing_is_refused(every, data):
    with pytest.raises(UsageError, match=f"0 or at least 2, got {every}"):
        opened(data, check_every=every)


def test_an_accuracy_that_is_none_is_refused(data, tmp_path):
    with opened(data) as project, pytest.raises(UsageError, match=r"at most 1, got 90"):
        LabellingSession(project, out=tmp_path / "out.csv", reach=(90.0,))
