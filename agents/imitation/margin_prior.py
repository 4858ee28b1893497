"""Margin as the prior of late states: what single labels gain there is mostly noise.

From a few dozen labels on, one label moves a quality measured on a few hundred rows by less than
that measurement's own noise, so a fit to such gains ranks late candidates worse than early ones.
The exported score therefore leans towards margin as labels are acquired:

    utility = score / spread - weight * ramp(L) * margin_z,
    ramp(L) = clip((log(1 + L) - log(1 + first)) / (log(1 + full) - log(1 + first)), 0, 1).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lal.arrays import Floats

FIRST_LABELS = 5
"""Labels up to which margin has no part."""

FULL_LABELS = 50
"""Labels from which margin has its full weight."""

LOG_LABELS = float(np.log(1001.0))
"""Scale of the context feature n_labelled@1, log(1 + L) / log(1001)."""

MARGIN, LABELS = "margin_z@1", "n_labelled@1"

Program = dict[str, Any]


def lean_on_margin(
    program: Program,
    tensors: dict[str, np.ndarray],
    *,
    weight: float,
    spread: float,
    candidate_features: Sequence[str],
    context_features: Sequence[str],
) -> tuple[Program, dict[str, np.ndarray]]:
    """Return the program with margin's part added; `weight` 0 returns it unchanged.

    Args:
        program: Scorer program with one score per candidate.
        tensors: Its tensors.
        weight: Weight of margin's z-score at `FULL_LABELS` labels, in spreads of the score.
        spread: Spread of the score among candidates, what one unit of `weight` is measured in.
        candidate_features: Ids in the order of the program's input; must have ``margin_z@1``.
        context_features: The same; must have ``n_labelled@1``.
    """
    if weight == 0.0:
        return program, tensors
    low, high = (np.log1p(n) / LOG_LABELS for n in (FIRST_LABELS, FULL_LABELS))
    slope = 1.0 / (high - low)
    added = {
        "mp_score": np.array([[1.0 / spread]]),
        "mp_margin": np.array([[-weight]]),
        "mp_slope": np.array([[slope]]),
        "mp_offset": np.array([-low * slope]),
    }
    margin, labels = candidate_features.index(MARGIN), context_features.index(LABELS)
    score = program["output"]
    ops = [
        {"op": "affine", "in": [score], "out": ["mp_own"], "weight": "mp_score"},
        {"op": "select", "in": ["candidates"], "out": ["mp_z"], "columns": [margin]},
        {"op": "affine", "in": ["mp_z"], "out": ["mp_doubt"], "weight": "mp_margin"},
        {"op": "select", "in": ["context"], "out": ["mp_labels"], "columns": [labels]},
        {
            "op": "affine", "in": ["mp_labels"], "out": ["mp_line"],
            "weight": "mp_slope", "bias": "mp_offset",
        },
        {"op": "clip", "in": ["mp_line"], "out": ["mp_ramp"], "low": 0.0, "high": 1.0},
        {"op": "mul", "in": ["mp_doubt", "mp_ramp"], "out": ["mp_part"]},
        {"op": "add", "in": ["mp_own", "mp_part"], "out": ["mp_utility"]},
    ]  # fmt: skip
    single = {name: values.astype(np.float32) for name, values in added.items()}
    return {"ops": [*program["ops"], *ops], "output": "mp_utility"}, {**tensors, **single}


def missing_features(
    candidate_features: Sequence[str], context_features: Sequence[str]
) -> list[str]:
    """Return the ids that margin's part needs and the lists lack."""
    lacking = [MARGIN] if MARGIN not in candidate_features else []
    return lacking + ([LABELS] if LABELS not in context_features else [])


def spread_within(scores: Floats, mask: np.ndarray) -> float:
    """Return the typical standard deviation of scores within a state; at least 1e-6.

    Args:
        scores: Shape (S, K).
        mask: Which slots count, shape (S, K).
    """
    n = np.maximum(mask.sum(axis=1), 1)
    mean = (scores * mask).sum(axis=1) / n
    variance = (((scores - mean[:, None]) ** 2) * mask).sum(axis=1) / n
    return max(float(np.sqrt(variance).mean()), 1e-6)
