"""Tasks of query synthesis: boards and other rules, drawings judged by a forest, sentences."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.datasets import load_dataset
from lal.errors import UsageError
from lal.learners import make_learner
from lal.pool import dense
from lal.rng import generator
from lal.synthesis.decoders import BoxDecoder, MixtureDecoder, PcaDecoder
from lal.synthesis.episode import SynthesisTask
from lal.synthesis.questions import INVALID, Oracle
from lal.synthesis.sentences import SentenceDecoder, draw_sentences, parse
from lal.task import Part

TaskSource = Callable[[np.random.Generator], SynthesisTask]
"""A generator to the next task."""


@dataclass(frozen=True, eq=False)
class BoardOracle:
    """Classes of a checkerboard on ``[-1, 1]^D``, shifted and stretched at random.

    Attributes:
        cells: Cells a column.
        offset: Shift of each column, shape (D,).
    """

    cells: int
    offset: Floats

    def __call__(self, X: Floats) -> Ints:
        """Return 0 or 1, shape (n,)."""
        cell = np.floor((X + 1.0 + self.offset) * self.cells / 2.0).astype(np.int64)
        codes: Ints = cell.sum(axis=1) % 2
        return codes


@dataclass(frozen=True, eq=False)
class BoxOracle:
    """A rule: class 1 inside a box, 0 outside.

    Attributes:
        low: Lower corner, shape (D,).
        high: Upper corner, shape (D,).
    """

    low: Floats
    high: Floats

    def __call__(self, X: Floats) -> Ints:
        """Return 0 or 1, shape (n,)."""
        inside = ((self.low <= X) & (self.high >= X)).all(axis=1)
        return np.asarray(inside, dtype=np.int64)


def tree() -> Any:
    """Return a decision tree, which takes weights and learns boxes."""
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(random_state=0)


@dataclass(frozen=True, eq=False)
class ForestOracle:
    """A classifier fitted to all rows answers in place of a person.

    Attributes:
        model: A fitted scikit-learn classifier.
        sure: It answers "invalid" where no class has this probability.
    """

    model: Any
    sure: float = 0.0

    def __call__(self, X: Floats) -> Ints:
        """Return codes, shape (n,)."""
        proba = self.model.predict_proba(X)
        return np.where(proba.max(axis=1) >= self.sure, proba.argmax(axis=1), INVALID)


def board_task(
    rng: np.random.Generator, *, cells: int = 2, n_columns: int = 2, learner: Any = None,
    budget: int = 30,
) -> SynthesisTask:  # fmt: skip
    """Return a checkerboard in a box, in which everything can be asked; a tree learns it."""
    oracle = BoardOracle(cells, rng.uniform(0.0, 1.0, n_columns))
    return _in_box(f"board-{cells}", oracle, rng, n_columns, learner, budget)


def rule_task(
    rng: np.random.Generator, *, n_columns: int = 2, learner: Any = None, budget: int = 30
) -> SynthesisTask:
    """Return a box in a corner, 10 to 30 % of all that can be asked; a tree learns it."""
    side = float(rng.uniform(0.1, 0.3)) ** (1.0 / n_columns) * 2.0
    corner = np.where(rng.random(n_columns) < 0.5, -1.0, 1.0 - side)
    oracle = BoxOracle(corner, corner + side)
    return _in_box("rule", oracle, rng, n_columns, learner, budget)


def _in_box(
    name: str, oracle: Oracle, rng: np.random.Generator, n_columns: int, learner: Any, budget: int
) -> SynthesisTask:
    pool, reward, test = rng.uniform(-1.0, 1.0, (3, 400, n_columns))
    return SynthesisTask(
        name=name, decoder=BoxDecoder(-np.ones(n_columns), np.ones(n_columns)), oracle=oracle,
        X_pool=pool, n_classes=2, learner=make_learner(tree() if learner is None else learner),
        test=Part(test, oracle(test)), reward=Part(reward, oracle(reward)), budget=budget,
    )  # fmt: skip


def table_task(
    name: str,
    *,
    seed: int,
    classes: tuple[int, ...] = (),
    n_latent: int = 10,
    mixture: bool = False,
    sure: float = 0.0,
    learner: str = "logistic_regression",
    budget: int = 30,
) -> SynthesisTask:
    """Return a table whose oracle is a forest fitted to all of its rows.

    Args:
        name: Data set of numbers, for `lal.load_dataset`.
        seed: Of the split and the forest.
        classes: Codes that are kept, in this order; all when empty.
        n_latent: Components of the decoder.
        mixture: Whether latents are drawn from a mixture fitted to the pool.
        sure: The oracle calls invalid what has no class with this probability.
        learner: Name of a learner; items are divided by their columns' spread.
        budget: Questions after the start.
    """
    from sklearn.ensemble import RandomForestClassifier

    data = load_dataset(name)
    kept = np.flatnonzero(np.isin(data.y, classes)) if classes else np.arange(len(data.y))
    X, y = dense(data.X[kept]), data.y[kept]
    if classes:
        y = np.searchsorted(np.sort(classes), y)
    rng = generator(seed, "split")
    X = (X - X.mean(axis=0)) / max(float(X.std()), 1e-12) if name == "sklearn:digits" else _even(X)
    forest = RandomForestClassifier(50, random_state=seed).fit(X, y)
    pool, reward, test = np.array_split(rng.permutation(len(X)), [len(X) // 2, 3 * len(X) // 4])
    made = (MixtureDecoder if mixture else PcaDecoder)(X[pool], n_latent)
    return SynthesisTask(
        name=f"{name}/{learner}", decoder=made, oracle=ForestOracle(forest, sure), X_pool=X[pool],
        n_classes=len(np.unique(y)), learner=make_learner(learner), test=Part(X[test], y[test]),
        reward=Part(X[reward], y[reward]), budget=budget,
    )  # fmt: skip


def _even(X: Floats) -> Floats:
    spread = X.std(axis=0)
    even: Floats = (X - X.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0)
    return even


def sentence_task(rng: np.random.Generator, *, budget: int = 40) -> SynthesisTask:
    """Return made-up sentences; the annotator refuses those that are none."""
    pool, reward, test = (draw_sentences(rng, n) for n in (300, 300, 300))
    return SynthesisTask(
        name="sentences", decoder=SentenceDecoder(pool), oracle=parse, X_pool=pool, n_classes=2,
        learner=make_learner("logistic_regression"), test=Part(test, parse(test)),
        reward=Part(reward, parse(reward)), budget=budget,
    )  # fmt: skip


@dataclass(frozen=True)
class BoardSampler:
    """Draws checkerboards in the plane: what `gymnasium.make("lal/Synthesis-v0")` runs.

    Attributes:
        cells: Cells a column; drawn uniformly.
        learner: A learner or its name; a decision tree when None.
        budget: Questions after the start.
    """

    cells: tuple[int, ...] = (2, 3)
    learner: Any = None
    budget: int = 20

    def __post_init__(self) -> None:
        """Refuse a sampler that cannot draw."""
        if not self.cells or min(self.cells) < 1:
            raise UsageError(f"cells must be numbers from 1, got {self.cells}")

    def __call__(self, rng: np.random.Generator) -> SynthesisTask:
        """Return the next task."""
        cells = self.cells[int(rng.integers(len(self.cells)))]
        return board_task(rng, cells=cells, learner=self.learner, budget=self.budget)
