"""Fits of LAL and the policy they make: boosted trees to ship, the published forest beside them."""

from collections.abc import Mapping
from typing import Any

from agents.lal_regression.config import LalConfig
from agents.lal_regression.folding import FOLDED, PUBLISHED
from agents.training.boosting import fit_boosted_trees
from lal.arrays import Floats
from lal.policies.pool_policy import PoolPolicy
from lal.policies.scoring.trees import from_sklearn_hist_gradient_boosting, tree_op
from lal.rng import integer_seed
from lal.serialization import config_hash, versions


def fit_boosted(config: LalConfig, features: Floats, targets: Floats) -> Any:
    """Return boosted trees fitted to the rows."""
    return fit_boosted_trees(
        features,
        targets,
        max_iter=config.max_iter,
        learning_rate=config.learning_rate,
        max_leaf_nodes=config.max_leaf_nodes,
        min_samples_leaf=config.min_samples_leaf,
        seed=config.seed,
    )


def fit_reference(config: LalConfig, features: Floats, targets: Floats) -> Any:
    """Return the published regressor: a forest of depth 40, 6 features a split, leaves of 20."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        n_estimators=config.reference_trees,
        max_depth=40,
        max_features=6,
        min_samples_leaf=20,
        max_samples=min(config.reference_rows, len(targets)) or None,
        random_state=integer_seed(config.seed, "reference"),
    )
    return forest.fit(features, targets)


def make_policy(config: LalConfig, boosted: Any, about: Mapping[str, Any]) -> PoolPolicy:
    """Return boosted trees as a policy over the forest features."""
    tensors = from_sklearn_hist_gradient_boosting(boosted)
    score = tree_op(tensors, into="candidates", out="utility", prefix="trees", float32=False)
    return PoolPolicy(
        name="lal-folded" if config.folded else f"lal-{config.growth}",
        candidate_features=(FOLDED if config.folded else PUBLISHED,),
        program={"ops": [score], "output": "utility"},
        tensors={f"trees.{role}": tensor for role, tensor in tensors.items()},
        class_symmetric=config.folded,
        card=dict(about),
    )


def training_data(config: LalConfig) -> dict[str, Any]:
    """Return the real data that rows are made from: none, or the source with its hash."""
    if config.source == "gaussians":
        return {}
    from lal.data.datasets import load_dataset

    found = load_dataset(config.source)
    return {found.name: {"family": found.family, "sha256": found.sha256}}


def card(config: LalConfig, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the policy's card says of its training."""
    tasks = "two Gaussians in the plane" if not data else f"halves of {', '.join(data)}"
    n_sizes = config.last_size - config.first_size + 1
    n_rows = n_sizes * config.n_tasks * config.n_candidates
    kind = f"{config.growth}, folded (ours)" if config.folded else config.growth
    folded = "symmetric: the classes enter by margins and by the smallest share"
    asymmetric = "asymmetric: swapping the two classes changes what is asked"
    limits = [] if config.folded else ["there are more than two classes"]
    return {
        "summary": f"LAL ({kind}): gain of a label, regressed on {n_rows} simulated rows.",
        "source": "Konyushkova, Sznitman and Fua (2017), arXiv 1703.03365",
        "trained_on": f"{tasks}; labelled sets of {config.first_size} to {config.last_size}",
        "n_rows": n_rows,
        "learners": [f"random_forest of {config.n_trees} trees"],
        "class_symmetry": folded if config.folded else asymmetric,
        "do_not_use_when": [
            *limits,
            "the learner is not a forest: without its features all rows tie, and asking is random",
            f"more than {config.last_size} labels are bought: nothing was learned there",
        ],
        "ranges": {
            "n_classes": [2, 30 if config.folded else 2],
            "n_labelled": [config.first_size, config.last_size],
        },
        "config_hash": config_hash(config),
        "control": config.control,
        "seed": config.seed,
        "data": dict(data),
        "families_held_out": [],
        "versions": versions(),
    }
