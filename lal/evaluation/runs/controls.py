"""Controls: the methods that every policy is compared with.

``rules`` are hand-written. ``all`` adds the greedy oracles and, for every learned policy, five
copies of itself with redrawn weights and a linear scorer of its own features. A copy trained on
shuffled targets has to be trained: list its file, whose card says what it is.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from lal.arrays import Floats
from lal.data.prior import sample_dataset
from lal.episode import Episode, log_likelihood
from lal.errors import DataError, UsageError
from lal.evaluation.runs.methods import ORACLE_LABELS, MethodSpec, parse_method
from lal.features import candidate_matrix
from lal.learners import make_learner
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator, integer_seed
from lal.task_kind import CLASSIFICATION, TaskKind
from lal.tasks.splits import make_task

Controls = Literal["none", "rules", "all"]

RULES = (
    "random",
    "margin",
    "margin-as-policy=policy:margin?role=strategy",
    "epsilon5=epsilon_margin?epsilon=0.05",
    "epsilon10=epsilon_margin?epsilon=0.1",
    "epsilon20=epsilon_margin?epsilon=0.2",
    "farthest5=k_farthest_then_margin?k=5",
    "farthest10=k_farthest_then_margin?k=10",
    "farthest2C=k_farthest_then_margin?k=2C",
    "typiclust_then_margin",
    "uncertainty_herding",
)
"""Hand-written controls; the k of TypiClust was chosen on synthetic tasks."""

NUMBER_RULES = (
    "random",
    "greedy_sampling_x",
    "greedy_sampling_y",
    "improved_greedy_sampling",
    "committee_variance",
    "expected_model_change",
)
"""The same in regression; predictive_variance is not among them, as not every learner has one."""

N_UNTRAINED = 5

N_TASKS = 40
"""Synthetic tasks that the linear scorer is fitted on."""


def with_controls(
    methods: Sequence[MethodSpec],
    which: Controls,
    folder: Path,
    *,
    kind: TaskKind = CLASSIFICATION,
) -> list[MethodSpec]:
    """Return the methods and those controls that are not among them by label.

    Args:
        methods: What was listed.
        which: Group of controls.
        folder: Where copies of policies are written.
        kind: What a label is. In regression there are neither oracles nor linear scorers.
    """
    if which == "none":
        return list(methods)
    added = [parse_method(text) for text in (RULES if kind == CLASSIFICATION else NUMBER_RULES)]
    if which == "all":
        if kind == CLASSIFICATION:
            oracles = ORACLE_LABELS.values()
            added += [MethodSpec(label, label, role="oracle") for label in oracles]
        learned = [e for e in methods if e.role == "policy"]
        for method in learned:
            suffix = "" if len(learned) == 1 else f"-{method.label}"
            added += _copies(method, suffix, folder, kind)
    listed = {e.label for e in methods}
    return [*methods, *(e for e in added if e.label not in listed)]


def _copies(method: MethodSpec, suffix: str, folder: Path, kind: TaskKind) -> list[MethodSpec]:
    policy = load_as(PoolPolicy, method.spec.removeprefix("policy:"))
    made = {f"untrained{i}{suffix}": untrained_copy(policy, i) for i in range(N_UNTRAINED)}
    if kind == CLASSIFICATION:
        made[f"linear{suffix}"] = linear_copy(policy)
    found = []
    for label, copy in made.items():
        path = folder / f"{label}-{method.sha256[:12]}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        copy.save(path)
        found.append(parse_method(f"{label}={path}"))  # the copy's card says its role
    return found


def untrained_copy(policy: PoolPolicy, seed: int) -> PoolPolicy:
    """Return the policy with every weight redrawn: same architecture, same features, same scale.

    Numbers of each real tensor are shuffled within it and given random signs; the structure of
    trees, which is whole numbers, stays.
    """
    rng = generator(seed, "untrained", policy.name)
    tensors = {}
    for name in sorted(policy.tensors):
        value = np.asarray(policy.tensors[name])
        if value.dtype.kind == "f":
            drawn = rng.permutation(value.ravel()) * rng.choice([-1.0, 1.0], value.size)
            value = drawn.reshape(value.shape).astype(value.dtype)
        tensors[name] = value
    card = {**policy.card, "control": "untrained"}
    return replace(policy, name=f"{policy.name}-untrained{seed}", tensors=tensors, card=card)


def linear_copy(policy: PoolPolicy, *, n_tasks: int | None = None, seed: int = 0) -> PoolPolicy:
    """Return the best linear scorer of the policy's candidate features on synthetic tasks.

    Least squares (ridge) from features to what the true label of a row adds to the
    log-likelihood of held-out rows, both centred within each state. No real data set is used.

    Args:
        policy: Names the features.
        n_tasks: Synthetic tasks to learn from; `N_TASKS` when None.
        seed: Seed of tasks and states.
    """
    n_tasks = N_TASKS if n_tasks is None else n_tasks
    rows, gains = [], []
    for i in range(n_tasks):
        for features, gain in _lessons(policy, integer_seed(seed, "linear", i)):
            rows.append(features - features.mean(axis=0))
            gains.append((gain - gain.mean()) / (gain.std() + 1e-9))
    weights = ridge(np.concatenate(rows), np.concatenate(gains))
    op = {"op": "affine", "in": ["candidates"], "out": ["utility"], "weight": "w"}
    return PoolPolicy(
        name=f"{policy.name}-linear",
        candidate_features=policy.candidate_features,
        program={"ops": [op], "output": "utility"},
        tensors={"w": weights[None, :]},
        selection=policy.selection,
        class_symmetric=policy.class_symmetric,
        card={
            "summary": f"The linear scorer of {policy.name}'s features, by least squares.",
            "trained_on": f"{n_tasks} synthetic tasks of the prior, seed {seed}",
            "control": "linear",
        },
    )


def ridge(X: Floats, y: Floats, strength: float = 1e-2) -> Floats:
    """Return ridge weights of raw columns, the penalty on columns of unit scale, shape (F,)."""
    scale = X.std(axis=0)
    used = scale > 1e-12
    Z = X[:, used] / scale[used]
    weights = np.zeros(X.shape[1])
    inner = Z.T @ Z + strength * len(Z) * np.eye(int(used.sum()))
    weights[used] = np.linalg.solve(inner, Z.T @ y) / scale[used]
    return weights


def _lessons(policy: PoolPolicy, seed: int) -> list[tuple[Floats, Floats]]:
    """Return features (n, F) and true gains (n,) of some rows in two states of a task."""
    rng = generator(seed, "lessons")
    try:
        task = make_task(
            sample_dataset(rng), make_learner("logistic_regression"), seed=seed,
            budget=1, reward_share=0.4, test_share=0.0, max_pool=200,
        )  # fmt: skip
    except (DataError, UsageError):
        return []  # equal rows count once: what is left is too small for a task
    episode = Episode(task, seed)
    found = []
    for size in (5, 20):
        while episode.spent < min(size, len(episode.pool) - 2):
            episode.label(int(rng.choice(episode.pool.open)))
        state = episode.state()
        if state.proba is None:
            continue
        few = rng.choice(state.open, size=min(20, len(state.open)), replace=False)
        gains = np.array([_gain(episode, int(row)) for row in few])
        found.append((candidate_matrix(state, policy.candidate_features, few), gains))
    return found


def _gain(episode: Episode, row: int) -> float:
    copy = episode.fork()
    copy.label(row)
    return copy.measure(copy.task.reward_part(), {"gain": log_likelihood})["gain"]
