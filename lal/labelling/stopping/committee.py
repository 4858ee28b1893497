"""Committee agreement: stop when a committee agrees on chosen rows as it does on others."""

import numpy as np

from lal.arrays import Floats, Ints
from lal.labelling.stopping.base import (
    STOP_STEP,
    Advice,
    Checkpoints,
    Labels,
    check_threshold,
)  # fmt: skip
from lal.rng import generator

MEMBERS = 5
"""Models of the committee; ours."""

ROUNDS = 3
"""Tens of labels that agreement is averaged over; ours."""


def agreement(votes: Ints, n_classes: int) -> float:
    """Return how far a committee agrees, in [0, 1]: 1 minus the mean normalised vote entropy.

    Args:
        votes: Class codes, shape (M, n).
        n_classes: C.
    """
    shares = np.stack([(votes == c).mean(axis=0) for c in range(n_classes)])
    p = np.clip(shares, 1e-15, 1.0)
    entropy: Floats = -(p * np.log(p)).sum(axis=0)
    return float(1.0 - entropy.mean() / np.log(min(len(votes), n_classes)))


class CommitteeAgreement:
    """Stop when a committee agrees on the rows just chosen as well as on rows drawn at random.

    ``SA >= VSA``: the selection agreement on the last ten labelled rows, by a committee fitted to
    the labels before them, against the agreement on rows looked at that have no label. While rows
    that are worth asking are found, the committee disagrees on them more. Source: Olsson and
    Tomanek (2009), "An intrinsic stopping criterion for committee-based active learning", CoNLL;
    agreement is one minus the vote entropy of Dagan and Engelson (1995). The committee has five
    models on bootstraps, and both agreements are means of three rounds, which are ours.

    Args:
        checkpoints: What is looked at.
        threshold: Labelling may stop when SA - VSA is at least this; 0 in the source.
    """

    def __init__(self, checkpoints: Checkpoints, threshold: float = 0.0) -> None:
        self.checkpoints = checkpoints
        self.threshold = check_threshold("committee_agreement", threshold, -1.0, 1.0)
        self._kept: dict[tuple[tuple[int, int], ...], float] = {}

    def judge(self, labels: Labels) -> Advice:
        """Return what the rule says."""
        counts = self.checkpoints.counts(labels, ROUNDS + 1)
        measure = "agreement on chosen rows less that on others"
        if not counts:
            return Advice(measure, None, self.threshold, False)
        gaps = [self._gap(labels[: n + STOP_STEP]) for n in counts[:-1]]
        value = float(np.mean(gaps))
        return Advice(measure, value, self.threshold, value >= self.threshold)

    def _gap(self, labels: Labels) -> float:
        """Return SA - VSA of the committee before the last ten labels."""
        key = tuple(labels)
        if key not in self._kept:
            before, chosen = labels[:-STOP_STEP], [row for row, _ in labels[-STOP_STEP:]]
            points = self.checkpoints
            others = np.setdiff1d(points.rows, [row for row, _ in labels])
            rows = np.concatenate([np.array(chosen, dtype=np.int64), others])
            votes = self._votes(before, rows)
            own, rest = votes[:, : len(chosen)], votes[:, len(chosen) :]
            base = agreement(rest, points.n_classes) if len(others) else 0.0
            self._kept[key] = agreement(own, points.n_classes) - base
        return self._kept[key]

    def _votes(self, labels: Labels, rows: Ints) -> Ints:
        points = self.checkpoints
        known, codes = np.array(sorted(labels), dtype=np.int64).T
        rng = generator(points.seed, "stopping committee", len(labels))
        votes = []
        for _ in range(MEMBERS):
            drawn = rng.integers(len(known), size=len(known))
            votes.append(points.fit(known[drawn], codes[drawn]).predict(points.X[rows]))
        return np.stack(votes)
