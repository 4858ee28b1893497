"""Entrants: names, options, labels and policy files."""

import dataclasses

import pytest

from lal.errors import PolicyFileError, UnknownNameError, UsageError
from lal.evaluation.runs.methods import families_seen, parse_entrant, parse_entrants
from lal.policies.kinds import list_policies
from lal.policies.margin import margin_policy
from lal.policies.pool_policy import PoolPolicy
from lal.strategies.uncertainty import Margin


@pytest.fixture
def policy_file(tmp_path):
    path = tmp_path / "mine.safetensors"
    card = {"training": {"data": {"iris": {"family": "iris", "sha256": "1"}}}}
    dataclasses.replace(margin_policy(), card=card).save(path)
    return path


def test_names_options_and_labels():
    found = parse_entrant("soft=epsilon_margin?epsilon=0.2")
    assert (found.label, found.spec, found.options) == (
        "soft",
        "epsilon_margin",
        '{"epsilon": 0.2}',
    )
    assert parse_entrant("epsilon_margin?epsilon=0.2").label == "epsilon_margin?epsilon=0.2"
    assert isinstance(parse_entrant("margin").make(), Margin)
    assert parse_entrant("margin").seen == ()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("margn", UnknownNameError, "did you mean 'margin'"),
        ("margin?x", UsageError, "has no value"),
        ("margin?x=1", UsageError, "cannot be made"),
        ("policy:nowhere.safetensors", PolicyFileError, "no policy file"),
        ("a/b", PolicyFileError, "no policy file"),
    ],
)
def test_what_is_no_strategy_is_refused(text, error, message):
    with pytest.raises(error, match=message):
        parse_entrant(text)


def test_labels_differ():
    with pytest.raises(UsageError, match="margin are listed twice"):
        parse_entrants(["margin", "random", "margin"])
    with pytest.raises(UsageError, match="no strategies"):
        parse_entrants([])


def test_a_policy_is_its_content_and_says_what_it_has_seen(policy_file, tmp_path):
    first = parse_entrant(str(policy_file))
    assert (first.label, first.seen) == ("mine", ("iris",))
    moved = tmp_path / "elsewhere" / "mine.safetensors"
    moved.parent.mkdir()
    moved.write_bytes(policy_file.read_bytes())
    assert parse_entrant(f"policy:{moved}").identity == first.identity
    assert isinstance(first.make(), PoolPolicy)


def test_a_policy_that_changes_underway_is_refused(policy_file):
    entrant = parse_entrant(str(policy_file))
    policy_file.write_bytes(policy_file.read_bytes() + b" ")
    with pytest.raises(PolicyFileError, match="changed while"):
        entrant.make()


def test_families_at_the_top_of_a_card_count():
    card = {"families": ["wine"], "data": {"d": {"family": "kin"}}}
    policy = dataclasses.replace(margin_policy(), card=card)
    assert families_seen(policy) == ("kin", "wine")


@pytest.mark.parametrize("name", list_policies("pool"))
def test_shipped_policies_are_entrants(name):
    entrant = parse_entrant(f"policy:{name}")
    assert len(entrant.sha256) == 64
    assert isinstance(entrant.make(), PoolPolicy)


def test_a_strategy_wins_over_a_policy_of_its_name():
    assert parse_entrant("margin").sha256 == ""
    assert parse_entrant("policy:margin").sha256 != ""
    labels = [e.label for e in parse_entrants(["margin", "policy:margin"])]
    assert labels == ["margin", "policy:margin"]
