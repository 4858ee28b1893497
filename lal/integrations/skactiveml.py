"""scikit-activeml: a policy as a `SingleAnnotatorPoolQueryStrategy`.

Importing this module imports scikit-activeml.
"""

from numbers import Number
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from lal.errors import UsageError
from lal.integrations.asking import Asked, ask, resolve
from lal.policies.query.request import Options, read_seed
from lal.registry import require

EXTRA = "hosts-skactiveml"

_base = require("skactiveml.base", EXTRA)
_classifier = require("skactiveml.classifier", EXTRA)
_utils = require("skactiveml.utils", EXTRA)

CHECKS = {"ensure_all_finite": "allow-nan"}
"""What X may be, for ``sklearn.utils.check_array``: with missing values (sparse: not in 1.0)."""


class LearnedQueryStrategy(_base.SingleAnnotatorPoolQueryStrategy):  # type: ignore[misc, name-defined]
    """Asks what a learned policy, or any of our strategies, would ask.

    The estimator inside a plain `SklearnClassifier` is refitted exactly as ``policy.query`` does
    it (a clone, ``random_state=None`` set from the seed), so that both ask for the same rows. All
    other classifiers are refitted as clones by their own ``fit``. Classes declared in the
    classifier are declared to the policy. With an integer `random_state` a query is pure.

    Args:
        policy: A policy, the name of a shipped one, the path of a policy file, a strategy, or
            the name of a strategy.
        missing_label: What marks a missing label.
        random_state: Seeds the learner and breaks ties.
    """

    def __init__(
        self,
        policy: Asked = "default",
        missing_label: Any = np.nan,
        random_state: Any = None,
    ) -> None:
        super().__init__(missing_label=missing_label, random_state=random_state)
        self.policy = policy

    def query(
        self,
        X: Any,
        y: Any,
        clf: Any,
        fit_clf: bool = True,
        sample_weight: Any = None,
        candidates: Any = None,
        batch_size: int = 1,
        return_utilities: bool = False,
    ) -> Any:
        """Return the rows to label next, best first.

        Args:
            X: Pool, shape (N, D); missing values are allowed where the classifier takes
                them; scikit-activeml takes no sparse matrix here.
            y: Labels, missing ones as `missing_label`, shape (N,).
            clf: A `SkactivemlClassifier` of the same missing label; never changed.
            fit_clf: False uses `clf` as it is.
            sample_weight: Weights of the rows of X, shape (N,).
            candidates: None (rows without a label), row numbers of X, or samples (n, D).
            batch_size: Rows to return; more than there are candidates is cut with a warning.
            return_utilities: Also return the utilities.

        Returns:
            Row numbers of X (of `candidates` when these are samples), shape (batch_size,). With
            `return_utilities` also the utilities before each choice, shape (batch_size, n), nan
            for rows that cannot be asked and for those chosen before.

        Raises:
            TypeError: `clf` is not a `SkactivemlClassifier`, or `fit_clf` is not a boolean.
            ValueError: Samples, labels or arguments that cannot be used.
        """
        if isinstance(candidates, Number):
            raise UsageError(f"candidates must be row numbers or samples, got {candidates!r}")
        X, y, candidates, batch_size, return_utilities = self._validate_data(
            X, y, candidates, batch_size, return_utilities, reset=True, check_X_dict=CHECKS
        )
        _utils.check_type(clf, "clf", _base.SkactivemlClassifier)
        _utils.check_equal_missing_label(clf.missing_label, self.missing_label_)
        _utils.check_type(fit_clf, "fit_clf", bool)
        model, refit = _model(clf, fit_clf, X, y, sample_weight)
        options = Options(
            classes=None if clf.classes is None else list(clf.classes),
            candidates=candidates,
            fit_clf=refit,
            sample_weight=sample_weight,
            random_state=self._seed(),
            missing_label=self.missing_label,
        )
        return ask(
            self._strategy(),
            X,
            y,
            model,
            options,
            batch_size=batch_size,
            return_utilities=return_utilities,
        )

    def _seed(self) -> int:
        """Return the seed of this query; a `RandomState` was copied and re-seeded by the base."""
        drawn = isinstance(self.random_state, np.random.RandomState)
        return read_seed(self.random_state_ if drawn else self.random_state)

    def _strategy(self) -> Any:
        """Return the strategy that `policy` means; it is looked up once."""
        key = (self.policy, self.missing_label)
        held = getattr(self, "_held", None)
        if held is None or any(a is not b for a, b in zip(held[0], key, strict=True)):
            held = self._held = (key, resolve(self.policy, missing_label=self.missing_label))
        return held[1]


def _model(clf: Any, fit_clf: bool, X: Any, y: Any, sample_weight: Any) -> tuple[Any, bool]:
    """Return what `query` is given as classifier, and whether it is to be fitted."""
    plain = type(clf) is _classifier.SklearnClassifier
    if not fit_clf:
        check_is_fitted(clf)
        return (clf.estimator_ if plain and clf.is_fitted_ else clf), False
    if plain and not clf.include_unlabeled_samples:
        return clf.estimator, True
    known = _utils.is_labeled(y, missing_label=clf.missing_label)
    if len(np.unique(y[known])) < 2:
        return None, True  # before two classes are seen there is no model, whatever the classifier
    weights = () if sample_weight is None else (sample_weight,)
    return clone(clf).fit(X, y, *weights), False
