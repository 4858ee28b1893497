"""What the episode player steps through: one episode a data set, as JSON."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from lal.errors import LalError
from lal.evaluation.report.model import Page
from lal.evaluation.runs.replay import EpisodeView, view_episode
from lal.evaluation.runs.run import DONE, RunResult
from lal.evaluation.runs.store import RunStore

PAIR = ("margin", "random")
"""What the focus is compared with: margin, or random where the focus is margin."""


def episodes(page: Page, store: RunStore) -> dict[str, Any]:
    """Return one episode of every data set, or the sentence why there is none, by data set."""
    return {dataset: _episode(page, store, dataset) for dataset in page.datasets}


def _episode(page: Page, store: RunStore, dataset: str) -> dict[str, Any]:
    other = next((s for s in PAIR if s != page.focus), PAIR[0])
    found = _first_common_run(page, store, dataset, [other, page.focus])
    if not found:
        return {"missing": f"{page.focus} finished no episode on {dataset}."}
    try:
        return to_json(view_episode(store, found))
    except (LalError, OSError) as error:
        return {"missing": f"The pool of {dataset} is not to be had here: {error}"}


def _first_common_run(
    page: Page, store: RunStore, dataset: str, strategies: Sequence[str]
) -> list[RunResult]:
    rows = page.runs
    rows = rows[(rows["dataset"] == dataset) & (rows["status"] == DONE)]
    rows = rows[rows["strategy"].isin(list(strategies))]
    if len(rows) == 0:
        return []
    for _, run in rows.groupby(["learner", "split", "start"], sort=True):
        by = dict(zip(run["strategy"], run["run_key"], strict=True))
        kept = [s for s in strategies if s in by]
        if strategies[-1] in by:
            results = [store.get(by[s]) for s in kept]
            metric = page.metric
            return [r for r in results if r is not None and metric in r.metrics]
    return []


def to_json(view: EpisodeView) -> dict[str, Any]:
    """Return a view as what the script of the page reads."""
    return {
        "learner": view.learner,
        "split": view.split,
        "start": view.start,
        "axes": view.axes,
        "pool": view.n_pool,
        "classes": list(view.class_names),
        "points": view.points.ravel().tolist(),
        "y": view.classes.tolist(),
        "n_start": view.n_start,
        "tracks": [
            {
                "strategy": track.strategy,
                "queried": track.queried.tolist(),
                "n": track.n_labels.tolist(),
                "values": np.round(track.values, 4).tolist(),
            }
            for track in view.tracks
        ],
    }


def script_json(content: Any) -> str:
    """Return JSON that is safe inside a script element."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
