"""Scorer programs: every operation against torch, and what is refused."""

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch

from lal.arrays import Floats
from lal.errors import PolicyFileError
from lal.policies.scoring.affine_op import diagonal_blocks
from lal.policies.scoring.ops import Shape
from lal.policies.scoring.scorer import OPS, compile_program, run

N, M, F, G = 11, 7, 6, 4
RNG = np.random.default_rng(5)
INPUTS = {
    "candidates": RNG.normal(size=(N, F)),
    "context": RNG.normal(size=G),
    "reference": RNG.normal(size=(M, F)),
    "row_mask": (np.arange(N) % 3 > 0).astype(float)[:, None],
    "reference_mask": (np.arange(M) % 2 > 0).astype(float)[:, None],
    "memory": RNG.normal(size=5),
    "cell": RNG.normal(size=5),
    "row_memory": RNG.normal(size=(N, 5)),
}
EXTRA = {
    "row_mask": Shape("candidates", 1),
    "reference_mask": Shape("reference", 1),
    "memory": Shape("vector", 5),
    "cell": Shape("vector", 5),
    "row_memory": Shape("candidates", 5),
}
T = {k: torch.tensor(v) for k, v in INPUTS.items()}


def registers(*ops, **tensors) -> dict[str, Floats]:
    """Run operations and return every register."""
    end = {"op": "select", "in": ["candidates"], "out": ["_end"], "columns": [0]}
    program = {"ops": [*ops, end], "output": "_end"}
    json.dumps(program)
    written = [str(name) for op in ops for name in op["out"]]
    scorer = compile_program(
        program, tensors, n_candidate=F, n_context=G, extra=EXTRA, keep=written
    )
    return scorer.registers(INPUTS)


def tensor(*shape: int) -> Floats:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def same(ours, theirs):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=1e-6)


FOREST = {
    "f.roots": np.arange(5000),
    "f.feature": np.zeros(15_000, dtype=np.int64),
    "f.threshold": np.zeros(15_000),
    "f.left": np.r_[5000:15_000:2, 5000:15_000],
    "f.right": np.r_[5001:15_000:2, 5000:15_000],
    "f.value": np.zeros((15_000, 1)),
}
"""5 000 trees of one split."""


def forest() -> dict[str, str]:
    """Return the roles of an operation on `FOREST`."""
    return {name[2:]: name for name in FOREST}


@pytest.mark.parametrize("into", ["candidates", "context", "reference"])
def test_affine(into):
    width = INPUTS[into].shape[-1]
    w, b = tensor(3, width), tensor(3)
    op = {"op": "affine", "in": [into], "out": ["y"], "weight": "w", "bias": "b"}
    out = registers(op, w=w, b=b)["y"]
    same(out, torch.nn.functional.linear(T[into], torch.tensor(w), torch.tensor(b)))


