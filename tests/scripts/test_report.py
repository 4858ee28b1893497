"""scripts.report: one self-contained page, the answer first; files; cells played again."""

import csv
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import scripts.report as report
from lal.evaluation import EvaluationConfig, evaluate
from lal.evaluation.analysis.tables import read_table
from lal.evaluation.report.draw import Dot, dot_chart
from lal.evaluation.report.export import to_latex
from lal.evaluation.report.figures import Chart, write_figures
from lal.evaluation.report.leaderboard import leaderboard
from lal.evaluation.report.player import script_json
from lal.evaluation.report.theme import DARK, LIGHT
from lal.evaluation.runs.replay import flat_view, rerun
from lal.evaluation.runs.store import RunStore
from lal.serialization import read_json
from scripts.entry import run_main

pytest.importorskip("matplotlib", reason="matplotlib is absent")
pytest.importorskip("jinja2", reason="jinja2 is absent")

STRATEGIES = (
    "random", "margin", "mine=entropy", "untrained1=random?stream=1&role=untrained",
    "untrained2=random?stream=2&role=untrained", "shuffled=random?stream=3&role=shuffled",
)  # fmt: skip
PARTS = [
    "answer-panel", "strategies", "differences", "labels", "heat", "ranks", "profiles",
    "penalties", "sets", "cost", "seen", "failures", "reproduction", "again",
]  # fmt: skip


SVG = "{http://www.w3.org/2000/svg}"


class Balanced(HTMLParser):
    """Notices tags that are not closed in order."""

    VOID = ("meta", "link", "br", "line", "rect", "polyline", "polygon", "option", "input")

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    out = tmp_path_factory.mktemp("store")
    evaluate(
        EvaluationConfig(
            suite=("synthetic:xor@1", "synthetic:rings@1", "sklearn:iris"), seen=("iris",),
            strategies=STRATEGIES, learners=("gaussian_nb",), runs=4, budget=5, out=out,
        ),
        command="python -m scripts.evaluate --suite synthetic:xor@1",
    )  # fmt: skip
    return out


def run(*flags):
    return run_main(report.main, report.Config, [*map(str, flags), "--samples", "200"])


