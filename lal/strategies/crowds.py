"""Whom to ask what: questions about an item to one annotator, by the learner ``"crowd"``."""

from dataclasses import dataclass

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import UsageError
from lal.learners.capabilities import require_capability
from lal.state import QueryState
from lal.strategies.uncertainty import margin_utility


@dataclass(frozen=True)
class CrowdExpertise:
    """Ask about an item near the boundary whom the model thinks right about it.

    ``-(m / 2)^2 - weight error_t(x)`` with the margin m of the truth's probabilities; for two
    classes (m / 2)^2 is (1/2 - p)^2. Source: Yan, Rosales, Fung and Dy (2011), "Active learning
    from crowds"; the sum is ours, the paper solves for item and annotator together.

    Args:
        weight: Of the annotator's error.
        costs: What an answer of each annotator costs, taken off the utility; nothing when empty.
    """

    weight: float = 0.3
    costs: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a negative weight."""
        if self.weight < 0:
            raise UsageError(f"weight must not be negative, got {self.weight}")

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the utility of every question, shape (N,); 0 before there is a model."""
        if state.proba is None:
            return np.zeros(state.N)
        error = require_capability(state, "annotator_error", "crowd_expertise")
        half = margin_utility(state.proba) / 2.0
        utilities: Floats = -(half**2) - self.weight * error
        if self.costs:
            who = require_capability(state, "questions", "crowd_expertise")[2]
            utilities = utilities - np.asarray(self.costs)[who]
        return utilities


@dataclass(frozen=True)
class MultiLabelCrowd:
    """An uncertain item unlike those asked about, for each label, and the best annotator first.

    An item is worth the mean entropy of its labels times the distance to the nearest item that was
    asked about the same label. Of the annotators of one question the most reliable has all of it,
    and each further one, counting those who answered, less by a factor. MAC-style: Li, Jiang and
    Zhou (2015), "Multi-label active learning from crowds"; the code of local correlations of
    labels is left out, and the factor is ours.

    Args:
        discount: The factor, from 0 to 1.
        explore: Answers of each annotator until which all are asked the same questions: without
            shared questions the model cannot tell a bad annotator from a hard item.
    """

    discount: float = 0.5
    explore: int = 12

    def __post_init__(self) -> None:
        """Refuse a factor that is none."""
        if not 0.0 <= self.discount <= 1.0:
            raise UsageError(f"discount must lie between 0 and 1, got {self.discount}")

    def utilities(self, state: QueryState, rng: np.random.Generator) -> Floats:
        """Return the utility of every question, shape (N,); 0 before there is a model."""
        if state.proba is None:
            return np.zeros(state.N)
        error = require_capability(state, "annotator_error", "multilabel_crowd")
        items, label, _ = require_capability(state, "questions", "multilabel_crowd")
        proba = np.maximum(state.proba, 1e-12)
        entropy = -(proba * np.log(proba)).sum(axis=1)
        _, item = np.unique(np.round(items, 9), axis=0, return_inverse=True)
        of_item = np.bincount(item.ravel(), entropy) / np.bincount(item.ravel())
        value = of_item[item.ravel()] * _distance(items, label, state.labelled)
        question = item.ravel() * (int(label.max()) + 1) + label
        error = np.where(np.isin(np.arange(state.N), state.labelled), -1.0, error)
        place = _place(question, error)
        measured = len(state.labelled) >= self.explore * (int(place.max()) + 1)
        utilities: Floats = value * (self.discount if measured else 0.999) ** place
        return utilities


def _place(question: Ints, error: Floats) -> Ints:
    """Return the place of each row among those of its question, smallest error first, (n,)."""
    order = np.lexsort((error, question))
    ordered = question[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
    return place


def _distance(items: Floats, label: Ints, asked: Ints) -> Floats:
    """Return distances to the nearest item that was asked about the same label, (n,)."""
    far = np.zeros(len(items))
    for one in np.unique(label):
        rows, known = np.flatnonzero(label == one), asked[label[asked] == one]
        far[rows] = np.inf
        if len(known):
            A, B = items[rows], items[known]
            squares = (A**2).sum(axis=1)[:, None] - 2.0 * A @ B.T + (B**2).sum(axis=1)
            far[rows] = np.sqrt(np.maximum(squares.min(axis=1), 0.0))
    found = far[np.isfinite(far)]
    most = float(found.max()) if len(found) else 1.0
    return np.where(np.isfinite(far), far, 2.0 * most)
