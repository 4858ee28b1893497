"""Pools of sentences: a score asks for the tags of whole sentences, which cost by the token.

The scores of `SEQUENCE_SCORES` are those of Settles & Craven (2008), "An analysis of active
learning strategies for sequence labeling tasks"::

    world = SentenceWorld(sentences, scored)
    curve = run_sequences("information_density", world, tokens=400, seed=0)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lal.arrays import Floats, Ints
from lal.curve import Curve
from lal.errors import UsageError
from lal.learners.crf import CRFTagger
from lal.registry import Registry
from lal.rng import Streams
from lal.strategies import sequence_scores as scores
from lal.strategies.selection import select_top
from lal.streams.sequence_task import SentenceWorld

N_BEST = 5
"""Taggings that n-best entropy and the gradient's length are taken over."""


@dataclass(frozen=True, eq=False)
class SequenceState:
    """What a score may look at.

    Attributes:
        tokens: The words of each sentence.
        features: The features of each token of each sentence, by name.
        model: The CRF fitted to the sentences with tags.
        labelled: Sentences with tags, shape (L,).
    """

    tokens: Sequence[Sequence[str]]
    features: Sequence[list[list[str]]]
    model: CRFTagger
    labelled: Ints

    @property
    def N(self) -> int:
        """Number of sentences."""
        return len(self.tokens)

    @cached_property
    def open(self) -> Ints:
        """Sentences without tags, shape (N - L,)."""
        return np.setdiff1d(np.arange(self.N), self.labelled)

    @cached_property
    def lengths(self) -> Ints:
        """Tokens of each sentence, shape (N,)."""
        return np.array([len(words) for words in self.tokens])

    @cached_property
    def words(self) -> Floats:
        """Counts of the words of each sentence, shape (N, V)."""
        low = [[w.lower() for w in words] for words in self.tokens]
        place = {word: i for i, word in enumerate(sorted({w for words in low for w in words}))}
        counts = np.zeros((self.N, len(place)))
        for row, words in enumerate(low):
            np.add.at(counts[row], [place[word] for word in words], 1.0)
        return counts

    def each(self, score: Callable[[Floats, Floats], float]) -> Floats:
        """Return the score of each open sentence's chain, shape (N,); 0 for labelled ones."""
        found = np.zeros(self.N)
        for row in self.open:
            found[row] = score(*self.model.chain(self.features[row]))
        return found


Score = Callable[[SequenceState, np.random.Generator], Floats]
"""State and generator to the utility of every sentence, shape (N,)."""

SEQUENCE_SCORES: Registry[Score] = Registry("score of sentences")


@SEQUENCE_SCORES.register("random")
def random(state: SequenceState, rng: np.random.Generator) -> Floats:
    """Uniformly random."""
    return rng.random(state.N)


@SEQUENCE_SCORES.register("longest")
def longest(state: SequenceState, rng: np.random.Generator) -> Floats:
    """The number of tokens, to compare sums over tokens with."""
    return state.lengths.astype(np.float64)


@SEQUENCE_SCORES.register("least_confident")
def least_confident(state: SequenceState, rng: np.random.Generator) -> Floats:
    """One minus the probability of the likeliest tagging (their equation 1)."""
    return state.each(scores.least_confident_sequence)


@SEQUENCE_SCORES.register("token_entropy")
def token_entropy(state: SequenceState, rng: np.random.Generator) -> Floats:
    """The mean entropy of the tokens (their equation 3)."""
    return state.each(scores.total_token_entropy) / state.lengths


@SEQUENCE_SCORES.register("total_token_entropy")
def total_token_entropy(state: SequenceState, rng: np.random.Generator) -> Floats:
    """The sum of the entropies of the tokens."""
    return state.each(scores.total_token_entropy)


@SEQUENCE_SCORES.register("sequence_entropy")
def sequence_entropy(state: SequenceState, rng: np.random.Generator) -> Floats:
    """The entropy of the whole tagging, exactly."""
    return state.each(scores.sequence_entropy)


