import copy
import io
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lal
from lal.errors import DataError, PolicyFileError, UnknownNameError, UsageError
from lal.policies.files import save_policy
from lal.streams.features import FEATURES, SEQUENCE_FEATURES, StreamEvent, StreamItem, start, values
from lal.streams.policy import StreamPolicy
from lal.streams.strategies import STREAM_STRATEGIES

ROOT = Path(__file__).resolve().parents[3]


def doubt(pace="level"):
    """Asks where the margin is small."""
    step = {"op": "affine", "in": ["candidates"], "out": ["u"], "weight": "w", "bias": "b"}
    tensors = {"w": np.array([[-1.0]], np.float32), "b": np.array([0.5], np.float32)}
    return StreamPolicy(
        name="doubt", features=["margin@1"], program={"ops": [step], "output": "u"},
        tensors=tensors, card={"summary": "a test"}, pace=pace,
    )  # fmt: skip


def items(n, seed=0):
    rng = np.random.default_rng(seed)
    return [StreamItem(np.array([p, 1 - p])) for p in rng.random(n)]


def play(policy, stream, memory):
    asked = []
    for item in stream:
        asked.append(policy.act(memory, item))
        error = 1.0 if asked[-1] else None
        memory = policy.update(memory, StreamEvent(item, asked[-1], error))
    return asked, memory


def test_sign_asks_where_utility_is_positive():
    policy = doubt("sign")
    memory = policy.start(budget=1.0)
    assert policy.utility(memory, StreamItem(np.array([0.6, 0.4]))) == pytest.approx(0.3)
    assert policy.act(memory, StreamItem(np.array([0.6, 0.4])))
    assert not policy.act(memory, StreamItem(np.array([0.9, 0.1])))


@pytest.mark.parametrize("budget", [0.05, 0.2, 0.5])
def test_level_spends_the_budget_on_the_most_useful(budget):
    stream = items(4000)
    asked, _ = play(doubt(), stream, doubt().start(budget=budget))
    assert np.mean(asked) == pytest.approx(budget, abs=0.02)
    margins = np.array([abs(2 * i.proba[0] - 1) for i in stream])
    assert margins[np.array(asked)].mean() < 0.8 * margins.mean()


def test_memory_is_explicit_pure_and_saved_by_numpy():
    policy, stream = doubt(), items(60)
    whole, _ = play(policy, stream, policy.start(budget=0.3))
    first, memory = play(policy, stream[:25], policy.start(budget=0.3))
    before = {k: v.copy() for k, v in memory.items()}
    file = io.BytesIO()
    np.savez(file, **memory)
    file.seek(0)
    rest, _ = play(policy, stream[25:], dict(np.load(file)))
    assert first + rest == whole
    for name, array in memory.items():
        np.testing.assert_array_equal(array, before[name])


def test_file_keeps_the_policy_and_its_kind(tmp_path):
    path = tmp_path / "p.safetensors"
    doubt().save(path)
    again = lal.load_stream_policy(path)
    assert play(again, items(50), again.start())[0] == play(doubt(), items(50), doubt().start())[0]
    assert isinstance(lal.load_policy(path), StreamPolicy)


def test_policies_pickle_and_copy():
    for policy in (doubt(), lal.load_policy("stream-dqn")):
        stream = items(40)
        wanted, _ = play(policy, stream, policy.start())
        for again in (pickle.loads(pickle.dumps(policy)), copy.deepcopy(policy)):
            assert play(again, stream, again.start())[0] == wanted


