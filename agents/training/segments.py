"""Training of small torch learners in segments that survive `kill -9`.

Every segment starts from the checkpoint on disk and from generators seeded by (seed, segment):
the same road whether interrupted or not.
"""

import sys
import time
from pathlib import Path
from typing import Any, Protocol

import torch

from agents.training.run_folder import RunFolder
from lal.policies.program_policy import ProgramPolicy
from lal.serialization import write_atomic, write_json


class SegmentLearner(Protocol):
    """What is trained."""

    def learn(self, segment: int) -> dict[str, Any]:
        """Train for one segment; return figures for ``metrics.jsonl``."""
        ...

    def state(self) -> dict[str, Any]:
        """Return weights and optimiser."""
        ...

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned."""
        ...

    def policy(self) -> ProgramPolicy:
        """Return the policy as it is now."""
        ...


def train_in_segments(
    run: RunFolder, learner: SegmentLearner, n_segments: int, *, progress: bool = False
) -> Path:
    """Train to the end, or go on from the last checkpoint; return the policy's file."""
    torch.set_num_threads(1)
    run.begin()
    if not (run.folder / "data.json").exists():
        write_json(run.folder / "data.json", {})
    rows: list[dict[str, Any]] = []
    first = 0
    last = run.last_checkpoint()
    if last is not None:
        first, rows = int(last[1]["segment"]) + 1, list(last[1]["metrics"])
        learner.load(torch.load(last[0] / "state.pt", weights_only=True))
    for segment in range(first, n_segments):
        began = time.perf_counter()
        row = {"segment": segment, **learner.learn(segment)}
        rows.append({**row, "seconds": round(time.perf_counter() - began, 2)})
        run.save_checkpoint(
            segment,
            {"segment": segment, "metrics": rows},
            lambda part: torch.save(learner.state(), part / "state.pt"),
        )
        run.write_metrics(rows)
        if progress:
            sys.stderr.write(f"{rows[-1]}\n")
    write_atomic(run.policy_path, learner.policy().save)
    run.finish({"last": rows[-1], "config_hash": run.hash, "policy": run.policy_path.name})
    return run.policy_path
