"""scripts.label: the prompt, suggestions and answers, and two kills in the middle."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scripts.label as label
from scripts.cli import main
from scripts.entry import run_main
from scripts.label_prompt import understand

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("ant", "bee", "cow")


def write_table(path, n):
    """Write a table whose rows' classes can be read from their ids, and return the file's text."""
    rng = np.random.default_rng(3)
    codes = rng.integers(3, size=n)
    X = rng.normal(size=(n, 4)) + 2.0 * np.eye(3, 4)[codes]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["key", "p", "q", "r", "s", "shade", "label"])
    for i in range(n):
        cells = ["" if rng.random() < 0.05 else f"{v:.3f}" for v in X[i]]
        writer.writerow([f"{i}-{CLASSES[codes[i]]}", *cells, "light" if i % 3 else "dark", ""])
    path.write_text(out.getvalue())
    return out.getvalue()


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "data.csv"
    write_table(path, 60)
    return path


def run(monkeypatch, path, lines="", *flags):
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    return run_main(
        label.main,
        label.Config,
        [str(path), "--classes", *CLASSES, "--id", "key", "--policy", "margin", *flags],
    )


def get_labels(path):
    with path.open(newline="") as file:
        return {row["key"]: row["label"] for row in csv.DictReader(file) if row["label"]}


@pytest.mark.parametrize(
    ("text", "classes", "meaning"),
    [
        ("2", CLASSES, ("label", "bee")),
        ("cow", CLASSES, ("label", "cow")),
        ("4", CLASSES, None),
        ("0", CLASSES, None),
        ("s", CLASSES, ("skip", "")),
        ("skip", CLASSES, ("skip", "")),
        ("u", CLASSES, ("undo", "")),
        ("s", ("s", "t"), ("label", "s")),
        ("skip", ("s", "t"), ("skip", "")),
        ("1", ("1", "0"), ("label", "1")),
        ("2", ("1", "0"), None),
        ("", CLASSES, None),
    ],
)
def test_what_a_line_means(text, classes, meaning):
    assert understand(text, classes) == meaning


def test_a_session(monkeypatch, table, capsys):
    before = table.read_bytes()
    assert run(monkeypatch, table, "1\nbee\nu\ns\nwhat\np\n3\nq\n") == 0
    out = capsys.readouterr().out
    assert "took back the label bee" in out
    assert "'what' is neither a class nor a command" in out
    assert "no accuracy yet: 2 of at least 20 labels" in out
    assert "c ROW CLASS change, q quit]" in out  # nothing is to be settled
    assert "the choice is random" in out
    assert "the model says" in out
    skipped = out.split("skipped rows: ")[1].splitlines()[0]
    found = get_labels(table.with_name("data.labelled.csv"))
    assert sorted(found.values()) == ["ant", "cow"]
    assert skipped not in found
    assert table.read_bytes() == before
    assert run(monkeypatch, table, "q\n") == 0
    assert f"skipped rows: {skipped}" in capsys.readouterr().out


def test_an_earlier_answer_is_changed(monkeypatch, table, capsys):
    assert run(monkeypatch, table, "1\nq\n") == 0
    (key,) = get_labels(table.with_name("data.labelled.csv"))
    lines = [f"c {key} 3", "c", f"c {key} what", "c nobody 1", f"change {key} cow", "u", "q"]
    capsys.readouterr()
    assert run(monkeypatch, table, "\n".join(lines) + "\n") == 0
    out = capsys.readouterr().out
    assert f"row {key} is cow now" in out
    assert out.count("to change an answer, type: c ROW CLASS") == 2
    assert "no row of 'data.csv' has the 'key' 'nobody'" in out
    assert f"row {key} is labelled 'cow' already" in out
    assert f"took back the change cow of row {key}" in out
    assert get_labels(table.with_name("data.labelled.csv")) == {key: "ant"}


def test_doubts_and_notes_at_the_prompt(monkeypatch, table, capsys):
    assert run(monkeypatch, table, "# blurred\nn\n#\n# two wings\n2\np\nq\n") == 0
    out = capsys.readouterr().out
    assert "note: blurred; it is kept with your answer" in out
    assert "no note" in out
    doubt = out.split("not sure about row ")[1].split(";")[0]
    assert f"not sure about rows: {doubt}" in out
    assert "59 left (1 of them not sure)" in out
    with table.with_name("data.labelled.csv").open(newline="") as file:
        found = {row["key"]: row for row in csv.DictReader(file)}
    assert (found[doubt]["label"], found[doubt]["_unsure"]) == ("", "yes")
    assert found[doubt]["_note"] == "blurred"
    assert [r["_note"] for r in found.values() if r["label"] == "bee"] == ["two wings"]
    assert run(monkeypatch, table, "u\nu\nu\nq\n") == 0
    out = capsys.readouterr().out
    assert f"took back the not sure of row {doubt}" in out
    assert "there is nothing to undo" in out


def test_two_annotators_at_the_prompt(monkeypatch, table, capsys):
    assert run(monkeypatch, table, "1\n1\n1\n1\nq\n", "--annotator", "ada") == 0
    ada = get_labels(table.with_name("data.labelled.csv"))
    bob = ("--annotator", "bob", "--overlap-every", "1")
    capsys.readouterr()
    assert run(monkeypatch, table, "u\n1\n2\n# sure\n1\n1\np\nq\n", *bob) == 0
    out = capsys.readouterr().out
    assert "was given by 'ada' and can be taken back by them only" in out
    assert out.count("answered by another annotator; your answer shows how far you agree") == 4
    assert "ada and bob agree on 75% of 4 rows (Cohen's kappa 0.00)" in out
    assert "1 disagreements to settle" in out
    line = next(line for line in out.splitlines() if "ada says ant, bob says bee" in line)
    key = line.split()[1].rstrip(":")
    assert set(get_labels(table.with_name("data.labelled.csv")).items()) == set(ada.items())
    lines = f"d {key}\nd {key} 2\nd {key} 2\nq\n"
    assert run(monkeypatch, table, lines, "--annotator", "cy") == 0
    out = capsys.readouterr().out
    assert "to settle an answer, type: d ROW CLASS" in out
    assert "c ROW CLASS change, d ROW CLASS settle, q quit]" in out
    assert f"row {key} is bee now" in out
    assert get_labels(table.with_name("data.labelled.csv"))[key] == "bee"
    assert run(monkeypatch, table, "", "--disagreements") == 0
    said = capsys.readouterr()
    (row,) = csv.DictReader(io.StringIO(said.out))
    assert row == {
        "key": key, "ada": "ant", "bob": "bee", "label": "bee", "settled": "yes", "_note": "",
    }  # fmt: skip
    assert "ada and bob agree on 75% of 4 rows" in said.err
    assert run(monkeypatch, table, "", "--overlap-every", "3") == 2
    assert "a second opinion is that of a named annotator" in capsys.readouterr().err
    assert run(monkeypatch, table, "", "--disagreements", "--web") == 2


def test_three_commands_from_a_csv_of_texts_to_a_question(monkeypatch, tmp_path, capsys):
    page = (ROOT / "docs/guide/label.md").read_text()
    block = page.split("takes three commands:")[1].split("```")[1]
    install, command, answer = block.strip().splitlines()
    assert install.startswith("pip install '.[web]'")
    good, bad = "a lovely film, warm and clever", "a dull film, slow and loud"
    lines = [f'{k},"{(good, bad)[k % 2]}, seen {k} times"' for k in range(40)]
    (tmp_path / "reviews.csv").write_text("number,review\n" + "\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    keys = [answer.split("#")[0].strip(), "2", "q"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(keys) + "\n"))
    program, *arguments = command.split()
    assert (program, main(arguments)) == ("lal", 0)
    asked = capsys.readouterr().out.split("\nrow ")[1:]
    assert len(asked) == 3
    assert all(("lovely" in question) or ("dull" in question) for question in asked)
    assert "the choice is random" in asked[0]
    assert "the model says" in asked[2]


def test_a_folder_of_images_with_a_function_from_a_file(monkeypatch, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(8):
        (folder / f"{i}.png").write_bytes(b"never opened")
    made = tmp_path / "mine.py"
    made.write_text("def embed(paths):\n    return [[int(p.stem), 1.0] for p in paths]\n")
    flags = ["--classes", "low", "high", "--embed", f"{made}:embed", "--policy", "margin"]
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n2\nq\n"))
    assert run_main(label.main, label.Config, [str(folder), *flags]) == 0
    out = capsys.readouterr().out
    assert "photos.images.csv: learning from image" in out
    assert "the model says" in out
    assert (tmp_path / "photos.images.labelled.csv").exists()
    flags[4] = f"{made}:nothing"
    assert run_main(label.main, label.Config, [str(folder), *flags]) == 2
    assert "has no 'nothing'; it has embed" in capsys.readouterr().err
    flags[4] = f"{tmp_path}/absent.py:embed"
    assert run_main(label.main, label.Config, [str(folder), *flags]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_every_row_until_none_is_left(monkeypatch, table, capsys):
    assert (
        run(monkeypatch, table, "s\n" + "1\n2\n3\n" * 40, "--stop", "stabilising_predictions") == 0
    )
    out = capsys.readouterr().out
    assert "no row is left to ask" in out
    assert "59 of 60 rows labelled" in out
    assert "accuracy" in out
    assert "stopping rule: predictions are" in out


def test_suggest_only_prints_and_answers_come_back(monkeypatch, table, capsys, tmp_path):
    assert run(monkeypatch, table, "", "--suggest", "5") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 5
    assert not table.with_name("data.labelled.csv").exists()
    answers = tmp_path / "answers.csv"
    with answers.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"label": row["key"].split("-")[1]} for row in rows[:4])
    assert run(monkeypatch, table, "", "--answers", str(answers), "--suggest", "3") == 0
    streams = capsys.readouterr()
    assert "4 new answers" in streams.err
    again = list(csv.DictReader(io.StringIO(streams.out)))
    assert not {row["key"] for row in again} & {row["key"] for row in rows[:4]}
    assert get_labels(table.with_name("data.labelled.csv")) == {
        row["key"]: row["key"].split("-")[1] for row in rows[:4]
    }


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--suggest", "-1"], "suggest must be at least 0"),
        (["--suggest", "2", "--web"], "leave out --web"),
        (["--policy", "nope"], "unknown strategy 'nope'"),
        (["--answers", "nowhere.csv"], "cannot read 'nowhere.csv'"),
        (["--out", "data.csv"], "is the table itself"),
    ],
)
def test_wrong_flags_give_one_line(monkeypatch, table, capsys, flags, message):
    monkeypatch.chdir(table.parent)
    assert run(monkeypatch, table, "", *flags) == 2
    assert message in capsys.readouterr().err


def test_files_that_are_something_else_are_left_alone(monkeypatch, table, capsys):
    """Each of these replaced or cut the file once, with exit code 0."""
    monkeypatch.chdir(table.parent)
    kept = {
        "notes.txt": "remember",
        "other.csv": "a,b\n1,2",
        "data.labelled.csv": "key,label\n1-bee,cow\n",
        "answers.csv": "key,label\n" + table.read_text().split("\n")[1].split(",")[0] + ",ant\n",
    }
    for name, text in kept.items():
        table.with_name(name).write_text(text)
    out = ("--out", "mine.csv")
    for flags, message in (
        (("--journal", "notes.txt", *out), "is not a journal"),
        (("--journal", "other.csv", *out), "is not a journal"),
        (("--journal", "data.csv", *out), "is not a journal"),
        ((), "data.labelled.csv' is there already and is not a copy of the table"),
        (("--out", "other.csv"), "is there already"),
        (("--out", "data.journal.jsonl"), "is the journal, which is never changed"),
        (("--answers", "answers.csv", "--out", "answers.csv"), "is there already"),
        (("--out", "/dev/null"), "is not a regular file"),
    ):
        assert run(monkeypatch, table, "1\nq\n", *flags) == 2
        assert message in capsys.readouterr().err
    for name, text in kept.items():
        assert table.with_name(name).read_text() == text
    journal = table.with_name("data.journal.jsonl").read_text()
    assert journal.count("\n") == 1  # and no answer was taken before the refusal


def test_a_second_project_on_a_table_has_a_copy_of_its_own(monkeypatch, table, tmp_path):
    assert run(monkeypatch, table, "1\nq\n") == 0
    first = get_labels(tmp_path / "data.labelled.csv")
    journal = str(tmp_path / "random.journal.jsonl")
    assert run(monkeypatch, table, "2\nq\n", "--policy", "random", "--journal", journal) == 0
    assert get_labels(tmp_path / "data.labelled.csv") == first
    assert list(get_labels(tmp_path / "random.labelled.csv").values()) == ["bee"]
    assert label.default_out(Path("x/answers")) == Path("x/answers.labelled.csv")


def test_no_control_sequence_reaches_the_terminal(monkeypatch, tmp_path, capsys):
    path = tmp_path / "data.csv"
    head = "key,p\x1b[31m,note,label\n"
    rows = (f"{i},{i % 3},\x1b]0;x\x07\u202e{i % 2}\x9b2J," for i in range(9))
    path.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    classes = ["ant", "bee\x1b[1m"]
    monkeypatch.setattr("sys.stdin", io.StringIO("1\nbee\x1b[1m\nx\x1b[2J\nu\nq\n"))
    flags = [str(path), "--classes", *classes, "--id", "key", "--policy", "margin"]
    assert run_main(label.main, label.Config, flags) == 0
    said = capsys.readouterr()
    assert not set("\x1b\x07\x9b\u202e") & set(said.out + said.err)
    assert "\\x1b]0;x\\x07\\u202e" in said.out
    assert run_main(label.main, label.Config, [*flags, "--suggest", "2"]) == 0
    assert "\x1b]0;x\x07" in capsys.readouterr().out  # a file keeps its cells


def test_labels_like_missing_values_get_a_word(monkeypatch, tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text("a,label\n" + "1,no\n2,yes\n3,NA\n" * 3)
    monkeypatch.setattr("sys.stdin", io.StringIO("q\n"))
    assert run_main(label.main, label.Config, [str(path), "--policy", "margin"]) == 0
    said = capsys.readouterr()
    assert "note: 3 cells of 'label' hold 'NA'" in said.err
    assert "6 of 9 rows labelled (no 3, yes 3), 0 skipped, 3 left" in said.out


class Labeller:
    """A real process at the prompt, answered as a person would."""

    def __init__(self, path):
        flags = [str(path), "--classes", *CLASSES, "--id", "key", "--policy", "margin"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scripts.label", *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def asked(self):
        """Return the id of the row on the screen, and what was said before it."""
        said = b""
        while not said.endswith(b"quit] > "):
            part = os.read(self.stdout.fileno(), 65536)
            assert part, said.decode()
            said += part
        text = said.decode()
        return text.rsplit("\nrow ", 1)[1].split("\n", 1)[0], text

    def say(self, line):
        self.stdin.write(f"{line}\n".encode())
        self.stdin.flush()

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL
        self.stdin.close()
        self.stdout.close()


@pytest.mark.slow
def test_killed_twice_nothing_is_asked_twice_and_nothing_lost(tmp_path):
    path = tmp_path / "data.csv"
    text = write_table(path, 5000)
    acknowledged: dict[str, str] = {}
    skipped: list[str] = []
    journal = tmp_path / "data.journal.jsonl"

    def sit(n_answers):
        """Answer rows, then send one more answer and kill before its receipt is read."""
        labeller = Labeller(path)
        for turn in range(n_answers):
            name, _ = labeller.asked()
            assert name not in acknowledged
            assert name not in skipped
            if turn == 7:
                labeller.say("s")
                skipped.append(name)
            else:
                acknowledged[name] = name.split("-")[1]
                labeller.say(acknowledged[name])
        name, said = labeller.asked()  # the receipt of the last answer
        assert "is " in said or "skipped" in said
        assert name not in acknowledged
        return labeller, name

    for n_answers in (25, 15):
        labeller, name = sit(n_answers)
        labeller.say(name.split("-")[1])
        labeller.kill()
        lines = [json.loads(line) for line in journal.read_text().splitlines() if line[-1:] == "}"]
        done = {e["name"]: e["label"] for e in lines if e.get("do") == "label"}
        assert {**done, **acknowledged} == done  # all that was acknowledged is there
        acknowledged |= done  # the last answer may have made it, too
    labeller, name = sit(12)
    labeller.say("q")
    assert labeller.process.wait(60) == 0
    rest = labeller.stdout.read().decode()
    labeller.stdin.close()
    labeller.stdout.close()
    assert get_labels(tmp_path / "data.labelled.csv") == acknowledged
    assert f"{len(acknowledged)} of 5000 rows labelled" in rest
    assert f"skipped rows: {', '.join(skipped)}" in rest
    assert path.read_text() == text
    events = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    names = [event["name"] for event in events]
    assert len(names) == len(set(names)) == len(acknowledged) + len(skipped)
