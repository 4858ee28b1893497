"""Search an agent's settings for an environment with Optuna (extra ``tune``).

``python -m scripts.benchmark tune --agent grpo --environment lal/Pool-v0/gaussian_nb --write``
trains one policy a trial, scores it on the agent's own training-side tasks after every segment,
ends trials that are behind the median, and writes the best settings into ``agents/hyperparams``.
Trial n is a function of the seed and of the trials before it, so a search that is stopped and run
again ends as an undisturbed one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from agents import AGENTS
from agents.training.config import PoolEnvConfig, RunConfig
from agents.training.trainer import SCORE
from agents.training.tuned import changed_fields, write_tuned
from lal.errors import UsageError
from lal.registry import require
from lal.rng import integer_seed
from lal.serialization import config_hash, read_json, to_mapping, write_json
from scripts.benchmarks.base import Benchmark, Results
from scripts.benchmarks.zoo.cells import scaled
from scripts.benchmarks.zoo.scores import ENVIRONMENTS, POOL

Choices = Mapping[str, tuple[Any, ...]]
"""Fields to the values that are tried, in order."""

Trial = dict[str, Any]
"""``state`` (COMPLETE or PRUNED), ``params`` (places of the choices), ``scores`` of segments."""

SHARED: Choices = {
    "learning_rate": (3e-4, 5e-4, 1e-3, 2e-3, 4e-3),
    "gamma": (0.0, 0.5, 0.8, 0.95),
    "batch_size": (128, 256, 512, 1024),
    "net_arch": ((32, 32), (64, 64), (128, 128)),
}

SPACES: Mapping[str, Choices] = {
    "grpo": {
        **SHARED, "n_epochs": (1, 2, 4), "ent_coef": (0.0, 0.001, 0.003, 0.01),
        "group_size": (4, 8, 16), "clip_range": (0.1, 0.2, 0.3),
        "n_envs": (32, 64, 128),
    },
    "ppo": {
        **SHARED, "n_epochs": (1, 2, 4), "ent_coef": (0.0, 0.001, 0.003, 0.01),
        "gae_lambda": (0.5, 0.8, 0.9, 0.95),
    },
    "dqn": {
        **SHARED, "gradient_steps": (1, 2, 4), "exploration_fraction": (0.2, 0.4, 0.6),
        "priority_alpha": (0.0, 0.4, 0.6), "target_update_interval": (1280, 5120, 10_240),
    },
}  # fmt: skip
"""What is searched, by agent; everything else stays as the preset that is started from has it."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is searched, and for how long."""

    agent: str = "grpo"
    """Name of an agent with a space of settings."""

    environment: str = f"{POOL}/logistic_regression"
    """Environment of the zoo."""

    preset: str = "demo"
    """Settings of the agent that the search starts from."""

    trials: int = 16
    """Settings tried; the first are those of the preset."""

    length: float = 1.0
    """What the length of the preset's training is multiplied by."""

    startup: int = 5
    """Trials that nothing is compared with: drawn at random and never ended early."""

    seed: int = 0
    """Of training, and of the search."""

    also: tuple[str, ...] = ()
    """Environments that get the same settings without a search of their own."""

    write: bool = False
    """Write the best settings into agents/hyperparams."""

    out: Path = Path("runs/tune")
    """Folder of the trials."""


def run(config: Config, results: Results) -> None:
    """Run the trials that are missing; add a row for each."""
    base = start_settings(config)
    same = {k: v for k, v in to_mapping(config).items() if k in ("agent", "startup", "seed")}
    folder = config.out / config.agent / config_hash({"search": same, "start": base})
    trials: list[Trial] = []
    for number in range(config.trials):
        kept = folder / f"trial-{number:03d}.json"
        if not kept.exists():
            write_json(kept, _run_trial(trials, base, config, kept.with_suffix("")))
        trials.append(read_json(kept))
        results.add("trials", _row(number, trials[-1], SPACES[config.agent]))
    _report(trials, base, config, results)


def start_settings(config: Config) -> RunConfig:
    """Return the settings that a search starts from.

    Raises:
        UsageError: The agent has no space of settings, or is not of the environment.
    """
    if config.agent not in SPACES:
        raise UsageError(
            f"agent {config.agent!r} has no space of settings; expected one of {', '.join(SPACES)}"
        )
    environment = ENVIRONMENTS.get(config.environment)
    if environment is None or config.agent not in environment.agents:
        known = [e.name for e in ENVIRONMENTS.values() if config.agent in e.agents]
        raise UsageError(
            f"agent {config.agent!r} is not trained in {config.environment!r}; expected one of "
            f"{', '.join(known)}"
        )
    base: RunConfig = AGENTS[config.agent].preset(config.preset)
    return scaled(
        replace(in_environment(base, config.environment), seed=config.seed), config.length
    )


