"""Training of the PPO agent, in segments that survive `kill -9`; see `agents.dqn.train`.

A segment starts from the checkpoint on disk (weights and optimiser), from environments and
generators seeded by (seed, segment), and from an empty rollout: the same road whether interrupted
or not.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import torch
from gymnasium.wrappers import TransformReward
from sb3_contrib import MaskablePPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from agents.dqn.export import mlp_program
from agents.ppo.config import PPOConfig
from agents.ppo.network import CandidatePPOPolicy
from agents.ppo.start import Start, load_start
from agents.training.run_folder import RunFolder
from agents.training.slate_check import compare_with_slate
from agents.training.tasks import areas, dev_tasks, feature_lists, training_card, training_tasks
from envs.registration import POOL_ID, register_envs
from envs.wrappers import ShuffleReward
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.rng import integer_seed
from lal.serialization import write_atomic, write_json
from lal.task import Task

Rows = list[dict[str, Any]]


def train(config: PPOConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`, or go on where it stopped; see `agents.registry.Agent.train`."""
    _check(config)
    run = RunFolder(folder, agent="ppo", config=config)
    if run.finished:
        return run.policy_path
    torch.set_num_threads(1)
    tasks = dev_tasks(config)
    make_envs(replace(config, n_envs=1), segment=0).close()  # names are refused before writing
    run.begin()
    write_json(folder / "data.json", card_of(config)["data"])
    last = run.last_checkpoint()
    for segment in range(0 if last is None else int(last[1]["segment"]) + 1, config.n_segments):
        row = _run_segment(run, config, segment, tasks)
        if progress:
            sys.stderr.write(f"step {row['step']}: dev area {row['dev_area']:.4f}\n")
    return _finish(run, config, tasks)


def export_untrained(config: PPOConfig, n: int) -> list[PoolPolicy]:
    """Return `n` policies with random weights; see `agents.registry.Agent.export_untrained`."""
    if config.start:
        raise UsageError("untrained copies of a tuned policy are its start; compare with that")
    torch.set_num_threads(1)
    envs = make_envs(replace(config, n_envs=1), segment=0)
    card = {**training_card(config), "control": "untrained"}
    policies = []
    for i in range(n):
        model = make_model(config, envs, seed=integer_seed(config.seed, "untrained", i))
        policies.append(export_policy(model, config, name=f"ppo_untrained_{i}", card=card))
    return policies


def make_envs(config: PPOConfig, segment: int) -> VecEnv:
    """Return the environments of a segment; they are a function of config and segment alone."""
    tasks = training_tasks(config)
    candidate_features, context_features = features_of(config)
    register_envs()

    def make(index: int) -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(
            POOL_ID,
            disable_env_checker=True,
            tasks=tasks,
            candidate_features=candidate_features,
            context_features=context_features,
            slate_size=config.slate_size,
            slate_rule=config.slate_rule,
            reward=config.reward,
        )
        if config.control == "shuffled_reward":
            env = ShuffleReward(env, seed=integer_seed(config.seed, "shuffle", segment, index))
        return Monitor(TransformReward(env, lambda reward: config.reward_scale * float(reward)))

    return DummyVecEnv([lambda i=i: make(i) for i in range(config.n_envs)])  # type: ignore[misc]


def make_model(config: PPOConfig, envs: VecEnv, *, seed: int) -> MaskablePPO:
    """Return a model with fresh weights."""
    return MaskablePPO(
        CandidatePPOPolicy,
        envs,
        learning_rate=config.learning_rate,
        n_steps=config.rollout,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        ent_coef=config.entropy,
        policy_kwargs={
            "widths": config.net_arch,
            "start": config.start,
            "start_scale": config.start_scale,
        },
        seed=seed,
        device="cpu",
    )


def export_policy(
    model: MaskablePPO, config: PPOConfig, *, name: str, card: Mapping[str, Any]
) -> PoolPolicy:
    """Return the policy whose utilities are the model's logits, equal to 1e-5."""
    heads: Any = model.policy.mlp_extractor
    start: Start | None = heads.start
    program, tensors = start.program(heads.scorer) if start else mlp_program(heads.scorer)
    candidate_features, context_features = features_of(config)
    return PoolPolicy(
        name=name,
        candidate_features=candidate_features,
        context_features=context_features,
        program=program,
        tensors=tensors,
        card=dict(card),
    )


