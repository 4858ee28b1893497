"""Shipping: weights unchanged, names never reused, evidence read from a store."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agents import AGENTS
from lal.errors import UsageError
from lal.evaluation import EvaluationConfig, evaluate
from lal.evaluation.analysis.tables import read_table
from lal.evaluation.runs.store import RunStore
from lal.policies.kinds import list_policies, load_policy
from lal.policies.margin import margin_policy
from scripts import ship
from scripts.ship import Config, benchmark_evidence, evidence, main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def trained(tmp_path):
    path = tmp_path / "trained.safetensors"
    margin_policy().save(path)
    return path


@pytest.fixture
def store(tmp_path, trained):
    folder = tmp_path / "store"
    evaluate(
        EvaluationConfig(
            suite=("sklearn:iris",),
            strategies=("random", "margin", f"mine=policy:{trained}"),
            learners=("gaussian_nb",),
            runs=2,
            budget=5,
            out=folder,
            store_format="json",
        )
    )
    return folder


def test_ships_with_evidence_and_alias(trained, store, tmp_path):
    folder = tmp_path / "shipped"
    main(
        Config(
            policy=trained, name="mine-1", store=store, strategy="mine", alias="best", folder=folder
        )
    )
    shipped = load_policy(folder / "mine-1.safetensors")
    assert shipped.name == "mine-1"
    assert shipped.card["trained_as"] == "margin"
    against = shipped.card["evidence"]["against"]
    assert against["margin"]["points"] == 0.0  # the margin policy asks for margin's rows
    assert np.isfinite(against["random"]["points"])
    assert json.loads((folder / "aliases.json").read_text()) == {"best": "mine-1"}
    old = load_policy(trained)
    assert all(np.array_equal(old.tensors[k], shipped.tensors[k]) for k in old.tensors)


def test_controls_and_the_way_to_make_it_again_are_on_the_card(trained, store, tmp_path):
    copies = ("shuffled=random?role=shuffled", "untrained0=random?role=untrained&stream=1")
    evaluate(
        EvaluationConfig(
            suite=("sklearn:iris",), learners=("gaussian_nb",), runs=2, budget=5, out=store,
            strategies=("random", "margin", f"mine=policy:{trained}", *copies),
            store_format="json",
        )
    )  # fmt: skip
    options = Config(
        policy=trained, name="mine-2", store=store, strategy="mine", folder=tmp_path / "shipped",
        controls=("shuffled", "untrained0"), command="python -m scripts.train --seed 0",
    )  # fmt: skip
    with pytest.raises(UsageError, match="not made at a clean commit"):
        main(options)
    for git in ({"commit": "c0ffee", "dirty": True}, {"dirty": False}):
        (trained.parent / "provenance.json").write_text(json.dumps({"git": git}))
        with pytest.raises(UsageError, match="not made at a clean commit"):
            main(options)
    git = {"commit": "c0ffee", "dirty": False}
    (trained.parent / "provenance.json").write_text(json.dumps({"git": git}))
    main(options)
    card = load_policy(tmp_path / "shipped" / "mine-2.safetensors").card
    assert set(card["evidence"]["against"]) == {"random", "margin", "shuffled", "untrained"}
    assert card["did_it_learn"]["learned"] in (True, False)
    assert "made by: python -m scripts.train --seed 0 (commit c0ffee)" in str(card)


def test_a_name_is_never_reused(trained, tmp_path):
    config = Config(policy=trained, name="mine-1", folder=tmp_path / "shipped")
    main(config)
    with pytest.raises(UsageError, match="is shipped already"):
        main(config)


def test_strange_names_and_unknown_strategies_are_refused(trained, store, tmp_path):
    with pytest.raises(UsageError, match="must be of letters"):
        main(Config(policy=trained, name="../x", folder=tmp_path))
    with pytest.raises(UsageError, match="'nobody' is not in"):
        evidence(store, "nobody")


def test_what_was_seen_is_no_evidence(store):
    with pytest.raises(UsageError, match="saw every family"):
        evidence(store, "mine", seen=["iris"])
    assert evidence(store, "mine", seen=["wine"])["seen_and_left_out"] == []


def test_families_on_the_card_are_left_out_though_the_store_does_not_know_them(
    trained, store, tmp_path
):
    later = tmp_path / "later.safetensors"
    policy = load_policy(trained)
    replace(policy, card={**policy.card, "families": ["iris"]}).save(later)
    config = Config(policy=later, name="mine-2", store=store, strategy="mine", folder=tmp_path)
    with pytest.raises(UsageError, match=r"saw every family of .* in training"):
        main(config)
    assert not (tmp_path / "mine-2.safetensors").exists()


def test_another_headline_metric_renames_no_old_area(store, trained):
    config = EvaluationConfig(
        suite=("sklearn:iris",),
        strategies=("random", "margin", f"mine=policy:{trained}"),
        learners=("gaussian_nb",),
        runs=2,
        budget=5,
        out=store,
        store_format="json",
        metric="log_likelihood",
    )
    evaluate(config)
    table = read_table(RunStore.existing(store))
    assert set(table["metric"]) == {"log_likelihood"}
    assert np.allclose(table["area"], table["area_log_likelihood"])
    assert not np.allclose(table["area"], table["area_balanced_accuracy"])


@pytest.fixture
def few_shot(tmp_path):
    """Return a few-shot policy's file and a function that writes evidence of it."""
    agent = AGENTS["few_shot"]
    policy = agent.export_untrained(agent.preset("smoke"), 1)[0]
    policy.save(tmp_path / "few.safetensors")

    def write(lows: dict[str, float]):
        rows = [
            {"policy": "few-0", "measure": "points of accuracy", "against": name,
             "mean": low + 1.0, "low": low, "high": low + 2.0, "n": 9}
            for name, low in lows.items()
        ]  # fmt: skip
        said = {
            "command": "python -m scripts.benchmark few_shot",
            "tables": {"card": {"rows": rows}},
        }
        (tmp_path / "few.json").write_text(json.dumps(said))
        return tmp_path / "few.json"

    return tmp_path / "few.safetensors", write


