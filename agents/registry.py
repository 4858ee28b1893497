"""What every agent is: a config, presets, and a learner that is imported when it is needed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agents.training.config import Control, PoolConfig, RunConfig
from lal.errors import UnknownNameError, UsageError
from lal.registry import Registry, import_attribute


@dataclass(frozen=True, kw_only=True)
class TrainConfig(PoolConfig):
    """Pool agents with a validation."""

    n_dev_tasks: int = 10
    """Training-side tasks on which the best policy is chosen (on their reward part)."""


@dataclass(frozen=True)
class Agent:
    """One method. Its functions live in its room and load torch only when called.

    Attributes:
        name: Name in `AGENTS`.
        summary: One line.
        config_type: Its frozen dataclass, a `TrainConfig`.
        presets: Named configs; ``"demo"`` trains in about a minute on two cores.
        train_path: ``"module:function"`` of ``train(config, folder, *, progress) -> policy file``.
        untrained_path: ``"module:function"`` of ``export_untrained(config, n) -> policies``.
        controls: Values of ``config.control``, besides "none", that it can be trained under.
    """

    name: str
    summary: str
    config_type: type[RunConfig]
    presets: Mapping[str, RunConfig]
    train_path: str = ""
    untrained_path: str = ""
    learner: Any = ""
    controls: tuple[Control, ...] = ("shuffled_reward",)

    @property
    def learner_type(self) -> Any:
        """The learner's class; imports what it needs."""
        return import_attribute(self.learner) if isinstance(self.learner, str) else self.learner

    def preset(self, name: str) -> RunConfig:
        """Return the config called `name`."""
        if name not in self.presets:
            known = ", ".join(sorted(self.presets))
            raise UnknownNameError(f"agent {self.name!r} has no preset {name!r}; known: {known}")
        return self.presets[name]

    def train(self, config: RunConfig, folder: Path, *, progress: bool = False) -> Path:
        """Train into `folder`, or go on where it stopped; return the policy's file.

        A finished folder is left as it is. A folder of another config is refused.

        Raises:
            UsageError: A control that the agent does not have.
        """
        if config.control not in ("none", "untrained", *self.controls):
            known = ", ".join(("none", "untrained", *self.controls))
            raise UsageError(
                f"agent {self.name!r} has no control {config.control!r}; expected one of {known}"
            )
        if self.learner:
            from agents.training.trainer import Trainer

            return Trainer(self.name, self.learner_type, config, folder, progress=progress).train()
        if config.control == "untrained":
            return self._untrained(config, folder)
        policy: Path = import_attribute(self.train_path)(config, folder, progress=progress)
        return policy

    def _untrained(self, config: RunConfig, folder: Path) -> Path:
        """Write a copy with random weights as if it were a run's result."""
        from agents.training.run_folder import RunFolder
        from lal.serialization import write_json

        run = RunFolder(folder, agent=self.name, config=config)
        if run.finished:
            return run.policy_path
        policy = self.export_untrained(replace(config, control="none"), 1)[0]
        run.begin()
        write_json(folder / "data.json", {})
        policy.save(run.policy_path)
        run.finish({"config_hash": run.hash, "policy": run.policy_path.name})
        return run.policy_path

    def export_untrained(self, config: RunConfig, n: int) -> list[Any]:
        """Return `n` policies of the same architecture with random weights, seeded by the config.

        An honest comparison with a trained policy is with their mean: an untrained scorer of good
        features often beats random asking.
        """
        if self.learner:
            untrained: list[Any] = self.learner_type.export_untrained(config, n)
            return untrained
        policies: list[Any] = import_attribute(self.untrained_path)(config, n)
        return policies


AGENTS: Registry[Agent] = Registry("agent")
"""Agents by name; a member is imported, without torch, when it is first asked for."""

AGENTS.add_lazy("dqn", "agents.dqn.config:AGENT")
AGENTS.add_lazy("gain_regression", "agents.gain_regression.config:AGENT")
AGENTS.add_lazy("grpo", "agents.grpo.config:AGENT")
AGENTS.add_lazy("lal", "agents.lal_regression.config:AGENT")
AGENTS.add_lazy("lal_rl", "agents.lal_rl.config:AGENT")
AGENTS.add_lazy("lal_rl_search", "agents.lal_rl.search.config:AGENT")
AGENTS.add_lazy("ppo", "agents.ppo.config:AGENT")
AGENTS.add_lazy("pal", "agents.stream_dqn.pal_config:AGENT")
AGENTS.add_lazy("stream_dqn", "agents.stream_dqn.config:AGENT")
AGENTS.add_lazy("lookahead", "agents.lookahead.config:AGENT")
AGENTS.add_lazy("evolution", "agents.evolution.config:AGENT")
AGENTS.add_lazy("imitation", "agents.imitation.config:AGENT")
AGENTS.add_lazy("dad", "agents.dad.config:AGENT")
AGENTS.add_lazy("active_one_shot", "agents.one_shot.config:AGENT")
AGENTS.add_lazy("few_shot", "agents.few_shot.config:AGENT")
