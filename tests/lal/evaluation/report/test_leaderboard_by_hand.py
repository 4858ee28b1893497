"""The leaderboard by hand: whole repetitions, where it comes from, and a row letter by letter."""

from types import SimpleNamespace
from typing import Any

import pytest

from lal.evaluation.analysis.bootstrap import Interval
from lal.evaluation.analysis.control_tests import Comparison
from lal.evaluation.analysis.summary import Row
from lal.evaluation.report import leaderboard as module
from lal.evaluation.report.leaderboard import (
    Evidence,
    _done_counts,
    _leaderboard_row,
    complete_repetitions,
    leaderboard,
    markdown,
    provenance,
)

pandas = pytest.importorskip("pandas", reason="pandas is absent")

RULES = {"n_splits": 2, "n_starts": 2, "metric": "balanced_accuracy", "budget": 9,
         "start": "two_classes", "batch_size": 3}  # fmt: skip


def make_table(*runs: tuple[str, int, int, str]) -> Any:
    return pandas.DataFrame(
        [{"run_key": f"{s}{split}{start}", "strategy": s, "split": split, "start": start,
          "status": status, "dataset": "d", "family": "f", "learner": "knn"}
         for s, split, start, status in runs]
    )  # fmt: skip


@pytest.fixture
def found(monkeypatch: Any) -> Any:
    """Complete repetitions of a table of which so many runs were planned."""

    def complete(table: Any, planned: int) -> Evidence:
        monkeypatch.setattr(module, "read_table", lambda store: table)
        store: Any = SimpleNamespace(
            manifest=lambda: {"protocol": RULES}, listed=lambda: ["key"] * planned
        )
        return complete_repetitions(store)

    return complete


ALL = [(s, split, start, "done") for split in (0, 1) for start in (0, 1) for s in ("a", "b")]


def test_only_whole_repetitions_count(found: Any) -> None:
    whole = found(make_table(*ALL), 8)
    assert len(whole.table) == 8
    assert whole.caution == ()
    part = found(make_table(*ALL[:3]), 8)
    assert part.table["run_key"].tolist() == ["a00", "b00"]
    assert part.caution == (
        "**1 of 4 repetitions.** 3 of 8 planned runs were there. Only those that every method has "
        "finished on every data set and learner are shown. The command below goes on where it "
        "stopped.",
    )
    none = found(make_table(ALL[0], ALL[3]), 8)
    assert len(none.table) == 2
    (text,) = none.caution
    assert text.startswith("**Preliminary.** Only 2 of 8 planned runs were there and no repetiti")


def test_where_a_page_comes_from() -> None:
    table = make_table(("a", 0, 0, "done"), ("b", 0, 1, "failed"), ("b", 1, 1, "timed out"),
                       ("@full", 5, 5, "done"))  # fmt: skip
    manifest = {
        "protocol": RULES, "git": {"commit": "0123456789abcdef"}, "command": "made",
        "policies": {"a": "a", "b": "lookahead"},
    }  # fmt: skip
    assert provenance(Evidence(table, manifest), "again") == (
        "2 strategies, 1 data sets of 1 families, learners knn; paired runs of each: 3; 1 runs "
        "finished and 2 failed or timed out. Metric: balanced accuracy; 9 labels after the start "
        "(two classes), 3 at a time; commit 0123456789ab. `b` is lookahead.\n\n    made\n    again"
    )
    bare = provenance(Evidence(table, {}))
    assert "Metric: ?; ? labels after the start (two classes), ? at a time; commit unknown." in bare
    assert bare.endswith("\n\n    unknown")
    assert "commit unknown." in provenance(Evidence(table, {"git": None}))
    assert (Evidence(table, {}).batch, Evidence(table, manifest).batch) == ("?", "3")
    assert Evidence(table, {}).seen == {}


def make_row(strategy: str, **changes: Any) -> Row:
    over = Interval(0.0123, 0.01, 0.02, 0.95, "new_sets")
    against = {"margin": Comparison("margin", ("margin",), over, over, 3, 2, 1)}
    fields: dict[str, Any] = {
        "strategy": strategy, "role": "policy", "area": 0.8, "n_sets": 6, "seen_sets": (),
        "against": against, "harm_rate": 0.25, "worst": ("heart", -0.03), "tail": -0.01,
        "query_ms": (1.0, 2.0), "failed": 0, **changes,
    }  # fmt: skip
    return Row(**fields)


