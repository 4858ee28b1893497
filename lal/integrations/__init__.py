"""Policies inside other libraries: one module each, imported when it is used.

`lal.integrations.skactiveml`, `modal`, `alipy`, `baal`, `small_text`, `libact`, and `numpy_loop`,
which needs no library at all.
"""

from typing import Any


def as_skactiveml(policy: Any, **options: Any) -> Any:
    """Return a policy as a scikit-activeml query strategy.

    Args:
        policy: A policy, a strategy, the name of one, or the path of a policy file.
        **options: `missing_label` and `random_state`.

    Raises:
        MissingDependencyError: scikit-activeml is not installed.
    """
    from lal.integrations.skactiveml import LearnedQueryStrategy

    return LearnedQueryStrategy(policy, **options)
