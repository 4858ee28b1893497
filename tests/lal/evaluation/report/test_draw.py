"""Charts by hand: where lines, bands, dots and marks are, and what they say."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is absent")

from matplotlib.colors import to_hex

from lal.evaluation.report.charts import _curve_line, _heat_cell, _saving_dot, _shares
from lal.evaluation.report.draw import Dot, Line, Point, cost_chart, dot_chart, line_chart, tip
from lal.evaluation.report.draw_tables import Cell
from lal.evaluation.report.theme import LIGHT

X = np.array([2.0, 3.0, 4.0])


def get_axes(figure: Any) -> Any:
    (axes,) = figure.axes
    assert not any(spine.get_visible() for spine in axes.spines.values())
    return axes


def get_extent(patch: Any) -> tuple[float, float, float, float]:
    box = patch.get_path().get_extents(patch.get_patch_transform())
    return (box.x0, box.x1, box.y0, box.y1)


def test_curves_have_bands_colours_and_names() -> None:
    one = Line("mine", 0, X, X / 10, X / 10 - 0.1, X / 10 + 0.2)
    two = Line("margin", 1, X, X / 5, X / 5, X / 5)
    figure = line_chart([one, two], y_label="accuracy")
    axes = get_axes(figure)
    first, second = axes.get_lines()
    assert first.get_xdata().tolist() == X.tolist()
    assert second.get_ydata() == pytest.approx(X / 5)
    assert [to_hex(li.get_color()) for li in (first, second)] == [LIGHT["c0"], LIGHT["c1"]]
    assert [li.get_linestyle() for li in (first, second)] == ["-", "--"]
    assert [li.get_gid() for li in (first, second)] == [tip("mine"), tip("margin")]
    assert first.get_linewidth() == 1.6
    band = axes.collections[0].get_paths()[0].vertices
    at_two = band[band[:, 0] == 2.0, 1]
    assert (at_two.min(), at_two.max()) == pytest.approx((0.1, 0.4))
    assert axes.collections[0].get_alpha() == 0.13
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("labels acquired", "accuracy")
    assert axes.get_xlim() == (2.0, 4.0)
    assert tuple(figure.get_size_inches()) == pytest.approx((5.6, 3.1))


def test_differences_have_a_zero_line_and_its_region() -> None:
    axes = get_axes(line_chart([], y_label="points", x_label="gain", rope=0.2))
    (zero,) = axes.get_lines()
    assert list(zero.get_ydata()) == [0, 0]
    (region,) = axes.patches
    assert get_extent(region)[2:] == pytest.approx((-0.2, 0.2))
    assert to_hex(region.get_facecolor()) == LIGHT["rope"]
    assert axes.get_xlabel() == "gain"


DOTS = [
    Dot("a", 1.0, 0.5, 2.0), Dot("b", -1.0, -2.0, -0.5, marked=True, style=1),
    Dot("c", 3.0, 3.0, 4.0, censored=True, style=2),
]  # fmt: skip


def test_dots_stand_in_rows_with_their_intervals() -> None:
    figure = dot_chart(DOTS, x_label="points", rope=0.2)
    axes = get_axes(figure)
    line, *marks = axes.get_lines()
    assert list(line.get_xdata()) == [0, 0]
    places = [(float(m.get_xdata()[0]), float(m.get_ydata()[0])) for m in marks]
    assert places == [(1.0, 0.0), (-1.0, 1.0), (3.0, 2.0)]
    assert [m.get_marker() for m in marks] == ["o", "o", ">"]
    colours = [LIGHT["c0"], LIGHT["soft"], LIGHT["c2"]]
    assert [to_hex(m.get_color()) for m in marks] == colours
    assert [m.get_gid() for m in marks] == [
        tip("a: +1.00 [+0.50, +2.00]"), tip("b: -1.00 [-2.00, -0.50], seen in training"),
        tip("c: at least +3.00 [+3.00, +4.00]"),
    ]  # fmt: skip
    spans = [part.get_segments()[0].tolist() for part in axes.collections]
    assert spans == [
        [[0.5, 0], [2.0, 0]], [[-2.0, 1], [-0.5, 1]], [[3.0, 2], [4.0, 2]],
    ]  # fmt: skip
    assert [to_hex(part.get_color()[0]) for part in axes.collections] == colours
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "c"]
    assert axes.get_ylim() == pytest.approx((2.6, -0.6))
    assert axes.get_xlabel() == "points"
    assert figure.get_figheight() == pytest.approx(0.6 + 0.24 * 3)
    (region,) = axes.patches
    assert get_extent(region)[:2] == pytest.approx((-0.2, 0.2))


def test_the_upright_line_is_where_it_is_wanted() -> None:
    axes = get_axes(dot_chart(DOTS, x_label="ratio", reference=1.0, rope=0.5))
    assert list(axes.get_lines()[0].get_xdata()) == [1.0, 1.0]
    assert get_extent(axes.patches[0])[:2] == pytest.approx((0.5, 1.5))
    assert len(get_axes(dot_chart(DOTS, x_label="x", reference=None, rope=0.5)).get_lines()) == 3
    assert not get_axes(dot_chart(DOTS, x_label="x")).patches


def test_gain_is_drawn_against_time() -> None:
    points = [Point("fast", 0.0, -1.0, 0), Point("slow", 20.0, 2.0, 3)]
    axes = get_axes(cost_chart(points, y_label="minus margin"))
    marks = axes.get_lines()
    assert [(float(m.get_xdata()[0]), float(m.get_ydata()[0])) for m in marks] == [
        (1e-3, -1.0), (20.0, 2.0),
    ]  # fmt: skip
    assert [m.get_gid() for m in marks] == [
        tip("fast: 0.00 ms, -1.00 points"), tip("slow: 20.00 ms, +2.00 points"),
    ]  # fmt: skip
    assert [to_hex(m.get_color()) for m in marks] == [LIGHT["c0"], LIGHT["c3"]]
    assert [(t.get_text(), t.xy, t.xyann) for t in axes.texts] == [
        ("fast", (1e-3, -1.0), (6, 0)), ("slow", (20.0, 2.0), (6, 0)),
    ]  # fmt: skip
    assert axes.get_xscale() == "log"
    assert axes.get_xlim() == pytest.approx((0.0005, 100.0))
    assert axes.xaxis.get_major_formatter()(0.25, 0) == "0.25"
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "milliseconds per query (log)", "minus margin",
    )  # fmt: skip


def test_parts_of_charts_by_hand() -> None:
    class Page:
        styles = {"s": 3}  # noqa: RUF012

        class curves:
            curves = {"d": {"s": {0: X, 1: X + 2}, "one": {0: X}}}  # noqa: RUF012

    page: Any = Page
    line = _curve_line(page, "d", "s", X)
    assert (line.name, line.style, line.x is X) == ("s", 3, True)
    assert line.y == pytest.approx(X + 1)
    error = 1.96 * np.sqrt(2) / np.sqrt(2)  # two runs, one to each side of the mean
    assert line.low == pytest.approx(X + 1 - error)
    assert line.high == pytest.approx(X + 1 + error)
    page.styles = {"one": 0}
    alone = _curve_line(page, "d", "one", X)
    assert alone.low == pytest.approx(X)
    assert alone.high == pytest.approx(X)
    gains = {("d", "knn"): 1.5, ("d", "nan"): float("nan")}
    found = [_heat_cell(gains, "d", name, name == "knn") for name in ("knn", "nan", "none")]
    assert found == [Cell(1.5, True), Cell(None), Cell(None)]
    shares = _shares(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]), np.array([0.5, 1.0, 2.5]))
    assert shares == pytest.approx([1.0, (0.5 + 1) / 2, (0 + 1) / 2])
    saving: Any = type("S", (), {"dataset": "d", "ratio": 0.5, "low": 0.4, "high": 0.6,
                                 "censored": True})  # fmt: skip
    assert _saving_dot(saving, True) == Dot("d", 0.5, 0.4, 0.6, marked=True, censored=True)


def strokes(parts: Any) -> set[tuple[str, float]]:
    """Colour and width of lines, as many kinds as there are."""
    return {(to_hex(part.get_color()), part.get_linewidth()) for part in parts}


def test_figures_have_no_ground_and_small_grey_numbers() -> None:
    figure = line_chart([Line("a", 0, X, X, X, X)], y_label="y", rope=0.2)
    axes = get_axes(figure)
    assert figure.get_facecolor() == axes.get_facecolor() == (0, 0, 0, 0)
    assert type(figure.get_layout_engine()).__name__ == "ConstrainedLayoutEngine"
    assert axes.get_axisbelow() is True
    for axis in (axes.xaxis, axes.yaxis):
        ticks = axis.get_tick_params()
        assert (ticks["length"], ticks["labelsize"]) == (0, 8)
        assert ticks["color"] == ticks["labelcolor"] == LIGHT["soft"]
        assert (to_hex(axis.label.get_color()), axis.label.get_size()) == (LIGHT["ink"], 9)


def test_lines_bands_and_grids_of_curves_are_thin() -> None:
    axes = get_axes(line_chart([Line("a", 0, X, X, X - 1, X + 1)], y_label="y", rope=0.2))
    assert strokes(axes.get_lines()[:1]) == {(LIGHT["ink"], 0.8)}
    (region,), (band,) = axes.patches, axes.collections
    assert (region.get_alpha(), region.get_linewidth()) == (0.22, 0)
    assert (band.get_linewidth()[0], to_hex(band.get_facecolor()[0])) == (0, LIGHT["c0"])
    assert strokes(axes.get_ygridlines()) == {(LIGHT["rule"], 0.7)}
    assert all(line.get_visible() for line in axes.get_ygridlines())
    assert not any(line.get_visible() for line in axes.get_xgridlines())


def test_marks_and_spans_of_dots_are_of_one_size() -> None:
    axes = get_axes(dot_chart(DOTS, x_label="x", rope=0.5))
    reference, *marks = axes.get_lines()
    assert strokes([reference]) == {(LIGHT["ink"], 0.8)}
    assert {mark.get_markersize() for mark in marks} == {6}
    assert {float(part.get_linewidth()[0]) for part in axes.collections} == {1.6}
    (region,) = axes.patches
    assert (region.get_alpha(), region.get_linewidth()) == (0.22, 0)
    assert to_hex(region.get_facecolor()) == LIGHT["rope"]
    assert {to_hex(text.get_color()) for text in axes.get_yticklabels()} == {LIGHT["ink"]}
    assert strokes(axes.get_xgridlines()) == {(LIGHT["rule"], 0.5)}
    assert all(line.get_visible() for line in axes.get_xgridlines())
    assert not any(line.get_visible() for line in axes.get_ygridlines())


def test_points_of_gain_against_time_are_named_beside_their_marks() -> None:
    figure = cost_chart([Point("fast", 0.5, -1.0, 0)], y_label="y")
    axes = get_axes(figure)
    ((mark,), (name,)) = axes.get_lines(), axes.texts
    assert (mark.get_marker(), mark.get_markersize(), mark.get_linestyle()) == ("o", 6, "None")
    assert (name.get_size(), name.get_va(), to_hex(name.get_color())) == (8, "center", LIGHT["ink"])
    assert name.anncoords == "offset points"
    for lines in (axes.get_xgridlines(), axes.get_ygridlines()):
        assert strokes(lines) == {(LIGHT["rule"], 0.7)}
        assert all(line.get_visible() for line in lines)
    assert type(axes.xaxis.get_minor_locator()).__name__ == "NullLocator"
    assert tuple(figure.get_size_inches()) == pytest.approx((5.6, 3.5))
