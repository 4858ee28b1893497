"""Scoring rows by a policy's features and program, in one state after another."""

from collections.abc import Sequence

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import DataError
from lal.features.base import NO_ROWS, FeatureTable
from lal.policies.scoring.scorer import Scorer
from lal.state import QueryState

CHUNK = 20_000
"""Rows whose features are held at once."""


class Scoring:
    """Utilities of the same rows, in one state or in several that assume more and more labels.

    What no label changes is computed once, if the rows fit into one chunk.

    Args:
        ids: Candidate and context features.
        scorer: The checked program.
        rows: Rows to score, shape (n,).
    """

    def __init__(
        self, ids: tuple[Sequence[str], Sequence[str]], scorer: Scorer, rows: Ints
    ) -> None:
        self.ids, self.scorer, self.rows = ids, scorer, rows
        self.context = FeatureTable(ids[1], NO_ROWS)
        self.reference: FeatureTable | None = None
        self.table = FeatureTable(ids[0], rows) if len(rows) <= CHUNK else None

    def score(self, state: QueryState) -> Floats:
        """Return the utilities, shape (n,).

        Raises:
            DataError: The program gives numbers that are not finite.
        """
        given = self.given(state)
        if self.table is not None:
            return self._run(given, self.table.values(state))
        parts = [self.rows[i : i + CHUNK] for i in range(0, len(self.rows), CHUNK)]
        tables = (FeatureTable(self.ids[0], part) for part in parts)
        return np.concatenate([self._run(given, table.values(state)) for table in tables])

    def given(self, state: QueryState) -> dict[str, Floats]:
        """Return what the program reads besides the candidates."""
        given = {"context": self.context.values(state) if self.ids[1] else np.zeros(0)}
        if "reference" in self.scorer.reads:
            self.reference = self.reference or FeatureTable(self.ids[0], state.reference)
            given["reference"] = self.reference.values(state)
        return given

    def _run(self, given: dict[str, Floats], candidates: Floats) -> Floats:
        utilities = self.scorer.run({**given, "candidates": candidates})
        if not np.isfinite(utilities).all():
            raise DataError("the policy gives utilities that are not finite numbers")
        return utilities
