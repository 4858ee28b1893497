"""StreamEnv: one item at a time, ask or skip."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.copies import IndependentCopies
from envs.simulator.arguments import checked_action
from envs.vector import checked_seed
from lal.errors import UsageError
from lal.rng import generator
from lal.streams.features import (
    TABLE_FEATURES,
    Record,
    StreamItem,
    follow,
    start,
    values,
    width,
)
from lal.streams.loop import StreamEpisode, StreamWorld, TableWorld
from lal.streams.tasks import STREAMS, make_stream

Worlds = Callable[[np.random.Generator], StreamWorld]
"""Hands out streams: a generator to a stream with a fresh model."""

REWARDS = ("quality_gain", "prequential")

LIMIT = 5.0
"""Largest feature; larger ones are cut."""


class DriftingTables:
    """Streams of the drifting families, drawn anew for every episode.

    Args:
        families: Names of `lal.streams.tasks.STREAMS`, drawn uniformly; none given: all.
        n: Rows of a stream.
        learner: Name of an incremental learner.
    """

    def __init__(
        self,
        families: Sequence[str] = (),
        *,
        n: int = 500,
        learner: str = "windowed_softmax",
    ) -> None:
        self.families = tuple(families) or tuple(STREAMS.names())
        self.n, self.learner = n, learner

    def __call__(self, rng: np.random.Generator) -> StreamWorld:
        """Return a stream with a fresh model."""
        name = self.families[int(rng.integers(len(self.families)))]
        return TableWorld(make_stream(name, self.n, rng=rng), learner=self.learner)


class StreamEnv(IndependentCopies, gymnasium.Env[NDArray[np.float32], np.int64]):
    """Items pass one at a time; action 1 acquires the present item's label, 0 lets it go.

    See docs/envs/stream.md. The engine is that of `lal.streams.loop.run_stream`: a label that
    would exceed the budget is refused, and what is left at the end is spent on the last items, so
    all policies cost the same; `info["asked"]` says what was done.

    Args:
        worlds: Hands out the streams; None for `DriftingTables`.
        features: Stream features of the observation.
        content_width: Numbers of an item's content, where ``content@1`` is among the features.
        budget: Share of the stream's cost that may be spent.
        reward: quality_gain: 10 times the gain in quality that a label brought over the model
            without it, per item's cost, less `price`; skipping gives 0. prequential: 1 minus the
            share of the item that the model had wrong as it passed.
        price: What a label costs under quality_gain, in units of the reward.
        render_mode: ``"ansi"`` or None.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium's form)

    def __init__(
        self,
        worlds: Worlds | None = None,
        *,
        features: Sequence[str] = TABLE_FEATURES,
        content_width: int = 0,
        budget: float = 0.1,
        reward: str = "quality_gain",
        price: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        if reward not in REWARDS:
            raise UsageError(f"unknown reward {reward!r}; known: {', '.join(REWARDS)}")
        if render_mode not in (None, "ansi"):
            raise UsageError(f"render_mode must be None or 'ansi', got {render_mode!r}")
        self.features, self.budget, self.content_width = tuple(features), budget, content_width
        self.reward, self.price, self.render_mode = reward, price, render_mode
        self._worlds = DriftingTables() if worlds is None else worlds
        n = width(self.features, content_width)
        self.observation_space = gymnasium.spaces.Box(-LIMIT, LIMIT, (n,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2)
        self._episode: StreamEpisode | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start a stream; `seed` names its draw, `options` are not used."""
        seed = checked_seed(seed)
        super().reset(seed=seed)
        number = int(self.np_random.integers(2**31)) if seed is None else int(seed)
        world = self._worlds(generator(number, "task"))
        self._episode = StreamEpisode(world, budget=self.budget)
        self._record: Record = start(self.budget)
        self._trail = ""
        return self._observe(self._episode.item()), self._info(asked=False)

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Acquire (1) or skip (0) the present item."""
        if self._running().over:
            raise UsageError("the episode is over; call reset before the next step")
        episode = self._running()
        ask = checked_action(action, 2) == 1
        t = episode.t
        affordable = episode.spent + episode.item().cost <= episode.total + 1e-9
        gains = self.reward == "quality_gain" and affordable
        before = episode.world.quality(t) if gains and ask else 0.0
        event = episode.decide(ask)
        reward = 1.0 - float(episode.errors[t])
        if self.reward == "quality_gain":
            reward = 0.0
            if event.asked and ask:  # a label forced at the end earns nothing
                gain = episode.world.quality(t) - before
                reward = 10.0 * gain / event.item.cost - self.price
        self._record = follow(self._record, event.item, asked=event.asked, error=event.error)
        self._trail = (self._trail + ("!" if event.asked else "."))[-60:]
        seen = event.item if episode.over else episode.item()
        return self._observe(seen), reward, episode.over, False, self._info(asked=event.asked)

    def render(self) -> str | None:
        """Return a line: the last items (! asked, . skipped), what is spent, the share right."""
        if self.render_mode is None:
            return None
        episode = self._running()
        right = 1.0 - float(episode.errors[: episode.t].mean()) if episode.t else 0.0
        spent = f"{episode.spent:.0f}/{episode.total:.0f}"
        return f"[{self._trail:>60}] item {episode.t} spent {spent} right {right:.0%}"

    def _observe(self, item: StreamItem) -> NDArray[np.float32]:
        row = values(self.features, self._record, item)
        return np.clip(row, -LIMIT, LIMIT).astype(np.float32)

    def _info(self, *, asked: bool) -> dict[str, Any]:
        episode = self._running()
        right = 1.0 - float(episode.errors[: episode.t].mean()) if episode.t else 0.0
        return {"asked": asked, "spent": episode.spent, "total": episode.total, "right": right}

    def _running(self) -> StreamEpisode:
        if self._episode is None:
            raise UsageError("no episode yet; call reset first")
        return self._episode
