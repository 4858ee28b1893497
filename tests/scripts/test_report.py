"""scripts.report: one self-contained page that says the verdict first."""

import re
from html.parser import HTMLParser

import pytest

import scripts.evaluate as evaluate
import scripts.report as report
from lal.evaluation.store import RunStore
from lal.records import read_json
from scripts.entry import run_main

pytest.importorskip("matplotlib", reason="matplotlib is absent")
pytest.importorskip("jinja2", reason="jinja2 is absent")


class Balanced(HTMLParser):
    """Notices tags that are not closed in order."""

    VOID = ("meta", "link", "br", "line", "rect", "circle", "polyline", "polygon")

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    out = tmp_path_factory.mktemp("store")
    flags = [
        "--suite", "synthetic:xor@1", "synthetic:rings@1", "--learners", "gaussian_nb",
        "--runs", "4", "--budget", "5", "--out", str(out), "--strategies", "random", "margin",
        "mine=entropy", "untrained1=random?stream=1", "untrained2=random?stream=2",
        "shuffled=random?stream=3",
    ]  # fmt: skip
    assert run_main(evaluate.main, evaluate.Config, flags) == 0
    return out


def run(*flags):
    return run_main(report.main, report.Config, [*map(str, flags), "--samples", "200"])


@pytest.fixture(scope="module")
def page(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    assert run(store, "--out", folder / "r.html", "--policy", "mine") == 0
    return folder


def test_the_page_is_one_file_and_asks_for_nothing(page):
    text = (page / "r.html").read_text()
    outside = re.findall(r'(?:src|href)="(?!data:)[^"]*"|https?://(?!www\.w3\.org)[^"\s]*', text)
    assert outside == []
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []


def test_the_verdict_comes_first_and_everything_else_is_there(page):
    text = (page / "r.html").read_text()
    (verdict,) = re.findall(r'id="verdict">([^<]*)<', text)
    assert verdict.startswith(("mine learned: ", "mine did not learn: "))
    assert text.index('id="verdict"') < text.index("<table>")
    for part in ("strategies", "differences", "curves", "power", "failures", "again"):
        assert f'id="{part}"' in text
    assert text.count("<svg") == 4  # differences to margin and random, curves of two data sets
    assert "python -m scripts.evaluate --suite" in text
    assert "prefers-color-scheme: dark" in text
    assert "80 % power" in text


def test_figures_are_png(page):
    files = sorted(p.name for p in (page / "r_figures").iterdir())
    assert files == ["curves.png", "minus_margin.png", "minus_random.png"]
    for name in files:
        assert (page / "r_figures" / name).read_bytes().startswith(b"\x89PNG")


def test_same_store_same_page(store, page, tmp_path):
    assert run(store, "--out", tmp_path / "r.html", "--policy", "mine", "--no-figures") == 0
    assert (tmp_path / "r.html").read_text() == (page / "r.html").read_text()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--policy", "yours"], "yours not in the store"),
        (["--untrained", "nobody"], "nobody not in the store"),
    ],
)
def test_unknown_strategies_are_refused(store, tmp_path, flags, message, capsys):
    assert run(store, "--out", tmp_path / "r.html", *flags) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_no_store_is_one_line(tmp_path, capsys):
    assert run(tmp_path / "none", "--out", tmp_path / "r.html") == 2
    assert "no run store" in capsys.readouterr().err


def test_an_empty_store_is_one_line(tmp_path, capsys):
    (tmp_path / "s" / "cells").mkdir(parents=True)
    assert run(tmp_path / "s", "--out", tmp_path / "r.html") == 2
    assert "holds no cells" in capsys.readouterr().err


def test_the_rows_of_the_page_are_those_of_the_store(store):
    table = RunStore.existing(store).to_table()
    assert table["cell"].nunique() == len(read_json(store / "cells.json"))
