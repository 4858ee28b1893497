"""small-text: a policy as a query strategy of `PoolBasedActiveLearner`."""

from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.integrations.asking import Asked, ask, labels_with_gaps, resolve
from lal.policies.query.request import Options
from lal.pool import n_rows
from lal.registry import require

EXTRA = "hosts-small-text"


class LearnedQueryStrategy:
    """A query strategy for single-label data; registered as small-text's `QueryStrategy`.

    The model behind a `SklearnClassifier` is used as small-text fitted it; any other classifier is
    asked for the probabilities of the whole data set.

    Args:
        policy: A policy, a strategy, the name of one, or the path of a policy file.
        representation: Rows (N, d) that features see, for data sets that are texts: embeddings,
            or a sparse matrix of counts. By default the data set's own matrix.
        random_state: Breaks ties.
    """

    def __init__(
        self,
        policy: Asked = "default",
        *,
        representation: Rows | None = None,
        random_state: int = 0,
    ) -> None:
        require("small_text.query_strategies", EXTRA).QueryStrategy.register(type(self))
        self.policy = resolve(policy)
        self.representation = representation
        self.random_state = random_state
        self.last_scores: Floats | None = None

    def query(
        self,
        clf: Any,
        dataset: Any,
        indices_unlabeled: Ints,
        indices_labeled: Ints,
        y: Any,
        n: int = 10,
    ) -> Ints:
        """Return `n` elements of `indices_unlabeled`, best first; `last_scores` has all utilities.

        Args:
            clf: The fitted classifier.
            dataset: The whole data set, N items.
            indices_unlabeled: Items that may be asked.
            indices_labeled: Labelled items.
            y: Their labels.
            n: Items to choose.

        Raises:
            EmptyPoolException: small-text's, when nothing is left.
            PoolExhaustedException: small-text's, when fewer than `n` items are left.
            UsageError: Multi-label data, or texts without a representation.
        """
        base = require("small_text.query_strategies", EXTRA).QueryStrategy
        base._validate_query_input(indices_unlabeled, n)
        if hasattr(y, "tocsr"):
            raise UsageError("multi-label data are not in this release; expected one label an item")
        X = self._rows(dataset)
        last = int(np.concatenate([indices_unlabeled, indices_labeled]).max())
        if n_rows(X) <= last:
            raise UsageError(
                f"the representation has {n_rows(X)} rows and an item {last} is asked of; "
                "expected a row for each item"
            )
        labels = labels_with_gaps(n_rows(X), indices_labeled, y)
        sklearn_like = require("small_text.classifiers", EXTRA).SklearnClassifier
        if isinstance(clf, sklearn_like):
            model, given = clf.model, Options(fit_clf=False)
        else:
            proba = np.asarray(clf.predict_proba(dataset), dtype=np.float64)
            model, given = None, Options(proba=proba, classes=range(proba.shape[1]))
        options = Options(
            proba=given.proba,
            classes=given.classes,
            fit_clf=given.fit_clf,
            candidates=np.asarray(indices_unlabeled, dtype=np.int64),
            random_state=self.random_state,
        )
        chosen, table = ask(
            self.policy, X, labels, model, options, batch_size=n, return_utilities=True
        )
        self.last_scores = table[0]
        picked: Ints = chosen
        return picked

    def _rows(self, dataset: Any) -> Rows:
        if self.representation is not None:
            given = self.representation
            return given if hasattr(given, "shape") else np.asarray(given)
        X = dataset if hasattr(dataset, "shape") else getattr(dataset, "x", None)
        if not hasattr(X, "shape"):
            raise UsageError(
                f"{type(dataset).__name__} holds no matrix; pass representation=, rows of "
                "embeddings or counts, one for each item"
            )
        return X

    def __str__(self) -> str:
        """Return the name and the policy, as small-text's own strategies do."""
        return f"LearnedQueryStrategy({getattr(self.policy, 'name', self.policy)!r})"
