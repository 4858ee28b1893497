"""The figures of a run's segments in TensorBoard and Weights & Biases; loaded only when asked for.

Each is a context whose value is a `agents.training.trainer.Watcher`. What is logged is what
``metrics.jsonl`` holds, under the step or the segment that it belongs to.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agents.training.config import RunConfig
from agents.training.trainer import Row, Watcher
from lal.registry import require
from lal.serialization import config_hash, to_mapping


@contextmanager
def tensorboard_logger(folder: Path) -> Iterator[Watcher]:
    """Log to event files under `folder`, which is made with the first segment."""
    writers: list[Any] = []

    def watch(row: Row, _policy: Any) -> None:
        if not writers:
            writer = require("torch.utils.tensorboard", "train").SummaryWriter
            writers.append(writer(str(folder)))
        for name, value in get_numbers(row).items():
            writers[0].add_scalar(f"segment/{name}", value, get_step(row))
        writers[0].flush()

    try:
        yield watch
    finally:
        for writer in writers:
            writer.close()


@contextmanager
def wandb_logger(agent: str, config: RunConfig, folder: Path) -> Iterator[Watcher]:
    """Log to a run of Weights & Biases (extra ``wandb``); a run that goes on keeps its id.

    Where it goes is for its own environment variables to say: ``WANDB_MODE=offline`` writes files
    only, ``WANDB_PROJECT`` names the project.

    Args:
        agent: Name of the agent.
        config: The run's config.
        folder: Of the run; its name is the run's.
    """
    wandb = require("wandb", "wandb")
    content = {"agent": agent, "options": to_mapping(config)}
    run = wandb.init(
        name=folder.name, id=f"{folder.name}-{config_hash(content)}", resume="allow",
        config=content,
    )  # fmt: skip
    code = 1
    try:
        yield lambda row, _policy: run.log(get_numbers(row), step=get_step(row))
        code = 0
    finally:
        run.finish(exit_code=code)


def get_numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of a segment that are numbers, but for its own number."""
    return {
        name: float(value)
        for name, value in row.items()
        if isinstance(value, int | float) and name != "segment"
    }


def get_step(row: Mapping[str, Any]) -> int:
    """Return the environment steps or gradient steps done, else the segments."""
    return int(row.get("step", row.get("gradient_steps", row["segment"] + 1)))
