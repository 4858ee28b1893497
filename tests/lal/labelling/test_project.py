"""lal.LabellingProject: nothing lost, nothing asked twice, the same choice as a bare query."""

import csv
import io
import json
import os

import numpy as np
import pytest

import lal
from lal.data.tables import csv_column
from lal.errors import DataError, LalError, UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES
from lal.labelling.journal import Event, Journal
from lal.labelling.progress import MIN_LABELS, cross_validated, labels_missing, wilson
from lal.labelling.query import WORDS, in_words
from lal.labelling.stopping import StabilisingPredictions, kappa
from lal.labelling.table import learned_columns, read_table
from lal.policies.kinds import list_policies, load_policy

CLASSES = ("a", "b", "c")


@pytest.fixture
def truth():
    return np.random.default_rng(5).integers(3, size=90)


@pytest.fixture
def path(tmp_path, truth):
    rng = np.random.default_rng(6)
    X = rng.normal(size=(len(truth), 3)) + 3.0 * np.eye(3)[truth]
    lines = ["key,x0,x1,x2,colour,label"]
    for i, row in enumerate(X):
        numbers = ["" if rng.random() < 0.1 else f"{v:.3f}" for v in row]
        label = CLASSES[truth[i]] if i < 3 else ""
        lines.append(f"K{i},{','.join(numbers)},{rng.choice(['red', 'blue', '?'])},{label}")
    file = tmp_path / "data.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def project(path, **options):
    given = {"target": "label", "classes": CLASSES, "id_column": "key"} | options
    return lal.LabellingProject(path, **given)


def answer(c, truth, n):
    asked = []
    for _ in range(n):
        (row,) = c.suggest(1)
        c.label(row.row, CLASSES[truth[row.row]])
        asked.append(row.row)
    return asked


# parity holds outside a policy's range too, where it warns (LAL is binary)
@pytest.mark.filterwarnings("ignore::lal.policies.pool_policy.PolicyRangeWarning")
@pytest.mark.parametrize("name", sorted(list_policies("pool")))
def test_asks_for_the_row_that_a_bare_query_asks_for(path, truth, name):
    with project(path, policy=name) as c:
        answer(c, truth, 7)
        y = np.full(len(truth), None, dtype=object)
        for row, code in c.store.labels.items():
            y[row] = CLASSES[code]
        picked = load_policy(name).query(
            c.query.X,
            y,
            c.query.learner.estimator,
            classes=CLASSES,
            random_state=c.query.query_seed(len(c.store.labels)),
        )
        assert [row.row for row in c.suggest(1)] == picked.tolist()


def test_resumed_equals_undisturbed(path, truth):
    with project(path, journal=path.with_name("one")) as c:
        straight = answer(c, truth, 12)
    halves = []
    for _ in range(3):
        with project(path, journal=path.with_name("two")) as c:
            halves += answer(c, truth, 4)
    assert halves == straight
    assert len(set(straight)) == 12


def test_labels_of_the_table_are_the_start(path, truth):
    with project(path) as c:
        assert c.progress().n_labelled == 3
        assert c.progress().n_answers == 0
        with pytest.raises(UsageError, match="nothing to undo"):
            c.undo()
        with pytest.raises(UsageError, match=r"row K0 is labelled .* already"):
            c.label(0, "a")


def test_skip_and_undo(path, truth):
    with project(path) as c:
        (first,) = c.suggest()
        c.skip(first.row)
        asked = answer(c, truth, 86)
        assert first.row not in asked
        assert c.suggest() == ()
        assert c.progress().skipped == (first.name,)
    with project(path) as c:  # and after a new start
        assert c.suggest() == ()
        assert c.undo().row == asked[-1]
        assert [row.row for row in c.suggest()] == [asked[-1]]
        c.label(first.row, "a")  # a skipped row may still be labelled
        assert c.progress().skipped == ()
        c.undo()
        assert c.progress().skipped == (first.name,)


def test_undone_label_leads_back_to_the_same_row(path, truth):
    with project(path) as c:
        answer(c, truth, 5)
        before = c.suggest()
        c.label(before[0].row, "a")
        c.undo()
        assert c.suggest() == before


