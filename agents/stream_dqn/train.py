"""Training of stream policies with stable-baselines3's DQN, and their export."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.monitor import Monitor

from agents.export.torch_layers import ACTIVATIONS
from agents.registry import TrainConfig
from agents.stream_dqn.config import StreamDQNConfig
from agents.training.run_folder import RunFolder
from envs.streams.stream_env import LIMIT, DriftingTables, StreamEnv
from envs.wrappers import ShuffleReward
from lal.errors import UsageError
from lal.rng import integer_seed
from lal.serialization import write_atomic, write_json
from lal.streams.policy import Pace, StreamPolicy

FEATURES = (
    "margin@1", "entropy@1", "standing@1", "error@1", "surprise@1", "since@1", "labels@1",
)  # fmt: skip
"""What the policies of table streams look at: nothing that depends on how fast is spent."""

POOL_ONLY = (
    "datasets", "hold_out", "share_synthetic", "learners", "budget", "max_pool",
    "candidate_features", "context_features", "n_dev_tasks",
)  # fmt: skip
"""Settings of pool agents; a change of one is refused rather than ignored."""


def train(config: StreamDQNConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`; see `agents.registry.Agent.train`."""
    return learn(config, make_env(config), folder, agent="stream_dqn", progress=progress)


def export_untrained(config: StreamDQNConfig, n: int) -> list[StreamPolicy]:
    """Return `n` policies with random weights; see `agents.registry.Agent.export_untrained`."""
    return untrained(config, make_env(config), n)


def make_env(config: StreamDQNConfig) -> StreamEnv:
    """Return the training environment."""
    return StreamEnv(
        DriftingTables(config.families, n=config.n_items),
        features=FEATURES,
        budget=config.share,
        price=config.price,
    )


def learn(
    config: StreamDQNConfig, env: StreamEnv, folder: Path, *, agent: str, progress: bool
) -> Path:
    """Train a DQN on an environment and export it; a finished folder is left as it is."""
    refuse_pool_settings(config)
    run = RunFolder(folder, agent=agent, config=config)
    if run.finished:
        return run.policy_path
    torch.set_num_threads(1)
    run.begin()
    write_json(folder / "data.json", {})
    model = make_model(config, env, seed=integer_seed(config.seed, "weights"))
    model.learn(config.n_steps, progress_bar=False)
    if progress:
        print(f"{agent}: {model.num_timesteps} steps done", flush=True)  # noqa: T201
    policy = export_policy(model, config, env, name=f"{agent}-{config.seed}")
    write_atomic(run.policy_path, policy.save)
    returns = [float(e["r"]) for e in model.ep_info_buffer or ()]
    run.finish({"policy": run.policy_path.name, "last_return": float(np.mean(returns or [0.0]))})
    return run.policy_path


def untrained(config: StreamDQNConfig, env: StreamEnv, n: int) -> list[StreamPolicy]:
    """Return `n` policies with random weights for an environment."""
    torch.set_num_threads(1)
    seeds = [integer_seed(config.seed, "untrained", i) for i in range(n)]
    return [
        export_policy(make_model(config, env, seed=s), config, env, name=f"untrained-{i}")
        for i, s in enumerate(seeds)
    ]


def make_model(config: StreamDQNConfig, env: StreamEnv, *, seed: int) -> DQN:
    """Return a DQN with fresh weights."""
    played: gymnasium.Env[Any, Any] = env
    if config.control == "shuffled_reward":
        played = ShuffleReward(played, seed=integer_seed(config.seed, "shuffle"))
    return DQN(
        "MlpPolicy",
        Monitor(played),
        learning_rate=config.learning_rate,
        buffer_size=config.n_steps,
        learning_starts=min(500, config.n_steps // 4),
        batch_size=128,
        gamma=config.gamma,
        train_freq=4,
        target_update_interval=500,
        exploration_fraction=0.5,
        exploration_final_eps=config.exploration_final,
        policy_kwargs={"net_arch": list(config.net_arch)},
        seed=seed,
        device="cpu",
    )


def export_policy(
    model: DQN, config: StreamDQNConfig, env: StreamEnv, *, name: str
) -> StreamPolicy:
    """Return the policy whose utility is Q(ask) - Q(skip), equal to torch's to 1e-5."""
    layers = list(model.policy.q_net.q_net.children())
    ops: list[dict[str, Any]] = [
        {"op": "clip", "in": ["candidates"], "out": ["h0"], "low": -LIMIT, "high": LIMIT}
    ]
    tensors: dict[str, np.ndarray] = {}
    for i, layer in enumerate(layers):
        step: dict[str, Any] = {"in": [f"h{i}"], "out": [f"h{i + 1}"]}
        if isinstance(layer, torch.nn.Linear):
            weight, bias = (_array(w) for w in (layer.weight, layer.bias))
            if i == len(layers) - 1:
                weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
            tensors[f"w{i}"], tensors[f"b{i}"] = weight, bias
            ops.append({**step, "op": "affine", "weight": f"w{i}", "bias": f"b{i}"})
        else:
            ops.append({**step, "op": ACTIVATIONS[type(layer)]})
    card = {
        "summary": f"{name}: DQN on streams, {config.n_steps} steps",
        "steps": config.n_steps,
        "control": config.control,
        "trained_on": trained_on(config),
    }
    return StreamPolicy(
        name=name,
        features=list(env.features),
        program={"ops": ops, "output": ops[-1]["out"][0]},
        tensors=tensors,
        card=card,
        content_width=env.content_width,
        pace=cast("Pace", config.pace),
    )


def trained_on(config: StreamDQNConfig) -> Sequence[str]:
    """Return the families that a config trains on."""
    return list(config.families)


def refuse_pool_settings(config: StreamDQNConfig) -> None:
    """Refuse settings that mean nothing on streams."""
    usual = {f.name: f.default for f in fields(TrainConfig)}
    for name in POOL_ONLY:
        if getattr(config, name) != usual[name]:
            raise UsageError(f"{name} has no meaning on streams; leave it at {usual[name]!r}")


def _array(weights: torch.Tensor) -> np.ndarray:
    return np.array(weights.detach().cpu().numpy(), dtype=np.float32, order="C")