BLOCKS = {
    "square": ([(2, 2), (1, 1)], [[0, 2, 0, 2], [2, 3, 2, 3]]),
    "oblong": ([(1, 2), (3, 1), (2, 2)], [[0, 1, 0, 2], [1, 4, 2, 3], [4, 6, 3, 5]]),
    "one": ([(3, 4)], [[0, 3, 0, 4]]),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_on_the_diagonal_are_found(name):
    sizes, wanted = BLOCKS[name]
    weight = scipy.linalg.block_diag(*(np.ones(size) for size in sizes))
    assert diagonal_blocks(weight).tolist() == wanted


@pytest.mark.parametrize(
    "weight",
    [
        [[1, 1, 0], [0, 1, 1], [0, 0, 1]],  # each row overlaps with the next
        [[0, 0, 1], [0, 1, 0], [1, 0, 0]],  # blocks, but not in the order of the columns
        [[1, 0, 0], [0, 1, 0], [1, 0, 1]],  # the last row reaches back
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    ],
)
def test_other_matrices_are_one_block(weight):
    assert diagonal_blocks(np.array(weight, dtype=float)).tolist() == [[0, 3, 0, 3]]


def test_a_row_of_zeros_is_a_block_without_columns():
    w = scipy.linalg.block_diag(tensor(2, 2), np.zeros((1, 1)), tensor(2, F - 3))
    assert diagonal_blocks(w).tolist() == [[0, 2, 0, 2], [2, 3, 2, 2], [3, 5, 2, F]]
    op = {"op": "affine", "in": ["candidates"], "out": ["y"], "weight": "w"}
    same(registers(op, w=w)["y"], torch.nn.functional.linear(T["candidates"], torch.tensor(w)))


def test_only_the_blocks_are_multiplied():
    """Numbers outside of the blocks are never read: those of the compiled program are apart."""
    w = scipy.linalg.block_diag(tensor(2, 1), tensor(3, F - 1))
    prepare = OPS["affine"].prepare
    assert prepare is not None
    found = prepare({"weight": w, "bias": tensor(5)})
    assert set(found) == {"weight", "bias", "blocks", "block0", "block1"}
    assert found["blocks"].tolist() == [[0, 2, 0, 1], [2, 5, 1, F]]
    np.testing.assert_array_equal(found["block0"], w[:2, :1].T)
    np.testing.assert_array_equal(found["block1"], w[2:, 1:].T)
    assert set(prepare({"weight": np.ones((2, 3))})) == {"weight"}
    assert set(prepare({"weight": np.ones((0, 3))})) == {"weight"}


@pytest.mark.parametrize("into", ["candidates", "context", "reference"])
def test_affine_with_blocks(into):
    width = INPUTS[into].shape[-1]
    w = scipy.linalg.block_diag(tensor(2, 1), tensor(3, width - 1))
    b = tensor(5)
    op = {"op": "affine", "in": [into], "out": ["y"], "weight": "w", "bias": "b"}
    out = registers(op, w=w, b=b)["y"]
    same(out, torch.nn.functional.linear(T[into], torch.tensor(w), torch.tensor(b)))


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("relu", torch.relu),
        ("tanh", torch.tanh),
        ("sigmoid", torch.sigmoid),
        ("gelu", torch.nn.functional.gelu),
        ("softplus", torch.nn.functional.softplus),
        ("softmax", lambda x: torch.softmax(x, dim=-1)),
    ],
)
@pytest.mark.parametrize("into", ["candidates", "context"])
@pytest.mark.parametrize("factor", [1.0, 300.0])
def test_activations(name, theirs, into, factor):
    scale = {"op": "affine", "in": [into], "out": ["x"], "weight": "w"}
    w = factor * np.eye(INPUTS[into].shape[-1])
    out = registers(scale, {"op": name, "in": ["x"], "out": ["y"]}, w=w)["y"]
    same(out, theirs(factor * T[into]))


def test_layer_norm():
    w, b = tensor(F), tensor(F)
    op = {"op": "layer_norm", "in": ["candidates"], "out": ["y"], "eps": 1e-3}
    same(registers(op)["y"], torch.nn.functional.layer_norm(T["candidates"], (F,), eps=1e-3))
    out = registers({**op, "weight": "w", "bias": "b"}, w=w, b=b)["y"]
    theirs = torch.nn.functional.layer_norm(
        T["candidates"], (F,), torch.tensor(w), torch.tensor(b), 1e-3
    )
    same(out, theirs)


def test_standardise_and_clip():
    mean, scale = tensor(F), np.abs(tensor(F)) + 0.1
    ops = [
        {"op": "standardise", "in": ["candidates"], "out": ["z"], "mean": "m", "scale": "s"},
        {"op": "clip", "in": ["z"], "out": ["y"], "low": -1.0, "high": 2},
    ]
    out = registers(*ops, m=mean, s=scale)["y"]
    same(out, torch.clamp((T["candidates"] - torch.tensor(mean)) / torch.tensor(scale), -1, 2))


def test_concat_broadcast_select_add_mul():
    ops = [
        {"op": "concat", "in": ["candidates", "context"], "out": ["both"]},
        {"op": "broadcast", "in": ["context", "candidates"], "out": ["wide"]},
        {"op": "select", "in": ["candidates"], "out": ["some"], "columns": [5, 0, 0, 2]},
        {"op": "add", "in": ["some", "context", "wide"], "out": ["sum"]},
        {"op": "mul", "in": ["some", "context"], "out": ["product"]},
        {"op": "concat", "in": ["memory", "cell"], "out": ["vectors"]},
    ]
    out = registers(*ops)
    wide = T["context"].expand(N, G)
    same(out["both"], torch.cat([T["candidates"], wide], dim=1))
    same(out["wide"], wide)
    some = T["candidates"][:, [5, 0, 0, 2]]
    same(out["sum"], some + 2 * wide)
    same(out["product"], some * wide)
    same(out["vectors"], torch.cat([T["memory"], T["cell"]]))


