"""Programs over many slates at once: equal to the interpreter, one episode at a time."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

import envs.simulator.scoring as scoring
from envs.simulator.scoring import SlateBatch, SlateScorer, score_slates
from lal.errors import UsageError
from lal.features.base import FEATURES
from lal.policies.kinds import load_policy
from lal.policies.scoring.scorer import OPS, compile_program

E, K, R, F, G = 7, 9, 6, 5, 3


def batch(seed=0, n_candidate=F, n_context=G):
    rng = np.random.default_rng(seed)
    mask = rng.random((E, K)) < 0.6
    mask[2] = False  # an episode without candidates
    there = rng.random((E, R)) < 0.7
    there[4] = False  # an episode without reference rows
    return SlateBatch(
        rng.normal(size=(E, K, n_candidate)),
        rng.normal(size=(E, n_context)),
        mask,
        rng.normal(size=(E, R, n_candidate)),
        there,
    )


def one_by_one(scorer, slates):
    """Return what the interpreter gives, episode by episode."""
    values = np.zeros(slates.mask.shape)
    for e, there in enumerate(slates.mask):
        if there.any():
            inputs = {
                "candidates": slates.candidates[e, there],
                "reference": slates.reference[e, slates.reference_mask[e]],
                "context": slates.context[e],
            }
            values[e, there] = scorer.run(inputs)
    return values


def scorer_from(*ops, output, **tensors):
    return compile_program(
        {"ops": list(ops), "output": output}, tensors, n_candidate=F, n_context=G
    )


def op(name, inputs, output, **rest):
    return {"op": name, "in": inputs.split(), "out": output.split(), **rest}


def weights(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


KEYS = (
    op("affine", "candidates", "q", weight="w"),
    op("affine", "reference", "k", weight="w", bias="b"),
    op("affine", "context", "c", weight="u"),
    op("select", "reference", "column", columns=[1]),
    op("sigmoid", "column", "soft"),
    op("affine", "soft", "shifted", weight="ten", bias="minus"),
    op("clip", "shifted", "kept", low=0.0, high=1.0),
)
TENSORS = {
    "w": weights(4, F),
    "b": weights(4),
    "u": weights(4, G),
    "ten": np.array([[10.0]]),
    "minus": np.array([-4.5]),
    "end": weights(1, 4),
    "join": weights(1, 8),
}
PROGRAMS = {
    "attention": (op("attention", "q k k", "a", heads=2), op("affine", "a", "u0", weight="end")),
    "attention with a mask": (
        op("attention", "q k k kept", "a"),
        op("affine", "a", "u0", weight="end"),
    ),
    "attention of the context": (
        op("attention", "c k k", "a"),
        op("add", "a q", "s"),
        op("affine", "s", "u0", weight="end"),
    ),
    "reference attends to candidates": (
        op("attention", "k q q", "a"),
        op("masked_max", "a", "m"),
        op("concat", "m q", "s"),
        op("affine", "s", "u0", weight="join"),
    ),
    "attention among candidates": (
        op("attention", "q q q", "a"),
        op("affine", "a", "u0", weight="end"),
    ),
    **{
        f"{kind} {suffix}": (
            op(kind, f"{rows} {mask}".strip(), "m"),
            op("mul", "m q c", "s"),
            op("affine", "s", "u0", weight="end"),
        )
        for kind in ("masked_mean", "masked_max", "masked_sum")
        for suffix, rows, mask in (
            ("of the reference set", "k", ""),
            ("with a mask", "k", "kept"),
            ("of the candidates", "q", ""),
        )
    },
    "a vector alone": (op("affine", "c", "u0", weight="end"),),
    "rows alone": (
        op("broadcast", "c q", "wide"),
        op("layer_norm", "q", "n"),
        op("add", "wide n", "s"),
        op("softmax", "s", "p"),
        op("affine", "p", "u0", weight="end"),
    ),
}


@pytest.mark.parametrize("name", sorted(PROGRAMS))
@pytest.mark.parametrize("rows", [8192, 10])
def test_a_batch_equals_the_interpreter(name, rows, monkeypatch):
    monkeypatch.setattr(scoring, "ROWS", rows)
    scorer = scorer_from(*KEYS, *PROGRAMS[name], output="u0", **TENSORS)
    slates = batch()
    found = score_slates(scorer, slates)
    np.testing.assert_allclose(found, one_by_one(scorer, slates), atol=1e-9)
    assert found[slates.mask].std() > 0
    single = SlateScorer(scorer, np.float32)(slates)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, found, atol=1e-3)


def test_every_operation_that_mixes_rows_has_a_form():
    assert set(scoring._MIXING) == {name for name, op in OPS.items() if op.mixes is not None}


def test_an_operation_without_a_form_is_refused(monkeypatch):
    monkeypatch.delitem(scoring._MIXING, "attention")
    scorer = scorer_from(*KEYS, *PROGRAMS["attention"], output="u0", **TENSORS)
    with pytest.raises(UsageError, match="'attention' mixes rows and has no form"):
        score_slates(scorer, batch())


def test_reference_rows_must_be_given_where_they_are_read():
    scorer = scorer_from(*KEYS, *PROGRAMS["attention"], output="u0", **TENSORS)
    with pytest.raises(UsageError, match="expected slates with reference rows"):
        score_slates(scorer, replace(batch(), reference=None, reference_mask=None))


@pytest.mark.parametrize("name", ["default", "margin", "lookahead-2026-11-22", "lal-independent"])
def test_shipped_policies_rank_as_the_interpreter_does(name):
    policy = load_policy(name)
    scorer = policy.scorer
    ids = policy.candidate_features, policy.context_features
    widths = [sum(FEATURES[i].dim for i in some) for some in ids]
    for seed in range(5):
        slates = batch(seed, *widths)
        found, wanted = score_slates(scorer, slates), one_by_one(scorer, slates)
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        closed = ~slates.mask
        picks = [np.where(closed, -np.inf, values).argmax(axis=1) for values in (found, wanted)]
        assert (picks[0] == picks[1]).all()
