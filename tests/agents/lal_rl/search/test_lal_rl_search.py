from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from agents import AGENTS
from agents.lal_rl.control_test import uncertainty_network
from agents.lal_rl.dqn import episode_lengths as lengths_of_network
from agents.lal_rl.kernels import UNCERTAINTY_ONLY
from agents.lal_rl.search.config import INPUTS, N_TERMS, PRESETS, SIZE, TIMES_UNCERTAINTY
from agents.lal_rl.search.export import to_policy, to_weights
from agents.lal_rl.search.game import Game, episode_lengths, kernels
from agents.lal_rl.search.search import Search, start
from envs.simulator.kernels.lal_rl import layout as lal_rl
from lal.data.view import make_geometry
from lal.errors import UsageError
from lal.policies.kinds import load_policy
from lal.state import QueryState

AGENT = AGENTS["lal_rl_search"]
SMOKE = PRESETS["smoke"]


def wave(seed, n=300, D=4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, D))
    score = X @ rng.normal(size=D)
    return X, (score + 0.3 * rng.normal(size=n) > 0).astype(int)


def game(**options):
    return Game([wave(0), wave(1)], seed=3, **{"n_splits": 16, **options})


def test_doubt_alone_plays_the_episodes_of_the_doubt_network():
    """Another engine of 64 environments, another scorer, the same numbered episodes."""
    weights = np.zeros(SIZE)
    weights[INPUTS.index("doubt")] = 1.0
    ours = episode_lengths(weights, [wave(2)], n_episodes=128, seed=5)
    theirs = lengths_of_network(
        uncertainty_network(), [wave(2)], view=UNCERTAINTY_ONLY, n_episodes=128, seed=5
    )
    # Equal doubts, which float32 has near 0 and 1, are broken by order here and by chance there.
    assert (ours == theirs).mean() > 0.97


def test_episodes_are_the_same_whoever_plays():
    played = game()
    lengths, sets = played.play(start(), 24, 1)
    rng = np.random.default_rng(0)
    other, sets_again = played.play(rng.normal(size=SIZE), 24, 1)
    np.testing.assert_array_equal(sets, sets_again)
    assert (lengths != other).any()
    again, _ = played.play(start(), 24, 1)
    np.testing.assert_array_equal(lengths, again)
    assert set(sets) == {0, 1}


def last_query(played):
    """The state and inputs of the last query of a game of one environment."""
    engine = played.engine
    slot = engine.ints[0, lal_rl.E_SLOT]
    N = int(engine.bank_info[slot, lal_rl.B_POOL])
    D = int(engine.data_info[engine.bank_info[slot, lal_rl.B_DATASET], lal_rl.D_COLUMNS])
    _, at, _, _, label_at, _ = lal_rl.bank_places(engine.config, slot)
    stride = (D + 16) // 16 * 16
    X = engine.bank[at : at + N * stride].reshape(N, stride)[:, :D].astype(np.float64)
    y = (engine.bank[label_at : label_at + N] > 0.5).astype(int)
    L = int(engine.ints[0, lal_rl.E_LABELLED])
    rows = engine.ints[0, lal_rl.E_ROWS :][: L - 1].copy()  # before the last label
    scores = engine.floats[lal_rl.episode_places(engine.config, 0)[1] :][:N]
    p = 1 / (1 + np.exp(scores.astype(np.float64)))
    return X, y, rows, p, played.inputs[:, :N]


def z_score(values, open_rows):
    sample = values[open_rows]
    return np.clip((values - sample.mean()) / sample.std(), -3, 3)


@pytest.fixture
def query():
    played = game()
    for episode in range(40):
        lengths, _ = played.play(start(), 1, episode)
        if lengths[0] > 4:
            return last_query(played)
    raise AssertionError("no episode of more than four labels")


def test_inputs_equal_their_formulas(query):
    X, y, rows, p, inputs = query
    open_rows = np.setdiff1d(np.arange(len(X)), rows)
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosines = U @ U[rows].T
    zero, one = cosines[:, y[rows] == 0], cosines[:, y[rows] == 1]
    odds = np.abs(np.log(p / (1 - p)))
    nearest = y[rows][cosines.argmax(axis=1)]
    share = (y[rows] == 0).mean()
    wanted = {
        "doubt": 1 - abs(2 * p - 1),
        "log_odds_z": z_score(-odds, open_rows),
        "cosine_open_z": z_score(1 - (U @ U[open_rows].T).mean(axis=1), open_rows),
        "cosine_labelled_z": z_score(1 - cosines.mean(axis=1), open_rows),
        "cosine_nearest_z": z_score(cosines.max(axis=1), open_rows),
        "cosine_classes_z": z_score(
            np.sign(p - 0.5) * (zero.mean(axis=1) - one.mean(axis=1)), open_rows
        ),
        "nearest_disagreement": np.where(nearest == 1, p, 1 - p),
        "angle_z": z_score(-odds / np.linalg.norm(X, axis=1), open_rows),
        "scarcity": 1 - (p * share + (1 - p) * (1 - share)),
    }
    for k, name in enumerate(INPUTS):
        found = inputs[k, open_rows]
        np.testing.assert_allclose(found, wanted[name][open_rows], atol=2e-3, err_msg=name)
    for k, name in enumerate(TIMES_UNCERTAINTY):
        doubted = inputs[INPUTS.index(name)] * inputs[0]
        np.testing.assert_allclose(inputs[len(INPUTS) + k, open_rows], doubted[open_rows])


def state(first, labels):
    X = np.random.default_rng(2).normal(size=(len(first), 3))
    return QueryState(
        X=X,
        geometry=make_geometry(X),
        labelled=np.array([0, 3, 7, 9]),
        labels=np.array(labels),
        n_classes=2,
        classes_known=True,
        proba=np.column_stack([first, 1 - first]),
    )


