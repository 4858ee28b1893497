"""Training of the gain-regression agent: make samples in parts, fit trees, export them.

Source: LAL (Konyushkova et al. 2017, arXiv 1703.03365) regresses gains of labels; ImitAL (Gonsior
et al. 2022, arXiv 2208.11636) compares candidates within a state. Here gains are centred within
their state, so that trees learn which candidate is better and not which state is early.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agents.gain_regression.config import GainConfig
from agents.gain_regression.samples import Samples, load_samples, make_samples
from agents.training.boosting import fit_boosted_trees
from agents.training.run_folder import RunFolder
from agents.training.slate_check import compare_with_slate
from agents.training.tasks import dev_tasks, feature_lists, training_card
from lal.arrays import Floats
from lal.episode import METRICS
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.policies.scoring.trees import from_sklearn_hist_gradient_boosting, tree_op
from lal.rng import generator
from lal.serialization import write_json


def train(config: GainConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`, or go on where it stopped; see `agents.registry.Agent.train`."""
    _check(config)
    run = RunFolder(folder, agent="gain_regression", config=config)
    if run.finished:
        return run.policy_path
    tasks = dev_tasks(config, config.n_dev_tasks)
    feature_lists(config)
    run.begin()
    write_json(folder / "data.json", training_card(config)["data"])
    samples = load_samples(_make_parts(config, folder / "samples", progress))
    targets = centred_targets(samples)
    if config.control == "shuffled_reward":
        targets = shuffled_within(targets, samples, generator(config.seed, "shuffle"))
    card = training_card(config)
    policy = _policy(config, samples.inputs, targets, name="gain_regression", card=card)
    check = compare_with_slate(
        policy, tasks, config.n_candidates, "half_uncertain", seed=config.seed
    )
    card = {**card, "n_states": config.n_states, "slate_check": check}
    _policy(config, samples.inputs, targets, name=policy.name, card=card).save(run.policy_path)
    metrics = {"n_samples": len(targets), "dev_area": check["whole_pool"]}
    run.write_metrics([metrics])
    run.finish({"config_hash": run.hash, "policy": run.policy_path.name, **metrics})
    return run.policy_path


def export_untrained(config: GainConfig, n: int) -> list[PoolPolicy]:
    """Return `n` ensembles of the same shape, fitted to noise on states without gains."""
    samples = make_samples(config, 0, measure=False)
    card = {**training_card(config), "control": "untrained"}
    policies = []
    for i in range(n):
        noise = generator(config.seed, "untrained", i).normal(size=len(samples.inputs))
        name = f"gain_regression_untrained_{i}"
        policies.append(_policy(config, samples.inputs, noise, name=name, card=card))
    return policies


def centred_targets(samples: Samples) -> Floats:
    """Return gains minus their state's mean, over their typical size at that many labels.

    The first labels move a model ten times more than later ones; without the division they would
    be all that is learned.
    """
    sums = np.bincount(samples.state, weights=samples.gains)
    counts = np.maximum(np.bincount(samples.state), 1)
    centred = samples.gains - (sums / counts)[samples.state]
    square = np.bincount(samples.bought, weights=centred**2)
    seen = np.bincount(samples.bought)
    window = np.ones(5)
    pooled = np.convolve(square, window, "same") / np.maximum(np.convolve(seen, window, "same"), 1)
    scale = np.sqrt(pooled)[samples.bought]
    targets: Floats = np.clip(centred / np.where(scale > 0, scale, 1.0), -5.0, 5.0)
    return targets


def shuffled_within(targets: Floats, samples: Samples, rng: np.random.Generator) -> Floats:
    """Return the targets permuted within each state."""
    by_chance = np.lexsort((rng.random(len(targets)), samples.state))
    in_order = np.argsort(samples.state, kind="stable")
    shuffled = np.empty_like(targets)
    shuffled[in_order] = targets[by_chance]
    return shuffled


def _check(config: GainConfig) -> None:
    if config.metric not in METRICS:
        raise UsageError(f"metric {config.metric!r} is unknown; expected {', '.join(METRICS)}")
    least = {"n_segments": 1, "n_candidates": 2, "n_trees": 1, "budget": 1, "n_dev_tasks": 1}
    for name, low in {**least, "n_states": config.n_segments}.items():
        if getattr(config, name) < low:
            raise UsageError(f"{name} must be at least {low}, got {getattr(config, name)}")


def _make_parts(config: GainConfig, folder: Path, progress: bool) -> list[Path]:
    """Return the files of all segments, after making those that are not there."""
    from joblib import Parallel, delayed
    from tqdm import tqdm

    paths = [folder / f"{i:04d}.npz" for i in range(config.n_segments)]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    jobs = (delayed(_make_part)(config, i, paths[i]) for i in missing)
    made = Parallel(n_jobs=config.n_jobs, return_as="generator_unordered")(jobs)
    for _ in tqdm(
        made, total=len(missing), desc="states", unit="part", file=sys.stderr, disable=not progress
    ):
        pass
    return paths


def _make_part(config: GainConfig, segment: int, path: Path) -> None:
    make_samples(config, segment).save(path)


def _policy(
    config: GainConfig, inputs: Floats, targets: Floats, *, name: str, card: Mapping[str, Any]
) -> PoolPolicy:
    """Fit trees to the targets and return them as a policy."""
    trees = fit_boosted_trees(
        inputs,
        targets,
        max_iter=config.n_trees,
        learning_rate=config.learning_rate,
        max_leaf_nodes=config.max_leaves,
        min_samples_leaf=config.min_leaf,
        seed=config.seed,
    )
    tensors = from_sklearn_hist_gradient_boosting(trees)
    join = {"op": "concat", "in": ["context", "candidates"], "out": ["all"]}
    score = tree_op(tensors, into="all", out="utility", prefix="trees", float32=False)
    candidate_features, context_features = feature_lists(config)
    return PoolPolicy(
        name=name,
        candidate_features=candidate_features,
        context_features=context_features,
        program={"ops": [join, score], "output": "utility"},
        tensors={f"trees.{role}": tensor for role, tensor in tensors.items()},
        card=dict(card),
    )
