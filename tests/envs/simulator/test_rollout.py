"""Rollouts: paired, independent of company, equal to episodes of the reference environment."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

pytest.importorskip("numba")

import lal
from envs.simulator.pool import PoolSimulator
from envs.simulator.rankers import (
    RULES,
    View,
    margin,
    policy_ranker,
    random,
    rule_ranker,
    scorer_ranker,
)
from envs.simulator.rollout import play, rollout
from lal.data.datasets import load_dataset
from lal.episode import Episode
from lal.errors import DataError, UsageError
from lal.learners import make_learner
from lal.policies.kinds import load_as, load_policy
from lal.policies.pool_policy import PoolPolicy
from lal.policies.scoring.scorer import compile_program
from lal.policies.two_stage_policy import TwoStagePolicy
from lal.rng import generator
from lal.strategies.base import make_strategy
from lal.tasks.splits import make_task

NAMES = ("iris", "wine", "breast_cancer")


def make_tasks(learner="gaussian_nb", budgets=(8, 8, 8), **options):
    return [
        make_task(
            load_dataset(f"sklearn:{name}"), make_learner(learner), seed=4, budget=budget,
            reward_share=0.5, test_share=0.0, max_pool=40, **options,
        )
        for name, budget in zip(NAMES, budgets, strict=True)
    ]  # fmt: skip


def equal(one, other):
    """Whether two curves are the same, bit for bit."""
    return np.array_equal(one.queried, other.queried) and all(
        np.array_equal(values, other.metrics[name]) for name, values in one.metrics.items()
    )


@pytest.mark.parametrize("learner", ["gaussian_nb", "random_forest"])
def test_a_rollout_does_not_depend_on_its_company(learner):
    tasks = make_tasks(learner)
    policy = policy_ranker(load_policy("default"))
    seeds = [11, 12, 13]
    by_margin, by_chance, by_policy, again = rollout(
        tasks, [margin, random, policy, random], seeds=seeds
    ).curves
    assert all(map(equal, by_chance, again))
    alone = rollout(tasks[1:2], [policy], seeds=seeds[1:2]).curves[0][0]
    assert equal(alone, by_policy[1])
    some = rollout(tasks, [margin, policy], seeds=seeds, chosen=[[2], [1, 0]]).curves
    assert [len(row) for row in some] == [1, 2]
    assert equal(some[0][0], by_margin[2])
    assert equal(some[1][0], by_policy[1])
    other = rollout(tasks, [random], seeds=[14, 15, 16]).curves[0]
    for t in range(3):
        assert np.array_equal(by_margin[t].queried[:2], by_chance[t].queried[:2])  # paired
        assert not equal(by_margin[t], by_chance[t])
        assert not np.array_equal(other[t].queried, by_chance[t].queried)


def test_curves_are_measured_on_the_rows_that_were_acquired():
    tasks = make_tasks()
    found = rollout(tasks, [margin, random], seed=3)
    for p, row in enumerate(found.curves):
        for t, (task, curve) in enumerate(zip(tasks, row, strict=True)):
            assert len(set(curve.queried.tolist())) == len(curve.queried)
            for n in (0, 8):
                rows = curve.queried[: curve.n_start + n]
                model = task.learner.fit(
                    task.pool.X[rows], task.pool.y[rows], n_classes=task.n_classes
                )
                part = task.reward_part()
                hit = model.predict(part.X) == part.y
                assert curve.metrics["accuracy"][n] == pytest.approx(hit.mean(), abs=1e-9)
            area = np.trapezoid(curve.metrics["balanced_accuracy"], curve.n_labels) / 8
            assert found.areas("balanced_accuracy")[p, t] == pytest.approx(area)
    mixed = 0.75 * found.areas("accuracy") + 0.25 * found.areas("balanced_accuracy")
    assert found.mixed_areas(0.25) == pytest.approx(mixed)


def test_all_seen_is_counted_from_the_first_label():
    tasks = make_tasks()
    found = rollout(tasks, [margin], starts=[np.array([0, 1]) for _ in tasks])
    for t, task in enumerate(tasks):
        curve = found.curves[0][t]
        seen = [len(np.unique(task.pool.y[curve.queried[:n]])) for n in range(1, 11)]
        wanted = next((n for n, k in enumerate(seen, 1) if k == task.n_classes), None)
        assert curve.n_all_seen == wanted


def test_shorter_budgets_end_earlier():
    found = rollout(make_tasks(budgets=(3, 8, 5)), [margin])
    assert [len(curve.metrics["accuracy"]) for curve in found.curves[0]] == [4, 9, 6]
    assert [len(curve.queried) - curve.n_start for curve in found.curves[0]] == [3, 8, 5]


@pytest.mark.parametrize(
    "name", ["margin", "entropy", "k_farthest_then_margin", "uncertainty_herding", "default"]
)
def test_rows_and_curves_are_those_of_the_reference_loop(name):
    """With a learner whose probabilities do not tie, from the same first labels."""
    tasks = make_tasks("logistic_regression")
    starts = [Episode(task, 5).pool.order for task in tasks]
    policy = load_as(PoolPolicy, "default")
    strategy = policy if name == "default" else make_strategy(name)
    rank = policy_ranker(policy) if name == "default" else rule_ranker(name, strategy)
    found = rollout(tasks, [rank], starts=starts)
    for t, task in enumerate(tasks):
        wanted = lal.run_episode(strategy, task, seed=5, part="reward")
        curve = found.curves[0][t]
        assert np.array_equal(curve.queried, wanted.queried)
        assert np.array_equal(curve.n_labels, wanted.n_labels)
        assert curve.n_all_seen == wanted.n_all_seen
        for metric, values in wanted.metrics.items():
            assert curve.metrics[metric] == pytest.approx(values, abs=1e-3)


def test_two_stages_are_those_of_the_reference_loop():
    tasks = make_tasks("logistic_regression")
    starts = [Episode(task, 5).pool.order for task in tasks]
    first = load_as(PoolPolicy, "default")
    names = [*PoolPolicy.FIELDS, "tensors"]
    end = {"op": "select", "in": ["candidates"], "out": ["u"], "columns": [25]}
    policy = TwoStagePolicy(
        **{name: getattr(first, name) for name in names}, shortlist=8,
        refine_features=("what_if_error@1",), refine_program={"ops": [end], "output": "u"},
    )  # fmt: skip
    once, twice = rollout(
        tasks, [policy_ranker(first), policy_ranker(policy)], starts=starts
    ).curves
    for t, task in enumerate(tasks):
        wanted = lal.run_episode(policy, task, seed=5, part="reward")
        assert np.array_equal(twice[t].queried, wanted.queried)
        assert not np.array_equal(twice[t].queried, once[t].queried)


def test_policies_of_other_features_are_refused_by_name():
    with pytest.raises(UsageError, match="policy 'margin' reads other features"):
        rollout(make_tasks(), [policy_ranker(load_policy("margin"))])


def test_a_missing_feature_is_named():
    with pytest.raises(UsageError, match=r"needs the candidate feature margin@1; .* entropy@1"):
        rollout(make_tasks(), [margin], features=(["entropy@1"], None))


def test_no_ranker_is_refused():
    with pytest.raises(UsageError, match="at least one ranker"):
        rollout(make_tasks(), [])


def test_a_rule_without_a_form_is_refused_by_name():
    with pytest.raises(UsageError, match="'query_by_committee' has no compiled form"):
        rule_ranker("query_by_committee", make_strategy("query_by_committee"))


FIRST: dict[str, dict[str, float]] = {
    "epsilon_margin": {"epsilon": 0.0},
    "k_farthest_then_margin": {"k": 0},
    "typiclust_then_margin": {"k": 0},
}


@pytest.mark.parametrize("name", sorted(FIRST))
def test_rules_that_do_not_explore_are_margin(name):
    tasks = make_tasks()
    plain = rule_ranker(name, make_strategy(name, **FIRST[name]))
    curious = rule_ranker(name, make_strategy(name, **{k: 1.0 if k == "epsilon" else 5
                                                       for k in FIRST[name]}))  # fmt: skip
    found = rollout(tasks, [margin, plain, curious], seed=2)
    assert all(map(equal, found.curves[0], found.curves[1]))
    assert not all(map(equal, found.curves[0], found.curves[2]))


@pytest.mark.parametrize("name", sorted(set(RULES) - {"random", "epsilon_margin"}))
@pytest.mark.parametrize("known", [False, True])
def test_rules_rank_states_as_the_strategies_do(name, known):
    """Farthest-first and typical rows while exploring, margin after: the strategies' own picks."""
    tasks = make_tasks(classes_known=known)
    options = {"k": "2C"} if "then_margin" in name else {}
    strategy = make_strategy(name, **options)
    simulator = PoolSimulator(tasks, len(tasks), slate_size=40)
    simulator.reset(tasks=np.arange(3), starts=[[0, 1, 2], [3, 4, 5], [7, 8, 9]])
    streams = [generator(0, "x", e) for e in range(3)]
    view = View(simulator, slice(0, 3), streams)
    found = rule_ranker(name, strategy)(view)
    for e, task in enumerate(tasks):
        episode = Episode(replace(task, start=1), 0)
        episode.pool = type(episode.pool)(task.pool.X, task.n_classes)
        for row in simulator.labelled_rows(e):
            episode.label(int(row))
        wanted = strategy.utilities(episode.state(), generator(0, "x", e))
        there = view.mask[e]
        rows = simulator.slates[e, there]
        best = rows[np.argmax(found[e, there])]
        assert wanted[best] == pytest.approx(wanted[rows].max(), abs=2e-3)


