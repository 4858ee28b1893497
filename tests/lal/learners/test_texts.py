"""Learners of texts: hashed n-grams, anyone's encoder, and what the model behind them can do."""

from typing import Any

import numpy as np
import pytest

from lal.checks import check_learner
from lal.data.view import make_geometry
from lal.errors import UsageError
from lal.learners import make_learner
from lal.learners.texts import HASHED, TextLearner, as_texts, hashed_ngrams
from lal.state import QueryState
from lal.strategies.base import make_strategy, select

GOOD, BAD = ("a fine film", "very fine", "what a lovely film"), ("dull", "a dull mess", "a mess")
TEXTS = np.array([*GOOD, *BAD, "fine and lovely", "dull, a mess"], dtype=object)[:, None]
LABELS = np.array([0, 0, 0, 1, 1, 1])


def test_ngrams_by_hand():
    rows = hashed_ngrams(["red red fish", "red fish", ""])
    assert rows.shape == (3, HASHED)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1.0, 1.0, 0.0])
    # words: 2 red, 1 fish; pairs: red red, red fish -> 2 + 1 + 1 + 1
    values = np.sort(rows[0][rows[0] > 0])
    np.testing.assert_allclose(values, np.sqrt([1, 1, 1, 2]) / np.sqrt(5))
    assert (rows[0] > 0)[rows[1] > 0].all()


def test_columns_are_joined():
    assert as_texts(np.array([["a", 3], ["b", None]], dtype=object)) == ["a 3", "b None"]
    assert as_texts(np.array(["a b", "c"], dtype=object)) == ["a b", "c"]


def test_a_learner_of_texts_keeps_the_contract_and_learns():
    learner = TextLearner(make_learner("logistic_regression"))
    check_learner(learner)
    model = learner.fit(TEXTS[:6], LABELS, n_classes=2)
    assert model.predict(TEXTS[6:]).tolist() == [0, 1]


def test_an_encoder_of_ones_own():
    asked: list[list[str]] = []

    def encode(texts):
        asked.append(list(texts))
        return [[len(text), text.count("d")] for text in texts]

    model: Any = TextLearner(make_learner("logistic_regression"), encode).fit(
        TEXTS[:6], LABELS, n_classes=2
    )
    assert asked[0] == [*GOOD, *BAD]
    np.testing.assert_allclose(model.embed(TEXTS[3:5]), [[4, 1], [11, 1]])
    again = model.head_proba(model.embed(TEXTS))
    np.testing.assert_allclose(again, model.predict_proba(TEXTS))
    assert model.sample_proba(TEXTS, 3, np.random.default_rng(0)).shape == (3, 8, 2)
    assert model.diary is None
    with pytest.raises(UsageError, match=r"gave shape \(3,\) for 8 texts; expected one row"):
        TextLearner(make_learner("knn"), lambda texts: [1.0, 2.0, 3.0]).rows(TEXTS)


def test_strategies_run_on_texts():
    learner = TextLearner(make_learner("logistic_regression"))
    model = learner.fit(TEXTS[:4], LABELS[:4], n_classes=2)
    state = QueryState(
        X=TEXTS, geometry=make_geometry(TEXTS), labelled=np.arange(4), labels=LABELS[:4],
        n_classes=2, classes_known=True, proba=model.predict_proba(TEXTS), model=model,
        learner=learner,
    )  # fmt: skip
    for name in ("badge", "expected_gradient_length", "mval"):
        rows = select(
            make_strategy(name), state, np.random.default_rng(0), np.random.default_rng(1), 2
        )
        assert set(rows) <= {4, 5, 6, 7}


def test_text_bow_is_a_network_on_ngrams():
    pytest.importorskip("torch")
    model: Any = make_learner("text_bow").fit(TEXTS[:6], LABELS, n_classes=2)
    assert model.predict(TEXTS[6:]).tolist() == [0, 1]
    assert model.diary.correct.shape[1] == 6
    assert model.gradient_embedding(TEXTS).shape == (8, 2 * 64)
