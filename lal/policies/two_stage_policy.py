"""TwoStagePolicy: a cheap score of all rows makes a shortlist, a second program re-ranks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import DataError, PolicyFileError, UsageError
from lal.features import FEATURES, candidate_matrix, context_vector
from lal.features.base import check_scopes
from lal.policies.files import Field, check_ids
from lal.policies.pool_policy import PoolPolicy
from lal.policies.scoring.scorer import Scorer, compile_program
from lal.state import QueryState
from lal.strategies.selection import Batch

LONGEST = 256
"""Rows of the longest shortlist: each costs some refits of a small model."""

FIRST = "first utility"
"""Name of the last column of the second program's candidates."""

Z_LIMIT = 5.0
"""Z-scores within the shortlist are clipped to this."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TwoStagePolicy(PoolPolicy):
    """A pool policy whose best rows are looked at again, through features that cost more.

    `program` scores all rows. The `shortlist` rows without a label that it puts first are ranked
    anew by `refine_program` and come before all others; which rows may be asked does not change
    the shortlist. Its ``candidates`` are, side by side: the candidate features, the
    `refine_features`, and z-scores within the shortlist of the `refine_features` and of the first
    utility; ``context`` is the first program's. Before there is a model the first stage decides
    alone. With screening, the shortlist is taken from the rows that are scored.

    Attributes:
        refine_features: Ids of the further candidate features.
        refine_program: Scorer program over ``candidates`` and ``context``; its tensors are among
            `tensors`.
        shortlist: Rows that are ranked anew, at most.
    """

    kind: ClassVar[str] = "two_stage"
    FIELDS: ClassVar[Mapping[str, Field]] = {
        **PoolPolicy.FIELDS,
        "refine_features": Field(list),
        "refine_program": Field(dict),
        "shortlist": Field(int),
    }

    refine_features: tuple[str, ...]
    refine_program: Mapping[str, Any]
    shortlist: int = 32

    def __post_init__(self) -> None:
        """Check the whole specification of both stages."""
        object.__setattr__(self, "refine_features", tuple(self.refine_features))
        check_scopes(self.refine_features, "candidate")
        uneven = [i for i in self.refine_features if not FEATURES[i].class_symmetric]
        if self.class_symmetric and uneven:
            raise UsageError(
                f"feature {uneven[0]!r} depends on class names; say class_symmetric=False"
            )
        if not 2 <= self.shortlist <= LONGEST:
            raise PolicyFileError(f"shortlist must be 2 to {LONGEST} rows, got {self.shortlist}")
        if self.refiner.mixes_candidates or "reference" in self.refiner.reads:
            raise PolicyFileError(
                f"the second program of policy {self.name!r} must score each row of the shortlist "
                "by itself; z-scores within the shortlist are among its candidates"
            )
        super().__post_init__()

    @cached_property
    def refiner(self) -> Scorer:
        """The checked second program."""
        first = sum(FEATURES[i].dim for i in self.candidate_features)
        second = sum(FEATURES[i].dim for i in self.refine_features)
        return compile_program(
            self.refine_program,
            self.tensors,
            n_candidate=first + 2 * second + 1,
            n_context=sum(FEATURES[i].dim for i in self.context_features),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is rebuilt when needed."""
        return {k: v for k, v in super().__getstate__().items() if k != "refiner"}

    def score(self, state: QueryState, rows: Ints | None = None) -> Floats:
        """Return the utilities of the given rows (all when None), re-ranked among themselves."""
        rows = np.arange(state.N) if rows is None else rows
        return self.rerank(state, rows, super().score(state, rows))

    def make_batch(
        self, state: QueryState, rows: Ints, size: int, *, detailed: bool = False
    ) -> Batch:
        """Return what a batch rule chooses `size` of the given rows from; see `Batch`."""
        first = super().make_batch(state, rows, size, detailed=detailed)
        utilities = first.utilities.copy()
        utilities[first.scored] = self.rerank(state, first.scored, utilities[first.scored])

        def score(later: QueryState, wanted: Ints) -> Floats:
            return self.rerank(later, wanted, first.score(later, wanted))

        return Batch(state, utilities, first.rows, first.scored, score, size, detailed)

    def rerank(self, state: QueryState, rows: Ints, utilities: Floats) -> Floats:
        """Return first utilities of rows (n,) with those of the shortlist put on top, (n,).

        Raises:
            DataError: The second program gives numbers that are not finite.
        """
        places = self._shortlist(state, rows, utilities)
        if len(places) < 2:
            return utilities
        inputs = self.refine_inputs(state, rows[places], utilities[places])
        values = self.refiner.run(inputs)
        if not np.isfinite(values).all():
            raise DataError("the policy gives utilities that are not finite numbers")
        found = utilities.copy()
        found[places] = utilities.max() + 1.0 + values - values.min()
        return found

    def refine_inputs(self, state: QueryState, rows: Ints, utilities: Floats) -> dict[str, Floats]:
        """Return what the second program is given of a shortlist.

        Args:
            state: The state.
            rows: Rows of the shortlist, shape (n,).
            utilities: Their first utilities, shape (n,).
        """
        plain = candidate_matrix(state, self.candidate_features, rows)
        costly = candidate_matrix(state, self.refine_features, rows)
        within = z_scores(np.column_stack([costly, utilities]))
        context = context_vector(state, self.context_features)
        return {"candidates": np.column_stack([plain, costly, within]), "context": context}

    def _shortlist(self, state: QueryState, rows: Ints, utilities: Floats) -> Ints:
        """Return the positions among rows of those looked at again, best first."""
        if state.proba is None or len(np.unique(state.labels)) < 2:
            return np.zeros(0, dtype=np.int64)
        labelled = np.zeros(state.N, dtype=bool)
        labelled[state.labelled] = True
        places = np.flatnonzero(~labelled[rows])
        best: Ints = places[np.argsort(-utilities[places], kind="stable")[: self.shortlist]]
        return best

    def explain_state(self, state: QueryState, index: int) -> dict[str, float]:
        """Return how the utility changes where a feature takes its median.

        For a row of the shortlist it is the second utility, medians are those of the shortlist, and
        the `refine_features` (with their z-scores) are explained as well; for others it is the
        first utility.
        """
        if not len(state.open):
            return super().explain_state(state, index)
        first = super().make_batch(state, state.open, 1)
        values = first.utilities[first.scored]
        places = self._shortlist(state, first.scored, values)
        rows = first.scored[places]
        if len(rows) < 2 or index not in rows:
            return super().explain_state(state, index)
        inputs = self.refine_inputs(state, rows, values[places])
        table = inputs["candidates"]
        own, median = table[rows == index][0], np.median(table, axis=0)
        groups = {name: self.columns == name for name in dict.fromkeys(self.columns.tolist())}
        variants = [own] + [np.where(group, median, own) for group in groups.values()]
        values = self.refiner.run({**inputs, "candidates": np.stack(variants)})
        return dict(zip(groups, (values[1:] - values[0]).tolist(), strict=True))

    @property
    def columns(self) -> np.ndarray:
        """Which feature fills each column of the second program's candidates, or FIRST."""
        owners = [i for i in self.candidate_features for _ in range(FEATURES[i].dim)]
        costly = [i for i in self.refine_features for _ in range(FEATURES[i].dim)]
        return np.array([*owners, *costly, *costly, FIRST])

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Return the policy of a file's fields and tensors."""
        check_ids(fields["refine_features"])
        return super().from_fields(fields, tensors)

    def to_fields(self) -> dict[str, Any]:
        """Return what a file says of the policy."""
        return {**super().to_fields(), "kind": self.kind}


def z_scores(table: Floats) -> Floats:
    """Return columns less their mean, over their standard deviation, clipped; 0 where constant."""
    spread = table.std(axis=0)
    safe = np.where(spread > 1e-9, spread, 1.0)
    scores = np.where(spread > 1e-9, (table - table.mean(axis=0)) / safe, 0.0)
    return np.clip(scores, -Z_LIMIT, Z_LIMIT)
