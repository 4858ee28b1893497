"""Crowds and several labels as tasks: a pool whose rows are questions to annotators.

Every strategy, feature, policy and environment for pools then runs on them as it is. Answers are
labels of the pool's rows; reward and test rows ask nobody and are answered by the truth.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.dataset import make_dataset
from lal.data.encoding import fit_encoder, word_columns
from lal.errors import UsageError
from lal.learners.crowd import CrowdLearner, QuestionColumns
from lal.pool import dense
from lal.rng import generator
from lal.task import Part, Start, Task
from lal.task_kind import CLASSIFICATION
from lal.tasks.sampler import TaskSampler
from lal.tasks.splits import split_rows

Expertise = Literal["half_space", "constant", "perfect"]


@dataclass(frozen=True)
class Crowd:
    """Simulated annotators.

    Attributes:
        n_annotators: A.
        expertise: ``"half_space"``: each is good on one side of a random plane through the items
            and bad on the other; ``"constant"``: each has one error, between good and bad;
            ``"perfect"``: never wrong.
        good: Smallest error.
        bad: Largest error.
        abstain: Probability of "I do not know", which is the last class where it is above 0.
        costs: What an answer of each costs, shape (A,); 1 each when empty.
    """

    n_annotators: int = 5
    expertise: Expertise = "half_space"
    good: float = 0.05
    bad: float = 0.4
    abstain: float = 0.0
    costs: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse annotators that cannot be."""
        if self.expertise not in ("half_space", "constant", "perfect"):
            raise UsageError(
                f"expertise must be 'half_space', 'constant' or 'perfect', got {self.expertise!r}"
            )
        if not 0.0 <= self.good <= self.bad <= 1.0 or not 0.0 <= self.abstain < 1.0:
            raise UsageError(
                "expected 0 <= good <= bad <= 1 and 0 <= abstain < 1, got "
                f"good={self.good}, bad={self.bad}, abstain={self.abstain}"
            )
        if self.n_annotators < 1 or len(self.costs) not in (0, self.n_annotators):
            raise UsageError(
                f"expected at least one annotator and a cost for each, got {self.n_annotators} "
                f"annotators and {len(self.costs)} costs"
            )

    def errors(self, items: Floats, rng: np.random.Generator) -> Floats:
        """Return how often each is wrong about each item, shape (n, A)."""
        shape = (len(items), self.n_annotators)
        if self.expertise == "perfect":
            return np.zeros(shape)
        if self.expertise == "constant":
            return np.broadcast_to(rng.uniform(self.good, self.bad, shape[1]), shape)
        spread = items.std(axis=0)
        Z = (items - items.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0)
        side = Z @ rng.normal(size=(items.shape[1], shape[1]))
        return np.where(side > np.median(side, axis=0), self.good, self.bad)

    def answers(
        self, truth: Ints, errors: Floats, n_classes: int, rng: np.random.Generator
    ) -> Ints:
        """Return answers to questions, shape (n,); wrong ones are uniform over other classes.

        Args:
            truth: True codes of the questions, shape (n,).
            errors: How often the one who is asked is wrong, shape (n,).
            n_classes: Classes of the truth.
            rng: Draws the answers.
        """
        shift = 1 + rng.integers(max(n_classes - 1, 1), size=len(truth))
        wrong = rng.random(len(truth)) < errors
        said = np.where(wrong, (truth + shift) % n_classes, truth)
        silent = rng.random(len(truth)) < self.abstain
        return np.where(silent, n_classes, said)


class CrowdTask(NamedTuple):
    """A task of questions, and what only evaluation may know of them.

    Attributes:
        task: What strategies, environments and `run_episode` are given.
        errors: How often the answer to each question of the pool is wrong, shape (N,).
        truth: The true answer to each, shape (N,).
        costs: What each answer costs, shape (N,).
    """

    task: Task
    errors: Floats
    truth: Ints
    costs: Floats


def crowd_task(
    task: Task,
    crowd: Crowd | None = None,
    *,
    seed: int,
    budget: int | None = None,
    start: Start = 10,
    learner: CrowdLearner | None = None,
) -> CrowdTask:
    """Return a task of classes as one in which a question is an item and an annotator.

    Args:
        task: Items and their true classes; its learner is not used.
        crowd: Who answers; five annotators, each good on one half of the items, when None.
        seed: Names annotators and answers.
        budget: Answers acquired after the start; that of the task when None.
        start: Random answers before it.
        learner: A `CrowdLearner` for as many annotators; made when None.
    """
    if task.kind != CLASSIFICATION:
        raise UsageError(f"task {task.name!r} is a {task.kind} task; annotators name classes")
    parts = {"pool": task.pool, "reward": task.reward, "test": task.test}
    items = _Items(
        task.name.partition("/")[0],
        task.family,
        task.n_classes,
        {r: (dense(p.X), p.y[:, None]) for r, p in parts.items() if p is not None},
        task.info,
    )
    return _questions(items, crowd or Crowd(), (budget or task.budget, start), seed, learner)


