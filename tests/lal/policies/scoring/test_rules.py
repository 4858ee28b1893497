"""Operations by hand at their edges: defaults, boundaries of what is refused, messages."""

from typing import Any

import numpy as np
import pytest

from lal.errors import PolicyFileError
from lal.policies.scoring import ops as ops_module
from lal.policies.scoring.ops import FUNCTION, REFERENCE_ROWS, Shape, plain_work
from lal.policies.scoring.scorer import (
    MAX_HELD,
    MAX_OPS,
    OPS,
    Scorer,
    compile_program,
    run,
)
from lal.policies.scoring.trees import tree_op

F, G = 4, 3
ROWS = {
    "candidates": np.array([[1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 0.5, 2.0]]),
    "context": np.array([1.0, -2.0, 0.5]),
    "reference": np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 3.0]]),
}
EXTRA = {
    "mask": Shape("reference", 1),
    "row_mask": Shape("candidates", 1),
    "wide_mask": Shape("reference", 2),
    "one": Shape("vector", 1),
    "h": Shape("vector", 2),
    "tall": Shape("vector", 3),
}
GIVEN = {
    **ROWS, "mask": np.array([[1.0], [0.0], [1.0]]), "one": np.array([10.0]),
    "h": np.array([0.5, -0.5]), "tall": np.ones(3),
}  # fmt: skip
END = {"op": "select", "in": ["candidates"], "out": ["end"], "columns": [0]}


def made(*operations: Any, keep: tuple[str, ...] = (), **tensors: Any) -> Scorer:
    arrays = {name: np.asarray(value) for name, value in tensors.items()}
    program = {"ops": [*operations, END], "output": "end"}
    return compile_program(program, arrays, n_candidate=F, n_context=G, extra=EXTRA, keep=keep)


def op(name: str, *inputs: str, out: str = "y", **rest: Any) -> dict[str, Any]:
    return {"op": name, "in": list(inputs), "out": [out], **rest}


def value(operation: dict[str, Any], **tensors: Any) -> Any:
    return made(operation, keep=("y",), **tensors).registers(GIVEN)["y"]


def refused(message: str, *operations: Any, **tensors: Any) -> None:
    with pytest.raises(PolicyFileError, match=message):
        made(*operations, **tensors)


def test_defaults_of_attributes() -> None:
    x = ROWS["candidates"]
    centred = x - x.mean(axis=1, keepdims=True)
    normed = centred / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(value(op("layer_norm", "candidates")), normed, rtol=1e-12)
    loud = centred / np.sqrt(x.var(axis=1, keepdims=True) + 2.0)
    np.testing.assert_allclose(value(op("layer_norm", "candidates", eps=2.0)), loud, rtol=1e-12)
    np.testing.assert_array_equal(value(op("clip", "context")), ROWS["context"])
    np.testing.assert_array_equal(value(op("clip", "context", low=0)), [1.0, 0.0, 0.5])
    np.testing.assert_array_equal(value(op("clip", "context", high=0)), [0.0, -2.0, 0.0])
    one = value(op("attention", "candidates", "reference", "reference"))
    np.testing.assert_array_equal(
        value(op("attention", "candidates", "reference", "reference", heads=1)), one
    )


def test_attention_by_hand() -> None:
    q, R = ROWS["candidates"], ROWS["reference"]
    weights = np.exp(q @ R.T / 2.0)  # the square root of four columns
    weights /= weights.sum(axis=1, keepdims=True)
    found = value(op("attention", "candidates", "reference", "reference"))
    np.testing.assert_allclose(found, weights @ R, rtol=1e-12)
    masked = np.exp(q @ R[[0, 2]].T / 2.0)
    masked /= masked.sum(axis=1, keepdims=True)
    found = value(op("attention", "candidates", "reference", "reference", "mask"))
    np.testing.assert_allclose(found, masked @ R[[0, 2]], rtol=1e-12)


