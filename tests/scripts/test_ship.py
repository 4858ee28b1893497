"""Shipping: weights unchanged, names never reused, evidence read from a store."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lal.errors import UsageError
from lal.evaluation import EvaluationConfig, evaluate
from lal.evaluation.analysis.tables import read_table
from lal.evaluation.runs.store import RunStore
from lal.policies.kinds import load_policy
from lal.policies.margin import margin_policy
from scripts.ship import Config, evidence, main


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
