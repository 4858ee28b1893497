"""Shipping: weights unchanged, names never reused, evidence read from a store."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents import AGENTS
from lal.errors import UsageError
from lal.evaluation import EvaluationConfig, evaluate
from lal.evaluation.analysis.tables import read_table
from lal.evaluation.runs.store import RunStore
from lal.policies.kinds import list_policies, load_policy
from lal.policies.margin import margin_policy
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
