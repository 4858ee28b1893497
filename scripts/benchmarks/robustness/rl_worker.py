"""Train in one reinforcement-learning library, in that library's own environment; prints JSON.

Run by `rl_libraries` beside this file. Each function trains on the compiled ``lal/Pool-v0`` for a
few updates and says what it did: that data flows, losses are finite and weights move. Whether a
policy learns is a question for hours, not for a smoke test.
"""

import json
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

import gymnasium
import numpy as np

from envs.wrappers import NextStepAutoreset
from lal.errors import UnknownNameError
from lal.registry import require

N_ENVS, N_STEPS, UPDATES = 4, 32, 3
ENV_NAME = "lal-pool"
POOL: dict[str, Any] = {"slate_size": 8, "n_tasks": 4}

Found = dict[str, Any]
"""``steps`` of the environment, ``episodes`` that ended, ``moved``: the change of the weights."""


def make_pool(num_envs: int, **options: Any) -> Any:
    """Return the compiled vector environment."""
    return gymnasium.make_vec("lal/Pool-v0", num_envs=num_envs, **POOL, **options)


def train_torchrl() -> Found:
    """Train by TorchRL's PPO: wrapped vector environment, collector, advantages, clipped loss."""
    torch = require("torch", "train")
    from tensordict.nn import TensorDictModule
    from torchrl.collectors import Collector
    from torchrl.envs import GymWrapper
    from torchrl.modules import ProbabilisticActor, ValueOperator
    from torchrl.objectives import ClipPPOLoss
    from torchrl.objectives.value import GAE

    torch.manual_seed(0)
    env = GymWrapper(make_pool(N_ENVS, text_infos=False), categorical_action_encoding=True)
    seen = env.observation_spec
    width = seen["candidates"].shape[-1] + seen["context"].shape[-1]
    actor_net, critic_net = _scorer(torch, width), _scorer(torch, width)
    keys = ["candidates", "context", "mask"]
    actor = ProbabilisticActor(
        TensorDictModule(actor_net, in_keys=keys, out_keys=["logits"]),
        in_keys=["logits"], distribution_class=torch.distributions.Categorical,
        return_log_prob=True,
    )  # fmt: skip
    critic = ValueOperator(_mean_score(torch, critic_net), in_keys=keys)
    collector = Collector(
        env, actor, frames_per_batch=N_ENVS * N_STEPS, total_frames=N_ENVS * N_STEPS * UPDATES
    )
    advantage = GAE(gamma=0.8, lmbda=0.9, value_network=critic)
    loss_module = ClipPPOLoss(actor, critic)
    optimiser = torch.optim.Adam(loss_module.parameters(), lr=1e-3)
    before, found = _weights(torch, actor_net), {"steps": 0, "episodes": 0}
    for batch in collector:
        advantage(batch)
        losses = loss_module(batch.reshape(-1))
        loss = sum(value for name, value in losses.items() if name.startswith("loss"))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found["steps"] += batch.numel()
        found["episodes"] += int(batch["next", "done"].sum())
    collector.shutdown()
    return {**found, "moved": float((_weights(torch, actor_net) - before).norm())}


def _scorer(torch: Any, width: int) -> Any:
    """Return a network that scores every candidate alike: closed slots have logit -1e9."""

    class Scorer(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(
                torch.nn.Linear(width, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1)
            )

        def forward(self, candidates: Any, context: Any, mask: Any) -> Any:
            shared = context.unsqueeze(-2).expand(*candidates.shape[:-1], -1)
            logits = self.layers(torch.cat([candidates, shared], dim=-1)).squeeze(-1)
            return logits.masked_fill(mask == 0, -1e9)

    return Scorer()


def _mean_score(torch: Any, scorer: Any) -> Any:
    """Return the mean score of the open slots as the value of a state."""

    class Mean(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scorer = scorer

        def forward(self, candidates: Any, context: Any, mask: Any) -> Any:
            scores = self.scorer(candidates, context, mask).masked_fill(mask == 0, 0.0)
            return scores.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp(min=1)

    return Mean()


def _weights(torch: Any, network: Any) -> Any:
    return torch.cat([p.detach().flatten().clone() for p in network.parameters()])


def train_rllib() -> Found:
    """Train by RLlib's PPO on its new API stack, our vector environment in its env runner."""
    ray = require("ray", "ray")
    ppo = require("ray.rllib.algorithms.ppo", "ray")
    flatten = require("ray.rllib.connectors.env_to_module", "ray").FlattenObservations
    register = require("ray.tune.registry", "ray").register_env
    register(ENV_NAME, lambda given: NextStepAutoreset(make_pool(given["num_envs"])))
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
    config = (
        ppo.PPOConfig()
        .environment(ENV_NAME)
        .env_runners(
            num_env_runners=0, num_envs_per_env_runner=N_ENVS,
            gym_env_vectorize_mode="vector_entry_point",
            env_to_module_connector=lambda env, spaces, device: flatten(),
        )
        .training(
            train_batch_size_per_learner=N_ENVS * N_STEPS, minibatch_size=64, num_epochs=1,
            lr=1e-3, gamma=0.8,
        )
        .learners(num_learners=0)
        .debugging(seed=0)
    )  # fmt: skip
    algorithm = config.build_algo()
    try:
        before = _numbers(algorithm.get_module().get_state())
        episodes = 0
        for _ in range(UPDATES):
            result = algorithm.train()["env_runners"]
            episodes += int(result.get("num_episodes", 0))
        after = _numbers(algorithm.get_module().get_state())
        steps = int(result["num_env_steps_sampled_lifetime"])
        return {
            "steps": steps,
            "episodes": episodes,
            "moved": float(np.linalg.norm(after - before)),
        }
    finally:
        algorithm.stop()
        ray.shutdown()


def _numbers(state: dict[str, Any]) -> Any:
    return np.concatenate([np.ravel(np.array(values)) for values in state.values()])


TRAIN: dict[str, tuple[str, Callable[[], Found]]] = {
    "torchrl": ("torchrl", train_torchrl),
    "rllib": ("ray", train_rllib),
}
"""Library to the distribution that has its version, and what trains in it."""


def main(library: str) -> Found:
    """Return what became of training in a library.

    Raises:
        UnknownNameError: No such library.
    """
    if library not in TRAIN:
        raise UnknownNameError(f"unknown library {library!r}; known: {', '.join(TRAIN)}")
    distribution, train = TRAIN[library]
    versions = {"version": metadata.version(distribution), "gymnasium": gymnasium.__version__}
    return {"library": library, **versions, **train()}


if __name__ == "__main__":
    print("TRAINED " + json.dumps(main(sys.argv[1])))
