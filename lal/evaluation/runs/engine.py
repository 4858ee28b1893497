"""Engines: who executes a batch of runs, if not the reference implementation of this package.

An engine is passed in from above `lal`, for example the compiled simulator of `envs`. Its name is
part of every run's key, so results of two engines are never mixed in one comparison.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from lal.errors import UsageError
from lal.evaluation.runs.run import REFERENCE, Run, RunResult


class Engine(Protocol):
    """Executes batches of runs and yields their results in any order.

    Attributes:
        name: Short name, with a version that changes when results change.
    """

    name: str

    def refusal(self, run: Run) -> str:
        """Return why a run cannot be executed here, in a few words; empty if it can."""

    def execute(self, runs: Sequence[Run]) -> Iterator[RunResult]:
        """Execute runs; a failure is a result with its traceback, never an exception."""


def check_engine(engine: Engine, runs: Sequence[Run]) -> None:
    """Refuse what an engine cannot execute, before anything runs.

    Raises:
        UsageError: It refuses a run; the message says which and why, all reasons once.
    """
    if engine.name == REFERENCE:
        raise UsageError(f"an engine may not be called {REFERENCE!r}; that name is taken")
    reasons = {
        why: run for run in runs if run.engine == engine.name and (why := engine.refusal(run))
    }
    if reasons:
        said = "; ".join(f"{r.method.label} with {r.learner}: {why}" for why, r in reasons.items())
        raise UsageError(
            f"the {engine.name} engine cannot execute every run: {said}; leave these out, or use "
            "the reference engine"
        )
