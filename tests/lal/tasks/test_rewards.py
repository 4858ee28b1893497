import numpy as np
import pytest

from envs.pool_env import PoolEnv
from lal.curve import Curve
from lal.errors import UnknownNameError, UsageError
from lal.tasks.rewards import REWARDS, Acquisition


def log_sigmoid(x: float) -> float:
    return float(-np.log1p(np.exp(-x)))


# Accuracy over labels: row 3 first 0.6, 0.6, 1.0; row 2 first 0.6, 1.0, 1.0 (see tiny_task).
EXPECTED = {
    ("accuracy_gain", (3, 2)): [0.0, 0.4],
    ("accuracy_gain", (2, 3)): [0.4, 0.0],
    # Class 0 is right on 1 of 3 rows, class 1 on 2 of 2: 2/3 before, 1 after row 2.
    ("balanced_accuracy_gain", (3, 2)): [0.0, 1 / 3],
    ("mean_accuracy_gain", (3, 2)): [0.0, (0.4 + 1 / 3) / 2],
    ("area", (3, 2)): [0.6 / 2, (0.6 + 1.0) / 2 / 2],
    ("area", (2, 3)): [(0.6 + 1.0) / 2 / 2, 1.0 / 2],
    # Two labels at first and four at last: an octave, the first label is log2(3/2) of it.
    ("log_budget", (3, 2)): [0.6 * np.log2(3 / 2), (0.6 + 1.0) / 2 * np.log2(4 / 3)],
    ("step_cost", (3, 2)): [-1.0, -1.0],
    ("step_cost", (2, 3)): [-1.0, 0.0],
    # Only the reward row at 3 gets surer: its gap of distances grows from 1 to 3.
    ("log_loss_gain", (3,)): [(log_sigmoid(3) - log_sigmoid(1)) / 5],
    # Margin asks for row 2, then for whichever is left.
    ("advantage_over_margin", (3, 2)): [-0.4, 0.0],
    ("advantage_over_margin", (2, 3)): [0.0, 0.0],
}


@pytest.mark.parametrize(("reward", "rows"), EXPECTED, ids=lambda v: str(v))
def test_reward_by_hand(reward, rows, tiny_task, tiny_seed, buy):
    env = PoolEnv(tiny_task, slate_size=4, reward=reward)
    _, info = env.reset(seed=tiny_seed)
    paid = []
    for row in rows:
        _, value, _, _, info = buy(env, info, row)
        paid.append(value)
    assert paid == pytest.approx(EXPECTED[reward, rows])


def test_every_reward_is_tested_by_hand():
    assert {name for name, _ in EXPECTED} == set(REWARDS)


def test_area_adds_up_to_the_area_of_the_curve(wine_task):
    env = PoolEnv(wine_task, slate_size=10, reward="area", batch_size=3)
    _, info = env.reset(seed=5)
    x, values, total, over = [info["n_labelled"]], [info["accuracy"]], 0.0, False
    while not over:
        _, value, over, _, info = env.step(int(np.argmax(info["action_mask"])))
        total += value
        if env.state.labelled.size == info["n_labelled"]:
            x.append(info["n_labelled"])
            values.append(info["accuracy"])
    curve = Curve(np.array(x), {"accuracy": np.array(values)}, np.arange(x[-1]), x[0])
    assert total == pytest.approx(curve.area())
    assert len(set(values)) > 1


def test_batch_pays_after_its_last_step(tiny_task, tiny_seed, buy):
    env = PoolEnv(tiny_task, slate_size=4, reward="accuracy_gain", batch_size=2)
    _, info = env.reset(seed=tiny_seed)
    observation, value, terminated, _, info = buy(env, info, 3)
    assert (value, terminated, info["n_labelled"], info["accuracy"]) == (0.0, False, 3, 0.6)
    assert observation["mask"].sum() == 1
    assert env.state.labelled.tolist() == [0, 1]
    _, value, terminated, _, info = buy(env, info, 2)
    assert (value, terminated, info["n_labelled"]) == (pytest.approx(0.4), True, 4)


def test_step_cost_of_a_batch_counts_its_labels(tiny_task, tiny_seed, buy):
    env = PoolEnv(tiny_task, slate_size=4, reward="step_cost", termination="target", batch_size=2)
    _, info = env.reset(seed=tiny_seed)
    _, first, *_, info = buy(env, info, 3)
    _, second, *_ = buy(env, info, 2)
    assert (first, second) == (0.0, -2.0)


def test_margin_playing_itself_has_no_advantage(wine_task):
    from lal.strategies.base import make_strategy

    env = PoolEnv(wine_task, slate_size=60, reward="advantage_over_margin")
    env.reset(seed=2)
    over, paid = False, []
    while not over:
        _, value, over, _, _ = env.step(env.strategy_action(make_strategy("margin")))
        paid.append(value)
    assert paid == [0.0] * 8


def test_looking_ahead_leaves_no_trace(wine_task):
    """Paying for margin's picks must not change what happens."""
    plain = PoolEnv(wine_task, slate_size=10, label_noise=0.3)
    compared = PoolEnv(wine_task, slate_size=10, label_noise=0.3, reward="advantage_over_margin")
    for env in (plain, compared):
        env.reset(seed=4)
    for _ in range(8):
        one, other = plain.step(0)[4], compared.step(0)[4]
        assert one["queried"] == other["queried"]
        assert one["log_likelihood"] == other["log_likelihood"]


def test_advantage_without_a_baseline_is_refused():
    acquired = Acquisition(
        before={"accuracy": 0.5}, after={"accuracy": 0.6}, n_acquired=1, n_budget=2, n_start=2,
        n_labelled=2,
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"Acquisition\.baseline"):
        REWARDS["advantage_over_margin"].compute(acquired)


def test_unknown_reward_has_a_hint(tiny_task):
    with pytest.raises(UnknownNameError, match="did you mean 'accuracy_gain'"):
        PoolEnv(tiny_task, reward="acuracy_gain")


@pytest.mark.parametrize("reward", ["area", "log_budget"])
@pytest.mark.parametrize("termination", ["target", "both"])
def test_areas_need_the_whole_budget(tiny_task, termination, reward):
    with pytest.raises(UsageError, match="only when the whole budget is spent"):
        PoolEnv(tiny_task, reward=reward, termination=termination)
