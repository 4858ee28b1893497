import copy
import pickle

import gymnasium
import numpy as np
import pytest

pytest.importorskip("numba")
from gymnasium.utils.env_checker import data_equivalence

from envs.pool_vector_env import PoolVectorEnv
from lal.errors import UsageError
from lal.learners import make_learner
from lal.task import Part, Task


def make_task(seed=0, *, learner="gaussian_nb", C=3, D=4, N=40, T=30, budget=6, **options):
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(C), np.arange(C), rng.integers(C, size=N + T - 2 * C)]
    X = rng.normal(size=(N + T, D)) + 1.2 * rng.normal(size=(C, D))[y]
    return Task(
        name=f"blobs{seed}",
        family="blobs",
        learner=make_learner(learner),
        n_classes=C,
        pool=Part(X[:N], y[:N]),
        test=None,
        reward=Part(X[N:], y[N:]),
        budget=budget,
        **options,
    )


def draw_task(rng):
    """A task source whose pools differ in size, so that later tables are larger."""
    seed = int(rng.integers(1000))
    return make_task(seed, C=2 + seed % 3, D=2 + seed % 9, N=30 + seed % 50)


TASKS = tuple(make_task(seed) for seed in range(4))


def make(num_envs=4, **options):
    options = {"tasks": TASKS, "slate_size": 8, **options}
    return PoolVectorEnv(num_envs, **options)


def first_legal(observation):
    return np.argmax(observation["mask"], axis=1)


def play(env, steps, **reset):
    """Return the reset and the steps of the first legal actions."""
    observation, infos = env.reset(**reset)
    played = [(observation, infos)]
    for _ in range(steps):
        played.append(env.step(first_legal(observation)))
        observation = played[-1][0]
    return played


@pytest.mark.parametrize("mode", [None, "vector_entry_point"])
def test_make_vec_makes_the_compiled_backend(mode):
    env = gymnasium.make_vec(
        "lal/Pool-v0", num_envs=3, vectorization_mode=mode, tasks=TASKS, slate_size=8
    )
    assert isinstance(env, PoolVectorEnv)
    observation, _ = env.reset(seed=0)
    assert observation["candidates"].shape == (3, 8, 25)
    assert env.observation_space.contains(observation)
    assert env.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.SAME_STEP


def test_the_bare_id_plays_the_default_tasks():
    env = gymnasium.make_vec("lal/Pool-v0", num_envs=2, n_tasks=4)
    played = play(env, 20, seed=0)
    assert all(env.observation_space.contains(observation) for observation, *_ in played)
    assert isinstance(env.unwrapped, PoolVectorEnv)
    assert len(env.unwrapped.tasks) == 4


def test_the_final_observation_is_kept_and_the_next_episode_begins():
    env = make()
    played = play(env, 6, seed=1)
    assert not any("final_obs" in infos for *_, infos in played[:-1])
    observation, _, terminated, truncated, infos = played[-1]
    assert terminated.all()
    assert not truncated.any()
    assert infos["_final_obs"].all()
    for e in range(4):
        last = infos["final_obs"][e]
        assert env.single_observation_space.contains(last)
        assert not np.array_equal(last["candidates"], observation["candidates"][e])
    final = infos["final_info"]
    assert (final["n_labelled"] == played[0][1]["n_labelled"] + 6).all()
    assert (final["queried"] >= 0).all()
    assert (infos["queried"] == -1).all()
    assert (infos["n_labelled"] < final["n_labelled"]).all()
    assert (final["episode_number"] == 0).all()
    assert (infos["episode_number"] == 1).all()


def test_keeping_the_final_observation_changes_nothing_that_follows():
    """The slate after the last label is drawn from a stream that the next episode seeds anew."""
    env = make(num_envs=2)
    play(env, 7, seed=3)
    other = make(num_envs=2)
    other.reset(seed=3)
    other.reset()  # episode 1 of each, without having played episode 0
    observation = other.step(first_legal(_observation(other)))[0]
    assert data_equivalence(_observation(env), observation, exact=True)


def _observation(env):
    return env._observation()


def test_a_seed_names_everything_and_none_goes_on():
    env = make()
    first, again = play(env, 8, seed=5), play(env, 8, seed=5)
    assert data_equivalence(tuple(first), tuple(again), exact=True)
    assert data_equivalence(tuple(play(make(), 8, seed=5)), tuple(first), exact=True)
    assert not data_equivalence(tuple(play(env, 8, seed=6)), tuple(first), exact=True)
    assert not data_equivalence(env.reset()[0], first[0][0], exact=True)


def test_two_environments_without_a_seed_differ():
    assert not data_equivalence(make().reset()[0], make().reset()[0], exact=True)


