"""The page's charts by hand: what is drawn of a page, under which name, title and note."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.evaluation.analysis.statistics import ROPE
from lal.evaluation.report import charts
from lal.evaluation.report.draw import Dot, Point
from lal.evaluation.report.draw_tables import Cell
from lal.rng import generator

pandas = pytest.importorskip("pandas", reason="pandas is absent")

N = np.array([2.0, 3.0, 4.0])


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Figures are what they are drawn from; anything else of the module is replaced at will."""
    for name in ("dot_chart", "line_chart", "heat_map", "rank_diagram", "cost_chart"):
        figure = lambda *given, name=name, **options: (name, *given, options)  # noqa: E731
        monkeypatch.setattr(charts, name, figure)

    def replace(**values: Any) -> None:
        for name, value in values.items():
            monkeypatch.setattr(charts, name, value)

    return replace


def make_page(**changes: Any) -> Any:
    fields: dict[str, Any] = {
        "focus": "mine", "metric": "balanced_accuracy", "runs": "runs", "n_samples": 9,
        "seen": lambda *names: {"old"} if names == ("mine",) else set(),
        "fair": lambda *names: ("fair", *names), "datasets": ["b", "a", "old"],
        "compared": ["mine", "margin", "random"], "drawn": ["mine", "random", "margin"],
        "styles": {"mine": 0, "margin": 1, "random": 3}, **changes,
    }  # fmt: skip
    return SimpleNamespace(**fields)


def chart(name: str, section: str, title: str, figure: Any, note: str = "") -> dict[str, Any]:
    return {"name": name, "section": section, "title": title, "figure": figure, "note": note}


def made(found: Any) -> list[dict[str, Any]]:
    return [vars(one) for one in found]


def test_baselines_are_those_with_runs_in_common(drawn: Any) -> None:
    given: list[Any] = []

    def common(rows: Any, focus: str, baseline: str) -> bool:
        given.append((rows, focus, baseline))
        return baseline == "margin"

    drawn(common_runs=common, BASELINES=("margin", "random", "mine"))
    assert charts._baselines(make_page()) == ["margin"]
    assert charts._baselines(make_page(), "table") == ["margin"]
    rows = [("fair", "mine")] * 2 + ["table"] * 2
    assert given == [(r, "mine", b) for r, b in zip(rows, ["margin", "random"] * 2, strict=True)]


def test_levels_stand_from_the_best_down(drawn: Any) -> None:
    level = [SimpleNamespace(name=n, area=a, note=t) for n, a, t in
             (("random", 0.5, ""), ("mine", 0.75, "a note"), ("all", 0.875, "more"))]  # fmt: skip
    drawn(reference_levels=lambda *given: level if given == (("fair", "mine"), "mine") else 0)
    dots = [Dot("all", 87.5, 87.5, 87.5, style=2), Dot("mine", 75.0, 75.0, 75.0),
            Dot("random", 50.0, 50.0, 50.0, style=2)]  # fmt: skip
    options = {"x_label": "mean area of balanced accuracy, points", "reference": None}
    title = "From random to what the labels would allow"
    assert made(charts.reference_chart(make_page())) == [
        chart("reference_levels", "answer", title, ("dot_chart", dots, options),
              "mine: a note; all: more")
    ]  # fmt: skip
    drawn(reference_levels=lambda *given: [])
    assert made(charts.reference_chart(make_page())) == []


def test_differences_are_points_and_seen_sets_are_marked(drawn: Any) -> None:
    found = [SimpleNamespace(dataset=d, mean=m, low=m - 0.125, high=m + 0.25) for d, m in
             (("a", 0.5), ("old", -0.25))]  # fmt: skip
    given: list[Any] = []

    def differences(*names: Any, **options: Any) -> Any:
        given.append((*names, options))
        return found

    drawn(_baselines=lambda page, table: ["margin"] if table == "runs" else 0,
          set_differences=differences)  # fmt: skip
    dots = [Dot("a", 50.0, 37.5, 75.0), Dot("old", -25.0, -37.5, 0.0, marked=True)]
    figure = ("dot_chart", dots, {"rope": 100 * ROPE, "x_label": "difference, AUBC points"})
    assert made(charts.difference_charts(make_page())) == [
        chart("minus_margin", "differences", "mine minus margin, by data set", figure)
    ]
    assert given == [("runs", "mine", "margin", {"n_samples": 9})]


