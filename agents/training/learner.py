"""Learner: what an agent writes. `agents.training.trainer` does everything else of a run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from agents.training.config import RunConfig
from agents.training.progress import Progress

C = TypeVar("C", bound=RunConfig)


class Policy(Protocol):
    """What a learner exports: a frozen dataclass of `lal.policies` or `lal.streams`."""

    @property
    def card(self) -> Mapping[str, Any]:
        """What is known of its training and evidence."""
        ...

    def save(self, path: Path) -> None:
        """Write to a file."""
        ...


class Learner(ABC, Generic[C]):
    """One method of learning a policy.

    The trainer makes it, calls `prepare`, then for every segment `load` (except before the very
    first), `train_segment` and `save`, and in the end exports the policy of the best segment. Each
    segment starts from the checkpoint on disk, so a resumed run equals an undisturbed one if
    `train_segment` draws from generators seeded by (seed, segment) only.

    Args:
        config: Its config. Names that mean nothing are refused here, before anything is written.
    """

    score_name: ClassVar[str] = "dev_aubc"
    """What `validate` returns is called, in ``metrics.jsonl`` and on the card."""

    tensorboard: Path | None = None
    """Folder of an algorithm's own TensorBoard logs; None: it writes none."""

    def __init__(self, config: C) -> None:
        self.config = config
        self.progress = Progress()

    @property
    def n_segments(self) -> int:
        """Parts of the run; there is a checkpoint after each."""
        return int(getattr(self.config, "n_segments", 1))

    @property
    def n_units(self) -> int:
        """Length of the progress bar; `train_segment` may move it by ``self.progress.at``."""
        return self.n_segments

    def data(self) -> Mapping[str, Any]:
        """Return the real data sets of the run: name to family and sha256.

        Called before anything is written: what is unusable may be refused here, too.
        """
        return {}

    def prepare(self, folder: Path) -> None:
        """Make what all segments use, in files of the run's folder that are there or complete."""

    @abstractmethod
    def train_segment(self, segment: int) -> Mapping[str, Any]:
        """Train for one segment; return figures for ``metrics.jsonl``."""

    def save(self, folder: Path) -> None:
        """Write all state that the next segment starts from; plain arrays only, never pickles."""

    def load(self, folder: Path) -> None:
        """Take up what `save` wrote."""

    @abstractmethod
    def export(self) -> Any:
        """Return the policy as it is now, with its card."""

    def validate(self, policy: Any) -> float | None:
        """Return the policy's score on training-side tasks, larger is better; None: not done.

        With scores the best segment's policy is the run's, without them the last one's.
        """
        return None

    def check(self, policy: Any) -> Mapping[str, Any]:
        """Return evidence for the card of the run's final policy, such as its controls."""
        return {}

    @classmethod
    @abstractmethod
    def export_untrained(cls, config: C, n: int) -> list[Any]:
        """Return `n` policies with random weights; see `agents.registry.Agent`."""

    @classmethod
    def make(cls, config: C, progress: Progress) -> Self:
        """Return a learner that reports its progress."""
        learner = cls(config)
        learner.progress = progress
        return learner
