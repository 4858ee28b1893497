"""The figures of lal/Explore-v0: rules in paired rooms, and detectors before and after."""

import numpy as np

from scripts.benchmarks.agents.explore import Config, accuracies, run
from scripts.benchmarks.base import Results


def test_rules_are_measured_in_paired_rooms():
    results = Results()
    run(Config(timesteps=0, episodes=2, worlds=2, walks=1), results)
    assert [row["method"] for row in results.tables["cells"].rows] == [
        "random_walk", "frontier", "lookout",
    ]  # fmt: skip
    assert len(results.tables["detector"].rows) == 3


def test_every_world_has_three_accuracies_of_its_own():
    config = Config(worlds=2, walks=1)
    found = accuracies(config, lambda env, observation, rng: env.act("random_walk", rng))
    assert found.shape == (2, 3)
    assert ((found > 0.2) & (found <= 1.0)).all()
    assert len(np.unique(found[:, 0])) == 2
