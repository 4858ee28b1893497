"""The learner of deep adaptive design: gradient ascent on the contrastive bound."""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from agents.dad.config import DadConfig
from agents.dad.network import Designer, export, make_designer, torch_mean
from agents.training.torch_learner import TorchLearner
from envs.design.models import DesignModel, make_model
from lal.policies.design_policy import DesignPolicy
from lal.rng import integer_seed


class DadLearner(TorchLearner[DadConfig]):
    """Gradient ascent of the contrastive bound, the learning rate along a cosine."""

    def __init__(self, config: DadConfig) -> None:
        super().__init__(config)
        torch.manual_seed(integer_seed(config.seed, "dad", "weights"))
        self.model = make_model(config.model)
        self.network = self.designer = make_designer(config)
        self.optimiser = torch.optim.Adam(self.designer.parameters(), lr=config.learning_rate)

    def train_segment(self, segment: int) -> dict[str, Any]:
        """Take the segment's gradient steps; return the mean bound over them."""
        config = self.config
        rng = torch.Generator().manual_seed(integer_seed(config.seed, "dad", "segment", segment))
        per_segment = config.gradient_steps // config.n_segments
        total = 0.0
        for i in range(per_segment):
            done = (segment * per_segment + i) / config.gradient_steps
            rate = config.learning_rate * (0.1 + 0.45 * (1.0 + math.cos(math.pi * done)))
            self.optimiser.param_groups[0]["lr"] = rate
            bound = contrastive_bound(self.designer, self.model, config, rng)
            self.step(-bound, max_norm=1.0)
            total += float(bound.detach())
        return {"gradient_steps": (segment + 1) * per_segment, "bound": total / per_segment}

    def export(self) -> DesignPolicy:
        """Return the policy as it is now."""
        card = {
            "summary": f"deep adaptive design, {self.model.name}, T = {self.config.n_experiments}",
            "agent": "dad",
            "control": "none",
            "design_model": self.model.name,
            "n_steps": self.config.n_experiments,
            "gradient_steps": self.config.gradient_steps,
            "seed": self.config.seed,
        }
        return export(self.designer, self.config, card)

    @classmethod
    def export_untrained(cls, config: DadConfig, n: int) -> list[DesignPolicy]:
        """Return `n` policies with random weights; see `agents.registry.Agent`."""
        policies = []
        for i in range(n):
            torch.manual_seed(integer_seed(config.seed, "dad", "untrained", i))
            designer = make_designer(replace(config, kind="adaptive"))
            policies.append(export(designer, config, {"control": "untrained"}))
        return policies


def contrastive_bound(
    designer: Designer, model: DesignModel, config: DadConfig, rng: torch.Generator
) -> Tensor:
    """Return the batch mean of the sPCE bound in nats, differentiable in the designs.

    log p(h | theta_0) - logsumexp_{l = 0..L} log p(h | theta_l) + log(L + 1); Foster et al. (2021),
    equation 10. Outcomes are reparametrised; the L contrastive draws are shared by the batch.
    """
    own = torch.randn(config.batch_size, model.n_parameters, generator=rng)
    others = torch.randn(config.n_contrast, model.n_parameters, generator=rng)
    noise = model.noise * torch.randn(config.n_experiments, config.batch_size, generator=rng)
    memory = designer.start(config.batch_size)
    of_own = torch.zeros(config.batch_size)
    of_others = torch.zeros(config.batch_size, config.n_contrast)
    for t in range(config.n_experiments):
        design = designer.design(memory, t)
        outcome = torch_mean(model, own, design) + noise[t]
        of_own = of_own - 0.5 * (noise[t] / model.noise) ** 2
        mean = torch_mean(model, others[None], design[:, None])
        of_others = of_others - 0.5 * ((outcome[:, None] - mean) / model.noise) ** 2
        memory = designer.advance(memory, design, outcome)
    everybody = torch.cat([of_own[:, None], of_others], dim=1)
    bound = of_own - torch.logsumexp(everybody, dim=1) + math.log(config.n_contrast + 1)
    return bound.mean()
