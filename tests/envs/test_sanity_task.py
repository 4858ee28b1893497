import numpy as np
import pytest

from envs.pool_env import PoolEnv
from envs.sanity_task import NearestLearner, giveaway_task


def mean_return(choose, n_episodes=20):
    env = PoolEnv(giveaway_task(), slate_size=80)
    total = 0.0
    for seed in range(n_episodes):
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            observation, reward, over, _, _ = env.step(choose(env, observation))
            total += reward
    return total / n_episodes


def largest(feature: str, sign: int):
    def choose(env, observation) -> int:
        values = sign * observation["candidates"][:, env.candidate_features.index(feature)]
        return int(np.argmax(np.where(observation["mask"] == 1, values, -np.inf)))

    return choose


@pytest.mark.parametrize(
    ("feature", "sign"), [("min_distance@1", 1), ("margin@1", -1), ("density@1", -1)]
)
def test_one_feature_gives_the_answer_away(feature, sign):
    assert mean_return(largest(feature, sign)) > 0.57  # six labels, a tenth each


@pytest.mark.parametrize("feature", ["min_distance@1", "margin@1"])
def test_random_and_the_opposite_rule_are_clearly_bad(feature):
    rng = np.random.default_rng(0)
    sign = -1 if feature == "min_distance@1" else 1
    assert mean_return(largest(feature, sign)) < 0.05
    random = mean_return(lambda env, o: int(rng.choice(np.flatnonzero(o["mask"]))))
    assert 0.02 < random < 0.15


def test_nearest_learner_by_hand():
    model = NearestLearner().fit(np.array([[0.0], [1.0]]), np.array([0, 1]), n_classes=3)
    proba = model.predict_proba(np.array([[0.25]]))
    odds = np.exp([-0.25, -0.75])
    assert proba[0] == pytest.approx([*odds / odds.sum(), 0.0])
    assert model.predict(np.array([[0.25], [0.9]])).tolist() == [0, 1]
    empty = NearestLearner().fit(np.zeros((0, 1)), np.zeros(0, int), n_classes=3)
    assert empty.predict_proba(np.zeros((2, 1))) == pytest.approx(np.full((2, 3), 1 / 3))
