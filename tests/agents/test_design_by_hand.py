"""Deep adaptive design by hand: the contrastive bound, streams, cards and copies."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from agents.dad import learner as dad
from agents.dad.config import PRESETS
from agents.dad.learner import DadLearner, contrastive_bound
from agents.dad.network import make_designer
from envs.design.models import make_model
from lal.rng import integer_seed

CONFIG = replace(PRESETS["smoke"], seed=3)


class Walk:
    """Designs that are the number of the step and what was seen so far."""

    def start(self, n: int) -> Any:
        return torch.zeros(n, 2)

    def design(self, memory: Any, t: int) -> Any:
        return memory + t

    def advance(self, memory: Any, design: Any, outcome: Any) -> Any:
        return memory + 0.5 * design + outcome[:, None]


def test_the_bound_is_that_of_foster_and_others() -> None:
    """Equation 10: log p(h | own) less the log of the mean likelihood of own and contrastive."""
    config = replace(CONFIG, batch_size=3, n_contrast=4, n_experiments=2)
    model = make_model(config.model)
    designer: Any = Walk()
    found = contrastive_bound(designer, model, config, torch.Generator().manual_seed(5))
    rng = torch.Generator().manual_seed(5)
    own, others = (torch.randn(n, 2, generator=rng).numpy().astype(float) for n in (3, 4))
    noise = model.noise * torch.randn(2, 3, generator=rng).numpy().astype(float)
    memory, fit = np.zeros((3, 2)), np.zeros((3, 5))
    for t in range(2):
        design = memory + t
        outcome = model.mean(own, design) + noise[t]
        for b in range(3):
            for i, theta in enumerate([own[b], *others]):
                gap = outcome[b] - model.mean(theta, design[b])
                fit[b, i] -= gap**2 / (2 * model.noise**2)
        memory = memory + 0.5 * design + outcome[:, None]
    wanted = [row[0] - math.log(np.exp(row).mean()) for row in fit]
    assert float(found) == pytest.approx(np.mean(wanted), rel=1e-4)


def test_a_segment_draws_from_a_stream_of_its_own(monkeypatch: Any) -> None:
    seeds: list[int] = []

    def bound(designer: Any, model: Any, config: Any, rng: Any) -> Any:
        assert (designer is learner.designer, model is learner.model, config) == (
            True,
            True,
            CONFIG,
        )
        seeds.append(rng.initial_seed())
        return torch.tensor(1.0)

    learner = DadLearner(CONFIG)
    monkeypatch.setattr(dad, "contrastive_bound", bound)
    monkeypatch.setattr(learner, "step", lambda loss, *, max_norm: None)
    learner.train_segment(1)
    assert seeds == [integer_seed(3, "dad", "segment", 1)] * 2


def test_a_design_policy_says_what_it_is(monkeypatch: Any) -> None:
    learner = DadLearner(CONFIG)
    torch.manual_seed(integer_seed(3, "dad", "weights"))
    fresh = make_designer(CONFIG)
    pairs = zip(learner.network.parameters(), fresh.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    (group,) = learner.optimiser.param_groups
    assert group["lr"] == CONFIG.learning_rate
    assert {id(p) for p in group["params"]} == {id(p) for p in learner.network.parameters()}
    monkeypatch.setattr(dad, "export", lambda *given: given)
    exported: Any = learner.export()
    assert exported == (learner.designer, CONFIG, {
        "summary": "deep adaptive design, location_finding, T = 5", "agent": "dad",
        "control": "none", "design_model": "location_finding", "n_steps": 5, "gradient_steps": 4,
        "seed": 3,
    })  # fmt: skip


def test_untrained_copies_are_adaptive_and_have_seeds_of_their_own(monkeypatch: Any) -> None:
    monkeypatch.setattr(dad, "export", lambda *given: given)
    static = replace(CONFIG, kind="static")
    found: Any = DadLearner.export_untrained(static, 2)
    for i, (designer, config, card) in enumerate(found):
        assert (config, card) == (static, {"control": "untrained"})
        torch.manual_seed(integer_seed(3, "dad", "untrained", i))
        fresh = make_designer(CONFIG)
        pairs = zip(designer.parameters(), fresh.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
