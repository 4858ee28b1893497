"""Make the marked tables of the pages in docs/ from the JSON files beside them.

``python -m scripts.benchmark tables`` rewrites what stands between::

    <!-- table few-shot.json#five-labels -->
    <!-- end of table -->

``--check`` changes nothing and fails where a page and its JSON differ.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lal.errors import UsageError
from lal.serialization import read_json, write_bytes
from scripts.benchmarks.base import Table, render
from scripts.entry import run_main

DOCS = Path(__file__).parents[2] / "docs"

BEGIN = re.compile(r"<!-- table ([\w.-]+\.json)#([\w-]+) -->")
END = "<!-- end of table -->"
MARKED = re.compile(rf"({BEGIN.pattern}\n)(.*?)({re.escape(END)})", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which pages."""

    folder: Path = DOCS
    """Folder of the pages, searched with its subfolders."""

    check: bool = False
    """Change nothing; fail where a page and its JSON differ."""


def run(config: Config) -> None:
    """Write or check all marked tables.

    Raises:
        UsageError: A table is not in its file, a mark has no end, or, when checking, pages differ.
    """
    stale = []
    for path in sorted(config.folder.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        made = with_tables(text, path)
        if made != text:
            stale.append(str(path))
            if not config.check:
                write_bytes(path, made.encode())
    if config.check and stale:
        raise UsageError(
            f"tables differ from their JSON in {', '.join(stale)}; run: python -m "
            "scripts.benchmark tables"
        )
    print(f"{len(stale)} pages changed" if stale else "all tables are up to date")


def with_tables(text: str, path: Path) -> str:
    """Return a page with its marked tables made anew.

    Args:
        text: The page.
        path: Where it lies; the JSON files lie beside it.

    Raises:
        UsageError: A table is not in its file, or a mark has no end.
    """
    if len(BEGIN.findall(text)) != len(MARKED.findall(text)) or text.count(END) != len(
        MARKED.findall(text)
    ):
        raise UsageError(f"{path}: a marked table has no '{END}', or no beginning")
    return MARKED.sub(lambda found: f"{found[1]}{_table(path, found[2], found[3])}\n{END}", text)


def _table(path: Path, file: str, name: str) -> str:
    tables = read_json(path.parent / file)["tables"]
    if name not in tables:
        raise UsageError(f"{path}: {file} has no table {name!r}; it has {', '.join(tables)}")
    return render(Table(**tables[name]))


def main(arguments: Sequence[str]) -> int:
    """Run the sub-command; returns the exit code."""
    return run_main(run, Config, arguments)