@SEQUENCE_SCORES.register("n_best_entropy")
def n_best_entropy(state: SequenceState, rng: np.random.Generator) -> Floats:
    """The entropy over the likeliest taggings (their equation 4)."""
    return state.each(lambda emission, links: scores.n_best_entropy(emission, links, N_BEST))


@SEQUENCE_SCORES.register("expected_gradient_length")
def expected_gradient_length(state: SequenceState, rng: np.random.Generator) -> Floats:
    """The expected length of the gradient over the likeliest taggings (their equation 8)."""
    found = np.zeros(state.N)
    for row in state.open:
        names = state.features[row]
        place = {name: i for i, name in enumerate(sorted({n for some in names for n in some}))}
        vectors = np.zeros((len(names), len(place)))
        for t, some in enumerate(names):
            vectors[t, [place[name] for name in some]] = 1.0
        chain = state.model.chain(names)
        found[row] = scores.expected_gradient_length(*chain, vectors, N_BEST)
    return found


@SEQUENCE_SCORES.register("information_density")
def information_density(state: SequenceState, rng: np.random.Generator) -> Floats:
    """Sequence entropy times the mean similarity of the words to all sentences (equation 9)."""
    return scores.information_density(sequence_entropy(state, rng), state.words)


def look(world: SentenceWorld, labelled: Ints) -> SequenceState:
    """Return what a score may look at: everything but tags.

    Args:
        world: Sentences, and the CRF fitted to those with tags.
        labelled: Sentences with tags, shape (L,).
    """
    tokens = [sentence.tokens for sentence in world.stream]
    features = [world.features(row) for row in range(len(tokens))]
    return SequenceState(tokens, features, world.model, labelled)


def run_sequences(
    score: str | Score,
    world: SentenceWorld,
    *,
    tokens: int,
    start: int = 3,
    batch_size: int = 5,
    by_token: bool = False,
    seed: int = 0,
) -> Curve:
    """Acquire the tags of sentences until so many tokens are paid, and return F1 by tokens.

    The curve's `n_labels` counts tokens, its `n_start` sentences.

    Args:
        score: A name in `SEQUENCE_SCORES`, or a function.
        world: Sentences, none of which has tags yet.
        tokens: What may be paid, the start included; the last batch may go over it.
        start: Random sentences that are tagged first.
        batch_size: Sentences between fits.
        by_token: Rank by the score over the tokens that it costs.
        seed: Of start, draws and ties.

    Raises:
        UsageError: A start that is not a part of the pool, or a world that has tags already.
    """
    rank, streams, n = SEQUENCE_SCORES[score] if isinstance(score, str) else score, Streams(seed), 0
    if not 1 <= start < len(world.stream):
        raise UsageError(f"start must be from 1 to {len(world.stream) - 1}, got {start}")
    if world.n_labelled:
        raise UsageError(
            f"{world.n_labelled} sentences of this world have tags already; make a SentenceWorld "
            "for every run"
        )
    chosen = streams["start"].permutation(len(world.stream))[:start]
    labelled, paid, quality = np.zeros(0, dtype=np.int64), list[int](), list[float]()
    while len(chosen):
        world.learn(*chosen.tolist())
        labelled = np.append(labelled, chosen)
        state = look(world, labelled)
        n = int(state.lengths[labelled].sum())
        paid.append(n)
        quality.append(world.quality(0))
        if n >= tokens or not len(state.open):
            break
        utilities = rank(state, streams["strategy"])
        utilities = utilities / state.lengths if by_token else utilities
        size = min(batch_size, len(state.open))
        chosen = select_top(utilities, state.open, streams["ties"], size)
    metrics: Mapping[str, Floats] = {"f1": np.array(quality)}
    return Curve(np.array(paid), metrics, labelled, start)
