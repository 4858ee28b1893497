from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")
from sklearn.linear_model import RidgeClassifier

from envs.pool_env import PoolEnv
from envs.simulator.kernels.features.names import CANDIDATE_KERNELS, CONTEXT_KERNELS
from envs.simulator.pool import PoolSimulator
from envs.simulator.pool_rules import METRIC_NAMES
from lal.episode import METRICS, Episode
from lal.errors import DataError, UnknownNameError, UsageError
from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES
from lal.features.base import FEATURES, candidate_matrix, context_vector
from lal.learners import make_learner
from lal.oracle import Oracle
from lal.pool import Pool
from lal.task import Part, Task
from lal.tasks.rewards import REWARDS
from lal.tasks.slates import SLATES

LEARNERS = {
    "logistic_regression": "logistic_regression",
    "knn": "knn",
    "gaussian_nb": "gaussian_nb",
    "ridge": RidgeClassifier(),
    "random_forest": "random_forest",
    "gp": "gp",
}
EXACT = [name for name in LEARNERS if name != "random_forest"]


def make(learner="knn", *, seed=0, C=3, D=4, N=40, T=60, budget=8, **options):
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(C), np.arange(C), rng.integers(C, size=N + T - 2 * C)]
    X = rng.normal(size=(N + T, D)) + 1.2 * rng.normal(size=(C, D))[y]
    order = rng.permutation(N)
    return Task(
        name=f"blobs{seed}",
        family="blobs",
        learner=make_learner(LEARNERS.get(learner, learner)),
        n_classes=C,
        pool=Part(X[order], y[order]),
        test=None,
        reward=Part(X[N:], y[N:]),
        budget=budget,
        **options,
    )


def replayed(task, rows, n_start):
    """Return the loop's episode in which the same rows were bought in the same order."""
    episode = Episode(task, 0)
    episode.pool, episode._model = Pool(task.pool.X, task.n_classes), None
    episode._oracle = Oracle(task.pool.y)
    for row in rows:
        episode.label(int(row))
    episode.n_start = n_start
    return episode


