"""Training of the few-shot heads: prototypical embedding first, then REINFORCE over subsets."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.few_shot.config import FewShotConfig
from agents.few_shot.network import World, export, make_head
from agents.training.embeddings import train_embedding
from agents.training.run_folder import RunFolder
from agents.training.segments import train_in_segments
from envs.class_banks import ClassBank, load_bank
from envs.few_shot.episodes import FewShot, Layout, draw_few_shot, prototype_accuracy
from lal.errors import UsageError
from lal.policies.subset_features import (
    coverage_order,
    order_features,
    prototype_statistics,
    similarities,
)
from lal.policies.subset_policy import SubsetPolicy
from lal.rng import generator, integer_seed


def train(config: FewShotConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`, or go on where it stopped; see `agents.registry.Agent.train`."""
    _check(config)
    run = RunFolder(folder, agent="few_shot", config=config)
    if run.finished:
        return run.policy_path
    return train_in_segments(run, FewShotLearner(config), config.n_segments, progress=progress)


def export_untrained(config: FewShotConfig, n: int) -> list[SubsetPolicy]:
    """Return `n` policies with random heads over the trained embedding."""
    _check(config)
    embedding = embedding_of(config, load_bank(config.bank))
    policies = []
    for i in range(n):
        torch.manual_seed(integer_seed(config.seed, "few_shot", "untrained", i))
        policies.append(export(embedding, make_head(config), config, card(config, "untrained")))
    return policies


def layout(config: FewShotConfig) -> Layout:
    """Return the sizes of the config's episodes, as they are played in the end."""
    return Layout(
        config.n_classes, config.n_pool, config.n_distractors, config.shots,
        n_other_classes=config.n_other_classes,
    )  # fmt: skip


def embedding_of(config: FewShotConfig, bank: ClassBank) -> nn.Sequential:
    """Return the frozen embedding that all heads of a bank share."""
    return train_embedding(
        bank, width=config.embedding, updates=config.embedding_updates, seed=config.embedding_seed
    )


class FewShotLearner:
    """A frozen embedding, a head and its optimiser."""

    def __init__(self, config: FewShotConfig) -> None:
        self.config = config
        self.bank = load_bank(config.bank)
        self.embedding = embedding_of(config, self.bank)
        torch.manual_seed(integer_seed(config.seed, "few_shot", "weights"))
        self.head = make_head(config)
        self.optimiser = torch.optim.Adam(self.head.parameters(), lr=config.learning_rate)

    def learn(self, segment: int) -> dict[str, Any]:
        """Take the segment's gradient steps; return the mean accuracy over them."""
        config = self.config
        rng = generator(config.seed, "few_shot", "segment", segment)
        torch.manual_seed(integer_seed(config.seed, "few_shot", "segment", segment))
        per_segment = config.updates // config.n_segments
        sizes = layout(config)._replace(n_query=config.n_query)
        total = 0.0
        for i in range(per_segment):
            done = (segment * per_segment + i) / config.updates
            left = 0.05 + 0.475 * (1.0 + math.cos(math.pi * done))
            self.optimiser.param_groups[0]["lr"] = config.learning_rate * left
            drawn = draw_few_shot(self.bank, rng, sizes, n=config.batch, split="train")
            world = self.world(drawn).repeated(config.copies)
            picked, log_p, entropy = self.sample(world)
            reward = self._reward(drawn, picked)
            advantage = reward.reshape(config.batch, config.copies)
            if config.control == "shuffled_reward":
                advantage = rng.permuted(advantage, axis=1)
            advantage = advantage - advantage.mean(axis=1, keepdims=True)
            scaled = torch.from_numpy((advantage / (advantage.std() + 1e-6)).ravel()).float()
            loss = -(scaled * log_p).mean() - config.entropy * left * entropy
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.head.parameters(), 1.0)
            self.optimiser.step()
            total += float(reward.mean())
        return {
            "updates": (segment + 1) * per_segment,
            "accuracy": round(total / per_segment, 4),
        }

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

    def sample(self, world: World) -> tuple[np.ndarray, Tensor, Tensor]:
        """Return sampled items (E, B), the log probability of each sample, the mean entropy."""
        state = self.head.start(world)
        chosen = np.zeros(world.labels.shape, dtype=bool)
        rows = np.arange(len(chosen))
        picks, logs, entropies = [], [], []
        for _ in range(self.config.labels):
            logits = self.head.logits(state, world, chosen)
            logits = logits.masked_fill(torch.from_numpy(chosen), -torch.inf)
            choice = torch.distributions.Categorical(logits=logits)
            pick = choice.sample()  # type: ignore[no-untyped-call]
            logs.append(choice.log_prob(pick))  # type: ignore[no-untyped-call]
            entropies.append(choice.entropy().mean())  # type: ignore[no-untyped-call]
            chosen = chosen.copy()
            chosen[rows, pick.numpy()] = True
            state = self.head.advance(state, world, pick)
            picks.append(pick.numpy())
        return np.stack(picks, axis=1), torch.stack(logs).sum(dim=0), torch.stack(entropies).mean()

    def _reward(self, drawn: FewShot, picked: np.ndarray) -> np.ndarray:
        """Return the query accuracy of prototypes from support and picked items, shape (E,)."""
        copies = self.config.copies
        pool, support, query = (self.embed(x) for x in (drawn.pool, drawn.support, drawn.query))
        rows = np.arange(len(picked)) // copies
        labels = [drawn.support_labels[rows], drawn.labels[rows[:, None], picked]]
        return prototype_accuracy(
            np.concatenate([support[rows], pool[rows[:, None], picked]], axis=1),
            np.concatenate(labels, axis=1), query[rows], drawn.query_labels[rows],
            self.config.n_classes,
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """Return weights and optimiser; the embedding is a function of the config."""
        return {"weights": self.head.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a checkpoint."""
        self.head.load_state_dict(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])

    def policy(self) -> SubsetPolicy:
        """Return the policy as it is now."""
        config = self.config
        return export(self.embedding, self.head, config, card(config, config.control))


def card(config: FewShotConfig, control: str) -> dict[str, Any]:
    """Return what a policy says of its training."""
    return {
        "summary": f"few-shot {config.head} selection, {config.bank}",
        "agent": "few_shot",
        "control": control,
        "head": config.head,
        "bank": config.bank,
        "episode": list(layout(config)),
        "labels": config.labels,
        "seed": config.seed,
    }


def _check(config: FewShotConfig) -> None:
    for name in ("n_segments", "batch", "hidden", "n_classes", "labels", "embedding"):
        if getattr(config, name) < 1:
            raise UsageError(f"{name} must be at least 1, got {getattr(config, name)}")
    if config.copies < 2:
        raise UsageError(f"copies must be at least 2 for a baseline, got {config.copies}")
    if config.head == "batch" and config.shots < 1:
        raise UsageError("the batch head needs shots of at least 1 for its prototypes")
    if config.labels >= config.n_pool:
        raise UsageError(f"{config.labels} labels are not fewer than the pool's {config.n_pool}")
    if config.updates % config.n_segments:
        raise UsageError(
            f"{config.updates} updates do not divide into {config.n_segments} segments"
        )
