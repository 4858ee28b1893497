"""Training of deep adaptive design: gradient ascent on the contrastive bound."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.dad.config import DadConfig
from agents.dad.network import Designer, export, make_designer, torch_mean
from agents.training.run_folder import RunFolder
from agents.training.segments import train_in_segments
from envs.design.models import DesignModel, make_model
from lal.errors import UsageError
from lal.policies.design_policy import DesignPolicy
from lal.rng import integer_seed


def train(config: DadConfig, folder: Path, *, progress: bool = False) -> Path:
    """Train into `folder`, or go on where it stopped; see `agents.registry.Agent.train`."""
    _check(config)
    run = RunFolder(folder, agent="dad", config=config)
    if run.finished:
        return run.policy_path
    return train_in_segments(run, DadLearner(config), config.n_segments, progress=progress)


def export_untrained(config: DadConfig, n: int) -> list[DesignPolicy]:
    """Return `n` policies with random weights; see `agents.registry.Agent.export_untrained`."""
    policies = []
    for i in range(n):
        torch.manual_seed(integer_seed(config.seed, "dad", "untrained", i))
        designer = make_designer(replace(config, kind="adaptive"))
        policies.append(export(designer, config, {"control": "untrained"}))
    return policies


class DadLearner:
    """The designer, its optimiser and its schedule."""

    def __init__(self, config: DadConfig) -> None:
        torch.manual_seed(integer_seed(config.seed, "dad", "weights"))
        self.config = config
        self.model = make_model(config.model)
        self.designer = make_designer(config)
        self.optimiser = torch.optim.Adam(self.designer.parameters(), lr=config.learning_rate)

    def learn(self, segment: int) -> dict[str, Any]:
        """Take the segment's gradient steps; return the mean bound over them."""
        config = self.config
        rng = torch.Generator().manual_seed(integer_seed(config.seed, "dad", "segment", segment))
        per_segment = config.updates // config.n_segments
        total = 0.0
        for i in range(per_segment):
            done = (segment * per_segment + i) / config.updates
            rate = config.learning_rate * (0.1 + 0.45 * (1.0 + math.cos(math.pi * done)))
            self.optimiser.param_groups[0]["lr"] = rate
            bound = contrastive_bound(self.designer, self.model, config, rng)
            self.optimiser.zero_grad()
            (-bound).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.designer.parameters(), 1.0)
            self.optimiser.step()
            total += float(bound.detach())
        return {"updates": (segment + 1) * per_segment, "bound": total / per_segment}

    def state(self) -> dict[str, Any]:
        """Return weights and optimiser."""
        return {"weights": self.designer.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a checkpoint."""
        self.designer.load_state_dict(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])

    def policy(self) -> DesignPolicy:
        """Return the policy as it is now."""
        card = {
            "summary": f"deep adaptive design, {self.model.name}, T = {self.config.n_steps}",
            "agent": "dad",
            "control": "none",
            "design_model": self.model.name,
            "n_steps": self.config.n_steps,
            "updates": self.config.updates,
            "seed": self.config.seed,
        }
        return export(self.designer, self.config, card)


def contrastive_bound(
    designer: Designer, model: DesignModel, config: DadConfig, rng: torch.Generator
) -> Tensor:
    """Return the batch mean of the sPCE bound in nats, differentiable in the designs.

    log p(h | theta_0) - logsumexp_{l = 0..L} log p(h | theta_l) + log(L + 1); Foster et al. (2021),
    equation 10. Outcomes are reparametrised; the L contrastive draws are shared by the batch.
    """
    own = torch.randn(config.batch, model.n_parameters, generator=rng)
    others = torch.randn(config.n_contrast, model.n_parameters, generator=rng)
    noise = model.noise * torch.randn(config.n_steps, config.batch, generator=rng)
    memory = designer.start(config.batch)
    of_own = torch.zeros(config.batch)
    of_others = torch.zeros(config.batch, config.n_contrast)
    for t in range(config.n_steps):
        design = designer.design(memory, t)
        outcome = torch_mean(model, own, design) + noise[t]
        of_own = of_own - 0.5 * (noise[t] / model.noise) ** 2
        mean = torch_mean(model, others[None], design[:, None])
        of_others = of_others - 0.5 * ((outcome[:, None] - mean) / model.noise) ** 2
        memory = designer.advance(memory, design, outcome)
    everybody = torch.cat([of_own[:, None], of_others], dim=1)
    bound = of_own - torch.logsumexp(everybody, dim=1) + math.log(config.n_contrast + 1)
    return bound.mean()


def _check(config: DadConfig) -> None:
    make_model(config.model)
    for name in ("n_steps", "n_segments", "batch", "n_contrast", "hidden", "code"):
        if getattr(config, name) < 1:
            raise UsageError(f"{name} must be at least 1, got {getattr(config, name)}")
    if config.updates % config.n_segments:
        raise UsageError(
            f"{config.updates} updates do not divide into {config.n_segments} segments"
        )
