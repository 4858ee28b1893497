"""A score beside the utility of an earlier policy."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("torch")

from agents.imitation.config import IMITATION_PRESETS
from agents.imitation.export import Fitted, export_policy
from agents.imitation.learner import ImitationLearner
from agents.imitation.networks import scorer_network
from agents.imitation.targets import Standard
from lal import load_policy
from lal.errors import UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES

EARLIER = "lookahead-2026-11-22-b"
CONFIG = replace(
    IMITATION_PRESETS["smoke"],
    beside=EARLIER,
    beside_weight=0.5,
    candidate_features=("herding@1", *reversed(DEFAULT_CANDIDATE_FEATURES)),
)


def exported(config):
    inputs = 16 + len(config.candidate_features)
    networks = [scorer_network(inputs, config, i) for i in range(2)]
    standard = Standard(np.zeros(inputs), np.ones(inputs))
    return export_policy(Fitted(networks, standard, 2.0), config, name="x", card={"summary": "x"})


def test_utilities_are_the_earlier_ones_plus_the_weighted_score():
    sums, alone, earlier = (
        exported(CONFIG),
        exported(replace(CONFIG, beside="")),
        load_policy(EARLIER),
    )
    rng = np.random.default_rng(0)
    rows, context = rng.random((9, 26)), rng.random(16)
    columns = [CONFIG.candidate_features.index(f) for f in earlier.candidate_features]
    expected = earlier.scorer.run({"candidates": rows[:, columns], "context": context})
    score = alone.scorer.run({"candidates": rows, "context": context})
    found = sums.scorer.run({"candidates": rows, "context": context})
    np.testing.assert_allclose(found, expected + 0.5 * score / 2.0, atol=1e-5)
    assert score.std() > 1e-3


def test_what_cannot_stand_beside_is_refused_before_work():
    missing = tuple(f for f in DEFAULT_CANDIDATE_FEATURES if f != "margin@1")
    with pytest.raises(UsageError, match=r"beside '.*-b' reads margin@1, .* does not compute"):
        exported(replace(CONFIG, candidate_features=missing))
    with pytest.raises(UsageError, match="beside 'lal-independent' reads lal_forest@1"):
        ImitationLearner(replace(CONFIG, beside="lal-independent"))
    with pytest.raises(UsageError, match="set margin_prior to 0"):
        replace(CONFIG, margin_prior=0.7)
