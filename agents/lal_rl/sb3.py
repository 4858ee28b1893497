"""The same agent through stable-baselines3: CandidateDQN with the published network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import PyTorchObs, TensorDict
from stable_baselines3.common.utils import polyak_update
from stable_baselines3.dqn.policies import QNetwork as StableQNetwork

from agents.lal_rl import kernels
from agents.lal_rl.network import QNetwork
from agents.training.candidate_dqn import CandidateDQN
from agents.training.candidate_q_network import MASKED_Q, CandidateDQNPolicy
from agents.training.prioritised_replay import PrioritisedReplay
from envs.lal_rl.sb3 import LalRlVecEnv
from lal.arrays import Floats, Ints
from lal.rng import integer_seed

LEAST_ERROR = 1e-4
"""Smallest |TD error| of a priority, so that no transition is ever out of reach."""

NEVER = 1 << 60
"""Steps between the library's own updates of the target network, which follows in `train`."""


@dataclass(frozen=True, kw_only=True)
class StableConfig:
    """A run through stable-baselines3; the defaults are those of `LalRlConfig`."""

    seed: int = 0
    """Names every random stream of the run."""

    total_timesteps: int = 1_000_000
    """Environment steps of the whole run."""

    n_envs: int = 64
    """Episodes advanced together."""

    gradient_steps: float = 0.27
    """Gradient steps for every environment step."""

    batch_size: int = 32
    """Transitions of a gradient step."""

    learning_rate: float = 1e-3
    """Learning rate of Adam."""

    tau: float = 0.01
    """Share of the online network that enters the target network after every gradient step."""

    priority_alpha: float = 3.0
    """Transitions are replayed with probability proportional to |TD error| to this power."""

    buffer_size: int = 10_000
    """Transitions kept."""

    learning_starts: int = 2_500
    """Environment steps taken at random before learning, about 128 episodes."""

    initial_gradient_steps: int = 100
    """Gradient steps on these."""

    exploration_final_eps: float = 0.1
    """Share of random steps at the end."""


class PublishedReplay(PrioritisedReplay):
    """The replay of the published agent.

    A new transition has the highest priority ever given, 1000 at first, so it is replayed at once;
    a minibatch holds no transition twice; nothing corrects for being drawn often.
    """

    highest = 1000.0

    def add(self, *args: Any, **kwargs: Any) -> None:
        """Store one transition of every environment with the highest priority ever given."""
        row = self.pos
        super().add(*args, **kwargs)
        self.rates[row] = self.highest**self.alpha

    def _draw(self, batch_size: int) -> tuple[Ints, Floats]:
        """Draw without replacement: the first arrivals at rates proportional to the chances."""
        n = self.size() * self.n_envs
        arrivals = self.rng.exponential(size=n) / self.rates.reshape(-1)[:n]
        slots: Ints = np.argpartition(arrivals, batch_size - 1)[:batch_size].astype(np.int64)
        return slots, np.ones(batch_size)

    def update_priorities(self, slots: Ints, errors: Floats) -> None:
        """Set the priorities of sampled slots from their TD errors, both (B,)."""
        found = np.maximum(np.abs(errors), LEAST_ERROR)
        self.rates.reshape(-1)[slots] = found**self.alpha
        self.highest = max(self.highest, float(found.max()))