@pytest.mark.parametrize("kind", ["mean", "max", "sum"])
@pytest.mark.parametrize("masked", [False, True])
def test_pooling(kind, masked):
    into = ["candidates", "row_mask"] if masked else ["candidates"]
    out = registers({"op": f"masked_{kind}", "in": into, "out": ["y"]})["y"]
    rows = T["candidates"][T["row_mask"][:, 0] > 0.5] if masked else T["candidates"]
    theirs = rows.max(dim=0).values if kind == "max" else getattr(rows, kind)(dim=0)
    same(out, theirs)


def test_pooling_of_nothing_is_zero():
    nothing = {"op": "mul", "in": ["row_mask", "none"], "out": ["mask"]}
    none = {"op": "affine", "in": ["row_mask"], "out": ["none"], "weight": "w"}
    pool = {"op": "masked_max", "in": ["candidates", "mask"], "out": ["y"]}
    assert (registers(none, nothing, pool, w=np.zeros((1, 1)))["y"] == 0).all()


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("query", ["candidates", "vector"])
def test_attention(heads, masked, query):
    """Against torch's MultiheadAttention: projections are affine operations around ours."""
    theirs = torch.nn.MultiheadAttention(F, heads, batch_first=True, dtype=torch.float64)
    w = theirs.in_proj_weight.detach().numpy()
    b = theirs.in_proj_bias.detach().numpy() + tensor(3 * F)
    theirs.in_proj_bias.data = torch.tensor(b)
    parts = {"q": 0, "k": 1, "v": 2}
    tensors = {f"w{p}": w[i * F : (i + 1) * F] for p, i in parts.items()}
    tensors |= {f"b{p}": b[i * F : (i + 1) * F] for p, i in parts.items()}
    tensors |= {"wo": theirs.out_proj.weight.detach().numpy(), "bo": np.zeros(F)}
    pool = {"op": "masked_mean", "in": ["candidates"], "out": ["vector"]}
    source = {"q": query, "k": "reference", "v": "reference"}
    project = [
        {"op": "affine", "in": [source[p]], "out": [p], "weight": f"w{p}", "bias": f"b{p}"}
        for p in parts
    ]
    into = ["q", "k", "v", "reference_mask"] if masked else ["q", "k", "v"]
    ops = [
        pool,
        *project,
        {"op": "attention", "in": into, "out": ["a"], "heads": heads},
        {"op": "affine", "in": ["a"], "out": ["y"], "weight": "wo", "bias": "bo"},
    ]
    out = np.atleast_2d(registers(*ops, **tensors)["y"])
    keys = T["reference"][None]
    asked = T["candidates"] if query == "candidates" else T["candidates"].mean(0, keepdim=True)
    hidden = T["reference_mask"][None, :, 0] < 0.5 if masked else None
    same(out, theirs(asked[None], keys, keys, key_padding_mask=hidden)[0][0])


@pytest.mark.parametrize(("x", "h"), [("context", "memory"), ("candidates", "row_memory")])
def test_recurrent_cells(x, h):
    width = INPUTS[x].shape[-1]
    roles = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    gru = torch.nn.GRUCell(width, 5, dtype=torch.float64)
    lstm = torch.nn.LSTMCell(width, 5, dtype=torch.float64)
    tensors = {f"g_{r}": getattr(gru, r).detach().numpy() for r in roles}
    tensors |= {f"l_{r}": getattr(lstm, r).detach().numpy() for r in roles}
    ops = [
        {"op": "gru_cell", "in": [x, h], "out": ["g"], **{r: f"g_{r}" for r in roles}},
        {"op": "lstm_cell", "in": [x, h, h], "out": ["l", "c"], **{r: f"l_{r}" for r in roles}},
    ]
    out = registers(*ops, **tensors)
    same(out["g"], gru(T[x], T[h]))
    hidden, cell = lstm(T[x], (T[h], T[h]))
    same(out["l"], hidden)
    same(out["c"], cell)


def test_every_operation_is_tested_here_or_with_the_trees():
    from pathlib import Path

    text = "".join(p.read_text() for p in Path(__file__).parents[1].rglob("test_*.py"))
    text = text.replace('f"masked_{kind}"', '"masked_mean" "masked_max" "masked_sum"')
    assert [name for name in OPS if f'"{name}"' not in text] == []