def test_batches_leave_out_labelled_and_skipped_rows(path, truth):
    with project(path) as c:
        answer(c, truth, 5)
        skipped = [row.row for row in c.suggest(4)]
        for row in skipped:
            c.skip(row)
        rows = [row.row for row in c.suggest(200)]
        assert len(rows) == len(set(rows)) == 90 - 3 - 5 - 4
        assert not {*rows} & {*skipped, *c.store.labels}


def test_a_torn_last_line_is_cut_off(path, truth):
    with project(path) as c:
        asked = answer(c, truth, 3)
    journal = path.with_suffix(".journal.jsonl")
    with journal.open("ab") as file:
        file.write(b'{"do": "label", "row": 1')
    with project(path) as c:
        assert sorted(c.store.labels) == sorted([0, 1, 2, *asked])
        answer(c, truth, 1)
    assert all(json.loads(line) for line in journal.read_text().splitlines())


@pytest.mark.parametrize(
    "line",
    ["nonsense", "[]", '{"do": "undo"}', '{"do": "label", "row": 5}', '{"do": "jump"}',
     '{"do": "skip", "row": "5"}', '{"do": "skip", "row": -1}'],
)  # fmt: skip
def test_a_damaged_line_is_named(path, line):
    with project(path) as c:
        head = c.store.journal.path.read_text()
    path.with_suffix(".journal.jsonl").write_text(f"{head}{line}\n")
    with pytest.raises(DataError, match=r"line 2 of the journal .* is damaged"):
        project(path)


def test_an_answer_that_the_disk_refuses_does_not_count(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "j", {})
    journal.append(Event("skip", 1))
    size = journal.path.stat().st_size

    def refuse(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(DataError, match="No space left on device"):
            journal.append(Event("skip", 2))
    assert journal.path.stat().st_size == size
    journal.append(Event("skip", 3))
    journal.close()
    again = Journal(tmp_path / "j", {})
    assert [event.row for event in again.standing] == [1, 3]
    again.close()


def test_one_process_at_a_time(path):
    with project(path), pytest.raises(UsageError, match="another process has the journal"):
        project(path)
    project(path).close()


def test_another_table_is_refused_and_new_labels_are_not(path, truth):
    with project(path) as c:
        answer(c, truth, 2)
        c.write(path.with_name("out.csv"))
    path.write_text(path.with_name("out.csv").read_text())  # the copy becomes the table
    with project(path) as c:
        assert c.progress().n_labelled == 5
    path.write_text(path.read_text().replace("K7,", "K007,"))
    with pytest.raises(UsageError, match="belongs to another table"):
        project(path)


def test_a_contradiction_of_table_and_journal_is_named(path):
    with project(path) as c:
        c.label(8, "b")
    lines = path.read_text().splitlines()
    lines[9] += "c"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="row K8 has the label 'c' in the table and 'b' in"):
        project(path)


def test_the_copy_has_all_cells_as_they_were(tmp_path):
    cells = [["id", "wörds", "n"], ["1", 'say "hi";\nyou', " 3,5"], ["2", "", "4"], ["3", "x", "5"]]
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\n").writerows(cells)
    path = tmp_path / "t.csv"
    path.write_text(text.getvalue(), encoding="utf-8-sig")
    with project(path, id_column="id", classes=("yes", "no")) as c:
        c.label(1, "no")
        c.write(tmp_path / "out.csv")
        with pytest.raises(UsageError, match="never changed"):
            c.write(path)
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8-sig") as file:
        found = list(csv.reader(file, delimiter=";"))
    assert [row[:3] for row in found] == cells
    assert [row[3] for row in found] == ["label", "", "no", ""]


