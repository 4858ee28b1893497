"""Tuned settings: one YAML file an agent, keyed by environment, as rl-zoo3 keeps them.

``agents/hyperparams/NAME.yml`` holds, for every environment that agent NAME was tuned on, the
fields that differ from its config's defaults. ``python -m scripts.benchmark tune`` writes it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.training.config import RunConfig
from lal.errors import UsageError
from lal.registry import require
from lal.serialization import to_mapping, write_atomic

FOLDER = Path(__file__).parents[1] / "hyperparams"

HEADER = """# {agent}: the fields that differ from its defaults, by environment. Use them with
# python -m scripts.train --agent {agent} --preset ENVIRONMENT
"""

Tuned = dict[str, Mapping[str, Any]]
"""Environment to the fields that differ from the defaults."""


def tuned_names(agent: str, folder: Path = FOLDER) -> tuple[str, ...]:
    """Return the environments that an agent has tuned settings for; read without PyYAML."""
    path = folder / f"{agent}.yml"
    if not path.exists():
        return ()
    return tuple(re.findall(r"^([\w/.-]+):", path.read_text(encoding="utf-8"), re.MULTILINE))


def read_tuned(agent: str, folder: Path = FOLDER) -> Tuned:
    """Return an agent's tuned settings by environment; none where it has no file.

    Raises:
        UsageError: The file holds something else.
    """
    path = folder / f"{agent}.yml"
    if not path.exists():
        return {}
    held = require("yaml", "train").safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(held, dict) or not all(isinstance(v, dict) for v in held.values()):
        raise UsageError(f"{path.name} must map environments to fields of the agent's config")
    return held


def write_tuned(agent: str, environment: str, config: RunConfig, folder: Path = FOLDER) -> Path:
    """Put the settings of one environment into an agent's file; those of others stay."""
    yaml = require("yaml", "train")
    held = {**read_tuned(agent, folder), environment: changed_fields(config)}
    path = folder / f"{agent}.yml"
    parts = [
        yaml.safe_dump({name: dict(fields)}, sort_keys=False, default_flow_style=None, width=100)
        for name, fields in sorted(held.items())
    ]
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join((HEADER.format(agent=agent), *parts))
    write_atomic(path, lambda part: part.write_text(text, encoding="utf-8"))
    return path


def changed_fields(config: RunConfig) -> dict[str, Any]:
    """Return the fields that differ from the defaults, but for the seed and the control."""
    usual = to_mapping(type(config)())
    return {
        name: value
        for name, value in to_mapping(config).items()
        if value != usual[name] and name not in ("seed", "control")
    }
