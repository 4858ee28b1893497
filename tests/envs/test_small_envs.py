from typing import Any, Literal

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

import envs  # noqa: F401  (registers the ids)
from envs.checks import check_by_gymnasium
from envs.class_banks import BANKS, ClassBank, load_bank
from envs.design.env import DesignEnv
from envs.design.evaluation import play, random_rule, spce
from envs.design.models import MODELS, log_likelihood, make_model
from envs.few_shot.env import FewShotEnv
from envs.few_shot.episodes import Layout, draw_few_shot, prototype_accuracy
from envs.few_shot.tasks import auroc, make_task
from envs.one_shot.env import OneShotEnv
from envs.one_shot.episodes import draw_episodes
from lal.errors import UnknownNameError, UsageError

IDS = ["lal/Design-v0", "lal/OneShot-v0", "lal/FewShot-v0", "lal/Search-v0", "lal/Explore-v0"]


def episode(name, seed, **options):
    env: Any = gymnasium.make(name, **options)
    played: list[Any] = [env.reset(seed=seed)]
    rng = np.random.default_rng(0)
    over = False
    while not over:
        action = rng.integers(env.action_space.n) if name != IDS[0] else rng.uniform(-1, 1, 2)
        played.append(env.step(action))
        over = played[-1][2]
    return played


@pytest.mark.parametrize("name", IDS)
def test_clean_rendered_seeded_vectorised(name):
    env = gymnasium.make(name, render_mode="ansi")
    check_by_gymnasium(env)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    assert " 1 of " in str(env.render())
    image: Any = gymnasium.make(name, render_mode="rgb_array")
    image.reset(seed=0)
    assert image.render().ndim == 3
    assert data_equivalence(episode(name, 3), episode(name, 3))
    assert not data_equivalence(episode(name, 3), episode(name, 4))
    vector = gymnasium.make_vec(name, num_envs=2, vectorization_mode="sync")
    vector.reset(seed=1)
    assert vector.step(vector.action_space.sample())[1].shape == (2,)


def test_gp_environment_is_clean():
    check_by_gymnasium(DesignEnv("gp_regression", n_steps=3))


def test_design_return_is_spce():
    """The rewards add up to the bound computed in one piece from the same likelihoods."""
    env = DesignEnv(n_steps=3, n_contrast=50)
    env.reset(seed=0)
    total, whole = 0.0, np.zeros(51)
    for action in ([0.1, 0.2], [-0.5, 0.0], [0.3, 0.3]):
        *_, info = step = env.step(np.array(action, dtype=np.float32))
        total += step[1]
        outcome = np.array(info["outcome"], dtype=np.float64)
        whole += log_likelihood(env.model, env._parameters, info["design"], outcome)
    bound = whole[0] - np.log(np.exp(whole).mean())
    assert total == pytest.approx(bound, abs=1e-9)
    assert total <= np.log(51)


def test_actions_scale_to_the_box_of_designs():
    env = DesignEnv()
    assert env.to_design(np.array([0.5, -1.0])).tolist() == [2.0, -4.0]


def test_location_mean_by_hand():
    model = make_model("location_finding")
    mean = model.mean(np.array([1.0, 0.0]), np.array([0.0, 0.0]))
    assert mean == pytest.approx(np.log(0.1 + 1 / 1.0001))


def test_gp_prior_variance_is_near_one():
    model = make_model("gp_regression")
    rng = np.random.default_rng(0)
    values = model.mean(model.prior(rng, 20_000), np.array([0.0]))
    assert 0.9 < values.var() < 1.1


@pytest.mark.parametrize("name", MODELS)
def test_bounds_enclose(name):
    model = make_model(name)
    played = play(model, random_rule(model), n_steps=2, n_episodes=20, seed=0)
    bounds = spce(model, played, n_contrast=200, seed=0)
    assert (bounds.lower <= bounds.upper + np.log(201 / 200)).all()
    assert (bounds.lower <= np.log(201)).all()