def some_steps(sim, n, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(n):
        mask = sim.observations.mask
        yield sim.step(np.array([rng.choice(np.flatnonzero(m)) for m in mask]))


@pytest.mark.parametrize("learner", EXACT)
def test_probabilities_and_metrics_are_those_of_scikit_learn(learner):
    tasks = [make(learner, seed=s, C=2 + s % 3) for s in range(6)]
    sim = PoolSimulator(tasks, 6, slate_size=10)
    sim.reset(tasks=np.arange(6))
    for _ in some_steps(sim, 6):
        for e, task in enumerate(tasks):
            rows = sim.labelled_rows(e)
            episode = replayed(task, rows, 1)
            exact = episode.model.predict_proba(np.r_[task.pool.X, task.reward_part().X])
            np.testing.assert_allclose(sim.proba(e), exact, atol=3e-4)
            measured = episode.measure(task.reward_part(), METRICS)
            np.testing.assert_allclose(sim.metrics[e], list(measured.values()), atol=1e-3)
            assert sim.metrics[e, 0] == measured["accuracy"]


@pytest.mark.parametrize("classes_known", [False, True])
@pytest.mark.parametrize("scope", ["candidate", "context"])
def test_every_feature_with_a_kernel_equals_its_definition(scope, classes_known):
    kernels = CANDIDATE_KERNELS if scope == "candidate" else CONTEXT_KERNELS
    learners = list(LEARNERS)
    tasks = [
        make(
            learners[s % 6], seed=s, C=2 + s % 4, D=1 + 2 * s, classes_known=classes_known,
            budget_known=s % 2 == 0,
        )
        for s in range(12)
    ]  # fmt: skip
    sim = PoolSimulator(
        tasks,
        12,
        slate_size=12,
        candidate_features=[*kernels] if scope == "candidate" else ["margin@1"],
        context_features=[*kernels] if scope == "context" else [],
    )
    sim.reset(tasks=np.arange(12), starts=[[0]] * 12)
    for observations, _ in some_steps(sim, 7):
        for e, task in enumerate(tasks):
            rows, proba = sim.labelled_rows(e), sim.proba(e)[: len(task.pool)]
            state = replayed(task, rows, 1).state()
            seen = np.unique(task.pool.y[rows])
            if state.proba is not None:
                state = replace(state, proba=proba if classes_known else proba[:, seen])
            slate = sim.slates[e][sim.slates[e] >= 0]
            names = list(kernels)
            if scope == "context":
                values = {n: context_vector(state, [n]) for n in names}
                found = dict(zip(names, observations.context[e], strict=True))
            else:
                values = {n: candidate_matrix(state, [n], slate)[:, 0] for n in names}
                found = dict(zip(names, observations.candidates[e, : len(slate)].T, strict=True))
            for name in names:
                if (
                    name == "committee_spread@1"
                    and "Forest" in type(task.learner.estimator).__name__
                ):
                    continue  # another forest; its bounds are tested below
                if name == "margin_z@1" and state.proba is not None:
                    two = np.sort(state.proba, axis=1)[:, -2:]
                    if (two[:, 1] - two[:, 0]).std() < 1e-4:
                        continue  # a ratio of differences that seven digits do not hold
                # Values equal in the six digits of a rank count as ties, two of forty at most.
                slack = 1.0 / len(state.reference) if "_rank@" in name else 1e-4
                np.testing.assert_allclose(found[name], values[name], atol=slack, err_msg=name)


def test_default_features_have_kernels():
    assert set(DEFAULT_CANDIDATE_FEATURES) <= set(CANDIDATE_KERNELS)
    assert set(DEFAULT_CONTEXT_FEATURES) <= set(CONTEXT_KERNELS)
    assert set(CANDIDATE_KERNELS) | set(CONTEXT_KERNELS) <= set(FEATURES)


def test_committee_spread_is_about_that_of_scikit_learn():
    task = make("random_forest", N=100, T=20, classes_known=True)
    sim = PoolSimulator([task], 1, slate_size=80, candidate_features=["committee_spread@1"])
    sim.reset(starts=[list(range(15))])
    state = replayed(task, range(15), 15).state()
    exact = candidate_matrix(state, ["committee_spread@1"], sim.slates[0])[:, 0]
    assert abs(sim.observations.candidates[0, :, 0].mean() - exact.mean()) < 0.05
    assert np.corrcoef(sim.observations.candidates[0, :, 0], exact)[0, 1] > 0.8


@pytest.mark.parametrize("termination", ["budget", "target", "both"])
@pytest.mark.parametrize("reward", sorted(REWARDS))
def test_rewards_and_terminations_are_those_of_the_environment(reward, termination):
    if REWARDS[reward].needs_whole_budget and termination != "budget":
        pytest.skip("the environment refuses it too")
    # Margins of logistic regression have no ties, which would be broken by other random numbers.
    task = make("logistic_regression", N=14, T=50, budget=6)
    env = PoolEnv(task, slate_size=14, reward=reward, termination=termination)
    sim = PoolSimulator([task], 1, slate_size=14, reward=reward, termination=termination)
    rng = np.random.default_rng(3)
    for seed in range(3):
        _, info = env.reset(seed=seed)
        assert env._episode is not None
        start = env._episode.pool.order.tolist()
        sim.reset(starts=[start])
        over = False
        while not over:
            row = int(rng.choice(info["pool_indices"][info["pool_indices"] >= 0]))
            slot = int(np.flatnonzero(info["pool_indices"] == row)[0])
            _, expected, terminated, truncated, info = env.step(slot)
            _, steps = sim.step_rows(np.array([row]))
            assert steps.rewards[0] == pytest.approx(expected, abs=1e-3)
            assert (steps.terminated[0], steps.truncated[0]) == (terminated, truncated)
            assert steps.metrics[0] == pytest.approx([info[m] for m in METRIC_NAMES], abs=1e-3)
            over = terminated or truncated


def test_batches_wait_for_their_last_label():
    task = make("knn", N=30, budget=5)
    sim = PoolSimulator([task], 1, slate_size=10, batch_size=2)
    sim.reset(starts=[[0, 1, 2]])
    counts, rewards = [], []
    for observations, steps in some_steps(sim, 5):
        counts.append(int(sim.n_labelled[0]))
        rewards.append(float(steps.rewards[0]))
        if len(counts) in (1, 3):
            assert observations.mask.sum() == 9
            assert (observations.candidates[0][observations.mask[0] == 0] == 0).all()
    assert counts[:4] == [3, 5, 5, 7]
    assert rewards[0] == rewards[2] == 0.0
    assert steps.done[0]


def test_an_episode_goes_its_way_whatever_the_number_of_episodes_and_threads():
    tasks = [make(name, seed=s) for s, name in enumerate(LEARNERS)]
    trails = []
    for n_episodes, threads in ((3, 1), (8, 1), (8, 2)):
        sim = PoolSimulator(
            tasks, n_episodes, slate_size=10, slate_rule="half_uncertain", seed=5, threads=threads,
            label_noise=0.2,
        )  # fmt: skip
        sim.reset()
        trail = []
        for step in range(12):
            _, steps = sim.step(np.full(n_episodes, step % 10))
            trail.append((sim.observations.candidates[:3].copy(), steps.rewards[:3].copy()))
        trails.append(trail)
    for other in trails[1:]:
        for (a, b), (c, d) in zip(trails[0], other, strict=True):
            assert (a == c).all()
            assert (b == d).all()


def test_two_seeds_two_trails():
    starts = []
    for seed in (0, 1):
        sim = PoolSimulator([make()], 4, slate_size=5, seed=seed)
        sim.reset()
        starts.append(sim.slates.copy())
    assert (starts[0] != starts[1]).any()


@pytest.mark.parametrize("learner", EXACT)
def test_looking_ahead_gives_what_labelling_would_and_leaves_no_trace(learner):
    tasks = [make(learner, seed=s, C=2 + s % 3) for s in range(4)]
    sim = PoolSimulator(tasks, 4, slate_size=6)
    sim.reset(tasks=np.arange(4), starts=[[0, 1, 2, 3]] * 4)
    next(some_steps(sim, 1))
    before, labelled = sim.metrics.copy(), [sim.labelled_rows(e) for e in range(4)]
    found = sim.lookahead_metrics()
    assert (sim.metrics == before).all()
    assert all((sim.labelled_rows(e) == labelled[e]).all() for e in range(4))
    for e, task in enumerate(tasks):
        for k, row in enumerate(sim.slates[e]):
            episode = replayed(task, [*labelled[e], row], 4)
            measured = episode.measure(task.reward_part(), METRICS)
            expected = [measured[name] for name in METRIC_NAMES]
            assert found[e, k] == pytest.approx(expected, abs=1e-3)
    assert (sim.lookahead_metrics(sim.slates[:, :3]) == found[:, :3]).all()


def test_looking_ahead_skips_closed_slots_and_averages_forests():
    sim = PoolSimulator([make("random_forest")], 1, slate_size=6)
    sim.reset(starts=[list(range(8))])
    rows = np.array([[10, -1, 11]])
    one, many = (sim.lookahead_metrics(rows, repeats=r) for r in (1, 8))
    assert np.isnan(one[0, 1]).all()
    assert np.isfinite(many[0, [0, 2]]).all()
    with pytest.raises(UsageError, match="row 3 of episode 0 is not open"):
        sim.lookahead_metrics(np.array([[3]]))


def test_half_of_an_uncertain_slate_has_the_smallest_margins():
    sim = PoolSimulator([make(N=40)], 1, slate_size=10, slate_rule="half_uncertain")
    sim.reset(starts=[list(range(10))])
    proba = np.sort(sim.proba(0)[:40], axis=1)
    margin = proba[:, -1] - proba[:, -2]
    slate = sim.slates[0]
    assert len(set(slate)) == 10
    assert set(slate) <= set(sim.open_rows(0))
    limit = np.sort(margin[sim.open_rows(0)])[4]
    assert (margin[slate] <= limit).sum() >= 5


def test_label_noise_flips_about_its_share():
    task = make("knn", N=400, budget=200, C=4)
    sim = PoolSimulator([task], 1, slate_size=5, label_noise=0.4)
    sim.reset()
    for _ in some_steps(sim, 150):
        pass
    rows = sim.labelled_rows(0)
    wrong = (sim._episodes.labels[0, : len(rows)] != task.pool.y[rows]).mean()
    assert 0.2 < wrong < 0.4  # 0.4 times the three other classes of four


def test_what_has_no_kernel_is_refused_by_name(monkeypatch):
    monkeypatch.setitem(SLATES._members, "best", SLATES["random"])
    monkeypatch.setitem(REWARDS._members, "gold", REWARDS["accuracy_gain"])
    task = make()
    with pytest.raises(UsageError, match=r"no kernel for the features lal_forest@1.*PoolEnv"):
        PoolSimulator([task], candidate_features=["margin@1", "lal_forest@1"])
    with pytest.raises(UsageError, match=r"'extra_trees'.*no compiled kernel"):
        PoolSimulator([make("extra_trees")])
    with pytest.raises(UsageError, match="max_depth=3"):
        PoolSimulator([_shallow()])
    with pytest.raises(UsageError, match="slate rule 'best' has no kernel"):
        PoolSimulator([task], slate_rule="best")
    with pytest.raises(UsageError, match="reward 'gold' has no kernel"):
        PoolSimulator([task], reward="gold")
    with pytest.raises(UnknownNameError, match="unknown reward 'accuracy_gian'; did you mean"):
        PoolSimulator([task], reward="accuracy_gian")
    with pytest.raises(UsageError, match="has a balanced start, which is not compiled"):
        PoolSimulator([replace(task, balanced_start=True)])
    X = task.pool.X.copy()
    X[0, 0] = np.nan
    with pytest.raises(DataError, match="missing or infinite"):
        PoolSimulator([replace(task, pool=Part(X, task.pool.y))])


def _shallow():
    from sklearn.ensemble import RandomForestClassifier

    return make(RandomForestClassifier(max_depth=3))


def test_wrong_use_is_refused():
    sim = PoolSimulator([make()], 2, slate_size=5)
    with pytest.raises(UsageError, match="call reset first"):
        sim.step(np.zeros(2, dtype=int))
    sim.reset()
    with pytest.raises(
        UsageError, match=r"shape \(2,\), one integer from 0 to 4 an episode; got shape \(3,\)"
    ):
        sim.step(np.zeros(3))
    with pytest.raises(UsageError, match="action 7 is not in 0 to 4"):
        sim.step(np.array([0, 7]))


def test_a_closed_slot_is_replaced_by_an_open_one():
    sim = PoolSimulator([make(N=12, budget=9)], 1, slate_size=12)
    sim.reset(starts=[[0, 1, 2, 3]])
    assert sim.observations.mask[0].sum() == 8
    _, steps = sim.step(np.array([11]))
    assert steps.invalid[0]
    assert steps.queried[0] in sim.labelled_rows(0)


def test_duplicate_constant_and_one_member_data_stay_finite():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(10, 3)) * [1.0, 1e4, 0.0], 6, axis=0)
    y = np.r_[np.zeros(30, int), np.ones(29, int), 2]
    for learner in LEARNERS.values():
        task = Task(
            "hard", "hard", make_learner(learner), 3, Part(X, y), None, Part(X, y), budget=20
        )
        sim = PoolSimulator([task], 4, slate_size=8)
        sim.reset()
        for observations, steps in some_steps(sim, 30):
            assert np.isfinite(observations.candidates).all()
            assert np.isfinite(observations.context).all()
            assert np.isfinite(steps.metrics).all()
