"""What a report page is made from, and the sentence that it opens with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lal.evaluation.analysis.control_tests import REQUIRED, verdict
from lal.evaluation.analysis.curve_sets import CurveSet, collect_curves
from lal.evaluation.analysis.reference_levels import oracle_kind
from lal.evaluation.analysis.statistics import (
    ROPE,
    detectable_difference,
    primary_test,
    signed_rank_rope,
    spread,
)
from lal.evaluation.analysis.summary import BASELINES, Row, summarise
from lal.evaluation.analysis.tables import Table, cell_rows, paired, strategies_of
from lal.evaluation.report.svg import N_STYLES
from lal.evaluation.runs.methods import FULL_LABEL
from lal.evaluation.runs.store import RunStore
from lal.rng import generator

COPIES = ("untrained", "shuffled", "linear", "margin")
"""How labels of policies begin that are controls: a page is about none of them unless asked."""

MOST_CURVES = 6
"""Strategies drawn in one chart: policies and baselines first."""


@dataclass(frozen=True)
class Page:
    """What the page is made from.

    Attributes:
        table: Tidy table of the cells.
        manifest: What the evaluation was.
        rows: Summary rows.
        focus: The policy (or strategy) that the page is about.
        controls: Its controls, for the verdict; empty without.
        n_samples: Bootstrap samples of each interval.
    """

    table: Table
    manifest: Mapping[str, Any]
    rows: Sequence[Row]
    focus: str
    controls: Mapping[str, Sequence[str]]
    n_samples: int = 10_000

    @cached_property
    def metric(self) -> str:
        """Headline metric."""
        return str(self.table["metric"].iloc[0])

    @cached_property
    def cells(self) -> Table:
        """One row per cell."""
        return cell_rows(self.table)

    @cached_property
    def curves(self) -> CurveSet:
        """Every finished curve of the headline metric."""
        return collect_curves(self.table, self.metric)

    @cached_property
    def datasets(self) -> list[str]:
        """All data sets, sorted."""
        return sorted(self.cells["dataset"].unique())

    @cached_property
    def families(self) -> dict[str, str]:
        """Family of every data set."""
        return dict(zip(self.cells["dataset"], self.cells["family"], strict=True))

    def seen(self, *strategies: str) -> set[str]:
        """Return the data sets whose family one of the strategies met in training."""
        known = self.manifest.get("seen", {})
        met = {family for s in strategies for family in known.get(s, [])}
        return {d for d in self.datasets if self.families[d] in met}

    def fair(self, *strategies: str) -> Table:
        """Return the cells on data sets that none of the strategies has seen, one row each."""
        unfair = self.seen(*strategies)
        return self.cells[~self.cells["dataset"].isin(list(unfair))] if unfair else self.cells

    @cached_property
    def row(self) -> Row:
        """Summary row of the focus."""
        return next(r for r in self.rows if r.strategy == self.focus)

    @cached_property
    def players(self) -> list[str]:
        """Strategies in the order of the summary, oracles left out."""
        return [r.strategy for r in self.rows if not oracle_kind(r.strategy)]

    @cached_property
    def drawn(self) -> list[str]:
        """Strategies that charts draw: the focus, the baselines, then the best."""
        first = [self.focus, *(b for b in BASELINES if b in self.players)]
        return list(dict.fromkeys([*first, *self.players]))[:MOST_CURVES]

    @cached_property
    def styles(self) -> dict[str, int]:
        """Colour number of every strategy drawn."""
        return {name: i % N_STYLES for i, name in enumerate(self.drawn)}


def make_page(
    store: RunStore,
    *,
    policy: str | None = None,
    controls: Mapping[str, Sequence[str]] | None = None,
    n_samples: int = 10_000,
) -> Page:
    """Return what a store has to say.

    Args:
        store: Finished cells.
        policy: Strategy the page is about; the best policy, or the best strategy, when None.
        controls: Names of its untrained and shuffled copies; found by their labels
            (``untrained...``, ``shuffled...``) when None.
        n_samples: Bootstrap samples of each interval.
    """
    table, manifest = store.to_table(), store.manifest()
    rows = summarise(table, seen=manifest.get("seen", {}), n_samples=n_samples)
    found = find_controls(strategies_of(table)) if controls is None else controls
    focus = policy or _focus(rows, manifest, found)
    return Page(table, manifest, rows, focus, found, n_samples)


def find_controls(strategies: Sequence[str]) -> dict[str, list[str]]:
    """Return random, untrained... and shuffled... among some labels; empty unless all are there."""
    found = {
        "random": [s for s in strategies if s == "random"],
        "untrained": [s for s in strategies if s.startswith("untrained")],
        "shuffled": [s for s in strategies if s.startswith("shuffled")],
    }
    return found if all(found.values()) else {}


def _focus(
    rows: Sequence[Row], manifest: Mapping[str, Any], controls: Mapping[str, Sequence[str]]
) -> str:
    policies = {e["label"] for e in manifest.get("entrants", []) if e.get("sha256")}
    controls_named = {name for names in controls.values() for name in names}
    unlearned = controls_named | {s for s in policies if s.startswith(COPIES)}
    players = [r for r in rows if not oracle_kind(r.strategy) and r.strategy != FULL_LABEL]
    learned = [r for r in players if r.strategy in policies - unlearned and r.n_sets]
    others = [r for r in players if r.strategy not in BASELINES] or players
    return (learned or others)[0].strategy


def headline(page: Page, *, n_samples: int | None = None) -> str:
    """Return the sentence that the page opens with."""
    row, n = page.row, n_samples or page.n_samples
    if page.controls and page.focus not in page.controls["random"] and row.n_sets:
        others = {b: [b] for b in BASELINES if b in row.against}
        fair = page.fair(page.focus)
        return verdict(fair, page.focus, {**page.controls, **others}, n_samples=n).sentence
    said = "; ".join(str(c) for c in row.against.values()) or "nothing to compare with"
    missing = (
        ""
        if page.controls
        else (f" Without {' and '.join(REQUIRED[1:])} copies nobody can say whether it learned.")
    )
    return f"{page.focus}: {said}.{missing}"


def baseline_of(page: Page) -> str | None:
    """Return margin, or random, whichever the focus was compared with first; None without."""
    return next((b for b in BASELINES if b in page.row.against), None)


def evidence(page: Page) -> list[tuple[str, str]]:
    """Return the tests behind the headline, as terms and texts."""
    baseline = baseline_of(page)
    if baseline is None:
        return []
    sample = paired(page.fair(page.focus), page.focus, baseline)
    means = sample.set_means()
    test = primary_test(sample, generator(0, "report primary"), n_samples=page.n_samples)
    rope = signed_rank_rope(means, generator(0, "report rope"))
    outcome = "rejected" if test.rejected else "not rejected"
    return [
        (
            f"Primary test against {baseline}",
            f"one-sided signed-rank p = {test.p:.4f} over {len(means)} data sets; with the "
            f"interval, “no better than {baseline}” is {outcome} at 2.5 %",
        ),
        (
            f"Practically better, equal, worse than {baseline}",
            f"{rope.better:.2f}, {rope.equal:.2f}, {rope.worse:.2f} (Bayesian signed-rank, region "
            f"of equivalence ±{100 * ROPE:.1f} points)",
        ),
        ("What could be seen", power_text(page)),
    ]


def power_text(page: Page) -> str:
    """Return what differences this evaluation could have seen."""
    baseline = baseline_of(page)
    if baseline is None:
        return "Nothing to compare with, so no difference can be seen."
    sample = paired(page.fair(page.focus), page.focus, baseline)
    leaves = sample.over_learners()
    n_sets = len(np.unique(leaves.dataset))
    n_runs = max(len(leaves) // n_sets, 1)
    between, within = spread(sample)
    least = detectable_difference(n_sets, n_runs, between=between, within=within)
    return (
        f"With {n_sets} data sets of {n_runs} paired runs, a spread of {100 * between:.2f} points "
        f"between sets and of {100 * within:.2f} points between runs, mean differences to "
        f"{baseline} under {100 * least:.2f} points cannot be seen (80 % power, one-sided 2.5 %)."
    )