class LalRlQNetwork(StableQNetwork):
    """The published network: the state layer once per state, then every candidate."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.q_net = torch.nn.Sequential()
        self.state = torch.nn.Linear(kernels.N_STATE, kernels.N_HIDDEN)
        self.joint = torch.nn.Linear(kernels.N_HIDDEN, kernels.N_JOINT)
        self.candidate = torch.nn.Linear(kernels.N_FEATURES, kernels.N_JOINT, bias=False)
        self.out = torch.nn.Linear(kernels.N_JOINT, 1)
        widths = (
            (self.state, kernels.N_STATE + kernels.N_HIDDEN),
            (self.joint, kernels.N_HIDDEN + kernels.N_FEATURES + kernels.N_JOINT),
            (self.candidate, kernels.N_HIDDEN + kernels.N_FEATURES + kernels.N_JOINT),
            (self.out, kernels.N_JOINT + 1),
        )
        for layer, width in widths:  # Glorot and Bengio (2010); joint and candidate are one layer
            limit = (6.0 / width) ** 0.5
            torch.nn.init.uniform_(layer.weight, -limit, limit)
            if layer.bias is not None:
                torch.nn.init.zeros_(layer.bias)

    def forward(self, obs: PyTorchObs) -> torch.Tensor:
        """Return Q of every candidate, closed ones at `MASKED_Q`; shape (B, N)."""
        if not isinstance(obs, dict):
            raise TypeError(f"expected a dict observation, got {type(obs).__name__}")
        joint = self.joint(torch.sigmoid(self.state(obs["context"].float())))
        inner = joint.unsqueeze(1) + self.candidate(obs["candidates"].float())
        q: torch.Tensor = self.out(torch.sigmoid(inner)).squeeze(2)
        return q.masked_fill(obs["mask"] < 0.5, MASKED_Q)

    def get_value(self, obs: TensorDict, slots: torch.Tensor) -> torch.Tensor:
        """Return Q of one candidate of every observation; slots (B, 1) to (B, 1)."""
        index = slots.long().unsqueeze(2).expand(-1, 1, kernels.N_FEATURES)
        features = torch.gather(obs["candidates"], 1, index).squeeze(1)
        joint = self.joint(torch.sigmoid(self.state(obs["context"])))
        q: torch.Tensor = self.out(torch.sigmoid(joint + self.candidate(features)))
        return q

    def plain(self) -> QNetwork:
        """Return the weights as plain arrays."""
        parts = {k: v.detach().cpu().numpy().copy() for k, v in self.state_dict().items()}
        joint = np.concatenate([parts["joint.weight"].T, parts["candidate.weight"].T])
        return QNetwork(
            parts["state.weight"].T, parts["state.bias"], joint, parts["joint.bias"],
            parts["out.weight"][0], parts["out.bias"],
        )  # fmt: skip


class LalRlDQNPolicy(CandidateDQNPolicy):
    """Holds the online and the target `LalRlQNetwork`."""

    def make_q_net(self) -> Any:
        """Return a fresh network."""
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return LalRlQNetwork(**arguments).to(self.device)


class LalRlDQN(CandidateDQN):
    """CandidateDQN with the published gradient step.

    All candidates are scored only where the best is sought: of the present state the candidate
    taken is enough, and of the next one, for the target network, the candidate that the online
    network prefers. The target network follows after every gradient step.

    Args:
        *args: As of the base class.
        steps_per_transition: Gradient steps for every environment step, fractions carried over.
        initial_gradient_steps: Gradient steps before the first of these.
        **kwargs: As of the base class.
    """

    def __init__(
        self,
        *args: Any,
        steps_per_transition: float = 0.27,
        initial_gradient_steps: int = 100,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.steps_per_transition = steps_per_transition
        self.initial_gradient_steps = initial_gradient_steps
        self.owed = 0.0

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Take the gradient steps that are due for so many environment steps."""
        self.policy.set_training_mode(True)
        if self._n_updates == 0:
            self._begin()
        self.owed += self.steps_per_transition * gradient_steps
        for _ in range(int(self.owed)):
            self._update(batch_size)
        self._n_updates += int(self.owed)
        self.owed -= int(self.owed)

    def _begin(self) -> None:
        """Start values at half of what a random episode costs."""
        lengths = [episode["l"] for episode in self.ep_info_buffer or ()]
        bias = -float(np.mean(lengths)) / 2 if lengths else 0.0
        networks: tuple[Any, ...] = (self.q_net, self.q_net_target)
        for network in networks:
            torch.nn.init.constant_(network.out.bias, bias)
        self.owed += self.initial_gradient_steps

    def _update(self, batch_size: int) -> None:
        """Take a step on the sum of squared double-Q errors and let the target network follow."""
        online: Any = self.q_net
        target: Any = self.q_net_target
        replay: Any = self.replay_buffer
        batch = replay.sample(batch_size)
        with torch.no_grad():
            best = online(batch.next_observations).argmax(dim=1, keepdim=True)
            following = target.get_value(batch.next_observations, best)
            goal = batch.rewards + batch.discounts * (1.0 - batch.dones) * following
        error = online.get_value(batch.observations, batch.actions) - goal
        self.policy.optimizer.zero_grad(set_to_none=True)
        error.square().sum().backward()
        self.policy.optimizer.step()
        polyak_update(online.parameters(), target.parameters(), self.tau)
        replay.update_priorities(batch.slots, error.detach().numpy().reshape(-1))


@dataclass(frozen=True, eq=False)
class StableResult:
    """What a run gave; see `agents.lal_rl.dqn.Result`."""

    network: QNetwork
    n_steps: int
    n_replayed: int
    lengths: Ints


class _Lengths(BaseCallback):
    """Collects the lengths of the episodes that end and reports progress."""

    def __init__(self, report: Callable[[int, float], None] | None) -> None:
        super().__init__()
        self.report, self.lengths = report, []  # type: ignore[var-annotated]

    def _on_step(self) -> bool:
        for e in np.flatnonzero(self.locals["dones"]):
            self.lengths.append(self.locals["infos"][e]["episode"]["l"])
        if self.report is not None and self.n_calls % 500 == 0:
            self.report(self.num_timesteps, float(np.mean(self.lengths[-500:])))
        return True


def train_stable(
    config: StableConfig, data: Any, *, report: Callable[[int, float], None] | None = None
) -> StableResult:
    """Train the agent with stable-baselines3 on the compiled workload.

    Args:
        config: The run.
        data: What `binary_pairs` accepts.
        report: Called now and then with the steps done and the mean length of recent episodes.
    """
    envs = LalRlVecEnv(config.n_envs, data=data, seed=integer_seed(config.seed, "engine"))
    model = make_stable(config, envs)
    callback = _Lengths(report)
    model.learn(config.total_timesteps, callback=callback)
    network: Any = model.q_net
    return StableResult(
        network=network.plain(),
        n_steps=int(model.num_timesteps),
        n_replayed=int(model._n_updates * config.batch_size),
        lengths=np.array(callback.lengths, dtype=np.int64),
    )


def make_stable(config: StableConfig, envs: LalRlVecEnv) -> LalRlDQN:
    """Return the untrained model."""
    model = LalRlDQN(
        LalRlDQNPolicy,
        envs,
        learning_rate=config.learning_rate,
        buffer_size=config.buffer_size,
        learning_starts=config.learning_starts,
        batch_size=config.batch_size,
        gamma=1.0,
        tau=config.tau,
        train_freq=1,
        gradient_steps=-1,
        target_update_interval=NEVER,
        exploration_fraction=1.0,
        exploration_final_eps=config.exploration_final_eps,
        replay_buffer_class=PublishedReplay,
        replay_buffer_kwargs={"alpha": config.priority_alpha, "beta": 0.0},
        seed=integer_seed(config.seed, "stable"),
        device="cpu",
        steps_per_transition=config.gradient_steps,
        initial_gradient_steps=config.initial_gradient_steps,
    )
    replay: Any = model.replay_buffer
    replay.reseed(integer_seed(config.seed, "replay"))
    return model
