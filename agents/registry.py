"""What every agent is: a config, presets, and functions that are imported when they are needed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lal.errors import UnknownNameError, UsageError
from lal.registry import Registry, import_attribute

Control = Literal["none", "untrained", "shuffled_reward", "shuffled_everywhere", "uncertainty_only"]
"""What a run leaves out.

untrained: all of training; every agent has it. shuffled_reward: rewards or targets are those of
other times (in a regression, of other candidates of the same state). shuffled_everywhere: targets
are those of any other row, which leaves no information at all. uncertainty_only: all inputs but the
model's uncertainty.
"""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What all agents have in common: the tasks they learn on and how results are kept."""

    seed: int = 0
    """Names every random stream of the run."""

    control: Control = "none"
    """none: learn. What a policy achieves under any other is not learning. untrained: random
    weights. shuffled_reward: rewards that were earned at other times. shuffled_everywhere: targets
    of any other row. uncertainty_only: no input but the model's uncertainty. Not every agent has
    every one."""

    datasets: tuple[str, ...] = ("sklearn:iris", "sklearn:digits")
    """Real data sets to train on, or "suite:NAME" for all of a suite."""

    hold_out: tuple[str, ...] = ("sklearn:wine", "sklearn:breast_cancer", "synthetic:network")
    """Families (or members of them) that are never trained or validated on, real or synthetic."""

    share_synthetic: float = 0.7
    """Probability that a training task comes from the synthetic prior."""

    learners: tuple[str, ...] = ("logistic_regression",)
    """Learners that the policy is trained with; drawn uniformly."""

    budget: int = 20
    """Labels that an episode may buy after its start."""

    max_pool: int = 150
    """Largest pool; larger ones are cut at random."""

    candidate_features: tuple[str, ...] = ()
    """Candidate features that the policy sees; none given: the default list."""

    context_features: tuple[str, ...] = ()
    """Context features that the policy sees; none given: the default list."""

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
    config_type: type[TrainConfig]
    presets: Mapping[str, TrainConfig]
    train_path: str
    untrained_path: str
    controls: tuple[Control, ...] = ("shuffled_reward",)

    def preset(self, name: str) -> TrainConfig:
        """Return the config called `name`."""
        if name not in self.presets:
            known = ", ".join(sorted(self.presets))
            raise UnknownNameError(f"agent {self.name!r} has no preset {name!r}; known: {known}")
        return self.presets[name]

    def train(self, config: TrainConfig, folder: Path, *, progress: bool = False) -> Path:
        """Train into `folder`, or go on where it stopped; return the policy's file.

        A finished folder is left as it is. A folder of another config is refused.

        Raises:
            UsageError: A control that the agent does not have.
        """
        if config.control == "untrained":
            return self._untrained(config, folder)
        if config.control not in ("none", *self.controls):
            known = ", ".join(("none", "untrained", *self.controls))
            raise UsageError(
                f"agent {self.name!r} has no control {config.control!r}; expected one of {known}"
            )
        policy: Path = import_attribute(self.train_path)(config, folder, progress=progress)
        return policy

    def _untrained(self, config: TrainConfig, folder: Path) -> Path:
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

    def export_untrained(self, config: TrainConfig, n: int) -> list[Any]:
        """Return `n` policies of the same architecture with random weights, seeded by the config.

        An honest comparison with a trained policy is with their mean: an untrained scorer of good
        features often beats random asking.
        """
        policies: list[Any] = import_attribute(self.untrained_path)(config, n)
        return policies


AGENTS: Registry[Agent] = Registry("agent")
"""Agents by name; a member is imported, without torch, when it is first asked for."""

AGENTS.add_lazy("dqn", "agents.dqn.config:AGENT")
AGENTS.add_lazy("gain_regression", "agents.gain_regression.config:AGENT")
AGENTS.add_lazy("lal", "agents.lal_regression.config:AGENT")
AGENTS.add_lazy("lal_rl", "agents.lal_rl.config:AGENT")
AGENTS.add_lazy("lal_rl_search", "agents.lal_rl.search.config:AGENT")
AGENTS.add_lazy("ppo", "agents.ppo.config:AGENT")
AGENTS.add_lazy("pal", "agents.pal.config:AGENT")
AGENTS.add_lazy("stream_dqn", "agents.stream_dqn.config:AGENT")
AGENTS.add_lazy("lookahead", "agents.lookahead.config:AGENT")
AGENTS.add_lazy("evolution", "agents.evolution.config:AGENT")
AGENTS.add_lazy("imitation", "agents.imitation.config:AGENT")
AGENTS.add_lazy("dad", "agents.dad.config:AGENT")
AGENTS.add_lazy("active_one_shot", "agents.one_shot.config:AGENT")
AGENTS.add_lazy("few_shot", "agents.few_shot.config:AGENT")
