"""Rank what has no label yet, best first: the rows of a CSV file, or the tasks of a labelling tool.

lal rank data.csv --target label --classes a b c --out order.csv
lal rank export.json --format label-studio --out order.csv --tasks import.json

The order has id, rank, utility, predicted class, its probability and reasons; nothing else is
written, but what --tasks names.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from lal.data.items import Item
from lal.errors import UsageError
from lal.integrations.formats import FORMATS
from lal.labelling.content import one_column
from lal.labelling.order_file import (
    OrderLine,
    check_order_path,
    order_lines,
    order_text,
    placed,
    write_order,
)
from lal.labelling.pools import LabelledPool, item_pool, table_pool
from lal.labelling.query import ProjectQuery
from lal.labelling.ranking import rank_rows
from lal.registry import import_attribute
from scripts.entry import run_main
from scripts.label import best_policy

TABLE = "csv"
"""Format of a table; all others are those of labelling tools."""


@dataclass(frozen=True)
class Config:
    """What is ranked, and how."""

    data: Annotated[Path, tyro.conf.Positional] = Path("data.csv")
    """CSV file with a header, or the export of a labelling tool."""

    out: Path = Path("order.csv")
    """Where the order goes: .csv, or .jsonl for JSON lines."""

    format: str = TABLE
    """csv, label-studio, cvat, doccano, argilla, fiftyone or prodigy."""

    tasks: Path | None = None
    """Also write the tasks in the tool's own format, ranked ones first, with predictions."""

    content: str = ""
    """Field of a task with the text or image, where it has no common name (of labels: fiftyone)."""

    images: Path = Path()
    """Folder that relative paths of images start from."""

    target: str = "label"
    """Column of labels of a CSV file."""

    classes: tuple[str, ...] = ()
    """All classes; those among the labels when not given."""

    id: str = ""
    """Column of unique ids; without one, rows are known by their number (1 below the header)."""

    ignore: tuple[str, ...] = ()
    """Columns that are not learned from."""

    text: str = ""
    """Column of texts, the only one learned from when given."""

    image: str = ""
    """Column of paths of images, the only one learned from when given."""

    embedding: str = ""
    """Column of lists of numbers ([0.1, 0.2] or 0.1 0.2), the only one learned from when given."""

    embed: str = ""
    """Function that makes numbers of the texts or images, as module:name or FILE.py:name."""

    policy: str = field(default_factory=best_policy)
    """What ranks: a policy, a strategy, or a policy file."""

    learner: str = "logistic_regression"
    """What is fitted to the labels."""

    batch_size: int = 1
    """Labels that will be given before the order is made again; chosen as one batch."""

    reasons: int = 20
    """First rows that are explained."""

    seed: int = 0
    """Seeds the learner and breaks ties."""


def main(config: Config) -> list[OrderLine]:
    """Write the order and, where asked for, the tool's file; returns the lines of the order."""
    _check(config)
    items = []
    if config.format != TABLE:
        items = FORMATS[config.format].read(config.data, config.content)
    pool = _pool(config, items)
    for note in pool.notes:
        print(note, file=sys.stderr)
    query = ProjectQuery(
        pool.X,
        policy=config.policy,
        learner=config.learner,
        n_classes=len(pool.classes),
        seed=config.seed,
    )
    ranking = rank_rows(query, pool.codes, batch_size=config.batch_size, near=pool.near)
    lines = order_lines(pool, query, ranking, n_reasons=config.reasons)
    write_order(config.out, order_text(lines, config.out.suffix))
    print(
        f"{len(lines)} of {len(pool.names)} ranked by {config.policy}; the order is in {config.out}"
    )
    if config.tasks is not None:
        FORMATS[config.format].write(config.tasks, items, placed(lines))
        print(f"tasks for {config.format} are in {config.tasks}")
    return lines


def _check(config: Config) -> None:
    """Refuse flags that contradict each other, before anything is read.

    Raises:
        UsageError: They do, or an input would be overwritten.
    """
    written = [config.out, *([config.tasks] if config.tasks else [])]
    for path in written:
        if path.resolve() == config.data.resolve():
            raise UsageError(f"{str(path)!r} is the input, which is never changed; name another")
    if len({path.resolve() for path in written}) < len(written):
        raise UsageError("--out and --tasks name the same file")
    check_order_path(config.out)
    if config.tasks is not None and config.tasks.exists():
        raise UsageError(
            f"{str(config.tasks)!r} is there already; name another file for the tasks, or remove it"
        )
    if config.format != TABLE:
        _ = FORMATS[config.format]
    elif config.tasks is not None:
        raise UsageError("--tasks writes the file of a labelling tool; name it with --format")
    _check_columns(config)
    if config.reasons < 0:
        raise UsageError(f"reasons must be at least 0, got {config.reasons}")


def _check_columns(config: Config) -> None:
    named = {"text": config.text, "image": config.image, "embedding": config.embedding}
    named["embed"] = config.embed
    wrong = next((name for name, value in named.items() if value), None)
    if config.format != TABLE and wrong == "embed":
        raise UsageError("--embed is for a CSV file; tasks of a tool have numbers of their own")
    if config.format != TABLE and wrong:
        raise UsageError(
            f"--{wrong} names a column of a CSV file; for tasks of a tool use --content"
        )


def _pool(config: Config, items: Sequence[Item]) -> LabelledPool:
    classes = config.classes or None
    if config.format != TABLE:
        return item_pool(items, config.data.name, classes=classes, images=config.images)
    return table_pool(
        config.data,
        target=config.target,
        classes=classes,
        id_column=config.id or None,
        ignore=config.ignore,
        content=one_column(
            text=config.text or None,
            image=config.image or None,
            embedding=config.embedding or None,
            images=config.images if config.image else None,
            embed=import_attribute(config.embed) if config.embed else None,
        ),
    )


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_main(main, Config, argv)


if __name__ == "__main__":
    raise SystemExit(run())
