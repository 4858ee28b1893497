"""Rows 1, 3, 4 and 87: surveys and a tutorial as pages that are true of the registries."""

import re
from collections.abc import Sequence
from pathlib import Path

import gymnasium
import numpy as np

import lal
from agents import AGENTS
from envs.registration import OUR_IDS
from lal.arrays import Floats
from lal.data.datasets import make_dataset
from lal.learners import LEARNERS
from lal.policies.kinds import list_policies
from lal.strategies.base import STRATEGIES
from lal.tasks.conditions import CONDITIONS
from scripts.row_checks.base import Outcome, all_of, areas, lead

FIELD = Path(__file__).parents[2] / "docs" / "field"
"""Pages of surveys and tutorials."""

STEPS = {
    "margin": "mlp",
    "bald": "mlp",
    "learning_loss": "mlp_loss",
    "core_set": "mlp",
    "vaal": "mlp",
    "badge": "mlp",
}
"""The tutorial's steps in order: a strategy of each, and its learner."""


def named(page: str) -> list[str]:
    """Return the names that stand for something in the tables of a page, in its order.

    They are those in backticks in last cells that begin with one.
    """
    rows = re.findall(r"^\|.*\|([^|]+)\|$", (FIELD / page).read_text("utf-8"), re.MULTILINE)
    cells = [cell for cell in rows if re.match(r" `[^=.]+`", cell)]
    return [name for cell in cells for name in re.findall(r"`([\w/:.-]+)`", cell)]


def unknown(names: Sequence[str]) -> list[str]:
    """Return the names that are in no registry."""
    known = {
        *STRATEGIES, *LEARNERS, *AGENTS, *CONDITIONS, *OUR_IDS, *list_policies(),
    }  # fmt: skip
    return sorted({name for name in names if name not in known})


def survey_page(page: str) -> tuple[bool, str]:
    """Return whether all names of a page are in a registry, and how many there are."""
    names = named(page)
    missing = unknown(names)
    return bool(names) and not missing, f"{len(set(names))} names of its page are in the registries"


def scenarios() -> Outcome:
    """The three scenarios run; on two Gaussians, uncertainty sampling finds the better boundary."""
    ran = 0
    for name in ("lal/Design-v0", "lal/Stream-v0", "lal/Pool-v0"):
        env = gymnasium.make(name)
        env.reset(seed=0)
        env.action_space.seed(0)
        ran += bool(np.isfinite(float(env.step(env.action_space.sample())[1])))
    margin, random = (_two_gaussians(name) for name in ("margin", "random"))
    return all_of(
        survey_page("settles.md"),
        (ran == 3, "synthesis, stream and pool run"),
        (bool(margin.mean() > random.mean()), "two Gaussians, 30 labels, 20 runs: accuracy "
         f"{margin.mean():.1f} %, {lead(margin, random)} to random"),
    )  # fmt: skip


def _two_gaussians(strategy: str) -> Floats:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], 200)
        X = rng.normal(size=(400, 2)) + np.array([[-1.0, 0.0], [1.0, 0.0]])[y]
        data = make_dataset("two Gaussians", X, y, source="made")
        task = lal.make_task(
            data, lal.make_learner("logistic_regression"), seed=seed, budget=28, start=2
        )
        curve = lal.run_episode(lal.make_strategy(strategy), task, seed=seed)
        found.append(100.0 * curve.metrics["accuracy"][-1])
    return np.array(found)


def deep_survey() -> Outcome:
    """Every family of the taxonomy has strategies here."""
    return all_of(survey_page("deep-surveys.md"))


def model_to_data() -> Outcome:
    """A formula, a bandit and a learned policy run through the same loop."""
    settings = [(f"sklearn:{name}", 6, 12, 1) for name in ("iris", "wine")]
    found = {
        name: np.concatenate([areas(name, "logistic_regression", s, range(4)) for s in settings])
        for name in ("random", "margin", "albl", "policy:default")
    }
    told = [
        f"{name.removeprefix('policy:')} {lead(found[name], found['random'])}" for name in found
        if name != "random"
    ]  # fmt: skip
    return all_of(
        survey_page("deep-surveys.md"),
        (len(told) == 3, "iris and wine, 4 runs, to random: " + ", ".join(told)),
    )


def tutorial() -> Outcome:
    """The tutorial's six steps, in its order, on digits."""
    names, order = named("tutorial.md"), list(STEPS)
    places = [names.index(name) for name in order]
    setting, runs = ("sklearn:digits", 20, 40, 20), range(3)
    small = {
        name: lal.make_learner(name, max_epochs=30, hidden=(32,)) for name in ("mlp", "mlp_loss")
    }
    random = areas("random", small["mlp"], setting, runs)
    told = [
        f"{name} {lead(areas(name, small[STEPS[name]], setting, runs), random)}" for name in order
    ]
    return all_of(
        survey_page("tutorial.md"),
        (places == sorted(places), "six steps in order"),
        (len(told) == 6, "digits, 3 runs, to random: " + ", ".join(told)),
    )
