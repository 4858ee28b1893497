"""The neutral file of an order: one row to label a line, best first, as CSV or JSON lines."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lal.data.items import Placed
from lal.errors import DataError, UsageError
from lal.labelling.pools import LabelledPool
from lal.labelling.query import ProjectQuery
from lal.labelling.ranking import Ranking
from lal.serialization import write_bytes

DIGITS = 6
"""Significant digits of utilities and probabilities."""


@dataclass(frozen=True)
class OrderLine:
    """A row to label.

    Attributes:
        id: What people call it.
        rank: 1 for the first.
        utility: What it was ranked by; higher comes first.
        predicted: The class that the model predicts; None before two classes have labels.
        probability: Its probability.
        reasons: What spoke for it, in plain words; only for the first rows, and only where the
            policy explains itself.
    """

    id: str
    rank: int
    utility: float
    predicted: str | None
    probability: float | None
    reasons: tuple[str, ...]


def order_lines(
    pool: LabelledPool, query: ProjectQuery, ranking: Ranking, *, n_reasons: int
) -> list[OrderLine]:
    """Return the lines of a ranking; the first `n_reasons` rows are explained."""
    lines = []
    for rank, row in enumerate(ranking.rows.tolist(), start=1):
        found = ranking.predicted(row)
        label = None if found is None else pool.classes[found[0]]
        probability = None if found is None else _rounded(found[1])
        why = query.reasons(ranking.state, row) if rank <= n_reasons else ()
        utility = _rounded(float(ranking.utilities[rank - 1]))
        lines.append(OrderLine(pool.names[row], rank, utility, label, probability, why))
    return lines


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def placed(lines: Sequence[OrderLine]) -> dict[str, Placed]:
    """Return what the formats of labelling tools write of each row, by its id."""
    n = len(lines)
    return {x.id: Placed(x.id, x.rank, (x.rank - 1) / n, x.predicted, x.probability) for x in lines}


def order_text(lines: Iterable[OrderLine], suffix: str) -> str:
    """Return the file's text; reasons stand in one cell, separated by semicolons, in a CSV.

    Args:
        lines: The rows, best first.
        suffix: ``.csv`` or ``.jsonl``.

    Raises:
        UsageError: Another suffix.
    """
    rows = [asdict(line) for line in lines]
    if suffix == ".jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if suffix != ".csv":
        raise UsageError(f"an order is written to a file ending in .csv or .jsonl, got {suffix!r}")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(OrderLine.__dataclass_fields__)
    for row in rows:
        cells = {**row, "reasons": "; ".join(row["reasons"])}
        writer.writerow("" if cell is None else cell for cell in cells.values())
    return out.getvalue()


def check_order_path(path: Path) -> None:
    """Refuse a path that holds something else than an order, which may be replaced.

    Raises:
        UsageError: It does, or its suffix is not one of an order.
    """
    order_text((), path.suffix)
    if not path.exists():
        return
    columns = list(OrderLine.__dataclass_fields__)
    begins = {".csv": ",".join(columns), ".jsonl": f'{{"{columns[0]}": '}[path.suffix]
    with path.open("rb") as file:
        if file.read(len(begins)) != begins.encode():
            raise UsageError(
                f"{str(path)!r} is there already and is not an order; it was left as it is, name "
                "another file (--out)"
            )


def write_order(path: Path, text: str) -> None:
    """Write the file atomically.

    Raises:
        DataError: It cannot be written.
    """
    try:
        write_bytes(path, text.encode())
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r} ({error.strerror})") from error
