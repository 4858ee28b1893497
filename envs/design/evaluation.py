"""sPCE: how much a design policy learns about the parameters, bounded from both sides."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from envs.design.models import DesignModel, log_likelihood
from lal.arrays import Floats
from lal.policies.design_policy import DesignPolicy
from lal.rng import generator


class Histories(NamedTuple):
    """Episodes: parameters (E, P), designs (E, T, D), outcomes (E, T)."""

    parameters: Floats
    designs: Floats
    outcomes: Floats


class Bounds(NamedTuple):
    """Information of every episode in nats, shapes (E,): the mean lies between the means."""

    lower: Floats
    upper: Floats


Rule = Callable[[Floats, Floats, np.random.Generator], Floats]
"""Designs so far (t, D) and outcomes (t,) to the next design (D,)."""


def play(model: DesignModel, rule: Rule, *, n_steps: int, n_episodes: int, seed: int) -> Histories:
    """Run episodes; equal seeds give equal parameters and noise, whatever the rule."""
    world = generator(seed, "design", "world")
    parameters = model.prior(world, n_episodes)
    noise = model.noise * world.standard_normal((n_episodes, n_steps))
    own = generator(seed, "design", "rule")
    designs = np.zeros((n_episodes, n_steps, model.n_design))
    outcomes = np.zeros((n_episodes, n_steps))
    for e in range(n_episodes):
        for t in range(n_steps):
            design = np.clip(rule(designs[e, :t], outcomes[e, :t], own), model.low, model.high)
            designs[e, t] = design
            outcomes[e, t] = model.mean(parameters[e], design) + noise[e, t]
    return Histories(parameters, designs, outcomes)


def policy_rule(policy: DesignPolicy) -> Rule:
    """Return the rule of a policy; its memory is rebuilt from the history."""

    def rule(designs: Floats, outcomes: Floats, rng: np.random.Generator) -> Floats:
        memory = policy.start()
        for design, outcome in zip(designs, outcomes, strict=True):
            memory = policy.update(memory, {"design": design, "outcome": outcome})
        return policy.act(memory)

    return rule


def random_rule(model: DesignModel) -> Rule:
    """Return the rule that draws designs without looking."""
    return lambda designs, outcomes, rng: model.random_designs(rng, 1)[0]


def spce(model: DesignModel, played: Histories, *, n_contrast: int, seed: int) -> Bounds:
    """Return sequential prior contrastive estimates of the information gained.

    lower = log p(h | theta_0) - log mean_{0..L} p(h | theta_l); the upper bound (sNMC) leaves
    theta_0 out of the mean (Foster et al. 2021, equations 10 and 13). `lower` cannot exceed
    log(L + 1).

    Args:
        model: The model that was run.
        played: The episodes.
        n_contrast: L, draws from the prior; far more than in training.
        seed: Of the draws.
    """
    others = model.prior(generator(seed, "design", "contrast"), n_contrast)
    own = _history(model, played.parameters[:, None], played)[:, 0]
    lower, upper = np.empty(len(own)), np.empty(len(own))
    for e in range(len(own)):
        one = Histories(played.parameters[e], played.designs[e : e + 1], played.outcomes[e : e + 1])
        rest = _history(model, others[None], one)[0]
        upper[e] = own[e] - logsumexp(rest) + np.log(n_contrast)
        lower[e] = own[e] - np.logaddexp(logsumexp(rest), own[e]) + np.log(n_contrast + 1)
    return Bounds(lower, upper)


def _history(model: DesignModel, parameters: Floats, played: Histories) -> Floats:
    """Return log p(history | parameters), shape (E, L)."""
    total: Floats = np.zeros((len(played.outcomes), parameters.shape[1]))
    for t in range(played.outcomes.shape[1]):
        design, outcome = played.designs[:, t, None], played.outcomes[:, t, None]
        total = total + log_likelihood(model, parameters, design, outcome)
    return total