MLP = {
    "ops": [
        {"op": "concat", "in": ["candidates", "context"], "out": ["x"]},
        {"op": "affine", "in": ["x"], "out": ["h"], "weight": "w1", "bias": "b1"},
        {"op": "relu", "in": ["h"], "out": ["a"]},
        {"op": "affine", "in": ["a"], "out": ["u"], "weight": "w2"},
    ],
    "output": "u",
}
MLP_TENSORS = {"w1": tensor(8, F + G), "b1": tensor(8), "w2": tensor(1, 8)}


def test_chunks_change_nothing(monkeypatch):
    whole = run(MLP, MLP_TENSORS, INPUTS)
    monkeypatch.setattr("lal.policies.scoring.scorer.CHUNK", 4)
    np.testing.assert_allclose(run(MLP, MLP_TENSORS, INPUTS), whole)
    monkeypatch.setattr("lal.policies.scoring.scorer.HELD", 1)
    np.testing.assert_allclose(run(MLP, MLP_TENSORS, INPUTS), whole)
    assert whole.shape == (N,)


def test_a_constant_output_is_spread_over_the_candidates():
    program = {
        "ops": [{"op": "affine", "in": ["context"], "out": ["u"], "weight": "w"}],
        "output": "u",
    }
    out = run(program, {"w": np.ones((1, G))}, INPUTS)
    np.testing.assert_allclose(out, np.full(N, INPUTS["context"].sum()))


def test_mixing_is_known():
    pool = {"op": "masked_mean", "in": ["candidates"], "out": ["m"]}
    end = {"op": "select", "in": ["m"], "out": ["u"], "columns": [0]}
    mixing = compile_program({"ops": [pool, end], "output": "u"}, {}, n_candidate=F, n_context=G)
    assert mixing.mixes_candidates
    pool = {**pool, "in": ["reference"]}
    apart = compile_program({"ops": [pool, end], "output": "u"}, {}, n_candidate=F, n_context=G)
    assert not apart.mixes_candidates
    assert apart.reads == {"reference"}


SELECT = {"op": "select", "in": ["candidates"], "out": ["u"], "columns": [0]}
AFFINE = {"op": "affine", "in": ["candidates"], "out": ["h"], "weight": "w"}


@pytest.mark.parametrize(
    ("ops", "tensors", "message"),
    [
        ([{"op": "exec", "in": [], "out": []}], {}, "unknown op 'exec'"),
        ([{**SELECT, "in": ["later"]}], {}, "'later' is not written before"),
        ([SELECT, {**SELECT}], {}, "'u' is written twice"),
        ([{**SELECT, "columns": [F]}], {}, "column numbers below 6"),
        ([{**SELECT, "columns": [True]}], {}, "column numbers"),
        ([{**SELECT, "note": 1}], {}, "does not take"),
        ([AFFINE], {}, "names the tensor 'w', which is not there"),
        ([AFFINE], {"w": np.ones((2, 9))}, "expected \\(2, 6\\)"),
        ([AFFINE], {"w": np.array([["a"]])}, "expected floats or integers"),
        ([AFFINE], {"w": np.full((2, F), np.nan)}, "not finite"),
        ([AFFINE], {"w": np.ones((5000, F))}, "wider than 4096"),
        ([{"op": "add", "in": ["candidates", "reference"], "out": ["x"]}], {}, "only in attention"),
        ([{"op": "add", "in": ["candidates", "context"], "out": ["x"]}], {}, "do not match"),
        ([{"op": "masked_mean", "in": ["context"], "out": ["x"]}], {}, "pooling takes rows"),
        ([{"op": "relu", "in": ["candidates"] * 2, "out": ["x"]}], {}, "takes 1 to 1 inputs"),
        ([{"op": "relu", "in": "candidates", "out": ["x"]}], {}, "list of register names"),
        ([{"op": "clip", "in": ["context"], "out": ["x"], "low": "0"}], {}, "finite number"),
        (
            [{"op": "attention", "in": ["candidates", "context", "context"], "out": ["x"]}],
            {},
            "same rows",
        ),
        (
            [{"op": "relu", "in": ["context"], "out": [f"r{i}"]} for i in range(600)],
            {},
            "up to 512",
        ),
        ([7], {}, "must be a JSON object"),
    ],
)
def test_bad_programs_are_refused(ops, tensors, message):
    program = {"ops": [*ops, {**SELECT, "out": ["end"]}], "output": "end"}
    with pytest.raises(PolicyFileError, match=message):
        compile_program(program, tensors, n_candidate=F, n_context=G)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ({"ops": []}, "'ops' and 'output' only"),
        ({"ops": [], "output": "nowhere"}, "is not a register"),
        ({"ops": [], "output": "candidates"}, "must have width 1"),
        ({"ops": [{**SELECT, "in": ["reference"]}], "output": "u"}, "one number a candidate"),
        ([], "JSON object"),
    ],
)
def test_bad_outlines_are_refused(program, message):
    with pytest.raises(PolicyFileError, match=message):
        compile_program(program, {}, n_candidate=F, n_context=G)


