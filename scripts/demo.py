"""The whole loop in minutes: train a query policy, then prove or refute it on unseen data.

A policy is trained by reinforcement learning on the compiled `lal/Pool-v0`, and its controls beside
it: untrained copies, and a copy trained on shuffled rewards. Random, margin, the shipped default
and all of them are then compared on families of data sets held out of training. The last lines say
whether it learned. Everything lands in one folder; the same command goes on where it stopped.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lal.data.datasets import load_dataset
from lal.evaluation import Evaluation, EvaluationConfig, evaluate
from lal.evaluation.analysis.control_tests import ControlTest, find_controls
from lal.provenance import provenance
from lal.serialization import read_json, to_mapping, write_json
from scripts.benchmarks.base import Table, show_interval
from scripts.entry import run_main
from scripts.trained import Trained, get_settings, train_with_controls

HELD_OUT = (
    "sklearn:iris",
    "sklearn:wine",
    "sklearn:breast_cancer",
    "sklearn:digits",
    "synthetic:tree",
    "synthetic:network",
    "synthetic:mixed",
    "synthetic:rings",
    "synthetic:categorical",
)
"""Data sets of the proof: their families are held out of training, real and synthetic."""

BASELINES = ("random", "margin", "default")
"""What is compared beside the policy and its controls."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How much to train and to measure."""

    agent: str = "grpo"
    """Name of the agent that learns."""

    preset: str = "demo"
    """Its settings."""

    seed: int = 0
    """Seed of training; the comparison's runs stay the same."""

    datasets: tuple[str, ...] = HELD_OUT
    """Data sets of the proof; their families are held out of training."""

    learners: tuple[str, ...] = ("logistic_regression", "gaussian_nb")
    """Learners that the policy is plugged into."""

    runs: int = 20
    """Paired runs on every data set and learner."""

    budget: int = 20
    """Labels acquired in a run after its start."""

    n_untrained: int = 5
    """Copies with random weights; their mean is a control."""

    out: Path = Path("runs/demo")
    """Folder of the results."""

    jobs: int = 2
    """Processes."""


def main(config: Config) -> bool:
    """Train, compare, print the control test; returns whether the policy learned."""
    began = time.monotonic()
    held_out = [load_dataset(name) for name in config.datasets]
    options = get_settings(config.agent, config.preset, config.seed, held_out)
    print(f"1/3 training {config.agent} and a copy on shuffled rewards; held out: ", end="")
    print(", ".join(sorted({dataset.family for dataset in held_out})), flush=True)
    trained = train_with_controls(
        config.agent, options, config.out, n_untrained=config.n_untrained, jobs=config.jobs
    )
    print(f"2/3 comparing on {', '.join(config.datasets)}", flush=True)
    evaluation = _evaluate(config, trained)
    print("3/3 did it learn?\n", flush=True)
    learned = _conclude(config, evaluation)
    print(f"\n{time.monotonic() - began:.0f} s in all; everything is in {config.out}")
    return learned


def _evaluate(config: Config, trained: Trained) -> Evaluation:
    """Return the evaluation of all methods on the data sets of the proof."""
    from envs.simulator.engine import CompiledEngine  # loads numba

    found = evaluate(
        EvaluationConfig(
            suite=config.datasets,
            strategies=(*BASELINES, *trained.strategies()),
            learners=config.learners,
            runs=config.runs,
            budget=config.budget,
            out=config.out / "evaluation",
            jobs=config.jobs,
        ),
        engine=CompiledEngine(config.jobs),
    )
    print(found)
    return found


def _conclude(config: Config, evaluation: Evaluation) -> bool:
    """Print the comparisons and the control test, write the page and the picture."""
    controls = {**find_controls(evaluation.table), "margin": ["margin"], "default": ["default"]}
    found = evaluation.control_test("policy", controls=controls)
    page = evaluation.report(config.out / "report.html")
    for comparison in found.comparisons:
        print(f"  policy: {comparison}")
    print(f"\n{'LEARNED' if found.passes_controls else 'DID NOT LEARN'}: {found.sentence}")
    data = read_json(config.out / "policy" / "data.json")
    print(f"trained on: {', '.join([*sorted(data), 'the synthetic prior'])}")
    print(f"look at {page} and {_draw(evaluation, config.out / 'curves.png')}")
    write_json(config.out / "control_test.json", _record(config, found))
    return found.passes_controls


def _record(config: Config, found: ControlTest) -> dict[str, Any]:
    """Return what is written; docs/results/demo.json is a copy, its page shows the table."""
    table = Table(["policy against", "AUBC points [95 %]", "ahead / level / behind"])
    for c in found.comparisons:
        cells = (
            f"mean of {len(c.members)} untrained copies" if len(c.members) > 1 else c.control,
            show_interval(c.interval),
            f"{c.wins} / {c.ties} / {c.losses}",
        )
        table.rows.append(dict(zip(table.columns, cells, strict=True)))
    return {
        "learned": found.passes_controls,
        "sentence": found.sentence,
        "command": "python -m scripts.demo",
        "config": to_mapping(config),
        "provenance": provenance(config),
        "tables": to_mapping({"control-test": table}),
    }


def _draw(evaluation: Evaluation, path: Path) -> Path:
    """Draw the policy beside what it is compared with."""
    from lal.evaluation.report.overview import draw_overview  # loads matplotlib

    untrained = find_controls(evaluation.table)["untrained"]
    drawn = {name: [name] for name in ("policy", "random", "margin", "shuffled")}
    return draw_overview(evaluation.page, {**drawn, "untrained": untrained}, path)


if __name__ == "__main__":
    raise SystemExit(run_main(main, Config))
