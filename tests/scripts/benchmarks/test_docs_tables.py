"""The tables of the pages are those of the JSON files beside them."""

import json
import re
from pathlib import Path

import pytest

from lal.errors import UsageError
from scripts.benchmarks.tables import BEGIN, DOCS, END, Config, main, run, with_tables

PAGES = {path: path.read_text() for path in sorted(DOCS.rglob("*.md"))}
MARKED = [path for path, text in PAGES.items() if BEGIN.search(text)]
OF_WORDS = ("aim", "library | extra", "kind | classes are", "environment | agents",
    "column |", "`--format` | what is read", "| ALPBench (2024)", "what they conclude",
)  # fmt: skip
"""Beginnings of heads of tables that hold no figures."""

RECORDS = sorted({path.parent / file for path in MARKED for file, _ in BEGIN.findall(PAGES[path])})

PAGE = f"before\n<!-- table page.json#squares -->\nold\n{END}\nafter\n"
TABLE = "| i | square |\n|---|---|\n| 2 | 4 |"


@pytest.fixture
def folder(tmp_path):
    rows = [{"i": 2, "square": "4"}]
    record = {"tables": {"squares": {"columns": ["i", "square"], "rows": rows}}}
    (tmp_path / "page.json").write_text(json.dumps(record))
    (tmp_path / "page.md").write_text(PAGE)
    return tmp_path


def test_pages_and_their_json_agree():
    """Whoever edits a number in a page, or measures anew and forgets the page, is told."""
    run(Config(check=True))


def test_there_are_marked_tables():
    assert len(MARKED) >= 10


@pytest.mark.parametrize("path", MARKED, ids=lambda path: path.stem)
def test_tables_of_figures_in_marked_pages_are_all_marked(path):
    """Only tables of words (aims and results, names) are written by hand."""
    outside = re.sub(rf"{BEGIN.pattern}.*?{re.escape(END)}", "", path.read_text(), flags=re.DOTALL)
    heads = re.findall(r"^\|(.*)\|\n\|---", outside, flags=re.MULTILINE)
    assert all(head.strip().startswith(OF_WORDS) for head in heads), heads


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_each_file_says_where_its_rows_come_from(path):
    record = json.loads(path.read_text())
    assert re.fullmatch("[0-9a-f]{7,40}", record["provenance"]["git"]["commit"])
    measured = record.get("command", "")
    for name in record["tables"]:
        assert "python -m scripts." in record.get("commands", {}).get(name, measured), name


def test_tables_are_made_anew(folder):
    assert main(["--folder", str(folder)]) == 0
    page = (folder / "page.md").read_text()
    assert page == PAGE.replace("old", TABLE)
    assert main(["--folder", str(folder), "--check"]) == 0


def test_check_changes_nothing_and_fails(folder, capsys):
    assert main(["--folder", str(folder), "--check"]) == 2
    assert "tables differ from their JSON in" in capsys.readouterr().err
    assert (folder / "page.md").read_text() == PAGE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PAGE.replace("#squares", "#cubes"), "page.json has no table 'cubes'; it has squares"),
        (PAGE.replace(END, ""), "a marked table has no"),
        (PAGE + END, "or no beginning"),
        (PAGE.replace("page.json", "other.json"), "there is no file"),
    ],
)
def test_marks_that_lead_nowhere_are_refused(folder, text, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        with_tables(text, Path(folder / "page.md"))
