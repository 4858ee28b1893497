"""What a report page is made from, and the sentence that it opens with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lal.evaluation.analysis.control_tests import REQUIRED, control_test, find_controls
from lal.evaluation.analysis.curve_sets import CurveSet, collect_curves
from lal.evaluation.analysis.statistics import (
    ROPE,
    detectable_difference,
    primary_test,
    signed_rank_rope,
    spread,
)
from lal.evaluation.analysis.summary import BASELINES, Row, summarise
from lal.evaluation.analysis.tables import Table, paired, read_table, run_rows
from lal.evaluation.report.theme import N_STYLES
from lal.evaluation.runs.store import RunStore
from lal.rng import generator

MOST_CURVES = 6
"""Strategies drawn in one chart: policies and baselines first."""


@dataclass(frozen=True)
class Page:
    """What the page is made from.

    Attributes:
        table: Tidy table of the runs.
        manifest: What the evaluation was.
        rows: Summary rows.
        focus: The policy (or strategy) that the page is about.
        controls: Its controls, for the control test; empty unless all of them are there.
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
    def runs(self) -> Table:
        """One row per run."""
        return run_rows(self.table)

    @cached_property
    def curves(self) -> CurveSet:
        """Every finished curve of the headline metric."""
        return collect_curves(self.table, self.metric)

    @cached_property
    def datasets(self) -> list[str]:
        """All data sets, sorted."""
        return sorted(self.runs["dataset"].unique())

    @cached_property
    def families(self) -> dict[str, str]:
        """Family of every data set."""
        return dict(zip(self.runs["dataset"], self.runs["family"], strict=True))

    def seen(self, *strategies: str) -> set[str]:
        """Return the data sets whose family one of the methods saw in training."""
        known = self.manifest.get("seen", {})
        families = {family for s in strategies for family in known.get(s, [])}
        return {d for d in self.datasets if self.families[d] in families}

    def fair(self, *strategies: str) -> Table:
        """Return the runs on data sets that none of the strategies has seen, one row each."""
        unfair = self.seen(*strategies)
        return self.runs[~self.runs["dataset"].isin(list(unfair))] if unfair else self.runs

    @cached_property
    def row(self) -> Row:
        """Summary row of the focus."""
        return next(r for r in self.rows if r.strategy == self.focus)

    @cached_property
    def compared(self) -> list[str]:
        """Strategies in the order of the summary, oracles left out."""
        return [r.strategy for r in self.rows if r.role != "oracle"]

    @cached_property
    def drawn(self) -> list[str]:
        """Strategies that charts draw: the focus, the baselines, then the best."""
        first = [self.focus, *(b for b in BASELINES if b in self.compared)]
        return list(dict.fromkeys([*first, *self.compared]))[:MOST_CURVES]

    @cached_property
    def styles(self) -> dict[str, int]:
        """Colour number of every strategy drawn."""
        return {name: i % N_STYLES for i, name in enumerate(self.drawn)}


def make_page(
    store: RunStore,
    *,
    table: Table | None = None,
    rows: Sequence[Row] | None = None,
    policy: str | None = None,
    controls: Mapping[str, Sequence[str]] | None = None,
    n_samples: int = 10_000,
) -> Page:
    """Return what a store has to say.

    Args:
        store: Finished runs.
        table: Its table, if it has been read already.
        rows: Its summary, if it has been taken already, with `n_samples` bootstrap samples.
        policy: Strategy the page is about; the best policy, or the best strategy, when None.
        controls: Names of its untrained and shuffled copies; found by their roles when None.
        n_samples: Bootstrap samples of each interval.
    """
    table, manifest = read_table(store) if table is None else table, store.manifest()
    if rows is None:
        rows = summarise(table, seen=manifest.get("seen", {}), n_samples=n_samples)
    found = controls
    if found is None:
        found = find_controls(table)
        found = found if set(found) == set(REQUIRED) else {}
    focus = policy or _focus(rows, found)
    return Page(table, manifest, rows, focus, found, n_samples)


def _focus(rows: Sequence[Row], controls: Mapping[str, Sequence[str]]) -> str:
    """Return the best policy that is not a control, or else the best strategy."""
    named = {name for names in controls.values() for name in names}
    compared = [r for r in rows if r.role != "oracle"]
    learned = [r for r in compared if r.role == "policy" and r.strategy not in named and r.n_sets]
    others = [r for r in compared if r.strategy not in BASELINES] or compared
    return (learned or others)[0].strategy


def headline(page: Page, *, n_samples: int | None = None) -> str:
    """Return the sentence that the page opens with."""
    row, n = page.row, n_samples or page.n_samples
    if page.controls and page.focus not in page.controls["random"] and row.n_sets:
        fair = page.fair(page.focus)
        return control_test(fair, page.focus, page.controls, n_samples=n).sentence
    said = "; ".join(str(c) for c in row.against.values()) or "nothing to compare with"
    missing = (
        ""
        if page.controls
        else (f" Without {' and '.join(REQUIRED[1:])} copies nobody can say whether it learned.")
    )
    return f"{page.focus}: {said}.{missing}"


def get_baseline(page: Page) -> str | None:
    """Return margin, or random, whichever the focus was compared with first; None without."""
    return next((b for b in BASELINES if b in page.row.against), None)


def evidence(page: Page) -> list[tuple[str, str]]:
    """Return the tests behind the headline, as terms and texts."""
    baseline = get_baseline(page)
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
        ("Minimum detectable difference", power_text(page)),
    ]


def power_text(page: Page) -> str:
    """Return the smallest difference that this evaluation would detect."""
    baseline = get_baseline(page)
    if baseline is None:
        return "Nothing to compare with, so no difference can be detected."
    sample = paired(page.fair(page.focus), page.focus, baseline)
    leaves = sample.over_learners()
    n_sets = len(np.unique(leaves.dataset))
    n_runs = max(len(leaves) // n_sets, 1)
    between, within = spread(sample)
    least = detectable_difference(n_sets, n_runs, between=between, within=within)
    return (
        f"With {n_sets} data sets of {n_runs} paired runs, a spread of {100 * between:.2f} points "
        f"between sets and of {100 * within:.2f} points between runs, mean differences from "
        f"{baseline} under {100 * least:.2f} points cannot be detected (80 % power, one-sided "
        "2.5 %)."
    )
