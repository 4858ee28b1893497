"""Learned stream policies beside random and uncertainty, paired, at equal cost, on unseen streams.

``python -m scripts.benchmark stream_policies --kind tables --run runs/stream_dqn_0 ...`` and
``--kind sentences --run runs/pal_0 ...``; ``--shuffled FOLDER`` adds that control.
Table streams are compared by prequential accuracy, sentences by the mean F1 over ten equal shares
of the tokens paid for. Differences carry 95 % intervals over streams (each the mean of its seeds).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from agents import AGENTS
from agents.training.config import StreamConfig
from lal.arrays import Floats
from lal.errors import UsageError
from lal.rng import generator
from lal.serialization import from_mapping, read_json
from lal.streams.loop import StreamWorld, TableWorld, run_stream
from lal.streams.policy import load_stream_policy
from lal.streams.sentences import Sentence, read_sentences
from lal.streams.sequence_task import MadeUpLanguages, real_world
from lal.streams.strategies import STREAM_STRATEGIES, StreamStrategy
from lal.streams.tasks import STREAMS, make_stream, replay
from scripts.benchmarks.base import Benchmark, Results, add_comparisons, half_width, slug

Makers = dict[str, Callable[[int], StreamStrategy]]

RULES = ("random", "fixed_uncertainty", "variable_uncertainty", "random_variable_uncertainty")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which policies, on which streams."""

    kind: Literal["tables", "sentences"] = "tables"
    """Table rows that drift, or made-up languages."""

    run: tuple[Path, ...] = ()
    """Folders of training runs, one a seed."""

    shuffled: Path | None = None
    """Folder of a run with shuffled rewards."""

    rules: tuple[str, ...] = RULES
    """Strategies of `lal.streams.strategies.STREAM_STRATEGIES` to compare with."""

    streams: int = 20
    """Unseen streams of each family, or unseen languages."""

    n: int = 1500
    """Items of a table stream; streams of sentences have 120."""

    budget: float = 0.15
    """Share of the cost that is spent by all."""

    skactiveml: tuple[str, ...] = ()
    """Stream strategies of scikit-activeml to run as well, by class name."""

    tables: tuple[str, ...] = ()
    """Real tables (names for `lal.load_dataset`), replayed in the order of their rows."""

    sentences: tuple[Path, ...] = ()
    """Files of real sentences, in streams of 200 sentences."""

    real_streams: int = 10
    """Streams drawn from each of those files."""

    untrained: int = 3
    """Untrained copies; their mean is a control."""


def run(config: Config, results: Results) -> None:
    """Add a table for every family."""
    if not config.run:
        raise UsageError("name at least one training run: --run runs/FOLDER")
    makers = _strategies(config)
    for family, worlds in _families(config).items():
        scores = {name: _scores(make, worlds, config) for name, make in makers.items()}
        results.note(f"{family}: {len(worlds)} streams")
        _add(results, family, _merged(scores))
        _add_card(results, config, family, scores)


def _strategies(config: Config) -> Makers:
    makers: Makers = {name: STREAM_STRATEGIES[name] for name in config.rules}
    makers |= {f"skactiveml:{n}": STREAM_STRATEGIES[f"skactiveml:{n}"] for n in config.skactiveml}
    for i, folder in enumerate(config.run):
        makers[f"learned/{i}"] = _always(load_stream_policy(folder / "policy.safetensors"))
    for i, policy in enumerate(_untrained(config)):
        makers[f"untrained/{i}"] = _always(policy)
    if config.shuffled:
        policy = load_stream_policy(config.shuffled / "policy.safetensors")
        makers["shuffled"] = _always(policy)
    return makers


def _always(policy: StreamStrategy) -> Callable[[int], StreamStrategy]:
    return lambda seed: policy


def _untrained(config: Config) -> list[StreamStrategy]:
    saved = read_json(config.run[0] / "config.json")
    agent = AGENTS[saved["agent"]]
    options = from_mapping(agent.config_type, saved["options"])
    if not isinstance(options, StreamConfig):
        raise UsageError(f"{config.run[0]} is not a run of a stream agent, but of {agent.name!r}")
    return agent.export_untrained(options, config.untrained)


def _families(config: Config) -> Mapping[str, list[Callable[[], StreamWorld]]]:
    """Return the unseen streams by family; every call of a member gives the stream afresh."""
    if config.kind == "sentences":
        spoken = {"made-up languages": [_language(i) for i in range(config.streams)]}
        for path in config.sentences:
            corpus = read_sentences(path)
            spoken[path.name] = [_real(corpus, i) for i in range(config.real_streams)]
        return {name: worlds for name, worlds in spoken.items() if worlds}
    found = {
        name: [_drifting(name, i, config.n) for i in range(config.streams)] for name in STREAMS
    }
    return found | {name: [_table(name)] for name in config.tables}


def _drifting(name: str, i: int, n: int) -> Callable[[], StreamWorld]:
    return lambda: TableWorld(make_stream(name, n, rng=generator(i, "unseen", name)))


def _table(name: str) -> Callable[[], StreamWorld]:
    from lal.data.datasets import load_dataset

    stream = replay(load_dataset(name))
    return lambda: TableWorld(stream)


def _language(i: int) -> Callable[[], StreamWorld]:
    return lambda: MadeUpLanguages(n_scored=150)(generator(i, "unseen language"))


def _real(corpus: Sequence[Sentence], i: int) -> Callable[[], StreamWorld]:
    return lambda: real_world(corpus, generator(i, "unseen stream"))


def _scores(
    make: Callable[[int], StreamStrategy],
    worlds: Sequence[Callable[[], StreamWorld]],
    config: Config,
) -> Floats:
    found = []
    for seed, world in enumerate(worlds):
        points = 10 if config.kind == "sentences" else 0
        played = run_stream(make(seed), world(), budget=config.budget, points=points)
        found.append(played.curve.mean() if points else played.accuracy)
    return np.array(found)


def _merged(scores: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the means over seeds of what has several."""
    groups: dict[str, list[Floats]] = {}
    for name, values in scores.items():
        groups.setdefault(name.split("/")[0], []).append(values)
    singles = {n: v for n, v in scores.items() if n.startswith("learned/")}
    return {name: np.mean(values, axis=0) for name, values in groups.items()} | singles


def _add_card(results: Results, config: Config, family: str, scores: Mapping[str, Floats]) -> None:
    """Add what the card of every trained policy says of this family."""
    others = {name: v for name, v in _merged(scores).items() if not name.startswith("learned")}
    measure = "points of F1" if config.kind == "sentences" else "points of accuracy"
    for i, folder in enumerate(config.run):
        own = scores[f"learned/{i}"]
        if len(own) > 1:
            differences = {name: 100 * (own - values) for name, values in others.items()}
            add_comparisons(results, f"{folder.name}, {family}", measure, differences)


def _add(results: Results, family: str, scores: Mapping[str, Floats]) -> None:
    for name, values in scores.items():
        difference = 100 * (scores["learned"] - values)
        interval = "one stream"
        if len(values) > 1:
            half = half_width(difference)
            interval = f"[{difference.mean() - half:+.2f}, {difference.mean() + half:+.2f}]"
        row = {"strategy": name, "score": f"{100 * values.mean():.2f}"}
        row |= {"learned minus it": f"{difference.mean():+.2f}", "95 % interval": interval}
        results.add(slug(family), row)


main = Benchmark("stream_policies", Config, run)
