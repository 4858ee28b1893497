"""Trainer: the life of a training run, the same for every agent.

It owns the run folder and its lock, segments and their checkpoints, progress, validation and the
best policy, evidence on the card, and the end of the run. A learner
(`agents.training.learner.Learner`) only learns. A run that was killed ends as an undisturbed one,
bit for bit: every segment of both starts from the checkpoint on disk.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.training.config import RunConfig
from agents.training.learner import Learner
from agents.training.progress import Progress
from agents.training.run_folder import RunFolder
from lal.errors import UsageError
from lal.policies.kinds import load_policy
from lal.provenance import code_state
from lal.serialization import write_atomic, write_json

BEST = "best.safetensors"
"""The best policy so far, in every checkpoint; the last one where there is no validation."""

SCORE = Learner.score_name
"""What the score of a validation is called unless a learner names it otherwise."""

COUNTED = ("n_episodes", "n_tasks")
"""What a segment's figures may count up to its end, for the card."""

Row = dict[str, Any]

Watcher = Callable[[Row, Any], None]
"""Is given the figures and the policy of every segment, before its checkpoint is written: a run
that is killed in between shows it the same segment again. An exception ends the run there."""


class Trainer:
    """Trains one learner in one folder.

    Args:
        agent: Name of the agent.
        learner_type: Its learner.
        config: The run's config.
        folder: Made if it is not there; one that holds a run of another config is refused.
        progress: Whether to show a bar.
        watchers: See `Watcher`.
        tensorboard: Folder for an algorithm's own TensorBoard logs.
    """

    def __init__(
        self,
        agent: str,
        learner_type: type[Learner[Any]],
        config: RunConfig,
        folder: Path,
        *,
        progress: bool = False,
        watchers: Sequence[Watcher] = (),
        tensorboard: Path | None = None,
    ) -> None:
        self.run = RunFolder(folder, agent=agent, config=config)
        self.code = code_state()  # at the start: files may be edited while a run goes on
        self.learner_type, self.config = learner_type, config
        self.progress = Progress(shown=progress)
        self.watchers, self.tensorboard = tuple(watchers), tensorboard

    def train(self) -> Path:
        """Train to the end, or go on from the last checkpoint; return the policy's file.

        Raises:
            UsageError: A config that no run can follow, or a folder that is in use.
        """
        if self.run.finished:
            return self.run.policy_path
        with one_torch_thread():
            if self.config.control == "untrained":
                self._finish_untrained()
            else:
                self._train()
        return self.run.policy_path

    def _train(self) -> None:
        learner = self.learner_type.make(self.config, self.progress)
        learner.tensorboard = self.tensorboard
        data = learner.data()
        with self.run.locked():
            if self.run.finished:  # by the process that had the lock
                return
            self.run.begin()
            write_json(self.run.folder / "data.json", dict(data))
            try:
                learner.prepare(self.run.folder)
                rows = self._run_segments(learner)
                self._finish(learner, rows)
            finally:
                self.progress.close()

    def _run_segments(self, learner: Learner[Any]) -> list[Row]:
        """Return the figures of all segments, after training those that are not done."""
        place, rows = self._last()
        if place is not None:
            learner.load(place)
        self.progress.start(learner.n_units, "train")
        for segment in range(len(rows), learner.n_segments):
            self.progress.at(learner.n_units * segment // learner.n_segments)
            rows = self._run_segment(learner, segment, rows)
            self.progress.note(get_summary(rows[-1]))
        self.run.write_metrics(rows)
        return rows

    def _run_segment(self, learner: Learner[Any], segment: int, before: list[Row]) -> list[Row]:
        """Train, validate, write the checkpoint and start the next segment from it."""
        began = time.perf_counter()
        row: Row = {"segment": segment, **learner.train_segment(segment)}
        policy = learner.export()
        score = learner.validate(policy)
        if score is not None:
            row[learner.score_name] = score
        rows = [*before, {**row, "seconds": round(time.perf_counter() - began, 2)}]
        for watch in self.watchers:
            watch(rows[-1], policy)
        last, _ = self._last()

        def write(part: Path) -> None:
            learner.save(part)
            if last is None or best_row(rows, learner.score_name) is rows[-1]:
                policy.save(part / BEST)
            else:
                shutil.copyfile(last / BEST, part / BEST)

        self.run.save_checkpoint(segment, {"segment": segment, "metrics": rows}, write)
        self.run.write_metrics(rows)
        learner.load(self._last_place())
        return rows

    def _finish(self, learner: Learner[Any], rows: list[Row]) -> None:
        """Write the best policy with its evidence, and mark the run as finished."""
        name = learner.score_name
        best = best_row(rows, name)
        policy = load_policy(self._last_place() / BEST)
        found = {name: best[name]} if name in best else {}
        found |= learner.check(policy)
        size = self._trained_on(best, learner.n_segments)
        self._write({**found, "best": best}, replace(policy, card={**policy.card, **found, **size}))

    def _trained_on(self, best: Row, n_segments: int) -> dict[str, int]:
        """Return how much the policy of a segment was trained on: as counted, or as planned."""
        share = (best["segment"] + 1) / n_segments
        planned = {what: round(share * n) for what, n in self.config.training_size.items()}
        return planned | {what: best[what] for what in COUNTED if what in best}

    def _finish_untrained(self) -> None:
        """Write a copy with random weights as if it were the run's result."""
        policy = self.learner_type.export_untrained(replace(self.config, control="none"), 1)[0]
        with self.run.locked():
            self.run.begin()
            write_json(self.run.folder / "data.json", {})
            self._write({}, policy)

    def _write(self, found: Mapping[str, Any], policy: Any) -> None:
        signed = replace(policy, card={**policy.card, "code": self.code})
        write_atomic(self.run.policy_path, signed.save)
        about = {"config_hash": self.run.hash, "policy": self.run.policy_path.name}
        self.run.finish({**found, **about})

    def _last(self) -> tuple[Path | None, list[Row]]:
        last = self.run.last_checkpoint()
        return (None, []) if last is None else (last[0], list(last[1]["metrics"]))

    def _last_place(self) -> Path:
        place, _ = self._last()
        if place is None:
            raise UsageError(
                f"{str(self.run.folder)!r} lost its checkpoint while training; start the run again"
            )
        return place


def best_row(rows: list[Row], name: str = SCORE) -> Row:
    """Return the figures of the best segment, the latest of equal ones; unscored, of the last."""
    return max(rows, key=lambda row: (row.get(name, 0.0), row["segment"]))


def get_summary(row: Row) -> str:
    """Return a segment's figures in one line."""
    shown = {k: v for k, v in row.items() if k not in ("segment", "seconds")}
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in shown.items()
    )


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch use one thread, so that sums have one order; without torch there is none to set."""
    if "torch" not in sys.modules:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
