"""The same agent through stable-baselines3: CandidateDQN with the published network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import PyTorchObs, TensorDict
from stable_baselines3.dqn.policies import QNetwork as StableQNetwork

from agents.dqn.algorithm import CandidateDQN
from agents.dqn.network import MASKED_Q, CandidateDQNPolicy
from agents.fast_dqn import kernels
from agents.fast_dqn.network import QNetwork
from envs.simulator.sb3_vec_env import LalRlVecEnv
from lal.arrays import Ints
from lal.rng import integer_seed


@dataclass(frozen=True, kw_only=True)
class StableConfig:
    """A run through stable-baselines3: the same transitions replayed, in larger batches."""

    seed: int = 0
    """Names every random stream of the run."""

    n_steps: int = 1_000_000
    """Environment steps of the whole run."""

    n_envs: int = 64
    """Episodes advanced together."""

    batch_size: int = 1152
    """Transitions of a gradient step."""

    steps_per_update: int = 2
    """Steps of all environments between two gradient steps."""

    learning_rate: float = 3e-3
    """Of Adam; larger than the published 1e-3, as the batches are."""

    tau: float = 0.1
    """Share of the online network that enters the target network."""

    buffer_size: int = 20_000
    """Transitions kept."""

    learning_starts: int = 4_000
    """Environment steps taken at random before learning."""

    exploration_final: float = 0.1
    """Share of random steps at the end."""


class LalRlQNetwork(StableQNetwork):
    """The published network: the state layer once per state, then every candidate."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.q_net = torch.nn.Sequential()
        self.state = torch.nn.Linear(kernels.N_STATE, kernels.N_HIDDEN)
        self.joint = torch.nn.Linear(kernels.N_HIDDEN, kernels.N_JOINT)
        self.candidate = torch.nn.Linear(kernels.N_FEATURES, kernels.N_JOINT, bias=False)
        self.out = torch.nn.Linear(kernels.N_JOINT, 1)
        torch.nn.init.constant_(self.out.bias, -8.0)

    def forward(self, obs: PyTorchObs) -> torch.Tensor:
        """Return Q of every candidate, closed ones at `MASKED_Q`; shape (B, N)."""
        if not isinstance(obs, dict):
            raise TypeError(f"expected a dict observation, got {type(obs).__name__}")
        joint = self.joint(torch.sigmoid(self.state(obs["context"].float())))
        inner = joint.unsqueeze(1) + self.candidate(obs["candidates"].float())
        q: torch.Tensor = self.out(torch.sigmoid(inner)).squeeze(2)
        return q.masked_fill(obs["mask"] < 0.5, MASKED_Q)

    def value_of(self, obs: TensorDict, slots: torch.Tensor) -> torch.Tensor:
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
    """CandidateDQN that scores all candidates only where the best is sought.

    Of the present state the candidate taken is enough, and of the next one, for the target
    network, the candidate that the online network prefers.
    """

    def train(self, gradient_steps: int, batch_size: int = 100) -> None:
        """Take gradient steps on the squared TD error of prioritised minibatches."""
        self.policy.set_training_mode(True)
        online: Any = self.q_net
        target: Any = self.q_net_target
        replay: Any = self.replay_buffer
        for _ in range(gradient_steps):
            batch = replay.sample(batch_size)
            with torch.no_grad():
                best = online(batch.next_observations).argmax(dim=1, keepdim=True)
                following = target.value_of(batch.next_observations, best)
                goal = batch.rewards + self.gamma * (1.0 - batch.dones) * following
            error = online.value_of(batch.observations, batch.actions) - goal
            loss = (batch.weights * error.square()).mean()
            self.policy.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.policy.optimizer.step()
            replay.update_priorities(batch.slots, error.detach().numpy().reshape(-1))
        self._n_updates += gradient_steps


@dataclass(frozen=True, eq=False)
class StableResult:
    """What a run gave; see `agents.fast_dqn.train.Result`."""

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
    model.learn(config.n_steps, callback=callback)
    network: Any = model.q_net
    return StableResult(
        network=network.plain(),
        n_steps=int(model.num_timesteps),
        n_replayed=int(model._n_updates * config.batch_size),
        lengths=np.array(callback.lengths, dtype=np.int64),
    )


def make_stable(config: StableConfig, envs: LalRlVecEnv) -> LalRlDQN:
    """Return the untrained model."""
    return LalRlDQN(
        LalRlDQNPolicy,
        envs,
        learning_rate=config.learning_rate,
        buffer_size=config.buffer_size,
        learning_starts=config.learning_starts,
        batch_size=config.batch_size,
        gamma=1.0,
        tau=config.tau,
        train_freq=config.steps_per_update,
        gradient_steps=1,
        target_update_interval=config.steps_per_update * config.n_envs,
        exploration_fraction=1.0,
        exploration_final_eps=config.exploration_final,
        replay_buffer_kwargs={"alpha": 0.6, "beta": 0.4},
        seed=integer_seed(config.seed, "stable"),
        device="cpu",
    )
