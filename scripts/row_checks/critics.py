"""Rows 42, 45, 60, 62, 69 and 70: critics of labelled against unlabelled rows.

The bed: digits, 7 of 10 classes with 8 labels each, one batch of 40. The lift is the share of the
batch in the classes without a label over their share in the pool; 1 is what random rows have.
"""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from lal.arrays import Floats, Ints
from lal.state import QueryState
from lal.strategies.neural.critic import critic_logits, make_problem
from lal.strategies.neural.gcn import train_gcn
from lal.strategies.neural.minimax import entropy_loss, train_minimax
from lal.strategies.neural.sraal import uncertainty_indicator
from lal.strategies.spaces import Farthest
from scripts.row_checks.base import Outcome, all_of, make_state, pick
from scripts.row_checks.spaces import digits

SEEDS = range(4)

ROWS = 500
"""Rows of the bed."""


def bed(seed: int, learner: object = "logistic_regression") -> tuple[QueryState, Ints, np.ndarray]:
    """Return a pool with three classes that have no label, all true codes, and which are hidden."""
    X, y = digits(ROWS, seed)
    hidden = np.random.default_rng((seed, 1)).permutation(10)[:3]
    rows = [np.flatnonzero(y == c)[:8] for c in range(10) if c not in hidden]
    return make_state(X, y, np.sort(np.concatenate(rows)), learner), y, np.isin(y, hidden)


def lifts(
    strategy: str, seeds: Sequence[int] = SEEDS, learner: object = "logistic_regression"
) -> Floats:
    """Return the lift of a strategy's batch on each bed, shape (seeds,)."""
    found = []
    for seed in seeds:
        state, _, hidden = bed(seed, learner)
        found.append(hidden[pick(strategy, state, 40, seed)].mean() / hidden[state.open].mean())
    return np.array(found)


def _lift(found: Floats, least: float) -> tuple[bool, str]:
    error = found.std(ddof=1) / np.sqrt(len(found))
    return bool(found.mean() > least), f"lift {found.mean():.2f} +- {error:.2f}"


def vaal() -> Outcome:
    """Classes without a label are picked more than twice as often as they occur."""
    found = lifts("vaal")
    return all_of(_lift(found, 2.0), (bool(found.min() > 1.0), f"{found.min():.2f} at least"))


def dal() -> Outcome:
    """Classes without a label are picked more often in every run."""
    found = lifts("dal", range(8))
    return all_of(_lift(found, 1.5), (bool(found.min() > 1.0), f"{found.min():.2f} at least"))


def sraal() -> Outcome:
    """The indicator's three known values; the lift."""
    known = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    exact = np.abs(uncertainty_indicator(known) - [0.0, 0.875, 2 / 3]).max()
    return all_of(
        (bool(exact < 1e-9), "indicator of (1,0,0), (1/2,1/2,0) and equal ones: 0, 0.875, 2/3"),
        _lift(lifts("sraal"), 2.0),
    )


def minimax() -> Outcome:
    """Gradients have two signs; the discriminator knows classes without a label; the lift."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(9, 6, generator=generator).requires_grad_()
    prototypes = torch.randn(6, 4, generator=generator).requires_grad_()
    before = entropy_loss(features, prototypes)
    before.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        assured = entropy_loss(features - 0.01 * features.grad, prototypes)  # type: ignore[operator]
        unsure = entropy_loss(features, prototypes - 0.01 * prototypes.grad)  # type: ignore[operator]
    areas = []
    for seed in SEEDS:
        state, _, hidden = bed(seed)
        logits, _ = train_minimax(state.Z, state, seed)
        areas.append(roc_auc_score(hidden[state.open], logits[state.open]))
    return all_of(
        (bool(assured < before), "a step of the encoder lowers the entropy"),
        (bool(unsure > before), "one of the classifier raises it"),
        (bool(np.mean(areas) > 0.6), f"hidden classes told apart: AUROC {np.mean(areas):.2f}"),
        _lift(lifts("minimax"), 1.0),
    )


def graph_networks() -> Outcome:
    """The graph network knows classes without a label; CoreGCN is core-set of what it sees."""
    areas, same = [], 0
    for seed in SEEDS:
        state, _, hidden = bed(seed)
        drawn = int(np.random.default_rng((seed, 0)).integers(2**31))
        known = np.isin(np.arange(state.N), state.labelled).astype(np.float64)
        proba, seen = train_gcn(state.Z, known, drawn)
        areas.append(roc_auc_score(hidden[state.open], -proba[state.open]))
        picked = pick("core_gcn", state, 1, seed)[0]
        same += bool(Farthest(seen, state.labelled).utilities()[state.open].argmax()
                     == np.searchsorted(state.open, picked))  # fmt: skip
    return all_of(
        (bool(np.mean(areas) > 0.6), f"hidden classes told apart: AUROC {np.mean(areas):.2f}"),
        (same == len(SEEDS), "CoreGCN picks what core-set picks among the hidden features"),
        _lift(lifts("uncertain_gcn"), 1.0),
        (True, f"CoreGCN's {_lift(lifts('core_gcn'), 0.0)[1]}"),
    )


def ta_vaal() -> Outcome:
    """A constant rank leaves VAAL; the lift."""
    state, _, _ = bed(0)
    plain, constant = (make_problem(state, "view", "a check", c) for c in (None, np.ones(state.N)))
    same = np.array_equal(critic_logits(plain, 1), critic_logits(constant, 1))
    found = []
    for seed in (0, 1, 2):
        state, _, hidden = bed(seed, "mlp_loss")
        rows = pick("ta_vaal", state, 40, seed)
        found.append(hidden[rows].mean() / hidden[state.open].mean())
    return all_of(
        (same, "with a constant rank, VAAL's scores bit by bit"), _lift(np.array(found), 1.5)
    )
