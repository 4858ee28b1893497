"""modAL: a policy as a query strategy of `ActiveLearner` and `Committee`."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.integrations.asking import Asked, ask, labels_with_gaps, resolve
from lal.policies.query.request import Options
from lal.pool import n_rows, stacked
from lal.registry import require

EXTRA = "hosts-modal"


def load(module: str = "modAL") -> Any:
    """Import a module of modAL in a state that works with current numpy and scikit-learn.

    ``modAL.expected_error`` mentions ``np.float`` when it is imported, `teach` passes
    ``force_all_finite``, which scikit-learn 1.8 dropped, and frames are stacked by
    ``DataFrame.append``, which pandas 2 dropped. The other packages are not changed for others.

    Raises:
        MissingDependencyError: modAL is not installed.
    """
    gone = "float"
    lacking = gone not in vars(np)
    if lacking:
        setattr(np, gone, float)
    try:
        require("modAL", EXTRA)
        found = require(module, EXTRA)
    finally:
        if lacking:
            delattr(np, gone)
    learners = require("modAL.models.learners", EXTRA)
    if learners.check_X_y is not _check_X_y:
        learners.check_X_y = _check_X_y
    _mend_stacking()
    return found


def _mend_stacking() -> None:
    """Have modAL's modules stack frames as pandas does today."""
    theirs = getattr(sys.modules.get("modAL.utils.data"), "data_vstack", None)
    if theirs is None or getattr(theirs, "mended", False):
        return

    def data_vstack(blocks: Sequence[Any]) -> Any:
        if not all(hasattr(block, "iloc") for block in blocks):
            return theirs(blocks)
        import pandas as pd

        return pd.concat(blocks)

    vars(data_vstack)["mended"] = True
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "modAL" and vars(module).get("data_vstack") is theirs:
            vars(module)["data_vstack"] = data_vstack


def _check_X_y(X: Any, y: Any, *, force_all_finite: Any = True, **options: Any) -> Any:
    from sklearn.utils import check_X_y

    return check_X_y(X, y, ensure_all_finite=force_all_finite, **options)


class LearnedQuery:
    """What modAL calls to choose rows: ``ActiveLearner(estimator, query_strategy=LearnedQuery())``.

    The learner's estimator is used as modAL fitted it. Features see the labelled rows and the
    pool that is passed. A `Committee` is asked for its probabilities; its labelled rows are those
    of its first learner. Making one repairs modAL; see `load`.

    Args:
        policy: A policy, a strategy, the name of one, or the path of a policy file.
        random_state: Breaks ties.
    """

    def __init__(self, policy: Asked = "default", *, random_state: int = 0) -> None:
        load()
        self.policy = resolve(policy)
        self.random_state = random_state

    def __call__(self, learner: Any, X_pool: Rows, n_instances: int = 1) -> tuple[Ints, Floats]:
        """Return rows of `X_pool`, best first, and their utilities, both of shape (n_instances,).

        modAL needs the pair: it runs a strategy that returns one array a second time.

        Raises:
            UsageError: The learner has no labelled rows yet.
        """
        first = learner.learner_list[0] if hasattr(learner, "learner_list") else learner
        if first.X_training is None:
            raise UsageError("the learner has no labelled rows; teach it some before the query")
        X = stacked(first.X_training, X_pool)
        n_labelled = n_rows(first.X_training)
        y = labels_with_gaps(n_rows(X), np.arange(n_labelled), first.y_training)
        clf, options = first.estimator, Options(fit_clf=False, random_state=self.random_state)
        if first is not learner:
            clf = None
            options = Options(
                proba=learner.predict_proba(X),
                classes=list(learner.classes_),
                random_state=self.random_state,
            )
        chosen, table = ask(
            self.policy, X, y, clf, options, batch_size=n_instances, return_utilities=True
        )
        return chosen - n_labelled, table[0, chosen]
