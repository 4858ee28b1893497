"""Sentences of a template grammar as items: slots of words, some of which must agree.

A sentence is DETERMINER NOUN VERB ADVERB ADJECTIVE; determiner, noun and verb agree in number, and
verb and adjective in tone, more or less. An item is a one-hot of each slot. The class is whether
the valences of noun, adverb and adjective sum to more than zero.
"""

from itertools import pairwise

import numpy as np

from lal.arrays import Bools, Floats, Ints
from lal.synthesis.decoders import REACH, PcaDecoder
from lal.synthesis.questions import INVALID

SINGULAR, PLURAL, BOTH = 1, 2, 3

SLOTS: tuple[tuple[tuple[str, int, float], ...], ...] = (
    (("this", 1, 0.0), ("that", 1, 0.0), ("these", 2, 0.0), ("those", 2, 0.0), ("the", 3, 0.0)),
    (
        ("meal", 1, 0.5), ("meals", 2, 0.5), ("delay", 1, -1.0), ("delays", 2, -1.0),
        ("waiter", 1, 0.0), ("waiters", 2, 0.0), ("bill", 1, -0.5), ("bills", 2, -0.5),
        ("garden", 1, 1.0), ("gardens", 2, 1.0),
    ),
    (("was", 1, 0.0), ("were", 2, 0.0), ("seems", 1, 0.0), ("seem", 2, 0.0)),
    (("rather", 3, -0.25), ("really", 3, 0.25), ("always", 3, 0.5), ("hardly", 3, -0.5)),
    (
        ("good", 3, 1.0), ("lovely", 3, 2.0), ("fine", 3, 0.5), ("bad", 3, -1.0),
        ("awful", 3, -2.0), ("dull", 3, -0.5), ("cold", 3, -0.8), ("fresh", 3, 0.8),
    ),
)  # fmt: skip
"""Words with the numbers they go with and their valence, slot by slot."""

WIDTHS = np.array([len(slot) for slot in SLOTS])
STARTS = np.concatenate([[0], np.cumsum(WIDTHS)[:-1]])
NUMBER = [np.array([word[1] for word in slot]) for slot in SLOTS]
VALENCE = [np.array([word[2] for word in slot]) for slot in SLOTS]


def words(X: Floats) -> Ints:
    """Return the word of every slot, (n, width) to (n, slots)."""
    parts = [X[:, a : a + w].argmax(axis=1) for a, w in zip(STARTS, WIDTHS, strict=True)]
    return np.stack(parts, axis=1)


def one_hot(chosen: Ints) -> Floats:
    """Return items of words, (n, slots) to (n, width)."""
    return np.hstack([np.eye(w)[chosen[:, s]] for s, w in enumerate(WIDTHS.tolist())])


def sentence(x: Floats) -> str:
    """Return an item as text."""
    chosen = words(x[None])[0]
    return " ".join(SLOTS[s][w][0] for s, w in enumerate(chosen.tolist()))


def grammatical(chosen: Ints) -> Bools:
    """Return whether determiner, noun and verb agree in number, shape (n,)."""
    number = np.full(len(chosen), BOTH)
    for slot in range(len(SLOTS)):
        number &= NUMBER[slot][chosen[:, slot]]
    return number > 0


def parse(X: Floats) -> Ints:
    """Return 1 for praise, 0 for complaint, `INVALID` for what is no sentence, shape (n,)."""
    chosen = words(X)
    valence = sum(VALENCE[slot][chosen[:, slot]] for slot in range(len(SLOTS)))
    praise = np.asarray(valence > 0, dtype=np.int64)
    return np.where(grammatical(chosen), praise, INVALID)


def draw_sentences(rng: np.random.Generator, n: int) -> Floats:
    """Return n grammatical sentences, uniform among those, shape (n, width)."""
    found = np.zeros((0, len(SLOTS)), dtype=np.int64)
    while len(found) < n:
        chosen = rng.integers(WIDTHS, size=(4 * n, len(SLOTS)))
        found = np.concatenate([found, chosen[grammatical(chosen)]])
    return one_hot(found[:n])


class SentenceDecoder(PcaDecoder):
    """Principal components of sentences; decoding finds the words that fit the components best.

    Args:
        X: Sentences, shape (n, width).
        n_latent: Components.
        fluent: Whether neighbouring words must have stood side by side in a sentence of X (the best
            path is found by dynamic programming); otherwise each slot takes its largest word.
    """

    reach = REACH

    def __init__(self, X: Floats, n_latent: int = 20, *, fluent: bool = True) -> None:
        super().__init__(X, n_latent)
        parts = [X[:, a : a + w] for a, w in zip(STARTS, WIDTHS, strict=True)]
        self.barred = [np.where(left.T @ right > 0, 0.0, np.inf if fluent else 0.0)
                       for left, right in pairwise(parts)]  # fmt: skip

    def decode(self, Z: Floats) -> Floats:
        """Return sentences, grammatical or not, shape (n, width)."""
        values = super().decode(Z)
        parts = [values[:, a : a + w] for a, w in zip(STARTS, WIDTHS, strict=True)]
        best, back = parts[0], []
        for barred, here in zip(self.barred, parts[1:], strict=True):
            paths = best[:, :, None] - barred
            back.append(paths.argmax(axis=1))
            best = paths.max(axis=1) + here
        chosen = [best.argmax(axis=1)]
        for before in reversed(back):
            chosen.append(before[np.arange(len(Z)), chosen[-1]])
        return one_hot(np.stack(chosen[::-1], axis=1))
