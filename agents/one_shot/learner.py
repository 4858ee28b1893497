"""The learner of active one-shot learning: on-policy Q-learning through whole episodes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.export.torch_layers import array, cell_tensors, layers_ops
from agents.one_shot.config import OneShotConfig
from agents.training.embeddings import standardised, train_embedding
from agents.training.torch_learner import TorchLearner
from envs.class_banks import ClassBank, load_bank
from envs.one_shot.episodes import draw_episodes
from envs.one_shot.evaluation import play
from lal.policies.predict_or_ask_policy import PredictOrAskPolicy
from lal.rng import generator, integer_seed


def get_embedding(config: OneShotConfig, bank: ClassBank) -> nn.Sequential | None:
    """Return the frozen embedding of the items, if the config has one; seeds share it."""
    if config.embedding == 0:
        return None
    trained = train_embedding(
        bank, width=config.embedding, updates=config.embedding_gradient_steps, seed=0
    )
    return standardised(trained, bank)


def n_columns(config: OneShotConfig, bank: ClassBank) -> int:
    """Return the width of an item as the LSTM reads it."""
    return config.embedding or bank.n_columns


class LstmQ(nn.Module):
    """LSTM and a linear head with a value for every answer and for asking."""

    def __init__(self, config: OneShotConfig, n_columns: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(config.n_classes + n_columns, config.lstm_hidden_size)
        self.head = nn.Linear(config.lstm_hidden_size, config.n_classes + 1)


class OneShotLearner(TorchLearner[OneShotConfig]):
    """On-policy Q-learning of `LstmQ` through whole episodes."""

    score_name = "dev_return"

    def __init__(self, config: OneShotConfig) -> None:
        super().__init__(config)
        self.bank = load_bank(config.bank)
        self.embedding = get_embedding(config, self.bank)
        torch.manual_seed(integer_seed(config.seed, "one_shot", "weights"))
        self.network: LstmQ = LstmQ(config, n_columns(config, self.bank))
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)

    def train_segment(self, segment: int) -> dict[str, Any]:
        """Take the segment's gradient steps; return the behaviour over them."""
        config = self.config
        rng = generator(config.seed, "one_shot", "segment", segment)
        per_segment = config.gradient_steps // config.n_segments
        returns, asked = 0.0, 0.0
        for i in range(per_segment):
            done = (segment * per_segment + i) / config.gradient_steps
            values, chosen, rewards, labels = self._play(rng, done)
            if config.control == "shuffled_reward":
                order = torch.from_numpy(rng.random(tuple(rewards.shape)).argsort(axis=0))
                rewards, labels = rewards.gather(0, order), labels.gather(0, order)
            loss = td_loss(values, chosen, rewards, config)
            if config.all_answers:
                wrong = wrong_reward(config, done)
                loss = loss + other_answers_loss(values, chosen, labels, wrong, config)
            self.step(loss)
            returns += float(rewards.sum(dim=0).mean())
            asked += float((chosen == config.n_classes).float().mean())
        return {
            "gradient_steps": (segment + 1) * per_segment,
            "return": round(returns / per_segment, 3),
            "asked": round(asked / per_segment, 4),
        }

    def _play(self, rng: np.random.Generator, done: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Run a batch; return values (T, B, C + 1), actions, rewards and labels (T, B)."""
        config, C = self.config, self.config.n_classes
        drawn = draw_episodes(
            self.bank, rng, n=config.batch_size, T=config.n_items, C=C, split="fit"
        )
        items = torch.from_numpy(drawn.items).transpose(0, 1)
        if self.embedding is not None:
            with torch.no_grad():
                items = self.embedding(items)
        labels = torch.from_numpy(drawn.labels).T
        forced = torch.from_numpy(_explored(rng, drawn.labels.T, exploration(config, done), C))
        one_hot = nn.functional.one_hot(labels, C).float()
        shown = torch.zeros(config.batch_size, C)
        memory = (torch.zeros(config.batch_size, config.lstm_hidden_size),) * 2
        values, actions = [], []
        for t in range(config.n_items):
            memory = self.network.cell(torch.cat([shown, items[t]], dim=1), memory)
            value = self.network.head(memory[0])
            action = torch.where(forced[t] >= 0, forced[t], value.detach().argmax(dim=1))
            shown = one_hot[t] * (action == C).float()[:, None]
            values.append(value)
            actions.append(action)
        chosen = torch.stack(actions)
        right = torch.where(chosen == labels, 1.0, wrong_reward(config, done))
        rewards = torch.where(chosen == C, config.ask, right)
        return torch.stack(values), chosen, rewards, labels

    def validate(self, policy: PredictOrAskPolicy) -> float:
        """Return the mean return of the best actions in episodes of validation classes."""
        config = self.config
        drawn = draw_episodes(
            self.bank, generator(config.seed, "one_shot", "validation"),
            n=config.n_dev_episodes, T=config.n_items, C=config.n_classes, split="validation",
        )  # fmt: skip
        actions = play(policy, drawn)
        right = np.where(actions == drawn.labels, 1.0, config.wrong)
        rewards = np.where(actions == config.n_classes, config.ask, right)
        return float(rewards.sum(axis=1).mean())

    def export(self) -> PredictOrAskPolicy:
        """Return the policy as it is now."""
        config = self.config
        return export(self.network, config, card(config, config.control), self.embedding)

    @classmethod
    def export_untrained(cls, config: OneShotConfig, n: int) -> list[PredictOrAskPolicy]:
        """Return `n` policies with random weights; see `agents.registry.Agent`."""
        bank = load_bank(config.bank)
        embedding = get_embedding(config, bank)
        policies = []
        for i in range(n):
            torch.manual_seed(integer_seed(config.seed, "one_shot", "untrained", i))
            network = LstmQ(config, n_columns(config, bank))
            policies.append(export(network, config, card(config, "untrained"), embedding))
        return policies


def card(config: OneShotConfig, control: str) -> dict[str, Any]:
    """Return what a policy says of its training."""
    return {
        "summary": f"active one-shot learning, {config.bank}, {config.n_classes} classes",
        "agent": "active_one_shot",
        "control": control,
        "bank": config.bank,
        "loss": config.loss,
        "gradient_steps": config.gradient_steps,
        "wrong": config.wrong,
        "seed": config.seed,
    }


def wrong_reward(config: OneShotConfig, done: float) -> float:
    """Return the reward of a wrong answer when a share of the run is done."""
    if config.wrong_at_first is None:
        return config.wrong
    moved = min(max((done - 0.5) / 0.25, 0.0), 1.0)
    return config.wrong_at_first + moved * (config.wrong - config.wrong_at_first)


def exploration(config: OneShotConfig, done: float) -> float:
    """Return the share of explored steps when a share of the run is done."""
    if config.exploration_initial_eps is None:
        return config.exploration_final_eps
    left = max(1.0 - 2.0 * done, 0.0)
    return config.exploration_final_eps + left * (
        config.exploration_initial_eps - config.exploration_final_eps
    )


def _explored(rng: np.random.Generator, labels: np.ndarray, share: float, C: int) -> np.ndarray:
    """Return forced actions, -1 where the network decides: ask, the right or a wrong answer."""
    kind = rng.integers(3, size=labels.shape)
    wrong = (labels + rng.integers(1, max(C, 2), size=labels.shape)) % C
    forced = np.select([kind == 0, kind == 1], [np.full_like(labels, C), labels], wrong)
    return np.where(rng.random(labels.shape) < share, forced, -1)


def other_answers_loss(
    values: Tensor, chosen: Tensor, labels: Tensor, wrong: float, config: OneShotConfig
) -> Tensor:
    """Return the squared differences of the answers not given, where an answer was given.

    Any answer leads to the same next observation, so their targets are known, too.

    Args:
        values: Shape (T, B, C + 1).
        chosen: Actions, shape (T, B).
        labels: Right answers, shape (T, B).
        wrong: Reward of a wrong answer.
        config: The discount.
    """
    C = config.n_classes
    answers = torch.arange(C)
    target = torch.where(labels[..., None] == answers, 1.0, wrong)
    follow = torch.zeros(chosen.shape)
    follow[:-1] = config.gamma * values[1:].max(dim=2).values.detach()
    other = (chosen < C)[..., None] & (chosen[..., None] != answers)
    gaps = (values[..., :C] - target - follow[..., None]) ** 2
    return (gaps * other).sum(dim=(0, 2)).mean()


def td_loss(values: Tensor, chosen: Tensor, rewards: Tensor, config: OneShotConfig) -> Tensor:
    """Return the squared temporal differences, summed over time and averaged over episodes.

    Args:
        values: Shape (T, B, C + 1).
        chosen: Actions, shape (T, B).
        rewards: Shape (T, B).
        config: Discount, and which of the two losses.
    """
    taken = values.gather(2, chosen[..., None])[..., 0]
    best_next = values[1:].max(dim=2).values
    if config.loss == "published":
        return ((taken[:-1] - rewards[:-1] - config.gamma * best_next) ** 2).sum(dim=0).mean()
    target = rewards.clone()
    target[:-1] += config.gamma * best_next.detach()
    return ((taken - target) ** 2).sum(dim=0).mean()


def export(
    network: LstmQ,
    config: OneShotConfig,
    card: Mapping[str, Any],
    embedding: nn.Sequential | None = None,
) -> PredictOrAskPolicy:
    """Return the policy that numpy runs; values are equal to 1e-5."""
    cell, tensors = cell_tensors(network.cell, "lstm")
    C, columns, read = config.n_classes, network.cell.input_size - config.n_classes, "context"
    ops: list[dict[str, Any]] = []
    if embedding is not None:
        columns = int(array(embedding[0].weight).shape[1])  # type: ignore[arg-type]
        item = list(range(C, C + columns))
        ops = [
            {"op": "select", "in": ["context"], "out": ["label"], "columns": list(range(C))},
            {"op": "select", "in": ["context"], "out": ["item"], "columns": item},
        ]
        found, weights, last = layers_ops(embedding, prefix="embed", source="item")
        ops += [*found, {"op": "concat", "in": ["label", last], "out": ["seen"]}]
        tensors, read = {**tensors, **weights}, "seen"
    ops += [
        {"op": "lstm_cell", "in": [read, "h", "c"], "out": ["h_next", "c_next"], **cell},
        {
            "op": "affine",
            "in": ["h_next"],
            "out": ["q"],
            "weight": "head.weight",
            "bias": "head.bias",
        },
    ]
    return PredictOrAskPolicy(
        name=f"one-shot-{config.bank}",
        sizes={"classes": C, "columns": columns, "hidden": config.lstm_hidden_size},
        programs={"step": {"ops": ops, "output": "q"}},
        tensors={
            **tensors,
            "head.weight": array(network.head.weight),
            "head.bias": array(network.head.bias),
        },
        card=card,
    )  # fmt: skip
