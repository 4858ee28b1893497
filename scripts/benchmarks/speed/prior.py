"""The synthetic prior beside real tables, its speed, and its pictures.

``python -m scripts.benchmark prior --real ../shared/data/dev`` prints quantiles of each summary
statistic, of the real data sets and of draws; ``--pictures docs/design/pictures`` draws one small
data set per kind; ``--speed`` counts data sets per second on one core by CPU time.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lal.data.coverage import statistics, uncovered
from lal.data.generators import GENERATORS
from lal.data.prior import PRIOR_VERSION, PriorConfig, sample_dataset
from lal.data.recipes import Recipe, draw
from lal.data.suites import load_suite
from lal.rng import generator
from scripts.benchmarks.base import Benchmark, Results

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)

LEFT_OUT = ("text_", "omniglot", "ner_")
"""Data sets that are no tables."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is printed and drawn."""

    real: Path | None = None
    """Folder of real data sets with a manifest."""

    draws: int = 1000
    """Data sets of the prior."""

    seed: int = 0
    """Names the draws."""

    compiled: bool = False
    """Draw with the compiled sampler."""

    speed: bool = False
    """Count data sets a second, compiled and not."""

    pictures: Path | None = None
    """Folder of the pictures."""


def drawn_statistics(config: Config) -> list[dict[str, float]]:
    """Return the statistics of the draws."""
    if config.compiled:
        from envs.simulator.prior import CompiledPrior

        prior = CompiledPrior(config.seed)
        return [statistics(prior.dataset(i)) for i in range(config.draws)]
    rng = generator(config.seed, "coverage")
    return [statistics(sample_dataset(rng)) for _ in range(config.draws)]


def add_table(config: Config, folder: Path, results: Results) -> None:
    """Add quantiles of real data sets beside those of the prior, then what lies outside."""
    real = [d for d in load_suite(folder) if not d.name.startswith(LEFT_OUT)]
    found = [statistics(d) for d in real]
    drawn = drawn_statistics(config)
    results.note(f"prior version {PRIOR_VERSION}: {len(drawn)} draws, {len(real)} real tables")
    for key in drawn[0]:
        for name, rows in (("real", found), ("prior", drawn)):
            values = np.quantile([s[key] for s in rows], QUANTILES)
            cells = {f"{q:.0%}": f"{v:.2f}" for q, v in zip(QUANTILES, values, strict=True)}
            results.add("coverage", {"statistic": key, "of": name, **cells})
    outside = uncovered(real, drawn)
    results.note(f"outside the prior's range: {', '.join(map(str, outside)) or 'none'}")


def add_speed(config: Config, results: Results) -> None:
    """Add data sets a second by CPU time, numpy and compiled, and what a task of one costs."""
    from envs.simulator.prior import CompiledPrior, prior_tasks
    from envs.simulator.tables import build_tables

    small = PriorConfig(rows=(100, 500), columns=(3, 200), rows_a_class=3)
    CompiledPrior(config.seed).rows(0)
    n = min(config.draws, 1000)
    for name, prior in (("100-500 rows, 3-200 columns", small), ("own sizes", PriorConfig())):
        rng, sampler = generator(config.seed, "speed"), CompiledPrior(config.seed, prior)
        slow = timed(lambda i, r=rng, p=prior: sample_dataset(r, p), n // 4)
        fast = timed(lambda i, s=sampler: s.rows(i), n)
        results.add("speed", {
            "data sets per second of CPU time": name,
            "numpy": f"{1 / slow:.0f}",
            "compiled": f"{1 / fast:.0f}",
            "ratio": f"{slow / fast:.1f}x",
        })  # fmt: skip
    source = prior_tasks(config=small, seed=config.seed)
    rng = generator(config.seed, "tasks")
    tasks = []
    made = timed(lambda i: tasks.append(source(rng)), 100)
    tables = timed(lambda i: build_tables([tasks[i]]), 100)
    results.note(
        f"a task of it (split, encoded): {made * 1e3:.1f} ms; view and tables {tables * 1e3:.1f} ms"
    )


def timed(work: object, n: int) -> float:
    """Return CPU seconds a call of `work(i)`."""
    began = time.process_time()
    for i in range(n):
        work(i)  # type: ignore[operator]
    return (time.process_time() - began) / n


def draw_pictures(folder: Path) -> None:
    """Draw one data set a kind, on its first two principal directions, into one small PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 6.0), dpi=64, layout="constrained")
    axes = figure.subplots(3, 4).ravel()
    for axis, kind in zip(axes, GENERATORS, strict=False):
        columns = 2 if kind in ("xor", "checkerboard", "rings", "nested") else 6
        made = Recipe(
            kind, rows=500, columns=columns, shares=(0.4, 0.35, 0.25), informative=columns
        )
        X, y = draw(generator(4, "picture", kind), made)
        Z = X - X.mean(axis=0)
        if columns > 2:
            Z = Z @ np.linalg.svd(Z, full_matrices=False)[2][:2].T
            Z = Z + 0.04 * Z.std(axis=0) * generator(0, "jitter").normal(size=Z.shape)
        axis.scatter(Z[:, 0], Z[:, 1], c=y, s=3, cmap="tab10", rasterized=True, linewidths=0)
        axis.set_title(kind, fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    for axis in axes[len(GENERATORS) :]:
        axis.set_axis_off()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "prior.png")
    print(folder / "prior.png")


def run(config: Config, results: Results) -> None:
    """Measure and draw what was asked for."""
    if config.real is not None:
        add_table(config, config.real, results)
    if config.speed:
        add_speed(config, results)
    if config.pictures is not None:
        draw_pictures(config.pictures)


main = Benchmark("prior", Config, run)