@pytest.mark.parametrize("n_sets", [2.0, 3.0])
def test_a_band_is_drawn_over_sets_that_were_not_seen(drawn: Any, n_sets: float) -> None:
    given: list[Any] = []
    band = SimpleNamespace(n=N, mean=N / 4, low=N / 8, high=N, n_sets=np.array([1.0, n_sets]))

    def difference(curves: Any, first: str, second: str, rng: Any, *, datasets: Any) -> Any:
        given.append((first, second, int(rng.integers(10**9)), datasets))
        return band

    both = {"margin": ["a", "old"], "random": ["old"]}
    page = make_page(curves=SimpleNamespace(both=lambda focus, b: both[b] if focus else 0))
    drawn(_baselines=lambda page: ["random", "margin"], difference_band=difference)
    (found,) = made(charts.band_charts(page))
    title = "mine minus margin, by labels acquired"
    name, (line,), options = found.pop("figure")
    assert (name, options) == ("line_chart", {"y_label": "points", "rope": 100 * ROPE})
    assert (line.name, line.style, line.x is N) == (title, 0, True)
    for values, wanted in ((line.y, 25 * N), (line.low, 12.5 * N), (line.high, 100 * N)):
        assert values.tolist() == wanted.tolist()
    note = "Too few data sets for a band." if n_sets == 2 else (
        "Mean over 3 data sets; the band holds the whole curve at 95 % (simultaneous, over data "
        "sets)."
    )  # fmt: skip
    assert {**found, "figure": 0} == chart("curve_minus_margin", "differences", title, 0, note)
    number = int(generator(0, "report band", "margin").integers(10**9))
    assert given == [("mine", "margin", number, ["a", "b"])]


def test_labels_saved_are_ratios_with_their_mean(drawn: Any) -> None:
    found = [SimpleNamespace(dataset=d, ratio=r, low=r / 2, high=r * 2, censored=c) for d, r, c in
             (("old", 0.25, True), ("a", 0.5, False), ("b", 1.0, True))]  # fmt: skip
    given: list[Any] = []

    def saved(curves: Any, focus: str, rng: Any, *, baseline: str) -> Any:
        given.append((curves, focus, int(rng.integers(10**9)), baseline))
        return found if baseline == "margin" else found[:1]

    def mean(fair: Any, rng: Any) -> Any:
        given.append(([s.dataset for s in fair], int(rng.integers(10**9))))
        return SimpleNamespace(mean=0.625, low=0.5, high=0.75)

    drawn(_baselines=lambda page: ["random", "margin"], savings=saved, mean_saving=mean)
    dots = [
        Dot("old", 0.25, 0.125, 0.5, True, True),
        Dot("a", 0.5, 0.25, 1.0),
        Dot("b", 1.0, 0.5, 2.0, False, True),
        Dot("geometric mean", 0.625, 0.5, 0.75, style=1),
    ]
    options = {"x_label": "ratio of labels; below 1 is fewer", "reference": 1}
    note = ("Labels until the level that random ends on. Geometric mean 0.62 [0.50, 0.75] over 2 "
            "data sets; 1 never reached it (arrows: at least that many).")  # fmt: skip
    assert made(charts.saving_chart(make_page(curves="curves"))) == [
        chart("labels_against_margin", "labels", "Labels mine needs, against margin",
              ("dot_chart", dots, options), note)
    ]  # fmt: skip
    numbers = [int(generator(0, *names).integers(10**9)) for names in (
        ("report savings", "random"), ("report savings", "margin"),
        ("report mean saving", "margin"))]  # fmt: skip
    asked = [
        ("curves", "mine", n, b) for n, b in zip(numbers[:2], ("random", "margin"), strict=True)
    ]
    assert given == [*asked, (["a", "b"], numbers[2])]


def test_a_heat_map_has_a_row_a_data_set_and_a_column_a_learner(drawn: Any) -> None:
    """Two runs of each pair but one: knn on b has margin alone."""
    areas = {("a", "knn"): (0.75, 0.5), ("a", "ridge"): (0.5, 0.625), ("old", "knn"): (0.5, 0.5)}
    rows = [
        {"dataset": d, "learner": m, "split": split, "start": 0, "strategy": s,
         "area": area + 0.25 * split}
        for (d, m), pair in areas.items() for split in range(2)
        for s, area in zip(("mine", "margin"), pair, strict=True)
    ]  # fmt: skip
    rows.append({**rows[1], "dataset": "b"})
    rows.append({**rows[0], "strategy": "other", "area": 9.0})
    table = pandas.DataFrame(rows)
    sample = SimpleNamespace(names=("old", "a", "b"))
    drawn(_baselines=lambda page, given: ["margin"] if given is table else 0,
          paired=lambda *given: sample if given[1:] == ("mine", "margin") else 0)  # fmt: skip
    cells = [[Cell(0.0, True), Cell(None, True)], [Cell(25.0), Cell(-12.5)],
             [Cell(None), Cell(None)]]  # fmt: skip
    title = "mine minus margin, points, by data set and learner"
    figure: Any = ("heat_map", ["old", "a", "b"], ["knn", "ridge"], cells, {})
    assert made(charts.heat_charts(make_page(runs=table))) == [
        chart("heat_minus_margin", "heat", title, figure)
    ]


