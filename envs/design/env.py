"""lal/Design-v0: choose experiments one after the other; the return is the information gained."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from scipy.special import logsumexp

from envs.copies import IndependentCopies
from envs.design.models import log_likelihood, make_model
from envs.text_rendering import text_image
from envs.vector import checked_numbers, checked_seed
from lal.errors import UsageError

REACH = 100.0
"""Bound of the observation space, far beyond what is drawn."""

Observation = NDArray[np.float32]


class DesignEnv(IndependentCopies, gymnasium.Env[Observation, NDArray[np.float32]]):
    """Sequential Bayesian design as a Markov decision process (Blau et al. 2022).

    The reward of a step is what it adds to the contrastive bound, so the undiscounted return is
    the episode's sPCE with L contrastive draws.

    Args:
        model: Name of the design model; see `envs.design.models`.
        n_steps: T, experiments in an episode.
        n_contrast: L, contrastive draws, fresh in every episode; the return is at most log(L + 1).
        render_mode: None, "ansi" or "rgb_array".
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}  # noqa: RUF012 (Gymnasium form)

    def __init__(
        self,
        model: str = "location_finding",
        *,
        n_steps: int = 5,
        n_contrast: int = 512,
        render_mode: str | None = None,
    ) -> None:
        if n_steps < 1 or n_contrast < 1:
            raise UsageError(
                f"n_steps and n_contrast must be at least 1, got {n_steps} and {n_contrast}"
            )
        self.model = make_model(model)
        self.n_steps, self.n_contrast = n_steps, n_contrast
        self.render_mode = render_mode
        width = self.model.n_design + 2
        self.observation_space = spaces.Box(-REACH, REACH, (n_steps * width,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (self.model.n_design,), np.float32)
        self._history = np.zeros((n_steps, width), dtype=np.float32)
        self._t = 0
        self._parameters: NDArray[np.float64] = np.zeros((0, 0))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Draw parameters and contrastive draws from the prior."""
        seed = checked_seed(seed)
        super().reset(seed=seed)
        # row 0 is the truth; it never leaves this object
        self._parameters = self.model.prior(self.np_random, 1 + self.n_contrast)
        self._likelihoods = np.zeros(1 + self.n_contrast)
        self._history[:] = 0.0
        self._t = 0
        return self._history.ravel().copy(), {"step": 0}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Run an experiment; actions are scaled from [-1, 1] to the model's box and clipped."""
        if len(self._parameters) == 0:
            raise UsageError("no episode yet; call reset first")
        if self._t >= self.n_steps:
            raise UsageError("the episode is over; call reset before the next step")
        n = self.model.n_design
        design = self.to_design(
            checked_numbers(action, (n,), f"{n} finite numbers, one a coordinate of the design")
        )
        noise = self.model.noise * self.np_random.standard_normal()
        outcome = float(self.model.mean(self._parameters[0], design)) + noise
        before = self._bound()
        self._likelihoods += log_likelihood(
            self.model,
            self._parameters,
            design,
            np.float64(outcome),  # type: ignore[arg-type]
        )
        self._history[self._t] = [*design, outcome, 1.0]
        self._t += 1
        info = {"step": self._t, "design": design, "outcome": outcome}
        done = self._t == self.n_steps
        return self._history.ravel().copy(), self._bound() - before, done, False, info

    def to_design(self, action: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the design of an action."""
        low, high = self.model.low, self.model.high
        design: NDArray[np.float64] = low + (np.clip(action, -1.0, 1.0) + 1.0) * 0.5 * (high - low)
        return design

    def _bound(self) -> float:
        values = self._likelihoods
        return float(values[0] - logsumexp(values) + np.log(len(values)))

    def render(self) -> Any:
        """Return the experiments so far as text or as an image of it; None without a mode."""
        if self.render_mode is None:
            return None
        lines = [f"{self.model.name}: {self._t} of {self.n_steps} experiments"]
        for row in self._history[: self._t]:
            design = ", ".join(f"{value:+.2f}" for value in row[:-2])
            lines.append(f"  at ({design}) came {row[-2]:+.2f}")
        text = "\n".join(lines)
        return text if self.render_mode == "ansi" else text_image(text, 2 + self.n_steps)