def make_multilabel_task(
    X: Floats,
    Y: Any,
    crowd: Crowd | None = None,
    *,
    seed: int,
    budget: int = 50,
    start: Start = 10,
    learner: CrowdLearner | None = None,
    **options: Any,
) -> CrowdTask:
    """Return a task in which a question is an item, one of its labels, and an annotator.

    Args:
        X: Items, shape (n, D), numbers.
        Y: Which labels each has, 0 or 1, shape (n, M) with M at least 2.
        crowd: Who answers; one annotator who is never wrong when None.
        seed: Seed of the split, the annotators and their answers.
        budget: Answers acquired after the start.
        start: Random answers before it.
        learner: A `CrowdLearner` for as many labels and annotators; made when None.
        **options: Of `lal.tasks.splits.split_rows`, such as ``test_share``.

    Raises:
        UsageError: Y is not a table of zeros and ones.
    """
    labels = np.asarray(Y)
    if labels.ndim != 2 or labels.shape[1] < 2 or not np.isin(labels, (0, 1)).all():
        raise UsageError(
            f"Y must be a table of 0 and 1 with a column for each of at least two labels, got "
            f"shape {labels.shape}"
        )
    # splits are even in how many labels an item has
    data = make_dataset("multilabel", X, labels.sum(axis=1), source="arrays")
    rows = vars(split_rows(data, seed=seed, **options))
    encoder = fit_encoder(data.X[rows["pool"]], word_columns(data.X))
    parts = {role: (dense(encoder.transform(data.X[r])), labels[r].astype(np.int64))
             for role, r in rows.items() if len(r) and role != "state"}  # fmt: skip
    items = _Items("multilabel", data.family, 2, parts, (("sha256", data.sha256),))
    return _questions(items, crowd or Crowd(1, "perfect"), (budget, start), seed, learner)


@dataclass(frozen=True, eq=False)
class _Items:
    """Items (n, D) and their true labels (n, M) by role."""

    name: str
    family: str
    n_classes: int
    parts: Mapping[str, tuple[Floats, Ints]]
    info: tuple[tuple[str, str], ...]


def _questions(
    items: _Items,
    crowd: Crowd,
    counts: tuple[int, Start],
    seed: int,
    learner: CrowdLearner | None,
) -> CrowdTask:
    """Return the task of all questions about items; counts are the budget and the start."""
    X, truths = items.parts["pool"]
    columns = QuestionColumns(crowd.n_annotators, truths.shape[1])
    learner = _checked_learner(learner, columns, crowd)
    rng = generator(seed, "crowd")
    errors = np.repeat(crowd.errors(X, rng)[:, None, :], columns.n_labels, axis=1).ravel()
    truth = np.repeat(truths.ravel(), crowd.n_annotators)
    said = crowd.answers(truth, errors, items.n_classes, rng)
    parts = {
        role: Part(columns.truth(rows), labels.ravel())
        for role, (rows, labels) in items.parts.items()
    }
    task = Task(
        name=f"{items.name}/{learner.name}",
        family=items.family,
        learner=learner,
        n_classes=items.n_classes + int(learner.abstains),
        pool=Part(columns.every(X), said),
        reward=parts.get("reward"),
        test=parts.get("test"),
        budget=counts[0],
        start=counts[1],
        classes_known=True,
        info=(*items.info, ("crowd", repr(crowd))),
    )
    costs = np.asarray(crowd.costs or np.ones(crowd.n_annotators), dtype=np.float64)
    return CrowdTask(task, errors, truth, np.tile(costs, truths.size))


def _checked_learner(
    learner: CrowdLearner | None, columns: QuestionColumns, crowd: Crowd
) -> CrowdLearner:
    """Return a learner for the crowd's questions, the given one if it fits."""
    silent = crowd.abstain > 0
    if learner is None:
        rows = crowd.expertise == "half_space"
        return CrowdLearner(
            *astuple(columns), abstains=silent, expertise="rows" if rows else "constant"
        )
    if learner.columns != columns or learner.abstains != silent:
        raise UsageError(
            f"the learner is for {learner.columns} and abstains={learner.abstains}; expected "
            f"{columns} and abstains={silent}"
        )
    return learner


@dataclass(frozen=True)
class CrowdSampler:
    """Draws a data set, as `TaskSampler` does, and annotators for it.

    Attributes:
        items: Draws the items and their true classes.
        crowds: Who may answer; drawn uniformly.
        budget: Answers acquired after the start.
    """

    items: Callable[[np.random.Generator], Task] = field(
        default_factory=lambda: TaskSampler(max_pool=100)
    )
    crowds: Sequence[Crowd] = (Crowd(), Crowd(expertise="constant"))
    budget: int = 30

    def __call__(self, rng: np.random.Generator) -> Task:
        """Return the next task, without test part."""
        crowd = self.crowds[int(rng.integers(len(self.crowds)))]
        items = self.items(rng).blind()
        return crowd_task(items, crowd, seed=int(rng.integers(2**31)), budget=self.budget).task
