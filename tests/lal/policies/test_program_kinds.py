"""Policies made of programs, small enough to follow by hand; no torch, no training."""

from typing import Any

import numpy as np
import pytest

from lal.errors import PolicyFileError, UsageError
from lal.policies.design_policy import DesignPolicy
from lal.policies.hub import _parsed, _readme, _refused
from lal.policies.margin import margin_policy
from lal.policies.predict_or_ask_policy import PredictOrAskPolicy
from lal.policies.program_policy import ProgramPolicy

RNG = np.random.default_rng(0)


def linear(weight: str, *inputs: str, out: str = "y") -> dict[str, Any]:
    ops = [
        {"op": "concat", "in": list(inputs), "out": ["joined"]},
        {"op": "affine", "in": ["joined"], "out": [out], "weight": weight},
    ]
    return {"ops": ops, "output": out}


def design(**changes: Any) -> DesignPolicy:
    fields = {
        "name": "d", "sizes": {"design": 2, "outcome": 1, "code": 2, "n_steps": 0},
        "programs": {"encode": linear("e", "context"), "emit": linear("m", "context")},
        "tensors": {"e": np.array([[1.0, 0, 0], [0, 1, 2]]), "m": np.array([[1.0, 1], [0, -1]])},
    }  # fmt: skip
    return DesignPolicy(**{**fields, **changes})


def test_a_design_policy_by_hand() -> None:
    policy = design()
    memory = policy.start()
    assert memory["n"] == 0
    assert policy.act(memory).tolist() == [0.0, 0.0]
    memory = policy.update(memory, {"design": [3, 4], "outcome": 0.5})  # its code is (3, 5)
    assert policy.act(memory).tolist() == [8.0, -5.0]
    memory = policy.update(memory, {"design": [[1.0, 0.0]], "outcome": [2.0]})
    assert memory["sum"].tolist() == [4.0, 9.0]
    assert memory["n"] == 2
    with pytest.raises(UsageError, match="a design of 2 and an outcome of 1 numbers, got 2 and 2"):
        policy.update(memory, {"design": [1, 2], "outcome": [1, 2]})
    with pytest.raises(UsageError, match="got 3 and 1"):
        policy.update(memory, {"design": [1, 2, 3], "outcome": 1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": {"design": 2, "outcome": 1}}, "a design policy needs the size 'code'"),
        ({"programs": {"emit": linear("m", "context")}},
         r"the programs are \['emit'\], expected \['emit', 'encode'\]"),
        ({"tensors": {"e": np.ones((2, 3)), "m": np.ones((3, 2))}}, "must have width 2, got 3"),
    ],
)  # fmt: skip
def test_programs_have_the_widths_of_the_kind(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyFileError, match=message):
        design(**changes)


def test_sizes_and_programs_of_a_file_are_bounded() -> None:
    fields = design().to_fields()
    assert fields["kind"] == "design"
    again = DesignPolicy.from_fields(fields, design().tensors)
    assert again.to_fields() == fields
    for sizes, fits in (({"a": 10**6}, True), ({"a": 10**6 + 1}, False), ({"a": -1}, False),
                        ({"a": True}, False), ({f"s{i}": 0 for i in range(61)}, False),
                        ({f"s{i}": 0 for i in range(60)}, True)):  # fmt: skip
        given = {**fields, "sizes": {**fields["sizes"], **sizes}}
        if fits:
            DesignPolicy.from_fields(given, design().tensors)
        else:
            with pytest.raises(
                PolicyFileError, match=r"sizes must be whole numbers|at most 16 pro"
            ):
                DesignPolicy.from_fields(given, design().tensors)
    many = {**fields, "programs": {f"p{i}": {} for i in range(17)}}
    with pytest.raises(PolicyFileError, match="a policy has at most 16 programs, 64 sizes"):
        DesignPolicy.from_fields(many, {})


def test_the_base_is_no_kind() -> None:
    base: Any = ProgramPolicy
    with pytest.raises(TypeError, match="ProgramPolicy is not a kind of policy of its own"):
        base(name="x", sizes={}, programs={})


def step(C: int, D: int, hidden: int) -> dict[str, Any]:
    """The next memory is the context times a matrix plus the memory; values are its sum."""
    ops = [
        {"op": "affine", "in": ["context"], "out": ["into"], "weight": "w"},
        {"op": "add", "in": ["into", "h"], "out": ["h_next"]},
        {"op": "add", "in": ["h_next", "c"], "out": ["c_next"]},
        {"op": "affine", "in": ["c_next"], "out": ["v"], "weight": "v"},
    ]
    return {"ops": ops, "output": "v"}


