from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from agents import AGENTS
from agents.lal_rl import kernels
from agents.lal_rl.config import PRESETS
from agents.lal_rl.control_test import saving, uncertainty_network
from agents.lal_rl.export import to_network, to_policy
from agents.lal_rl.network import QNetwork
from lal.data.view import make_geometry
from lal.errors import UsageError
from lal.features import candidate_matrix, context_vector
from lal.policies.kinds import load_policy
from lal.state import QueryState

AGENT = AGENTS["lal_rl"]
SMOKE = PRESETS["smoke"]


@pytest.fixture
def network():
    drawn = QNetwork.random(np.random.default_rng(0), out_bias=-4.0)
    for bias in (drawn.state_bias, drawn.joint_bias):
        bias[:] = np.random.default_rng(1).normal(size=bias.shape)
    return drawn


def state(first):
    X = np.random.default_rng(2).normal(size=(len(first), 3))
    return QueryState(
        X=X,
        geometry=make_geometry(X),
        labelled=np.array([0, 3]),
        labels=np.array([0, 1]),
        n_classes=2,
        classes_known=True,
        proba=np.column_stack([first, 1 - first]),
    )


FIRST = np.random.default_rng(3).random(40)


def test_the_published_policy_is_the_network(network):
    given = state(FIRST)
    policy = to_policy(network, kernels.PUBLISHED, name="p", card={})
    seen = candidate_matrix(given, policy.candidate_features)
    context = context_vector(given, policy.context_features)
    wanted = network.q_values(context.astype(np.float32), seen.astype(np.float32))
    np.testing.assert_allclose(policy.utilities(given), wanted, atol=1e-5)
    assert not policy.class_symmetric


def test_the_symmetric_policy_shows_its_network_one_minus_the_margin(network):
    given = state(FIRST)
    policy = to_policy(network, kernels.SYMMETRIC, name="p", card={})
    seen = candidate_matrix(given, policy.candidate_features)
    seen[:, 0] = 1 - seen[:, 0]
    context = context_vector(given, policy.context_features)
    wanted = network.q_values(context.astype(np.float32), seen.astype(np.float32))
    np.testing.assert_allclose(policy.utilities(given), wanted, atol=1e-5)


@pytest.mark.parametrize("view", [kernels.PUBLISHED, kernels.SYMMETRIC])
def test_a_file_gives_its_network_back(network, view):
    back, seen = to_network(to_policy(network, view, name="p", card={}))
    assert seen == view
    np.testing.assert_allclose(back.pack(), network.pack(), atol=1e-6)


def test_other_policies_hold_no_such_network():
    with pytest.raises(UsageError, match="'margin' is no LAL-RL policy: expected the features"):
        to_network(load_policy("margin"))


def test_renaming_the_classes_changes_the_published_policy_only(network):
    one, other = state(FIRST), replace(state(1 - FIRST), labels=np.array([1, 0]))
    for view, same in ((kernels.PUBLISHED, False), (kernels.SYMMETRIC, True)):
        policy = to_policy(network, view, name="p", card={})
        found = np.abs(policy.utilities(one) - policy.utilities(other)).max()
        assert (found < 1e-9) == same
        assert policy.class_symmetric == same


def test_without_distances_only_doubt_counts(network):
    policy = to_policy(uncertainty_network(), kernels.UNCERTAINTY_ONLY, name="p", card={})
    order = np.argsort(policy.utilities(state(FIRST)))
    np.testing.assert_array_equal(order, np.argsort(-abs(FIRST - 0.5)))


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path):
    first = AGENT.train(SMOKE, tmp_path / "a").read_bytes()
    assert AGENT.train(SMOKE, tmp_path / "b").read_bytes() == first
    assert AGENT.train(replace(SMOKE, seed=1), tmp_path / "c").read_bytes() != first
    policy = load_policy(tmp_path / "a" / "policy.safetensors")
    assert policy.card["data"]


def test_episodes_decide_where_they_are_given(tmp_path):
    AGENT.train(replace(SMOKE, n_episodes=30), tmp_path / "run")
    found = (tmp_path / "run" / "finished.json").read_text()
    assert '"n_episodes": 3' in found  # 30 and the warm ones


@pytest.mark.parametrize("control", ["shuffled_reward", "uncertainty_only"])
def test_controls_are_other_policies(tmp_path, control):
    config = replace(SMOKE, variant="symmetric")
    learned = load_policy(AGENT.train(config, tmp_path / "a"))
    other = load_policy(AGENT.train(replace(config, control=control), tmp_path / "b"))
    assert not np.array_equal(learned.tensors["out"], other.tensors["out"])
    assert other.card["control"] == control
    if control == "uncertainty_only":
        assert (other.tensors["joint"][:, 1:] == 0).all()


def test_controls_that_an_agent_lacks_are_refused(tmp_path):
    with pytest.raises(UsageError, match="'lal_rl' has no control 'shuffled_everywhere'; expected"):
        AGENT.train(replace(SMOKE, control="shuffled_everywhere"), tmp_path / "run")


def test_what_is_held_out_is_not_trained_on(tmp_path):
    config = replace(SMOKE, hold_out=("breast_cancer",))
    with pytest.raises(UsageError, match="hold_out leaves no data set to train on"):
        AGENT.train(config, tmp_path / "run")
    both = replace(SMOKE, eval_datasets=("sklearn:breast_cancer",), n_eval_episodes=64)
    with pytest.raises(UsageError, match="both trained and evaluated on"):
        AGENT.train(both, tmp_path / "run")


def test_saving_by_hand():
    """Means 2 and 8 against 4 and 8: ratios 1/2 and 1, geometric mean 0.707."""
    ours, theirs = [np.array([1.0, 3.0]), np.full(5, 8.0)], [np.full(2, 4.0), np.full(5, 8.0)]
    percent, low, high = saving(ours, theirs)
    assert percent == pytest.approx(100 * (1 - np.sqrt(0.5)), abs=0.01)
    assert low < percent < high


def test_the_interval_of_a_saving_resamples_whole_pairs():
    """Half the labels in every episode: whatever is drawn, the saving is 50 %."""
    theirs = np.random.default_rng(0).integers(2, 60, size=40).astype(float)
    assert saving([theirs / 2], [theirs]) == [50.0, 50.0, 50.0]


def test_the_interval_of_a_saving_has_its_level():
    """A normal approximation of the log ratio's spread, 1.96 standard errors on each side."""
    rng = np.random.default_rng(1)
    ours, theirs = rng.gamma(8.0, 1.0, 400), rng.gamma(8.0, 1.5, 400)
    percent, low, high = saving([ours], [theirs])
    assert percent == pytest.approx(100 * (1 - ours.mean() / theirs.mean()), abs=0.01)
    error = np.std(ours / ours.mean() - theirs / theirs.mean(), ddof=1) / np.sqrt(400)
    wanted = 2 * 1.96 * error * (100 - percent)
    assert high - low == pytest.approx(wanted, rel=0.1)
    fewer = saving([ours[:100]], [theirs[:100]])
    assert fewer[2] - fewer[1] > 1.5 * (high - low)


def test_the_shipped_policy_says_what_it_is():
    policy = load_policy("lal-rl")
    assert policy.class_symmetric
    assert len(policy.card["data"]) == 10
    assert policy.card["did_it_learn"]["learned"]
    assert not set(policy.card["judged_on"]) & set(policy.card["data"])