def test_answers_from_a_file(path, truth, tmp_path):
    answers = tmp_path / "answers.csv"
    answers.write_text("key,label\nK9,a\nK4,\nK0," + CLASSES[truth[0]] + "\nK10,b\n")
    with project(path) as c:
        assert c.take_answers(answers) == 2
        assert c.take_answers(answers) == 0
        assert c.store.cells()[9] == "a"
        answers.write_text("key,label\nK30,c\nK9,b\n")
        with pytest.raises(DataError, match="says 'b' for row K9, which is labelled 'a'; nothing"):
            c.take_answers(answers)
        assert 30 not in c.store.labels
        answers.write_text("key,label\nK31,c\nK999,b\n")
        with pytest.raises(DataError, match=r"no row of 'data.csv' has the 'key' 'K999'"):
            c.take_answers(answers)
        assert 31 not in c.store.labels


def test_rows_without_ids_go_by_number_from_one(path, tmp_path):
    answers = tmp_path / "answers.csv"
    answers.write_text("_row,label\n11,a\n")
    with project(path, id_column=None) as c:
        c.take_answers(answers)
        assert c.store.labels[10] == 0


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (("K5,", "K4,"), {}, "rows 5 and 6 have the same id 'K4'"),
        (("K5,", ","), {}, "row 6 has no id"),
        (("K5,", "K5,1,"), {}, "row 6 of 'data.csv' has 7 cells; the header has 6"),
        (("x1", "x0"), {}, "two columns called 'x0'"),
        (("", ""), {"classes": ("a", "b")}, "'c' is not a class"),
        (("", ""), {"classes": ("a", "a")}, "different names"),
        (("", ""), {"target": "other", "classes": None}, "labelling needs two classes"),
        (("", ""), {"ignore": ("nope",)}, "no column 'nope'"),
        (("", ""), {"policy": "nope"}, "unknown strategy 'nope'"),
        (("", ""), {"learner": "nope"}, "unknown learner 'nope'"),
    ],
)
def test_what_cannot_be_labelled_is_named(path, change, options, message):
    if change[0]:
        path.write_text(path.read_text().replace(*change, 1))
    with pytest.raises(LalError, match=message):
        project(path, **options)
    if not change[0]:  # and nothing stays locked
        project(path, journal=path.with_suffix(".journal.jsonl")).close()


def test_cells_become_numbers_texts_or_missing():
    assert csv_column(["1", " 2.5", "", "NA"]) == [1.0, 2.5, None, None]
    assert csv_column(["1", "x", "?"]) == ["1", "x", None]
    assert csv_column(["1_0", "2"]) == ["1_0", "2"]
    assert csv_column(["007", "8"]) == ["007", "8"]
    assert csv_column(["1.50", "-2e3", "inf"]) == [1.5, -2000.0, np.inf]
    assert csv_column(["1\n2", "3"]) == ["1\n2", "3"]


def test_useless_columns_are_left_out_with_a_reason(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{i},same,,text {i},{'red' if i % 2 else 'blue'},n/a" for i in range(30)]
    path.write_text("\n".join(["n,one,none,free,colour,label", *rows]))
    learned = learned_columns(read_table(path), {"label": "it is the target"})
    assert learned.used == ("n", "colour")
    assert learned.unused["one"] == "it holds one value only"
    assert learned.unused["none"] == "it is empty"
    assert learned.unused["free"] == "nearly every row holds another text"
    assert learned.X.shape == (30, 3)
    assert np.isfinite(learned.X).all()


def test_wilson_by_hand():
    # 8 of 10, z = 1.96: centre (0.8 + 0.19207) / 1.38415, reach 0.31356 / 1.38415
    assert wilson(0.8, 10) == pytest.approx((0.49016, 0.94331), abs=1e-5)
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)
    assert wilson(0.0, 10)[0] == 0.0


def test_kappa_by_hand():
    a, b = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert kappa(a, b, 2) == pytest.approx(0.5)  # 3/4 agree, 1/2 by chance
    assert kappa(a, a, 3) == 1.0
    assert kappa(a * 0, a * 0, 2) == 0.0


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ([], "0 of at least 20"),
        ([0, 1] * 9, "18 of at least 20"),
        ([0] * 30 + [1] * 4, "two classes need at least 5"),
        ([0] * 30 + [1] * 5, None),
    ],
)
def test_too_few_labels_give_no_accuracy(codes, reason):
    found = labels_missing(np.array(codes, dtype=np.int64))
    assert found is None if reason is None else reason in str(found)


