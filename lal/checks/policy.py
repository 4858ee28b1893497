"""Check a policy: all of a strategy's contract, query, files, and names of classes."""

import tempfile
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from lal.checks.states import (
    CLOSE,
    globals_untouched,
    renamed,
    require,
    sample_regression_state,
    sample_state,
    states,
)
from lal.checks.strategy import check_strategy
from lal.features import candidate_matrix
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PolicyRangeWarning, PoolPolicy
from lal.state import QueryState
from lal.task_kind import REGRESSION


def check_policy(policy: PoolPolicy | str) -> None:
    """Check a policy: all of a strategy's contract, query, files, and names of classes.

    Args:
        policy: A policy, or the name of a shipped one, or a path.

    Raises:
        CheckError: The first sentence of the contract that is broken.
    """
    made = load_as(PoolPolicy, policy) if isinstance(policy, str) else policy
    check_strategy(made)
    number = made.kinds == (REGRESSION,)
    for title, state in states(made.kinds):
        name = f"policy {made.name} ({title})"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PolicyRangeWarning)  # states are odd on purpose
            _check_query(made, state, name)
        if made.class_symmetric and state.kind != REGRESSION:
            same = np.allclose(made.utilities(renamed(state)), made.utilities(state), atol=CLOSE)
            require(same, f"{name} depends on the names of classes; say class_symmetric=False")
    _check_file(made, sample_regression_state() if number else sample_state())


def _check_query(policy: PoolPolicy, state: QueryState, name: str) -> None:
    number = state.kind == REGRESSION
    clf = Ridge() if number else LogisticRegression(max_iter=1000)
    y = np.full(state.N, None, dtype=object)
    y[state.labelled] = state.labels if number else [f"class {c}" for c in state.labels]
    y[y == None] = policy.missing_label  # noqa: E711  (elementwise)
    query = partial(policy.query, state.X, y, clf, return_utilities=True, task=state.kind)
    with globals_untouched(name):
        picked, table = query(batch_size=4)
    require(not hasattr(clf, "n_features_in_"), f"{name} fits the classifier that it was given")
    require(table.shape == (4, state.N), f"{name} gives utilities of shape {table.shape}")
    hidden = np.isnan(table[0, state.labelled]).all() and np.isnan(table[3, picked[:3]]).all()
    require(bool(hidden), f"{name} shows utilities of rows that cannot be asked")
    require(len(set(picked.tolist())) == 4, f"{name} chooses a row twice in a batch")
    few = state.open[::5]
    one, part = query(candidates=few)
    require(int(one[0]) in set(few.tolist()), f"{name} answers outside the candidates")
    same = np.allclose(part[0, few], table[0, few], atol=CLOSE)
    require(same, f"{name} depends on which rows may be asked")
    given = state.X[few]
    one, part = query(candidates=given)
    require(0 <= int(one[0]) < len(few), f"{name} must index candidates that are samples")
    require(part.shape == (1, len(few)), f"{name} gives utilities of shape {part.shape}")


def _check_file(policy: PoolPolicy, state: QueryState) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.safetensors"
        policy.save(path)
        loaded = load_as(PoolPolicy, path)
    same = np.array_equal(loaded.utilities(state), policy.utilities(state))
    require(same, f"policy {policy.name} answers differently after saving and loading")
    matrix = candidate_matrix(state, policy.candidate_features)
    require(bool(np.isfinite(matrix).all()), f"policy {policy.name} reads features not finite")