def test_unknown_names():
    with pytest.raises(UnknownNameError, match="unknown design model"):
        DesignEnv("none")
    with pytest.raises(UnknownNameError, match="unknown bank"):
        load_bank("none")
    assert "omniglot" in BANKS


@pytest.mark.parametrize("make", [DesignEnv, OneShotEnv, FewShotEnv])
def test_step_after_the_end_is_refused(make):
    env = make()
    env.reset(seed=0)
    while not env.step(env.action_space.sample())[2]:
        pass
    with pytest.raises(UsageError, match="the episode is over"):
        env.step(env.action_space.sample())


def test_banks_are_disjoint_and_distinct():
    bank = load_bank("digits")
    assert not set(bank.classes("train")) & set(bank.classes("test"))
    rng = np.random.default_rng(0)
    rows = bank.draw_distinct(rng, np.array([0, 3]), 8)
    assert (bank.y[rows] == [[0], [3]]).all()
    assert all(len(set(row)) == 8 for row in rows.tolist())


def test_one_shot_instances_and_slots():
    bank = ClassBank("tiny", np.arange(4, dtype=np.float32)[:, None], np.arange(4), np.array([3]))
    drawn = draw_episodes(bank, np.random.default_rng(0), n=50, T=6, C=3, split="train")
    assert set(drawn.items.ravel().tolist()) == {0.0, 1.0, 2.0}
    slots = [{(x, y) for x, y in zip(e.ravel().tolist(), y.tolist(), strict=True)}
             for e, y in zip(drawn.items, drawn.labels, strict=True)]  # fmt: skip
    assert all(len(pairs) == len({x for x, _ in pairs}) for pairs in slots)
    assert len({frozenset(pairs) for pairs in slots}) > 3  # slots change between episodes
    assert (drawn.instances[:, 0] == 1).all()
    for e in range(50):
        for label in range(3):
            seen = drawn.instances[e][drawn.labels[e] == label].tolist()
            assert seen == list(range(1, len(seen) + 1))


def test_one_shot_label_comes_only_when_asked():
    env = OneShotEnv(n_items=5)
    env.reset(seed=0)
    observation, reward, *_, info = env.step(3)
    assert observation[:3].sum() == 1
    assert (reward, info["outcome"]) == (-0.05, "ask")
    observation, reward, *_ = env.step(0)
    assert observation[:3].sum() == 0
    assert reward in (1.0, -1.0)


def test_prototype_accuracy_by_hand():
    labelled, labels = np.array([[0.0], [2.0], [9.0]]), np.array([0, 1, 2])  # 2: a distractor
    query = np.array([[0.4], [1.4], [9.0]])
    assert prototype_accuracy(labelled, labels, query, np.array([0, 1, 0]), 2) == pytest.approx(
        2 / 3
    )
    none = prototype_accuracy(labelled[:0], labels[:0], query, np.array([0, 1, 0]), 2)
    assert none == 0.5


def test_few_shot_labels_show_by_mode_only():
    modes: tuple[tuple[Literal["sequential", "one_shot"], int], ...] = (
        ("sequential", 1),
        ("one_shot", 0),
    )
    for mode, shown in modes:
        env = FewShotEnv(mode=mode, budget=2, n_pool=6)
        env.reset(seed=0)
        observation, *_ = env.step(4)
        assert (observation["labels"] >= 0).sum() == shown
        assert observation["mask"].tolist() == [1, 1, 1, 1, 0, 1]
        *_, info = env.step(4)
        assert info["invalid_action"]
        assert info["n_labelled"] == 2


def test_distractors_are_of_other_classes():
    bank = load_bank("vectors")
    layout = Layout(n_classes=3, n_pool=10, n_distractors=4, shots=1)
    drawn = draw_few_shot(bank, np.random.default_rng(0), layout, n=5, split="test")
    assert ((drawn.labels == 3).sum(axis=1) == 4).all()
    assert drawn.support_labels.tolist() == [[0, 1, 2]] * 5


