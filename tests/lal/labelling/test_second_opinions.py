"""Doubts, notes and second opinions: what they do to the labels, the questions and the files."""

import csv
import json

import pytest

import lal
from lal.errors import DataError, UsageError
from lal.labelling.agreement import agreements, disagreements
from lal.labelling.opinions import AGAIN

CLASSES = ("a", "b", "c")


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "t.csv"
    rows = [f"K{i},{i % 5},{i * 7 % 11},{'a' if i == 0 else ''}" for i in range(40)]
    file.write_text("\n".join(["key,p,q,label", *rows]))
    return file


def project(path, **options):
    given = {"target": "label", "classes": CLASSES, "id_column": "key"} | options
    return lal.LabellingProject(path, **given)


def label_next(c, label="b"):
    (row,) = c.suggest()
    c.label(row.row, label)
    return row.row


def test_a_doubt_is_no_label_and_comes_again_later(path):
    with project(path) as c:
        first = c.suggest()[0].row
        c.unsure(first)
        assert c.progress().unsure == (f"K{first}",)
        assert c.progress().n_labelled == 1
        assert c.store.training == {0: 0}
        asked = [label_next(c) for _ in range(AGAIN - 1)]
        assert first not in asked
        assert first in c.store.resting
        label_next(c)
        assert c.store.resting == set()
        assert first in [row.row for row in c.suggest(30)]
    with project(path) as c:  # opened again, the same
        assert c.progress().unsure == (f"K{first}",)
        c.label(first, "b")
        assert c.progress().unsure == ()


def test_doubts_come_last_when_nothing_else_is_left(path):
    with project(path) as c:
        doubts = [row.row for row in c.suggest(3)]
        for row in range(1, 40):
            if row not in doubts and row < 38:
                c.label(row, "b")
        for row in doubts:
            c.unsure(row)
        order = [row.row for row in c.suggest(9)]
        assert len(order) == len(set(order)) == c.progress().n_left
        assert sorted(order[-3:]) == sorted(doubts)
        assert {38, 39} - set(doubts) <= set(order[:-3])


def test_a_reserved_row_may_be_doubted_and_stays_reserved(path):
    with project(path, check_every=2) as c:
        reserved = c.checks.open[0]
        c.unsure(reserved)
        assert reserved not in c.checks.open
        for row in range(1, 40):
            if row != reserved:
                c.label(row, "b" if row % 2 else "a")
        assert [row.row for row in c.suggest(5)] == [reserved]
        c.label(reserved, "a")
        assert reserved in c.store.checks
        assert reserved not in c.store.training


def test_another_annotator_may_be_asked_for_a_doubt_at_once(path):
    with project(path, annotator="ada") as c:
        row = c.suggest()[0].row
        c.unsure(row)
    with project(path, annotator="bob") as c:
        assert c.suggest()[0].row == row
        assert c.store.filled_columns()["_unsure"] == {row: "ada"}


def test_a_second_opinion_changes_no_label_until_it_is_settled(path):
    with project(path, annotator="ada") as c:
        rows = [label_next(c) for _ in range(4)]
    with project(path, annotator="bob", overlap_every=1) as c:
        asked = c.suggest(4)
        assert sorted(row.row for row in asked) == sorted(rows)
        assert all(row.again and row.guess == {} and row.why == () for row in asked)
        training = dict(c.store.training)
        for row, label in zip(asked, ("b", "b", "c", "a"), strict=True):
            c.label(row.row, label, note="why" if label == "c" else None)
        assert c.store.training == training
        assert not c.suggest()[0].again  # then rows that nobody answered
        with pytest.raises(UsageError, match=r"is labelled 'c' already"):
            c.label(asked[2].row, "a")
        c.change(asked[3].row, "b")  # his own answer
        with pytest.raises(UsageError, match=r"no two answers that differ, .* change the answer"):
            c.settle(asked[3].row, "a")
        (found,) = c.disagreements()
        assert (found.row, found.label, found.settled) == (asked[2].row, "b", False)
        assert found.answers == {"ada": "b", "bob": "c"}
        assert found.note == "why"
        c.settle(found.row, "c")
        assert c.store.cells()[found.row] == "c"
        assert c.disagreements()[0].settled
        assert c.undo().do == "settle"
        assert c.store.cells()[found.row] == "b"
        journal = c.store.journal.path
    people = [json.loads(line).get("by") for line in journal.read_text().splitlines()[1:5]]
    assert people == ["ada"] * 4


def test_one_does_not_change_or_take_back_what_another_said(path):
    with project(path, annotator="ada") as c:
        row = label_next(c)
    with project(path, annotator="bob") as c:
        with pytest.raises(UsageError, match="was answered by 'ada' only; give your own answer"):
            c.change(row, "c")
        with pytest.raises(UsageError, match="given by 'ada' and can be taken back by them only"):
            c.undo()
        assert c.store.last is None
    with project(path) as c:
        with pytest.raises(UsageError, match=f"row K{row} is labelled 'b' already"):
            c.label(row, "a")  # without a name there are no second opinions
        with pytest.raises(UsageError, match="row K0 is labelled already"):
            c.unsure(0)