def test_other_kinds_ship_with_the_evidence_of_a_benchmark(few_shot, tmp_path):
    file, write = few_shot
    found = write({"random": 3.0, "untrained": 0.5, "shuffled": 9.0, "k-medoids": -1.0})
    options = Config(
        policy=file, name="few-1", evidence=found, strategy="few-0", folder=tmp_path / "shipped",
        made_for="pools of 8 items", do_not_use_when=("the pool is large",),
    )  # fmt: skip
    main(options)
    shipped = load_policy(tmp_path / "shipped" / "subset" / "few-1.safetensors")
    old = load_policy(file)
    assert shipped.name == "few-1"
    assert all(np.array_equal(old.tensors[k], shipped.tensors[k]) for k in old.tensors)
    text = str(shipped.card)
    wanted = ("points of accuracy", "k-medoids", "[-1.00, +1.00]", "copies): yes")
    for said in (*wanted, "pools of 8 items", "the pool is large", "all items of a small pool"):
        assert said in text
    assert "margin" not in text  # a rule of pools with a model
    with pytest.raises(UsageError, match="is shipped already"):
        main(options)


def test_what_did_not_learn_is_not_shipped(few_shot, store, tmp_path):
    file, write = few_shot
    options = Config(policy=file, name="few-1", strategy="few-0", folder=tmp_path / "shipped")
    found = write({"random": 3.0, "untrained": -0.5, "shuffled": 9.0})
    with pytest.raises(UsageError, match=r"not ahead of untrained \(interval above 0\)"):
        main(replace(options, evidence=found))
    with pytest.raises(UsageError, match="shuffled missing"):
        main(replace(options, evidence=write({"random": 3.0, "untrained": 0.5})))
    with pytest.raises(UsageError, match=r"'few-9' is not in table 'card' of .*; it has few-0"):
        main(replace(options, evidence=found, strategy="few-9"))
    with pytest.raises(UsageError, match="of kind 'subset'; give --evidence"):
        main(replace(options, store=store))
    assert not (tmp_path / "shipped").exists()


EPISODES = [
    *list_policies("subset"), *list_policies("predict_or_ask"),
    *(name for name in list_policies("stream") if name != "stream-dqn"),  # an example of the format
]  # fmt: skip

WITHOUT_CODE = {
    *(f"few-shot-{head}-2026-11-29" for head in ("batch", "graph", "one-step", "sequential")),
    "one-shot-vectors-2026-11-29",
}
"""Shipped before cards named the code and counted episodes."""

FAMILY = {"stream": ", made-up languages"}
"""What a benchmark's label of a run ends in, by the kind of its policy."""


