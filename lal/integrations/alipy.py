"""ALiPy: a policy as a query strategy of its loops and of `AlExperiment` (one thread only)."""

import collections
import sys
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from lal.integrations.asking import Asked, ask, labels_with_gaps, resolve
from lal.policies.query.request import Options
from lal.pool import n_rows, take
from lal.registry import require

EXTRA = "hosts-alipy"


class _OldNumpy:
    """numpy with the two names that ALiPy still uses; only ALiPy's modules see it."""

    infty = np.inf
    NaN = np.nan

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


_OLD_NUMPY = _OldNumpy()


def load(module: str = "alipy") -> Any:
    """Import a module of ALiPy in a state that works with current Python and numpy.

    ALiPy's own modules are shown ``collections.Iterable``, ``np.infty`` and ``np.NaN``, which are
    gone; nobody else sees them.

    Raises:
        MissingDependencyError: ALiPy is not installed.
    """
    require("alipy", EXTRA)
    found = require(module, EXTRA)
    for name, loaded in list(sys.modules.items()):
        if name.split(".")[0] != "alipy":
            continue
        if getattr(loaded, "np", None) is np:
            vars(loaded)["np"] = _OLD_NUMPY
        if getattr(loaded, "collections", None) is collections:
            old = SimpleNamespace(**vars(collections), Iterable=Iterable)
            vars(loaded)["collections"] = old
    return found


class LearnedQuery:
    """A strategy for ``AlExperiment.set_query_strategy`` and for ALiPy's loops.

    ALiPy hands a strategy the true labels of all rows; this one reads those of `label_index`
    alone. `AlExperiment` gives the same keywords to the constructor and to `select`, and never
    the model, so pass the object that it was made with::

        experiment.set_query_strategy(LearnedQuery, policy="margin", model=clf)
        experiment.start_query(multi_thread=False)

    With several threads ALiPy refits one shared model from all of them, and any strategy asks the
    wrong model.

    Args:
        X: All rows.
        y: All labels.
        policy: A policy, a strategy, the name of one, or the path of a policy file.
        random_state: Seeds the learner and breaks ties.
        **kept: Further keywords that `AlExperiment` passes; ignored here.
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        *,
        policy: Asked = "default",
        random_state: int = 0,
        **kept: Any,
    ) -> None:
        load("alipy.query_strategy.base").BaseIndexQuery.register(type(self))
        self.X, self.y = X, y
        self.policy = resolve(policy)
        self.random_state = random_state

    def select(
        self,
        label_index: Iterable[int],
        unlabel_index: Iterable[int],
        batch_size: int = 1,
        model: Any = None,
        **kept: Any,
    ) -> list[int]:
        """Return `batch_size` elements of `unlabel_index`, best first.

        Args:
            label_index: Labelled rows.
            unlabel_index: Rows that may be asked; with the labelled ones they are the pool.
            batch_size: Rows to choose.
            model: The classifier as ALiPy fitted it.
            **kept: Further keywords that `AlExperiment` passes; ignored here.

        Raises:
            UsageError: There is no model although two classes are labelled, or nothing to ask.
        """
        labelled = np.array(list(label_index), dtype=np.int64)
        unlabelled = np.array(list(unlabel_index), dtype=np.int64)
        rows = np.sort(np.concatenate([labelled, unlabelled]))
        places = np.searchsorted(rows, labelled)
        X = take(self.X, rows)
        y = labels_with_gaps(n_rows(X), places, np.asarray(self.y)[labelled])
        options = Options(fit_clf=False, random_state=self.random_state)
        chosen = ask(self.policy, X, y, model, options, batch_size=batch_size)
        picked: list[int] = rows[chosen].tolist()
        return picked
