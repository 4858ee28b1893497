"""A LAL-RL file played through `query` on the compiled workload."""

import numpy as np
import pytest

pytest.importorskip("numba")

from agents.lal_rl import kernels
from agents.lal_rl.control_test import uncertainty_network
from agents.lal_rl.export import to_policy
from agents.lal_rl.network import QNetwork
from agents.lal_rl.search.export import to_policy as linear_policy
from agents.lal_rl.search.search import start
from envs.simulator.lal_rl_data import binary_pairs
from scripts.benchmarks.reproduction.lal_rl_file import Config, play, play_file, play_linear

CONFIG = Config(n_episodes=2)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 8))
    return binary_pairs((X, (X @ rng.normal(size=8) + rng.normal(size=300) > 0).astype(int)))


def test_a_file_of_doubt_alone_asks_what_its_network_asks(data):
    """It needs no state and no distances, so nothing differs between file and network."""
    network = uncertainty_network()
    policy = to_policy(network, kernels.SYMMETRIC, name="doubt", card={})
    lengths, same = play_file(CONFIG, data, policy)
    assert same >= 0.95
    assert (lengths >= 1).all()


def test_a_file_of_the_opposite_asks_for_something_else(data):
    network = uncertainty_network()
    policy = to_policy(network, kernels.SYMMETRIC, name="sure", card={})
    turned = QNetwork(
        network.state, network.state_bias, -network.joint, network.joint_bias, network.out,
        network.out_bias,
    )  # fmt: skip
    sure = to_policy(turned, kernels.SYMMETRIC, name="sure", card={})
    assert not np.array_equal(play_file(CONFIG, data, policy)[0], play_file(CONFIG, data, sure)[0])


def test_players_are_paired(data):
    random = play(CONFIG, data, None, 0)
    np.testing.assert_array_equal(random, play(CONFIG, data, None, 0))
    assert (random >= 1).all()


def test_a_linear_policy_plays_as_its_file_does(data):
    """Doubt alone again: the compiled form and the file ask for the same rows."""
    policy = linear_policy(start(), name="start", card={})
    lengths, same = play_file(CONFIG, data, policy)
    assert same >= 0.95
    compiled = play_linear(CONFIG, data, policy)
    assert abs(lengths.mean() - compiled.mean()) <= 0.3 * compiled.mean() + 2
