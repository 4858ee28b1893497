"""The picture of all mean curves: what each line is, where it ends up, and how it is written."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is absent")

from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from lal.evaluation.report import overview
from lal.evaluation.report.figures import METADATA
from lal.evaluation.report.overview import _get_mean, draw_overview
from lal.evaluation.report.theme import LIGHT

CURVES = {
    "a": {("l", 0, 0): np.array([0.5, 0.7, 0.9]), ("l", 1, 0): np.array([0.7, 0.7, 0.9])},
    "b": {("l", 0, 0): np.array([0.1, 0.3, 0.1]), ("l", 1, 0): np.array([0.3, 0.5, 0.1])},
}


@pytest.fixture(scope="module")
def page() -> Any:
    names = ("one", "two", "three", "four")
    n = {name: np.array([2, 3, 4]) for name in names}
    curves = SimpleNamespace(n=n, curves=dict.fromkeys(names, CURVES))
    return SimpleNamespace(curves=curves, metric="balanced_accuracy")


@pytest.fixture(scope="module")
def drawn(page: Any, tmp_path_factory: Any) -> Any:
    """The figure, and how it was made and saved."""
    noted: dict[str, Any] = {}

    class Noted(Figure):
        def __init__(self, **options: Any) -> None:
            noted["options"] = options
            super().__init__(**options)
            noted["figure"] = self

        def savefig(self, fname: Any, **options: Any) -> None:
            noted["saved"] = options
            super().savefig(fname, **options)

    def require(module: str, extra: str) -> Any:
        assert (module, extra) == ("matplotlib.figure", "report")
        return SimpleNamespace(Figure=Noted)

    path = tmp_path_factory.mktemp("overview") / "x.png"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overview, "require", require)
        noted["path"] = draw_overview(page, {"mine": ["a"], "mean": ["a", "b"]}, path)
    return noted


def test_curves_of_several_methods_are_averaged_run_by_run(page: Any) -> None:
    assert _get_mean(page, "one", ["a", "b"]) == pytest.approx(
        np.array([[0.3, 0.5, 0.5], [0.5, 0.6, 0.5]])
    )
    assert _get_mean(page, "one", ["b"]) == pytest.approx(np.array([*CURVES["b"].values()]))


def test_every_data_set_has_its_place_in_rows_of_three(drawn: Any) -> None:
    axes = drawn["figure"].axes
    assert [one.get_title() for one in axes] == ["one", "two", "three", "four"]
    places = [one.get_subplotspec().get_geometry() for one in axes]
    assert places == [(2, 3, i, i) for i in range(4)]
    options = drawn["options"]
    assert options["figsize"] == pytest.approx((7.8, 4.4))
    assert (options["layout"], options["facecolor"]) == ("constrained", LIGHT["bg"])


def test_lines_are_means_and_shades_are_intervals_of_the_runs(drawn: Any) -> None:
    (axes, *_) = drawn["figure"].axes
    lines = axes.get_lines()
    assert [line.get_label() for line in lines] == ["mine", "mean"]
    assert lines[0].get_xdata().tolist() == [2, 3, 4]
    assert lines[0].get_ydata() == pytest.approx([0.6, 0.7, 0.9])
    assert lines[1].get_ydata() == pytest.approx([0.4, 0.55, 0.5])
    assert [to_rgba(line.get_color()) for line in lines] == [
        to_rgba(LIGHT["c0"]), to_rgba(LIGHT["c1"]),
    ]  # fmt: skip
    assert [line.get_linestyle() for line in lines] == ["-", "--"]
    shade = axes.collections[0].get_paths()[0].vertices
    error = 1.96 * np.std([0.5, 0.7], ddof=1) / np.sqrt(2)
    at_two = shade[shade[:, 0] == 2, 1]
    assert (at_two.min(), at_two.max()) == pytest.approx((0.6 - error, 0.6 + error))
    assert shade[shade[:, 0] == 4, 1] == pytest.approx(0.9)


def test_a_picture_names_its_lines_and_axes_and_is_written_whole(drawn: Any) -> None:
    figure = drawn["figure"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["mine", "mean"]
    assert figure.get_supxlabel() == "labels acquired"
    assert figure.get_supylabel() == "balanced accuracy"
    saved = {name: drawn["saved"][name] for name in ("format", "dpi", "metadata")}
    assert saved == {"format": "png", "dpi": 144, "metadata": METADATA["png"]}
    assert drawn["path"].name == "x.png"
    assert drawn["path"].read_bytes().startswith(b"\x89PNG")
    assert [one.name for one in drawn["path"].parent.iterdir()] == ["x.png"]


def test_letters_and_lines_of_the_picture_are_small(drawn: Any) -> None:
    figure = drawn["figure"]
    (legend,) = figure.legends
    titles = [axes.title for axes in figure.axes]
    labels = [figure._supxlabel, figure._supylabel]
    texts = [*titles, *labels, *legend.get_texts()]
    assert {text.get_size() for text in texts} == {9}
    assert {to_rgba(text.get_color()) for text in titles + labels} == {to_rgba(LIGHT["ink"])}
    assert not legend.get_frame_on()
    assert legend._ncols == 2
    for axes in figure.axes:
        assert axes.get_facecolor() == (0, 0, 0, 0)
        assert not any(spine.get_visible() for spine in axes.spines.values())
        assert axes.get_xlim() == (2, 4)
        for axis in (axes.xaxis, axes.yaxis):
            ticks = axis.get_tick_params()
            assert (ticks["length"], ticks["labelsize"]) == (0, 7)
            assert ticks["color"] == ticks["labelcolor"] == LIGHT["soft"]
        assert {line.get_linewidth() for line in axes.get_lines()} == {1.6}
        for band in axes.collections:
            assert (band.get_alpha(), float(band.get_linewidth()[0])) == (0.13, 0)
        rules = axes.get_ygridlines()
        assert {(to_rgba(r.get_color()), r.get_linewidth()) for r in rules} == {
            (to_rgba(LIGHT["rule"]), 0.7)
        }
        assert all(rule.get_visible() for rule in rules)
        assert not any(rule.get_visible() for rule in axes.get_xgridlines())
        assert all(float(place).is_integer() for place in axes.get_xticks())
