"""libact: a policy as a query strategy over its `Dataset`."""

import copy
from typing import Any

import numpy as np

from lal.integrations.asking import Asked, ask, resolve
from lal.policies.query.request import Options
from lal.registry import require

EXTRA = "hosts-libact"


class LearnedQuery:
    """A query strategy over a libact `Dataset`; registered as libact's `QueryStrategy`.

    Args:
        dataset: A libact `Dataset`; labels of None are missing.
        policy: A policy, a strategy, the name of one, or the path of a policy file.
        model: A scikit-learn classifier, of which clones are fitted as ``policy.query`` does, or a
            libact model with probabilities, a copy of which is trained.
        random_state: Seeds the learner and breaks ties.
    """

    def __init__(
        self,
        dataset: Any,
        policy: Asked = "default",
        *,
        model: Any = None,
        random_state: int = 0,
    ) -> None:
        require("libact.base.interfaces", EXTRA).QueryStrategy.register(type(self))
        self.policy = resolve(policy)
        self.model = model
        self.random_state = random_state
        self._dataset = dataset
        dataset.on_update(self.update)

    @property
    def dataset(self) -> Any:
        """The data set that is labelled."""
        return self._dataset

    def update(self, entry_id: int, label: Any) -> None:
        """Take note of a label: nothing to do, every query reads the data set anew."""

    def make_query(self) -> int:
        """Return the entry to label next.

        Raises:
            UsageError: Every entry has a label, or there is no model for two labelled classes.
        """
        chosen, _ = self._ask()
        return int(chosen[0])

    def _get_scores(self) -> list[tuple[int, float]]:
        """Return the unlabelled entries and their utilities, as libact's strategies do."""
        _, table = self._ask()
        return [(int(i), float(table[0, i])) for i in np.flatnonzero(~np.isnan(table[0]))]

    def _ask(self) -> Any:
        X, y = self._dataset.get_entries()
        y = np.array(list(y), dtype=object)
        seen = {label for label in y.tolist() if label is not None}
        model, proba, classes = self.model, None, None
        if hasattr(model, "train"):
            model = None
            if len(seen) > 1:
                trained = copy.deepcopy(self.model)
                trained.train(self._dataset)
                proba, classes = trained.predict_proba(X), sorted(seen)
        options = Options(proba=proba, classes=classes, random_state=self.random_state)
        return ask(self.policy, X, y, model, options, return_utilities=True)
