"""States, candidates and what their labels gain: run in blocks by the compiled simulator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.imitation.config import ImitationConfig
from agents.training.prior_tasks import prior_tasks
from agents.training.tasks import feature_lists
from envs.simulator.pool import PoolSimulator
from envs.simulator.pool_rules import METRIC_NAMES
from envs.simulator.rollout import play
from envs.simulator.scoring import SlateBatch, score_slates
from lal.arrays import Bools, Floats, Ints
from lal.errors import UsageError
from lal.policies.kinds import load_as
from lal.policies.pool_policy import PoolPolicy
from lal.rng import generator, integer_seed
from lal.serialization import write_atomic

Singles = NDArray[np.float32]

Gains = Callable[[PoolSimulator, Ints], Floats]
"""Simulator and some of its episodes to the gains of their offered rows, shape (n, K, 2)."""

Columns = tuple[Singles, Singles, Singles, Bools, Ints]
"""What `States` holds, of some of them."""

Keep = Callable[[PoolSimulator, Ints], Columns]
"""Simulator and some of its episodes to what is kept of them."""

BEHAVIOURS = ("random", "margin", "far", "mixed", "own")
"""Behaviour policies that grow the labelled sets, so that policies see states of several kinds."""

BEHAVIOUR_WEIGHTS = {False: (0.30, 0.40, 0.15, 0.15, 0.0), True: (0.25, 0.30, 0.10, 0.10, 0.25)}
"""Shares of the makers without and with a policy of one's own."""


@dataclass(frozen=True, eq=False)
class States:
    """S states with K candidates each; slots without a candidate have mask 0 and zeros.

    Attributes:
        candidates: Candidate features, shape (S, K, F) float32.
        context: Context features, shape (S, G) float32.
        gains: Gains in accuracy and in balanced accuracy, shape (S, K, 2) float32.
        mask: Shape (S, K).
        n_labelled: Labels in each state, shape (S,).
    """

    candidates: Singles
    context: Singles
    gains: Singles
    mask: Bools
    n_labelled: Ints

    def save(self, path: Path) -> None:
        """Write the arrays to an npz file atomically."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}

        def write(part: Path) -> None:
            with part.open("wb") as handle:
                np.savez_compressed(handle, **arrays)

        write_atomic(path, write)


def load_states(paths: Sequence[Path]) -> States:
    """Return the states of several files, in their order."""
    loaded: list[dict[str, NDArray[np.generic]]] = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            loaded.append({f.name: file[f.name] for f in fields(States)})
    joined = {f.name: np.concatenate([part[f.name] for part in loaded]) for f in fields(States)}
    return States(**joined)


def pick_gains(states: States, utilities: Floats, balanced_share: float) -> Floats:
    """Return the gain of every state's pick above the mean of its candidates, shape (S,)."""
    shares = np.array([1.0 - balanced_share, balanced_share])
    gains = states.gains.astype(np.float64) @ shares
    mean = (gains * states.mask).sum(axis=1) / states.mask.sum(axis=1)
    picks = np.where(states.mask, utilities, -np.inf).argmax(axis=1)
    found: Floats = gains[np.arange(len(gains)), picks] - mean
    return found


