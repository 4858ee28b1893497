"""Weights as a policy file: the same scores from the features of a state."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.lal_rl.search.config import INPUTS, N_TERMS, TIMES_UNCERTAINTY
from envs.simulator.kernels.lal_rl.linear_policy import USUAL_LABELS
from lal.arrays import Floats
from lal.policies.pool_policy import PoolPolicy

FEATURES = (
    "margin@1", "log_odds_z@1", "cosine_open_z@1", "cosine_labelled_z@1", "cosine_nearest_z@1",
    "cosine_classes_z@1", "cosine_disagreement@1", "angle_z@1", "scarcity@1",
)  # fmt: skip
"""The candidate feature of every input."""

SIGNS = np.array([-1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
"""An input is its feature with this sign; uncertainty is 1 less the margin."""

WHOLE = float(np.log1p(1000.0))
"""What `n_labelled@1` divides log(1 + L) by."""

OPS = (
    {"op": "affine", "in": ["candidates"], "out": ["x"], "weight": "signs", "bias": "shift"},
    {"op": "select", "in": ["x"], "out": ["doubt"], "columns": [0]},
    {
        "op": "select", "in": ["x"], "out": ["again"],
        "columns": [INPUTS.index(name) for name in TIMES_UNCERTAINTY],
    },
    {"op": "mul", "in": ["again", "doubt"], "out": ["doubted"]},
    {"op": "concat", "in": ["x", "doubted"], "out": ["terms"]},
    {"op": "affine", "in": ["context"], "out": ["w"], "weight": "later", "bias": "weights"},
    {"op": "mul", "in": ["terms", "w"], "out": ["weighed"]},
    {"op": "affine", "in": ["weighed"], "out": ["score"], "weight": "sum"},
)  # fmt: skip
"""Terms of a candidate times weights that move with the logarithm of the number of labels."""


def to_policy(weights: Floats, *, name: str, card: Mapping[str, Any]) -> PoolPolicy:
    """Return weights (2 T,) as a policy."""
    return PoolPolicy(
        name=name,
        candidate_features=FEATURES,
        context_features=("n_labelled@1",),
        program={"ops": list(OPS), "output": "score"},
        tensors=_tensors(np.asarray(weights, dtype=np.float64)),
        class_symmetric=True,
        card=dict(card),
    )


def _tensors(weights: Floats) -> dict[str, Floats]:
    fixed, by_time = weights[:N_TERMS], weights[N_TERMS:]
    shift = np.zeros(len(INPUTS))
    shift[0] = 1.0
    return {
        "signs": np.diag(SIGNS),
        "shift": shift,
        "later": by_time[:, None] * WHOLE,
        "weights": fixed - by_time * np.log1p(USUAL_LABELS),
        "sum": np.ones((1, N_TERMS)),
    }


def to_weights(policy: PoolPolicy) -> Floats:
    """Return the weights that a policy holds; the inverse of `to_policy`."""
    by_time = policy.tensors["later"][:, 0].astype(np.float64) / WHOLE
    fixed = policy.tensors["weights"].astype(np.float64) + by_time * np.log1p(USUAL_LABELS)
    weights: Floats = np.concatenate([fixed, by_time])
    return weights