@pytest.mark.parametrize("name", EPISODES)
def test_cards_of_shipped_policies_say_what_the_benchmarks_file_says(name):
    """They learned, a commit can make them again, and the figures are those of a page's file."""
    policy = load_policy(name)
    card = policy.card
    assert card["did_it_learn"] == {"learned": True}
    assert len(card["made_by"]["commit"]) == 40
    assert card["made_by"]["command"].startswith("python -m scripts.train --agent ")
    assert card["control"] == "none"
    if name not in WITHOUT_CODE:
        assert (card["code"]["version"], len(card["code"]["sha256"])) == ("0.2.0", 64)
        assert card["n_episodes"] > 0
    file = ROOT / "docs" / "results" / f"{name}.json"
    run = Path(card["made_by"]["command"].split("--out ")[1]).name
    assert benchmark_evidence(file, run + FAMILY.get(policy.kind, "")) == card["evidence"]
    assert card["do_not_use_when"]


def test_a_source_that_does_not_fit_the_kind_is_refused(trained, tmp_path):
    config = Config(policy=trained, name="mine", folder=tmp_path, evidence=tmp_path / "x.json")
    with pytest.raises(UsageError, match="--evidence is for kinds that are not for pools"):
        main(config)
    subset = ROOT / "lal/policies/shipped/subset/few-shot-batch-2026-11-29.safetensors"
    with pytest.raises(UsageError, match="nothing shows that a policy of kind 'subset' learned"):
        main(Config(policy=subset, name="mine", folder=tmp_path))
    with pytest.raises(UsageError, match="a store holds evidence of policies for pools"):
        main(Config(policy=subset, name="mine", folder=tmp_path, store=tmp_path))
    assert not list(tmp_path.rglob("mine.safetensors"))


def comparison(mean: float, wins: int) -> Any:
    interval = SimpleNamespace(mean=mean, low=mean - 0.01, high=mean + 0.01)
    return SimpleNamespace(interval=interval, wins=wins, ties=1, losses=2)


def test_evidence_is_what_the_store_says_in_points(monkeypatch):
    """Levels of the summary, and controls compared where the policy saw nothing in training."""
    manifest = {"command": "a command", "protocol": {"metric": "accuracy"}, "seen": {"mine": ["b"]}}
    row = SimpleNamespace(strategy="mine", n_sets=3, seen_sets=("sonar",), worst=("wine", -0.0325),
                          against={"random": comparison(0.12346, 7)})  # fmt: skip
    given: list[Any] = []

    def summarise(table, seen):
        given.append((table, {name: sorted(families) for name, families in seen.items()}))
        return [SimpleNamespace(strategy="random", n_sets=3), row]

    def compare(table, strategy, labels, control):
        given.append((table, strategy, labels, control))
        return comparison(0.5, 9)

    summary, tables = "lal.evaluation.analysis.summary", "lal.evaluation.analysis.tables"
    monkeypatch.setattr(f"{summary}.summarise", summarise)
    monkeypatch.setattr(f"{tables}.drop_seen", lambda table, seen: (table, sorted(seen)))
    monkeypatch.setattr(f"{tables}.read_table", lambda store: f"table of {store.name}")
    monkeypatch.setattr(
        RunStore, "existing", lambda folder: SimpleNamespace(name=folder, manifest=lambda: manifest)
    )
    monkeypatch.setattr(ship, "find_controls", lambda table, labels: {"untrained": (table, labels)})
    monkeypatch.setattr(ship, "compare", compare)
    folder: Any = "store"
    found = evidence(folder, "mine", seen=["a"], controls=["u0", "u1"])
    copies = ("table of store", ["u0", "u1"])
    assert given == [
        ("table of store", {"mine": ["a", "b"]}),
        (("table of store", ["a", "b"]), "mine", copies, "untrained"),
    ]
    against = {
        "random": {"points": 12.35, "low": 11.35, "high": 13.35, "wins_ties_losses": [7, 1, 2]},
        "untrained": {"points": 50.0, "low": 49.0, "high": 51.0, "wins_ties_losses": [9, 1, 2]},
    }
    wanted = {
        "command": "a command", "metric": "accuracy", "n_sets": 3, "against": against,
        "seen_and_left_out": ["sonar"], "worst": ["wine", -3.25],
    }  # fmt: skip
    assert found == wanted
    row.worst = None
    del manifest["seen"]
    assert evidence(folder, "mine") == {**wanted, "worst": None}
    assert given[2] == ("table of store", {"mine": []})
    with pytest.raises(UsageError, match="'x' is not in store; expected one of random, mine"):
        evidence(folder, "x")
    row.n_sets = 0
    with pytest.raises(UsageError, match="'mine' saw every family of store in training; evalu"):
        evidence(folder, "mine")