def test_a_declined_second_opinion_is_not_asked_for_again(path):
    with project(path, annotator="ada") as c:
        row = label_next(c)
    for how in ("skip", "unsure"):
        with project(path, annotator=how, overlap_every=1) as c:
            assert c.suggest()[0].row == row
            getattr(c, how)(row)
            assert c.suggest()[0].row != row
            assert c.store.cells()[row] == "b"
            with pytest.raises(UsageError, match="is skipped already"):
                c.skip(row)


def test_one_question_in_so_many_is_a_second_opinion(path):
    with project(path, annotator="ada") as c:
        for _ in range(6):
            label_next(c)
    with project(path, annotator="bob", overlap_every=3) as c:
        asked = [row.again for row in c.suggest(9)]
        assert asked == [i % 3 == 0 for i in range(9)]
        one_by_one = []
        for _ in range(9):
            one_by_one.append(c.suggest()[0].again)
            label_next(c)
        assert one_by_one == asked


def test_kappa_of_a_known_table(path):
    # 2 x 2 table of counts 20, 5, 10, 15 in Cohen's setting: agreement 0.7, by chance 0.5
    pairs = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15
    path.write_text("key,p\n" + "".join(f"K{i},{i}\n" for i in range(50)))
    for who in (0, 1):
        with project(path, annotator=("ada", "bob")[who]) as c:
            for row, labels in enumerate(pairs):
                c.label(row, labels[who])
    with project(path) as c:
        (found,) = agreements(c.store)
        assert found.annotators == ("ada", "bob")
        assert found.n_rows == 50
        assert found.share == pytest.approx(0.7)
        assert found.kappa == pytest.approx(0.4)
        assert len(disagreements(c.store)) == 15
        assert str(found) == "ada and bob agree on 70% of 50 rows (Cohen's kappa 0.40)"


def test_the_copy_says_who_and_why_and_may_be_the_next_table(path, tmp_path):
    out = tmp_path / "out.csv"
    with project(path, annotator="ada") as c:
        c.label(3, "b", note='half; "dark"')
        c.unsure(4)
        c.write(out)
        c.unsure(5)
        c.write(out)
    with out.open(newline="") as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    assert rows["K3"]["_note"] == 'half; "dark"'
    assert (rows["K3"]["_annotator"], rows["K0"]["_annotator"]) == ("ada", "")
    assert [rows[k]["_unsure"] for k in ("K3", "K4", "K5")] == ["", "ada", "ada"]
    with project(path, annotator="ada") as c:  # another process knows its own copy
        c.undo()
        c.write(out)
    with project(out, journal=tmp_path / "next.jsonl") as c:
        assert c.learned.used == ("p", "q")
        assert c.learned.unused["_note"] == "it is about an answer"
    out.write_text(out.read_text().replace("half", "all"))
    with project(path) as c, pytest.raises(UsageError, match="a note on row K3 that is not in"):
        c.write(out)


def test_answers_from_a_file_with_doubts_and_notes(path, tmp_path):
    answers = tmp_path / "answers.csv"
    answers.write_text("key,label,_note\nK1,not sure,far\nK2,b,\nK3,?,torn\n")
    with project(path, annotator="ada") as c:
        assert c.take_answers(answers) == 3
        assert c.take_answers(answers) == 0
        assert c.progress().unsure == ("K1",)
        assert c.progress().skipped == ("K3",)
        assert c.store.opinions.notes == {1: "far", 3: "torn"}
    answers.write_text("key,label\nK2,c\n")
    with project(path) as c, pytest.raises(DataError, match="which is labelled 'b'"):
        c.take_answers(answers)
    with project(path, annotator="bob") as c:
        assert c.take_answers(answers) == 1  # a second opinion
        assert [found.name for found in c.disagreements()] == ["K2"]


@pytest.mark.parametrize("name", [" ada", "a\nb", 5])
def test_names_of_annotators_fit_into_a_line(path, name):
    with pytest.raises(UsageError, match="an annotator is named by a text"):
        project(path, annotator=name)


@pytest.mark.parametrize("event", [{"by": ""}, {"by": 3}, {"note": []}])
def test_wrong_names_and_notes_in_a_journal_are_refused(path, event):
    with project(path) as c:
        journal = c.store.journal.path
    with journal.open("a") as file:
        file.write(json.dumps({"do": "label", "row": 1, "label": "b", **event}) + "\n")
    with pytest.raises(DataError, match=r"line 2 of the journal .* is damaged"):
        project(path)


def test_answers_without_a_name_may_be_changed_by_anybody(path):
    with project(path) as c:
        row = label_next(c)
    with project(path, annotator="ada") as c:
        c.change(row, "c", note="clearer now")
        assert c.store.cells()[row] == "c"
        assert c.disagreements() == []
