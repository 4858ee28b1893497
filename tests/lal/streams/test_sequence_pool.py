"""Pools of sentences: chains of a CRF, scores, and what is paid."""

import pickle

import numpy as np
import pytest

from lal.errors import UnknownNameError, UsageError
from lal.strategies.sequence_scores import chain_marginals, sequence_entropy
from lal.streams.sentences import Language
from lal.streams.sequence_pool import SEQUENCE_SCORES, look, run_sequences
from lal.streams.sequence_task import SentenceWorld

pytest.importorskip("pycrfsuite")


def world(seed=0, n=24):
    language = Language(np.random.default_rng(seed))
    made = SentenceWorld(language.sentences(n), language.sentences(10))
    made.learn(0, 1, 2, 3, 4, 5)
    return made


def test_a_chain_has_the_marginals_of_the_tagger():
    made = world()
    for model in (made.model, pickle.loads(pickle.dumps(made.model))):
        for t in (7, 8, 9):
            emission, transition = model.chain(made.features(t))
            proba, _ = model.proba(made.features(t))
            known = [model.tags.index(tag) for tag in model._known]
            found = chain_marginals(emission, transition).tokens
            np.testing.assert_allclose(found, proba[:, known], atol=1e-4)
    before = made.model.chain(made.features(7))[0]
    made.learn(6, 7)
    assert not np.array_equal(made.model.chain(made.features(7))[0], before)


def test_before_a_fit_all_taggings_are_alike():
    fresh = SentenceWorld(Language(np.random.default_rng(0)).sentences(3), [])
    emission, transition = fresh.model.chain(fresh.features(0))
    assert sequence_entropy(emission, transition) == pytest.approx(len(emission) * np.log(7))


@pytest.mark.parametrize("name", SEQUENCE_SCORES.names())
def test_every_score_ranks_open_sentences_and_repeats_itself(name):
    state = look(world(), np.arange(6))
    first, second = (SEQUENCE_SCORES[name](state, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (24,)
    assert np.isfinite(first).all()
    assert np.ptp(first[state.open]) > 0


def test_scores_of_tokens_are_sums_or_means():
    state, rng = look(world(), np.arange(6)), np.random.default_rng(0)
    total, mean = (SEQUENCE_SCORES[n](state, rng) for n in ("total_token_entropy", "token_entropy"))
    np.testing.assert_allclose(total, mean * state.lengths)
    whole = SEQUENCE_SCORES["sequence_entropy"](state, rng)
    assert (whole <= total + 1e-9).all()  # tokens share what they tell


def test_a_run_pays_by_the_token_and_stops_at_its_budget():
    language = Language(np.random.default_rng(0))
    pool, scored = language.sentences(30), language.sentences(10)
    curves = [
        run_sequences("least_confident", SentenceWorld(pool, scored), tokens=80, seed=0,
                      by_token=by_token)
        for by_token in (False, True)
    ]  # fmt: skip
    lengths = np.array([len(s.tokens) for s in pool])
    for curve in curves:
        assert lengths[curve.queried].sum() == curve.n_labels[-1]
        assert curve.n_labels[-2] < 80 <= curve.n_labels[-1]
        assert curve.n_start == 3
        assert ((curve.metrics["f1"] >= 0) & (curve.metrics["f1"] <= 1)).all()
    np.testing.assert_array_equal(curves[0].queried[:3], curves[1].queried[:3])


def test_wrong_use_is_refused():
    made = SentenceWorld(Language(np.random.default_rng(0)).sentences(4), [])
    with pytest.raises(UsageError, match="start must be from 1 to 3, got 4"):
        run_sequences("random", made, tokens=10, start=4)
    with pytest.raises(UnknownNameError, match="did you mean 'token_entropy'"):
        run_sequences("token_entrpy", made, tokens=10)


def test_a_world_that_has_tags_already_is_refused():
    made = SentenceWorld(Language(np.random.default_rng(0)).sentences(6), [])
    run_sequences("random", made, tokens=1, start=2)
    with pytest.raises(UsageError, match="2 sentences of this world have tags already"):
        run_sequences("random", made, tokens=10, start=2)


def test_a_score_is_shown_no_tags():
    """No attribute of the state leads to sentences, which carry their tags."""
    state = look(world(), np.arange(2))
    for value in vars(state).values():
        assert not isinstance(value, SentenceWorld)
        for one in value if isinstance(value, list) else [value]:
            assert not hasattr(one, "tags") or one is state.model  # the names of all tags
