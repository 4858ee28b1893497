"""Formulas over the posterior by hand, and batches against enumeration of their labels."""

from itertools import combinations, product

import numpy as np
import pytest

from lal.checks import sample_state
from lal.errors import UsageError
from lal.strategies.base import make_strategy, select
from lal.strategies.committee import consensus_divergence
from lal.strategies.joint import JointLabels, batch_bald_gains, batch_gibbs_gains
from lal.strategies.posterior import FORMULAS, posterior_proba

SPLIT = np.array([[[0.9, 0.1, 0.0]], [[0.1, 0.9, 0.0]], [[0.8, 0.1, 0.1]]])


def draws(n_members=6, n_rows=5, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(n_classes, 0.4), size=(n_members, n_rows))


def joint_probabilities(members, rows):
    """Return the probability of every configuration of labels, by enumeration."""
    n_classes = members.shape[2]
    return np.array(
        [
            np.mean(
                [np.prod([m[r, y] for r, y in zip(rows, labels, strict=True)]) for m in members]
            )
            for labels in product(range(n_classes), repeat=len(rows))
        ]
    )


def information(members, rows):
    """Return the mutual information of the rows' labels and the member, by enumeration."""

    def entropy(p):
        p = p[p > 0]
        return -(p * np.log(p)).sum()

    given = np.mean([[entropy(m[r]) for r in rows] for m in members], axis=0).sum()
    return entropy(joint_probabilities(members, rows)) - given


def test_formulas_by_hand():
    mean = SPLIT.mean(axis=0)[0]
    np.testing.assert_allclose(mean, [0.6, 1.1 / 3, 0.1 / 3])
    values = {name: formula(SPLIT)[0] for name, formula in FORMULAS.items()}
    assert values["gibbs_error"] == pytest.approx(1 - 0.36 - (1.1 / 3) ** 2 - (0.1 / 3) ** 2)
    assert values["variation_ratio"] == pytest.approx(0.4)
    assert values["vote_ratio"] == pytest.approx(1 / 3)
    assert values["predictive_entropy"] == pytest.approx(-(mean * np.log(mean)).sum())
    assert values["mean_std"] == pytest.approx(SPLIT[:, 0].std(axis=0).mean())
    assert values["bald"] == pytest.approx(information(SPLIT, [0]))


def test_members_that_agree_leave_only_what_no_label_can_teach():
    same = np.repeat(draws(1), 4, axis=0)
    for name in ("bald", "mean_std", "vote_ratio"):
        np.testing.assert_allclose(FORMULAS[name](same), 0.0, atol=1e-12)
    assert (FORMULAS["predictive_entropy"](same) > 0.1).any()


def test_information_is_at_most_the_logarithm_of_the_classes():
    sure = np.eye(3)[:, None, :]
    assert FORMULAS["bald"](sure)[0] == pytest.approx(np.log(3))
    assert (FORMULAS["bald"](draws(50, 40)) <= np.log(3)).all()


@pytest.mark.parametrize("chosen", [[], [2], [2, 0]])
def test_batches_equal_enumeration(chosen):
    members = draws()
    joint = JointLabels(members, np.random.default_rng(0), 100)
    for row in chosen:
        joint.take(row)
    bald, gibbs = batch_bald_gains(joint), batch_gibbs_gains(joint)
    offset = sum(np.mean([-(m[r] * np.log(m[r])).sum() for m in members]) for r in joint.rows)
    for row in range(5):
        rows = [*joint.rows, row]
        assert bald[row] - offset == pytest.approx(information(members, rows), abs=1e-9)
        error = 1 - (joint_probabilities(members, rows) ** 2).sum()
        assert gibbs[row] == pytest.approx(error, abs=1e-9)


def test_drawn_configurations_estimate_the_enumeration():
    members = draws(8, 6, 4)
    exact, drawn = (JointLabels(members, np.random.default_rng(1), most) for most in (4096, 255))
    estimates = []
    for row in (3, 1, 4, 0):
        exact.take(row)
    for seed in range(40):
        drawn = JointLabels(members, np.random.default_rng(seed), 255)
        for row in (3, 1, 4, 0):
            drawn.take(row)
        assert drawn.given_member.shape == (8, 255)
        estimates.append(batch_bald_gains(drawn))
    np.testing.assert_allclose(np.mean(estimates, axis=0), batch_bald_gains(exact), atol=0.05)


def test_one_pick_of_batch_bald_is_bald():
    members = draws()
    gains = batch_bald_gains(JointLabels(members, np.random.default_rng(0), 100))
    np.testing.assert_allclose(gains, consensus_divergence(members), atol=1e-12)


def test_a_copy_of_the_first_pick_gains_less_than_an_independent_row_of_equal_information():
    # 4 members: rows 0 and 1 split them alike, row 2 splits them the other way.
    halves, others = np.array([0.9, 0.9, 0.1, 0.1]), np.array([0.9, 0.1, 0.9, 0.1])
    members = np.stack([np.c_[p, 1 - p] for p in (halves, halves, others)], axis=1)
    np.testing.assert_allclose(np.ptp(consensus_divergence(members)), 0.0, atol=1e-12)
    joint = JointLabels(members, np.random.default_rng(0), 100)
    joint.take(0)
    gains = batch_bald_gains(joint)
    assert gains[2] > gains[1] + 0.05


def test_greedy_batches_reach_1_minus_1_over_e_of_the_best():
    for seed in range(20):
        members = draws(4, 6, 2, seed)
        joint = JointLabels(members, np.random.default_rng(0), 10_000)
        for _ in range(3):
            gains = batch_gibbs_gains(joint)
            gains[joint.rows] = -np.inf
            joint.take(int(gains.argmax()))
        value: dict[tuple[int, ...], float] = {
            rows: 1 - (joint_probabilities(members, rows) ** 2).sum()
            for rows in combinations(range(6), 3)
        }
        assert value[tuple(sorted(joint.rows))] >= (1 - np.exp(-1)) * max(value.values())


def test_a_batch_of_bald_takes_copies_and_a_batch_of_batch_bald_does_not():
    state = sample_state(3, 12, "random_forest")
    rng, ties = np.random.default_rng(0), np.random.default_rng(1)
    members = posterior_proba(state, rng, 20)
    top = select(make_strategy("bald"), state, rng, ties, 6)
    joint = select(make_strategy("batch_bald"), state, rng, ties, 6)
    assert information(members, list(joint[:4])) >= information(members, list(top[:4])) - 1e-9
    assert joint[0] == top[0]


def test_unknown_formulas_and_too_few_draws_are_refused():
    with pytest.raises(UsageError, match="formula must be one of bald, gibbs_error"):
        make_strategy("bald", formula="bold")
    with pytest.raises(UsageError, match="needs at least 2 of them, got 1"):
        make_strategy("mean_std", n_draws=1)
