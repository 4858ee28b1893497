"""Protocol: everything about an evaluation but the data sets, learners and strategies."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from lal.errors import UsageError
from lal.serialization import config_hash, from_mapping
from lal.task import Start
from lal.tasks.conditions import make_condition

Regime = Literal[
    "cold", "warm", "batch", "batch_10C", "full_pool",
    "alpbench_small", "alpbench_medium", "alpbench_large", "cdalbench",
]  # fmt: skip

Count = int | str
"""Labels: a number, or a text such as ``"10C"`` for ten times the classes of the data set."""

PROTOCOL_VERSION = 1
"""Counted up when the meaning of a field changes, so that old results are never mixed in."""

NOT_OF_A_RUN = ("name", "n_splits", "n_starts", "metric")
"""Fields that choose which runs there are or how they are summed up, not what a run gives."""


def _at_least_one(field: str, value: Count) -> None:
    if isinstance(value, str):
        if not re.fullmatch("[1-9][0-9]*C", value):
            raise UsageError(
                f"{field} must be a number or a text like '10C', which counts classes, got "
                f"{value!r}"
            )
    elif value < 1:
        raise UsageError(f"{field} must be at least 1, got {value}")


def count_labels(count: Count, n_classes: int) -> int:
    """Return how many labels a count stands for on a data set with so many classes."""
    return int(count.removesuffix("C")) * n_classes if isinstance(count, str) else count


@dataclass(frozen=True)
class Repetition:
    """One repetition: a split of the data set and a start on it."""

    split: int
    start: int


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A frozen, versioned, hashed set of rules; equal protocols give equal runs.

    Attributes:
        name: What the regime is called in tables.
        budget: Labels acquired after the start (a `Count`); None for the whole pool.
        start: ``"two_classes"`` (random labels until two classes are seen) or a `Count`.
        batch_size: Labels acquired between refits (a `Count`).
        test_share: Share of the rows that only evaluation sees.
        max_pool: Larger pools are sub-sampled, anew for every split.
        max_share: At most this share of the pool is acquired (after the start).
        n_splits: Splits of every data set.
        n_starts: Starts on every split.
        metrics: What is measured at every point.
        metric: The headline among `metrics`.
        classes_known: Whether strategies are given the number of classes.
        budget_known: Whether strategies are given the budget.
        seed: Entropy of every stream.
        version: Version of these rules.
        conditions: Conditions of the pool (`lal.tasks.conditions`), applied after the split.
    """

    name: str = "cold"
    budget: Count | None = 100
    start: Start | Count = "two_classes"
    batch_size: Count = 1
    test_share: float = 0.4
    max_pool: int = 2000
    max_share: float = 0.5
    n_splits: int = 10
    n_starts: int = 5
    metrics: tuple[str, ...] = ("accuracy", "balanced_accuracy", "log_likelihood")
    metric: str = "balanced_accuracy"
    classes_known: bool = False
    budget_known: bool = False
    seed: int = 0
    version: int = PROTOCOL_VERSION
    conditions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse rules that cannot be followed."""
        object.__setattr__(self, "metrics", tuple(self.metrics))
        object.__setattr__(self, "conditions", tuple(self.conditions))
        for condition in self.conditions:
            make_condition(condition)
        for field in ("batch_size", "n_splits", "n_starts", "max_pool"):
            _at_least_one(field, getattr(self, field))
        if self.budget is not None:
            _at_least_one("budget", self.budget)
        if isinstance(self.start, str) and self.start != "two_classes":
            _at_least_one("start", self.start)
        if not 0 < self.test_share < 1:
            raise UsageError(f"test_share must lie between 0 and 1, got {self.test_share}")
        if not 0 < self.max_share <= 1:
            raise UsageError(f"max_share must be above 0 and at most 1, got {self.max_share}")
        if self.metric not in self.metrics:
            raise UsageError(
                f"the headline metric {self.metric!r} is not among the metrics "
                f"{', '.join(self.metrics)}"
            )
        if self.version != PROTOCOL_VERSION:
            raise UsageError(
                f"protocol version {self.version} is not known here (expected {PROTOCOL_VERSION}); "
                "use the release that wrote it"
            )

    def get_start(self, n_classes: int) -> Start:
        """Return the start on a data set with so many classes."""
        if self.start == "two_classes":
            return "two_classes"
        return count_labels(self.start, n_classes)

    @property
    def n_runs(self) -> int:
        """Number of runs of every data set and learner: splits times starts."""
        return self.n_splits * self.n_starts

    @property
    def repetitions(self) -> Iterator[Repetition]:
        """All runs, starts within splits."""
        return (Repetition(s, i) for s in range(self.n_splits) for i in range(self.n_starts))

    @property
    def hash(self) -> str:
        """Hash of all fields, 16 hexadecimal digits."""
        return config_hash(self._fields())

    def _fields(self) -> dict[str, Any]:
        """Return all fields; conditions only where there are any, as in older releases."""
        return {k: v for k, v in asdict(self).items() if k != "conditions" or v}

    @cached_property
    def run_hash(self) -> str:
        """Hash of the fields that determine what one run gives.

        More runs or another headline metric leave it as it is, so finished runs still count.
        """
        return config_hash({k: v for k, v in self._fields().items() if k not in NOT_OF_A_RUN})

    def with_runs(self, n_runs: int) -> "Protocol":
        """Return the protocol with `n_runs` runs: up to five starts on each split."""
        _at_least_one("runs", n_runs)
        n_starts = next(k for k in (5, 4, 3, 2, 1) if n_runs % k == 0 and k < max(n_runs, 2))
        return replace(self, n_splits=n_runs // n_starts, n_starts=n_starts)

    def to_json(self) -> str:
        """Return the protocol as JSON text."""
        return json.dumps(self._fields(), sort_keys=True, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Protocol":
        """Return the protocol written by `to_json`.

        Raises:
            UsageError: Not JSON, or fields that this version does not have.
        """
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(f"the protocol is not JSON: {error}") from error
        return from_mapping(cls, found, where="protocol")


WHOLE = 100_000
"""Pools of the benchmarks of others are not sub-sampled; no data set of theirs has more rows."""


def _alpbench(size: str, start: int, batch_size: int) -> Protocol:
    """Return a setting of ALPBench: twenty batches, a third of the rows for the test, accuracy."""
    return Protocol(
        name=f"alpbench_{size}", start=start, budget=20 * batch_size, batch_size=batch_size,
        test_share=1 / 3, max_pool=WHOLE, max_share=1.0, n_splits=10, n_starts=1, metric="accuracy",
    )  # fmt: skip


PROTOCOLS: dict[str, Protocol] = {
    "cold": Protocol(),
    "warm": Protocol(name="warm", start=20, budget=200),
    "batch": Protocol(name="batch", start="10C", budget=100, batch_size=5),
    "batch_10C": Protocol(name="batch_10C", start="10C", budget="200C", batch_size="10C"),
    "full_pool": Protocol(name="full_pool", start=20, budget=None, max_share=1.0),
    "alpbench_small": _alpbench("small", 30, 10),
    "alpbench_medium": _alpbench("medium", 100, 50),
    "alpbench_large": _alpbench("large", 300, 200),
    "cdalbench": Protocol(
        name="cdalbench", start="1C", budget=400, test_share=1 / 3, max_pool=WHOLE, max_share=1.0,
        n_splits=50, n_starts=1, metric="accuracy",
    ),
}  # fmt: skip
"""The regimes by name: cold and warm are headlines, full_pool only reproduces older tables.

Both batch regimes start from ten labels per class and acquire twenty batches.

The settings of others: ALPBench (Margraf et al. 2024, "ALPBench: a benchmark for active learning
pipelines on tabular data"), with starts of 30, 100 and 300 labels; CDALBench (Werner et al. 2024,
"A cross-domain benchmark for active learning") for tables, one label at a time up to 400, that of
Splice. CDALBench begins with one label of each class; here as many are drawn at random, because a
start that looks at labels is not one that a person could make.
"""


def make_protocol(regime: Regime, **changes: Any) -> Protocol:
    """Return the protocol of a regime, with changes."""
    if regime not in PROTOCOLS:
        raise UsageError(f"unknown regime {regime!r}; known: {', '.join(PROTOCOLS)}")
    return replace(PROTOCOLS[regime], **changes)