def asker(C: int = 2, D: int = 3, hidden: int = 2) -> PredictOrAskPolicy:
    return PredictOrAskPolicy(
        name="p", sizes={"classes": C, "columns": D, "hidden": hidden},
        programs={"step": step(C, D, hidden)},
        tensors={"w": RNG.normal(size=(hidden, C + D)), "v": RNG.normal(size=(C + 1, hidden))},
    )  # fmt: skip


def test_one_episode_and_many_are_the_same() -> None:
    policy = asker()
    items = RNG.normal(size=(4, 5, 3))  # steps, episodes, columns
    labels = np.array([[0, 1, -1, 1, 0]] * 4)
    many = policy.start({"episodes": 5})
    assert {k: v.shape for k, v in many.items()} == {"h": (5, 2), "c": (5, 2), "label": (5, 2)}
    single = [policy.start() for _ in range(5)]
    assert single[0]["h"].shape == (2,)
    for item, label in zip(items, labels, strict=True):
        values, actions = policy.values(many, item), policy.act(many, item)
        assert values.shape == (5, 3)
        assert actions.tolist() == values.argmax(axis=1).tolist()
        for e in range(5):
            np.testing.assert_allclose(policy.values(single[e], item[e]), values[e], atol=1e-12)
            assert int(policy.act(single[e], item[e])) == actions[e]
            single[e] = policy.update(single[e], {"item": item[e], "label": label[e]})
        many = policy.update(many, {"item": item, "label": label})
        assert many["label"].tolist() == [[1, 0], [0, 1], [0, 0], [0, 1], [1, 0]]
        np.testing.assert_allclose(many["h"][3], single[3]["h"], atol=1e-12)
        np.testing.assert_allclose(many["c"][4], single[4]["c"], atol=1e-12)


def test_memories_of_an_asker_by_hand() -> None:
    policy = asker()
    item = np.array([1.0, -1.0, 0.5])
    memory = policy.update(policy.start(), {"item": item, "label": 1})
    h = policy.tensors["w"] @ np.r_[0, 0, item]
    np.testing.assert_allclose(memory["h"], h)
    np.testing.assert_allclose(memory["c"], h)
    later = policy.tensors["w"] @ np.r_[0, 1, item] + h
    np.testing.assert_allclose(policy.values(memory, item), policy.tensors["v"] @ (later + h))


@pytest.mark.parametrize("label", [-2, 2, [0], [[1]]])
def test_labels_that_an_asker_refuses(label: Any) -> None:
    policy = asker()
    with pytest.raises(UsageError, match=r"labels must be -1 to 1 of shape \(\)"):
        policy.update(policy.start(), {"item": np.zeros(3), "label": label})
    with pytest.raises(UsageError, match=r"labels must be -1 to 1 of shape \(2,\)"):
        policy.update(policy.start({"episodes": 2}), {"item": np.zeros((2, 3)), "label": [0, 1, 1]})
    with pytest.raises(UsageError, match="expected 3 columns, got 2"):
        policy.act(policy.start(), np.zeros(2))
    with pytest.raises(UsageError, match="expected 3 columns, got 4"):
        policy.act(policy.start({"episodes": 3}), np.zeros((3, 4)))


def test_addresses_and_pages_of_the_hub() -> None:
    assert _parsed("hf://a/b") == ("a/b", None)
    assert _parsed("hf://a/b@v1") == ("a/b", "v1")
    for bad in ("a/b", "hf://a", "hf:///b", "hf://a/", "hf://a/b/c", "hf://a/b/c@v1"):
        with pytest.raises(UsageError, match=r"expected an address like hf://owner/name or hf://"):
            _parsed(bad)
    said = _refused("load", "hf://a/b", OSError("first line\nsecond line"))
    assert said == "cannot load hf://a/b: first line; check the address, your token and the network"
    assert "cannot write hf://a/b: OSError()" in _refused("write", "hf://a/b", OSError())
    head = "---\nlibrary_name: learned-active-learning\ntags:\n- active-learning\n---\n\n# Policy "
    assert _readme(margin_policy()).startswith(head + "margin\n")
    plain = design(card={"summary": "Two \x1b[31mlines\nof it."})
    assert _readme(plain).startswith(head + "d\n\nTwo ")
    assert "\x1b" not in _readme(plain)
    page = _readme(design())
    assert page.startswith(
        head + "d\n\n\n\n## Trained on\n- the file does not say\n\n## Made for\n"
    )
    assert "## Looks at\n- the designs and outcomes so far, whatever their order\n" in page
    assert page.count("not measured") == 3
