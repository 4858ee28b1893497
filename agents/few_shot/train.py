"""Training of the few-shot heads: prototypical embedding first, then REINFORCE over subsets."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.few_shot.config import FewShotConfig
from agents.few_shot.network import World, export, make_embedding, make_head
from agents.runs import RunFolder
from agents.segments import train_in_segments
from envs.class_banks import ClassBank, load_bank
from envs.few_shot.episodes import FewShot, Layout, draw_few_shot, prototype_accuracy
from lal.errors import UsageError
from lal.policies.subset_features import cosines, order_features, prototype_statistics
from lal.policies.subset_policy import SubsetPolicy
from lal.rng import generator, integer_seed


def train(config: FewShotConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`, or go on where it stopped; see `agents.base.Agent.train`."""
    _check(config)
    run = RunFolder(folder, agent="few_shot", config=config)
    if run.finished:
        return run.policy_path
    return train_in_segments(run, FewShotLearner(config), config.n_segments, progress=progress)


def export_untrained(config: FewShotConfig, n: int) -> list[SubsetPolicy]:
    """Return `n` policies with random heads over the trained embedding."""
    _check(config)
    embedding = train_embedding(config, load_bank(config.bank))
    policies = []
    for i in range(n):
        torch.manual_seed(integer_seed(config.seed, "few_shot", "untrained", i))
        policies.append(export(embedding, make_head(config), config, {"control": "untrained"}))
    return policies


def layout(config: FewShotConfig) -> Layout:
    """Return the sizes of the config's episodes."""
    return Layout(config.n_classes, config.n_pool, config.n_distractors, config.shots)


def train_embedding(config: FewShotConfig, bank: ClassBank) -> nn.Sequential:
    """Return the embedding after prototypical training on the training classes (Snell 2017)."""
    torch.manual_seed(integer_seed(config.embedding_seed, "few_shot", "embedding"))
    rng = generator(config.embedding_seed, "few_shot", "embedding")
    embedding = make_embedding(bank.n_columns, config.embedding)
    optimiser = torch.optim.Adam(embedding.parameters(), lr=1e-3)
    known = len(bank.classes("train"))
    for _ in range(config.embedding_updates):
        C = min(20, known)
        classes = bank.draw_classes(rng, 1, C, "train")[0]
        rows = bank.draw_distinct(rng, classes, 6)
        Z = embedding(torch.from_numpy(bank.X[rows]))  # (C, 6, d)
        prototypes, query = Z[:, :1].mean(dim=1), Z[:, 1:].reshape(-1, config.embedding)
        logits = -((query[:, None] - prototypes[None]) ** 2).sum(dim=2)
        loss = nn.functional.cross_entropy(logits, torch.arange(C).repeat_interleave(5))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return embedding


def repeated(drawn: FewShot, copies: int) -> FewShot:
    """Return every episode `copies` times, copies side by side."""
    parts: list[Any] = [np.repeat(part, copies, axis=0) for part in drawn]
    return FewShot(*parts)


class FewShotLearner:
    """A frozen embedding, a head and its optimiser."""

    def __init__(self, config: FewShotConfig) -> None:
        self.config = config
        self.bank = load_bank(config.bank)
        self.embedding = train_embedding(config, self.bank)
        torch.manual_seed(integer_seed(config.seed, "few_shot", "weights"))
        self.head = make_head(config)
        self.optimiser = torch.optim.Adam(self.head.parameters(), lr=config.learning_rate)

    def learn(self, segment: int) -> dict[str, Any]:
        """Take the segment's gradient steps; return the mean accuracy over them."""
        config = self.config
        rng = generator(config.seed, "few_shot", "segment", segment)
        torch.manual_seed(integer_seed(config.seed, "few_shot", "segment", segment))
        per_segment = config.updates // config.n_segments
        total = 0.0
        for _ in range(per_segment):
            drawn = draw_few_shot(self.bank, rng, layout(config), n=config.batch, split="train")
            drawn = repeated(drawn, config.copies)
            picked, log_p, entropy = self.sample(drawn)
            reward = self._reward(drawn, picked)
            advantage = reward.reshape(config.batch, config.copies)
            advantage = advantage - advantage.mean(axis=1, keepdims=True)
            scaled = torch.from_numpy((advantage / (advantage.std() + 1e-6)).ravel()).float()
            loss = -(scaled * log_p).mean() - config.entropy * entropy
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.head.parameters(), 1.0)
            self.optimiser.step()
            total += float(reward.mean())
        done = (segment + 1) * per_segment
        return {"updates": done, "accuracy": round(total / per_segment, 4)}

    def embed(self, samples: np.ndarray) -> np.ndarray:
        """Return embedded samples in double precision."""
        with torch.no_grad():
            embedded: Tensor = self.embedding(torch.from_numpy(samples))
            return embedded.numpy().astype(np.float64)

    def world(self, drawn: FewShot) -> World:
        """Return what the head sees of a batch."""
        C = self.config.n_classes
        Z = self.embed(drawn.pool)
        world = World(Z, cosines(Z), drawn.labels, C)
        world.places = order_features(world.S)
        if self.config.head == "batch":
            support = self.embed(drawn.support)
            world.statistics = prototype_statistics(Z, world.S, support, drawn.support_labels, C)
        return world

    def sample(self, drawn: FewShot) -> tuple[np.ndarray, Tensor, Tensor]:
        """Return sampled items (E, B), the log probability of each sample, the mean entropy."""
        world = self.world(drawn)
        state = self.head.start(world)
        chosen = np.zeros(drawn.labels.shape, dtype=bool)
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
        rows = np.arange(len(picked))[:, None]
        samples = np.concatenate([drawn.support, drawn.pool[rows, picked]], axis=1)
        labels = np.concatenate([drawn.support_labels, drawn.labels[rows, picked]], axis=1)
        return prototype_accuracy(
            self.embed(samples), labels, self.embed(drawn.query), drawn.query_labels,
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
        card = {
            "summary": f"few-shot {config.head} selection, {config.bank}",
            "agent": "few_shot",
            "head": config.head,
            "bank": config.bank,
            "episode": list(layout(config)),
            "labels": config.labels,
            "seed": config.seed,
        }
        return export(self.embedding, self.head, config, card)


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
