"""Methods: names, options, labels and policy files."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from lal.checks.states import sample_state
from lal.errors import PolicyFileError, UnknownNameError, UsageError
from lal.evaluation.runs.methods import families_seen, parse_method, parse_methods, policy_role
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
    found = parse_method("soft=epsilon_margin?epsilon=0.2")
    assert (found.label, found.spec, found.options) == (
        "soft",
        "epsilon_margin",
        '{"epsilon": 0.2}',
    )
    assert parse_method("epsilon_margin?epsilon=0.2").label == "epsilon_margin?epsilon=0.2"
    assert isinstance(parse_method("margin").make(), Margin)
    assert parse_method("margin").seen == ()


def test_a_role_is_given_or_read_from_the_card_and_changes_no_key():
    plain, told = parse_method("a=random"), parse_method("a=random?role=untrained")
    assert (plain.role, told.role) == ("strategy", "untrained")
    assert plain.identity == told.identity
    assert parse_method("lal-iterative").role == "policy"
    for control, role in {"untrained": "untrained", "shuffled_reward": "shuffled",
                          "linear": "linear", "none": "policy"}.items():  # fmt: skip
        for card in ({"control": control}, {"training": {"control": control}}):
            assert policy_role(dataclasses.replace(margin_policy(), card=card)) == role


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("margn", UnknownNameError, "did you mean 'margin'"),
        ("margin?x", UsageError, "has no value"),
        ("margin?role=teacher", UsageError, "unknown role 'teacher' of 'margin.role=teacher'"),
        ("margin?role=oracle", UsageError, "unknown role 'oracle'"),
        ("margin?x=1", UsageError, "cannot be made"),
        ("policy:nowhere.safetensors", PolicyFileError, "no policy file"),
        ("a/b", PolicyFileError, "no policy file"),
    ],
)
def test_what_is_no_strategy_is_refused(text, error, message):
    with pytest.raises(error, match=message):
        parse_method(text)


MINE = """
import numpy as np


class Mine:
    def __init__(self, sign=1):
        self.sign = sign

    def utilities(self, state, rng):
        return self.sign * np.arange(len(state.X), dtype=float)


def rule(state, rng, power=1):
    return np.arange(len(state.X)) ** power


def short(state, rng):
    return np.zeros(2)


number = 3
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def test_a_method_from_a_python_file(mine, tmp_path):
    task = sample_state()
    rng = np.random.default_rng(0)
    first = parse_method(f"{mine}:Mine")
    assert (first.label, first.role, first.seen) == ("Mine", "strategy", ())
    assert first.make().utilities(task, rng)[-1] == len(task.X) - 1
    other = parse_method(f"down={mine}:Mine?sign=-1")
    assert other.make().utilities(task, rng)[-1] == 1 - len(task.X)
    rule = parse_method(f"{mine}:rule?power=2")
    assert rule.make().utilities(task, rng)[3] == 9
    assert len({m.sha256 for m in (first, other, rule)}) == 1
    assert len({str(m.identity) for m in (first, replace(rule, label="Mine"))}) == 2
    with pytest.raises(UsageError, match=r"a utility for every row, shape .* got shape"):
        parse_method(f"{mine}:short").make().utilities(task, rng)
    moved = tmp_path / "elsewhere.py"
    moved.write_text(MINE)
    assert parse_method(f"{moved}:Mine").identity == first.identity  # the content, not the path
    mine.write_text(MINE + "# changed")
    assert parse_method(f"{mine}:Mine").identity != first.identity
    with pytest.raises(UsageError, match="changed while the evaluation ran"):
        first.make()


def test_python_files_without_a_strategy_are_refused(mine):
    with pytest.raises(UsageError, match=r"there is no Python file 'nowhere\.py'"):
        parse_method("nowhere.py:Mine")
    with pytest.raises(UsageError, match=r"has no 'Yours'; it has "):
        parse_method(f"{mine}:Yours")
    with pytest.raises(UsageError, match="has no utilities"):
        parse_method(f"{mine}:number")


def test_labels_differ():
    with pytest.raises(UsageError, match="margin are listed twice"):
        parse_methods(["margin", "random", "margin"])
    with pytest.raises(UsageError, match="no strategies"):
        parse_methods([])


def test_a_policy_is_its_content_and_says_what_it_has_seen(policy_file, tmp_path):
    first = parse_method(str(policy_file))
    assert (first.label, first.seen) == ("mine", ("iris",))
    moved = tmp_path / "elsewhere" / "mine.safetensors"
    moved.parent.mkdir()
    moved.write_bytes(policy_file.read_bytes())
    assert parse_method(f"policy:{moved}").identity == first.identity
    assert isinstance(first.make(), PoolPolicy)


def test_a_policy_that_changes_underway_is_refused(policy_file):
    method = parse_method(str(policy_file))
    policy_file.write_bytes(policy_file.read_bytes() + b" ")
    with pytest.raises(PolicyFileError, match="changed while"):
        method.make()


def test_families_at_the_top_of_a_card_count():
    card = {"families": ["wine"], "data": {"d": {"family": "kin"}}}
    policy = dataclasses.replace(margin_policy(), card=card)
    assert families_seen(policy) == ("kin", "wine")


@pytest.mark.parametrize("name", list_policies("pool"))
def test_shipped_policies_are_entrants(name):
    method = parse_method(f"policy:{name}")
    assert len(method.sha256) == 64
    assert isinstance(method.make(), PoolPolicy)


def test_a_strategy_wins_over_a_policy_of_its_name():
    assert parse_method("margin").sha256 == ""
    assert parse_method("policy:margin").sha256 != ""
    labels = [e.label for e in parse_methods(["margin", "policy:margin"])]
    assert labels == ["margin", "policy:margin"]