def test_what_is_returned_does_not_change_later():
    env = make()
    played = play(env, 7, seed=2)
    kept = copy.deepcopy(played)
    play(env, 7)
    assert data_equivalence(tuple(played), tuple(kept), exact=True)


@pytest.mark.parametrize(
    "twin_of", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
@pytest.mark.parametrize("threads", [1, 2])
def test_copies_go_the_same_way_and_leave_the_original_alone(twin_of, threads):
    env = make(threads=threads, reward="step_cost", termination="both")
    observation = play(env, 3, seed=2)[-1][0]
    twin = twin_of(env)
    theirs, seen = [], observation
    for _ in range(5):
        theirs.append(twin.step(first_legal(seen)))
        seen = theirs[-1][0]
    ours, seen = [], observation
    for _ in range(5):
        ours.append(env.step(first_legal(seen)))
        seen = ours[-1][0]
    assert data_equivalence(tuple(ours), tuple(theirs), exact=True)


def test_a_reset_mask_begins_the_chosen_episodes_only():
    env = make()
    observation = play(env, 3, seed=2)[-1][0]
    mask = np.array([False, True, False, False])
    after, infos = env.reset(options={"reset_mask": mask})
    assert (infos["_n_labelled"] == mask).all()
    for key, values in observation.items():
        np.testing.assert_array_equal(after[key][~mask], values[~mask])
    assert infos["episode_number"].tolist() == [0, 1, 0, 0]
    assert not np.array_equal(after["candidates"][1], observation["candidates"][1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reset_mask": [True] * 3}, r"a reset mask must be 4 booleans, shape \(4,\)"),
        ({"reset_mask": np.ones(4)}, "a reset mask must be 4 booleans.*got float64"),
        ({"reset_mask": np.zeros(4, dtype=bool)}, "must choose at least one episode"),
        ({"task": 3}, "unknown reset option 'task'; expected reset_mask, tasks, starts"),
        ({"tasks": [0, 1, 2, 4]}, "task 4 is not in 0 to 3"),
        ({"tasks": [0, 1]}, r"tasks must give the position.*got shape \(2,\)"),
        ({"starts": [[0]]}, "starts must be 4 lists of pool rows, one an episode; got 1"),
        ({"starts": [[0], [1], [2], [40]]}, "the start of episode 3 must be at most"),
        ({"starts": [[0], [1], [2], [3.5]]}, r"starts must be integers, got \[3.5\]"),
        ({"starts": [[0], [1], [2], [3, 3]]}, "the start of episode 3 must be at most"),
    ],
)
def test_reset_options_are_checked(options, message):
    env = make()
    env.reset(seed=0)
    with pytest.raises(UsageError, match=message):
        env.reset(options=options)


def test_seeds_that_mean_something_else_are_refused():
    env = make()
    with pytest.raises(UsageError, match="one integer seed"):
        env.reset(seed=[1, 2, 3, 4])
    with pytest.raises(UsageError, match="seed must be an integer of at least 0, got -1"):
        env.reset(seed=-1)
    with pytest.raises(UsageError, match="reset all of them first"):
        env.reset(options={"reset_mask": np.ones(4, dtype=bool)})
    env.reset(seed=np.int64(3))
    with pytest.raises(UsageError, match="either a seed or a mask"):
        env.reset(seed=1, options={"reset_mask": np.ones(4, dtype=bool)})


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros(3, dtype=int), r"actions must have shape \(4,\).*got shape \(3,\)"),
        (np.zeros((4, 1), dtype=int), r"got shape \(4, 1\)"),
        (3, r"got shape \(\)"),
        (np.array([0.0, 1.0, 2.0, 3.5]), r"actions must be integers, got \[0.0, 1.0, 2.0, 3.5\]"),
        (np.array([0.0, 1.0, np.nan, 3.0]), "actions must be integers"),
        (["0", "1", "2", "3"], "actions must be integers, got an array of <U1"),
        ([0, 1, None, 2], "actions must be integers, got an array of object"),
        ([[0], [1, 2], [3], [4]], "actions must be integers, got a ragged list"),
        (np.ones(4, dtype=bool), "actions must be integers, got an array of bool"),
        ([0, 1, 2, 8], "action 8 is not in 0 to 7"),
        ([0, 1, 2, -1], "action -1 is not in 0 to 7"),
        (np.array([0, 0, 0, 2**63], dtype=np.uint64), "at most 62 bits"),
    ],
)
def test_actions_are_checked_before_a_kernel_sees_them(actions, message):
    env = make()
    with pytest.raises(UsageError, match="call reset first"):
        env.step(actions)
    observation, _ = env.reset(seed=0)
    with pytest.raises(UsageError, match=message):
        env.step(actions)
    assert data_equivalence(_observation(env), observation, exact=True)


