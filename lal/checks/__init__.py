"""Checkers anyone may run over a strategy, feature, learner, policy or data set of their own.

Each raises a `CheckError` that says in one sentence which part of the contract is broken, and
returns nothing when all of it is kept. Our own tests run them over the registries.
"""

from lal.checks.dataset import check_dataset
from lal.checks.feature import check_feature
from lal.checks.learner import check_learner
from lal.checks.policy import check_policy
from lal.checks.states import renamed, sample_state
from lal.checks.strategy import check_strategy, strategy_checks

__all__ = [
    "check_dataset",
    "check_feature",
    "check_learner",
    "check_policy",
    "check_strategy",
    "renamed",
    "sample_state",
    "strategy_checks",
]
