"""Training of the DQN agent, in segments that survive `kill -9`.

Every segment, in a resumed run as in an undisturbed one, starts from the checkpoint on disk and
from generators seeded by (seed, segment); environments are rebuilt. So both take the same road,
bitwise on one thread.
"""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from agents.dqn.algorithm import CandidateDQN
from agents.dqn.config import DQNConfig
from agents.dqn.export import export_policy
from agents.training.run_folder import RunFolder
from agents.training.slate_check import compare_with_slate
from agents.training.tasks import areas, dev_tasks, feature_lists, training_card, training_tasks
from envs.registration import POOL_ID, register_envs
from envs.wrappers import ShuffleReward
from lal.errors import UsageError
from lal.policies.pool_policy import PoolPolicy
from lal.rng import integer_seed
from lal.serialization import write_atomic, write_json
from lal.task import Task

Rows = list[dict[str, Any]]


def train(config: DQNConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`, or go on where it stopped; see `agents.registry.Agent.train`."""
    _check(config)
    run = RunFolder(folder, agent="dqn", config=config)
    if run.finished:
        return run.policy_path
    torch.set_num_threads(1)
    tasks = dev_tasks(config)
    make_envs(replace(config, n_envs=1), segment=0).close()  # names are refused before writing
    run.begin()
    write_json(folder / "data.json", training_card(config)["data"])
    with _ProgressBar(config.n_steps, shown=progress) as bar:
        for segment in range(_next_segment(run), config.n_segments):
            _run_segment(run, config, segment, tasks=tasks, bar=bar)
    return _finish(run, config, tasks)


def export_untrained(config: DQNConfig, n: int) -> list[PoolPolicy]:
    """Return `n` policies with random weights; see `agents.registry.Agent.export_untrained`."""
    torch.set_num_threads(1)
    envs = make_envs(replace(config, n_envs=1), segment=0)
    policies = []
    for i in range(n):
        model = make_model(config, envs, seed=integer_seed(config.seed, "untrained", i))
        card = {**training_card(config), "control": "untrained"}
        policies.append(export_policy(model, config, name=f"dqn_untrained_{i}", card=card))
    return policies


def make_envs(config: DQNConfig, segment: int) -> VecEnv:
    """Return the environments of a segment; they are a function of config and segment alone."""
    tasks = training_tasks(config)
    candidate_features, context_features = feature_lists(config)
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
        return Monitor(env)

    return DummyVecEnv([lambda i=i: make(i) for i in range(config.n_envs)])  # type: ignore[misc]


def make_model(config: DQNConfig, envs: VecEnv, *, seed: int) -> CandidateDQN:
    """Return a model with fresh weights."""
    return CandidateDQN(
        env=envs,
        planned_steps=config.n_steps,
        learning_rate=config.learning_rate,
        buffer_size=config.buffer_size,
        learning_starts=config.learning_starts,
        batch_size=config.batch_size,
        gamma=config.gamma,
        train_freq=1,
        gradient_steps=config.gradient_steps,
        target_update_interval=config.target_interval,
        exploration_fraction=config.exploration_fraction,
        exploration_final_eps=config.exploration_final,
        policy_kwargs={"net_arch": list(config.net_arch)},
        replay_buffer_kwargs={
            "alpha": config.priority_alpha,
            "beta": config.priority_beta,
            "reward_scale": config.reward_scale,
        },
        seed=seed,
        device="cpu",
    )


def _check(config: DQNConfig) -> None:
    """Refuse numbers that make no run."""
    least = {
        "n_steps": 1, "n_segments": 1, "n_envs": 1, "slate_size": 2, "batch_size": 1,
        "gradient_steps": 1, "buffer_size": 1, "n_dev_tasks": 1, "budget": 1, "target_interval": 1,
    }  # fmt: skip
    for name, low in least.items():
        if getattr(config, name) < low:
            raise UsageError(f"{name} must be at least {low}, got {getattr(config, name)}")
    if config.n_steps < config.n_segments * config.n_envs:
        raise UsageError(
            f"{config.n_steps} steps are too few for {config.n_segments} segments of "
            f"{config.n_envs} environments; raise n_steps"
        )


def _next_segment(run: RunFolder) -> int:
    last = run.last_checkpoint()
    return 0 if last is None else int(last[1]["segment"]) + 1


def _run_segment(
    run: RunFolder, config: DQNConfig, segment: int, *, tasks: list[Task], bar: "_ProgressBar"
) -> None:
    """Load the last checkpoint, learn, validate, write the next checkpoint."""
    began = time.perf_counter()
    envs = make_envs(config, segment)
    model, rows = _restore(run, config, envs)
    model.reseed(integer_seed(config.seed, "segment", segment))
    model.set_logger(configure(str(run.folder / "tensorboard"), ["tensorboard"]))
    goal = config.n_steps * (segment + 1) // config.n_segments
    bar.at(model.num_timesteps)
    model.learn(goal - model.num_timesteps, bar.callback(), reset_num_timesteps=False)
    policy = export_policy(model, config, name="dqn", card=training_card(config))
    area = float(areas(policy, tasks, seed=config.seed).mean())
    model.logger.record("dev/area", area)
    loss = model.logger.name_to_value.get("train/loss")
    model.logger.dump(step=model.num_timesteps)
    model.logger.close()
    bar.note(f"dev area {area:.4f}")
    seconds = time.perf_counter() - began
    rows.append(
        {
            "segment": segment,
            "step": model.num_timesteps,
            "dev_area": area,
            "mean_return": _mean_return(model),
            "loss": loss,
            "exploration": model.exploration_rate,
            "n_updates": model._n_updates,
            "seconds": round(seconds, 2),
        }
    )
    _checkpoint(run, model, rows)
    envs.close()


def _restore(run: RunFolder, config: DQNConfig, envs: VecEnv) -> tuple[CandidateDQN, Rows]:
    """Return the model as it was after the last segment (fresh before the first)."""
    last = run.last_checkpoint()
    if last is None:
        return make_model(config, envs, seed=integer_seed(config.seed, "weights")), []
    place, state = last
    model = CandidateDQN.load(place / "model.zip", env=envs, device="cpu")
    model.load_replay_buffer(place / "replay.pkl")
    return model, list(state["metrics"])


def _checkpoint(run: RunFolder, model: CandidateDQN, rows: Rows) -> None:
    last = run.last_checkpoint()
    is_best = rows[-1]["dev_area"] >= max(row["dev_area"] for row in rows)

    def write(part: Path) -> None:
        model.save(part / "model.zip")
        model.save_replay_buffer(part / "replay.pkl")
        if is_best or last is None:
            shutil.copyfile(part / "model.zip", part / "best.zip")
        else:
            shutil.copyfile(last[0] / "best.zip", part / "best.zip")

    segment = int(rows[-1]["segment"])
    run.save_checkpoint(segment, {"segment": segment, "metrics": rows}, write)
    run.write_metrics(rows)


def _finish(run: RunFolder, config: DQNConfig, tasks: list[Task]) -> Path:
    """Export the best model and mark the run as finished."""
    last = run.last_checkpoint()
    if last is None:
        raise UsageError(f"{run.folder} has no checkpoint; start the run again")
    place, state = last
    run.write_metrics(state["metrics"])
    best = max(state["metrics"], key=lambda row: row["dev_area"])
    model = CandidateDQN.load(place / "best.zip", device="cpu")
    card = {**training_card(config), "dev_area": best["dev_area"], "steps": best["step"]}
    policy = export_policy(model, config, name="dqn", card=card)
    check = compare_with_slate(
        policy, tasks, config.slate_size, config.slate_rule, seed=config.seed
    )
    policy = replace(policy, card={**card, "slate_check": check})
    write_atomic(run.policy_path, policy.save)
    run.finish(
        {
            "best": best,
            "config_hash": run.hash,
            "policy": run.policy_path.name,
            "slate_check": check,
        }
    )
    return run.policy_path


def _mean_return(model: CandidateDQN) -> float | None:
    episodes = model.ep_info_buffer or ()
    returns = [float(episode["r"]) for episode in episodes]
    return sum(returns) / len(returns) if returns else None


class _ProgressBar:
    """A bar over environment steps on stderr, or nothing."""

    def __init__(self, total: int, *, shown: bool) -> None:
        self._bar: Any = None
        if shown:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit="step", desc="train", smoothing=0.1)

    def __enter__(self) -> "_ProgressBar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def at(self, step: int) -> None:
        """Move the bar to a step."""
        if self._bar is not None:
            self._bar.update(step - self._bar.n)

    def note(self, text: str) -> None:
        """Show a text behind the bar."""
        if self._bar is not None:
            self._bar.set_postfix_str(text)

    def callback(self) -> BaseCallback:
        """Return the callback that moves the bar."""
        return _MoveBar(self)


class _MoveBar(BaseCallback):
    def __init__(self, bar: _ProgressBar) -> None:
        super().__init__()
        self._progress = bar

    def _on_step(self) -> bool:
        self._progress.at(self.num_timesteps)
        return True