def test_attention_in_blocks_is_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = value(op("attention", "candidates", "reference", "reference", heads=2))
    monkeypatch.setattr(ops_module, "BLOCK", 1)
    again = value(op("attention", "candidates", "reference", "reference", heads=2))
    np.testing.assert_array_equal(again, whole)


def test_attention_to_nothing_is_zero() -> None:
    nothing = {**GIVEN, "mask": np.array([[0.0], [0.5], [0.5]])}  # half is not above a half
    for query, shape in (("candidates", (2, 4)), ("q", (4,))):
        widen = op("affine", "context", out="q", weight="w")
        operation = op("attention", query, "reference", "reference", "mask")
        scorer = made(widen, operation, keep=("y",), w=np.ones((F, G)))
        found = scorer.registers(nothing)["y"]
        assert found.shape == shape
        assert not found.any()


def test_pools_by_hand() -> None:
    np.testing.assert_array_equal(value(op("masked_sum", "reference")), [1, 2, 0, 3])
    np.testing.assert_array_equal(value(op("masked_max", "reference", "mask")), [1, 0, 0, 3])
    np.testing.assert_array_equal(value(op("masked_mean", "reference", "mask")), [0.5, 0, 0, 1.5])


def test_one_number_goes_with_any_width() -> None:
    np.testing.assert_array_equal(value(op("add", "context", "one", "context")), [12, 6, 11])
    np.testing.assert_array_equal(value(op("mul", "one", "one")), [100.0])
    three = made(op("mul", "candidates", "one", out="y"), keep=("y",)).registers(GIVEN)["y"]
    np.testing.assert_array_equal(three, 10 * ROWS["candidates"])


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([op("attention", "h", "reference", "reference")], "queries and keys must have one width"),
        ([op("attention", "candidates", "reference", "reference", heads=0)], "heads must be 1 to"),
        ([op("attention", "candidates", "reference", "reference", heads=65)], "heads must be 1 to"),
        ([op("attention", "candidates", "reference", "reference", heads=1.0)], "must be 1 to 64"),
        ([op("attention", "candidates", "reference", "reference", heads=3)], "divide by 3 heads"),
        ([op("select", "reference", out="v", columns=[0, 1, 2]),
          op("attention", "candidates", "reference", "v", heads=2)], "divide by 2 heads"),
        ([op("attention", "candidates", "reference", "candidates")], "must be the same rows"),
        ([op("attention", "candidates", "reference", "reference", "row_mask")],
         r"the mask must be Shape\(axis='reference', width=1\), got"),
        ([op("masked_mean", "reference", "wide_mask")], "the mask must be"),
        ([op("broadcast", "candidates", "reference")], "broadcast takes a vector and rows"),
        ([op("broadcast", "context", "context")], "broadcast takes a vector and rows"),
        ([op("add", "context", "h")], r"widths \[3, 2\] do not match"),
        ([op("layer_norm", "context", eps=0)], "eps must be above 0"),
        ([op("select", "context", columns=[])], "columns must be a list of column numbers below 3"),
        ([op("select", "context", columns=[-1])], "column numbers below 3"),
        ([op("select", "context", columns=[3])], "column numbers below 3"),
        ([op("select", "context", columns=[0] * 4097)], "column numbers below 3"),
        ([op("select", "context", columns="0")], "column numbers below 3"),
        ([op("select", "context")], "column numbers below 3"),
        ([op("clip", "context", low=float("nan"))], "'low' must be a finite number, got nan"),
        ([op("relu", "context", out="")], "'out' must be a list of register names"),
        ([op("relu", "context", out="y" * 65)], "'out' must be a list of register names"),
        ([op("lstm_cell", "context", "h", "h")], "'lstm_cell' writes 2 registers"),
        ([{"op": "relu", "in": ["context"]}], "'out' must be a list of register names"),
        ([op("relu", "context"), op("tanh", "y")], "operation 1 of the program: .*written twice"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(operations: list[Any], message: str) -> None:
    refused(message, *operations)


def test_columns_and_names_at_their_limits() -> None:
    assert value(op("select", "context", columns=[2, 0])).tolist() == [0.5, 1.0]
    assert value(op("select", "context", columns=[1] * 4096)).shape == (4096,)
    made(op("relu", "context", out="y" * 64))
    program = {"ops": [op("relu", "context", out=f"r{i}") for i in range(MAX_OPS - 1)] + [END]}
    compile_program({**program, "output": "end"}, {}, n_candidate=F, n_context=G)


def test_tensors_must_fit() -> None:
    refused(
        r"tensor for 'scale' has shape \(2,\), expected \(3,\)",
        op("standardise", "context", mean="m", scale="s"),
        m=np.zeros(3),
        s=np.ones(2),
    )
    refused(
        "scale must not hold zeros",
        op("standardise", "context", mean="m", scale="s"),
        m=np.zeros(3),
        s=[1.0, 0, 1],
    )
    refused("weight must have two axes", op("affine", "context", weight="w"), w=np.ones(3))
    refused(
        r"tensor for 'bias' has shape \(1,\), expected \(2,\)",
        op("affine", "context", weight="w", bias="b"),
        w=np.ones((2, 3)),
        b=np.ones(1),
    )
    cell = {"w": np.ones((6, 3)), "u": np.ones((6, 2)), "b": np.ones(6)}
    names = {"weight_ih": "w", "weight_hh": "u", "bias_ih": "b", "bias_hh": "b"}
    assert value(op("gru_cell", "context", "h", **names), **cell).shape == (2,)
    for role, bad in (("w", (8, 3)), ("u", (6, 3)), ("b", (5,))):
        refused(
            "has shape", op("gru_cell", "context", "h", **names), **{**cell, role: np.ones(bad)}
        )
    lstm = {**op("lstm_cell", "context", "h", "tall", **names), "out": ["y", "c"]}
    refused("memories must have one width", lstm, **cell)
    refused("'weight' names the tensor None, which is not there", op("affine", "context"))
    refused("tensor 't' has type bool; expected floats or integers", t=np.array([True]))


def test_outputs_are_one_number_a_candidate() -> None:
    for output, message in (
        ("context", "'context' must have width 1, got 3"),
        ("mask", "must be one number a candidate"),
        (3, "is not a register"),
    ):
        with pytest.raises(PolicyFileError, match=message):
            compile_program({"ops": [END], "output": output}, {}, n_candidate=F, n_context=G,
                            extra=EXTRA)  # fmt: skip
    with pytest.raises(PolicyFileError, match="the program must write a and b"):
        compile_program({"ops": [END], "output": "end"}, {}, n_candidate=F, n_context=G,
                        keep=("a", "b"))  # fmt: skip
    scorer = compile_program({"ops": [], "output": "context"}, {}, n_candidate=F, n_context=G,
                             n_output=G)  # fmt: skip
    np.testing.assert_array_equal(scorer.registers(ROWS)["context"], ROWS["context"])


def test_what_a_scorer_knows_of_its_program() -> None:
    scorer = made(op("masked_mean", "reference", out="m"), op("mul", "m", "candidates"))
    assert scorer.reads == {"reference", "candidates"}
    assert not scorer.mixes_candidates
    widths = F + F + G + sum(shape.width for shape in EXTRA.values()) + F + F + 1
    assert scorer.width == widths
    assert [step.by_candidate for step in scorer.steps] == [False, True, True]
    mixing = made(op("masked_mean", "candidates", out="m"), op("mul", "m", "candidates"))
    assert mixing.mixes_candidates
    assert [step.by_candidate for step in mixing.steps] == [True, True, True]
    attends = made(op("attention", "candidates", "candidates", "candidates"))
    assert attends.mixes_candidates


def test_work_is_counted() -> None:
    shapes = [Shape("candidates", 3), Shape("candidates", 5)]
    assert plain_work(shapes, {"w": np.ones((3, 5))}) == FUNCTION * 8 + 15
    steps = made(op("attention", "candidates", "reference", "reference")).steps
    assert steps[0].work == REFERENCE_ROWS * (F + F + FUNCTION)


def test_what_is_held_is_counted_to_the_last_number() -> None:
    widen = op("affine", "reference", out="r", weight="w")
    widths = [4096] * 3
    rest = MAX_HELD - 3 * 4096
    for last, fits in ((rest, True), (rest + 1, False)):
        tensors: dict[str, Any] = {f"w{i}": np.ones((n, F)) for i, n in enumerate([*widths, last])}
        operations = [{**widen, "out": [f"r{i}"], "weight": f"w{i}"} for i in range(4)]
        ends = [op("masked_mean", f"r{i}", out=f"m{i}") for i in range(4)]
        if fits and last <= 4096:
            made(*operations, *ends, **tensors)
        else:
            refused("wider than 4096|numbers a row, more than", *operations, *ends, **tensors)


def test_programs_are_run_on_no_rows_too() -> None:
    none = {**ROWS, "candidates": np.zeros((0, F))}
    assert made(op("relu", "candidates")).run(none).shape == (0,)
    assert run({"ops": [END], "output": "end"}, {}, ROWS).tolist() == [1.0, 0.0]


STUMP = {
    "roots": np.array([0]), "feature": np.array([1, 0, 0]), "threshold": np.array([0.5, 0, 0]),
    "left": np.array([1, 1, 2]), "right": np.array([2, 1, 2]),
    "value": np.array([[0.0], [1.0], [4.0]]),
}  # fmt: skip


def test_trees_on_a_threshold_and_with_a_bias() -> None:
    tensors = {f"t.{role}": tensor for role, tensor in STUMP.items()}
    operation = tree_op(STUMP, into="candidates", out="y", prefix="t", float32=False)
    assert operation["float32"] is False
    rows = np.zeros((3, F))
    rows[:, 1] = [0.5, 0.5 + 1e-12, -3]
    scorer = made(operation, keep=("y",), **tensors)
    assert scorer.registers({**GIVEN, "candidates": rows})["y"][:, 0].tolist() == [1.0, 4.0, 1.0]
    single = made({**operation, "float32": True}, keep=("y",), **tensors)
    assert single.registers({**GIVEN, "candidates": rows})["y"][:, 0].tolist() == [1.0, 1.0, 1.0]
    plain = {k: v for k, v in operation.items() if k != "float32"}
    assert made(plain, keep=("y",), **tensors).registers({**GIVEN, "candidates": rows})["y"][1] == 4
    biased = made({**operation, "bias": "b"}, keep=("y",), b=np.array([0.25]), **tensors)
    assert biased.registers({**GIVEN, "candidates": rows})["y"][0] == 1.25
    assert biased.steps[0].work == 8 * 1 * (1 + 1)
    refused(r"tensor for 'bias' has shape \(2,\), expected \(1,\)",
            {**operation, "bias": "b"}, b=np.ones(2), **tensors)  # fmt: skip


def test_a_tree_reads_a_vector_and_gives_several_numbers() -> None:
    wide = {**STUMP, "value": np.array([[0.0, 0.0], [1.0, -1.0], [4.0, 2.0]])}
    tensors = {f"t.{role}": tensor for role, tensor in wide.items()}
    operation = tree_op(wide, into="context", out="y", prefix="t", float32=False)
    scorer = made(operation, keep=("y",), **tensors)
    assert scorer.registers(GIVEN)["y"].tolist() == [1.0, -1.0]
    high = {**GIVEN, "context": np.array([0.0, 9.0, 0.0])}
    assert scorer.registers(high)["y"].tolist() == [4.0, 2.0]


def test_the_closed_set_of_operations() -> None:
    """A new one needs a test against torch, and a line here."""
    assert set(OPS) == {
        "affine", "relu", "tanh", "sigmoid", "gelu", "softplus", "softmax", "layer_norm",
        "standardise", "clip", "concat", "broadcast", "add", "mul", "select", "masked_mean",
        "masked_max", "masked_sum", "attention", "gru_cell", "lstm_cell", "trees",
    }  # fmt: skip
