"""SCREENS: which rows of a large pool are scored in full, by name.

A screen looks at the whole pool through what is cheap (the margin, a hash of the content) and
names rows; the policy scores these. It depends on the state alone: not on the order of rows, not
on any random stream.
"""

from collections.abc import Callable

import numpy as np

from lal.arrays import Floats, Ints
from lal.data.view import content_hash, smallest
from lal.features.base import FEATURES
from lal.registry import Registry
from lal.state import QueryState

SCREENED = 20_000
"""Rows that are scored in full where more may be asked."""

PART = 20_000
"""Rows whose probabilities are read at once."""

Screen = Callable[[QueryState, Ints, int], Ints]
"""State, rows (n,) and a size to `size` of the rows, in their order."""

SCREENS: Registry[Screen] = Registry("screen")


@SCREENS.register("none")
def none(state: QueryState, rows: Ints, size: int) -> Ints:
    """Return all rows."""
    return rows


@SCREENS.register("hashed")
def hashed(state: QueryState, rows: Ints, size: int) -> Ints:
    """Return rows drawn by a hash of their content: a fixed random sample."""
    return rows[smallest(_hashes(state)[rows], size)]


@SCREENS.register("half_uncertain")
def half_uncertain(state: QueryState, rows: Ints, size: int) -> Ints:
    """Return the rows of smallest margin for one half, a sample by content for the other.

    Equal margins go by the hash of the content. Without a model, all are drawn by content.
    """
    if state.proba is None:
        return hashed(state, rows, size)
    keys = _hashes(state)[rows]
    margins = _margins(state.proba, rows)
    half = size // 2
    last = np.partition(margins, half - 1)[half - 1]
    near = np.flatnonzero(margins <= last)
    near = near[np.lexsort((keys[near], margins[near]))[:half]]
    left = np.ones(len(rows), dtype=bool)
    left[near] = False
    others = np.flatnonzero(left)
    more = others[smallest(keys[others], size - half)]
    kept: Ints = rows[np.sort(np.concatenate([near, more]))]
    return kept


def _margins(proba: Floats, rows: Ints) -> np.ndarray:
    """Return top-two margins to nine digits, so that no order of summation decides, (n,)."""
    margins = np.empty(len(rows))
    for first in range(0, len(rows), PART):
        part = proba[rows[first : first + PART]]
        two = np.partition(part, part.shape[1] - 2, axis=1)[:, -2:] if part.shape[1] > 2 else part
        ends = two[:, -1] - two[:, 0] if part.shape[1] > 1 else two[:, 0]
        margins[first : first + PART] = np.round(np.abs(ends), 9)
    return margins


def _hashes(state: QueryState) -> np.ndarray:
    geometry = state.geometry
    if geometry.more is None:
        return geometry.view.hashes()
    return np.concatenate([geometry.view.hashes(), content_hash(geometry.more)])


def default_screen(candidate_features: tuple[str, ...]) -> str:
    """Return the screen of a policy that names none: "none" where scoring a row costs little.

    That is where its features only look at the model's probabilities of that row.
    """
    cheap = all(FEATURES[i].cost in ("1", "C", "N C") for i in candidate_features)
    return "none" if cheap else "half_uncertain"


def scored_rows(screen: str, state: QueryState, rows: Ints, least: int) -> Ints:
    """Return which of the rows are scored: all of at most `SCREENED`, else what the screen says.

    Args:
        screen: Name in `SCREENS`.
        state: The pool.
        rows: Rows that may be asked, shape (n,).
        least: Rows that must be scored at the least (a large batch).
    """
    size = max(SCREENED, least)
    return rows if len(rows) <= size else SCREENS[screen](state, rows, size)
