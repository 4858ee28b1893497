"""The learner of LAL-RL by double DQN, with its comparison on sets that were left out."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from agents.lal_rl.config import GameConfig, LalRlConfig
from agents.lal_rl.control_test import Play, control_test, mean_lengths, uncertainty_network
from agents.lal_rl.datasets import data_card, game_card, get_pairs, training_datasets
from agents.lal_rl.dqn import episode_lengths, get_view, train
from agents.lal_rl.export import to_policy
from agents.lal_rl.kernels import UNCERTAINTY_ONLY
from agents.lal_rl.network import QNetwork
from agents.training.checkpoints import load_arrays, save_arrays
from agents.training.learner import Learner
from lal.arrays import Floats
from lal.data.dataset import Dataset
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator

N_UNTRAINED = 5
"""Untrained copies whose mean a policy has to beat."""

NAMES = {"symmetric": "lal-rl", "published": "lal-rl-published"}
"""Policy of each variant; the symmetric one is ours and the default."""

STATE = "weights.npz"

G = TypeVar("G", bound=GameConfig)


class GameLearner(Learner[G]):
    """What learners on the LAL-RL workload share: data sets, and the comparison with controls."""

    def __init__(self, config: G) -> None:
        super().__init__(config)
        self.datasets = training_datasets(config)
        self.pairs = get_pairs(self.datasets)

    def data(self) -> Mapping[str, Any]:
        """Return the data sets of the run."""
        return data_card(self.datasets)

    @abstractmethod
    def players(self) -> tuple[Play, Mapping[str, Play]]:
        """Return what runs the policy, and what runs its opponents but random."""

    def check(self, policy: PoolPolicy) -> Mapping[str, Any]:
        """Return the comparison with controls, where the config names data sets for it."""
        config = self.config
        if not (config.eval_datasets and config.n_eval_episodes):
            return {}
        ours, opponents = self.players()
        return control_test(config, ours, {"random": self.play_network(None, 0), **opponents})

    def play_network(self, network: QNetwork | None, view: int) -> Play:
        """Return what runs a network, or at random without one."""
        n = self.config.n_eval_episodes

        def play(name: str, seed: int) -> Floats:
            lengths = episode_lengths(network, name, view=view, n_episodes=n, seed=seed)
            return lengths.astype(np.float64)

        return play


class LalRlLearner(GameLearner[LalRlConfig]):
    """Double DQN in compiled kernels: seconds, so it is one segment."""

    network: QNetwork

    def train_segment(self, segment: int) -> Mapping[str, Any]:
        """Train to the end."""
        result = train(self.config, data=self.pairs, progress=self._report)
        self.network = result.network
        return {"n_steps": result.n_steps, "n_episodes": len(result.lengths)}

    def _report(self, n_steps: int, length: float, loss: float) -> None:
        self.progress.note(f"{n_steps:,} steps, {length:.1f} labels an episode, loss {loss:.1f}")

    def save(self, folder: Path) -> None:
        """Write the network."""
        save_arrays(folder / STATE, {"theta": self.network.pack()})

    def load(self, folder: Path) -> None:
        """Take up the network."""
        self.network = QNetwork.unpack(load_arrays(folder / STATE)["theta"])

    def export(self) -> PoolPolicy:
        """Return the network as a policy."""
        config = self.config
        about = card(config, self.datasets)
        return to_policy(self.network, get_view(config), name=NAMES[config.variant], card=about)

    def players(self) -> tuple[Play, Mapping[str, Play]]:
        """Return what runs the network, and what runs uncertainty and the controls."""
        config, view = self.config, get_view(self.config)
        shuffled = train(replace(config, control="shuffled_reward"), data=self.pairs).network
        copies = [self.play_network(one, view) for one in untrained(config, N_UNTRAINED)]
        return self.play_network(self.network, view), {
            "uncertainty": self.play_network(uncertainty_network(), UNCERTAINTY_ONLY),
            "shuffled": self.play_network(shuffled, view),
            "untrained": mean_lengths(copies),
        }

    @classmethod
    def export_untrained(cls, config: LalRlConfig, n: int) -> list[PoolPolicy]:
        """Return `n` policies of the same architecture with random weights."""
        about, name = {**card(config, []), "control": "untrained"}, NAMES[config.variant]
        return [
            to_policy(network, get_view(config), name=f"{name}-untrained-{i}", card=about)
            for i, network in enumerate(untrained(config, n))
        ]


def untrained(config: LalRlConfig, n: int) -> list[QNetwork]:
    """Return networks with random weights."""
    return [QNetwork.random(generator(config.seed, "untrained", i)) for i in range(n)]


def card(config: LalRlConfig, datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Return what the policy's card says of its training."""
    published = config.variant == "published"
    asymmetric = "asymmetric: swapping the two classes changes what is asked"
    found = game_card(config, datasets)
    limits = ["there are more than two classes"] if published else []
    return {
        **found,
        "summary": f"LAL-RL ({config.variant}): labels to 98 % of full quality, by double DQN.",
        "source": "Konyushkova, Sznitman and Fua (2018), arXiv 1810.04114"
        + ("" if published else "; symmetric inputs are ours"),
        "class_symmetry": asymmetric if published else "symmetric",
        "do_not_use_when": [*limits, *found["do_not_use_when"]],
        "differs_from_training": "the state is 30 quantiles over the pool's reference set, in "
        "training 30 points held aside; cosines are taken in the pool's own view",
    }
