"""A LAL-RL file run through `query`, beside the network it was made from; episodes are paired.

A pool that is queried has no rows held aside, so a file sees another state than its network did in
training. ``python -m scripts.benchmark lal_rl_file`` counts the labels that both need to the target
and how often they would ask for the same row.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.lal_rl.config import FOLDER, OTHERS
from agents.lal_rl.control_test import saving, uncertainty_network
from agents.lal_rl.dqn import Player
from agents.lal_rl.export import to_network
from agents.lal_rl.kernels import UNCERTAINTY_ONLY
from agents.lal_rl.network import QNetwork
from agents.lal_rl.search.export import FEATURES as LINEAR
from agents.lal_rl.search.export import to_weights
from agents.lal_rl.search.game import Game
from envs.simulator.kernels.lal_rl import layout as lal_rl
from envs.simulator.lal_rl import LalRlSimulator
from envs.simulator.lal_rl_data import binary_pairs
from lal.arrays import Floats, Ints
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.rng import integer_seed
from scripts.benchmarks.base import Benchmark, Results

kernels: Any = lal_rl
"""The compiled module; numba's functions carry no types."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which file, on what."""

    policy: str = "lal-rl"
    """Name of a shipped policy, or a file."""

    folder: str = FOLDER
    """Where the data sets lie, as NAME.npz."""

    sets: tuple[str, ...] = OTHERS
    """Data sets; the shipped policy was trained on none of these families."""

    n_episodes: int = 48
    """Paired episodes on each set."""

    seed: int = 9_900_000
    """Of the episodes; no training uses it."""


def run(config: Config, results: Results) -> None:
    """Add labels to the target of random, uncertainty, network and file, and their agreement."""
    policy = load_as(PoolPolicy, config.policy)
    rows: dict[str, list[Floats]] = {}
    agreed: list[float] = []
    results.note(
        f"{policy.name}: labels to 98 % of full quality, {config.n_episodes} paired episodes a set"
    )
    for name in config.sets:
        data = binary_pairs([f"file:{config.folder}/{name}.npz"])
        found = {rule: play(config, data, *of) for rule, of in get_rules(policy).items()}
        if is_linear(policy):
            found["network"] = play_linear(config, data, policy)
        found["file"], same = play_file(config, data, policy)
        agreed.append(same)
        for rule, lengths in found.items():
            rows.setdefault(rule, []).append(lengths)
        cells = {rule: f"{lengths.mean():.1f}" for rule, lengths in found.items()}
        same_row = f"{100 * same:.0f}"
        results.add("labels", {"data set": name, **cells, "same row asked, %": same_row})
    results.note(f"the same row: {100 * np.mean(agreed):.1f} % of the steps of the file's own run")
    for ours, theirs in (
        ("network", "random"), ("file", "random"), ("file", "uncertainty"), ("file", "network"),
    ):  # fmt: skip
        mean, low, high = saving(rows[ours], rows[theirs])
        results.note(f"{ours}: {mean:.1f} [{low:.1f}, {high:.1f}] % fewer labels than {theirs}")


def get_rules(policy: PoolPolicy) -> dict[str, tuple[QNetwork | None, int]]:
    """Return what the file is compared with, each a network (None: random) and what it sees."""
    rules: dict[str, tuple[QNetwork | None, int]] = {
        "random": (None, 0),
        "uncertainty": (uncertainty_network(), int(UNCERTAINTY_ONLY)),
    }
    return rules if is_linear(policy) else {**rules, "network": to_network(policy)}


def is_linear(policy: PoolPolicy) -> bool:
    """Return whether a policy was found by `agents.lal_rl.search`."""
    return policy.candidate_features == LINEAR


def play_linear(config: Config, data: object, policy: PoolPolicy) -> Floats:
    """Return the labels that the compiled form of a linear policy needs, shape (n,)."""
    seed, n = integer_seed(config.seed, "file"), config.n_episodes
    lengths, _ = Game(data, seed=seed, n_splits=n).play(to_weights(policy), n, 0)
    return lengths.astype(np.float64)


