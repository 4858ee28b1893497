"""Learners of texts: an encoder in front of any learner."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lal.arrays import Floats, Ints, Rows
from lal.errors import UsageError
from lal.learners.capabilities import TrainingDiary, find_capability
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
        return TextModel(self.base.fit(rows, y, seed=seed, **given), self)


class TextModel:
    """A model whose rows are encoded first; it can do what the model behind it can."""

    def __init__(self, model: Model, learner: TextLearner) -> None:
        self.model, self.learner, self.n_classes = model, learner, model.n_classes

    def predict_proba(self, X: Rows) -> Floats:
        """Return probabilities of all classes, shape (n, C)."""
        return self.model.predict_proba(self.learner.rows(X))

    def predict(self, X: Rows) -> Ints:
        """Return class codes, shape (n,)."""
        return self.model.predict(self.learner.rows(X))

    def committee_proba(self, X: Rows) -> Floats | None:
        """Return the members' probabilities, shape (M, n, C), or None without members."""
        return self.model.committee_proba(self.learner.rows(X))

    def variance(self, X: Rows) -> Floats | None:
        """Return the predictive variance, shape (n,), or None."""
        return self.model.variance(self.learner.rows(X))

    def embed(self, X: Rows) -> Floats | None:
        """Return what the last layer sees, shape (n, h); None without one."""
        return self._found("embed", X)

    def head_proba(self, embedding: Floats) -> Floats | None:
        """Return the last layer's probabilities, (n, h) to (n, C)."""
        found: Floats | None = find_capability(self.model, "head_proba", embedding)
        return found

    def sample_proba(self, X: Rows, n: int, rng: np.random.Generator) -> Floats | None:
        """Return probabilities under n draws, shape (n, rows, C); None without a posterior."""
        return self._found("sample_proba", X, n, rng)

    def gradient_embedding(self, X: Rows) -> Floats | None:
        """Return gradients of the last layer, shape (n, C h); None without them."""
        return self._found("gradient_embedding", X)

    @property
    def diary(self) -> TrainingDiary | None:
        """The diary of the fit; None without one."""
        found: TrainingDiary | None = find_capability(self.model, "diary")
        return found

    def _found(self, name: str, X: Rows, *more: Any) -> Floats | None:
        found: Floats | None = find_capability(self.model, name, self.learner.rows(X), *more)
        return found