def test_a_program_that_reads_the_reference_set_is_given_the_open_rows():
    tasks = make_tasks()
    features = ("margin@1", "density@1"), ("n_labelled@1",)
    scorer = compile_program(
        {"ops": [{"op": "masked_mean", "in": ["reference"], "out": ["m"]},
                 {"op": "mul", "in": ["m", "candidates"], "out": ["s"]},
                 {"op": "affine", "in": ["s"], "out": ["u"], "weight": "w"}], "output": "u"},
        {"w": np.array([[-1.0, 1.0]])}, n_candidate=2, n_context=1,
    )  # fmt: skip
    simulator = PoolSimulator(
        tasks, 3, slate_size=40, candidate_features=features[0], context_features=features[1]
    )
    simulator.reset(tasks=np.arange(3))
    view = View(simulator, slice(0, 3), [generator(0, e) for e in range(3)])
    found = scorer_ranker(scorer)(view)
    for e in range(3):
        rows = view.candidates[e, view.mask[e]].astype(float)
        inputs = {"candidates": rows, "reference": rows, "context": view.context[e].astype(float)}
        assert found[e, view.mask[e]] == pytest.approx(scorer.run(inputs), abs=1e-9)
    curve = rollout(tasks, [scorer_ranker(scorer)], features=features).curves[0][0]
    assert len(curve.queried) == curve.n_start + 8


def test_utilities_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match=r"utilities on task '\w+/gaussian_nb' are not finite"):
        rollout(make_tasks(), [lambda view: np.full(view.mask.shape, np.nan)])


def test_play_calls_before_every_step_and_marks_what_has_ended():
    tasks = make_tasks(budgets=(2, 4, 4))
    simulator = PoolSimulator(tasks, 3, slate_size=40)
    simulator.reset(tasks=np.arange(3))
    seen = []

    def utilities(alive):
        seen.append((alive.copy(), simulator.n_labelled.copy()))
        return np.zeros(simulator.slates.shape)

    given = [alive.copy() for alive, _ in islice(play(simulator, utilities), 9)]
    assert [a.tolist() for a in given] == [[True] * 3] * 2 + [[False, True, True]] * 2
    assert all(np.array_equal(a, b) for a, (b, _) in zip(given, seen, strict=True))
    labels = np.array([n for _, n in seen])
    assert (np.diff(labels[:, 1]) == 1).all()
