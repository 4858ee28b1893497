"""Did it learn? The answer of a store, from the roles of its methods."""

from dataclasses import replace

import pytest

from lal.errors import UsageError
from lal.evaluation import EvaluationConfig, evaluate
from lal.policies.margin import margin_policy
from scripts.benchmarks.agents.learned import Config, run

pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned")
    policy = margin_policy()
    policy.save(folder / "mine.safetensors")
    for name, control in {"a": "untrained", "b": "untrained", "c": "shuffled_reward"}.items():
        card = {**policy.card, "training": {"control": control}}
        replace(policy, card=card).save(folder / f"{name}.safetensors")
    files = [f"{name}={folder / name}.safetensors" for name in ("mine", "a", "b", "c")]
    evaluate(
        EvaluationConfig(
            suite=("synthetic:xor@1",), strategies=("random", *files), runs=2, budget=4,
            learners=("gaussian_nb",), out=folder / "store", store_format="json",
        )
    )  # fmt: skip
    return folder / "store"


def test_copies_are_found_by_their_cards_and_equals_did_not_learn(store, capsys):
    found = run(Config(store=store, strategy="mine"))
    assert [(c.control, c.members) for c in found.comparisons] == [
        ("random", ("random",)), ("untrained", ("a", "b")), ("shuffled", ("c",)),
    ]  # fmt: skip
    assert found["untrained"].interval.mean == 0.0  # every copy is the same rule here
    assert "learned: not shown" in capsys.readouterr().out


def test_an_evaluation_without_the_policy_is_refused(store):
    with pytest.raises(UsageError, match="no results of yours"):
        run(Config(store=store, strategy="yours"))
