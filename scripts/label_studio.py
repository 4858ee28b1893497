"""Serve Label Studio as a machine-learning backend: tasks in a useful order, classes predicted.

lal label-studio --port 9090

Then give http://localhost:9090 as the model of a project (Settings, Model) and ask for
predictions. Tasks and answers are kept in the folder; the same command goes on from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lal.errors import UsageError
from lal.labelling.query import load_strategy
from lal.labelling.tool_project import EVERY, Settings
from lal.registry import require
from scripts.entry import run_main
from scripts.label import best_policy


@dataclass(frozen=True)
class Config:
    """Where the backend listens, and how it ranks."""

    folder: Path = Path("label-studio-state")
    """Where tasks and answers are kept, one file a project."""

    port: int = 9090
    """Port on this machine."""

    policy: str = field(default_factory=best_policy)
    """What ranks: a policy, a strategy, or a policy file."""

    learner: str = "logistic_regression"
    """What is fitted to the labels."""

    every: int = EVERY
    """New answers after which the model is fitted again."""

    images: Path = Path()
    """Folder that relative paths of images start from."""

    seed: int = 0
    """Seeds the learner and breaks ties."""


def main(config: Config) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    if config.every < 1 or not 1 <= config.port <= 65535:
        raise UsageError("every must be at least 1 and port 1 to 65535")
    require("starlette", "web")
    uvicorn = require("uvicorn", "web")
    from scripts.label_studio_backend import Backend

    settings = Settings(
        policy=load_strategy(config.policy),
        learner=config.learner,
        every=config.every,
        images=config.images,
        seed=config.seed,
    )
    backend = Backend(config.folder, settings)
    print(f"model for Label Studio: http://localhost:{config.port}", flush=True)
    try:
        uvicorn.run(
            backend.application(),
            host="127.0.0.1",
            port=config.port,
            access_log=False,
            log_level="error",
            server_header=False,
        )
    finally:
        backend.close()


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_main(main, Config, argv)


if __name__ == "__main__":
    raise SystemExit(run())
