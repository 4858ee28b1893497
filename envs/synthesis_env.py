"""SynthesisEnv: ask about items that the agent makes up."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.copies import IndependentCopies
from envs.text_rendering import text_image
from envs.vector import checked_numbers, checked_seed
from lal.arrays import Floats
from lal.errors import UsageError
from lal.rng import generator
from lal.synthesis.decoders import BoxDecoder
from lal.synthesis.episode import SynthesisEpisode, SynthesisTask
from lal.synthesis.questions import Answer, Line, Point, Question, Row, Rule
from lal.synthesis.strategies import nearest_open
from lal.synthesis.tasks import BoardSampler

Observation = NDArray[np.float32]
Source = Callable[[np.random.Generator], SynthesisTask]

QUERIES = {"point": 1, "row": 1, "line": 2, "rule": 2}
"""Kinds of question with how many latents an action has."""


class SynthesisEnv(IndependentCopies, gymnasium.Env[Observation, NDArray[np.float32]]):
    """One episode of query synthesis: an action is a latent, and a question is made from it.

    Args:
        tasks: Draws tasks of one decoder width and one number of classes, and one budget; None for
            `lal.synthesis.tasks.BoardSampler`.
        query: ``"point"``: what class has the decoded latent; ``"row"``: the real item nearest to
            it; ``"line"``: the first half of the action is a place and the second a direction, the
            annotator marks where the class changes; ``"rule"`` (box decoders only): the first half
            is the middle of a box and the second its size.
        render_mode: None, "ansi" or "rgb_array".
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}  # noqa: RUF012 (Gymnasium form)

    def __init__(
        self,
        tasks: Source | None = None,
        *,
        query: str = "point",
        render_mode: str | None = None,
    ) -> None:
        if query not in QUERIES:
            raise UsageError(f"unknown query {query!r}; known: {', '.join(QUERIES)}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UsageError(f"render_mode must be None, 'ansi' or 'rgb_array', got {render_mode}")
        self.query, self.render_mode = query, render_mode
        self._source: Source = BoardSampler() if tasks is None else tasks
        # one task is drawn to learn the shapes, which all tasks share
        example = self._source(generator(0, "shapes"))
        self._shape = _shape(example)
        self.n_latent, self.n_classes, self.budget = self._shape
        width = QUERIES[query] * self.n_latent + self.n_classes + 2
        self.observation_space = spaces.Box(-1.0, 1.0, (self.budget * width,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (QUERIES[query] * self.n_latent,), np.float32)
        self._history = np.zeros((self.budget, width), dtype=np.float32)
        self._episode: SynthesisEpisode | None = None

    @property
    def task(self) -> SynthesisTask:
        """The task being run, without test part."""
        return self._running().task

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Draw a task and label its first real items; `options` are not used."""
        seed = checked_seed(seed)
        super().reset(seed=seed)
        number = int(self.np_random.integers(2**31)) if seed is None else int(seed)
        task = self._source(generator(number, "task")).blind()
        if _shape(task) != self._shape:
            raise UsageError(
                f"task {task.name!r} has (latents, classes, budget) {_shape(task)}; expected "
                f"{self._shape}, as the first task drawn"
            )
        if task.reward is None:
            raise UsageError(f"task {task.name!r} has no reward part; give it one")
        self._episode, self._reward_part = SynthesisEpisode(task, number), task.reward
        self._history[:] = 0.0
        self._measured = self._episode.measure(self._reward_part)
        return self._history.ravel().copy(), self._info(None)

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Ask the question that the action makes; actions are clipped to [-1, 1]."""
        episode = self._running()
        if episode.finished:
            raise UsageError("the episode is over; call reset before the next step")
        shape = self.action_space.shape or ()
        numbers = checked_numbers(action, shape, f"{shape} finite numbers")
        latents = np.clip(numbers, -1.0, 1.0)
        before = self._measured["accuracy"]
        answer = episode.ask(self._question(latents))
        self._measured = episode.measure(self._reward_part)
        shares = np.zeros(self.n_classes)
        if answer.valid:
            np.add.at(shares, answer.y, answer.weight)
            shares /= shares.sum()
        row = [*latents, *shares, float(not answer.valid), 1.0]
        self._history[episode.spent - 1] = row
        reward = self._measured["accuracy"] - before
        return self._history.ravel().copy(), reward, episode.finished, False, self._info(answer)

    def _question(self, latents: Floats) -> Question:
        """Return the question of an action within [-1, 1]."""
        episode = self._running()
        decoder = episode.task.decoder
        z = decoder.reach * latents[: self.n_latent]
        second = latents[self.n_latent :]
        if self.query == "point":
            return Point(z)
        if self.query == "row":
            return Row(nearest_open(episode.state(), z))
        if self.query == "line":
            length = float(np.linalg.norm(second))
            way = second / length if length > 1e-6 else np.eye(self.n_latent)[0]
            return Line(z - decoder.reach * way, z + decoder.reach * way)
        if not isinstance(decoder, BoxDecoder):
            raise UsageError("rules need a BoxDecoder, whose latents are the columns of the item")
        half = 0.5 * (second + 1.0)
        corners = decoder.decode(np.stack([z - half, z + half]))
        return Rule(corners[0], corners[1])

    def render(self) -> Any:
        """Return the questions so far as text or as an image of it; None without a mode."""
        if self.render_mode is None:
            return None
        episode = self._running()
        lines = [
            f"{episode.task.name}: {episode.spent} of {self.budget} questions, "
            f"{episode.n_invalid} invalid, accuracy {self._measured['accuracy']:.2f}"
        ]
        wide = QUERIES[self.query] * self.n_latent
        for row in self._history[: episode.spent]:
            place = ", ".join(f"{value:+.2f}" for value in row[: min(wide, 6)])
            said = "invalid" if row[-2] else f"class {int(row[wide:-2].argmax())}"
            lines.append(f"  ({place}) {said}")
        text = "\n".join(lines)
        return text if self.render_mode == "ansi" else text_image(text, 2 + self.budget)

    def _info(self, answer: Answer | None) -> dict[str, Any]:
        episode = self._running()
        return {
            **self._measured,
            "n_asked": episode.spent,
            "n_invalid": episode.n_invalid,
            "n_labelled": len(episode.y),
            "valid": answer is None or answer.valid,
            "task": episode.task.name,
        }

    def _running(self) -> SynthesisEpisode:
        if self._episode is None:
            raise UsageError("no episode yet; call reset first")
        return self._episode


def _shape(task: SynthesisTask) -> tuple[int, int, int]:
    """Return what all tasks of an environment share: latents, classes, budget."""
    return task.decoder.n_latent, task.n_classes, task.budget
