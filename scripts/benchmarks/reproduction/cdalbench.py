"""CDALBench's table of Splice beside the same data set here, strategy by strategy, minus random.

Werner et al. (2024), "A cross-domain benchmark for active learning", arXiv 2408.00426: areas under
the accuracy at query size one, means of 50 runs, as in the tables of the authors' repository.
"""

from dataclasses import dataclass
from pathlib import Path

from lal.evaluation import EvaluationConfig, evaluate
from lal.evaluation.analysis.control_tests import compare
from scripts.benchmarks.base import Benchmark, Results, show_interval
from scripts.evaluate import EngineName, make_engine

BASELINE = "random"

PUBLISHED = {
    "random": 0.760,
    "margin": 0.769,
    "entropy": 0.768,
    "least_confident": 0.779,
    "core_set": 0.772,
    "typiclust": 0.762,
    "badge": 0.767,
    "bald": 0.780,
}
"""Areas on Splice by strategy."""

AREA = "area_accuracy"


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is evaluated."""

    suite: str = "openml:46"
    """Splice: at OpenML, or a folder that has it."""

    dataset: str = "splice"
    """Its name there."""

    strategies: tuple[str, ...] = ("margin", "entropy", "least_confident")
    """Strategies of the published table."""

    learners: tuple[str, ...] = ("logistic_regression", "random_forest")
    """Learners; the published ones are a small network's."""

    runs: int = 5
    """Paired runs a learner; 50 there."""

    budget: int | None = None
    """Labels acquired after the start; 400, as there, when not given."""

    max_pool: int | None = None
    """Larger pools are sub-sampled; all rows when not given."""

    engine: EngineName = "compiled"
    """What executes the runs."""

    out: Path = Path("runs/cdalbench")
    """Run store; finished runs in it are never repeated."""

    jobs: int = 1
    """Processes."""


def run(config: Config, results: Results) -> None:
    """Add a row a learner and strategy."""
    found = evaluate(
        EvaluationConfig(
            suite=(config.suite,),
            datasets=(config.dataset,),
            strategies=(BASELINE, *config.strategies),
            learners=config.learners,
            regime="cdalbench",
            metric="accuracy",
            runs=config.runs,
            budget=config.budget,
            max_pool=config.max_pool,
            out=config.out,
            jobs=config.jobs,
        ),
        engine=make_engine(config.engine, config.jobs),
        command="python -m scripts.benchmark cdalbench",
    )
    for learner in config.learners:
        table = found.table[found.table["learner"] == learner]
        for strategy in config.strategies:
            ours = compare(table, strategy, BASELINE, control=BASELINE, column=AREA).these_sets
            published = PUBLISHED.get(strategy)
            results.add(
                "cdalbench",
                {
                    "learner": learner,
                    "strategy": strategy,
                    "area": f"{table.loc[table['strategy'] == strategy, AREA].mean():.3f}",
                    "minus random": show_interval(ours),
                    "published area": None if published is None else f"{published:.3f}",
                    "published, minus random": published and _gap(strategy),
                },
            )
        random = table.loc[table["strategy"] == BASELINE, AREA].mean()
        results.note(f"{learner}: random {random:.3f}, published {PUBLISHED[BASELINE]:.3f}")


def _gap(strategy: str) -> str:
    return f"{100 * (PUBLISHED[strategy] - PUBLISHED[BASELINE]):+.1f}"


main = Benchmark("cdalbench", Config, run)