def test_accuracy_is_measured_on_rows_held_out():
    rng = np.random.default_rng(0)
    codes = rng.integers(2, size=60)
    options = {"n_classes": 2, "seed": 1}
    learner = lal.make_learner("knn", n_neighbors=1)  # perfect on rows it has seen
    noise = cross_validated(learner, rng.normal(size=(60, 2)), codes, **options)
    assert noise is not None
    assert noise.low < 0.5 < noise.high < 0.9
    easy = cross_validated(
        learner, codes[:, None] * 10 + rng.normal(size=(60, 1)), codes, **options
    )
    assert easy is not None
    assert (easy.right, easy.of) == (60, 60)
    assert easy.high == pytest.approx(1.0)
    n = 60 / 2.25  # as if so many predictions were independent
    assert easy.low == pytest.approx(n / (n + 1.96**2), abs=1e-4)


def test_accuracy_says_what_it_is_measured_on(path, truth):
    with project(path) as c:
        assert c.accuracy() is None
        assert c.accuracy_line() == f"no accuracy yet: 3 of at least {MIN_LABELS} labels"
        answer(c, truth, 27)
        assert "on the 30 labelled rows" in c.accuracy_line()
        assert "the policy chose these rows" in c.accuracy_line()


def test_the_stopping_rule_waits_for_stable_predictions(path, truth):
    with project(path) as c:
        answer(c, truth, 30)
        assert str(c.stability()).startswith("too few labels")
        answer(c, truth, 50)
        kept = c.stability()
        assert kept.kappa is not None
        assert kept.stop == (kept.kappa >= 0.99)
        separable = StabilisingPredictions(
            c.query.learner, 10.0 * np.eye(3)[truth], n_classes=3, seed=0
        )
        order = [(i, int(code)) for i, code in enumerate(truth[:40])]
        assert separable.judge(order).stop
        rng = np.random.default_rng(1)
        noise = [(i, int(rng.integers(3))) for i in range(40)]
        moving = StabilisingPredictions(
            lal.make_learner("knn", n_neighbors=1), c.query.X, n_classes=3, seed=0
        )
        assert not moving.judge(noise).stop


@pytest.mark.parametrize("feature", DEFAULT_CANDIDATE_FEATURES)
def test_every_default_feature_has_plain_words(feature):
    assert in_words(feature) == WORDS[feature.partition("@")[0]]


def test_a_policy_says_why(path, truth):
    with project(path, policy="margin") as c:
        assert c.suggest()[0].guess.keys() == set(CLASSES)
        answer(c, truth, 10)
        (row,) = c.suggest()
        assert row.why == (WORDS["margin"],)
        assert list(row.guess.values()) == sorted(row.guess.values(), reverse=True)
        assert sum(row.guess.values()) == pytest.approx(1.0)
    with project(path, policy="entropy") as c:  # a strategy has no features to speak of
        assert c.suggest()[0].why == ()


def test_an_answer_is_changed_and_the_journal_keeps_both(path, truth):
    with project(path) as c:
        answer(c, truth, 3)
        row = next(iter(set(c.store.labels) - set(c.store._given)))
        before = c.classes[c.store.labels[row]]
        after = next(name for name in c.classes if name != before)
        order = list(c.store.labels)
        version = c.store.labels_version
        c.change(row, after)
        assert c.classes[c.store.labels[row]] == after
        assert list(c.store.labels) == order
        assert c.store.labels_version > version
        with pytest.raises(UsageError, match=r"is labelled .* already"):
            c.change(row, after)
        left = c.suggest()[0].row
        with pytest.raises(UsageError, match="has no answer to change; label it first"):
            c.change(left, after)
        with pytest.raises(DataError, match="is not a class"):
            c.change(row, "nothing")
        journal = c.store.journal.path
    assert {(row, before), (row, after)} <= {
        (e.get("row"), e.get("label")) for e in map(json.loads, journal.read_text().splitlines())
    }
    with project(path) as c:  # opened again, it holds; undo goes back to the first answer
        assert c.classes[c.store.labels[row]] == after
        assert c.undo(row).do == "change"
        assert c.classes[c.store.labels[row]] == before
