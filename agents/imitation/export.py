"""From fitted networks to one policy: their mean, then margin, an earlier policy or a gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from agents.imitation.beside import stand_beside
from agents.imitation.config import ImitationConfig
from agents.imitation.margin_prior import MARGIN, lean_on_margin
from agents.imitation.networks import network_program
from agents.imitation.targets import CLIP, Standard
from agents.training.tasks import feature_lists
from lal.arrays import Floats
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy

Program = dict[str, Any]
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a run found.

    Attributes:
        networks: Members, or the one distilled from them.
        standard: Mean and spread of the inputs.
        spread: Typical spread of the networks' mean score among candidates.
        gate: Weights and bias of the fall-back, (G + 1,); None without.
    """

    networks: Sequence[nn.Module]
    standard: Standard
    spread: float
    gate: Floats | None = None


def export_policy(
    found: Fitted, config: ImitationConfig, *, name: str, card: Mapping[str, Any]
) -> PoolPolicy:
    """Return the policy of what was fitted, equal to torch to 1e-5."""
    candidates, contexts = feature_lists(config)
    ops, tensors, score = mean_program(found.networks)
    reads_set = any("r0" in op["in"] for op in ops)
    prepare = [*unit_ops("candidates", "h0"), *(unit_ops("reference", "r0") if reads_set else [])]
    tensors |= {"mean": found.standard.mean, "scale": found.standard.scale}
    program: Program = {"ops": [*prepare, *ops], "output": score}
    if found.gate is not None:
        program, tensors = _fall_back(program, tensors, found, (candidates, contexts))
    elif config.beside:
        program, tensors = stand_beside(
            program,
            tensors,
            load_as(PoolPolicy, config.beside),
            weight=config.beside_weight,
            spread=found.spread,
            features=(candidates, contexts),
        )
    else:
        program, tensors = lean_on_margin(
            program,
            tensors,
            weight=config.margin_prior,
            spread=found.spread,
            candidate_features=candidates,
            context_features=contexts,
        )
    return PoolPolicy(
        name=name,
        candidate_features=candidates,
        context_features=contexts,
        program=program,
        tensors=tensors,
        card=dict(card),
    )


def unit_ops(rows: str, register: str) -> list[dict[str, Any]]:
    """Return the operations that standardise [context, rows] into a register."""
    raw, unit = f"{register}_raw", f"{register}_unit"
    return [
        {"op": "concat", "in": ["context", rows], "out": [raw]},
        {"op": "standardise", "in": [raw], "out": [unit], "mean": "mean", "scale": "scale"},
        {"op": "clip", "in": [unit], "out": [register], "low": -CLIP, "high": CLIP},
    ]


def mean_program(networks: Sequence[nn.Module]) -> tuple[list[dict[str, Any]], Tensors, str]:
    """Return operations, tensors and the register of the mean score of networks."""
    ops: list[dict[str, Any]] = []
    tensors: Tensors = {}
    scores = []
    for i, network in enumerate(networks):
        own, weights, score = network_program(network, f"m{i}_")
        ops, tensors = ops + own, tensors | weights
        scores.append(score)
    tensors["mean_of_members"] = np.full((1, len(networks)), 1.0 / len(networks), np.float32)
    ops.append({"op": "concat", "in": scores, "out": ["members"]})
    ops.append({"op": "affine", "in": ["members"], "out": ["score"], "weight": "mean_of_members"})
    return ops, tensors, "score"


def _fall_back(
    program: Program,
    tensors: Tensors,
    found: Fitted,
    features: tuple[Sequence[str], Sequence[str]],
) -> tuple[Program, Tensors]:
    """Add ``g * score / spread + (1 - g) * uncertainty``, g the sigmoid of the unit context."""
    gate = found.gate if found.gate is not None else np.zeros(0)
    G = len(features[1])
    added = {
        "fb_score": np.array([[1.0 / found.spread]]),
        "fb_gate": gate[None, :G],
        "fb_bias": gate[G:],
        "fb_minus": np.array([[-1.0]]),
        "fb_one": np.array([1.0]),
        "fb_mean": found.standard.mean[:G],
        "fb_scale": found.standard.scale[:G],
    }
    minus = {"op": "affine", "weight": "fb_minus"}
    ops = [
        {"op": "standardise", "in": ["context"], "out": ["fb_unit"],
         "mean": "fb_mean", "scale": "fb_scale"},
        {"op": "clip", "in": ["fb_unit"], "out": ["fb_context"], "low": -CLIP, "high": CLIP},
        {"op": "affine", "in": ["fb_context"], "out": ["fb_line"],
         "weight": "fb_gate", "bias": "fb_bias"},
        {"op": "sigmoid", "in": ["fb_line"], "out": ["fb_g"]},
        {**minus, "in": ["fb_g"], "out": ["fb_rest"], "bias": "fb_one"},
        {"op": "affine", "in": [program["output"]], "out": ["fb_own"], "weight": "fb_score"},
        {"op": "select", "in": ["candidates"], "out": ["fb_z"],
         "columns": [list(features[0]).index(MARGIN)]},
        {**minus, "in": ["fb_z"], "out": ["fb_doubt"]},
        {"op": "mul", "in": ["fb_own", "fb_g"], "out": ["fb_followed"]},
        {"op": "mul", "in": ["fb_doubt", "fb_rest"], "out": ["fb_margin"]},
        {"op": "add", "in": ["fb_followed", "fb_margin"], "out": ["fb_utility"]},
    ]  # fmt: skip
    single = {name: values.astype(np.float32) for name, values in added.items()}
    return {"ops": [*program["ops"], *ops], "output": "fb_utility"}, {**tensors, **single}