def test_evidence_of_a_benchmark_is_rounded_and_complete(tmp_path):
    rows = [
        {"policy": name, "measure": "points", "against": against, "mean": mean, "low": mean - 0.5,
         "high": mean + 0.5}
        for name, against, mean in (("mine", "random", 1.2345), ("mine", "untrained", 0.75),
                                    ("mine", "shuffled", 2.0), ("other", "random", 9.0),
                                    ("low", "random", 0.5), ("low", "untrained", -1.0),
                                    ("low", "shuffled", 3.0), ("low", "extra", -9.0))
    ]  # fmt: skip
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps({"command": "c", "tables": {"card": {"rows": rows}}}))
    assert benchmark_evidence(file, "mine") == {
        "command": "c", "measure": "points",
        "against": {"random": {"points": 1.23, "low": 0.73, "high": 1.73},
                    "untrained": {"points": 0.75, "low": 0.25, "high": 1.25},
                    "shuffled": {"points": 2.0, "low": 1.5, "high": 2.5}},
    }  # fmt: skip
    behind = "'low' is not ahead of random and untrained (interval above 0), so it was not shown"
    with pytest.raises(UsageError) as error:
        benchmark_evidence(file, "low")
    assert str(error.value).startswith(behind)
    with pytest.raises(
        UsageError, match=r"'x' is not in table 'card' of .*; it has mine, other, l"
    ):
        benchmark_evidence(file, "x")
    file.write_text(json.dumps({"command": "c", "tables": {}}))
    with pytest.raises(UsageError, match=r"is not in table 'card' of .*; it has none"):
        benchmark_evidence(file, "mine")


def test_a_card_keeps_what_it_said_and_adds_what_is_asked_for(monkeypatch, trained, tmp_path):
    policy = replace(margin_policy(), card={"summary": "old", "families": ["f"]})
    plain = ship._card(Config(), policy)
    assert plain == {"summary": "old", "families": ["f"], "trained_as": "margin"}
    against = {"random": {"low": 1.0}, "untrained": {"low": 2.0}, "shuffled": {"low": 3.0}}
    given: list[Any] = []

    def evidence(folder, strategy, **options):
        given.append((folder, strategy, options))
        return {"against": against}

    monkeypatch.setattr(ship, "evidence", evidence)
    monkeypatch.setattr(ship, "families_seen", lambda policy: ("seen", policy.name))
    config = Config(
        store=Path("store"), strategy="mine", summary="new", made_for="this",
        do_not_use_when=("that",),
    )  # fmt: skip
    card = ship._card(config, policy)
    assert card == {
        **plain, "summary": "new", "made_for": "this", "do_not_use_when": ["that"],
        "evidence": {"against": against},
    }  # fmt: skip
    options = {"seen": ("seen", "margin"), "controls": ()}
    assert given == [(Path("store"), "mine", options)]
    config = replace(config, controls=("u0",), command="make it", policy=trained)
    git = {"git": {"commit": "c0ffee", "dirty": False}}
    (trained.parent / "provenance.json").write_text(json.dumps(git))
    for low, learned in ((3.0, True), (-1.0, False)):
        against["shuffled"] = {"low": low}
        told = ship._card(config, policy)
        assert told["did_it_learn"] == {"learned": learned}
        assert told["made_by"] == {"command": "make it", "commit": "c0ffee"}


def test_an_alias_is_added_and_others_stay(trained, tmp_path, capsys):
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / "aliases.json").write_text(json.dumps({"old": "x", "best": "y"}))
    main(Config(policy=trained, name="mine_1-b", folder=folder, alias="best"))
    assert json.loads((folder / "aliases.json").read_text()) == {"old": "x", "best": "mine_1-b"}
    assert capsys.readouterr().out == f"{folder / 'mine_1-b.safetensors'}\n"
    for name in ("", "-", "a.b", "a b"):
        with pytest.raises(UsageError, match=f"name '{name}' must be of letters, digits, - and _"):
            main(Config(policy=trained, name=name, folder=folder))
