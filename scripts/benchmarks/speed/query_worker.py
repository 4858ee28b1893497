"""One library, one pool, one query: seconds and peak memory, printed as JSON.

Started by `query` beside this file, in the interpreter that has the library; it needs numpy
and scikit-learn besides.
"""

import ctypes
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PERIOD = 0.002
"""Seconds between two looks at the memory in use."""

Query = Callable[[], Any]


def resident() -> int:
    """Return the bytes of memory that this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Hand freed memory back to the system, so that it is not mistaken for room already in use."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)


class Watch:
    """Measures seconds and the highest memory in use between entering and leaving."""

    def __enter__(self) -> "Watch":
        """Start the clock and the thread that looks at the memory."""
        self.before = self.peak = resident()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop both."""
        self.cpu, self.wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(PERIOD):
            self.peak = max(self.peak, resident())


class Pool:
    """A synthetic pool: overlapping clusters, a few labels, the rest missing.

    Args:
        n: Rows.
        n_columns: Columns.
        n_classes: Classes.
        n_labelled: Rows with a label.
    """

    def __init__(self, n: int, n_columns: int, n_classes: int, n_labelled: int) -> None:
        from sklearn.linear_model import LogisticRegression

        rng = np.random.default_rng(0)
        self.truth = rng.integers(n_classes, size=n)
        centres = rng.normal(size=(n_classes, n_columns))
        self.X = rng.normal(size=(n, n_columns))
        for first in range(0, n, 50_000):
            part = slice(first, first + 50_000)
            self.X[part] += 0.7 * centres[self.truth[part]]
        self.rows = np.sort(rng.choice(n, n_labelled, replace=False))
        self.y = np.full(n, np.nan)
        self.y[self.rows] = self.truth[self.rows]
        self.open = np.setdiff1d(np.arange(n), self.rows)
        self.make: Callable[[], Any] = lambda: LogisticRegression(max_iter=1000)
        self.clf: Any = self.make().fit(self.X[self.rows], self.y[self.rows])


def plain(pool: Pool, batch: int) -> Query:
    """Margin by hand: numpy on predict_proba."""

    def query() -> Any:
        two = np.partition(pool.clf.predict_proba(pool.X), -2, axis=1)[:, -2:]
        margin = two[:, 1] - two[:, 0]
        margin[pool.rows] = np.inf
        return np.argpartition(margin, batch)[:batch] if batch > 1 else [int(np.argmin(margin))]

    return query


def predict(pool: Pool, batch: int) -> Query:
    """One predict_proba of the pool: what no query can do without."""
    return lambda: pool.clf.predict_proba(pool.X)[:batch] * 0 + np.arange(batch)[:, None]


def ours(policy: str) -> Callable[[Pool, int], Query]:
    """A policy through ``query``, the classifier fitted already as for all others."""

    def make(pool: Pool, batch: int) -> Query:
        import lal

        loaded = lal.load_policy(policy)
        return lambda: loaded.query(pool.X, pool.y, pool.clf, fit_clf=False, batch_size=batch)

    return make


def skactiveml(pool: Pool, batch: int) -> Query:
    """scikit-activeml's margin sampling, its classifier fitted already."""
    from skactiveml.classifier import SklearnClassifier
    from skactiveml.pool import UncertaintySampling

    clf: Any = SklearnClassifier(pool.make(), classes=np.unique(pool.truth).astype(float))
    clf.fit(pool.X[pool.rows], pool.y[pool.rows])
    strategy: Any = UncertaintySampling(method="margin_sampling", random_state=0)
    return lambda: strategy.query(pool.X, pool.y, clf, fit_clf=False, batch_size=batch)


def modal(pool: Pool, batch: int) -> Query:
    """Margin sampling of modAL on the rows without a label."""
    from lal.integrations.modal import load

    margin = load("modAL.uncertainty").margin_sampling
    start = pool.X[pool.rows], pool.truth[pool.rows]
    learner = load("modAL.models").ActiveLearner(pool.make(), margin, *start)
    return lambda: learner.query(pool.X[pool.open], n_instances=batch)[0]


def alipy(pool: Pool, batch: int) -> Query:
    """ALiPy's margin sampling."""
    from lal.integrations.alipy import load

    labels = load("alipy.query_strategy.query_labels")
    strategy = labels.QueryInstanceUncertainty(pool.X, pool.truth, measure="margin")
    clf = pool.clf
    return lambda: strategy.select(pool.rows, pool.open, model=clf, batch_size=batch)


CONTESTANTS: dict[str, Callable[[Pool, int], Query]] = {
    "predict_proba alone": predict,
    "plain numpy margin": plain,
    "lal margin": ours("margin"),
    "lal default": ours("default"),
    "scikit-activeml margin": skactiveml,
    "modAL margin": modal,
    "ALiPy margin": alipy,
}


def measure(
    name: str, shape: tuple[int, int, int, int], batch: int, repeats: int
) -> dict[str, Any]:
    """Return seconds (medians) and peak memory beyond the pool of one contestant's query."""
    pool = Pool(*shape)
    query = CONTESTANTS[name](pool, batch)
    give_back()
    with Watch() as first:  # imports what is imported late, too
        answer = np.asarray(query())
    watches = [first]
    for _ in range(repeats):
        with Watch() as watch:
            query()
        watches.append(watch)
    timed = watches[1:] or watches
    return {
        "contestant": name,
        "wall": float(np.median([w.wall for w in timed])),
        "cpu": float(np.median([w.cpu for w in timed])),
        "best": float(min(w.cpu for w in timed)),
        "megabytes": max(w.peak - first.before for w in watches) / 1e6,
        "unlike": len(set(answer.ravel().tolist())),
        "batch": batch,
    }


def main(arguments: list[str]) -> None:
    """Run ``NAME JSON`` and print one line of JSON."""
    name, given = arguments[0], json.loads(arguments[1])
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core, whoever else is there
    found = measure(name, tuple(given["shape"]), given["batch"], given["repeats"])
    print("QUERY " + json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
