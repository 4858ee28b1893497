"""The learner of the few-shot heads: prototypical embedding first, then REINFORCE over subsets."""

import math
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.few_shot.config import FewShotConfig
from agents.few_shot.network import World, export, make_head
from agents.training.embeddings import train_embedding
from agents.training.torch_learner import TorchLearner
from envs.class_banks import ClassBank, load_bank
from envs.few_shot.episodes import FewShot, Layout
from envs.few_shot.tasks import FewShotTask, make_task
from lal.policies.subset_features import (
    coverage_order,
    order_features,
    prototype_statistics,
    similarities,
)
from lal.policies.subset_policy import SubsetPolicy
from lal.rng import generator, integer_seed

DEV_BATCH = 100
"""Validation episodes that are played at once; more would only need more memory."""


def layout(config: FewShotConfig) -> Layout:
    """Return the sizes of the config's episodes, as they are used in the end."""
    return Layout(
        config.n_classes, config.n_pool, config.n_distractors, config.shots,
        n_other_classes=config.n_other_classes,
    )  # fmt: skip


def get_task(config: FewShotConfig) -> FewShotTask:
    """Return what the episodes of training are made of, with the queries of its rewards."""
    return make_task(config.task, layout(config)._replace(n_query=config.n_query))


def get_embedding(config: FewShotConfig, bank: ClassBank) -> nn.Sequential:
    """Return the frozen embedding that all heads of a bank share."""
    return train_embedding(
        bank,
        width=config.embedding,
        updates=config.embedding_gradient_steps,
        seed=config.embedding_seed,
    )


