"""What every agent is: a config, presets, and a learner that is imported when it is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.training.config import Control, RunConfig
from agents.training.tuned import read_tuned, tuned_names
from lal.errors import UnknownNameError, UsageError
from lal.registry import Registry, import_attribute
from lal.serialization import from_mapping

if TYPE_CHECKING:
    from agents.training.learner import Learner
    from agents.training.trainer import Watcher


@dataclass(frozen=True)
class Agent:
    """One method. Its learner lives in its package and loads torch only when it is asked for.

    Attributes:
        name: Name in `AGENTS`.
        summary: One line.
        config_type: Its frozen dataclass, a `RunConfig`.
        presets: Named configs; ``"demo"`` trains in about a minute on two cores.
        learner: Its `agents.training.learner.Learner`: the class, or ``"module:Class"``, which
            keeps a list of agents from loading anything heavy.
        controls: Values of ``config.control``, besides "none" and "untrained", that it can be
            trained under.
    """

    name: str
    summary: str
    config_type: type[RunConfig]
    presets: Mapping[str, RunConfig]
    learner: "str | type[Learner[Any]]"
    controls: tuple[Control, ...] = ("shuffled_reward",)

    @property
    def learner_type(self) -> "type[Learner[Any]]":
        """The learner's class; imports what it needs."""
        if isinstance(self.learner, str):
            found: type[Learner[Any]] = import_attribute(self.learner)
            return found
        return self.learner

    def preset(self, name: str) -> Any:
        """Return the config called `name`, of the agent's own `config_type`.

        Besides `presets` these are the settings tuned for an environment, by its id:
        ``"lal/Design-v0"``, ``"lal/Pool-v0/random_forest"`` (with one of its learners). They are
        in ``agents/hyperparams/NAME.yml``.
        """
        if name in self.presets:
            return self.presets[name]
        tuned = tuned_names(self.name)
        if name not in tuned:
            known = ", ".join((*sorted(self.presets), *tuned))
            raise UnknownNameError(f"agent {self.name!r} has no preset {name!r}; known: {known}")
        return from_mapping(
            self.config_type, read_tuned(self.name)[name], where=f"{name} of {self.name}.yml"
        )

    def train(
        self,
        config: RunConfig,
        folder: Path,
        *,
        progress: bool = False,
        watchers: "Sequence[Watcher]" = (),
        tensorboard: Path | None = None,
    ) -> Path:
        """Train into `folder`, or go on where it stopped; return the policy's file.

        A finished folder is left as it is. A folder of another config is refused. Watchers are
        given the figures and the policy of every segment; see `agents.training.trainer.Watcher`.
        `tensorboard` is a folder for the algorithm's own logs.

        Raises:
            UsageError: A control that the agent does not have.
        """
        if config.control not in ("none", "untrained", *self.controls):
            known = ", ".join(("none", "untrained", *self.controls))
            raise UsageError(
                f"agent {self.name!r} has no control {config.control!r}; expected one of {known}"
            )
        from agents.training.trainer import Trainer

        trainer = Trainer(
            self.name, self.learner_type, config, folder,
            progress=progress, watchers=watchers, tensorboard=tensorboard,
        )  # fmt: skip
        return trainer.train()

    def export_untrained(self, config: Any, n: int) -> list[Any]:
        """Return `n` policies of the same architecture with random weights, seeded by the config.

        An honest comparison with a trained policy is with their mean: an untrained scorer of good
        features often beats random asking.
        """
        return self.learner_type.export_untrained(config, n)


AGENTS: Registry[Agent] = Registry("agent")
"""Agents by name; a member is imported, without torch, when it is first asked for."""

AGENTS.add_lazy("dqn", "agents.dqn.config:AGENT")
AGENTS.add_lazy("gain_regression", "agents.imitation.trees_config:AGENT")
AGENTS.add_lazy("rmse_regression", "agents.imitation.trees_config:NUMBERS")
AGENTS.add_lazy("grpo", "agents.grpo.config:AGENT")
AGENTS.add_lazy("lal", "agents.lal_regression.config:AGENT")
AGENTS.add_lazy("lal_rl", "agents.lal_rl.config:AGENT")
AGENTS.add_lazy("lal_rl_search", "agents.lal_rl.search.config:AGENT")
AGENTS.add_lazy("pang", "agents.grpo.pang_config:AGENT")
AGENTS.add_lazy("ppo", "agents.ppo.config:AGENT")
AGENTS.add_lazy("pal", "agents.stream_dqn.pal_config:AGENT")
AGENTS.add_lazy("stream_dqn", "agents.stream_dqn.config:AGENT")
AGENTS.add_lazy("lookahead", "agents.imitation.config:LOOKAHEAD")
AGENTS.add_lazy("evolution", "agents.evolution.config:AGENT")
AGENTS.add_lazy("imitation", "agents.imitation.config:IMITATION")
AGENTS.add_lazy("refine", "agents.imitation.refine_config:AGENT")
AGENTS.add_lazy("dad", "agents.dad.config:AGENT")
AGENTS.add_lazy("active_one_shot", "agents.one_shot.config:AGENT")
AGENTS.add_lazy("few_shot", "agents.few_shot.config:AGENT")
AGENTS.add_lazy("ralis", "agents.ralis.config:AGENT")
