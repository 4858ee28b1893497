"""Check a learner: 0 labels, one class, missing classes, probabilities, seeding."""

from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.checks.states import CLOSE, globals_untouched, make_rng, require, sample_pool
from lal.learners import make_learner
from lal.learners.capabilities import find_capability
from lal.task import Learner


def check_learner(learner: Learner | str) -> None:
    """Check a learner: 0 labels, one class, missing classes, probabilities, seeding.

    Args:
        learner: A learner, or a name of the registry, or a scikit-learn classifier.

    Raises:
        CheckError: The first sentence of the contract that is broken.
    """
    made = make_learner(learner)
    name = made.name
    X, y = sample_pool(n_classes=4)
    for title, rows in {
        "no labels": y < 0,
        "one class": y == 1,
        "a class unseen": (y < 3) & (np.arange(len(y)) < 30),
        "all classes": np.arange(len(y)) < 30,
    }.items():
        with globals_untouched(name):
            model = made.fit(X[rows], y[rows], n_classes=4, seed=3)
            proba = model.predict_proba(X)
        where = f"{name} ({title})"
        _check_probabilities(proba, (len(X), 4), where)
        codes = model.predict(X)
        require(codes.shape == (len(X),), f"{where} predicts shape {codes.shape}")
        require(
            bool(np.isin(codes, np.arange(4)).all()), f"{where} predicts what is not a class code"
        )
        again = made.fit(X[rows], y[rows], n_classes=4, seed=3).predict_proba(X)
        require(np.array_equal(proba, again), f"{where} differs between fits of the same seed")
        _check_extras(model, X, where)
        _check_capabilities(model, X, where)


def _check_probabilities(proba: Floats, shape: tuple[int, ...], name: str) -> None:
    require(proba.shape == shape, f"{name} gives probabilities {proba.shape}, not {shape}")
    legal = np.isfinite(proba).all() and proba.min() >= 0
    require(bool(legal), f"{name} gives probabilities that are negative or not finite")
    sums = np.allclose(proba.sum(axis=-1), 1.0, atol=CLOSE)
    require(sums, f"{name} gives probabilities that do not sum to one")


def _check_extras(model: Any, X: Floats, name: str) -> None:
    members = model.committee_proba(X)
    if members is not None:
        shape = (len(members), len(X), 4)
        _check_probabilities(members, shape, f"the committee of {name}")
    variance = model.variance(X)
    if variance is not None:
        good = variance.shape == (len(X),) and np.isfinite(variance).all() and variance.min() >= 0
        require(bool(good), f"the variance of {name} must be (n,), finite and not negative")


def _check_capabilities(model: Any, X: Floats, name: str) -> None:
    for capability in ("embed", "gradient_embedding", "predict_loss"):
        found = find_capability(model, capability, X)
        good = found is None or (len(found) == len(X) and np.isfinite(found).all())
        require(bool(good), f"{capability} of {name} must have a finite value for each row")
    drawn = find_capability(model, "sample_proba", X, 3, make_rng())
    if drawn is not None:
        _check_probabilities(drawn, (3, len(X), 4), f"the posterior draws of {name}")
        with globals_untouched(name):
            again = find_capability(model, "sample_proba", X, 3, make_rng())
        require(np.array_equal(drawn, again), f"{name} draws other parameters from the same rng")
