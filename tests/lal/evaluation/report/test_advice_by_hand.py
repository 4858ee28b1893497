"""Advice by situation and the episode player, from tables made by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.errors import DataError
from lal.evaluation.report import advice, player
from lal.evaluation.report.advice import Choice, Situation, _advice, _summary, choices, situations
from lal.evaluation.report.leaderboard import Evidence
from lal.evaluation.runs.run import RunResult

pandas = pytest.importorskip("pandas", reason="pandas is absent")


def make_choice(strategy: str, gain: float, **changes: Any) -> Choice:
    fields: dict[str, Any] = {
        "low": gain - 1.0, "high": gain + 1.0, "over_margin": gain - 2.0, "n_sets": 4, **changes,
    }  # fmt: skip
    return Choice(strategy, gain, **fields)


BEST, MARGIN, WORST = make_choice("mine", 2.5), make_choice("margin", 2.0), make_choice("x", -3.0)


def make_table(*rows: dict[str, Any]) -> Any:
    """Runs of two splits on four data sets; areas rise by 0.01 a data set."""
    found = [
        {
            "run_key": f"{row['strategy']}-{d}-{split}", "dataset": f"set{d}",
            "family": f"kin{d}", "learner": "knn", "split": split, "start": 0, "n_classes": 2,
            "n_pool": 100 if d < 2 else 300, "status": "done", "role": "strategy", "area_25": 0.5,
            **row, "area": row["area"] + 0.01 * d,
        }
        for row in rows for d in range(4) for split in range(2)
    ]  # fmt: skip
    return pandas.DataFrame(found)


PLAIN = make_table(
    {"strategy": "random", "area": 0.5}, {"strategy": "margin", "area": 0.6},
    {"strategy": "mine", "area": 0.7}, {"strategy": "@oracle", "area": 0.9, "role": "oracle"},
)  # fmt: skip


def test_the_summary_names_the_best_beside_margin() -> None:
    assert _summary([]) == "No strategy finished enough runs to recommend one."
    assert _summary([MARGIN, WORST]) == (
        "**In short: `margin`.** It gains +2.00 points [+1.00, +3.00] over random on 4 data sets."
    )
    assert _summary([BEST, WORST]).startswith("**In short: `mine`.** It gains +2.50 points [+1.50,")
    assert _summary([BEST, MARGIN]) == (
        "**In short:** `margin` gains +2.00 points [+1.00, +3.00] over random on 4 data sets; the "
        "largest gain in these runs is that of `mine`, +2.50 [+1.50, +3.50], which is +0.50 "
        "against margin."
    )


def test_a_situations_table_lists_the_best_and_names_the_worst() -> None:
    situation = Situation("By learner", "knn", PLAIN)
    found = _advice(situation, [BEST, MARGIN, WORST], shown=2)
    assert found.splitlines() == [
        "**knn** (4 data sets; 2 of 3 strategies have intervals above zero)", "",
        "| strategy | minus random [95 %] | minus margin | data sets |",
        "| --- | --- | --- | --- |",
        "| `mine` | +2.50 [+1.50, +3.50] | +0.50 | 4 |",
        "| `margin` | +2.00 [+1.00, +3.00] | - | 4 |", "", "Worse than random: `x`.",
    ]  # fmt: skip
    one = Situation("", "alone", PLAIN[PLAIN["dataset"] == "set0"])
    text = _advice(one, [MARGIN], shown=None)
    assert text.startswith("**alone** (1 data set; 1 of 1 strategies")
    assert "Worse" not in text
    assert _advice(one, []) == "**alone**: nothing finished enough runs."
    level = make_choice("level", 1.0)
    assert not level.sure  # an interval that begins at 0 is not above it
    assert "0 of 1 strategies" in _advice(one, [level])


def test_situations_are_size_classes_learner_and_budget() -> None:
    table = PLAIN.assign(n_classes=np.where(PLAIN["dataset"] == "set0", 3, 2))
    table["learner"] = np.where(PLAIN["split"] == 0, "knn", "random_forest")
    found = [(s.kind, s.name, sorted(set(s.table["dataset"])), s.column, len(s.table))
             for s in situations(table)]  # fmt: skip
    sets = [f"set{d}" for d in range(4)]
    assert found == [
        ("Everything", "all runs", sets, "area", 32),
        ("By data size", "small pools (under 300 rows)", sets[:2], "area", 16),
        ("By data size", "larger pools (300 rows or more)", sets[2:], "area", 16),
        ("By number of classes", "two classes", sets[1:], "area", 24),
        ("By number of classes", "more", sets[:1], "area", 8),
        ("By learner", "knn", sets, "area", 16),
        ("By learner", "random forest", sets, "area", 16),
        ("By budget", "the first 25 labels", sets, "area_25", 32),
        ("By budget", "the whole budget", sets, "area", 32),
    ]
    bare = PLAIN.drop(columns=["n_pool"]).assign(area_25=np.nan)
    kinds = [(s.kind, s.name) for s in situations(bare)]
    assert "By data size" not in dict(kinds)
    assert [name for kind, name in kinds if kind == "By budget"] == ["the whole budget"]


def test_choices_are_paired_gains_over_random_in_points() -> None:
    mine, margin = choices(Situation("", "x", PLAIN), {}, n_samples=50)
    assert (mine.strategy, margin.strategy) == ("mine", "margin")
    assert [mine.gain, mine.low, mine.high, mine.over_margin] == pytest.approx([20, 20, 20, 10])
    assert [margin.gain, margin.over_margin] == pytest.approx([10, 0])
    assert mine.n_sets == 4
    (seen, _) = choices(Situation("", "x", PLAIN), {"mine": ["kin0", "kin3"]}, n_samples=50)
    assert seen.n_sets == 2
    other = PLAIN.assign(other=PLAIN["area"] * 2)
    doubled = choices(Situation("", "x", other, "other"), {}, n_samples=50)
    assert doubled[0].gain == pytest.approx(40)


def test_who_finished_too_little_is_left_out() -> None:
    """Nine tenths of random's runs are needed; of eight, one missing is too many."""
    mine = PLAIN["strategy"] == "mine"
    failed = PLAIN.assign(status=np.where(mine & (PLAIN.index % 8 == 0), "failed", "done"))
    assert [c.strategy for c in choices(Situation("", "x", failed), {}, n_samples=50)] == ["margin"]
    alone = PLAIN[PLAIN["strategy"] != "random"]
    assert choices(Situation("", "x", alone), {}, n_samples=50) == []


