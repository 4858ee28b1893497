"""Heat maps and rank diagrams by hand: shades, texts, places, bars over what ties."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is absent")

from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from lal.evaluation.report import export
from lal.evaluation.report.draw import tip
from lal.evaluation.report.draw_tables import Cell, cut, heat_map, rank_diagram, shade
from lal.evaluation.report.theme import LIGHT


@pytest.mark.parametrize(
    ("value", "name"),
    [(2.0, "p4"), (1.1, "p2"), (0.2, "h0"), (0.3, "p1"), (-0.3, "m1"), (-1.5, "m3"), (-9.0, "m4"),
     (0.0, "h0")],
)  # fmt: skip
def test_shades_are_quarters_of_the_deepest(value: float, name: str) -> None:
    assert shade(value, 2.0) == name


def test_long_names_are_cut_to_24_letters() -> None:
    assert cut("x" * 24) == "x" * 24
    assert cut("x" * 25) == "x" * 23 + "…"


@pytest.fixture(scope="module")
def heat() -> Any:
    cells = [[Cell(2.0), Cell(None)], [Cell(-0.5), Cell(7.0, marked=True)]]
    return heat_map(["one", "y" * 30], ["a", "b"], cells, digits=2)


def get_boxes(figure: Any) -> Any:
    (axes,) = figure.axes
    return [one for one in axes.patches if isinstance(one, Rectangle)]


def test_a_heat_map_shades_cells_and_writes_their_numbers(heat: Any) -> None:
    """The deepest shade is that of the largest value that is not marked: 2."""
    boxes = get_boxes(heat)
    assert [to_hex(box.get_facecolor()) for box in boxes] == [
        LIGHT[name] for name in ("p4", "card", "m1", "rule")
    ]
    assert [box.get_xy() for box in boxes] == [
        pytest.approx(at) for at in ((-0.48, -0.46), (0.52, -0.46), (-0.48, 0.54), (0.52, 0.54))
    ]
    assert [(box.get_width(), box.get_height()) for box in boxes] == [(0.96, 0.92)] * 4
    (axes,) = heat.axes
    texts = [(t.get_text(), to_hex(t.get_color()), t.get_position()) for t in axes.texts]
    assert texts == [
        ("+2.00", LIGHT["on4"], (0, 0)), ("", LIGHT["ink"], (1, 0)),
        ("-0.50", LIGHT["ink"], (0, 1)), ("+7.00", LIGHT["soft"], (1, 1)),
    ]  # fmt: skip


def test_cells_say_what_they_are(heat: Any) -> None:
    long = "y" * 30
    said = ["one, a: +2.00", "one, b: not compared", f"{long}, a: -0.50",
            f"{long}, b: +7.00, seen in training"]  # fmt: skip
    assert [box.get_gid() for box in get_boxes(heat)] == [tip(text) for text in said]


def test_a_heat_map_has_its_names_at_top_and_left(heat: Any) -> None:
    (axes,) = heat.axes
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["one", "y" * 23 + "…"]
    assert axes.xaxis.get_ticks_position() == "top"
    assert axes.get_xlim() == (-0.5, 3.5)  # at least four columns wide
    assert axes.get_ylim() == (1.5, -0.5)
    wide = heat_map(["r"], [f"c{i}" for i in range(20)], [[Cell(0.0)] * 20])
    assert wide.get_figwidth() == pytest.approx(1.8 + 0.55 * 20)
    assert wide.get_figheight() == pytest.approx(1.2)
    assert wide.axes[0].get_xlim() == (-0.5, 19.5)
    assert {to_hex(box.get_facecolor()) for box in get_boxes(wide)} == {LIGHT["h0"]}
    assert {t.get_text() for t in wide.axes[0].texts} == {"+0.0"}


@pytest.fixture(scope="module")
def ranks() -> Any:
    names = ["best", "b", "worst of all, with a long name"]
    return rank_diagram(names, np.array([1.25, 1.75, 3.0]), [(0, 1), (1, 2)])


def test_ranks_stand_on_a_line_from_one(ranks: Any) -> None:
    """Two names on the left, one on the right; rows begin above the bars of two groups."""
    (axes,) = ranks.axes
    lines: Any = [(list(map(float, li.get_xdata())), list(map(float, li.get_ydata())))
             for li in axes.get_lines()]  # fmt: skip
    assert lines[0] == ([1, 3], [0, 0])
    assert lines[1:4] == [([k, k], [0, -0.25]) for k in (1, 2, 3)]
    wanted = [
        ([1.25, 1.25, 0.92], [0, 1.9, 1.9]), ([1.75, 1.75, 0.92], [0, 2.9, 2.9]),
        ([3.0, 3.0, 3.08], [0, 1.9, 1.9]), ([1.23, 1.77], [0.45, 0.45]),
        ([1.73, 3.02], [0.9, 0.9]),
    ]  # fmt: skip
    for (x, y), (found_x, found_y) in zip(wanted, lines[4:], strict=True):
        assert found_x == pytest.approx(x)
        assert found_y == pytest.approx(y)
    widths = [li.get_linewidth() for li in axes.get_lines()]
    assert widths == pytest.approx([0.8] * 4 + [0.7] * 3 + [3.0] * 2)
    assert axes.get_xlim() == pytest.approx((0.9, 3.1))
    assert axes.get_ylim() == pytest.approx((3.9, -1))
    assert ranks.get_figheight() == pytest.approx(0.5 + 0.24 * 3.9)
    assert not axes.axison


def test_ranks_are_named_beside_their_lines(ranks: Any) -> None:
    (axes,) = ranks.axes
    found = {t.get_text(): t for t in axes.texts}
    assert list(found) == ["1", "2", "3", "best", "b", "worst of all, with a lo…"]
    assert [found[k].get_position() for k in "123"] == [(k, -0.45) for k in (1, 2, 3)]
    sides = [found[name].get_ha() for name in ("best", "b", "worst of all, with a lo…")]
    assert sides == ["right", "right", "left"]
    assert [found[name].xyann for name in ("best", "worst of all, with a lo…")] == [(-3, 0), (3, 0)]
    assert found["best"].get_gid() == tip("best: mean rank 1.25")
    assert found["worst of all, with a lo…"].get_gid() == tip(
        "worst of all, with a long name: mean rank 3.00"
    )


def test_tables_of_files_have_the_cells_of_the_page(monkeypatch: Any) -> None:
    over = {"new": "n", "these": "t", "counts": "c"}
    row = {"strategy": "mine", "area": "80.00", "n_sets": 3, "margin": over,
           "random": {**over, "new": "r"}, "harm": "5 %", "tail": "-1", "worst": "w", "ms": "2",
           "failed": 1, "seen": "iris", "oracle": False}  # fmt: skip
    cells = ["mine", "80.00", "3", "n", "t", "c", "r", "t", "c", "5 %", "-1", "w", "2", "1", "iris"]
    assert export._strategy(row) == cells
    assert len(export.HEAD) == len(cells)
    assert export.to_csv(("a", "b"), [["1", "x, y"], ["", 'say "z"']]) == (
        'a,b\n1,"x, y"\n,"say ""z"""\n'
    )
    assert export.to_latex(("a", "b_c", "d"), [["1", "5 %", "{~^\\}"]]).splitlines() == [
        r"\begin{tabular}{lrr}", r"\toprule", r"a & b\_c & d \\", r"\midrule",
        r"1 & 5 \% & \{\textasciitilde{}\textasciicircum{}\textbackslash{}\} \\",
        r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip


def test_cells_and_names_of_a_heat_map_are_written_small(heat: Any) -> None:
    (axes,) = heat.axes
    assert {(t.get_size(), t.get_ha(), t.get_va()) for t in axes.texts} == {(8, "center", "center")}
    assert {box.get_linewidth() for box in get_boxes(heat)} == {0}
    assert {(t.get_rotation(), t.get_ha()) for t in axes.get_xticklabels()} == {(35, "left")}
    for axis in (axes.xaxis, axes.yaxis):
        ticks = axis.get_tick_params()
        assert ticks["color"] == ticks["labelcolor"] == LIGHT["ink"]


def test_lines_and_names_of_ranks_are_ink_and_grey(ranks: Any) -> None:
    (axes,) = ranks.axes
    colours = [to_hex(line.get_color()) for line in axes.get_lines()]
    assert colours == [LIGHT["ink"]] * 4 + [LIGHT["soft"]] * 3 + [LIGHT["ink"]] * 2
    numbers, names = axes.texts[:3], axes.texts[3:]
    assert {(to_hex(t.get_color()), t.get_size(), t.get_ha(), t.get_va()) for t in numbers} == {
        (LIGHT["soft"], 8, "center", "bottom")
    }
    assert {(to_hex(t.get_color()), t.get_size(), t.get_va()) for t in names} == {
        (LIGHT["ink"], 8, "center")
    }
    assert {(t.anncoords, t.get_annotation_clip()) for t in names} == {("offset points", False)}
    alone = rank_diagram(["one"], np.array([1.0]), [])
    assert alone.axes[0].get_xlim() == pytest.approx((0.95, 2.05))
    assert alone.axes[0].get_ylim() == pytest.approx((2.0, -1))
