"""The learner of LAL-RL by search: one search a segment, their mean weights are the policy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.lal_rl.control_test import Play, mean_lengths
from agents.lal_rl.datasets import game_card
from agents.lal_rl.learner import N_UNTRAINED, STATE, GameLearner
from agents.lal_rl.search.config import SIZE, SearchConfig
from agents.lal_rl.search.export import to_policy
from agents.lal_rl.search.game import episode_lengths
from agents.lal_rl.search.search import Search, free_weights, start, train
from agents.training.checkpoints import load_arrays, save_arrays
from lal.arrays import Floats
from lal.data.dataset import Dataset
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator

NAME = "lal-rl-search"


class SearchLearner(GameLearner[SearchConfig]):
    """Evolution strategy on a linear policy."""

    def __init__(self, config: SearchConfig) -> None:
        super().__init__(config)
        self.found: Floats = np.zeros((0, SIZE))

    @property
    def n_segments(self) -> int:
        """One search a segment."""
        return self.config.searches

    @property
    def n_units(self) -> int:
        """Generations of all searches."""
        return self.config.searches * self.config.generations

    def train_segment(self, segment: int) -> Mapping[str, Any]:
        """Run one search."""
        search = Search(self.config, self.pairs, segment)

        def report(generation: int, labels: float) -> None:
            self.progress.at(segment * self.config.generations + generation)
            self.progress.note(f"{labels:.2f} labels an episode")

        self.found = np.concatenate([self.found, search.run(report)[None]])
        return {"n_steps": search.n_steps, "n_episodes": search.n_episodes}

    def save(self, folder: Path) -> None:
        """Write the weights of the searches so far."""
        save_arrays(folder / STATE, {"found": self.found})

    def load(self, folder: Path) -> None:
        """Take up the weights of the searches so far."""
        self.found = load_arrays(folder / STATE)["found"]

    def export(self) -> PoolPolicy:
        """Return the mean of the searches as a policy."""
        return to_policy(self.weights, name=NAME, card=card(self.config, self.datasets))

    @property
    def weights(self) -> Floats:
        """The mean over the searches, shape (2 T,)."""
        mean: Floats = self.found.mean(axis=0)
        return mean

    def players(self) -> tuple[Play, Mapping[str, Play]]:
        """Return what runs the weights, and what runs uncertainty and the controls."""
        config = self.config
        shuffled = train(replace(config, control="shuffled_reward"), self.pairs).weights
        copies = [self.play_weights(one) for one in untrained(config, N_UNTRAINED)]
        return self.play_weights(self.weights), {
            "uncertainty": self.play_weights(start()),
            "shuffled": self.play_weights(shuffled),
            "untrained": mean_lengths(copies),
        }

    def play_weights(self, weights: Floats) -> Play:
        """Return what runs a vector of weights."""
        n = self.config.n_eval_episodes

        def play(name: str, seed: int) -> Floats:
            return episode_lengths(weights, name, n_episodes=n, seed=seed).astype(np.float64)

        return play

    @classmethod
    def export_untrained(cls, config: SearchConfig, n: int) -> list[PoolPolicy]:
        """Return `n` policies of the same form with random weights."""
        about = {**card(config, []), "control": "untrained"}
        return [
            to_policy(weights, name=f"{NAME}-untrained-{i}", card=about)
            for i, weights in enumerate(untrained(config, n))
        ]


def untrained(config: SearchConfig, n: int) -> list[Floats]:
    """Return random weights."""
    drawn = [generator(config.seed, "untrained", i).standard_normal(SIZE) for i in range(n)]
    return [weights * free_weights(config) for weights in drawn]


def card(config: SearchConfig, datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Return what the policy's card says of its training."""
    return {
        **game_card(config, datasets),
        "summary": "LAL-RL by search: labels to 98 % of full quality, a linear policy, paired "
        "episodes.",
        "source": "the game: Konyushkova, Sznitman and Fua (2018), arXiv 1810.04114; inputs and "
        "search are ours",
        "class_symmetry": "symmetric",
    }
