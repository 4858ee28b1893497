"""What stopping rules have in common: what they look at, what they say, and their registry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.registry import Registry
from lal.rng import generator, integer_seed
from lal.task import Learner, Model

STOP_STEP = 10
"""Labels between the models that rules look at; ours."""

STOP_ROWS = 2000
"""Rows whose predictions rules look at, at most (Bloodgood and Vijay-Shanker 2009)."""

Labels = Sequence[tuple[int, int]]
"""Rows and their class codes in the order in which they were labelled."""


class Said(Protocol):
    """What a rule says; printed, it is a sentence."""

    @property
    def stop(self) -> bool:
        """Whether labelling may stop."""
        ...


class StoppingRule(Protocol):
    """Says whether labelling may stop; it never ends anything by itself."""

    def judge(self, labels: Labels) -> Said:
        """Return what the rule says about labels in the order given."""
        ...


@dataclass(frozen=True)
class Advice:
    """What a rule says.

    Attributes:
        measure: What it measures, in words.
        value: The measurement, None before there are enough labels.
        threshold: What it is compared with.
        stop: Whether labelling may stop.
    """

    measure: str
    value: float | None
    threshold: float
    stop: bool

    def __str__(self) -> str:
        """Return it as a sentence."""
        if self.value is None:
            return f"too few labels for the {self.measure}"
        said = "labelling may stop" if self.stop else "go on"
        return f"{said} ({self.measure} {self.value:.3g}, threshold {self.threshold:g})"


class Checkpoints:
    """The models after every tenth label, and the rows that rules look at; fitted when asked for.

    Args:
        learner: What is fitted.
        X: Encoded rows, shape (N, d).
        n_classes: C.
        seed: Chooses the rows and seeds the learner.
    """

    def __init__(self, learner: Learner, X: Rows, *, n_classes: int, seed: int) -> None:
        self.learner, self.X, self.n_classes, self.seed = learner, X, n_classes, seed
        self._models: dict[tuple[tuple[int, int], ...], Model] = {}

    @cached_property
    def rows(self) -> Ints:
        """Rows that are looked at, chosen once and without labels, shape (n,)."""
        n = len(self.X)
        size = min(STOP_ROWS, n)
        return generator(self.seed, "stopping").choice(n, size=size, replace=False)

    def counts(self, labels: Labels, window: int) -> list[int]:
        """Return the last `window` numbers of labels at which models are looked at.

        It is empty while there are fewer, or while the first of them holds one class only.
        """
        last = len(labels) // STOP_STEP
        counts = [n * STOP_STEP for n in range(last - window + 1, last + 1)]
        if counts[0] < STOP_STEP or len({code for _, code in labels[: counts[0]]}) < 2:
            return []
        return counts

    def model(self, labels: Labels) -> Model:
        """Return the model fitted to labels; the last few are kept."""
        key = tuple(labels)
        if key not in self._models:
            while len(self._models) > 16:
                self._models.pop(next(iter(self._models)))
            rows, codes = np.array(sorted(labels), dtype=np.int64).T
            self._models[key] = self.fit(rows, codes)
        return self._models[key]

    def fit(self, rows: Ints, codes: Ints) -> Model:
        """Return a model fitted to rows and their codes."""
        seed = integer_seed(self.seed, "stopping")
        return self.learner.fit(self.X[rows], codes, n_classes=self.n_classes, seed=seed)

    def open_proba(self, labels: Labels) -> Floats:
        """Return the model's probabilities of the rows looked at that have no label, (n, C).

        Where all of them have one, those of all rows looked at.
        """
        open_rows = np.setdiff1d(self.rows, [row for row, _ in labels])
        rows = open_rows if len(open_rows) else self.rows
        return self.model(labels).predict_proba(self.X[rows])


STOPPING_RULES: Registry[Callable[..., StoppingRule]] = Registry("stopping rule")
"""Names to rules, made from `Checkpoints` and, if one is given, a `threshold`."""


def make_rule(name: str, checkpoints: Checkpoints) -> StoppingRule:
    """Return a rule by its name, or by ``NAME:THRESHOLD``, such as ``"budget:200"``.

    Raises:
        UnknownNameError: No such rule.
        UsageError: The threshold is not a number that the rule can use.
    """
    name, colon, said = name.partition(":")
    make = STOPPING_RULES[name]
    if not colon:
        return make(checkpoints)
    try:
        threshold = float(said)
    except ValueError:
        raise UsageError(f"the threshold of {name!r} must be a number, got {said!r}") from None
    return make(checkpoints, threshold=threshold)


def check_threshold(name: str, value: float, low: float, high: float) -> float:
    """Return a threshold.

    Raises:
        UsageError: It is not between `low` and `high`.
    """
    if not low <= value <= high:
        raise UsageError(f"the threshold of {name!r} must be {low:g} to {high:g}, got {value:g}")
    return value
