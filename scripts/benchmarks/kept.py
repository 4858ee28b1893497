"""What a long benchmark has finished, kept in a folder so that the same command goes on there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lal.serialization import config_hash, read_json, write_json


def kept(folder: Path | None, name: str, depends: Any, make: Callable[[], Any]) -> Any:
    """Return what `make` gives, read from the folder where an earlier run has left it.

    Args:
        folder: Where finished parts are kept; None keeps nothing.
        name: Of the part, as its file's.
        depends: What the part is determined by; a file that was made with something else is
            replaced.
        make: Gives the part, as JSON can hold it.
    """
    if folder is None:
        return make()
    path, key = folder / f"{name}.json", config_hash(depends)
    if path.exists():
        held = read_json(path)
        if held.get("hash") == key:
            return held["found"]
    found = make()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {"hash": key, "found": found})
    return found
