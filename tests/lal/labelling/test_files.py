"""Labelling keeps every file as it was: tables, journals, earlier copies, answers."""

import csv
import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lal
from lal.errors import DataError, DataWarning, LalError, UsageError

ROWS = 14


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("id,a,b,label\n" + "".join(f"K{i},{i},{i * 7 % 11},\n" for i in range(ROWS)))
    return path


def project(path, **options):
    return lal.LabellingProject(
        path, **{"target": "label", "classes": ("no", "yes"), "id_column": "id"} | options
    )


# names and marks


@pytest.mark.parametrize("target", ["Label", "LABEL", " label", "labels", "la_bel"])
def test_a_target_spelled_otherwise_is_refused(table, target):
    with pytest.raises(UsageError, match=rf"no column {target!r} but one called 'label'"):
        project(table, target=target)
    assert not table.with_name("data.journal.jsonl").exists()


def test_a_target_of_another_name_is_a_new_column(table):
    with project(table, target="species") as c:
        assert c.learned.used == ("a", "b")
        assert c.learned.unused["label"] == "it is empty"


def test_other_columns_spelled_otherwise_are_refused_with_the_nearest(table):
    with pytest.raises(DataError, match="no column 'ID'; did you mean 'id'"):
        project(table, id_column="ID")
    with pytest.raises(DataError, match="no column 'B'; did you mean 'b'"):
        project(table, ignore=["B"])


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__"])
def test_columns_without_a_name_are_left_out_with_the_reason(tmp_path, name):
    path = tmp_path / "t.csv"
    path.write_text(f"{name},a,label\n" + "".join(f"{i},{i % 5},\n" for i in range(12)))
    with project(path, id_column=None) as c:
        assert c.learned.used == ("a",)
        assert c.learned.unused[name].startswith("it has no name")


COMPOSED, DECOMPOSED = "K\xf6ln", "Ko\u0308ln"
"""One word to the eye and to Unicode; editors on macOS often write the second."""


