"""Margin sampling as a policy file: the baseline, and a test that export loses nothing."""

import numpy as np

from lal.policies.pool_policy import PoolPolicy


def margin_policy() -> PoolPolicy:
    """Return the policy whose utility is minus the top-two margin."""
    return PoolPolicy(
        name="margin",
        candidate_features=("margin@1",),
        program={
            "ops": [{"op": "affine", "in": ["candidates"], "out": ["utility"], "weight": "w"}],
            "output": "utility",
        },
        tensors={"w": np.array([[-1.0]])},
        card={
            "summary": "Margin sampling, written by hand; nothing in it was learned.",
            "trained_on": "nothing: hand-written",
            "features": ["margin@1"],
            "learners": "any with probabilities",
            "evidence": "it is the baseline that learned policies are compared with",
            "do_not_use_when": [
                "fewer than two classes are labelled: all rows tie and the choice is random"
            ],
        },
    )