class FewShotLearner(TorchLearner[FewShotConfig]):
    """REINFORCE over subsets: a head over a frozen embedding, which the config alone decides."""

    score_name = "dev_accuracy"

    def __init__(self, config: FewShotConfig) -> None:
        super().__init__(config)
        self.bank, self.task = load_bank(config.bank), get_task(config)
        self.embedding = get_embedding(config, self.bank)
        torch.manual_seed(integer_seed(config.seed, "few_shot", "weights"))
        self.network = self.head = make_head(config)
        self.optimiser = torch.optim.Adam(self.head.parameters(), lr=config.learning_rate)

    def train_segment(self, segment: int) -> dict[str, Any]:
        """Take the segment's gradient steps; return the mean accuracy over them."""
        config = self.config
        rng = generator(config.seed, "few_shot", "segment", segment)
        torch.manual_seed(integer_seed(config.seed, "few_shot", "segment", segment))
        per_segment = config.gradient_steps // config.n_segments
        total = 0.0
        for i in range(per_segment):
            done = (segment * per_segment + i) / config.gradient_steps
            left = 0.05 + 0.475 * (1.0 + math.cos(math.pi * done))
            self.optimiser.param_groups[0]["lr"] = config.learning_rate * left
            drawn = self.task.draw(self.bank, rng, config.batch_size, "fit")
            world = self.world(drawn).repeated(config.copies)
            picked, log_p, entropy = self.sample(world)
            reward = self._reward(drawn, picked, config.copies)
            advantage = reward.reshape(config.batch_size, config.copies)
            if config.control == "shuffled_reward":
                advantage = rng.permuted(advantage, axis=1)
            advantage = advantage - advantage.mean(axis=1, keepdims=True)
            scaled = torch.from_numpy((advantage / (advantage.std() + 1e-6)).ravel()).float()
            loss = -(scaled * log_p).mean() - config.ent_coef * left * entropy
            self.step(loss, max_norm=1.0)
            total += float(reward.mean())
        return {
            "gradient_steps": (segment + 1) * per_segment,
            "accuracy": round(total / per_segment, 4),
        }

    def validate(self, policy: SubsetPolicy) -> float:
        """Return the mean accuracy of the head's best items in episodes of validation classes.

        The network ranks as the policy does; it plays all episodes at once.
        """
        total = 0.0
        for drawn, world in self._dev_worlds:
            with torch.no_grad():
                picked, _, _ = self.sample(world, greedy=True)
            total += float(self._reward(drawn, picked).sum())
        return total / self.config.n_dev_episodes

    @cached_property
    def _dev_worlds(self) -> list[tuple[FewShot, World]]:
        """Episodes of validation classes, the same for all runs of a seed and their controls."""
        config, rng = self.config, generator(self.config.seed, "few_shot", "validation")
        parts, left = [], config.n_dev_episodes
        while left > 0:
            n = min(left, DEV_BATCH)
            drawn = self.task.draw(self.bank, rng, n, "validation")
            parts.append((drawn, self.world(drawn)))
            left -= n
        return parts

    def embed(self, samples: np.ndarray) -> np.ndarray:
        """Return embedded samples in double precision."""
        with torch.no_grad():
            embedded: Tensor = self.embedding(torch.from_numpy(samples))
            return embedded.numpy().astype(np.float64)

    def world(self, drawn: FewShot) -> World:
        """Return what the head sees of a batch."""
        C = self.config.n_classes
        Z, support = self.embed(drawn.pool), self.embed(drawn.support)
        given = similarities(Z, support if self.config.head == "batch" else None)
        world = World(Z, given, drawn.labels, C)
        if self.config.head == "one_step":
            world.place, worth = coverage_order(given.K, Z)
            world.features = order_features(given, world.place, worth)
        if self.config.head == "batch":
            world.features = prototype_statistics(
                Z, given.density, support, drawn.support_labels, C
            )
        return world

    def sample(self, world: World, *, greedy: bool = False) -> tuple[np.ndarray, Tensor, Tensor]:
        """Return sampled items (E, B), the log probability of each sample, the mean entropy.

        Args:
            world: A batch of episodes.
            greedy: Take the best items instead of drawing them.
        """
        state = self.head.start(world)
        chosen = np.zeros(world.labels.shape, dtype=bool)
        rows = np.arange(len(chosen))
        picks, logs, entropies = [], [], []
        for _ in range(self.config.budget):
            logits = self.head.logits(state, world, chosen)
            logits = logits.masked_fill(torch.from_numpy(chosen), -torch.inf)
            choice = torch.distributions.Categorical(logits=logits)
            pick = logits.argmax(dim=1) if greedy else choice.sample()  # type: ignore[no-untyped-call]
            logs.append(choice.log_prob(pick))  # type: ignore[no-untyped-call]
            entropies.append(choice.entropy().mean())  # type: ignore[no-untyped-call]
            chosen = chosen.copy()
            chosen[rows, pick.numpy()] = True
            state = self.head.advance(state, world, pick)
            picks.append(pick.numpy())
        return np.stack(picks, axis=1), torch.stack(logs).sum(dim=0), torch.stack(entropies).mean()

    def _reward(self, drawn: FewShot, picked: np.ndarray, copies: int = 1) -> np.ndarray:
        """Return how well queries are answered from support and picked items, shape (E,)."""
        pool, support, query = (self.embed(x) for x in (drawn.pool, drawn.support, drawn.query))
        rows = np.arange(len(picked)) // copies
        labels = [drawn.support_labels[rows], drawn.labels[rows[:, None], picked]]
        return self.task.score(
            np.concatenate([support[rows], pool[rows[:, None], picked]], axis=1),
            np.concatenate(labels, axis=1), query[rows], drawn.query_labels[rows],
        )  # fmt: skip

    def export(self) -> SubsetPolicy:
        """Return the policy as it is now."""
        config = self.config
        return export(self.embedding, self.head, config, card(config, config.control))

    @classmethod
    def export_untrained(cls, config: FewShotConfig, n: int) -> list[SubsetPolicy]:
        """Return `n` policies with random heads over the trained embedding."""
        embedding = get_embedding(config, load_bank(config.bank))
        policies = []
        for i in range(n):
            torch.manual_seed(integer_seed(config.seed, "few_shot", "untrained", i))
            head = make_head(config)
            policies.append(export(embedding, head, config, card(config, "untrained")))
        return policies


def card(config: FewShotConfig, control: str) -> dict[str, Any]:
    """Return what a policy says of its training."""
    return {
        "summary": f"few-shot {config.head} selection, {config.bank}",
        "agent": "few_shot",
        "control": control,
        "head": config.head,
        "task": config.task,
        "bank": config.bank,
        "episode": list(layout(config)),
        "labels": config.budget,
        "one_shot": config.one_shot,
        "gradient_steps": config.gradient_steps,
        "seed": config.seed,
    }