@pytest.mark.parametrize("other", [DECOMPOSED, "K\xf6ln\u200b", "K\xad\xf6ln"], ids=ascii)
def test_classes_that_look_alike_are_refused(tmp_path, other):
    path = tmp_path / "t.csv"
    cells = ["no", COMPOSED, other] + [""] * 9
    path.write_text("a,label\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))
    with pytest.raises(UsageError, match="look alike and would be two") as refusal:
        project(path, id_column=None, classes=None)
    assert ascii(COMPOSED) in str(refusal.value)
    assert ascii(other) in str(refusal.value)
    with pytest.raises(UsageError, match="look alike"):
        project(path, id_column=None, classes=("no", other, COMPOSED))


def test_answers_and_cells_may_encode_accents_otherwise(tmp_path):
    path = tmp_path / "t.csv"
    cells = ["no", DECOMPOSED] + [""] * 10
    path.write_text("a,label\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))
    for _ in range(2):  # the second time from the journal
        with project(path, id_column=None, classes=("no", COMPOSED)) as c:
            assert c.store.labels[1] == 1
            if 5 not in c.store.labels:
                c.label(5, DECOMPOSED)
                c.label(6, "no")
            assert {row: c.store.labels[row] for row in (5, 6)} == {5: 1, 6: 0}
            with pytest.raises(DataError, match="'Koln' is not a class"):
                c.label(7, "Koln")
    assert DECOMPOSED in path.read_text()  # the table's own cell stays as it was


@pytest.mark.parametrize("mark", ["NA", "NaN", "nan", "None", "N/A", "null", "<NA>"])
def test_labels_like_missing_values_are_not_labels_and_get_a_word(tmp_path, mark):
    path = tmp_path / "t.csv"
    cells = ["no", "yes", mark, mark, "", "?"] * 3
    path.write_text("a,label\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))
    with pytest.warns(DataWarning, match=f"6 cells of 'label' hold '{mark}'"):
        c = project(path, id_column=None, classes=None)
    assert c.classes == ("no", "yes")
    assert c.progress().n_left == 12
    c.label(2, "no")
    c.write(tmp_path / "out.csv")
    c.write(tmp_path / "out.csv")  # its own copy, marks and all
    c.close()
    labels = [
        row["label"] for row in csv.DictReader((tmp_path / "out.csv").read_text().splitlines())
    ]
    assert labels == ["no", "yes", "no", *cells[3:]]


def test_a_declared_class_may_be_called_like_a_missing_value(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,label\n1,NA\n2,some\n3,\n4,none\n")
    with project(path, id_column=None, classes=("NA", "some", "none")) as c:
        assert c.progress().n_labelled == 3


# kinds of arguments


def test_whole_numbers_of_any_kind_are_rows_and_classes(table):
    with project(table, classes=(0, np.int64(1))) as c:
        assert c.classes == ("0", "1")
        c.label(np.int64(3), 1)
        c.label(np.uint8(4), np.int32(0))
        c.skip(np.int16(5))
        assert len(c.suggest(np.int64(2))) == 2
        assert c.undo(np.int64(5)).row == 5
    lines = table.with_name("data.journal.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"do": "label", "row": 3, "label": "1", "name": "K3"}
    with project(table, classes=("0", "1")) as c:
        assert c.store.cells() == {3: "1", 4: "0"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": "ab"}, "classes must be a sequence of names, got 'ab'"),
        ({"classes": 3}, "classes must be a sequence of names, got 3"),
        ({"classes": (0.0, 1.0)}, "a class is named by a text, got 0.0"),
        ({"classes": (True, False)}, "a class is named by a text, got True"),
        ({"classes": ("a", None)}, "a class is named by a text, got None"),
        ({"classes": ("a", " b")}, "without spaces around them"),
        ({"classes": ("a", "\ud800")}, "is not text that UTF-8 can write"),
        ({"target": 3}, "columns are given by their names, got target=3"),
        ({"target": ""}, "columns are given by their names, got no target"),
        ({"id_column": 7}, "got id_column=7"),
        ({"ignore": "a"}, "ignore must be a sequence of columns, got the text 'a'"),
        ({"journal": 5}, "a journal is given by its path, got int"),
    ],
)
def test_arguments_of_the_wrong_kind_are_refused_in_a_line(table, options, message):
    with pytest.raises(LalError, match=message):
        project(table, **options)


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda c: c.label(1.0, "no"), "row must be a whole number, got 1.0"),
        (lambda c: c.label("1", "no"), "row must be a whole number, got '1'"),
        (lambda c: c.label(None, "no"), "row must be a whole number, got None"),
        (lambda c: c.label(ROWS, "no"), f"row must be 0 to {ROWS - 1}"),
        (lambda c: c.label(-1, "no"), "row must be 0 to"),
        (lambda c: c.label(1, None), "a class is named by a text, got None"),
        (lambda c: c.label(1, ["no"]), "a class is named by a text"),
        (lambda c: c.label(1, "No"), "'No' is not a class; expected one of 'no', 'yes'"),
        (lambda c: c.suggest(2.5), "whole number of rows to suggest, got 2.5"),
        (lambda c: c.suggest(0), "at least 1 row"),
        (lambda c: c.undo(3), "the last answer is not that of row K3"),
        (lambda c: c.undo(), "nothing to undo"),
    ],
)
def test_answers_of_the_wrong_kind_change_nothing(table, do, message):
    with project(table) as c:
        with pytest.raises(LalError, match=message):
            do(c)
        assert c.progress().n_answers == 0


@pytest.mark.parametrize("value", ["1e308", "1e200", "-1e101", "inf", "Infinity"])
def test_numbers_beyond_what_can_be_squared_are_refused_as_make_dataset_does(tmp_path, value):
    path = tmp_path / "t.csv"
    path.write_text("a,b,label\n" + "".join(f"{i},{i % 5},\n" for i in range(12)) + f"{value},1,\n")
    with pytest.raises(DataError, match=r"column 'a' .* beyond 1e\+100; .* --ignore"):
        project(path, id_column=None)
    with project(path, id_column=None, ignore=["a"]) as c:
        c.label(c.suggest()[0].row, "no")
    full = path.read_text().replace(",\n", ",x\n").replace("1,x", "1,y")
    path.write_text(full)
    with pytest.raises(DataError, match=r"column 'a' .* beyond 1e\+100"):
        lal.load_dataset(f"file:{path}")


@pytest.mark.parametrize(
    "content",
    [
        b"id,a,label\n1,2,\n3,4,",  # a table without a last line end
        b"remember the milk",
        b"remember the milk\n",
        b"{}",
        b'{"schema": "mine"',
        b'{"schema": "mine", "rows": 3}\n{"x": 1}',
        b"[1, 2]\n",
        b"\x00\xff\x00",
        b"[" * 50_000 + b"\n",
    ],
)
def test_a_journal_that_is_not_ours_is_left_as_it_was(table, content):
    path = table.with_name("notes.txt")
    path.write_bytes(content)
    with pytest.raises(LalError, match=r"notes\.txt"):
        project(table, journal=path)
    assert path.read_bytes() == content
    with pytest.raises(UsageError, match="is not a journal"):
        project(table, journal=table)


def test_only_what_begins_as_an_answer_is_cut_off_a_journal(table):
    journal = table.with_name("data.journal.jsonl")
    with project(table) as c:
        c.label(1, "no")
    whole = journal.read_bytes()
    for length in range(len(whole) + 1):  # killed after any byte
        journal.write_bytes(whole[:length])
        with project(table) as c:
            assert c.store.cells() in ({}, {1: "no"})
    journal.write_bytes(whole[:-1])  # an editor left out the last line end
    with project(table) as c:
        assert c.store.cells() == {1: "no"}
    journal.write_bytes(whole + b"a note of mine")
    with pytest.raises(DataError, match=r"line 3 of the journal .* is damaged"):
        project(table)
    assert journal.read_bytes() == whole + b"a note of mine"


def test_a_journal_without_answers_may_serve_another_table(table):
    project(table, target="other").close()
    with project(table) as c:
        c.label(1, "no")
    with pytest.raises(UsageError, match="belongs to another target"):
        project(table, target="other")
    with project(table) as c:
        assert c.store.cells() == {1: "no"}


def test_pipes_devices_and_folders_are_refused_in_a_line(table, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, said in ((pipe, "a pipe"), ("/dev/zero", "a device"), (tmp_path, "a folder")):
        for use in (
            lambda p: project(p),
            lambda p: project(table, journal=p),
        ):
            with pytest.raises(DataError, match=said):
                use(path)
        with project(table) as c, pytest.raises(DataError, match=said):
            c.take_answers(path)
        with project(table) as c, pytest.raises(UsageError, match="is not a regular file"):
            c.write(path)
    with pytest.raises(DataError, match="cannot be opened"):
        project(table, journal=table / "in a file" / "j")
    with project(table) as c, pytest.raises(DataError, match="the answers are safe in"):
        c.write(table / "in a file" / "out.csv")


def test_inputs_are_never_written_to(table, tmp_path):
    answers = tmp_path / "answers.csv"
    answers.write_text(
        "id,a,b,label\n" + table.read_text().split("\n", 1)[1].replace(",\n", ",no\n")
    )
    link = tmp_path / "link.csv"
    link.symlink_to(table)
    with project(table) as c:
        c.take_answers(answers)
        for path, said in (
            (table, "the table itself"),
            (link, "the table itself"),
            (c.store.journal.path, "the journal"),
            (answers, "a file of answers"),
        ):
            before = path.read_bytes()
            with pytest.raises(UsageError, match=f"is {said}, which is never changed"):
                c.write(path)
            assert path.read_bytes() == before


def test_a_file_that_was_there_is_replaced_only_if_nothing_is_lost(table, tmp_path):
    out = tmp_path / "data.labelled.csv"
    out.write_text("my own notes\n")
    with project(table) as c:
        with pytest.raises(UsageError, match="is there already and is not a copy of the table"):
            c.check_output(out)
        with pytest.raises(UsageError, match="is there already and is not a copy"):
            c.write(out)
        assert out.read_text() == "my own notes\n"
        out.unlink()
        c.label(1, "no")
        c.label(2, "yes")
        c.write(out)
        c.undo()
    with project(table) as c:  # the label that was taken back was given here
        c.write(out)
        out.write_text(out.read_text() + "more,rows,of,mine\n")
        with pytest.raises(UsageError, match="is not a copy of the table"):
            c.write(out)


def test_the_copy_of_another_project_on_the_same_table_is_kept(table, tmp_path):
    out = tmp_path / "data.labelled.csv"
    with project(table) as c:
        c.label(1, "no")
        c.write(out)
    with project(table, policy="random", journal=tmp_path / "random.jsonl") as c:
        c.label(2, "yes")
        with pytest.raises(UsageError, match="has the label 'no' for row K1, which is not in this"):
            c.write(out)
        assert ",no" in out.read_text()
        c.take_answers(out)  # the way out that the message names
        with pytest.raises(UsageError, match="a file of answers"):
            c.write(out)


def test_answers_left_empty_come_again_and_question_marks_do_not(table, tmp_path):
    answers = tmp_path / "answers.csv"
    with project(table) as c:
        names = [row.name for row in c.suggest(3)]
        answers.write_text(f"id,label\n{names[0]},?\n{names[1]},\n{names[2]},no\n")
        assert c.take_answers(answers) == 2
        assert c.take_answers(answers) == 0
        assert c.progress().skipped == (names[0],)
        assert c.progress().n_labelled == 1
        left = {row.name for row in c.suggest(ROWS)}
        assert names[0] not in left
        assert names[1] in left
        answers.write_text(f"id,label\n{names[0]},yes\n")  # somebody could tell after all
        assert c.take_answers(answers) == 1
        assert c.progress().skipped == ()


def test_journals_of_earlier_releases_go_on(tmp_path):
    """The table's fingerprint is that of 0.1.0, which read CRLF inside cells as LF."""
    path = tmp_path / "t.csv"
    path.write_bytes('\ufeffid;n\u00f6te;label\r\n1;"a\r\nb";\r\n\r\n2;" c";x\r\n'.encode())
    with project(path, classes=("no", "x")) as c:
        header = json.loads(c.store.journal.path.read_text().splitlines()[0])
    assert header == {"schema": 1, "target": "label", "table": "6a6a5c663699c09a"}


# the border

cells = st.lists(st.sampled_from([*"ab ,;\"'\n\t|1.5e_-?äNA", "\r\n"]), max_size=6).map("".join)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=4, max_size=9),
    delimiter=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    picks=st.lists(st.integers(0, 8), max_size=4),
)
def test_any_table_is_labelled_or_refused_and_its_cells_stay(tmp_path, rows, delimiter, end, picks):
    path = tmp_path / "t.csv"
    for old in tmp_path.glob("*"):
        old.unlink()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerows([("x", "y", "label"), *rows])
    try:
        c = project(path, id_column=None, classes=("no", "yes"))
    except (LalError, DataWarning):
        return
    given = {}
    with c:
        for row in picks:
            if row < len(rows) and row not in c.store.labels:
                c.label(row, "yes")
                given[row] = "yes"
        c.write(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        found = [tuple(row) for row in csv.reader(file, delimiter=delimiter)][1:]
    assert [row[:2] for row in found] == [row[:2] for row in rows]
    assert [row[2] for row in found] == [given.get(i, row[2]) for i, row in enumerate(rows)]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lines=st.lists(
        st.one_of(
            st.binary(max_size=30),
            st.builds(
                lambda **event: json.dumps(event).encode(),
                do=st.sampled_from(
                    ["label", "skip", "unsure", "settle", "change", "undo", "jump", 3]
                ),
                row=st.one_of(st.none(), st.integers(-2, 20), st.just("1"), st.just(True)),
                label=st.one_of(st.none(), st.sampled_from(["no", "maybe", 3, []])),
                by=st.sampled_from([None, "ada", "bob", 3]),
            ),
        ),
        max_size=5,
    )
)
def test_any_journal_is_replayed_or_refused_and_never_shortened(table, lines):
    with project(table) as c:
        journal = c.store.journal.path
        head = journal.read_bytes().splitlines()[0]
    content = b"\n".join([head, *lines]) + b"\n"
    journal.write_bytes(content)
    try:
        project(table).close()
    except LalError as error:
        assert "journal" in str(error) or "class" in str(error)  # noqa: PT017 - either may come
    assert journal.read_bytes() == content
    journal.write_bytes(head + b"\n")