FIRST = np.random.default_rng(3).random(40)


def test_the_file_asks_for_what_the_compiled_policy_asks_for():
    """On the inputs that the file computes from a state, and with weights that change with L."""
    weights = np.random.default_rng(4).normal(size=SIZE)
    given = state(FIRST, [0, 1, 1, 0])
    policy = to_policy(weights, name="p", card={})
    from lal.features import candidate_matrix

    seen = candidate_matrix(given, policy.candidate_features)
    signs = np.array([-1, -1, 1, 1, -1, 1, 1, -1, 1])
    inputs = seen * signs
    inputs[:, 0] += 1.0
    doubted = inputs[:, [INPUTS.index(name) for name in TIMES_UNCERTAINTY]] * inputs[:, :1]
    terms = np.concatenate([inputs, doubted], axis=1)
    later = np.log(5 / 11)
    wanted = terms @ (weights[:N_TERMS] + weights[N_TERMS:] * later)
    np.testing.assert_allclose(policy.utilities(given), wanted, atol=1e-9)
    mask = np.ones(len(FIRST), dtype=np.int8)
    mask[given.labelled] = 0
    planes = np.ascontiguousarray(terms.T, dtype=np.float32)
    row = kernels.best_row(weights, planes, mask, len(FIRST), 4)
    assert row == np.where(mask, wanted, -np.inf).argmax()


def test_a_file_gives_its_weights_back():
    weights = np.random.default_rng(5).normal(size=SIZE)
    back = to_weights(to_policy(weights, name="p", card={}))
    np.testing.assert_allclose(back, weights, atol=1e-6)


def test_renaming_the_classes_changes_nothing():
    policy = to_policy(np.random.default_rng(6).normal(size=SIZE), name="p", card={})
    one, other = state(FIRST, [0, 1, 1, 0]), state(1 - FIRST, [1, 0, 0, 1])
    np.testing.assert_allclose(policy.utilities(one), policy.utilities(other), atol=1e-9)
    assert policy.class_symmetric


def test_the_start_is_uncertainty_sampling():
    policy = to_policy(start(), name="p", card={})
    given = state(0.3 + 0.4 * FIRST, [0, 1, 1, 0])  # nothing is clipped
    open_rows = given.open
    order = np.argsort(policy.utilities(given)[open_rows])
    np.testing.assert_array_equal(order, np.argsort(-abs(FIRST[open_rows] - 0.5)))


def test_slope_is_that_of_the_paired_differences():
    """One pair by hand: the difference of lengths over their mean, along the perturbation."""
    config = replace(SMOKE, pairs=1, n_episodes=6)
    search = Search(config, [wave(0)], 0)
    found = search.slope(start(), 2)
    again = Search(config, [wave(0)], 0)
    noise = again.rng.standard_normal((1, SIZE))[0]
    more, _ = again.game.play(start() + config.spread * noise, 6, 2)
    less, _ = again.game.play(start() - config.spread * noise, 6, 2)
    mean = np.concatenate([more, less]).mean()
    wanted = ((more - less) / mean).mean() * noise / (2 * config.spread)
    np.testing.assert_allclose(found, wanted)
    assert search.n_steps == more.sum() + less.sum()


@pytest.mark.slow
def test_search_finds_fewer_labels_than_it_began_with():
    config = replace(SMOKE, generations=12, pairs=16, n_episodes=24)
    data = [wave(seed) for seed in range(3)]
    weights = Search(config, data, 0).run()
    ours, before = (
        np.mean([episode_lengths(w, [d], n_episodes=256, seed=1).mean() for d in data])
        for w in (weights, start())
    )
    assert ours < before


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path):
    first = AGENT.train(SMOKE, tmp_path / "a").read_bytes()
    assert AGENT.train(SMOKE, tmp_path / "b").read_bytes() == first
    assert AGENT.train(replace(SMOKE, seed=1), tmp_path / "c").read_bytes() != first


def test_controls_are_other_policies(tmp_path):
    learned = to_weights(load_policy(AGENT.train(SMOKE, tmp_path / "a")))
    mixed = replace(SMOKE, control="shuffled_reward")
    shuffled = load_policy(AGENT.train(mixed, tmp_path / "b"))
    assert shuffled.card["control"] == "shuffled_reward"
    assert not np.array_equal(to_weights(shuffled), learned)
    alone = replace(SMOKE, control="uncertainty_only")
    weights = to_weights(load_policy(AGENT.train(alone, tmp_path / "c"))).reshape(2, N_TERMS)
    np.testing.assert_allclose(weights[:, 2:], 0.0, atol=1e-12)
    assert (weights[:, :2] != 0).any()


def test_what_is_held_out_is_not_trained_on(tmp_path):
    config = replace(SMOKE, hold_out=("breast_cancer",))
    with pytest.raises(UsageError, match="hold_out leaves no data set to train on"):
        AGENT.train(config, tmp_path / "run")


def test_the_comparison_with_controls_is_on_the_card(tmp_path):
    judged = replace(SMOKE, eval_datasets=("synthetic:checkerboard2x2",), n_eval_episodes=64)
    policy = load_policy(AGENT.train(judged, tmp_path / "run"))
    found = policy.card["did_it_learn"]
    assert set(found) == {"random", "uncertainty", "shuffled", "untrained", "learned"}


def test_the_shipped_policy_says_what_it_is():
    policy = load_policy("lal-rl-search")
    assert policy.class_symmetric
    assert len(policy.card["data"]) == 10
    found = policy.card["did_it_learn"]
    assert found["learned"]
    assert found["uncertainty"][0] > found["uncertainty"][1]
    assert not set(policy.card["judged_on"]) & set(policy.card["data"])
