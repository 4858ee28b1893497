"""The field's list: complete, true of the registries, and its page up to date."""

import json
import re

import pytest

from agents import AGENTS
from envs.registration import OUR_IDS
from lal.learners import LEARNERS
from lal.policies.kinds import list_policies
from lal.registry import import_attribute
from lal.search.strategies import SEARCH_STRATEGIES
from lal.strategies.base import STRATEGIES, make_strategy
from lal.streams.strategies import STREAM_STRATEGIES
from lal.synthesis.strategies import SYNTHESIS
from lal.tasks.conditions import CONDITIONS
from scripts.row_checks.base import CHECKS, STATES, Outcome, all_of, load_rows
from scripts.rows import DOCS, main, page, run_check

ROWS = load_rows()
FIGURES = json.loads((DOCS / "rows.json").read_text())
QUICK = ("3", "10", "18", "52", "75", "83")
INTEGRATIONS = ("modal", "alipy", "baal")


def exists(kind: str, name: str) -> bool:
    if kind == "strategy":
        return name in STRATEGIES or callable(make_strategy(name).utilities)
    if kind == "class":
        return isinstance(import_attribute(name), type)
    if kind == "command":
        return callable(import_attribute(f"scripts.{name}:main"))
    if kind == "page":
        return (DOCS / name).exists()
    known = {
        "condition": CONDITIONS.names(),
        "agent": AGENTS.names(),
        "environment": OUR_IDS,
        "policy": list_policies(),
        "learner": LEARNERS.names(),
        "integration": INTEGRATIONS,
        "search": SEARCH_STRATEGIES.names(),
        "stream": STREAM_STRATEGIES.names(),
        "synthesis": SYNTHESIS.names(),
    }
    return name in known[kind]


def test_all_rows_are_there():
    assert [row.number for row in ROWS] == list(range(1, 92))
    assert len({row.id for row in ROWS}) == 91
    assert {row.state for row in ROWS} <= set(STATES)


@pytest.mark.parametrize("row", [row for row in ROWS if row.has], ids=lambda row: row.id)
def test_what_a_row_names_is_in_a_registry(row):
    assert row.state != "no"
    for what in row.has:
        kind, _, name = what.partition(":")
        assert exists(kind, name), what


def test_rows_that_are_not_here_name_nothing_and_have_no_check():
    missing = [row for row in ROWS if row.state == "no"]
    assert not [row.id for row in missing if row.has or str(row.number) in CHECKS]


def test_the_page_is_made_from_the_list_and_the_last_checks():
    assert (DOCS / "rows.md").read_text() == page(ROWS, FIGURES), (
        "run: python -m scripts.rows --page"
    )


def test_every_check_was_run_and_its_figure_kept():
    assert sorted(FIGURES, key=int) == sorted(CHECKS, key=int)
    for kept in FIGURES.values():
        assert re.fullmatch("[0-9a-f]{7,40}", kept["commit"])
        assert kept["seconds"] < 240  # two minutes on two cores


@pytest.mark.parametrize("number", QUICK)
def test_quick_checks_pass_and_repeat_their_figures(number, capsys):
    kept = run_check(int(number))
    assert kept["passed"]
    assert kept["figure"] == FIGURES[number]["figure"]
    assert "passed" in capsys.readouterr().out


def test_a_fact_that_does_not_hold_is_marked():
    assert all_of((True, "a"), (False, "b")) == Outcome(False, "a; NOT b")


def test_the_list_is_printed(capsys):
    assert main([]) == 0
    assert "not here yet" in capsys.readouterr().out


def test_a_row_without_a_check_is_refused(capsys):
    row = next(row for row in ROWS if str(row.number) not in CHECKS)
    assert main([str(row.number)]) == 2
    sentence = f"row {row.number}, {row.id}, has no check yet; rows with a check: 1"
    assert sentence in capsys.readouterr().err
    assert main(["95"]) == 2
    assert "is not in the list" in capsys.readouterr().err


def test_a_check_that_does_not_pass_ends_with_an_error(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(CHECKS._members, "52", lambda: Outcome(False, "NOT even"))
    assert main(["52", "--figures", str(tmp_path / "rows.json")]) == 2
    assert "the check of row 52 did not pass" in capsys.readouterr().err
    assert json.loads((tmp_path / "rows.json").read_text())["52"]["figure"] == "NOT even"
