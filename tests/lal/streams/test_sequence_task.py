import gzip
import json

import numpy as np
import pytest

from lal.errors import DataError
from lal.rng import generator
from lal.streams.sentences import TAGS, Language, Sentence, read_sentences, shape

pytest.importorskip("pycrfsuite")
from lal.learners.crf import CRFTagger, token_features
from lal.streams.loop import run_stream
from lal.streams.sequence_task import CONTENT_WIDTH, MadeUpLanguages, SentenceWorld, real_world
from lal.streams.strategies import STREAM_STRATEGIES


def test_languages_share_grammar_but_no_words():
    one, two = (Language(generator(s)).sentences(300) for s in (0, 1))
    words = [{w.lower() for s in found for w in s.tokens} for found in (one, two)]
    assert len(words[0] & words[1]) < 0.05 * len(words[0])
    for found in (one, two):
        assert {t for s in found for t in s.tags} == set(TAGS)
        assert 0.1 < np.mean([s.noisy for s in found]) < 0.3
    plain = [s for s in one if not s.noisy]
    for sentence in plain:
        for left, right in zip(("O", *sentence.tags), sentence.tags, strict=False):
            assert not right.startswith("I-") or left[2:] == right[2:]


def test_shape_by_hand():
    np.testing.assert_allclose(
        shape(["The", "UN", "met", "4x", "."]), [0.4, 0.2, 0.2, 0.2, 0.22, np.log(5) / 3]
    )


def test_crf_learns_and_its_marginals_add_up():
    sentences = [s for s in Language(generator(2)).sentences(150) if not s.noisy]
    tagger = CRFTagger(TAGS)
    features = [token_features(s.tokens) for s in sentences]
    proba, confidence = tagger.proba(features[0])
    np.testing.assert_allclose(proba, 1 / len(TAGS))
    assert confidence == pytest.approx(1 / len(TAGS))
    tagger.fit(features, [s.tags for s in sentences])
    right = np.mean(
        [tagger.tag(f) == list(s.tags) for f, s in zip(features, sentences, strict=True)]
    )
    assert right > 0.9
    proba, confidence = tagger.proba(features[0])
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-6)
    assert 0 < confidence <= 1


def test_quality_is_token_f1_without_o():
    """Trained on one sentence and scored on it and on an unknown one: hand-counted."""
    known = Sentence(("zu", "Ann", "Bea"), ("O", "B-PER", "I-PER"))
    world = SentenceWorld([known] * 3, [known, Sentence(("x", "y"), ("O", "O"), noisy=True)])
    assert world.quality(0) == 0.0
    for t in range(3):
        world.learn(t)
    assert world.quality(2) == 1.0


def test_novelty_falls_with_labels():
    world = MadeUpLanguages(n=20, n_scored=5)(generator(0))
    before = world.item(0)
    world.learn(0)
    after = world.item(0)
    assert before.content is not None
    assert after.content is not None
    assert before.content.shape == (CONTENT_WIDTH,)
    assert before.content[-2] == 1.0
    assert after.content[-2] == 0.0
    assert before.cost == len(world.stream[0].tokens) / 10


def test_streams_of_sentences_play():
    world = MadeUpLanguages(n=30, n_scored=20)(generator(0))
    played = run_stream(STREAM_STRATEGIES["random"](0), world, budget=0.3, points=3)
    total = 0.3 * world.costs.sum()
    assert total - world.costs.max() < played.spent <= total + 1e-9
    assert played.curve.shape == (3,)


def test_files_and_real_streams(tmp_path):
    path = tmp_path / "s.jsonl.gz"
    made = Language(generator(0)).sentences(40)
    with gzip.open(path, "wt") as file:
        for s in made:
            file.write(json.dumps({"tokens": s.tokens, "tags": s.tags}) + "\n")
    sentences = read_sentences(path)
    assert [s.tokens for s in sentences] == [s.tokens for s in made]
    world = real_world(sentences, generator(0), n=20, n_scored=20)
    assert len(world.stream) == 20
    assert world.model.tags[0] == "O"
    path.write_text("no gzip")
    with pytest.raises(DataError, match="cannot be read as sentences"):
        read_sentences(path)
