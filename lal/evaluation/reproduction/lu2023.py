"""Literature reproduction: the published protocol of Lu, Li & Lin (2023) with our pieces.

One split a seed; 60 % of the rows are the pool; 20 start labels; an RBF SVM with C=1 and gamma
``1 / D`` on standardised columns; one label at a time until the pool is used up. Learner, margin
rule and states are ours; what the protocol asks for and our own protocol forbids lives here and
nowhere else: a start in a given order, ties broken by an old sort (`lu2023_order`), an area that
leaves the start out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np

from lal.arrays import Floats, Ints
from lal.curve import trapezoid
from lal.episode import Episode, accuracy
from lal.errors import DataError, UsageError
from lal.evaluation.reproduction.lu2023_order import published_order
from lal.learners import make_learner
from lal.state import Strategy
from lal.strategies.base import make_strategy
from lal.task import Part, Task

N_START = 20
POOL_SHARE = 0.6
MATCH = 1e-4
"""Two areas agree when they differ by no more; the published ones have five decimals."""

PUBLISHED_NAMES = {"margin": "US-C", "random": "Uniform"}
"""Our strategies by the names of the published table."""


class StartSetError(DataError):
    """The 20 start labels of a seed hold one class only; the published runs drop such seeds."""


class _GivenOrderEpisode(Episode):
    """An episode whose start is the first rows of the pool."""

    def _buy_start(self) -> None:
        for index in range(int(self.task.start)):
            self.label(index)


@dataclass(frozen=True, eq=False)
class ReproductionRow:
    """One data set and strategy beside the published numbers.

    Attributes:
        dataset: Name in the manifest.
        strategy: Our name of the strategy.
        seeds: Seeds that ran (those with one class in the start set are left out), shape (S,).
        aubc: Our area of each seed, shape (S,).
        published: Published area of the same seeds, shape (S,), nan where none is published.
        published_mean: Mean of the published table.
        published_sd: Standard deviation between the published runs.
        published_runs: Number of published runs.
        n_rows: Rows of the data set.
        every: Most labels between two points of our curve (see `reproduce_seed`).
    """

    dataset: str
    strategy: str
    seeds: Ints
    aubc: Floats
    published: Floats
    published_mean: float
    published_sd: float
    published_runs: int
    n_rows: int = 0
    every: int = 1

    @property
    def n_compared(self) -> int:
        """Seeds with a published area."""
        return int(np.isfinite(self.published).sum())

    @property
    def n_matched(self) -> int:
        """Seeds whose area equals the published one to `MATCH`."""
        return int((np.abs(self.aubc - self.published) <= MATCH).sum())

    @property
    def difference(self) -> float:
        """Our mean minus the published mean."""
        return float(self.aubc.mean() - self.published_mean)

    @property
    def standard_error(self) -> float:
        """Standard error of `difference`, as if the runs were independent; nan for one run."""
        if len(self.aubc) < 2:
            return float("nan")
        ours = float(self.aubc.var(ddof=1)) / len(self.aubc)
        return float(np.sqrt(ours + self.published_sd**2 / self.published_runs))

    @property
    def z(self) -> float:
        """Difference in units of its standard error."""
        return self.difference / self.standard_error

    @property
    def unequal(self) -> dict[int, float]:
        """Ours minus the published area of the seeds that differ by more than `MATCH`."""
        gap = self.aubc - self.published
        return {int(s): float(g) for s, g in zip(self.seeds, gap, strict=True) if abs(g) > MATCH}

    def to_mapping(self) -> dict[str, Any]:
        """Return the row as what JSON can hold."""
        rows = {k: getattr(self, k).tolist() for k in ("seeds", "aubc", "published")}
        rows["published"] = [None if np.isnan(v) else v for v in rows["published"]]
        return {**asdict(self), **rows}

    @classmethod
    def from_mapping(cls, found: Mapping[str, Any]) -> "ReproductionRow":
        """Return the row that `to_mapping` gave."""
        published = [np.nan if v is None else v for v in found["published"]]
        arrays = {
            "seeds": np.array(found["seeds"], dtype=np.int64),
            "aubc": np.array(found["aubc"], dtype=np.float64),
            "published": np.array(published, dtype=np.float64),
        }
        return cls(**{**found, **arrays})

    def __str__(self) -> str:
        """Return one line for a table."""
        seeds = f"; {self.n_matched} of {self.n_compared} seeds equal" if self.n_compared else ""
        return (
            f"{self.dataset:<14} {self.strategy:<8} {len(self.aubc):>4} runs  "
            f"ours {self.aubc.mean():.4f}  published {self.published_mean:.4f}  "
            f"difference {self.difference:+.4f} ({self.z:+.2f} SE){seeds}"
        )


def published_area(
    accuracies: Sequence[float] | Floats, queries: Sequence[int] | None = None
) -> float:
    """Return the published area: the trapezoid over the accuracies after query 1 to m, over m.

    The accuracy of the start is not in it, and a constant curve c gives ``c (m - 1) / m``. Our own
    normalised area is `lal.curve.aubc`.

    Args:
        accuracies: Test accuracy after each of the m queries, shape (m,), or after some.
        queries: Which ones, the last being m; all when None.
    """
    curve = np.asarray(accuracies, dtype=np.float64)
    if curve.ndim != 1 or len(curve) < 1:
        raise UsageError(f"expected one accuracy a query, got an array of shape {curve.shape}")
    at = np.arange(1, len(curve) + 1) if queries is None else np.asarray(queries)
    return trapezoid(at, curve) / float(at[-1])


def as_written(X: Floats) -> Floats:
    """Return float32 rows as the shortest decimals that read back as the same float32.

    The published runs read decimals from text; kept as float32 and widened, those differ in the
    eighth digit, which is enough to turn a near tie of an SVM around.
    """
    if X.dtype != np.float32:
        return X
    return cast("Floats", X.astype(np.str_).astype(np.float64))


def reproduction_task(X: Floats, y: Ints, seed: int) -> Task:
    """Return the task of one seed: the pool in the protocol's order, its first 20 rows the start.

    Args:
        X: All rows, shape (n, D), not standardised.
        y: Class codes, 0 or 1, shape (n,).
        seed: Seed of the split and of the start.

    Raises:
        DataError: Not two classes, or too few rows.
        StartSetError: The start holds one class only.
    """
    y = np.asarray(y, dtype=np.int64)
    if set(np.unique(y).tolist()) != {0, 1}:
        raise DataError(f"the reproduction takes class codes 0 and 1, got {np.unique(y).tolist()}")
    rows = np.arange(len(y))
    np.random.default_rng(seed).shuffle(rows)
    n_pool = int(POOL_SHARE * len(y))
    pool, test = rows[:n_pool].copy(), rows[n_pool:]
    np.random.default_rng(seed).shuffle(pool)
    if n_pool <= N_START:
        raise DataError(f"{len(y)} rows give a pool of {n_pool}; expected more than {N_START}")
    if len(np.unique(y[pool[:N_START]])) < 2:
        raise StartSetError(f"the start set of seed {seed} holds one class only; drop this seed")
    scaled = _standardise(np.asarray(as_written(X), dtype=np.float64), pool)
    return Task(
        name="lu2023",
        family="lu2023",
        learner=make_learner("rbf_svm_lu"),
        n_classes=2,
        pool=Part(scaled[pool], y[pool]),
        test=Part(scaled[test], y[test]),
        budget=n_pool - N_START,
        start=N_START,
    )


def reproduce_seed(
    X: Floats, y: Ints, seed: int, strategy: str | Strategy = "margin", *, every: int = 1
) -> float:
    """Return the published area of one seed.

    Args:
        X: All rows, shape (n, D), not standardised.
        y: Class codes, 0 or 1, shape (n,).
        seed: Seed of the split, of the start and of a random strategy.
        strategy: ``"margin"`` (US-C), ``"random"`` (Uniform) or any other strategy.
        every: Most labels acquired before the next refit and curve point; see `labels_until`.
            The protocol's is 1; random sampling looks at no model, so more only thins its curve.
    """
    rule = make_strategy(strategy) if isinstance(strategy, str) else strategy
    task = reproduction_task(X, y, seed)
    episode = _GivenOrderEpisode(task, seed)
    test = task.test_part()
    accuracies: list[float] = []
    queries: list[int] = []
    while not episode.finished:
        state = episode.state()
        utilities = rule.utilities(state, episode.streams["strategy"])
        acquired = queries[-1] if queries else 0
        n = min(labels_until(acquired, every), episode.budget_total - episode.spent)
        for index in _first_open(utilities, state.open, n):
            episode.label(index)
        accuracies.append(episode.measure(test, {"accuracy": accuracy})["accuracy"])
        queries.append(episode.spent - N_START)
    return published_area(accuracies, queries)


def labels_until(acquired: int, every: int) -> int:
    """Return how many labels to acquire before the next point of a thinned curve.

    At most a fifth of those acquired, because curves bend at their beginning: of an accuracy that
    nears its end as 1 / n the trapezoid over a fifth misses half a percent of the gap.
    """
    return max(1, min(every, acquired // 5))


def reproduce(
    folder: str | Path,
    names: Iterable[str],
    *,
    seeds: Iterable[int],
    strategies: Sequence[str] = ("margin", "random"),
    every: int = 1,
    n_jobs: int = 1,
) -> list[ReproductionRow]:
    """Reproduce data sets and compare them with the published numbers.

    Args:
        folder: Folder with ``manifest.json`` and the npz files it names.
        names: Data sets, by their names in the manifest.
        seeds: Seeds to run; those that the published runs drop are dropped.
        strategies: Names among `PUBLISHED_NAMES`.
        every: Most labels between two points of a curve; see `reproduce_seed`.
        n_jobs: Processes.

    Raises:
        DataError: No manifest, or a data set that the manifest lacks or calls not comparable.
    """
    from joblib import Parallel, delayed

    seeds = list(seeds)
    rows = []
    for name in names:
        entry = _manifest_entry(Path(folder), name)
        with np.load(Path(folder) / entry["file"]) as file:
            X, y = file["X"], file["y"]
        for strategy in strategies:
            done = Parallel(n_jobs=n_jobs)(
                delayed(_run_or_drop)(X, y, seed, strategy, every) for seed in seeds
            )
            row = _compare(entry, strategy, seeds, done)
            rows.append(replace(row, n_rows=len(y), every=every))
    return rows


def _standardise(X: Floats, rows: Ints) -> Floats:
    """Return X with the mean and deviation of some rows taken out, as ``StandardScaler`` does."""
    from sklearn.preprocessing import StandardScaler

    return cast("Floats", StandardScaler().fit(X[rows]).transform(X))


def _first_open(utilities: Floats, candidates: Ints, n: int) -> list[int]:
    """Return the candidates of highest utility, ties as in the published runs."""
    is_open = np.zeros(len(utilities), dtype=np.bool_)
    is_open[candidates] = True
    return list(islice((i for i in published_order(-utilities) if is_open[i]), n))


def _run_or_drop(X: Floats, y: Ints, seed: int, strategy: str, every: int) -> float | None:
    try:
        return reproduce_seed(X, y, seed, strategy, every=every)
    except StartSetError:
        return None


def _manifest_entry(folder: Path, name: str) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.is_file():
        raise DataError(f"{path} is missing; expected the manifest of the reproduction's data sets")
    entries = {entry["name"]: entry for entry in json.loads(path.read_text())["datasets"]}
    if name not in entries:
        raise DataError(
            f"the reproduction has no data set {name!r}; it has {', '.join(sorted(entries))}"
        )
    entry: dict[str, Any] = entries[name]
    if not entry["reference_comparable"]:
        raise DataError(f"{name!r} cannot be compared: {entry['reference_check']}")
    return entry


def _compare(
    entry: dict[str, Any], strategy: str, seeds: list[int], done: Sequence[float | None]
) -> ReproductionRow:
    if strategy not in PUBLISHED_NAMES:
        known = ", ".join(PUBLISHED_NAMES)
        raise UsageError(f"no published numbers for the strategy {strategy!r}; known: {known}")
    kept = [(seed, area) for seed, area in zip(seeds, done, strict=True) if area is not None]
    by_seed = entry["published_aubc_usc_by_seed"] if strategy == "margin" else {}
    table = entry["published_aubc"][PUBLISHED_NAMES[strategy]]
    return ReproductionRow(
        dataset=entry["name"],
        strategy=strategy,
        seeds=np.array([seed for seed, _ in kept], dtype=np.int64),
        aubc=np.array([area for _, area in kept], dtype=np.float64),
        published=np.array([by_seed.get(str(seed), np.nan) for seed, _ in kept], dtype=np.float64),
        published_mean=float(table["mean"]),
        published_sd=float(table["sd"]),
        published_runs=int(entry["published_runs_usc"]),
    )
