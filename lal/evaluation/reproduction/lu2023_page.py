"""Literature reproduction as tables: lines, acceptance rules, both results as markdown."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lal.errors import DataError
from lal.evaluation.reproduction.lu2023 import ReproductionRow
from lal.serialization import read_json, write_bytes

SEEDS_WANTED = 15
"""Seeds out of twenty whose area must equal the published one, on data sets of `SMALL` rows."""

SMALL = 1000
NEAR, FAR = 2.0, 4.0
"""Standard errors within which nine sets of ten must lie, and all."""

SHARE_NEAR = 0.9


@dataclass(frozen=True)
class ReproductionCheck:
    """Whether the published numbers come out.

    Attributes:
        n_small: Small data sets whose margin sampling was compared seed by seed.
        n_small_passed: Those with at least `SEEDS_WANTED` of twenty (or that share) equal.
        n_uniform: Data sets whose random sampling was compared.
        n_near: Those within `NEAR` standard errors.
        worst: Largest distance in standard errors.
    """

    n_small: int
    n_small_passed: int
    n_uniform: int
    n_near: int
    worst: float

    @property
    def passed(self) -> bool:
        """Whether all rules hold for what was compared."""
        near = self.n_near >= SHARE_NEAR * self.n_uniform
        return self.n_small_passed == self.n_small and near and self.worst <= FAR

    def __str__(self) -> str:
        """Return the rules with what was found."""
        return (
            f"US-C equal to 1e-4 on at least {SEEDS_WANTED} of 20 seeds: {self.n_small_passed} of "
            f"{self.n_small} data sets under {SMALL} rows. Uniform within {NEAR:g} standard errors "
            f"of the difference: {self.n_near} of {self.n_uniform} data sets; the farthest is at "
            f"{self.worst:.2f}."
        )


def check_reproduction(rows: Sequence[ReproductionRow]) -> ReproductionCheck:
    """Return how the lines stand against the acceptance rules."""
    small = [r for r in rows if r.strategy == "margin" and r.n_rows < SMALL and r.n_compared]
    uniform = [r for r in rows if r.strategy == "random" and len(r.aubc) > 1]
    passed = [r for r in small if r.n_matched >= SEEDS_WANTED / 20 * r.n_compared]
    distances = [abs(r.z) for r in uniform]
    return ReproductionCheck(
        n_small=len(small),
        n_small_passed=len(passed),
        n_uniform=len(uniform),
        n_near=sum(d <= NEAR for d in distances),
        worst=max(distances, default=0.0),
    )


def save_reproduction(rows: Sequence[ReproductionRow], path: Path) -> None:
    """Write lines as JSON, one a line, atomically."""
    text = "[\n" + ",\n".join(json.dumps(row.to_mapping()) for row in rows) + "\n]\n"
    write_bytes(path, text.encode())


def load_reproduction(path: Path) -> list[ReproductionRow]:
    """Return the lines that `save_reproduction` wrote.

    Raises:
        DataError: No such file, or something else in it.
    """
    try:
        return [ReproductionRow.from_mapping(item) for item in read_json(path)]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{str(path)!r} holds no lines of a reproduction; expected a file written by "
            "scripts.benchmark bridge --out"
        ) from error


def reproduction_table(rows: Sequence[ReproductionRow]) -> list[dict[str, str]]:
    """Return one mapping per data set, small sets first: ours beside theirs, as texts."""
    found = {(r.dataset, r.strategy): r for r in rows}
    sizes = {r.dataset: r.n_rows for r in rows}
    return [
        {"dataset": name, "rows": str(n), **_cells(found.get((name, "margin")))}
        | _side("uniform", found.get((name, "random")))
        for name, n in sorted(sizes.items(), key=lambda item: (item[1], item[0]))
    ]


def _cells(margin: ReproductionRow | None) -> dict[str, str]:
    return {
        **_side("us_c", margin),
        "equal": f"{margin.n_matched} of {margin.n_compared}" if margin else "-",
        "unequal": _unequal(margin) if margin else "",
    }


def _side(prefix: str, row: ReproductionRow | None) -> dict[str, str]:
    names = ("runs", "ours", "theirs", "z")
    if row is None:
        return {f"{prefix}_{n}": "-" for n in names}
    z = f"{row.z:+.2f}" if len(row.aubc) > 1 else "-"
    texts = (str(len(row.aubc)), f"{row.aubc.mean():.4f}", f"{row.published_mean:.4f}", z)
    return {f"{prefix}_{n}": t for n, t in zip(names, texts, strict=True)}


def _unequal(row: ReproductionRow) -> str:
    return ", ".join(f"seed {seed} by {gap:+.4f}" for seed, gap in row.unequal.items())


HEAD = (
    "data set", "rows", "US-C: seeds equal to 1e-4", "ours", "published", "seeds that differ",
    "Uniform: runs", "ours", "published", "difference in SE",
)  # fmt: skip
COLUMNS = (
    "dataset", "rows", "equal", "us_c_ours", "us_c_theirs", "unequal",
    "uniform_runs", "uniform_ours", "uniform_theirs", "uniform_z",
)  # fmt: skip


def reproduction_markdown(rows: Sequence[ReproductionRow]) -> str:
    """Return the table as markdown, the acceptance rules on top."""
    lines = [str(check_reproduction(rows)), "", _line(HEAD), _line(["---"] * len(HEAD))]
    lines += [_line([cells[c] for c in COLUMNS]) for cells in reproduction_table(rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
