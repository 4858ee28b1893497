"""Worker processes that end with the process they work for, also when that one was killed."""

import os
import threading
import time
from typing import Any

INTERVAL = 0.5
"""Seconds between two looks at whether the parent is still there."""


def bound_workers() -> dict[str, Any]:
    """Return options for `joblib.Parallel` on processes of this machine (loky).

    A process that is killed cannot stop its workers, and loky's would hold memory and standard
    output for minutes.
    """
    return {"initializer": end_with, "initargs": (os.getpid(),)}


def end_with(parent: int) -> None:
    """Have this process end once its parent is another one than `parent`: that one has died."""
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent watch").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(INTERVAL)
    os._exit(1)  # nobody is left to tell; buffers belong to the one that died
