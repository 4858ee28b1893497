"""Train a query policy: python -m scripts.train --agent dqn --preset demo --out runs/demo.

The same command after an interruption goes on where it stopped; a finished run is left alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from agents import AGENTS, RunConfig
from lal.errors import UsageError
from lal.provenance import provenance
from lal.serialization import config_hash, from_mapping, read_json, write_json
from scripts.entry import run_main

if TYPE_CHECKING:
    from agents.training.trainer import Watcher

ALIASES: Mapping[str, tuple[str, str]] = {"default": ("lookahead", "full")}
"""Names that stand for an agent and a preset. default: what made the
    shipped default policy."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which agent learns, how, and where the results go."""

    agent: str = "dqn"
    """Name of the agent; it decides which flags there are. default: what made the
    shipped default policy."""

    preset: str = "demo"
    """Named settings of the agent that flags then change."""

    out: Path | None = None
    """Folder of the results; without one, runs/AGENT-CONFIGHASH."""

    progress: bool = True
    """Show a progress bar."""

    workers: int | None = None
    """Number of parallel workers, for agents that have them. Does not affect results."""

    tensorboard: bool = False
    """Log to event files for TensorBoard, in the folder's tensorboard/."""

    wandb: bool = False
    """Log to Weights & Biases (extra wandb); WANDB_MODE=offline keeps it on this machine."""

    options: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    """The agent's own settings."""


def main(config: Config) -> None:
    """Train, or go on, or say that there is nothing to do."""
    agent = AGENTS[ALIASES.get(config.agent, (config.agent, ""))[0]]
    digest = config_hash({"agent": agent.name, "options": config.options})
    folder = config.out or Path("runs") / f"{agent.name}-{digest}"
    finished = (folder / "finished.json").exists()
    options = with_workers(config).options
    logs = folder / "tensorboard" if config.tensorboard else None
    with loggers(config, folder) as watchers:
        policy = agent.train(
            options, folder, progress=config.progress, watchers=watchers, tensorboard=logs
        )
    if not (folder / "provenance.json").exists():
        write_json(folder / "provenance.json", provenance(config.options, data=_hashes(folder)))
    if finished:
        print(f"{folder} is finished already; nothing was done")
    found = read_json(folder / "finished.json")
    if "did_it_learn" in found:
        print(f"did it learn? {found['did_it_learn']}")
    print(policy)


@contextmanager
def loggers(config: Config, folder: Path) -> Iterator[list["Watcher"]]:
    """Give what logs the run; nothing is imported for what is off."""
    watchers: list[Watcher] = []
    with ExitStack() as stack:
        if config.tensorboard:
            from agents.training.loggers import tensorboard_logger

            watchers.append(stack.enter_context(tensorboard_logger(folder / "tensorboard")))
        if config.wandb:
            from agents.training.loggers import wandb_logger

            logger = wandb_logger(config.agent, config.options, folder)
            watchers.append(stack.enter_context(logger))
        yield watchers


def with_workers(config: Config) -> Config:
    """Return the config with its processes among the agent's own settings.

    Raises:
        UsageError: The agent trains in one process, or fewer than one worker is asked for.
    """
    if config.workers is None:
        return config
    if not any(f.name == "n_jobs" for f in fields(config.options)):
        raise UsageError(f"agent {config.agent!r} trains in one process; leave --workers out")
    if config.workers < 1:
        raise UsageError(f"--workers must be at least 1, got {config.workers}")
    changes: dict[str, Any] = {"n_jobs": config.workers}
    return replace(config, options=replace(config.options, **changes))


def _hashes(folder: Path) -> Mapping[str, str]:
    return {name: about["sha256"] for name, about in read_json(folder / "data.json").items()}


def start(flags: Sequence[str], saved: Mapping[str, Any]) -> Config:
    """Return the config that flags then change: a saved one, or a preset of the agent."""
    asked = str(_flag(flags, "agent") or saved.get("agent") or Config.agent)
    name, usual = ALIASES.get(asked, (asked, Config.preset))
    agent = AGENTS[name]
    if not saved:
        preset = _flag(flags, "preset") or usual
        return Config(agent=agent.name, preset=preset, options=agent.preset(preset))
    rest = {key: value for key, value in saved.items() if key != "options"}
    if not isinstance(saved.get("options"), Mapping):
        raise UsageError("the saved config has no options; expected a config.json of a run")
    options = from_mapping(agent.config_type, saved["options"], where="the saved options")
    base = from_mapping(Config, {**rest, "agent": agent.name}, where="the saved config")
    return replace(base, options=options)


def _flag(flags: Sequence[str], name: str) -> str | None:
    """Return the last value of ``--name VALUE`` or ``--name=VALUE``, if there is one."""
    value = None
    for i, flag in enumerate(flags):
        if flag.startswith(f"--{name}="):
            value = flag.split("=", 1)[1]
        elif flag == f"--{name}" and i + 1 < len(flags):
            value = flags[i + 1]
    return value


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_main(main, Config, argv, start=start)


if __name__ == "__main__":
    raise SystemExit(run())