def features_of(config: PPOConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids of the candidate and the context features: the start's where there is one."""
    if not config.start:
        return feature_lists(config)
    start = load_start(config.start)
    return start.candidate_features, start.context_features


def card_of(config: PPOConfig) -> dict[str, Any]:
    """Return the run's card; what the start was trained on was met, too."""
    card = training_card(config)
    if not config.start:
        return card
    before = load_start(config.start)
    met = {**dict(before.card.get("data", {}) or {}), **card["data"]}
    return {**card, "data": met, "tuned_from": before.name}


def _check(config: PPOConfig) -> None:
    """Refuse what makes no run."""
    if config.start and (config.candidate_features or config.context_features):
        raise UsageError("the features are those of the start; leave both lists out")
    if config.start and config.control in ("untrained", "uncertainty_only"):
        raise UsageError(f"control {config.control!r} has no meaning with a start; leave one out")
    if config.start and config.start_scale <= 0:
        raise UsageError(f"start_scale must be above 0, got {config.start_scale}")
    least = {"n_segments": 1, "n_envs": 1, "slate_size": 2, "rollout": 2, "n_dev_tasks": 1}
    for name, low in least.items():
        if getattr(config, name) < low:
            raise UsageError(f"{name} must be at least {low}, got {getattr(config, name)}")
    whole = config.rollout * config.n_envs * config.n_segments
    if config.n_steps < whole:
        raise UsageError(
            f"{config.n_steps} steps are too few for {config.n_segments} segments of a rollout of "
            f"{config.rollout * config.n_envs}; raise n_steps to {whole}"
        )


def _run_segment(
    run: RunFolder, config: PPOConfig, segment: int, tasks: list[Task]
) -> dict[str, Any]:
    """Load the last checkpoint, learn, validate, write the next checkpoint."""
    began = time.perf_counter()
    envs = make_envs(config, segment)
    last = run.last_checkpoint()
    rows: Rows = [] if last is None else list(last[1]["metrics"])
    if last is None:
        model = make_model(config, envs, seed=integer_seed(config.seed, "weights"))
    else:
        model = MaskablePPO.load(last[0] / "model.zip", env=envs, device="cpu")
    seed = integer_seed(config.seed, "segment", segment)
    set_random_seed(seed)
    envs.seed(seed)
    model.learn(config.n_steps // config.n_segments, reset_num_timesteps=last is None)
    policy = export_policy(model, config, name="ppo", card=card_of(config))
    row = {
        "segment": segment,
        "step": model.num_timesteps,
        "dev_area": float(areas(policy, tasks, seed=config.seed).mean()),
        "seconds": round(time.perf_counter() - began, 2),
    }
    rows.append(row)
    best = row["dev_area"] >= max(found["dev_area"] for found in rows)

    def write(part: Path) -> None:
        model.save(part / "model.zip")
        kept = policy if best or last is None else load_as(PoolPolicy, last[0] / "best.safetensors")
        kept.save(part / "best.safetensors")

    run.save_checkpoint(segment, {"segment": segment, "metrics": rows}, write)
    run.write_metrics(rows)
    envs.close()
    return row


def _finish(run: RunFolder, config: PPOConfig, tasks: list[Task]) -> Path:
    """Keep the best policy and mark the run as finished."""
    last = run.last_checkpoint()
    if last is None:
        raise UsageError(f"{run.folder} has no checkpoint; start the run again")
    place, state = last
    best = max(state["metrics"], key=lambda row: row["dev_area"])
    policy = load_as(PoolPolicy, place / "best.safetensors")
    check = compare_with_slate(
        policy, tasks, config.slate_size, config.slate_rule, seed=config.seed
    )
    about = {"dev_area": best["dev_area"], "steps": best["step"], "slate_check": check}
    policy = replace(policy, card={**policy.card, **about})
    write_atomic(run.policy_path, policy.save)
    run.finish({"best": best, "config_hash": run.hash, "policy": run.policy_path.name, **about})
    return run.policy_path
