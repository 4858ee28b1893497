"""What a panel leaves in its folder: its parts and what they were made by."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lal.errors import DataError
from lal.evaluation.report.leaderboard import Evidence
from lal.registry import require
from lal.serialization import read_json, write_json

PANEL = "panel.json"
"""Names the parts of the latest panel of a folder."""


def write_panel(folder: Path, manifest: Mapping[str, Any], parts: list[str]) -> None:
    """Write what the latest panel was: its command, its rules and the names of its parts."""
    write_json(folder / PANEL, {**manifest, "parts": parts})


def panel_evaluation(folder: Path) -> Evidence:
    """Return the cells of the latest panel of a folder.

    Raises:
        DataError: A part is missing; the panel was stopped.
    """
    pandas = require("pandas", "tables")
    manifest = read_json(folder / PANEL)
    missing = [name for name in manifest["parts"] if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(manifest['parts'])} parts of the panel in {str(folder)!r} are "
            f"missing; finish it: {manifest['command']}"
        )
    rows = [row for name in manifest["parts"] for row in read_json(folder / name)]
    table = pandas.DataFrame(rows)
    if "n_pool" not in table:  # parts of an older version: half of the rows, equal ones counted
        table["n_pool"] = [manifest["n_pool"][name] for name in table["dataset"]]
    return Evidence(table, manifest)