def make_player(config: Config, data: object, view: int) -> Player:
    """Return a player of fresh episodes, the same ones whoever runs."""
    engine = LalRlSimulator(
        data,  # type: ignore[arg-type]
        config.n_episodes,
        seed=integer_seed(config.seed, "file"),
        n_splits=config.n_episodes,
    )
    engine.reset()
    return Player(engine, view=view, seed=integer_seed(config.seed, "steps"))


def play(config: Config, data: object, network: QNetwork | None, view: int) -> Floats:
    """Return the labels that a network needs in every episode, shape (n,)."""
    player = make_player(config, data, view)
    theta = np.zeros(0, dtype=np.float32) if network is None else network.pack()
    lengths = np.zeros(config.n_episodes)
    while (lengths == 0).any():
        if network is None:
            player.engine.step(np.full(config.n_episodes, -1))  # a random legal row
        else:
            player.step(theta, 0.0)
        note_ends(player.engine, lengths)
    return lengths


def play_file(config: Config, data: object, policy: PoolPolicy) -> tuple[Floats, float]:
    """Return the labels that the file needs, and how often its network would ask the same row.

    The compiled form of a linear policy runs whole episodes only; uncertainty sampling, by which
    its search began, takes the network's place there.
    """
    linear = is_linear(policy)
    network, view = (uncertainty_network(), int(UNCERTAINTY_ONLY)) if linear else to_network(policy)
    player = make_player(config, data, view)
    engine = player.engine
    theta = network.pack()
    pools = [get_pool(engine, e) for e in range(config.n_episodes)]
    lengths = np.zeros(config.n_episodes)
    same = n_steps = 0
    while (lengths == 0).any():
        player.choose(theta)
        chosen = player.actions.copy()
        for e in np.flatnonzero(lengths == 0).tolist():
            chosen[e] = ask(policy, *pools[e], get_labelled(engine, e))
            same += int(chosen[e] == player.actions[e])
            n_steps += 1
        engine.step(chosen)
        note_ends(engine, lengths)
    return lengths, same / n_steps


def ask(policy: PoolPolicy, X: Floats, y: Ints, labelled: Ints) -> int:
    """Return the row that the file asks for, through `query`."""
    from sklearn.linear_model import LogisticRegression

    known = np.full(len(y), np.nan)
    known[labelled] = y[labelled]
    return int(policy.query(X, known, LogisticRegression(), classes=[0, 1])[0])


def note_ends(engine: LalRlSimulator, lengths: Floats) -> None:
    """Write the lengths of episodes that have just ended for the first time."""
    over = (engine.terminated | engine.truncated) & (lengths == 0)
    lengths[over] = engine.lengths[over]


def get_labelled(engine: LalRlSimulator, e: int) -> Ints:
    """Return the pool rows that an episode has labelled."""
    rows: Ints = engine.ints[e, kernels.E_ROWS :][: engine.ints[e, kernels.E_LABELLED]]
    return rows


def get_pool(engine: LalRlSimulator, e: int) -> tuple[Floats, Ints]:
    """Return the pool of an episode as its learner sees it: samples (N, D) and labels (N,)."""
    slot = engine.ints[e, kernels.E_SLOT]
    dataset, N = engine.bank_info[slot, [kernels.B_DATASET, kernels.B_POOL]]
    D = int(engine.data_info[dataset, kernels.D_COLUMNS])
    _, at, _, _, labels, _ = kernels.bank_places(engine.config, slot)
    stride = (D + 16) // 16 * 16
    rows = engine.bank[at : at + N * stride].reshape(N, stride)
    y = engine.bank[labels : labels + N] > 0.5
    return rows[:, :D].astype(np.float64), y.astype(np.int64)


main = Benchmark("lal_rl_file", Config, run)