def make_states(
    config: ImitationConfig,
    block: int,
    *,
    measure: bool = True,
    gains_of: Gains | None = None,
    keep: Keep | None = None,
) -> States:
    """Run a block of tasks and try candidates along the way.

    Args:
        config: Decides everything, together with `block`.
        block: Number of the block; names its seeds.
        measure: Measure gains; zeros otherwise (untrained controls need none).
        gains_of: What measures them; None: after one label.
        keep: What is kept of some episodes; None: their slates and the gains.
    """
    rng = generator(config.seed, "block", block)
    draw = prior_tasks(config, config.budget // 2)
    tasks = [draw(rng) for _ in range(config.block_tasks)]
    candidate_features, context_features = feature_lists(config)
    simulator = PoolSimulator(
        tasks,
        len(tasks),
        candidate_features=candidate_features,
        context_features=context_features,
        slate_size=config.n_candidates,
        slate_rule="half_uncertain",
        seed=integer_seed(config.seed, "simulator", block),
    )
    measured = (gains_of or _gains) if measure else _no_gains
    kept = keep or (lambda simulator, episodes: _slates(simulator, episodes, measured))
    return _collect(simulator, config, rng, kept)


def _collect(
    simulator: PoolSimulator, config: ImitationConfig, rng: np.random.Generator, keep: Keep
) -> States:
    """Run all episodes of a block to the largest size and return the states on the way."""
    simulator.reset(tasks=np.arange(simulator.n_episodes))
    behaviour = _Behaviour(simulator, config, rng, keep)
    for alive, steps in play(simulator, behaviour):
        left = simulator.n_labelled[alive & ~steps.done]
        if len(left) and left.min() > max(config.sizes):
            break
    return States(*(np.concatenate(column) for column in zip(*behaviour.parts, strict=True)))


class _Behaviour:
    """What grows the labelled sets of a block and tries candidates on the way.

    Attributes:
        parts: The states so far: the columns of `States`, one tuple per step.
    """

    def __init__(
        self,
        simulator: PoolSimulator,
        config: ImitationConfig,
        rng: np.random.Generator,
        keep: Keep,
    ) -> None:
        self.simulator, self.config, self.rng, self.keep = simulator, config, rng, keep
        self.own = own_policy(config)
        weights = BEHAVIOUR_WEIGHTS[self.own is not None]
        self.makers: Ints = rng.choice(len(BEHAVIOURS), size=simulator.n_episodes, p=weights)
        self.parts: list[tuple[NDArray[Any], ...]] = []

    def __call__(self, alive: Bools) -> Floats:
        """Try candidates in some episodes; return what each episode ranks by, shape (E, K)."""
        seen = self.simulator.observations
        chosen = self.rng.random(len(alive)) < self.config.share_tried
        wanted = np.isin(self.simulator.n_labelled, self.config.sizes)
        episodes = np.flatnonzero(alive & chosen & wanted)
        if len(episodes):
            self.parts.append(self.keep(self.simulator, episodes))
        scores = _scores(seen.candidates, self.makers, self.rng, feature_lists(self.config)[0])
        if self.own is not None:
            mine = self.makers == BEHAVIOURS.index("own")
            candidates, context = _columns(self.own, self.config)
            slates = SlateBatch(
                seen.candidates[mine][:, :, candidates],
                seen.context[mine][:, context],
                seen.mask[mine] > 0,
            )
            scores[mine] = score_slates(self.own.scorer, slates)
        return scores


def _slates(simulator: PoolSimulator, episodes: Ints, gains_of: Gains) -> Columns:
    """Return the states of some episodes and what their candidates gain."""
    seen = simulator.observations
    gains = gains_of(simulator, episodes)
    mask = seen.mask[episodes] > 0
    kept = np.where(mask[:, :, None], gains, 0.0).astype(np.float32)
    labels = simulator.n_labelled[episodes]
    return seen.candidates[episodes], seen.context[episodes], kept, mask, labels


def _gains(simulator: PoolSimulator, episodes: Ints) -> Floats:
    """Return the gains of the offered rows of some episodes, shape (n, K, 2)."""
    slates = np.full_like(simulator.slates, -1)
    slates[episodes] = simulator.slates[episodes]
    columns = [METRIC_NAMES.index(name) for name in ("accuracy", "balanced_accuracy")]
    after = simulator.lookahead_metrics(slates)[episodes][:, :, columns]
    gains: Floats = np.nan_to_num(after - simulator.metrics[episodes][:, None, columns])
    return gains


def _no_gains(simulator: PoolSimulator, episodes: Ints) -> Floats:
    return np.zeros((len(episodes), 1, 2))


def own_policy(config: ImitationConfig) -> PoolPolicy | None:
    """Return the policy that also grows states, or None.

    Raises:
        UsageError: It reads a feature that the run does not compute.
    """
    if not config.own_policy:
        return None
    policy = load_as(PoolPolicy, config.own_policy)
    known = {name for names in feature_lists(config) for name in names}
    lacking = [n for n in (*policy.candidate_features, *policy.context_features) if n not in known]
    if lacking:
        raise UsageError(
            f"own_policy {config.own_policy!r} reads {', '.join(lacking)}, which this run does not "
            "compute; add them to the features of the run, or give another policy or none"
        )
    return policy


def _columns(policy: PoolPolicy, config: ImitationConfig) -> tuple[list[int], list[int]]:
    """Return where the run's candidate and context features hold those of a policy."""
    candidate, context = feature_lists(config)
    return (
        [candidate.index(name) for name in policy.candidate_features],
        [context.index(name) for name in policy.context_features],
    )


def _scores(
    candidates: Singles, makers: Ints, rng: np.random.Generator, ids: Sequence[str]
) -> Floats:
    """Return what each episode's hand-written maker ranks by, shape (E, K)."""
    chance = rng.random(candidates.shape[:2])
    uncertainty = -candidates[:, :, ids.index("margin@1")].astype(np.float64)
    far = candidates[:, :, ids.index("min_distance@1")].astype(np.float64)
    mixed = np.where(rng.random((len(chance), 1)) < 0.5, uncertainty, chance)
    scores: Floats = np.stack([chance, uncertainty, far, mixed, chance])[
        makers, np.arange(len(makers))
    ]
    return scores