@pytest.mark.parametrize(("n_sets", "names"), [(3, "xyz"), (2, "xyz"), (3, "x")])
def test_ranks_are_of_different_rules_on_three_data_sets(
    drawn: Any, n_sets: int, names: str
) -> None:
    given: list[Any] = []
    block = pandas.DataFrame(np.arange(n_sets * len(names)).reshape(n_sets, -1), columns=[*names])
    ranks = SimpleNamespace(names="names", ranks="ranks", cliques="cliques", n_sets=n_sets)

    def rank(values: Any, columns: Any) -> Any:
        given.append((values.tolist(), values.dtype, columns))
        return ranks

    def complete(means: Any, names: Any) -> Any:
        given.append((means, names))
        return block, ["late", "later"]

    drawn(duplicates=lambda table: {"margin": "mine"}, MOST_RANKED=3, rank_strategies=rank,
          set_areas=lambda table: ("areas", *table), complete_block=complete)  # fmt: skip
    page = make_page(compared=["mine", "margin", "x", "y", "z"])
    found = made(charts.rank_chart(page))
    assert given[0] == (("areas", "fair", *page.compared), ["mine", "x", "y"])
    if (n_sets, names) != (3, "xyz"):
        assert found == []
        return
    assert given[1] == (block.to_numpy(float).tolist(), np.float64, ["x", "y", "z"])
    note = (
        "Bars join strategies that the signed-rank test with Holm's rule over all pairs cannot "
        "tell apart at 5 %. Ranks depend on who is listed: the differences are the result. "
        "Left out as the same rule: margin = mine. Left out for unfinished data sets: late, later."
    )
    figure: Any = ("rank_diagram", "names", "ranks", "cliques", {})
    assert found == [chart("ranks", "ranks", "Mean ranks over 3 data sets", figure, note)]
    assert made(charts.rank_chart(make_page(fair=lambda *names: []))) == []


def test_profiles_are_shares_of_runs_over_random(drawn: Any) -> None:
    values = {"mine": np.linspace(-0.01, 0.05, 40), "margin": np.linspace(0.0, 0.02, 40)}
    dataset = np.arange(40) // 10

    def gains(table: Any, name: str, baseline: str) -> Any:
        assert (table, baseline) == (("fair", "mine", "random", "margin"), "random")
        return SimpleNamespace(values=values[name], dataset=dataset)

    drawn(paired=gains, common_runs=lambda rows, s, b: (s, b) != ("random", "random"))
    (found,) = made(charts.profile_chart(make_page()))
    name, lines, options = found.pop("figure")
    assert (name, options) == ("line_chart", {
        "x_label": "gain of a run over random, AUBC points", "y_label": "share of runs"
    })  # fmt: skip
    both = 100 * np.concatenate([values["mine"], values["margin"]])
    low, high = np.quantile(both, [0.01, 0.99])
    levels = np.linspace(min(low, -0.5), max(high, 0.5), 81)
    for line, (strategy, style) in zip(lines, (("mine", 0), ("margin", 1)), strict=True):
        share = np.array([(100 * values[strategy] > level).mean() for level in levels])
        assert (line.name, line.style) == (strategy, style)
        assert line.x == pytest.approx(levels)
        assert line.y == pytest.approx(share)
        assert line.low is line.y is line.high
    note = "Share of runs (data sets weigh the same) that gain more than x points over random."
    wanted = chart("profiles", "profiles", "Performance profiles", 0, note)
    assert {**found, "figure": 0} == wanted
    assert made(charts.profile_chart(make_page(fair=lambda *names: []))) == []


