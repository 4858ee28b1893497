"""The tables of a report as CSV and LaTeX files."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lal.evaluation.analysis.reference_levels import reference_levels
from lal.evaluation.report.model import Page
from lal.evaluation.report.sections import failure_rows, groups, set_cards, what_was_seen
from lal.serialization import write_bytes

HEAD = (
    "strategy", "area", "sets", "minus margin", "margin these sets", "margin W/T/L",
    "minus random", "random these sets", "random W/T/L", "below random", "10 % quantile",
    "worst set", "query ms", "failed", "seen in training",
)  # fmt: skip


def write_tables(page: Page, folder: Path) -> list[Path]:
    """Write every table as CSV and LaTeX: strategies, sets, levels, what was seen, failures."""
    written = []
    for name, (head, rows) in get_tables(page).items():
        for ending, text in ((".csv", to_csv(head, rows)), (".tex", to_latex(head, rows))):
            path = folder / f"{name}{ending}"
            write_bytes(path, text.encode())
            written.append(path)
    return written


def get_tables(page: Page) -> dict[str, tuple[Sequence[str], list[list[str]]]]:
    """Return head and rows of every table, by file name."""
    found: dict[str, tuple[Sequence[str], list[list[str]]]] = {}
    for name, group in zip(
        ("strategies", "two_classes", "more_classes"), groups(page), strict=False
    ):
        found[name] = (HEAD, [_strategy(r) for r in group["rows"]])
    found["data_sets"] = (
        ("data set", "strategy", "runs", "area", "minus"),
        [
            [name, r["strategy"], r["runs"], r["area"], r["minus"]]
            for name, card in set_cards(page).items()
            for r in card["strategies"]
        ],
    )
    found["reference_levels"] = (
        ("level", "area", "note"),
        [
            [r.name, f"{100 * r.area:.2f}", r.note]
            for r in reference_levels(page.fair(page.focus), page.focus)
        ],
    )
    seen = what_was_seen(page)
    found["seen"] = (tuple(seen[0]), [list(r.values()) for r in seen])
    found["failures"] = (
        ("strategy", "data set", "learner", "how", "runs"),
        [[str(v) for v in r.values()] for r in _counts(failure_rows(page))],
    )
    return found


def _counts(found: dict[str, Any]) -> list[dict[str, Any]]:
    order = ("strategy", "dataset", "learner", "status", "runs")
    return [{k: r[k] for k in order} for r in found["counts"]]


def _strategy(r: dict[str, Any]) -> list[str]:
    versus = [r[b][k] for b in ("margin", "random") for k in ("new", "these", "counts")]
    last = [r[k] for k in ("harm", "tail", "worst", "ms", "failed", "seen")]
    return [str(v) for v in (r["strategy"], r["area"], r["n_sets"], *versus, *last)]


def to_csv(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as comma-separated text."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([head, *rows])
    return out.getvalue()


SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def to_latex(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as a LaTeX ``tabular`` (package booktabs)."""
    lines = [" & ".join(map(_escape, row)) + r" \\" for row in [head, *rows]]
    columns = "l" + "r" * (len(head) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _escape(text: str) -> str:
    return "".join(SPECIAL.get(c, c) for c in text)
