"""Two-stage policies: the shortlist on top, one contract with all pool policies, files."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import lal
from lal.checks import check_policy
from lal.checks.states import sample_state
from lal.errors import PolicyFileError, UsageError
from lal.features import candidate_matrix
from lal.features.what_if import FORMS
from lal.policies.kinds import KINDS, load_as
from lal.policies.pool_policy import PoolPolicy
from lal.policies.two_stage_policy import TwoStagePolicy, z_scores

FIRST = {
    "ops": [{"op": "affine", "in": ["candidates"], "out": ["u"], "weight": "first"}],
    "output": "u",
}


def make_policy(column=2, **changes):
    """Margin makes the shortlist; one column of the second program's candidates re-ranks it."""
    second = {
        "ops": [{"op": "select", "in": ["candidates"], "out": ["u"], "columns": [column]}],
        "output": "u",
    }
    fields = {
        "name": "twice", "candidate_features": ("margin@1", "min_distance@1"),
        "context_features": ("n_labelled@1",), "program": FIRST, "shortlist": 7,
        "refine_features": ("what_if_change@1",), "refine_program": second,
        "tensors": {"first": np.array([[-1.0, 0.25]])},
    }  # fmt: skip
    return TwoStagePolicy(**{**fields, **changes})


def first_stage(policy):
    names = [*PoolPolicy.FIELDS, "tensors"]
    return PoolPolicy(**{name: getattr(policy, name) for name in names})


def query(policy, state, **options):
    y = np.full(state.N, np.nan)
    y[state.labelled] = state.labels
    return policy.query(state.X, y, LogisticRegression(max_iter=1000), **options)


def test_contract():
    check_policy(make_policy())


def test_the_shortlist_comes_first_and_the_rest_stays():
    policy, state = make_policy(), sample_state()
    before, after = first_stage(policy).utilities(state), policy.utilities(state)
    best = state.open[np.argsort(-before[state.open])]
    short, rest = best[:7], np.setdiff1d(np.arange(state.N), best[:7])
    assert after[short].min() > after[rest].max()
    np.testing.assert_array_equal(after[rest], before[rest])
    wanted = candidate_matrix(state, ("what_if_change@1",), short)[:, 0]
    assert np.argsort(after[short]).tolist() == np.argsort(wanted).tolist()


def test_equal_rows_are_taken_into_the_shortlist_in_their_order():
    """Every second row is first; a quicksort would mix them."""
    policy, state = make_policy(), sample_state()
    rows = np.arange(state.N)
    rank = rows % 2.0
    places = np.setdiff1d(rows, state.labelled)
    wanted = places[places % 2 == 1][:7]
    assert policy._shortlist(state, rows, rank).tolist() == wanted.tolist()


def test_columns_of_the_second_program():
    policy, state = make_policy(), sample_state()
    rows = state.open[:5]
    utilities = np.arange(5.0)
    table = policy.refine_inputs(state, rows, utilities)["candidates"]
    plain = candidate_matrix(state, policy.candidate_features, rows)
    costly = candidate_matrix(state, policy.refine_features, rows)
    assert table.shape == (5, 2 + 2 * len(FORMS) + 1)
    np.testing.assert_array_equal(table[:, :2], plain)
    np.testing.assert_allclose(table[:, 2 : 2 + len(FORMS)], costly, atol=1e-12)
    np.testing.assert_allclose(table[:, -1], (utilities - 2.0) / np.sqrt(2.0))


def test_z_scores_by_hand():
    table = np.array([[1.0, 5.0], [3.0, 5.0]])
    np.testing.assert_allclose(z_scores(table), [[-1.0, 0.0], [1.0, 0.0]])
    far = np.r_[np.zeros(99), 1.0][:, None]
    assert z_scores(far).max() == 5.0


def test_without_a_model_the_first_stage_decides():
    policy, state = make_policy(), sample_state(n_classes=1)
    assert np.array_equal(policy.utilities(state), first_stage(policy).utilities(state))


def test_query_is_the_arg_max_of_the_utilities_in_batches_too():
    policy, state = make_policy(), sample_state()
    utilities = policy.utilities(state)
    assert query(policy, state)[0] == state.open[utilities[state.open].argmax()]
    batch = query(policy, state, batch_size=3)
    later = state.assume_label(int(batch[0]), state.predicted_label(int(batch[0])))
    assert batch[1] == later.open[policy.utilities(later)[later.open].argmax()]
    assert policy.batch_rule == "greedy"