def test_a_policy_is_advised_once_and_a_headline_per_kind(monkeypatch: Any) -> None:
    first: Any = SimpleNamespace(
        table=PLAIN, seen={}, batch=1, caution=["Careful."],
    )  # fmt: skip
    monkeypatch.setattr(
        advice, "provenance", lambda found, *command: f"from {found.batch} {command}"
    )
    text = advice.which_strategy(first, command="again", n_samples=50)
    assert text.startswith("# Which strategy should I use?\n\nCareful.\n\n**In short:** `margin`")
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads == [
        "## Everything", "## By data size", "## By number of classes", "## By learner",
        "## By budget", "## By batch", "## Where this comes from",
    ]  # fmt: skip
    assert "**more**" not in text  # no data set has more than two classes
    assert "finished 90 % of the runs are listed" in text
    assert "Larger batches were not evaluated here" in text
    assert text.endswith("\n\nfrom 1 ('again',)\n")
    batch: Any = SimpleNamespace(table=PLAIN, seen={}, batch=5, caution=["Few runs."])
    others: Any = [batch, first, first]
    text = advice.which_strategy(first, command="again", n_samples=50, more=others)
    assert "Larger batches" not in text
    assert text.index("**batches of 1**") < text.index("Few runs.") < text.index("**batches of 5**")
    assert "## Another evaluation (1)\n\nCareful.\n\n**all runs**" in text
    assert "## Another evaluation (2)\n" in text
    one = advice.which_strategy(first, command="again", n_samples=50, more=[first])
    assert "## Another evaluation\n" in one


# the player


def make_result(strategy: str, metric: str = "accuracy") -> RunResult:
    return RunResult(strategy, "done", {"strategy": strategy}, metrics={metric: np.ones(2)})


def make_player(focus: str, *rows: tuple[str, str, int], lost: str = "") -> tuple[Any, Any]:
    table = pandas.DataFrame(
        [{"dataset": "d", "status": status, "strategy": s, "learner": "knn", "split": split,
          "start": 0, "run_key": f"{s}{split}"} for s, status, split in rows]
    )  # fmt: skip
    page = SimpleNamespace(focus=focus, runs=table, metric="accuracy", datasets=["d"])
    store = SimpleNamespace(get=lambda key: None if key == lost else make_result(key))
    return page, store


