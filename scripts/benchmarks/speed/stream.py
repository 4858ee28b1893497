"""A long stream with a stream policy: items per CPU second and memory, beside other strategies.

``python -m scripts.benchmark stream`` runs the policy over all items and the others over fewer, in
one process; peak memory is read after every tenth of the stream.
"""

import resource
import time
from dataclasses import dataclass

from lal.errors import UsageError
from lal.learners.incremental import WindowedSoftmax
from lal.rng import generator
from lal.streams.features import StreamEvent, StreamItem
from lal.streams.policy import load_stream_policy
from lal.streams.strategies import STREAM_STRATEGIES, StreamStrategy
from lal.streams.tasks import STREAMS
from scripts.benchmarks.base import Benchmark, Cell, Results


@dataclass(frozen=True, kw_only=True)
class Config:
    """How long, which strategies."""

    policy: str = "stream-dqn"
    """Name of a shipped stream policy, or a file."""

    items: int = 1_000_000
    """Items that the policy sees."""

    others: tuple[str, ...] = (
        "random",
        "variable_uncertainty",
        "skactiveml:StreamRandomSampling",
        "skactiveml:VariableUncertainty",
        "skactiveml:Split",
        "skactiveml:StreamDensityBasedAL",
    )
    """Strategies beside it."""

    other_items: int = 3_000
    """Items that each of them sees."""

    budget: float = 0.1
    """Share of the items that may be asked for."""


def run(config: Config, results: Results) -> None:
    """Add a row for every strategy, and note the peak memory along the long stream."""
    if config.items < 10:
        raise UsageError(f"items must be at least 10, got {config.items}")
    policy = load_stream_policy(config.policy)
    rules = {name: STREAM_STRATEGIES[name](0) for name in config.others}
    for name, strategy in (*rules.items(), (policy.name, policy)):
        row, _ = measure(strategy, config.other_items, config.budget)
        results.add("speed", {"strategy": name, **row})
    row, peaks = measure(policy, config.items, config.budget)
    results.add("speed", {"strategy": policy.name, **row})
    shown = " ".join(f"{peak:.0f}" for peak in peaks)
    results.note(f"peak memory in MB after each tenth: {shown}")


def measure(strategy: StreamStrategy, n: int, budget: float) -> tuple[dict[str, Cell], list[float]]:
    """Return the speeds over n items, and the process's peak memory after every tenth in MB."""
    family = STREAMS["hyperplane"]
    model = WindowedSoftmax(family.n_columns, family.n_classes)
    memory = strategy.start({"budget": budget})
    asked = right = seen = 0
    deciding, peaks, began = 0.0, list[float](), time.process_time()
    for X, y in family.make(n, generator(0, "task")):
        for x, label in zip(X, y.tolist(), strict=True):
            proba = model.predict_proba(x)
            item = StreamItem(proba, x=x)
            start = time.process_time()
            ask = strategy.act(memory, item)
            error = float(proba.argmax() != label)
            memory = strategy.update(memory, StreamEvent(item, ask, error if ask else None))
            deciding += time.process_time() - start
            if ask:
                model.partial_fit(x, label)
            asked, right, seen = asked + ask, right + (error == 0.0), seen + 1
        if seen * 10 // n > len(peaks):
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    row: dict[str, Cell] = {
        "items": n,
        "items per CPU second": f"{n / (time.process_time() - began):.0f}",
        "decisions per CPU second": f"{n / deciding:.0f}",
        "asked": f"{asked / n:.1%}",
        "right": f"{right / n:.1%}",
    }
    return row, peaks


main = Benchmark("stream", Config, run)
