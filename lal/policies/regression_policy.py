"""RegressionPolicy: a pool policy for numbers, stored under a kind of its own.

What lists the policies of kind "pool" (the labelling tools, whose labels are classes) does not
offer it, and an old release refuses its file by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.task_kind import REGRESSION


@dataclass(frozen=True, eq=False, kw_only=True)
class RegressionPolicy(PoolPolicy):
    """A policy whose features mean something where labels are numbers; see `PoolPolicy`."""

    kind: ClassVar[str] = "regression"

    def __post_init__(self) -> None:
        """Check the whole specification."""
        super().__post_init__()
        if REGRESSION not in self.kinds:
            raise UsageError(
                f"policy {self.name!r} looks at features of {' and '.join(self.kinds)} alone; "
                "expected features for regression, such as value_distance@1"
            )

    def to_fields(self) -> dict[str, Any]:
        """Return what a file says of the policy."""
        return {**super().to_fields(), "kind": self.kind}

    @classmethod
    def from_pool_policy(cls, policy: PoolPolicy) -> Self:
        """Return the same policy under this kind."""
        fields: Mapping[str, Any] = PoolPolicy.to_fields(policy)
        tensors: Mapping[str, np.ndarray] = policy.tensors
        return cls.from_fields(fields, tensors)