@pytest.mark.parametrize("dtype", [np.int8, np.uint32, np.int64, np.float32])
def test_actions_of_any_whole_type_are_taken(dtype):
    actions = np.array([3, 2, 1, 0])
    env, other = make(), make()
    env.reset(seed=0)
    other.reset(seed=0)
    assert data_equivalence(env.step(actions), other.step(actions.astype(dtype)), exact=True)


def test_a_closed_environment_says_so():
    env = make()
    env.reset(seed=0)
    env.close()
    with pytest.raises(UsageError, match="the environment is closed"):
        env.step(np.zeros(4, dtype=int))


def test_masked_actions_are_replaced_or_refused():
    closed = {"tasks": TASKS[0], "slate_size": 40, "num_envs": 2}
    env, strict = make(**closed), make(**closed, strict=True)
    observation, infos = env.reset(seed=0)
    strict.reset(seed=0)
    action = np.argmin(observation["mask"], axis=1)
    assert not observation["mask"][np.arange(2), action].any()
    offered = infos["pool_indices"]
    *_, infos = env.step(action)
    assert infos["invalid_action"].all()
    assert all(q in row for q, row in zip(infos["queried"], offered, strict=True))
    with pytest.raises(UsageError, match=r"action \d+ of environment 0 is masked"):
        strict.step(action)


def test_max_episode_steps_truncates_and_keeps_the_observation_within_a_batch():
    env = make(max_episode_steps=3, batch_size=2)
    played = play(env, 3, seed=0)
    *_, terminated, truncated, infos = played[-1]
    assert truncated.all()
    assert not terminated.any()
    last = infos["final_obs"][0]
    assert last["mask"].sum() == 7  # the first slot of the second batch is chosen, not yet labelled
    assert not last["candidates"][last["mask"] == 0].any()
    assert (played[-1][0]["mask"] == 1).all()
    assert (infos["final_info"]["n_labelled"] == played[0][1]["n_labelled"] + 3).all()


def test_groups_share_everything_but_their_actions():
    env = make(num_envs=6, group_size=3)
    observation, infos = env.reset(seed=0)
    for key, values in observation.items():
        for e in (1, 2):
            np.testing.assert_array_equal(values[e], values[0], err_msg=key)
    assert not np.array_equal(observation["candidates"][3], observation["candidates"][0])
    for step in range(13):  # into the third episode, with actions that differ
        observation, _, _, _, infos = env.step(np.arange(6) if step % 6 < 5 else np.zeros(6, int))
    assert (infos["episode_number"] == 2).all()
    assert infos["task"][0] == infos["task"][1] == infos["task"][2]
    with pytest.raises(UsageError, match="groups of 4 do not divide 6 episodes"):
        make(num_envs=6, group_size=4)


def test_tasks_and_starts_can_be_named():
    env = make()
    _, infos = env.reset(
        seed=0, options={"tasks": np.array([3, 3, 1, 0]), "starts": [[5, 1, 2]] * 3 + [[7]]}
    )
    assert infos["task"].tolist() == ["blobs3", "blobs3", "blobs1", "blobs0"]
    assert infos["n_labelled"].tolist() == [3, 3, 3, 1]
    assert env.simulator.labelled_rows(0).tolist() == [5, 1, 2]


def test_a_source_is_drawn_anew_in_generations_that_change_no_episode():
    few = make(num_envs=2, tasks=draw_task, n_tasks=3, refresh=2, candidate_features=["margin@1"])
    seen = set()
    trail = []
    observation, infos = few.reset(seed=0)
    for _ in range(6 * 7):
        observation, rewards, *_, infos = few.step(first_legal(observation))
        seen.update(infos["task"])
        trail.append((observation["candidates"].copy(), rewards, infos["task"].copy()))
    assert len(seen) > 6
    assert len(few.tasks) <= 6
    more = make(num_envs=5, tasks=draw_task, n_tasks=3, refresh=2, candidate_features=["margin@1"])
    observation, _ = more.reset(seed=0)
    for expected in trail:  # other environments pull the tables elsewhere; these two do not notice
        observation, rewards, *_, infos = more.step(first_legal(observation))
        np.testing.assert_array_equal(observation["candidates"][:2], expected[0])
        np.testing.assert_array_equal(rewards[:2], expected[1])
        assert infos["task"][:2].tolist() == expected[2].tolist()
    again = [play(few, 4, seed=0)[-1][0] for _ in range(2)]
    assert data_equivalence(again[0], again[1], exact=True)
    np.testing.assert_array_equal(again[0]["candidates"], trail[3][0])


