"""CONDITIONS: what may be wrong with a pool, as changes of a task after its split.

A condition takes a task and a generator and returns a task. Rows that it adds to the pool come
behind the pool's own, so an experiment can tell them apart; strategies are given no mark. Test and
reward rows stay as they are, unless a condition says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import DataError, UsageError
from lal.pool import dense
from lal.registry import Registry, parse_options
from lal.rng import generator
from lal.task import INVALID, Part, Task
from lal.task_kind import CLASSIFICATION

Condition = Callable[[Task, np.random.Generator], Task]

CONDITIONS: Registry[Callable[..., Condition]] = Registry("condition")


def make_condition(text: str) -> Condition:
    """Return the condition that a text names: ``"outliers"``, ``"outliers?share=0.2"``.

    Raises:
        UnknownNameError: No such condition.
        UsageError: An option that it does not take.
    """
    name, options = parse_options(text)
    try:
        return CONDITIONS[name](**options)
    except TypeError as error:
        raise UsageError(f"condition {text!r} does not take these options: {error}") from error


def apply_conditions(task: Task, conditions: Sequence[str | Condition], *, seed: int) -> Task:
    """Return a task under conditions, applied in their order.

    Args:
        task: As `lal.make_task` gives it.
        conditions: Texts that `make_condition` reads, or conditions.
        seed: Each condition draws from a stream of its own.

    Raises:
        UsageError: A condition on something else than one class a row, or one that does not apply.
    """
    if isinstance(conditions, str):
        raise UsageError(f"conditions is a list of texts, got the text {conditions!r}")
    for place, given in enumerate(conditions):
        if task.kind != CLASSIFICATION:
            raise UsageError(
                f"conditions are for classification; task {task.name!r} is {task.kind}"
            )
        if task.pool.pixels is not None:
            raise UsageError(
                f"conditions are for rows of one class each, and those of task {task.name!r} are "
                "regions of pixels; change the scenes before make_region_task instead"
            )
        condition = make_condition(given) if isinstance(given, str) else given
        task = condition(task, generator(seed, "condition", place))
        label = given if isinstance(given, str) else repr(given)
        task = replace(task, info=(*task.info, ("condition", label)))
    return task


@CONDITIONS.register("redundancy")
@dataclass(frozen=True, kw_only=True)
class Redundancy:
    """Near-copies of pool rows: other frames of a film, edits of a text.

    Attributes:
        share: Share of the pool's rows that are copied.
        copies: Copies of each.
        noise: Standard deviation added to a copy, as a share of that of each column.
    """

    share: float = 1.0
    copies: int = 1
    noise: float = 0.05

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1."""
        _check_share("share", self.share)

    def __call__(self, task: Task, rng: np.random.Generator) -> Task:
        """Return the task with copies behind the pool."""
        X = _numbers(task)
        rows = np.sort(rng.permutation(len(X))[: round(self.share * len(X))])
        rows = np.repeat(rows, self.copies)
        copies = X[rows] + self.noise * X.std(axis=0) * rng.normal(size=(len(rows), X.shape[1]))
        return _with_more(task, copies, task.pool.y[rows])


@CONDITIONS.register("outliers")
@dataclass(frozen=True, kw_only=True)
class Outliers:
    """Rows that nothing can be learned from: half are noise, half have a label of another class.

    A row of noise takes every column from another row of the pool, and a class at random.

    Attributes:
        share: Share of the resulting pool.
    """

    share: float = 0.3

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1."""
        _check_share("share", self.share, below_one=True)

    def __call__(self, task: Task, rng: np.random.Generator) -> Task:
        """Return the task with outliers behind the pool."""
        X, C = _numbers(task), task.n_classes
        n = round(self.share / (1.0 - self.share) * len(X))
        n_noise = n // 2
        noise = np.stack(
            [rng.choice(X[:, j], size=n_noise) for j in range(X.shape[1])], axis=1
        )  # fmt: skip
        rows = rng.choice(len(X), size=n - n_noise)
        wrong = (task.pool.y[rows] + rng.integers(1, C, size=len(rows))) % C
        # equal rows with different labels would be found out at once: a little noise
        twins = X[rows] + 0.01 * X.std(axis=0) * rng.normal(size=(len(rows), X.shape[1]))
        labels = np.append(rng.integers(C, size=n_noise), wrong)
        return _with_more(task, np.concatenate([noise, twins]), labels)


@CONDITIONS.register("unknown_classes")
@dataclass(frozen=True, kw_only=True)
class UnknownClasses:
    """Pool rows of classes that nobody asked about: their label is `INVALID`, and still costs.

    Attributes:
        share: Share of the classes, drawn at random, that become unknown; two stay at least. Test
            and reward rows of them are left out.
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1."""
        _check_share("share", self.share)

    def __call__(self, task: Task, rng: np.random.Generator) -> Task:
        """Return the task with fewer classes."""
        n_known = max(task.n_classes - round(self.share * task.n_classes), 2)
        if n_known == task.n_classes:
            raise UsageError(
                f"task {task.name!r} has {task.n_classes} classes, and {self.share} of them leave "
                "none to be unknown; two stay known at least"
            )
        known = np.sort(rng.permutation(task.n_classes)[:n_known])
        code = np.full(task.n_classes, INVALID)
        code[known] = np.arange(n_known)
        test, reward = task.test, task.reward
        return replace(
            task,
            n_classes=n_known,
            pool=replace(task.pool, y=code[task.pool.y]),
            test=None if test is None else _recoded(test, code),
            reward=None if reward is None else _recoded(reward, code),
        )


@CONDITIONS.register("minority")
@dataclass(frozen=True, kw_only=True)
class Minority:
    """A group of few rows in which a spurious mark of the class points elsewhere.

    C columns are added, of which one is marked: in the majority mostly that of the row's class, in
    the minority that of another. Whoever trusts the mark is wrong about the minority. The group of
    test rows is kept for `lal.metrics.group_metrics` (1 is the minority); strategies, features and
    learners never see a group.

    Attributes:
        share: Share of the minority, in the pool and in every other part.
        agreement: Share of the majority whose mark is that of its class.
        strength: Height of the mark, in standard deviations of the average column.
    """

    share: float = 0.1
    agreement: float = 0.9
    strength: float = 3.0

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1."""
        _check_share("share", self.share)
        _check_share("agreement", self.agreement)

    def __call__(self, task: Task, rng: np.random.Generator) -> Task:
        """Return the task with marks, and groups in its parts."""
        height = self.strength * float(_numbers(task).std(axis=0).mean())
        C, test, reward = task.n_classes, task.test, task.reward
        return replace(
            task,
            state_X=None,
            pool=self._marked(task.pool, C, height, rng),
            test=None if test is None else self._marked(test, C, height, rng),
            reward=None if reward is None else self._marked(reward, C, height, rng),
        )

    def _marked(self, part: Part, C: int, height: float, rng: np.random.Generator) -> Part:
        groups = (rng.random(len(part)) < self.share).astype(np.int64)
        true = (groups == 0) & (rng.random(len(part)) < self.agreement)
        marked = np.where(true, part.y, (part.y + rng.integers(1, C, size=len(part))) % C)
        marks = height * np.eye(C)[marked]
        return Part(np.concatenate([dense(part.X), marks], axis=1), part.y, groups)


