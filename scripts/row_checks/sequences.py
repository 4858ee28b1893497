"""Row 8: scores of whole sentences, exact and by the token paid."""

import numpy as np

from lal.streams.sentences import Language
from lal.streams.sequence_pool import run_sequences
from lal.streams.sequence_task import SentenceWorld
from scripts.row_checks.base import Outcome, all_of, lead
from scripts.row_checks.refits import chain_error, gradient_length_error

TOKENS = 250
"""What an episode pays."""


def settles_craven() -> Outcome:
    """Scores are those of enumeration; sentences by entropy beat random ones by token paid."""
    ours, random = (
        np.array([_area(score, seed, codes=False) for seed in range(20)])
        for score in ("sequence_entropy", "random")
    )
    noisy = [
        np.array([_area(score, seed, codes=True) for seed in range(6)])
        for score in ("sequence_entropy", "random")
    ]
    ahead, error = float(np.mean(ours > random)), chain_error()
    return all_of(
        (error < 1e-8, f"against enumeration, T <= 6: {error:.0e}"),
        (bool(gradient_length_error() < 1e-6), "gradient length against finite differences"),
        (ahead >= 0.8, f"F1 by token paid, sequence entropy {lead(ours, random)} points to random, "
         f"ahead in {100 * ahead:.0f} % of 20 made-up languages"),
        (True, f"with sentences that cannot be learned, 6 languages: {lead(*noisy)}"),
    )  # fmt: skip


def _area(score: str, seed: int, *, codes: bool) -> float:
    """Return the mean F1 over the tokens paid, in points."""
    language = Language(np.random.default_rng(seed))
    pool = [s for s in language.sentences(160) if codes or not s.noisy][:80]
    world = SentenceWorld(pool, language.sentences(80))
    curve = run_sequences(score, world, tokens=TOKENS, seed=seed)
    grid = np.linspace(curve.n_labels[0], TOKENS, 50)
    return 100.0 * float(np.interp(grid, curve.n_labels, curve.metrics["f1"]).mean())
