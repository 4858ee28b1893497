"""Candidate features of what only some models know: their own variance and their members."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.features.base import define
from lal.features.geometry import squash
from lal.features.labelled import entropy, given
from lal.state import QueryState


@define(
    "variance@1",
    "candidate",
    of_labels="nothing",
    needs=("variance",),
    undefined=0.5,
    cost="the model's own",
)
def variance(state: QueryState, rows: Ints) -> Floats:
    """The model's own variance v, as v / (1 + v); 1/2 where it has none."""
    return squash(np.maximum(given(state.variance, "variance")[rows], 0.0))


@define(
    "committee_spread@1",
    "candidate",
    of_labels="nothing",
    needs=("committee",),
    cost="M N C",
    source="mutual information: Houlsby et al. 2011, over log C",
)
def committee_spread(state: QueryState, rows: Ints) -> Floats:
    """Entropy of the members' mean minus their mean entropy; 0 without members."""
    members = given(state.committee, "committee")[:, rows]
    spread: Floats = entropy(members.mean(axis=0)) - entropy(members).mean(axis=0)
    return spread
