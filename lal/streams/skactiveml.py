"""The stream strategies of scikit-activeml behind our contract, budget managers included.

Those that look at the data (StreamProbabilisticAL, StreamDensityBasedAL, CognitiveDual...) are
given the row and the rows labelled so far, no more than the last `window`.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from lal.errors import UnknownNameError
from lal.registry import require
from lal.streams.features import StreamEvent, StreamItem, checked_event, checked_item
from lal.streams.strategies import budget_share

EXTRA = "hosts-skactiveml"

NOT_STRATEGIES = ("budgetmanager", "UncertaintyZliobaite")
"""A module, and the abstract base of the uncertainty strategies."""

NOT_WRAPPED = ("StreamProbabilisticAL",)
"""Strategies that need class frequencies of a kernel model, which other learners lack."""


def stream_names() -> list[str]:
    """Return the names that "skactiveml:Name" takes."""
    stream = require("skactiveml.stream", EXTRA)
    return sorted(n for n in stream.__all__ if n not in (*NOT_STRATEGIES, *NOT_WRAPPED))


def from_name(name: str) -> Callable[[int], "SkactivemlStream"]:
    """Return the maker of a wrapped strategy.

    Raises:
        UnknownNameError: No such stream strategy.
        MissingDependencyError: scikit-activeml is not installed.
    """
    if name not in stream_names():
        raise UnknownNameError(
            f"scikit-activeml has no stream strategy {name!r} that can be used here; known: "
            f"{', '.join(stream_names())}"
        )
    return partial(SkactivemlStream, name)


class SkactivemlStream:
    """A stream strategy of scikit-activeml.

    Its memory is the library's own object, which changes in place: the one exception to memories
    of plain arrays. One memory serves one stream; pickle keeps it.

    Args:
        name: Class name in ``skactiveml.stream``.
        seed: Of the library's random state.
    """

    def __init__(self, name: str, seed: int = 0) -> None:
        self._class = getattr(require("skactiveml.stream", EXTRA), name)
        self._seed = seed
        self._asks_model = "clf" in inspect.signature(self._class.query).parameters
        taken = inspect.signature(self._class.__init__).parameters
        self._needs_classes = "classes" in taken
        # without it the library warns that these strategies leave a part of the budget unspent
        self._options = {"force_full_budget": True} if "force_full_budget" in taken else {}

    def start(self, info: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the memory: the library's object, made at the first item, and its last answer."""
        return {"budget": budget_share(info), "object": None, "asked_of": None, "classifier": None}

    def act(self, memory: dict[str, Any], observation: StreamItem) -> bool:
        """Return the library's answer."""
        item = checked_item(observation)
        strategy = self._object(memory, item)
        given: dict[str, Any] = {}
        if self._asks_model:
            given = {"clf": _classifier(memory, item), "fit_clf": False}
        chosen = strategy.query(candidates=_row(item), **given)
        memory["asked_of"] = item
        return len(chosen) > 0

    def update(self, memory: dict[str, Any], event: StreamEvent) -> dict[str, Any]:
        """Return the memory after telling the library what was acquired."""
        if memory["asked_of"] is not checked_event(event).item:
            # a label that was forced on the strategy, or refused, without its being asked
            self.act(memory, event.item)
        chosen = np.array([0] if event.asked else [], dtype=int)
        self._object(memory, event.item).update(_row(event.item), chosen)
        return memory

    def _object(self, memory: dict[str, Any], item: StreamItem) -> Any:
        if memory["object"] is None:
            options: dict[str, Any] = {**self._options, "budget": memory["budget"]}
            options["random_state"] = self._seed
            if self._needs_classes:
                options["classes"] = list(range(item.proba.shape[-1]))
            memory["object"] = self._class(**options)
        return memory["object"]


def _row(item: StreamItem) -> Any:
    return np.atleast_2d(item.proba if item.x is None else item.x)


def _classifier(memory: dict[str, Any], item: StreamItem) -> Any:
    """Return a fitted classifier of the library's kind that answers with the item's numbers."""
    from lal.strategies.skactiveml_model import TaskClassifier

    proba = np.atleast_2d(item.proba.mean(axis=0) if item.proba.ndim == 2 else item.proba)
    n_classes = proba.shape[1]
    if memory["classifier"] is None:
        blank = TaskClassifier(classes=list(range(n_classes)))
        X = np.zeros((n_classes, _row(item).shape[1]))
        memory["classifier"] = blank.adopt(X, np.arange(n_classes), lambda rows: proba)
    memory["classifier"].answer_ = lambda rows: np.repeat(proba, len(rows), axis=0)
    return memory["classifier"]
