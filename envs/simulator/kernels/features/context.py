"""Context features: one number each about a whole episode."""

import math

from envs.simulator.compile import kernel
from envs.simulator.kernels.features.leave_one_out import leave_one_out
from envs.simulator.kernels.features.model import mean, minus_x_log
from envs.simulator.kernels.features.names import (
    CLASS_ENTROPY,
    CONTEXT_SINCE_PROBA,
    ENTROPY_MEAN,
    LOO,
    MARGIN_MEAN,
    MARGIN_STD,
    N_CLASSES,
    N_COLUMNS,
    N_LABELLED,
    N_REFERENCE,
    NEIGHBOUR_DISAGREEMENT,
    PER_CLASS,
    PREDICTED_ENTROPY,
    REACHED,
    SMALLEST,
    SPACING,
    SPENT,
)


@kernel
def fill_context(s, known, context, limits, out, n_start, squares, labels):
    """Fill the context features of one episode."""
    count, L, proba, _, shared, seen, over, rows, centre, width = known
    N, R, C = s.pool, s.reference, s.classes
    entropy, nearest, disagreement = shared[3], shared[5], shared[6]
    for g in range(len(context)):
        kind = context[g]
        v = 0.0
        if seen < 2 and (CONTEXT_SINCE_PROBA >> kind) & 1:
            v = limits[2, g]
        elif kind == N_LABELLED:
            v = math.log1p(L) / math.log1p(1000.0)
        elif kind == PER_CLASS:
            v = math.log1p(L / max(seen, 1)) / math.log1p(1000.0)
        elif kind == CLASS_ENTROPY:
            if seen >= 2:
                for c in range(C):
                    v += minus_x_log(count[c] / L)
                v /= math.log(seen)
        elif kind == SMALLEST:
            if seen >= 2:
                least = L
                for c in range(C):
                    if count[c] > 0:
                        least = min(least, count[c])
                v = least * seen / L
        elif kind == N_CLASSES:
            v = math.log1p(seen) / math.log1p(30.0)
        elif kind == MARGIN_MEAN:
            v = centre
        elif kind == MARGIN_STD:
            v = 2.0 * width
        elif kind == ENTROPY_MEAN:
            v = mean(entropy, rows)
        elif kind == PREDICTED_ENTROPY:
            for c in range(C):
                v += minus_x_log(mean(proba[c, :N], rows))
            v /= math.log(max(over, 2))
        elif kind == LOO:
            v = leave_one_out(squares, labels, L, s.most)
        elif kind == NEIGHBOUR_DISAGREEMENT:
            v = mean(disagreement, rows)
        elif kind == REACHED:
            v = mean(nearest, rows) if L > 0 else 1.0
        elif kind == SPACING:
            v = s.spacing
        elif kind == SPENT:
            whole = min(n_start + s.budget, N)
            v = L / max(whole, 1) if s.budget_known else -1.0
        elif kind == N_COLUMNS:
            v = math.log1p(s.encoded) / math.log1p(512.0)
        elif kind == N_REFERENCE:
            v = math.log1p(R) / math.log1p(1024.0)
        out[g] = min(max(v, limits[0, g]), limits[1, g])