@pytest.mark.parametrize("learner", ["random_forest", "knn", "logistic_regression", "gp"])
def test_an_episode_under_way_survives_larger_tables(learner):
    """Episodes of one environment run on while the others take up tasks of the next generation."""

    def source(rng):
        seed = int(rng.integers(1000))
        return make_task(seed, learner=learner, N=30 + seed % 40, D=2 + seed % 6, budget=10)

    options = {"tasks": source, "n_tasks": 2, "refresh": 1, "num_envs": 2}
    quiet, moved = make(**options), make(**options)
    observation, _ = quiet.reset(seed=4)
    moved.reset(seed=4)
    for step in range(8):
        actions = first_legal(observation)
        observation = quiet.step(actions)[0]
        other = moved.step(actions)[0]
        for key, values in observation.items():
            np.testing.assert_array_equal(other[key][0], values[0], err_msg=key)
        if step % 2:
            moved.reset(options={"reset_mask": np.array([False, True])})
    assert moved.simulator._tasks.dropped == 0
    assert len(moved.tasks) > len(quiet.tasks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"candidate_features": ["lal_forest@1"]}, "no kernel for the features lal_forest@1"),
        ({"tasks": make_task(learner="extra_trees")}, "'extra_trees'.*no compiled kernel"),
        ({"render_mode": "rgb_array"}, "the compiled backend draws no pictures"),
        ({"num_envs": 0}, "n.* must be an integer of at least 1, got 0"),
        ({"num_envs": 2.5}, "num_envs must be an integer, got 2.5"),
        ({"label_noise": 2.0}, "label_noise must lie between 0 and 1"),
        ({"slate_size": 100_001}, "slate_size must be at most 100000, got 100001"),
        ({"batch_size": 9}, "batch_size must be from 1 to slate_size"),
    ],
)
def test_what_the_backend_cannot_do_is_refused_by_name(options, message):
    with pytest.raises(UsageError, match=message):
        make(**options)


def test_a_missing_kernel_names_the_reference_backend():
    with pytest.raises(UsageError, match=r"gymnasium\.make.*vectorization_mode='sync'"):
        make(candidate_features=["lal_forest@1"])


def test_a_search_for_a_target_may_label_the_whole_pool():
    """Far past the budget: the buffers must be as long as the pool."""
    task = make_task(C=2, N=120, budget=2)
    env = make(num_envs=2, tasks=task, termination="target", reward="step_cost", slate_size=5)
    env.simulator._outcomes._targets[0] = 2.0  # out of reach
    observation, infos = env.reset(seed=0)
    steps = 0
    while True:
        observation, _, terminated, _, infos = env.step(first_legal(observation))
        steps += 1
        if terminated.any():
            break
    e = int(np.flatnonzero(terminated)[0])
    assert infos["final_info"]["n_labelled"][e] == 120
    assert steps >= 117
    assert infos["final_obs"][e]["mask"].sum() == 0
    assert not infos["final_obs"][e]["candidates"].any()
    assert np.isfinite(infos["final_obs"][e]["context"]).all()


def test_gymnasiums_own_wrappers_take_it():
    env = gymnasium.make_vec(
        "lal/Pool-v0", num_envs=3, tasks=TASKS, slate_size=8, max_episode_steps=4
    )
    wrapped = gymnasium.wrappers.vector.RecordEpisodeStatistics(env)
    observation, _ = wrapped.reset(seed=0)
    earned = np.zeros(3)
    for _ in range(4):
        observation, rewards, _, truncated, infos = wrapped.step(first_legal(observation))
        earned += rewards
    assert truncated.all()
    np.testing.assert_allclose(infos["episode"]["r"], earned, atol=1e-6)
    assert infos["episode"]["l"].tolist() == [4, 4, 4]
    assert env.spec is not None
    assert env.spec.kwargs["num_envs"] == 3


def test_the_reference_is_one_argument_away():
    env = gymnasium.make_vec(
        "lal/Pool-v0",
        num_envs=2,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP},
        tasks=TASKS[0],
        slate_size=8,
    )
    compiled = make(num_envs=2, tasks=TASKS[0])
    assert env.single_observation_space == compiled.single_observation_space
    assert env.single_action_space == compiled.single_action_space
    mine, theirs = play(compiled, 6, seed=0), play(env, 6, seed=0)
    for step, other in zip(mine, theirs, strict=True):
        extra = {"episode_number", "_episode_number"}
        assert set(step[-1]) - extra == set(other[-1])
        assert {k: v.dtype for k, v in step[0].items()} == {k: v.dtype for k, v in other[0].items()}
    assert set(mine[-1][-1]["final_info"]) - extra == set(theirs[-1][-1]["final_info"])
    for name, values in theirs[-1][-1]["final_info"].items():
        assert mine[-1][-1]["final_info"][name].shape == values.shape, name
        assert mine[-1][-1]["final_info"][name].dtype == values.dtype, name
