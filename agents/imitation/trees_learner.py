"""The learner of gain regression: make samples in blocks, fit trees, export them.

Source: LAL (Konyushkova et al. 2017, arXiv 1703.03365) regresses gains of labels; ImitAL (Gonsior
et al. 2022, arXiv 2208.11636) compares candidates within a state. Here gains are centred within
their state, so that trees learn which candidate is better and not which state is early.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from agents.imitation.trees_config import TreesConfig
from agents.imitation.trees_states import Samples, load_samples, make_samples
from agents.training.blocks import make_blocks
from agents.training.boosting import fit_boosted_trees
from agents.training.learner import Learner
from agents.training.tasks import feature_lists, training_card
from agents.training.validation import PoolValidation
from lal.arrays import Floats
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.policies.scoring.trees import from_sklearn_hist_gradient_boosting, tree_op
from lal.rng import generator


class TreesLearner(Learner[TreesConfig]):
    """Samples in blocks by the reference environment, then one fit of boosted trees."""

    name: ClassVar[str] = "gain_regression"
    make_samples: ClassVar[Callable[..., Samples]] = staticmethod(make_samples)

    def __init__(self, config: TreesConfig) -> None:
        super().__init__(config)
        self._paths: list[Path] = []
        self._policy: PoolPolicy | None = None

    @cached_property
    def validation(self) -> PoolValidation:
        """Compares whole pools with slates, once."""
        config = self.config
        return PoolValidation(
            config, config.n_dev_tasks, slate_size=config.n_candidates, slate_rule="half_uncertain"
        )

    def data(self) -> Mapping[str, Any]:
        """Return the real data sets of the run; learners are made, and so their names checked."""
        _ = self.validation
        feature_lists(self.config)
        data: Mapping[str, Any] = training_card(self.config)["data"]
        return data

    def prepare(self, folder: Path) -> None:
        """Make the samples that are not there."""
        config = self.config
        numbers = range(config.n_blocks)
        self._paths = [folder / "samples" / f"{i:04d}.npz" for i in numbers]
        make_blocks(
            partial(self.make_samples, config),
            self._paths,
            numbers=numbers,
            n_jobs=config.n_jobs,
            progress=self.progress,
        )

    def train_segment(self, segment: int) -> Mapping[str, Any]:
        """Fit the trees to all samples."""
        config = self.config
        samples = load_samples(self._paths)
        targets = centred_targets(samples)
        if config.control == "shuffled_reward":
            targets = shuffled_within(targets, samples, generator(config.seed, "shuffle"))
        card = {**training_card(config), "n_states": config.n_states}
        self._policy = self.make_policy(config, samples.inputs, targets, card=card)
        return {"n_samples": len(targets)}

    def export(self) -> PoolPolicy:
        """Return the trees as a policy."""
        if self._policy is None:
            raise UsageError("gain regression exports what it fitted; call train_segment first")
        return self._policy

    def check(self, policy: PoolPolicy) -> Mapping[str, Any]:
        """Return the comparison of whole pools with slates."""
        return self.validation.slate_check(policy)

    @classmethod
    def export_untrained(cls, config: TreesConfig, n: int) -> list[PoolPolicy]:
        """Return `n` ensembles of the same shape, fitted to noise on states without gains."""
        samples = cls.make_samples(config, 0, measure=False)
        card = {**training_card(config), "control": "untrained"}
        policies = []
        for i in range(n):
            noise = generator(config.seed, "untrained", i).normal(size=len(samples.inputs))
            made = cls.make_policy(config, samples.inputs, noise, card=card)
            policies.append(replace(made, name=f"{cls.name}_untrained_{i}"))
        return policies

    @classmethod
    def make_policy(
        cls, config: TreesConfig, inputs: Floats, targets: Floats, *, card: Mapping[str, Any]
    ) -> PoolPolicy:
        """Fit trees to the targets and return them as a policy."""
        return _policy(config, inputs, targets, name=cls.name, card=card)


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


def _policy(
    config: TreesConfig, inputs: Floats, targets: Floats, *, name: str, card: Mapping[str, Any]
) -> PoolPolicy:
    """Fit trees to the targets and return them as a policy."""
    trees = fit_boosted_trees(
        inputs,
        targets,
        max_iter=config.max_iter,
        learning_rate=config.learning_rate,
        max_leaf_nodes=config.max_leaf_nodes,
        min_samples_leaf=config.min_samples_leaf,
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
