"""A score beside the utility of an earlier policy: their sum ranks.

    utility = utility of the earlier policy + weight * score / spread

The earlier policy keeps its own weight wherever the new score, fitted to other states or other
features, has little to say.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy

Program = dict[str, Any]
Features = tuple[Sequence[str], Sequence[str]]
"""Candidate and context ids, in the order of a program's inputs."""

PREFIX = "earlier_"
"""What the earlier policy's registers and tensors are called in the joint program."""

GIVEN = {"candidates": f"{PREFIX}candidates", "context": f"{PREFIX}context"}
"""Its inputs: columns of the joint program's own."""


def stand_beside(
    program: Program,
    tensors: Mapping[str, np.ndarray],
    earlier: PoolPolicy,
    *,
    weight: float,
    spread: float,
    features: Features,
) -> tuple[Program, dict[str, np.ndarray]]:
    """Return the program whose output is the sum.

    Args:
        program: Scorer program with one score per candidate.
        tensors: Its tensors.
        earlier: Policy whose utility is added to.
        weight: Weight of the score, in its spreads.
        spread: Spread of the score among candidates.
        features: What the program reads; everything that the earlier policy reads among it.

    Raises:
        UsageError: The earlier policy reads something else.
    """
    check_beside(earlier, features)
    own = [earlier.candidate_features, earlier.context_features]
    ops = [
        {"op": "select", "in": [name], "out": [GIVEN[name]],
         "columns": [list(held).index(f) for f in wanted]}
        for name, held, wanted in zip(GIVEN, features, own, strict=True)
    ]  # fmt: skip
    ops += [_renamed(op, earlier.tensors) for op in earlier.program["ops"]]
    ops += [
        {"op": "affine", "in": [program["output"]], "out": ["beside_part"],
         "weight": "beside_weight"},
        {"op": "add", "in": [PREFIX + earlier.program["output"], "beside_part"],
         "out": ["beside_utility"]},
    ]  # fmt: skip
    added = {PREFIX + name: values for name, values in earlier.tensors.items()}
    added["beside_weight"] = np.array([[weight / spread]], dtype=np.float32)
    joint = {"ops": [*program["ops"], *ops], "output": "beside_utility"}
    return joint, {**tensors, **added}


def check_beside(earlier: PoolPolicy, features: Features) -> None:
    """Refuse an earlier policy that reads what the program is not given, or the reference set."""
    known = {*features[0], *features[1]}
    lacking = [
        f for f in (*earlier.candidate_features, *earlier.context_features) if f not in known
    ]
    if lacking:
        raise UsageError(
            f"beside {earlier.name!r} reads {', '.join(lacking)}, which this run does not compute; "
            "add them to the features of the run, or give another policy"
        )
    if "reference" in earlier.scorer.reads:
        raise UsageError(
            f"beside {earlier.name!r} reads the reference set; expected a policy that scores each "
            "candidate by itself and the context"
        )


def _renamed(op: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return an operation of the earlier policy under its names in the joint program."""
    renamed = {
        key: PREFIX + value
        if key != "op" and isinstance(value, str) and value in tensors
        else value
        for key, value in op.items()
    }
    renamed["in"] = [GIVEN.get(name, PREFIX + name) for name in op["in"]]
    renamed["out"] = [PREFIX + name for name in op["out"]]
    return renamed
