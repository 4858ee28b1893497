"""A second stage: states of shortlists, hidden features, and a program equal to torch."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("torch")

from agents import AGENTS
from agents.imitation.config import SMOKE
from agents.imitation.fit import batchable, mean_scores
from agents.imitation.refine import (
    fit_second,
    score_shortlists,
    shortlist_states,
    two_stages,
    untrained,
)
from lal.checks.states import sample_state
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.policies.two_stage_policy import FIRST, TwoStagePolicy

CONFIG = replace(SMOKE, block_tasks=6, n_epochs=1)


@pytest.fixture(scope="module")
def made():
    policy = untrained(load_as(PoolPolicy, "default"), 6)
    return policy, shortlist_states(CONFIG, 0, policy, offered=12)


def test_the_untrained_second_stage_keeps_the_order(made):
    policy, state = made[0], sample_state()
    first = load_as(PoolPolicy, "default").utilities(state)[state.open]
    best = np.argsort(-first)[:6]
    after = policy.utilities(state)[state.open]
    assert np.argsort(-after)[:6].tolist() == best.tolist()


def test_states_hold_shortlists_best_first(made):
    policy, states = made
    assert states.candidates.shape[1:] == (6, len(policy.columns))
    assert states.gains.shape == (len(states.mask), 6, 2)
    assert set(states.n_labelled) <= set(CONFIG.sizes)
    first = states.candidates[:, :, list(policy.columns).index(FIRST)]
    assert (np.diff(first, axis=1)[states.mask[:, 1:]] <= 1e-6).all()
    assert np.abs(states.gains).max() > 0.0
    changes = states.candidates[:, :, list(policy.columns).index("what_if_change@1")]
    assert changes.max() > 0.0


def test_what_was_fitted_is_the_second_program(made, tmp_path):
    policy, states = made
    found = fit_second(states, CONFIG, policy)
    trained = two_stages(policy, found, name="two", card={"summary": "two stages"})
    wanted = mean_scores(found.networks, batchable(states, found.standard, CONFIG)).numpy()
    scores = score_shortlists(trained, states)
    np.testing.assert_allclose(scores[states.mask], wanted[states.mask], atol=1e-4)
    trained.save(tmp_path / "two.safetensors")
    loaded = load_as(TwoStagePolicy, tmp_path / "two.safetensors")
    state = sample_state()
    assert np.array_equal(loaded.utilities(state), trained.utilities(state))


def test_hidden_features_change_nothing(made):
    policy, states = made
    found = fit_second(states, CONFIG, policy, without=policy.refine_features)
    blind = two_stages(policy, found, name="blind", card={})
    other = states.candidates.copy()
    other[:, :, np.isin(policy.columns, policy.refine_features)] += 0.3
    moved = score_shortlists(blind, replace(states, candidates=other))
    np.testing.assert_allclose(moved, score_shortlists(blind, states), atol=1e-6)
    seeing = two_stages(policy, fit_second(states, CONFIG, policy), name="seeing", card={})
    moved = score_shortlists(seeing, replace(states, candidates=other))
    assert np.abs(moved - score_shortlists(seeing, states)).max() > 1e-3


def test_a_run_trains_both_stages_into_one_file_and_its_blocks_serve_again(tmp_path):
    agent = AGENTS["refine"]
    config = replace(agent.preset("smoke"), first="lookahead-2026-11-22", held_out_blocks=1)
    path = agent.train(config, tmp_path / "run")
    policy = load_as(TwoStagePolicy, path)
    assert policy.shortlist == 6
    assert policy.card["tuned_from"] == "lookahead-2026-11-22"
    first, state = load_as(PoolPolicy, "lookahead-2026-11-22"), sample_state()
    best = np.argsort(-first.utilities(state)[state.open])[:6]
    assert set(np.argsort(-policy.utilities(state)[state.open])[:6]) == set(best)
    again = agent.train(replace(config, states_from=str(tmp_path / "run")), tmp_path / "again")
    assert all(
        np.array_equal(tensor, policy.tensors[name])
        for name, tensor in load_as(TwoStagePolicy, again).tensors.items()
    )
    blind = replace(config, states_from=str(tmp_path / "run"), without=policy.refine_features)
    other = load_as(TwoStagePolicy, agent.train(blind, tmp_path / "blind"))
    hidden = other.tensors["second_scale"][-len(policy.columns) :] > 1e29
    assert np.array_equal(hidden, np.isin(policy.columns, policy.refine_features))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"shortlist": 13}, "shortlist must be at most 256 and at most n_candidates .12., got 13"),
        ({"margin_prior": 0.7}, "a second stage has no margin_prior; leave it at 0.0"),
        ({"rounds": 2}, "a second stage has no rounds; leave it at 1"),
    ],
)
def test_settings_that_have_no_meaning_are_refused(change, match):
    with pytest.raises(UsageError, match=match):
        replace(AGENTS["refine"].preset("smoke"), **change)


def test_names_and_features_that_do_not_fit_are_refused(tmp_path):
    agent = AGENTS["refine"]
    smoke = agent.preset("smoke")
    with pytest.raises(UsageError, match="without names colour, which the second stage lacks"):
        agent.train(replace(smoke, without=("colour",)), tmp_path / "a")
    with pytest.raises(UsageError, match="first 'margin' looks at other features than this run"):
        agent.train(replace(smoke, first="margin"), tmp_path / "b")