@pytest.fixture(scope="module")
def page(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    flags = ["--out", folder / "r.html", "--policy", "mine"]
    files = ["--figures", folder / "figures", "--tables", folder / "tables"]
    assert run(store, *flags, *files) == 0
    return folder


def test_the_page_is_one_file_and_asks_for_nothing(page):
    text = (page / "r.html").read_text()
    outside = re.findall(r'(?:src|href)="(?!data:|#)[^"]*"|https?://(?!www\.w3\.org)[^"\s]*', text)
    assert outside == []
    assert "@import" not in text
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []


def test_the_answer_comes_first_and_everything_else_is_there(page):
    text = (page / "r.html").read_text()
    (answer,) = re.findall(r'id="answer">([^<]*)<', text)
    assert answer.startswith(("mine learned: ", "mine did not learn: "))
    assert re.search(r"[+-]\d+\.\d\d points \[[+-]", answer)
    assert text.index('id="answer"') < text.index("<table>")
    for part in PARTS:
        assert f'role="tabpanel" id="{part}"' in text
        assert f'aria-controls="{part}"' in text
    for chart in ("reference_levels", "minus_margin", "curve_minus_margin", "labels_against_random",
                  "heat_minus_margin", "profiles", "cost", "ranks"):  # fmt: skip
        assert f'id="chart-{chart}"' in text
    assert "two classes (" in text
    assert "more classes (" in text
    assert "python -m scripts.evaluate --suite" in text
    assert "prefers-color-scheme: dark" in text
    assert "80 % power" in text


def test_every_chart_is_a_picture_in_three_formats(page):
    files = sorted((page / "figures").iterdir())
    assert {f.suffix for f in files} == {".png", ".svg", ".pdf"}
    assert {"reference_levels.svg", "minus_margin.png", "curves_iris.pdf"} <= {
        f.name for f in files
    }
    begins = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
    for file in files:
        content = file.read_bytes()
        assert content.startswith(begins[file.suffix])
        assert b"20" + b"26-" not in content  # no date: the same store gives the same bytes
    labels = ElementTree.parse(page / "figures" / "minus_margin.svg").iter(f"{SVG}text")
    assert {"iris", "rings", "xor"} <= {text.text for text in labels}  # text stays text


def test_charts_take_every_colour_from_the_theme(page):
    found = re.findall(r'<figure id="chart-([^"]+)".*?(<svg role.*?</svg>)',
                       (page / "r.html").read_text(), flags=re.S)  # fmt: skip
    assert len(found) > 10
    defined = {f"--{name}" for name in LIGHT}
    for name, svg in found:
        assert re.findall(r"#[0-9a-f]{6}", svg) == [], name  # no colour that dark mode keeps
        assert set(re.findall(r"var\((--\w+)\)", svg)) <= defined
        assert "var(--ink)" in svg or "var(--soft)" in svg
    assert set(LIGHT) == set(DARK)
    assert len(set(LIGHT.values())) == len(LIGHT)  # else a colour could become the wrong variable


def test_ids_of_the_page_are_unique_and_marks_say_their_value(page):
    text = (page / "r.html").read_text()
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    for reference in re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', text):
        assert reference in ids
    assert re.search(r"<title>rings: [+-]\d+\.\d\d \[[+-]", text)


def test_names_with_markup_and_formulas_stay_names(tmp_path):
    dots = [Dot('a<b> & $x_1$ "q"', 1.0, 0.5, 1.5), Dot("plain", 0.0, -1.0, 1.0)]
    chart = Chart("odd/name", "x", "t <1>", dot_chart(dots, x_label="$ per label_1"))
    root = ElementTree.fromstring(chart.svg)
    texts = [node.text for node in root.iter(f"{SVG}text")]
    assert 'a<b> & $x_1$ "q"' in texts
    assert "$ per label_1" in texts
    assert root.attrib["aria-label"] == "t <1>"
    assert any(
        (n.text or "").startswith('a<b> & $x_1$ "q": +1.00') for n in root.iter(f"{SVG}title")
    )
    assert [p.name for p in write_figures([chart], tmp_path)] == [
        "odd_name.svg", "odd_name.png", "odd_name.pdf",
    ]  # fmt: skip


def test_tables_are_csv_and_latex(page):
    names = {f.name for f in (page / "tables").iterdir()}
    assert {"strategies.csv", "strategies.tex", "two_classes.csv", "failures.csv"} <= names
    assert "reference_levels.csv" in names
    with (page / "tables" / "strategies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {r["strategy"] for r in rows} == {s.partition("=")[0] for s in STRATEGIES}
    assert (page / "tables" / "seen.tex").read_text().startswith("\\begin{tabular}{lrrrr}")


def test_latex_by_hand():
    text = to_latex(["a", "b"], [["x_1", "50 %"]])
    assert text.splitlines()[2] == r"a & b \\"
    assert text.splitlines()[4] == r"x\_1 & 50 \% \\"


def test_same_store_same_page(store, page, tmp_path):
    assert run(store, "--out", tmp_path / "r.html", "--policy", "mine") == 0
    assert (tmp_path / "r.html").read_text() == (page / "r.html").read_text()


def test_seen_sets_are_grey_and_not_averaged(store, tmp_path):
    manifest = read_json(store / "evaluation.json")
    manifest["seen"] = {"mine": ["iris"]}
    copy = RunStore(tmp_path / "s", "json")
    copy.merge(RunStore.existing(store))
    copy.write_manifest(manifest, RunStore.existing(store).listed())
    assert run(tmp_path / "s", "--out", tmp_path / "r.html", "--policy", "mine") == 0
    text = (tmp_path / "r.html").read_text()
    assert "trained on iris: left out" in text
    assert re.search(r"<title>iris: [^<]*, seen in training</title>", text)
    assert "iris: seen in training by mine, not averaged" in text
    assert re.search(r"With 2 data sets of 4 paired runs", text)


def test_a_run_is_executed_again_from_its_key(store, capsys):
    key = RunStore.existing(store).listed()[0]
    assert run(store, "--rerun", key[:12]) == 0
    assert "the same rows queried, the same metrics to the last digit" in capsys.readouterr().out
    assert run(store, "--rerun", "zz") == 2
    assert "0 runs have keys that start with 'zz'" in capsys.readouterr().err


def test_a_run_that_gives_something_else_is_noticed(store, tmp_path):
    copy = RunStore(tmp_path / "s", "json")
    old = RunStore.existing(store)
    result = next(r for r in old if r.about["strategy"] == "margin")
    result.metrics["accuracy"][-1] += 0.25
    copy.put(result)
    copy.write_manifest(old.manifest(), [result.key])
    found = rerun(copy, result.key)
    assert not found.same
    assert found.largest == pytest.approx(0.25)


def test_a_flat_view_keeps_two_columns_and_finds_the_long_axis():
    rng = np.random.default_rng(0)
    Z = rng.normal(0, [3.0, 1.0], (50, 2))
    flat, how = flat_view(Z)
    assert how == "the two columns"
    assert np.corrcoef(flat[:, 0], Z[:, 0])[0, 1] > 0.999
    wide = np.column_stack([0.1 * rng.normal(size=50), Z])
    flat, how = flat_view(wide)
    assert abs(np.corrcoef(flat[:, 0], Z[:, 0])[0, 1]) > 0.99
    assert how.startswith("two principal components, ")
    assert (flat.min(), flat.max()) == (0, 1000)


def test_text_inside_a_script_cannot_end_it():
    assert "</script>" not in script_json({"name": "</script><b>"})


def test_overviews_say_where_they_come_from(store, tmp_path):
    board, which = tmp_path / "board.md", tmp_path / "which.md"
    assert run(store, "--leaderboard", board, "--which", which) == 0
    text = board.read_text()
    assert "| `margin` |" in text
    assert "paired runs of each: 4; 72 runs finished and 0 failed" in text
    assert f"--leaderboard {board}" in text
    assert "12 of 12" in text
    assert "Preliminary" not in text
    advice = which.read_text()
    for heading in ("By data size", "By number of classes", "By learner", "By batch"):
        assert f"## {heading}" in advice
    assert "python -m scripts.evaluate --suite" in advice
    assert list(tmp_path.glob("*.html")) == []


def test_an_unfinished_evaluation_shows_whole_runs_only(store, tmp_path):
    part = RunStore(tmp_path / "part", "json")
    cells = list(RunStore.existing(store))
    runs = sorted({(c.about["split"], c.about["start"]) for c in cells})
    for cell in cells:
        run_of = (cell.about["split"], cell.about["start"])
        if run_of in runs[:2] or (run_of == runs[2] and cell.about["strategy"] == "margin"):
            part.put(cell)
    part.write_manifest(RunStore.existing(store).manifest(), [c.key for c in cells])
    text = leaderboard(part, command="again", n_samples=100)
    assert "**2 of 4 repetitions.** 45 of 84 planned runs were there" in text
    assert "paired runs of each: 2; 36 runs finished" in text
    assert "6 of 6" in text


def test_other_stores_stand_beside_the_advice(store, tmp_path):
    out = tmp_path / "batch"
    evaluate(
        EvaluationConfig(
            suite=("sklearn:iris",), learners=("gaussian_nb",), runs=2, budget=6, batch_size=3,
            out=out,
        )
    )  # fmt: skip
    which = tmp_path / "which.md"
    assert run(store, "--which", which, "--more", out, store) == 0
    text = which.read_text()
    assert text.index("**batches of 1**") < text.index("**batches of 3**")
    assert "## Another evaluation\n" in text
    assert f"--more {out} {store}" in text


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
    assert "holds no runs" in capsys.readouterr().err


def test_the_rows_of_the_page_are_those_of_the_store(store):
    table = read_table(RunStore.existing(store))
    assert table["run_key"].nunique() == len(read_json(store / "cells.json"))