def test_halves_of_a_class_share_no_row():
    sizes = (3, 4, 5)
    y = np.repeat(np.arange(3), sizes)
    bank = ClassBank("odd", np.arange(12, dtype=np.float32)[:, None], y, np.array([2]))
    classes = np.tile(np.arange(3), 2_000)
    rng = np.random.default_rng(0)
    first, second = (bank.draw_rows(rng, classes, between=b) for b in ((0.0, 0.5), (0.5, 1.0)))
    assert set(first.tolist()) == {0, 3, 4, 7, 8}
    assert set(second.tolist()) == {1, 2, 5, 6, 9, 10, 11}


def test_validation_classes_are_training_classes_that_no_gradient_sees():
    bank = load_bank("vectors")
    fit, validation = set(bank.classes("fit").tolist()), set(bank.classes("validation").tolist())
    assert fit | validation == set(bank.classes("train").tolist())
    assert not fit & validation
    assert len(validation) == 100
    few = load_bank("digits")
    for part in ("fit", "validation"):
        assert few.classes(part).tolist() == few.classes("train").tolist()


def test_conditions_have_common_and_rare_groups():
    """Half of all items have the condition; four classes a side, the first one half of it."""
    bank = ClassBank(
        "tiny", np.arange(18, dtype=np.float32)[:, None] // 2, np.arange(18) // 2, np.array([8])
    )  # a sample of class c is the number c
    task = make_task("conditions", Layout(n_classes=2, n_pool=200, n_query=20))
    drawn = task.draw(bank, np.random.default_rng(0), 40, "train")
    assert (drawn.labels.sum(axis=1) == 100).all()
    assert (drawn.query_labels.sum(axis=1) == 10).all()
    assert drawn.support.shape == (40, 0, 1)
    shares = []
    for pool, labels in zip(drawn.pool[..., 0], drawn.labels, strict=True):
        sides = [set(pool[labels == side]) for side in (0, 1)]
        assert not sides[0] & sides[1]
        counts = np.unique(pool[labels == 1], return_counts=True)[1]
        shares.append(np.sort(counts)[::-1] / 100)
    assert np.mean(shares, axis=0) == pytest.approx([0.5, 0.25, 0.15, 0.1], abs=0.03)
    apart = ClassBank(
        "apart", np.arange(36, dtype=np.float32)[:, None], np.arange(36) // 4, np.array([8])
    )  # no two samples are equal
    drawn = task.draw(apart, np.random.default_rng(0), 10, "train")
    assert not set(drawn.pool.ravel()) & set(drawn.query.ravel())
    with pytest.raises(UsageError, match="expected n_classes=2"):
        make_task("conditions", Layout(n_classes=3))


def test_conditions_are_scored_by_auroc():
    """Mean cosine to the labelled items with the condition, minus that to those without."""
    task = make_task("conditions", Layout(n_classes=2, n_pool=8))
    labelled, labels = np.array([[[1.0, 0.0], [0.0, 2.0]]] * 2), np.array([[1, 0], [1, 1]])
    query = np.array([[[3.0, 0.1], [0.1, 1.0], [1.0, 1.0], [0.5, 0.4]]] * 2)
    answers = np.array([[1, 0, 0, 1], [0, 1, 0, 1]])
    # first: 3 > .1, 1; .5/.4 > .1, 1 = all four pairs; second: by the sum of two mean cosines
    sums = [(x + y) / np.hypot(x, y) for x, y in query[1]]
    right = np.mean([sums[i] > sums[j] for i in (1, 3) for j in (0, 2)])
    assert task.score(labelled, labels, query, answers) == pytest.approx([1.0, right])
    assert auroc(np.zeros((1, 4)), answers[:1]) == pytest.approx([0.5])