CELLS = ["`mine`", "80.00", "+1.23 [+1.00, +2.00]", "3/2/1", "-", "-", "25 %", "1.00 / 2.00",
         "5 of 6", "-1.00", "heart -3.00"]  # fmt: skip


def test_a_row_letter_by_letter() -> None:
    assert _leaderboard_row(make_row("mine"), {"mine": "5 of 6"}) == CELLS
    nothing = make_row("x", area=float("nan"), harm_rate=float("nan"), against={}, worst=None,
                       tail=float("nan"))  # fmt: skip
    assert _leaderboard_row(nothing, {}) == [
        "`x`", "-", "-", "-", "-", "-", "-", "1.00 / 2.00", "0", "-", "-",
    ]  # fmt: skip
    counted = make_table(("a", 0, 0, "done"), ("a", 0, 1, "failed"), ("b", 0, 0, "done"))
    assert _done_counts(counted) == {"a": "1 of 2", "b": "1 of 1"}
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_a_leaderboard_leaves_oracles_out_and_names_what_was_seen(monkeypatch: Any) -> None:
    table = make_table(*[("mine", 0, i, "done") for i in range(5)], ("mine", 0, 5, "failed"))
    found = Evidence(table, {"seen": {"mine": ["f"]}}, ("Careful.",))
    given: list[Any] = []

    def summarise(rows: Any, **options: Any) -> list[Row]:
        given.append((rows is table, options))
        return [make_row("mine", seen_sets=("iris", "wine")), make_row("@o", role="oracle")]

    monkeypatch.setattr(module, "complete_repetitions", lambda store: found)
    monkeypatch.setattr(module, "summarise", summarise)
    store: Any = None
    lines = leaderboard(store, command="again", n_samples=7).splitlines()
    assert given == [(True, {"seen": {"mine": ["f"]}, "n_samples": 7})]
    assert lines[:3] == ["# Leaderboard", "", "Careful."]
    assert "    again" in lines
    (at,) = [i for i, line in enumerate(lines) if line.startswith("| strategy | area |")]
    assert lines[at] == (
        "| strategy | area | minus margin [95 %] | W/T/L | minus random [95 %] | W/T/L | below "
        "random | ms a query: mean / p95 | finished runs | 10 % | worst set |"
    )
    assert lines[at + 2] == "| " + " | ".join(CELLS) + " |"
    assert lines[at + 3 :] == [
        "", "Seen in training, therefore not averaged:", "", "- `mine`: iris, wine",
    ]  # fmt: skip
    assert any("beyond ±0.2 points. Sorted by the difference to margin." in li for li in lines)


def test_the_page_is_written_with_as_many_samples_as_asked_for(
    monkeypatch: Any, tmp_path: Any
) -> None:
    monkeypatch.setattr(module, "leaderboard", lambda *given, **options: f"{given} {options} é")
    store: Any = "store"
    module.write_leaderboard(store, tmp_path / "page.md", command="make it", n_samples=7)
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert text == "('store',) {'command': 'make it', 'n_samples': 7} é"


PAGE = """# Leaderboard

careful

from a command

Differences are in AUBC points (hundredths of the mean area under the budget curve), paired over \
data set, learner, split and start; intervals are over new data sets (families, sets, splits and \
starts resampled). The 10 % quantile and the worst set are of the difference to margin over data \
sets. A data set counts as won or lost beyond ±0.2 points. Sorted by the difference to margin. \
Runs that timed out are not a result and enter no average: a strategy that finished fewer runs was \
compared on fewer.

| strategy | area | minus margin [95 %] | W/T/L | minus random [95 %] | W/T/L | below random | \
ms a query: mean / p95 | finished runs | 10 % | worst set |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def test_intervals_of_the_leaderboard_have_their_number_of_samples(monkeypatch: Any) -> None:
    given: list[Any] = []

    def summarise(table: Any, **options: Any) -> list[Any]:
        given.append((table, options))
        return []

    table = make_table(("random", 0, 0, "done"))
    evidence = Evidence(table, {"seen": {"p": ["kin"]}}, ("careful",))
    monkeypatch.setattr(module, "complete_repetitions", lambda store: evidence)
    monkeypatch.setattr(module, "summarise", summarise)
    monkeypatch.setattr(module, "provenance", lambda found, command: f"from {command}")
    store: Any = "store"
    for options, n in (({}, 10_000), ({"n_samples": 5}, 5)):
        text = leaderboard(store, command="a command", **options)
        assert text == PAGE
        told, settings = given.pop()
        assert told is table
        assert settings == {"seen": {"p": ["kin"]}, "n_samples": n}
