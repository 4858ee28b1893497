"""Streams of sentences with a linear-chain CRF; cost is paid by the token."""

from collections.abc import Sequence

import numpy as np

from lal.arrays import Floats
from lal.learners.crf import CRFTagger, token_features
from lal.streams.features import StreamItem
from lal.streams.sentences import TAGS, Language, Sentence, shape

USUAL_LENGTH = 10.0
"""Tokens whose labels cost 1."""

CONTENT_WIDTH = 8
"""Numbers of a sentence's content: its shape, the share of its tokens that were never labelled, and
the share of capitalised ones among those."""


class SentenceWorld:
    """A stream of sentences and a CRF that is trained anew after every label.

    Args:
        stream: Sentences in the order of their arrival.
        scored: Sentences that `quality` is measured on; noisy ones are left out.
        tags: All tags.
    """

    def __init__(
        self, stream: Sequence[Sentence], scored: Sequence[Sentence], *, tags: Sequence[str] = TAGS
    ) -> None:
        self.stream = stream
        self.costs: Floats = np.array([len(s.tokens) for s in stream]) / USUAL_LENGTH
        self.model = CRFTagger(tags)
        self._features = [token_features(s.tokens) for s in stream]
        self._scored = [s for s in scored if not s.noisy]
        self._scored_features = [token_features(s.tokens) for s in self._scored]
        self._labelled: list[int] = []
        self._vocabulary: set[str] = set()
        self._quality: float | None = None

    @property
    def n_labelled(self) -> int:
        """Sentences that it was trained on."""
        return len(self._labelled)

    def item(self, t: int) -> StreamItem:
        """Return marginals, confidence, cost and content of sentence t."""
        tokens = self.stream[t].tokens
        proba, confidence = self.model.proba(self._features[t])
        new = [w for w in tokens if w.lower() not in self._vocabulary]
        novelty = [len(new) / len(tokens), sum(w[:1].isupper() for w in new) / len(tokens)]
        content = np.array([*shape(tokens), *novelty])
        return StreamItem(proba, float(self.costs[t]), confidence, content)

    def wrong(self, t: int) -> float:
        """Return the share of tokens tagged wrongly."""
        found = self.model.tag(self._features[t])
        return float(np.mean([a != b for a, b in zip(found, self.stream[t].tags, strict=True)]))

    def learn(self, *more: int) -> None:
        """Train on all labelled sentences and these."""
        for t in more:
            self._labelled.append(t)
            self._vocabulary.update(w.lower() for w in self.stream[t].tokens)
        rows = self._labelled
        self.model.fit([self._features[i] for i in rows], [self.stream[i].tags for i in rows])
        self._quality = None

    def label(self, t: int) -> None:
        """Return None: a sentence has a tag a token, not one class."""

    def features(self, t: int) -> list[list[str]]:
        """Return the features of the tokens of sentence t."""
        return self._features[t]

    def quality(self, t: int) -> float:
        """Return F1 over tokens that are no O, edges merged, on the scored sentences."""
        if self._quality is None:
            self._quality = self._f1()
        return self._quality

    def _f1(self) -> float:
        right = told = there = 0
        for sentence, features in zip(self._scored, self._scored_features, strict=True):
            found = [tag[2:] for tag in self.model.tag(features)]
            true = [tag[2:] for tag in sentence.tags]
            right += sum(a == b != "" for a, b in zip(found, true, strict=True))
            told += sum(a != "" for a in found)
            there += sum(b != "" for b in true)
        return 2.0 * right / (told + there) if told + there else 0.0


class MadeUpLanguages:
    """Streams of the made-up languages, a new language for every episode.

    Args:
        n: Sentences of a stream.
        n_scored: Sentences that the model is measured on.
    """

    def __init__(self, n: int = 120, n_scored: int = 60) -> None:
        self.n, self.n_scored = n, n_scored

    def __call__(self, rng: np.random.Generator) -> SentenceWorld:
        """Return the stream of a new language."""
        language = Language(rng)
        return SentenceWorld(language.sentences(self.n), language.sentences(self.n_scored))


def real_world(
    sentences: Sequence[Sentence], rng: np.random.Generator, *, n: int = 200, n_scored: int = 200
) -> SentenceWorld:
    """Return a stream drawn from a corpus; the scored sentences are others."""
    rows = rng.permutation(len(sentences))[: n + n_scored]
    drawn = [sentences[i] for i in rows]
    tags = sorted({tag for s in sentences for tag in s.tags}, key=lambda tag: (tag != "O", tag))
    return SentenceWorld(drawn[:n], drawn[n:], tags=tags)