def wide(n: int, *, chain: bool) -> dict[str, Any]:
    """Return n registers of 2 048 numbers per reference row, read by the next or at the end."""
    ops: list[dict[str, Any]] = [
        {"op": "affine", "in": ["reference"], "out": ["r0"], "weight": "w"},
        *(
            {"op": "tanh", "in": [f"r{i if chain else 0}"], "out": [f"r{i + 1}"]}
            for i in range(n - 1)
        ),
        *(
            {"op": "masked_mean", "in": [f"r{i}"], "out": [f"m{i}"]}
            for i in ([n - 1] if chain else range(n))
        ),
    ]
    last = ops[-1]["out"]
    ops.append({"op": "select", "in": last, "out": ["s"], "columns": [0]})
    ops.append({"op": "broadcast", "in": ["s", "candidates"], "out": ["u"]})
    return {"ops": ops, "output": "u"}


def test_registers_are_dropped_after_their_last_reader():
    """Chains of registers of the reference set took their sum: 14 of 2 048 numbers are 235 MB."""
    scorer = compile_program(
        wide(14, chain=True), {"w": np.ones((2048, F))}, n_candidate=F, n_context=G
    )
    given = {"candidates": np.ones((3, F)), "context": np.zeros(G), "reference": np.ones((1024, F))}
    tracemalloc.start()
    values = scorer.run(given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values.shape == (3,)
    assert peak < 100e6
    assert set(scorer.registers(given)) == {*given, "u"}


def test_what_is_held_at_once_is_bounded():
    with pytest.raises(PolicyFileError, match="holds 18432 numbers a row, more than 16384"):
        compile_program(
            wide(10, chain=False), {"w": np.ones((2048, F))}, n_candidate=F, n_context=G
        )


def test_work_on_the_reference_set_is_bounded():
    with pytest.raises(PolicyFileError, match=r"a row of the reference set takes \d+ operations"):
        compile_program(
            wide(200, chain=True), {"w": np.ones((2048, F))}, n_candidate=F, n_context=G
        )


def unread(n: int) -> dict[str, Any]:
    ops: list[dict[str, Any]] = [
        {"op": "affine", "in": ["reference"], "out": [f"r{i}"], "weight": "w"} for i in range(n)
    ]
    ops.append({"op": "select", "in": ["candidates"], "out": ["u"], "columns": [0]})
    return {"ops": ops, "output": "u"}


def test_registers_that_nothing_reads_are_not_held():
    scorer = compile_program(unread(8), {"w": np.ones((4096, F))}, n_candidate=F, n_context=G)
    assert [step.drops for step in scorer.steps[:-1]] == [(f"r{i}",) for i in range(8)]


@pytest.mark.parametrize(
    "ops",
    [
        [{"op": "affine", "in": ["x"], "out": [f"y{i}"], "weight": "square"} for i in range(500)],
        [
            {"op": "attention", "in": ["x", "k", "k"], "out": [f"y{i}"], "heads": 1}
            for i in range(50)
        ],
        [{"op": "trees", "in": ["x"], "out": [f"y{i}"], **forest()} for i in range(400)],
    ],
    ids=["affine", "attention", "trees"],
)
def test_work_of_a_row_is_bounded(ops):
    """The same tensor used again and again makes a small file slow."""
    first = [
        {"op": "affine", "in": ["candidates"], "out": ["x"], "weight": "widen"},
        {"op": "affine", "in": ["reference"], "out": ["k"], "weight": "widen"},
    ]
    end = {"op": "select", "in": ["x"], "out": ["u"], "columns": [0]}
    tensors = {"widen": np.ones((100, F)), "square": np.ones((100, 100)), **FOREST}
    with pytest.raises(PolicyFileError, match=r"a row takes \d+ operations, more than 4000000"):
        compile_program(
            {"ops": [*first, *ops, end], "output": "u"}, tensors, n_candidate=F, n_context=G
        )
