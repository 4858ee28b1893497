"""Compiled twins of the features of `lal.features`: one number per id, values for whole slates.

`observe` first computes what several features share for all pool rows (margins, distances to
labels, ranks are against the reference set), then fills one column per feature (`context`,
`candidates`). Float32 all through, because that is what a policy reads. Everything follows the
definitions in `lal.features`; a test compares every id with its definition.
"""

from typing import Any

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.features.candidates import fill_candidates
from envs.simulator.kernels.features.context import fill_context
from envs.simulator.kernels.features.distances import squash
from envs.simulator.kernels.features.model import (
    Known,
    disagreements,
    entropies,
    mean_and_spread,
    top_two,
)

ZERO, ONE = np.float32(0.0), np.float32(1.0)

SHARED = 11
"""Quantities of every pool row that several features share."""


@kernel
def observe(
    t: Any,
    eps: Any,
    ids: Any,
    slates: Any,
    features: Any,
    context: Any,
    limits: Any,
    context_limits: Any,
    candidates: Any,
    contexts: Any,
    scratch: Any,
) -> None:
    """Write the observations of episodes.

    Args:
        t: Tasks.
        eps: Episodes.
        ids: Which episodes.
        slates: Rows offered, shape (E, K), -1 for a closed slot.
        features: Numbers of the F candidate features.
        context: Numbers of the G context features.
        limits: Lowest, highest and undefined value of the candidate features, shape (3, F).
        context_limits: The same of the context features, shape (3, G).
        candidates: Shape (E, K, F) float32, rows `ids` overwritten; closed slots are zeros.
        contexts: Shape (E, G) float32, rows `ids` overwritten.
        scratch: Float32, room for `SHARED` numbers of every pool row.
    """
    for at in range(len(ids)):
        e = ids[at]
        s = t.tasks[eps.task[e]]
        N, C, n = s.pool, s.classes, s.points
        count, total, L = eps.count[e], eps.total[e], eps.n_labelled[e]
        proba = eps.proba[e, : C * n].reshape(C, n)
        near = eps.near[e, : C * N].reshape(C, N)
        shared = scratch[: SHARED * N].reshape(SHARED, N)
        first, second, margin, entropy = shared[0], shared[1], shared[2], shared[3]
        reach, nearest, disagreement = shared[4], shared[5], shared[6]
        mean_distance, least = shared[7], shared[8]
        seen = 0
        for c in range(C):
            seen += count[c] > 0
        over = C if s.classes_known else seen
        scale = np.float32(s.scale)
        for i in range(N):
            least[i] = near[0, i]
        for c in range(1, C):
            for i in range(N):
                least[i] = min(least[i], near[c, i])
        share = np.float32(1.0 / (max(L, 1) * scale))
        for i in range(N):
            reach[i] = np.sqrt(least[i]) / scale
            nearest[i] = squash(reach[i])
            mean_distance[i] = squash(total[i] * share) if L > 0 else ONE
        if seen >= 2:
            top_two(proba, N, first, second, shared[9])
            for i in range(N):
                margin[i] = first[i] - second[i]
            entropies(proba, N, over, entropy)
            disagreements(proba, near, least, count, shared[10], disagreement)
        else:
            for i in range(N):
                first[i] = second[i] = margin[i] = entropy[i] = disagreement[i] = ZERO
        rows = t.reference[s.at_reference : s.at_reference + s.reference]
        centre, width = mean_and_spread(margin, rows)
        known = Known(count, L, proba, near, shared, seen, over, rows, centre, width)
        fill_context(
            s, known, context, context_limits, contexts[e], eps.n_start[e], eps.squares[e],
            eps.labels[e],
        )  # fmt: skip
        fill_candidates(
            s, known, slates[e], features, limits, candidates[e],
            t.free[s.at_free : s.at_free + 5 * N].reshape(5, N), t.distance, t.around,
            eps.leverage[e], eps.entropy[e], eps.variance[e],
        )  # fmt: skip