BAD_ITEMS = [
    ({"proba": [np.nan, np.nan]}, "proba must hold finite numbers"),
    ({"proba": [0.5, -0.5, 1.0]}, "proba must be probabilities"),
    ({"proba": [0.5, 0.4]}, "sum that is off by 0.1"),
    ({"proba": [0.5, np.inf]}, "finite numbers"),
    ({"proba": []}, r"shape \(C,\) or \(T, C\), got \(0,\)"),
    ({"proba": 0.5}, "must have shape"),
    ({"proba": ["a", "b"]}, "must be an array of numbers"),
    ({"proba": [0.5, 0.5], "cost": 0.0}, "cost must be a finite number above 0"),
    ({"proba": [0.5, 0.5], "cost": np.nan}, "cost must be a finite number above 0"),
    ({"proba": [0.5, 0.5], "confidence": np.nan}, "confidence must lie in 0 to 1"),
    ({"proba": [0.5, 0.5], "content": [1.0, np.nan]}, "content must hold finite numbers"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ITEMS)
def test_items_are_checked_like_rows(change, message):
    with pytest.raises(DataError, match=message):
        StreamItem(**change)


@pytest.mark.parametrize("error", [np.nan, np.inf, -0.1, 2.0])
def test_an_error_that_is_not_a_share_never_reaches_the_memory(error):
    with pytest.raises(DataError, match="error must lie in 0 to 1"):
        StreamEvent(StreamItem(np.array([0.5, 0.5])), asked=True, error=error)


def test_a_bad_item_does_not_silence_the_policy():
    """The caller skips it; what comes after is decided as if it had never been."""
    policy, stream = doubt(), items(60)
    whole, _ = play(policy, stream, policy.start({"budget": 0.3}))
    first, memory = play(policy, stream[:30], policy.start({"budget": 0.3}))
    with pytest.raises(DataError, match="finite"):
        policy.act(memory, StreamItem(np.array([np.nan, 0.5])))
    assert first + play(policy, stream[30:], memory)[0] == whole


@pytest.mark.parametrize("proba", [[1.0], [[1.0], [1.0]]])
def test_one_class_known_is_legal_and_says_nothing(proba):
    """A model that has seen one class is certain of everything; that is no reason to rest."""
    one = StreamItem(np.array(proba))
    even = StreamItem(np.array([0.5, 0.5]))
    policy = lal.load_policy("stream-dqn")
    memory = policy.start({"budget": 0.2})
    assert policy.utility(memory, one) == policy.utility(memory, even)
    assert policy.act(policy.update(memory, StreamEvent(one, True, 0.0)), one) in (True, False)
    for name in ("fixed_uncertainty", "variable_uncertainty"):
        rule = STREAM_STRATEGIES[name](0)
        assert rule.act(rule.start({"budget": 0.5}), one)


def test_content_of_another_width_is_refused():
    step = {"op": "affine", "in": ["candidates"], "out": ["u"], "weight": "w"}
    policy = StreamPolicy(
        name="c", features=["content@1"], program={"ops": [step], "output": "u"},
        tensors={"w": np.ones((1, 3))}, content_width=3,
    )  # fmt: skip
    with pytest.raises(DataError, match="reads a content of 3 numbers, got 2"):
        policy.act(policy.start(), StreamItem(np.array([0.5, 0.5]), content=np.ones(2)))


@pytest.mark.parametrize("name", STREAM_STRATEGIES.names())
def test_rules_have_savable_memories_too(name):
    """The generator is part of the memory: resumed equals undisturbed, and nothing is changed."""
    rule, stream = STREAM_STRATEGIES[name](3), items(80)
    whole, _ = play(rule, stream, rule.start({"budget": 0.3}))
    first, memory = play(rule, stream[:40], rule.start({"budget": 0.3}))
    file = io.BytesIO()
    np.savez(file, **memory)
    file.seek(0)
    assert first + play(STREAM_STRATEGIES[name](3), stream[40:], dict(np.load(file)))[0] == whole
    assert len(set(whole)) == 2
    with pytest.raises(UsageError, match="budget must lie"):
        rule.start({"budget": 1.5})


def test_pool_policy_is_no_stream_policy(tmp_path):
    path = tmp_path / "pool.safetensors"
    save_policy(lal.load_policy("default"), path)
    with pytest.raises(PolicyFileError, match="kind 'pool', expected 'stream'"):
        lal.load_stream_policy(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pace": "slow"}, "pace 'slow' is unknown"),
        ({"content_width": -1}, "content_width must be"),
        ({"features": ["nope@1"]}, "unknown stream feature 'nope@1'"),
        ({"features": ["margin@1", "cost@1"]}, "shape"),
    ],
)
def test_malformed_policies_are_refused(change, message):
    with pytest.raises((PolicyFileError, UnknownNameError), match=message):
        replace(doubt(), **change)


def test_damaged_file_is_refused(tmp_path):
    path = tmp_path / "p.safetensors"
    doubt().save(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(PolicyFileError, match="sha256"):
        lal.load_stream_policy(path)


def test_unknown_name():
    with pytest.raises(UnknownNameError, match="unknown policy 'nope'"):
        lal.load_stream_policy("nope")


def test_bad_budget():
    with pytest.raises(UsageError, match="budget must lie"):
        doubt().start(budget=0.0)


@pytest.mark.parametrize("name", FEATURES)
def test_features_are_finite_numbers(name):
    record = start(0.1)._replace(seen=1e6, spent=1e5, since=1e5)
    for proba in (np.array([1.0, 0.0]), np.full((4, 3), 1 / 3)):
        assert np.isfinite(values([name], record, StreamItem(proba, cost=2.0))).all()


def test_features_by_hand():
    item = StreamItem(np.array([[0.7, 0.3], [0.5, 0.5]]), 2.0, 0.4, np.array([1.0, 2.0]))
    row = dict(
        zip([*SEQUENCE_FEATURES, "c2"], values(SEQUENCE_FEATURES, start(0.1), item), strict=True)
    )
    assert row["margin@1"] == pytest.approx(0.2)
    assert row["confidence@1"] == 0.4
    assert row["peak_entropy@1"] == pytest.approx(1.0)
    assert row["cost@1"] == pytest.approx(np.log(2.0))
    assert (row["content@1"], row["c2"]) == (1.0, 2.0)


def test_documented_loop_runs_without_torch():
    text = (ROOT / "docs" / "guide" / "streams.md").read_text()
    code = text.split("```python\n", 1)[1].split("```", 1)[0]
    code += "\nimport sys, json; print(json.dumps([asked, 'torch' in sys.modules, "
    code += "'gymnasium' in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    asked, torch, gymnasium = json.loads(done.stdout.splitlines()[-1])
    assert 30 < asked <= 30 + 0.1 * 1767 + 5
    assert not torch
    assert not gymnasium