def test_an_episode_is_shown_with_margin_or_random(monkeypatch: Any) -> None:
    given: list[Any] = []

    def view(store: Any, results: Any) -> str:
        given.append([result.key for result in results])
        return "view"

    monkeypatch.setattr(player, "view_episode", view)
    monkeypatch.setattr(player, "to_json", lambda found: {"shown": found})
    rows = [("margin", "done", 0), ("random", "done", 0), ("random", "done", 1),
            ("mine", "failed", 0), ("mine", "done", 1), ("margin", "done", 1)]  # fmt: skip
    assert player.episodes(*make_player("mine", *rows)) == {"d": {"shown": "view"}}
    player.episodes(*make_player("margin", *rows))
    player.episodes(*make_player("mine", *rows[:5]))  # margin has no second run
    player.episodes(*make_player("mine", *rows, lost="margin1"))
    assert given == [["margin1", "mine1"], ["random0", "margin0"], ["mine1"], ["mine1"]]


def test_why_there_is_no_episode_is_a_sentence(monkeypatch: Any) -> None:
    def none(store: Any, results: Any) -> None:
        raise DataError("it changed")

    monkeypatch.setattr(player, "view_episode", none)
    found = player.episodes(*make_player("mine", ("mine", "done", 0)))
    assert found == {"d": {"missing": "The pool of d is not to be had here: it changed"}}
    for rows in ([("margin", "done", 0)], [("mine", "failed", 0)], [("other", "done", 0)]):
        assert player.episodes(*make_player("mine", *rows)) == {
            "d": {"missing": "mine finished no episode on d."}
        }


def test_an_episode_as_the_script_reads_it() -> None:
    track = SimpleNamespace(
        strategy="mine", queried=np.array([1, 0]), n_labels=np.array([2, 3]),
        values=np.array([0.123456, 0.5]),
    )  # fmt: skip
    view: Any = SimpleNamespace(
        learner="knn", split=2, start=1, axes="two columns", n_pool=9, class_names=("a", "b"),
        points=np.array([[0, 10], [1000, 20]]), classes=np.array([1, 0]), n_start=2,
        tracks=(track,),
    )  # fmt: skip
    assert player.to_json(view) == {
        "learner": "knn", "split": 2, "start": 1, "axes": "two columns", "pool": 9,
        "classes": ["a", "b"], "points": [0, 10, 1000, 20], "y": [1, 0], "n_start": 2,
        "tracks": [{"strategy": "mine", "queried": [1, 0], "n": [2, 3], "values": [0.1235, 0.5]}],
    }  # fmt: skip
    assert player.script_json({"a": "<b>", "c": 1}) == '{"a":"\\u003cb>","c":1}'


def test_advice_is_written_with_its_command_samples_and_other_evidence(
    monkeypatch: Any, tmp_path: Any
) -> None:
    monkeypatch.setattr(advice, "which_strategy", lambda *given, **options: f"{given} {options} é")
    first: Any = "first"
    more: Any = ["more"]
    options = {"command": "make it", "n_samples": 7}
    advice.write_which(first, tmp_path / "which.md", **options, more=more)  # type: ignore[arg-type]
    text = (tmp_path / "which.md").read_text(encoding="utf-8")
    assert text == f"('first',) {options | {'more': ['more']}} é"


def test_the_words_of_the_page_around_its_tables(monkeypatch: Any) -> None:
    monkeypatch.setattr(advice, "choices", lambda *given, **options: [])
    monkeypatch.setattr(advice, "situations", lambda table: [])
    monkeypatch.setattr(advice, "provenance", lambda found, command: f"from {command}")
    first = Evidence(PLAIN, {"protocol": {"batch_size": 1}}, ("Careful.",))
    assert advice.which_strategy(first, command="again") == (
        "# Which strategy should I use?\n\nCareful.\n\n"
        "No strategy finished enough runs to recommend one.\n\n"
        "Each table lists the strategies that gained most over random sampling in the runs of that "
        "kind, with the interval over new data sets (families, then sets, are drawn again); “minus "
        "margin” is their mean paired difference to margin sampling. Only strategies that finished "
        "90 % of the runs are listed. Where few data sets stand behind a row, intervals that reach "
        "below zero decide nothing, and the best of many is flattered by luck.\n\n"
        "## By batch\n\n**batches of 1**: nothing finished enough runs.\n\n"
        "Larger batches were not evaluated here: `--regime batch` does it. Rules that rank rows "
        "one by one then ask for near-duplicates, so check before use.\n\n"
        "## Where this comes from\n\nfrom again\n"
    )
