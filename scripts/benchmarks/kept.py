"""What a long benchmark has finished, kept in a folder so that the same command goes on there."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lal.serialization import config_hash, read_json, write_json


def kept(
    folder: Path | None, name: str, depends: Any, make: Callable[[], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what `make` gives, read from the folder if an earlier run has left it there.

    Args:
        folder: Where finished parts are kept; None keeps nothing.
        name: Name of the part, and of its file.
        depends: What determines the part; a file that was made with something else is replaced.
        make: Gives the part: fields that JSON can hold.
    """
    if folder is None:
        return dict(make())
    path, key = folder / f"{name}.json", config_hash(depends)
    if path.exists():
        held = read_json(path)
        if held.get("hash") == key:
            return {field: value for field, value in held.items() if field != "hash"}
    found = dict(make())
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {"hash": key, **found})
    return found