@CONDITIONS.register("without_redundancy")
@dataclass(frozen=True, kw_only=True)
class WithoutRedundancy:
    """Only the row nearest to the centre of each cluster stays; labels are not looked at.

    Agglomerative clusters of average cosine distance in the encoded view. Source: Birodkar, Mobahi
    & Bengio (2019), "Semantic redundancies in image-classification datasets: the 10% you don't
    need", who cluster the features of a trained network.

    Attributes:
        keep: Share of the rows that stay; each class keeps one at least.
        by: ``"clusters"``, or ``"random"`` for random rows, to compare with.
    """

    keep: float = 0.7
    by: str = "clusters"

    def __post_init__(self) -> None:
        """Refuse shares outside 0 to 1, and other ways."""
        _check_share("keep", self.keep)
        if self.by not in ("clusters", "random"):
            raise UsageError(f"by must be 'clusters' or 'random', got {self.by!r}")

    def __call__(self, task: Task, rng: np.random.Generator) -> Task:
        """Return the task with a smaller pool."""
        n = max(round(self.keep * len(task.pool)), 2)
        drawn = rng.permutation(len(task.pool))
        rows = drawn[:n] if self.by == "random" else centres(task.pool.X, n)
        first = [drawn[np.argmax(task.pool.y[drawn] == c)] for c in np.unique(task.pool.y)]
        missing = ~np.isin(task.pool.y[first], task.pool.y[rows])
        return _only(task, np.union1d(rows, np.array(first)[missing]))


def centres(X: Rows, n: int) -> Ints:
    """Return the row nearest to the centre of each of n clusters, in row order."""
    from sklearn.cluster import AgglomerativeClustering

    from lal.data.view import make_geometry

    Z = make_geometry(X).Z
    unit = Z / np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-12)
    cluster = AgglomerativeClustering(n, metric="cosine", linkage="average").fit_predict(unit)
    rows = []
    for c in range(n):
        members = np.flatnonzero(cluster == c)
        rows.append(members[np.argmax(unit[members] @ unit[members].mean(axis=0))])
    return np.sort(np.array(rows, dtype=np.int64))


def _only(task: Task, rows: Ints) -> Task:
    """Return the task with some of the pool's rows."""
    return replace(task, pool=task.pool.at(rows))


def _with_more(task: Task, X: Floats, y: Ints) -> Task:
    """Return the task with rows behind those of the pool."""
    return replace(
        task, pool=Part(np.concatenate([_numbers(task), X]), np.concatenate([task.pool.y, y]))
    )


def _recoded(part: Part, code: Ints) -> Part:
    kept = part.at(np.flatnonzero(code[part.y] != INVALID))
    return replace(kept, y=code[kept.y])


def _numbers(task: Task) -> Floats:
    try:
        return dense(task.pool.X)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the pool of task {task.name!r} has columns that are not numbers; this condition "
            "needs numbers, for example a task of lal.make_task"
        ) from error


def _check_share(name: str, value: float, *, below_one: bool = False) -> None:
    if not (0.0 <= value < 1.0 if below_one else 0.0 <= value <= 1.0):
        top = "below 1" if below_one else "at most 1"
        raise UsageError(f"{name} must be at least 0 and {top}, got {value}")
