"""The learner of stream policies: stable-baselines3's DQN, and its export."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar, cast

import gymnasium
import numpy as np
from stable_baselines3 import DQN
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from torch import nn

from agents.export.torch_layers import SHORT, layers_ops
from agents.stream_dqn.config import StreamDQNConfig, StreamQConfig
from agents.training.sb3 import MoveBar, Sb3Learner
from envs.streams.stream_env import LIMIT, DriftingTables, StreamEnv, Worlds
from envs.wrappers import ShuffleReward
from lal.errors import UsageError
from lal.rng import generator, integer_seed
from lal.streams.loop import run_stream
from lal.streams.policy import Pace, StreamPolicy

FEATURES = (
    "margin@1", "entropy@1", "standing@1", "error@1", "surprise@1", "since@1", "labels@1",
)  # fmt: skip
"""What the policies of table streams look at: nothing that depends on how fast is spent."""

S = TypeVar("S", bound=StreamQConfig)


class StreamLearner(Sb3Learner[S]):
    """Trains a DQN that asks or skips; in one segment, a run that was cut off starts again."""

    name: ClassVar[str]

    points: ClassVar[int] = 0
    """Points of the quality curve whose mean is the score of a stream; 0: prequential accuracy."""

    @abstractmethod
    def make_worlds(self, n: int) -> Worlds:
        """Return what hands out streams of n items."""

    @abstractmethod
    def make_env(self) -> StreamEnv:
        """Return the training environment."""

    @abstractmethod
    def trained_on(self) -> Sequence[str]:
        """Return the families of streams that are trained on."""

    def make_envs(self, segment: int) -> VecEnv:
        """Return the training environment as a vector of one."""
        env: gymnasium.Env[Any, Any] = self.make_env()
        if self.config.control == "shuffled_reward":
            env = ShuffleReward(env, seed=integer_seed(self.config.seed, "shuffle"))
        return DummyVecEnv([lambda: Monitor(env)])

    def make_model(self, envs: VecEnv, *, seed: int) -> DQN:
        """Return a DQN with fresh weights."""
        config = self.config
        return DQN(
            "MlpPolicy",
            envs,
            learning_rate=config.learning_rate,
            buffer_size=config.total_timesteps,
            learning_starts=min(500, config.total_timesteps // 4),
            batch_size=128,
            gamma=config.gamma,
            train_freq=4,
            target_update_interval=500,
            exploration_fraction=0.5,
            exploration_final_eps=config.exploration_final_eps,
            policy_kwargs={"net_arch": list(config.net_arch)},
            seed=seed,
            device="cpu",
        )

    def reseed(self, model: Any, seed: int) -> None:
        """Seed every generator; where there is one segment, they stay as the model seeded them."""
        if self.n_segments > 1:
            super().reseed(model, seed)

    def learn(self, model: DQN, goal: int) -> None:
        """Learn up to the goal; exploration falls over the whole run, not over a segment."""
        left = self.total_timesteps - model.num_timesteps
        bar = MoveBar(self.progress, stop_at=goal if goal < self.total_timesteps else None)
        model.learn(left, bar, reset_num_timesteps=False)

    def validate(self, policy: StreamPolicy) -> float | None:
        """Return the mean score on streams of their own, the same for all checkpoints."""
        config = self.config
        worlds = self.make_worlds(config.n_dev_items)
        runs = [
            run_stream(
                policy, worlds(generator(config.seed, "validation stream", i)),
                budget=config.dev_budget_fraction, points=self.points,
            )
            for i in range(config.n_dev_streams)
        ]  # fmt: skip
        scores = [run.curve.mean() if self.points else run.accuracy for run in runs]
        return float(np.mean(scores)) if scores else None

    def export(self) -> StreamPolicy:
        """Return the policy as it is now."""
        return self.export_model(self.model, f"{self.name}-{self.config.seed}")

    def export_model(self, model: DQN, name: str) -> StreamPolicy:
        """Return the policy whose utility is Q(ask) - Q(skip), equal to torch's to 1e-5."""
        config, env = self.config, self.make_env()
        clip = {"op": "clip", "in": ["candidates"], "out": ["h0"], "low": -LIMIT, "high": LIMIT}
        network = _difference(model.policy.q_net.q_net)
        ops, tensors, utility = layers_ops(network, prefix="", source="h0", names=SHORT)
        card = {
            "summary": f"{name}: DQN on streams, {config.total_timesteps} steps",
            "steps": model.num_timesteps,
            "control": config.control,
            "trained_on": self.trained_on(),
        }
        return StreamPolicy(
            name=name,
            features=list(env.features),
            program={"ops": [clip, *ops], "output": utility},
            tensors=tensors,
            card=card,
            content_width=env.content_width,
            pace=cast("Pace", config.pace),
        )

    @classmethod
    def export_untrained(cls, config: S, n: int) -> list[StreamPolicy]:
        """Return `n` policies with random weights; see `agents.registry.Agent`."""
        learner = cls(config)
        seeds = [integer_seed(config.seed, "untrained", i) for i in range(n)]
        models = [learner.make_model(learner.make_envs(0), seed=seed) for seed in seeds]
        return [learner.export_model(model, f"untrained-{i}") for i, model in enumerate(models)]


class StreamDQNLearner(StreamLearner[StreamDQNConfig]):
    """Asks for the labels of table rows."""

    name = "stream_dqn"
    score_name = "dev_accuracy"

    def make_worlds(self, n: int) -> DriftingTables:
        """Return what hands out streams of n rows."""
        return DriftingTables(self.config.families, n=n)

    def make_env(self) -> StreamEnv:
        """Return the training environment."""
        config = self.config
        return StreamEnv(
            self.make_worlds(config.n_items),
            features=FEATURES,
            budget=config.budget_fraction,
            price=config.price,
        )

    def trained_on(self) -> Sequence[str]:
        """Return the families of streams that are trained on."""
        return list(self.config.families)


def _difference(layers: nn.Sequential) -> nn.Sequential:
    """Return the layers with one output, the second of their two minus the first."""
    *hidden, last = layers.children()
    if not isinstance(last, nn.Linear):
        raise UsageError(f"expected a last layer of type Linear, got {type(last).__name__}")
    one = nn.Linear(last.in_features, 1)
    one.load_state_dict(
        {"weight": last.weight[1:] - last.weight[:1], "bias": last.bias[1:] - last.bias[:1]}
    )
    return nn.Sequential(*hidden, one)
