"""A trained network as a policy file: the same numbers from the features of a state."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.lal_rl.kernels import N_HIDDEN, PUBLISHED, SYMMETRIC
from agents.lal_rl.network import QNetwork
from lal.arrays import Floats
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy

FEATURES = {
    True: (
        ("first_proba@1", "cosine_open@1", "cosine_labelled@1"),
        ("first_proba_quantiles@1",),
    ),
    False: (
        ("margin@1", "cosine_open_z@1", "cosine_labelled_z@1"),
        ("doubt_quantiles@1",),
    ),
}
"""Candidate and context features of the published (True) and of the symmetric inputs (False)."""

OPS = (
    {"op": "affine", "in": ["context"], "out": ["s"], "weight": "state", "bias": "state_bias"},
    {"op": "sigmoid", "in": ["s"], "out": ["hidden"]},
    {"op": "affine", "in": ["hidden"], "out": ["h"], "weight": "joint_state"},
    {"op": "affine", "in": ["candidates"], "out": ["c"], "weight": "joint", "bias": "joint_bias"},
    {"op": "add", "in": ["c", "h"], "out": ["sum"]},
    {"op": "sigmoid", "in": ["sum"], "out": ["units"]},
    {"op": "affine", "in": ["units"], "out": ["q"], "weight": "out", "bias": "out_bias"},
)
"""The published network: Q of a candidate, minus the labels still needed if it is asked next."""


def to_policy(network: QNetwork, view: int, *, name: str, card: Mapping[str, Any]) -> PoolPolicy:
    """Return a network as a policy.

    Args:
        network: Trained, or not.
        view: What it sees; see `kernels.see`.
        name: Of the policy.
        card: Its card.
    """
    published = view == PUBLISHED
    candidate_features, context_features = FEATURES[published]
    return PoolPolicy(
        name=name,
        candidate_features=candidate_features,
        context_features=context_features,
        program={"ops": list(OPS), "output": "q"},
        tensors=_tensors(network, view),
        class_symmetric=published is False,
        card=dict(card),
    )


def _tensors(network: QNetwork, view: int) -> dict[str, Floats]:
    from agents.lal_rl.kernels import UNCERTAINTY_ONLY

    joint = network.joint[N_HIDDEN:].astype(np.float64)
    bias = network.joint_bias.astype(np.float64)
    if view != PUBLISHED:  # the network was shown 1 - margin
        bias = bias + joint[0]
        joint[0] = -joint[0]
    if view == UNCERTAINTY_ONLY:
        joint[1:] = 0.0
    return {
        "state": network.state.T.astype(np.float64),
        "state_bias": network.state_bias.astype(np.float64),
        "joint_state": network.joint[:N_HIDDEN].T.astype(np.float64),
        "joint": joint.T.copy(),
        "joint_bias": bias,
        "out": network.out[None].astype(np.float64),
        "out_bias": network.out_bias.astype(np.float64),
    }


def to_network(policy: PoolPolicy) -> tuple[QNetwork, int]:
    """Return the network that a policy holds, and its view; the inverse of `to_policy`.

    Raises:
        UsageError: The policy does not see what LAL-RL sees.
    """
    seen = (policy.candidate_features, policy.context_features)
    if seen not in FEATURES.values():
        raise UsageError(
            f"{policy.name!r} is no LAL-RL policy: expected the features {FEATURES[False][0]} or "
            f"{FEATURES[True][0]}, got {policy.candidate_features}"
        )
    view = PUBLISHED if seen == FEATURES[True] else SYMMETRIC
    held = {name: tensor.astype(np.float64) for name, tensor in policy.tensors.items()}
    joint, bias = held["joint"].T.copy(), held["joint_bias"].copy()
    if view != PUBLISHED:
        joint[0] = -joint[0]
        bias -= joint[0]
    parts = (
        held["state"].T, held["state_bias"], np.concatenate([held["joint_state"].T, joint]), bias,
        held["out"][0], held["out_bias"],
    )  # fmt: skip
    network = QNetwork(*(np.ascontiguousarray(part, dtype=np.float32) for part in parts))
    return network, int(view)