def test_penalties_are_net_wins_of_the_best(drawn: Any) -> None:
    given: list[Any] = []
    lost = np.array([[0.0, 0.5, 0.0], [2.0, 0.0, 0.25], [0.0, 0.0, 0.0]])

    def penalties(curves: Any, names: Any, datasets: Any) -> Any:
        given.append((curves, names, datasets))
        return lost[: len(names), : len(names)]

    curves = SimpleNamespace(curves={"a": {"mine": 1, "x": 1}, "b": {"margin": 1, "y": 1}})
    page = make_page(
        curves=curves, compared=["x", "margin", "nobody", "y", "mine"],
        seen=lambda *names: {"old"} if names == ("mine", "margin", "x") else set(),
    )  # fmt: skip
    drawn(penalties=penalties, MOST_PENALISED=3)
    names = ["mine", "margin", "x"]
    cells = [[Cell(None), Cell(1.5), Cell(0.0)], [Cell(-1.5), Cell(None), Cell(-0.25)],
             [Cell(0.0), Cell(0.25), Cell(None)]]  # fmt: skip
    note = (
        "At each label count with a significant paired t-test over runs (5 %) the winner gains one "
        "part of a data set; the figure is won minus lost, summed over data sets. Neighbouring "
        "label counts hang together: this describes, it does not test."
    )
    title = "Pairwise penalties: row beats column (net, in data sets)"
    assert made(charts.penalty_chart(page)) == [
        chart("penalties", "penalties", title, ("heat_map", names, names, cells, {}), note)
    ]
    assert given == [(curves, names, ["a", "b"])]
    lost[:] = 0
    assert made(charts.penalty_chart(page)) == []
    assert made(charts.penalty_chart(make_page(curves=curves, compared=["x"], drawn=["x"]))) == []


def test_gain_and_cost_are_of_whoever_was_compared_and_timed(drawn: Any) -> None:
    def row(strategy: str, ms: float, mean: float | None) -> Any:
        interval = SimpleNamespace(interval=SimpleNamespace(mean=mean))
        against = {} if mean is None else {"margin": interval}
        return SimpleNamespace(strategy=strategy, query_ms=(ms, 9.0), against=against)

    rows = [row("mine", 2.0, 0.25), row("margin", 1.0, None), row("x", 3.0, -0.5),
            row("late", float("nan"), 0.5), row("lone", 4.0, None)]  # fmt: skip
    drawn(get_baseline=lambda page: "margin")
    points = [Point("mine", 2.0, 25.0, 0), Point("margin", 1.0, 0.0, 1), Point("x", 3.0, -50.0, 2)]
    figure = ("cost_chart", points, {"y_label": "minus margin, AUBC points"})
    note = "Median over runs of the mean query time."
    assert made(charts.gain_and_cost(make_page(rows=rows))) == [
        chart("cost", "cost", "Gain over margin against query time", figure, note)
    ]
    drawn(get_baseline=lambda page: None)
    assert made(charts.gain_and_cost(make_page(rows=rows))) == []


def test_every_data_set_has_its_curves_and_dots(drawn: Any) -> None:
    runs = {"mine": {0: N / 8, 1: N / 8}, "random": {0: N / 16, 1: N / 16}, "x": {0: N}}
    curves = SimpleNamespace(
        n={"a": N, "b": N}, curves={"a": runs, "b": {"x": {0: N}}},
        runs=lambda dataset, names: (
            np.array([[*runs[s].values()] for s in names]) if dataset == "a" else None
        ),
    )  # fmt: skip
    page = make_page(curves=curves)
    ((name, found),) = charts.curve_charts(page).items()
    assert name == "a"
    figure, lines, options = vars(found).pop("figure")
    assert (figure, options) == ("line_chart", {"y_label": "balanced accuracy"})
    assert [(line.name, line.style) for line in lines] == [("mine", 0), ("random", 3)]
    title = "a: mean balanced accuracy by labels acquired"
    assert (found.name, found.section, found.title, found.note) == ("curves_a", "sets", title, "")
    drawn(get_baseline=lambda page: "random")
    area = 100 * (2 + 2 * 3 + 4) / 2 / 2 / 16
    assert charts.dots_of_runs(page, "a") == [round(area, 2)] * 2
    assert charts.dots_of_runs(page, "b") == []
    drawn(get_baseline=lambda page: None)
    assert charts.dots_of_runs(page, "a") == []


def test_all_charts_come_in_the_order_of_the_page(drawn: Any) -> None:
    makers = ("reference_chart", "difference_charts", "band_charts", "saving_chart", "heat_charts",
              "rank_chart", "profile_chart", "penalty_chart", "gain_and_cost")  # fmt: skip
    drawn(**{name: lambda page, name=name: [f"{name} of {page}"] for name in makers})
    page: Any = "page"
    found: Any = charts.all_charts(page)
    assert found == [f"{name} of page" for name in makers]