def in_environment(options: RunConfig, environment: str) -> RunConfig:
    """Return settings with the learner that the name of a pool's environment ends in."""
    if isinstance(options, PoolEnvConfig):
        return replace(options, learners=(environment.removeprefix(f"{POOL}/"),))
    return options


def _run_trial(trials: list[Trial], base: RunConfig, config: Config, folder: Path) -> Trial:
    """Train with the settings that are tried next; return what became of it."""
    optuna = require("optuna", "tune")
    space = SPACES[config.agent]
    study = make_study(trials, space, seed=config.seed, startup=config.startup)
    if not trials:
        study.enqueue_trial({name: _place(choices, base, name) for name, choices in space.items()})
    trial = study.ask(_distributions(space))
    scores: list[float] = []
    watch = partial(_watch, trial, scores)
    state = "COMPLETE"
    try:
        options = replace(base, **settings(space, trial.params))
        AGENTS[config.agent].train(options, folder, watchers=(watch,))
    except optuna.TrialPruned:
        state = "PRUNED"
    return {"state": state, "params": dict(trial.params), "scores": scores}


def make_study(trials: Sequence[Trial], space: Choices, *, seed: int, startup: int) -> Any:
    """Return a study that knows the trials so far and draws the next one, whoever asks.

    Args:
        trials: Their files.
        space: What is searched.
        seed: With the number of trials it seeds the sampler.
        startup: Trials that are drawn at random and that the pruner leaves alone.
    """
    optuna = require("optuna", "tune")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(
            seed=integer_seed(seed, "tune", len(trials)) % 2**32, n_startup_trials=startup
        ),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=startup),
    )
    for held in trials:
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState[held["state"]],
                value=max(held["scores"]),
                params=held["params"],
                distributions=_distributions(space),
                intermediate_values=dict(enumerate(held["scores"])),
            )
        )
    return study


def _distributions(space: Choices) -> dict[str, Any]:
    """Return Optuna's form of a space: the places of the choices, which are in order."""
    integers = require("optuna", "tune").distributions.IntDistribution
    return {name: integers(0, len(choices) - 1) for name, choices in space.items()}


def _place(choices: Sequence[Any], base: RunConfig, name: str) -> int:
    """Return the place of a preset's value among the choices; the middle if it is not there."""
    value = getattr(base, name)
    return choices.index(value) if value in choices else len(choices) // 2


def settings(space: Choices, params: Mapping[str, int]) -> dict[str, Any]:
    """Return the fields that the places of a trial stand for."""
    return {name: space[name][place] for name, place in params.items()}


def _watch(trial: Any, scores: list[float], row: Mapping[str, Any], _policy: Any) -> None:
    """Report a segment's score, and end the trial where it is behind the median."""
    optuna = require("optuna", "tune")
    scores.append(float(row[SCORE]))
    trial.report(scores[-1], len(scores) - 1)
    if trial.should_prune():
        raise optuna.TrialPruned


def _row(number: int, trial: Trial, space: Choices) -> dict[str, Any]:
    tried = {name: str(value) for name, value in settings(space, trial["params"]).items()}
    ended = "" if trial["state"] == "COMPLETE" else f"after {len(trial['scores'])} segments"
    best = f"{100 * max(trial['scores']):.2f}"
    return {"trial": number, "AUBC, training side": best, "ended early": ended, **tried}


def _report(trials: Sequence[Trial], base: RunConfig, config: Config, results: Results) -> None:
    """Note the best complete trial, and write its settings if asked to."""
    complete = [i for i, trial in enumerate(trials) if trial["state"] == "COMPLETE"]
    best = max(complete, key=lambda i: max(trials[i]["scores"]))
    options = replace(base, **settings(SPACES[config.agent], trials[best]["params"]))
    results.note(f"best of {len(trials)}: trial {best}, {changed_fields(options)}")
    for name in (config.environment, *config.also) if config.write else ():
        path = write_tuned(config.agent, name, in_environment(options, name))
        results.note(f"{name} in {path.name} has these settings now")


main = Benchmark("tune", Config, run)
