"""Learners of texts: an encoder in front of any learner."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.learners.encoded import EncodedModel
from lal.pool import dense
from lal.task import Learner, Model

Encoder = Callable[[Sequence[str]], Any]
"""Texts to rows of numbers, shape (n, d), such as the method ``encode`` of a sentence encoder."""

HASHED = 1024
"""Columns that n-grams are hashed to."""


def hashed_ngrams(texts: Sequence[str]) -> Floats:
    """Return texts as hashed words and pairs of words, rows of length 1, shape (n, HASHED).

    Counts enter by their square roots. No vocabulary is kept, so rows do not depend on one another.
    """
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.preprocessing import normalize

    hashing = HashingVectorizer(
        n_features=HASHED, ngram_range=(1, 2), alternate_sign=False, norm=None
    )
    rows: Floats = dense(normalize(np.sqrt(hashing.transform(texts))))
    return rows


def as_texts(X: Any) -> list[str]:
    """Return each row as one text; columns that are not numbers are joined by spaces."""
    table = np.asarray(X, dtype=object)
    return [" ".join(str(cell) for cell in np.atleast_1d(row)) for row in table]


class TextLearner:
    """Encodes texts, then fits a learner to the rows of numbers. Numbers are taken as encoded.

    Args:
        base: The learner.
        encode: Texts to rows of numbers; `hashed_ngrams` by default.
        name: For tables.
    """

    def __init__(self, base: Learner, encode: Encoder = hashed_ngrams, name: str = "text") -> None:
        self.base, self.encode, self.name = base, encode, name

    def __repr__(self) -> str:
        """Return the name and the base learner."""
        return f"TextLearner({self.base!r}, name={self.name!r})"

    def rows(self, X: Rows) -> Floats:
        """Return the rows that the base learner is fitted to, shape (n, d).

        Raises:
            UsageError: The encoder gave something else than a row for each text.
        """
        if hasattr(X, "tocsr") or np.asarray(X).dtype.kind in "biuf":
            return dense(X)
        texts = as_texts(X)
        found = np.asarray(self.encode(texts), dtype=np.float64)
        if found.ndim != 2 or len(found) != len(texts):
            raise UsageError(
                f"the encoder of {self.name} gave shape {found.shape} for {len(texts)} texts; "
                "expected one row of numbers for each"
            )
        return found

    def fit(
        self,
        X: Rows,
        y: Ints,
        *,
        n_classes: int,
        sample_weight: Floats | None = None,
        seed: int = 0,
    ) -> Model:
        """Return a model of texts; see `Learner.fit`."""
        rows = self.rows(X)
        given: dict[str, Any] = {"n_classes": n_classes, "sample_weight": sample_weight}
        return EncodedModel(self.base.fit(rows, y, seed=seed, **given), self.rows)
