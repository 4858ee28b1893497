"""baal: a policy as the scores that `ActiveLearningLoop` ranks.

baal's heuristics see predictions only, never samples or labels, so the policy stands where the
loop asks for probabilities, and baal's own `Precomputed` heuristic ranks what it returns.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.errors import UsageError
from lal.integrations.asking import Asked, ask, labels_with_gaps, resolve
from lal.policies.query.request import Options
from lal.registry import require

EXTRA = "hosts-baal"


def ranking() -> Any:
    """Return baal's heuristic that asks for the highest of the scores it is given.

    Raises:
        MissingDependencyError: baal is not installed.
    """
    return require("baal.active.heuristics", EXTRA).Precomputed(reverse=True)


def flat(sample: Any) -> Floats:
    """Return a sample as one row of numbers, shape (D,): what features see by default."""
    return np.asarray(sample, dtype=np.float64).ravel()


class LearnedScores:
    """``ActiveLearningLoop(dataset, LearnedScores(dataset, ...), ranking(), query_size=n)``.

    baal labels the top of the ranking. With `query_size` the batch that the policy chooses comes
    first; all other items follow by utility, and baal breaks ties by position. Give either `clf`
    or `predict`.

    Args:
        dataset: The `ActiveLearningDataset` of the loop; items are pairs of sample and label.
        policy: A policy, a strategy, the name of one, or the path of a policy file.
        clf: scikit-learn classifier; a clone is fitted to the features of the labelled items.
        predict: Maps a data set to predictions (n, C) or (n, C, iterations), such as
            ``wrapper.predict_on_dataset``; iterations are averaged.
        features: Sample to a row of numbers (D,).
        random_state: Seeds the learner.
        query_size: As the loop's.

    Raises:
        UsageError: Both or neither of `clf` and `predict`.
    """

    def __init__(
        self,
        dataset: Any,
        policy: Asked = "default",
        *,
        clf: Any = None,
        predict: Callable[[Any], Any] | None = None,
        features: Callable[[Any], Floats] = flat,
        random_state: int = 0,
        query_size: int = 1,
    ) -> None:
        if (clf is None) == (predict is None):
            raise UsageError("give either clf, a scikit-learn classifier, or predict")
        self.dataset = dataset
        self.policy = resolve(policy)
        self.clf, self.predict, self.features = clf, predict, features
        self.random_state, self.query_size = random_state, query_size

    def __call__(self, pool: Any, **_: Any) -> Floats:
        """Return the utility of every item of the pool, or of the part drawn from it, shape (n,).

        Raises:
            UsageError: Nothing is labelled.
        """
        held = [self.dataset[i] for i in range(len(self.dataset))]
        rows = [self.features(item[0]) for item in held]
        rows += [self.features(_sample(pool[i])) for i in range(len(pool))]
        labels = [np.asarray(item[1]).item() for item in held]
        y = labels_with_gaps(len(rows), np.arange(len(held)), labels)
        options = Options(proba=self._proba(pool), random_state=self.random_state)
        size = max(min(self.query_size, len(pool)), 1)
        chosen, table = ask(
            self.policy, np.stack(rows), y, self.clf, options, batch_size=size,
            return_utilities=True,
        )  # fmt: skip
        scores: Floats = table[0]
        scores[chosen] = np.nanmax(scores) + np.arange(size, 0.0, -1.0)
        return scores[len(held) :]

    def _proba(self, pool: Any) -> Floats | None:
        """Return the probabilities of the labelled items, then of the pool, shape (n, C)."""
        if self.predict is None:
            return None
        if not len(self.dataset):
            raise UsageError("label at least one item before the first step")
        to_prob = require("baal.utils.array_utils", EXTRA).to_prob
        parts = [to_prob(np.asarray(self.predict(part))) for part in (self.dataset, pool)]
        proba: Floats = np.concatenate([p if p.ndim == 2 else p.mean(axis=-1) for p in parts])
        return proba


def _sample(item: Any) -> Any:
    """Return the sample of a pool item, with or without a label beside it."""
    return item[0] if isinstance(item, tuple | list) else item
