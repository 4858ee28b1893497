"""Execute one stored run again, and see an episode: a flat view of its pool and what was asked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.datasets import load_dataset
from lal.data.view import make_geometry
from lal.errors import DataError, UsageError
from lal.evaluation.runs.engine import Engine
from lal.evaluation.runs.methods import FULL_LABEL, MethodSpec, read_methods
from lal.evaluation.runs.protocol import Protocol, Repetition
from lal.evaluation.runs.run import FULL, REFERENCE, Run, RunResult, execute
from lal.evaluation.runs.store import RunStore
from lal.rng import generator

EXTENT = 1000
"""Views lie on a grid of so many steps each way."""

MOST_ROWS = 400
"""Rows shown of a pool: those that were asked for, and others at random."""


def restore(store: RunStore, result: RunResult, engine: Engine | None = None) -> Run:
    """Return the run that a result came from.

    Args:
        store: Where the result is.
        result: The result.
        engine: May have executed it in place of the reference implementation.

    Raises:
        DataError: The data set cannot be loaded, has changed, or the run was executed by another
            release or protocol.
    """
    about, manifest = result.about, store.manifest()
    label = about["strategy"]
    listed = {m.label: m for m in read_methods(manifest)}
    if label != FULL_LABEL and label not in listed:
        raise DataError(f"the store's last evaluation lists no strategy {label!r}")
    method = FULL if label == FULL_LABEL else listed[label]
    run = _make_run(manifest, about, method)
    for name in (REFERENCE, *([] if engine is None else [engine.name])):
        if (found := replace(run, engine=name)).key == result.key:
            return found
    raise DataError(
        f"run {result.key[:12]} was executed by another release, protocol or engine than this one; "
        "evaluate again"
    )


def _make_run(manifest: Mapping[str, Any], about: Mapping[str, Any], method: MethodSpec) -> Run:
    dataset = load_dataset(about["source"])
    if dataset.sha256 != about["sha256"]:
        raise DataError(f"data set {about['dataset']!r} is not the one that was evaluated")
    protocol = Protocol.from_json(json.dumps(manifest["protocol"]))
    repetition = Repetition(int(about["split"]), int(about["start"]))
    return Run(protocol, dataset, about["learner"], repetition, method)


def find_result(store: RunStore, prefix: str) -> RunResult:
    """Return the one stored result whose key starts with a prefix.

    Raises:
        UsageError: None or several do.
    """
    keys = [key for key in store.keys() if key.startswith(prefix)]  # noqa: SIM118
    result = store.get(keys[0]) if len(keys) == 1 else None
    if result is None:
        raise UsageError(f"{len(keys)} runs have keys that start with {prefix!r}; expected one")
    return result


@dataclass(frozen=True)
class Rerun:
    """A run executed again.

    Attributes:
        key: Its key.
        same: Whether rows asked for and every metric are those of the store.
        largest: Largest difference of any metric; nan where the curves differ in length.
    """

    key: str
    same: bool
    largest: float


def rerun(store: RunStore, prefix: str, engine: Engine | None = None) -> Rerun:
    """Execute one stored run again and compare; see `restore`."""
    old = find_result(store, prefix)
    run = restore(store, old, engine)
    if engine is None or run.engine != engine.name:
        new = execute(run)
    else:
        (new,) = engine.execute([run])
    if old.n_labels.shape != new.n_labels.shape:
        return Rerun(old.key, same=False, largest=float("nan"))
    gaps = [float(np.max(np.abs(new.metrics[m] - v), initial=0.0)) for m, v in old.metrics.items()]
    same = np.array_equal(old.queried, new.queried) and max(gaps) == 0
    return Rerun(old.key, same=bool(same), largest=max(gaps))


@dataclass(frozen=True, eq=False)
class Track:
    """What one strategy asked for.

    Attributes:
        strategy: Its label.
        queried: Positions among the rows shown, in the order of their labels, shape (n,).
        n_labels: Labels acquired at each point of the curve, (T,).
        values: The headline metric there, (T,).
    """

    strategy: str
    queried: Ints
    n_labels: Ints
    values: Floats


@dataclass(frozen=True, eq=False)
class EpisodeView:
    """One episode of several strategies from the same start.

    Attributes:
        dataset: Name.
        learner: Name.
        split: Number of the split.
        start: Number of the start.
        points: Where the rows shown lie, 0..`EXTENT`, shape (n, 2).
        classes: Their true classes, (n,).
        class_names: Names of the classes.
        axes: How the view was made.
        n_pool: Rows of the pool.
        n_start: Labels of the start.
        tracks: What each strategy asked for.
    """

    dataset: str
    learner: str
    split: int
    start: int
    points: Ints
    classes: Ints
    class_names: tuple[str, ...]
    axes: str
    n_pool: int
    n_start: int
    tracks: tuple[Track, ...]


def view_episode(store: RunStore, results: Sequence[RunResult]) -> EpisodeView:
    """Return the view of one run's episodes, one result per strategy.

    Args:
        store: Where they come from.
        results: Finished runs of one data set, learner, split and start.

    Raises:
        DataError: The data set is not to be had.
    """
    about = results[0].about
    run = _make_run(store.manifest(), about, FULL)
    pool = run.task().pool
    flat, axes = flat_view(make_geometry(pool.X).Z)
    asked = np.unique(np.concatenate([r.queried for r in results]))
    others = np.setdiff1d(np.arange(len(pool)), asked)
    rng = generator(run.split_seed, "report view")
    room = min(max(MOST_ROWS - len(asked), 0), len(others))
    shown = np.sort(np.concatenate([asked, rng.choice(others, room, replace=False)]))
    tracks = tuple(
        Track(
            strategy=str(r.about["strategy"]),
            queried=np.searchsorted(shown, r.queried),
            n_labels=r.n_labels,
            values=r.metrics[about["metric"]],
        )
        for r in results
    )
    return EpisodeView(
        dataset=about["dataset"],
        learner=about["learner"],
        split=int(about["split"]),
        start=int(about["start"]),
        points=flat[shown],
        classes=pool.y[shown],
        class_names=run.dataset.class_names,
        axes=axes,
        n_pool=len(pool),
        n_start=int(about["n_start"]),
        tracks=tracks,
    )


def flat_view(Z: Floats) -> tuple[Ints, str]:
    """Return rows on a square grid, and how: their two columns, or two principal components.

    Args:
        Z: Encoded rows, shape (N, d).
    """
    if Z.shape[1] <= 2:
        flat = np.zeros((len(Z), 2))
        flat[:, : Z.shape[1]] = Z
        text = "the two columns" if Z.shape[1] == 2 else "the one column"
    else:
        centred = Z - Z.mean(axis=0)
        _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
        signs = np.sign(axes[np.arange(len(axes)), np.argmax(np.abs(axes), axis=1)])
        flat = centred @ (axes * signs[:, None])[:2].T
        share = float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-300))
        text = f"two principal components, {100 * share:.0f} % of the variance"
    low, high = flat.min(axis=0), flat.max(axis=0)
    scaled = (flat - low) / np.where(high > low, high - low, 1.0)
    return np.round(EXTENT * scaled).astype(np.int64), text