def test_loop_and_bare_query_ask_for_the_same_rows():
    task = lal.make_task(
        lal.load_dataset("sklearn:wine"), lal.make_learner(LogisticRegression(max_iter=1000)),
        seed=1, budget=6, max_pool=60,
    )  # fmt: skip
    curve = lal.run_episode(make_policy(), task, seed=3)
    y = np.full(len(task.pool), np.nan)
    for n in range(curve.n_start, len(curve.queried)):
        y[curve.queried[:n]] = task.pool.y[curve.queried[:n]]
        clf = LogisticRegression(max_iter=1000)
        assert make_policy().query(task.pool.X, y, clf, classes=range(3))[0] == curve.queried[n]


def test_files_keep_everything(tmp_path):
    policy, state = make_policy(), sample_state()
    policy.save(tmp_path / "a.safetensors")
    loaded = lal.load_policy(tmp_path / "a.safetensors")
    assert type(loaded) is TwoStagePolicy
    assert loaded.to_fields() == {**policy.to_fields(), "card": loaded.card}
    assert np.array_equal(loaded.utilities(state), policy.utilities(state))
    assert type(load_as(PoolPolicy, tmp_path / "a.safetensors")) is TwoStagePolicy
    loaded.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert "two_stage" in KINDS


def test_a_pool_policy_is_not_taken_for_one(tmp_path):
    first_stage(make_policy()).save(tmp_path / "a.safetensors")
    with pytest.raises(PolicyFileError, match="of kind 'pool', expected 'two_stage'"):
        load_as(TwoStagePolicy, tmp_path / "a.safetensors")


def test_explain_names_the_features_of_the_stage_that_decides():
    policy, state = make_policy(), sample_state()
    order = state.open[np.argsort(-policy.utilities(state)[state.open])]
    told = policy.explain_state(state, int(order[0]))
    assert list(told) == ["margin@1", "min_distance@1", "what_if_change@1", "first utility"]
    assert told["margin@1"] == told["first utility"] == 0.0
    assert told["what_if_change@1"] < 0.0  # its value speaks for the best row
    assert list(policy.explain_state(state, int(order[-1]))) == ["margin@1", "min_distance@1"]
    values = policy.utilities(state)[order[:7]]  # of the shortlist: all of one column
    changes = [policy.explain_state(state, int(row))["what_if_change@1"] for row in order[:7]]
    own = values - values.mean()
    assert np.corrcoef(own, changes)[0, 1] == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"shortlist": 1}, PolicyFileError, "shortlist must be 2 to 256 rows, got 1"),
        ({"shortlist": 257}, PolicyFileError, "shortlist must be 2 to 256 rows, got 257"),
        ({"refine_features": ("n_labelled@1",)}, UsageError, "is a context feature"),
        ({"column": 15}, PolicyFileError, "column numbers below 15"),
        (
            {"refine_program": {
                "ops": [{"op": "masked_mean", "in": ["candidates"], "out": ["m"]},
                        {"op": "select", "in": ["m"], "out": ["u"], "columns": [0]}],
                "output": "u"}},
            PolicyFileError, "must score each row of the shortlist by itself",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        make_policy(**changes)


def test_names_of_classes_need_the_flag():
    uneven = [n for n in lal.features.FEATURES if not lal.features.FEATURES[n].class_symmetric]
    uneven = [n for n in uneven if lal.features.FEATURES[n].scope == "candidate"]
    with pytest.raises(UsageError, match="depends on class names; say class_symmetric=False"):
        make_policy(refine_features=(uneven[0],))


def test_a_copy_with_a_missing_label_is_the_same():
    policy, state = make_policy(), sample_state()
    other = replace(policy, missing_label=-1)
    assert np.array_equal(other.utilities(state), policy.utilities(state))


def test_a_policy_that_was_used_is_pickled():
    policy, state = make_policy(), sample_state()
    before = policy.utilities(state)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(policy)).utilities(state), before)


def test_some_rows_are_ranked_among_themselves():
    """The shortlist is that of the rows given; it begins one above the best first utility."""
    policy, state = make_policy(), sample_state()
    rows = state.open[3:20]
    first, found = first_stage(policy).score(state, rows), policy.score(state, rows)
    best = np.argsort(-first, kind="stable")[:7]
    assert found[best].min() == pytest.approx(first.max() + 1.0)
    rest = np.setdiff1d(np.arange(len(rows)), best)
    np.testing.assert_array_equal(found[rest], first[rest])
