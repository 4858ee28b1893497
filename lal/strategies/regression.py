"""Rules for regression: greedy sampling, variances, expected model change."""

from typing import ClassVar

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.learners.capabilities import require_capability
from lal.pool import take
from lal.state import QueryState
from lal.strategies.farthest import distance_to_nearest
from lal.task_kind import REGRESSION, TaskKind

CHUNK = 4096
"""Rows whose distances to all labelled rows are held at once."""


class _ForRegression:
    """A rule that looks at numbers."""

    kinds: ClassVar[tuple[TaskKind, ...]] = (REGRESSION,)


class GreedySamplingX(_ForRegression):
    """Asks for the row farthest from all labelled ones, first for the one nearest the centroid.

    No label and no model is looked at. Source: Yu & Kim (2010), "Passive sampling for regression";
    called GSx by Wu, Lin & Huang (2019), "Active learning for regression using greedy sampling".
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return distances, shape (N,)."""
        if not len(state.labelled):
            return -_to_centroid(state)
        return distance_to_nearest(state.Z, state.Z_labelled)


class GreedySamplingY(_ForRegression):
    """Asks for the row whose prediction is farthest from all labels: GSy of Wu et al. (2019)."""

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return distances in y, shape (N,); those in x before there is a model."""
        if state.prediction is None:
            return GreedySamplingX().utilities(state, rng)
        gaps = np.abs(state.prediction[:, None] - state.labels)
        nearest: Floats = gaps.min(axis=1)
        return nearest


class ImprovedGreedySampling(_ForRegression):
    """Asks for the row with the largest smallest product of distances in x and in y.

    ``min_l |z - z_l| |f(x) - y_l|`` over the labelled rows l: iGS of Wu, Lin & Huang (2019).
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the products, shape (N,); distances in x before there is a model."""
        if state.prediction is None:
            return GreedySamplingX().utilities(state, rng)
        return smallest_products(state.Z, state.Z_labelled, state.prediction, state.labels)


class PredictiveVariance(_ForRegression):
    """Asks where the model's predictive variance is largest.

    For a Gaussian process that is the row of largest mutual information with its own label: MacKay
    (1992), "Information-based objective functions for active data selection".
    """

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return variances, shape (N,); distances in x before there is a model.

        Raises:
            UsageError: The learner has no variance.
        """
        if len(state.labelled) < 2:
            return GreedySamplingX().utilities(state, rng)
        variance: Floats = require_capability(state, "variance", "predictive_variance")
        return variance


class CommitteeVariance(_ForRegression):
    """Asks where the members of a committee disagree most: the variance of their predictions.

    Members are the model's own, or refits of the learner to bootstraps. Source: RayChaudhuri &
    Hamey (1995), "Minimisation of data collection by active learning".

    Args:
        n_members: Bagged refits, where the model has no members; at least 2.
    """

    def __init__(self, n_members: int = 8) -> None:
        self.n_members = _checked_size(n_members)

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return variances, shape (N,); distances in x before two labels are there."""
        if len(state.labelled) < 2:
            return GreedySamplingX().utilities(state, rng)
        variance: Floats = member_predictions(state, rng, self.n_members).var(axis=0)
        return variance


class ExpectedModelChange(_ForRegression):
    """Asks for the row whose label should move a linear model most.

    The mean over a committee of ``|f(x) - f_k(x)| |(1, z)|``, the length of the gradient of the
    squared error if the member's prediction were the label. Source: Cai, Zhang & Zhou (2013),
    "Maximizing expected model change for active learning in regression" (EMCM).

    Args:
        n_members: Bagged refits, where the model has no members; at least 2.
    """

    def __init__(self, n_members: int = 8) -> None:
        self.n_members = _checked_size(n_members)

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return expected lengths, shape (N,); distances in x before two labels are there."""
        if len(state.labelled) < 2 or state.prediction is None:
            return GreedySamplingX().utilities(state, rng)
        members = member_predictions(state, rng, self.n_members)
        length = np.sqrt(1.0 + (state.Z**2).sum(axis=1))
        change: Floats = np.abs(members - state.prediction).mean(axis=0) * length
        return change


def smallest_products(Z: Floats, Z_labelled: Floats, prediction: Floats, labels: Floats) -> Floats:
    """Return ``min_l |z - z_l| |f - y_l|`` of every row, shape (N,).

    Args:
        Z: Encoded rows, shape (N, d).
        Z_labelled: Encoded labelled rows, shape (L, d).
        prediction: Predictions of the rows, shape (N,).
        labels: Labels, shape (L,).
    """
    products = np.empty(len(Z))
    squares = (Z_labelled**2).sum(axis=1)
    for first in range(0, len(Z), CHUNK):
        part = slice(first, first + CHUNK)
        away = (Z[part] ** 2).sum(axis=1)[:, None] + squares - 2.0 * Z[part] @ Z_labelled.T
        gaps = np.abs(prediction[part, None] - labels)
        products[part] = (np.sqrt(np.maximum(away, 0.0)) * gaps).min(axis=1)
    return products


def member_predictions(state: QueryState, rng: np.random.Generator, n_members: int) -> Floats:
    """Return the model's own members' predictions, or those of bagged refits, (M, N).

    Source: Abe & Mamitsuka (1998), "Query learning strategies using boosting and bagging".

    Raises:
        UsageError: The state has neither members nor a learner to refit.
    """
    if state.members is not None:
        return state.members
    if state.learner is None:
        raise UsageError(
            "a committee needs a model with members (a forest, bagging) or a learner to refit; "
            "pass a regressor with fit_clf=True"
        )
    found = []
    for _ in range(n_members):
        drawn = rng.integers(len(state.labelled), size=len(state.labelled))
        weight = None if state.sample_weight is None else state.sample_weight[drawn]
        model = state.learner.fit(
            take(state.X, state.labelled[drawn]),
            state.labels[drawn],
            n_classes=0,
            sample_weight=weight,
            seed=int(rng.integers(2**31)),
        )
        found.append(model.predict(state.X))
    return np.stack(found)


def _to_centroid(state: QueryState) -> Floats:
    away: Floats = np.sqrt(((state.Z - state.geometry.Z_reference.mean(axis=0)) ** 2).sum(axis=1))
    return away


def _checked_size(n_members: int) -> int:
    if n_members < 2:
        raise UsageError(f"a committee needs at least 2 members, got {n_members}")
    return n_members
