"""Texts as columns of numbers: hashed n-grams, weighted, reduced to a few directions."""

from collections.abc import Sequence

import numpy as np

from lal.arrays import Floats
from lal.errors import DataError

HASHED = 2**16
"""Columns that n-grams are hashed to."""

DIRECTIONS = 64
"""Columns that texts have in the end, at most."""


def text_columns(texts: Sequence[str]) -> Floats:
    """Return texts as rows of numbers, shape (N, d) with d at most `DIRECTIONS`.

    Words and pairs of words are hashed (no vocabulary is kept), counted with logarithms, weighted
    by inverse document frequency and reduced by a truncated singular value decomposition: latent
    semantic analysis (Deerwester et al. 1990, "Indexing by latent semantic analysis"). Rows have
    one length, so that long texts are like short ones; a column has unit mean square on average.

    The decomposition is the randomised one with a fixed seed: the same texts in the same order
    give the same numbers. A text without words is a row of zeros.

    Raises:
        DataError: Fewer than two different texts hold a word.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.preprocessing import normalize

    hashing = HashingVectorizer(
        n_features=HASHED, ngram_range=(1, 2), alternate_sign=False, norm=None
    )
    counts = hashing.transform(texts)
    if len({text for text, n in zip(texts, np.diff(counts.indptr), strict=True) if n}) < 2:
        raise DataError(
            "fewer than two different texts hold a word of two letters; nothing can be learned "
            "from them"
        )
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    width = min(DIRECTIONS, len(texts) - 1)
    reduced = TruncatedSVD(width, n_iter=4, random_state=0).fit_transform(weighted)
    rows: Floats = np.sqrt(width) * normalize(np.asarray(reduced, dtype=np.float64))
    return rows
