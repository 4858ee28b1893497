"""A linear-chain CRF over tokens: python-crfsuite's trainer and tagger."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lal.arrays import Floats
from lal.registry import require

EXTRA = "sequences"


def token_features(tokens: Sequence[str]) -> list[list[str]]:
    """Return the features of every token: itself, its shape and its neighbours."""
    low = ["<s>", *(t.lower() for t in tokens), "</s>"]
    found = []
    for i, token in enumerate(tokens, start=1):
        found.append(
            [
                "bias",
                f"w={low[i]}",
                f"-1={low[i - 1]}",
                f"+1={low[i + 1]}",
                f"suffix={low[i][-3:]}",
                f"capital={token[:1].isupper()}",
                f"first={i == 1}",
                f"digit={any(c.isdigit() for c in token)}",
            ]
        )
    return found


class CRFTagger:
    """A CRF, trained from scratch at every fit with L-BFGS.

    The settings are those of PAL's published code (c1 = 1, c2 = 0.001, 50 iterations), but for a
    weaker c1 that lets it learn from a handful of sentences.

    Args:
        tags: All tags, in the order of the probabilities' columns.
        iterations: Of L-BFGS.
    """

    def __init__(self, tags: Sequence[str], *, iterations: int = 30) -> None:
        self._library = require("pycrfsuite", EXTRA)
        self.tags, self._iterations = tuple(tags), iterations
        self._column = {tag: i for i, tag in enumerate(self.tags)}
        self._tagger: Any = None
        self._model = b""
        self._known: list[str] = []
        self._weights: tuple[dict[str, Floats], Floats] | None = None

    def fit(
        self, features: Sequence[Sequence[Sequence[str]]], tags: Sequence[Sequence[str]]
    ) -> None:
        """Learn from sentences."""
        trainer = self._library.Trainer(verbose=False)
        trainer.set_params(
            {
                "c1": 0.05,
                "c2": 1e-3,
                "max_iterations": self._iterations,
                "feature.possible_transitions": True,
            }
        )
        for sentence, labels in zip(features, tags, strict=True):
            trainer.append(sentence, list(labels))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            trainer.train(str(path))
            self._open(path.read_bytes())

    def _open(self, model: bytes) -> None:
        tagger = self._library.Tagger()
        tagger.open_inmemory(model)
        # the library keeps a bare pointer into these bytes: they must outlive the tagger
        self._tagger = None
        self._model = model
        self._tagger, self._known = tagger, tagger.labels()
        self._weights = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the settings and the model; the library's own objects cannot be copied."""
        return {**self.__dict__, "_library": None, "_tagger": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up the settings and open the model, if there is one."""
        self.__dict__.update(state, _library=require("pycrfsuite", EXTRA))
        if self._model:
            self._open(self._model)

    def tag(self, features: Sequence[Sequence[str]]) -> list[str]:
        """Return the best tags; all the first tag before a fit."""
        if self._tagger is None:
            return [self.tags[0]] * len(features)
        best: list[str] = self._tagger.tag(features)
        return best

    def chain(self, features: Sequence[Sequence[str]]) -> tuple[Floats, Floats]:
        """Return a sentence's emissions (T, K) and the transitions (K, K), over the K tags seen.

        The score of a tagging is the sum of both; see `lal.strategies.sequence_scores`. Before a
        fit all tags are equally likely.
        """
        if self._tagger is None:
            n_tags = len(self.tags)
            return np.zeros((len(features), n_tags)), np.zeros((n_tags, n_tags))
        if self._weights is None:
            self._weights = self._read_weights()
        by_name, transition = self._weights
        emission = np.zeros((len(features), len(self._known)))
        for t, names in enumerate(features):
            for name in names:
                emission[t] += by_name.get(name, 0.0)
        return emission, transition

    def _read_weights(self) -> tuple[dict[str, Floats], Floats]:
        """Return the weights of each feature, shape (K,), and of the transitions, (K, K)."""
        place = {tag: i for i, tag in enumerate(self._known)}
        parsed = self._tagger.info()
        by_name: dict[str, Floats] = {}
        for (name, tag), weight in parsed.state_features.items():
            by_name.setdefault(name, np.zeros(len(place)))[place[tag]] = weight
        transition = np.zeros((len(place), len(place)))
        for (before, after), weight in parsed.transitions.items():
            transition[place[before], place[after]] = weight
        return by_name, transition

    def proba(self, features: Sequence[Sequence[str]]) -> tuple[Floats, float]:
        """Return marginals (T, C) and the T-th root of the best tagging's probability.

        Before a fit all tags are equally likely.
        """
        n, n_tags = len(features), len(self.tags)
        if self._tagger is None:
            return np.full((n, n_tags), 1.0 / n_tags), 1.0 / n_tags
        best = self._tagger.tag(features)
        confidence = float(self._tagger.probability(best)) ** (1.0 / n)
        proba = np.zeros((n, n_tags))
        for tag in self._known:
            column = self._column[tag]
            for t in range(n):
                proba[t, column] = self._tagger.marginal(tag, t)
        return proba, min(confidence, 1.0)
