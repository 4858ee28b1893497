"""Row 80: a learned explorer finds confident cells, and labels from its map teach the detector."""

import numpy as np

from scripts.benchmarks.agents.explore import Config, accuracies, confident_cells, rule, train_ppo
from scripts.row_checks.base import Outcome, all_of, lead


def seal() -> Outcome:
    """PPO finds more confident cells than a random walk and the frontier; self-labels help."""
    config = Config(timesteps=16_000, episodes=150, worlds=20, walks=3)
    act = train_ppo(config)
    ours, walk, frontier = (
        confident_cells(config, one) for one in (act, rule("random_walk"), rule("frontier"))
    )
    before, by_map, own = 100.0 * accuracies(config, act).T
    better = float(np.mean(by_map > before))
    return all_of(
        (_is_ahead(ours, walk), f"confident cells of PPO in 150 unseen rooms, {ours.mean():.1f} of "
         f"12: {lead(ours, walk)} to a random walk"),
        (_is_ahead(ours, frontier), f"{lead(ours, frontier)} to the frontier"),
        (better >= 0.8, f"accuracy of the detector after labels of the map {lead(by_map, before)} "
         f"points, better in {100 * better:.0f} % of 20 worlds"),
        (True, f"after labels of single glances {lead(own, before)}"),
    )  # fmt: skip


def _is_ahead(ours: np.ndarray, theirs: np.ndarray) -> bool:
    gap = ours - theirs
    return bool(gap.mean() > 1.96 * gap.std(ddof=1) / np.sqrt(len(gap)))
