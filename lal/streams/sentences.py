"""Sentences with tags: made-up languages that share a grammar, and files of sentences."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lal.errors import DataError

TYPES = ("PER", "LOC", "ORG")
TAGS = ("O", *(f"{edge}-{kind}" for kind in TYPES for edge in "BI"))
"""Tags of the made-up languages."""


@dataclass(frozen=True)
class Sentence:
    """Tokens and one BIO tag for each; `noisy` ones have no right tags and are never scored."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    noisy: bool = False


class Language:
    """A language of the family: its own words, the grammar of all.

    Four sentences in ten hold no entity. As many hold one or two: a cue word of the type, then a
    name of one or two words, capitalised nine times in ten, from a long list. The others are
    lists of codes whose tags are arbitrary: a model is never sure of them and never learns them.

    Args:
        rng: Draws the words and, later, the sentences.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._plain = self._words(120)
        self._cues = {kind: self._words(5) for kind in TYPES}
        self._names = {kind: [w.capitalize() for w in self._words(150)] for kind in TYPES}

    def sentences(self, n: int) -> list[Sentence]:
        """Return n sentences."""
        return [self._sentence() for _ in range(n)]

    def _words(self, n: int) -> list[str]:
        letters = self._rng.permutation(list("abcdefghijklmnoprstuvz"))[:12]
        lengths = self._rng.integers(3, 9, n)
        return ["".join(self._rng.choice(letters, k)) for k in lengths]

    def _pick(self, words: Sequence[str]) -> str:
        return words[int(self._rng.integers(len(words)))]

    def _sentence(self) -> Sentence:
        kind = self._rng.random()
        if kind < 0.2:
            return self._codes()
        filler = int(self._rng.integers(3, 9))
        words = [(self._pick(self._plain), "O") for _ in range(filler)]
        words[0] = (words[0][0].capitalize(), "O")
        if kind < 0.6:
            for _ in range(int(self._rng.integers(1, 3))):
                at = int(self._rng.integers(1, len(words) + 1))
                while at < len(words) and words[at][1].startswith("I"):
                    at += 1
                words[at:at] = self._entity()
        return Sentence(tuple(w for w, _ in words), tuple(tag for _, tag in words))

    def _entity(self) -> list[tuple[str, str]]:
        kind = TYPES[int(self._rng.integers(len(TYPES)))]
        found = [(self._pick(self._cues[kind]), "O"), (self._name(kind), f"B-{kind}")]
        if self._rng.random() < 0.4:
            found.append((self._name(kind), f"I-{kind}"))
        return found

    def _name(self, kind: str) -> str:
        name = self._pick(self._names[kind])
        return name if self._rng.random() < 0.9 else name.lower()

    def _codes(self) -> Sentence:
        n = int(self._rng.integers(6, 14))
        letters = [w[:3].capitalize() for w in self._plain]
        tokens = [f"{self._pick(letters)}{self._rng.integers(1000)}" for _ in range(n)]
        tags = ["O" if self._rng.random() < 0.5 else f"B-{self._pick(TYPES)}" for _ in range(n)]
        return Sentence(tuple(tokens), tuple(tags), noisy=True)


def read_sentences(path: str | Path) -> list[Sentence]:
    """Return the sentences of a gzipped file of JSON lines with "tokens" and "tags".

    Raises:
        DataError: The file is missing or holds something else.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found = [json.loads(line) for line in lines]
        sentences = [Sentence(tuple(s["tokens"]), tuple(s["tags"])) for s in found]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read as sentences ({error})") from error
    return [s for s in sentences if s.tokens]


def shape(tokens: Sequence[str]) -> list[float]:
    """Return six numbers that mean the same in every language that has capitals.

    Shares of capitalised, all-capital, digit-bearing and wordless tokens, mean length over 10, and
    the logarithm of the number of tokens over 3.
    """
    n = len(tokens)
    return [
        sum(t[:1].isupper() for t in tokens) / n,
        sum(t.isupper() and len(t) > 1 for t in tokens) / n,
        sum(any(c.isdigit() for c in t) for t in tokens) / n,
        sum(not any(c.isalnum() for c in t) for t in tokens) / n,
        min(sum(map(len, tokens)) / n / 10.0, 2.0),
        float(np.log(n)) / 3.0,
    ]
