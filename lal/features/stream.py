"""Where stream features were in the first release; `lal.streams.features` has them."""

import warnings
from typing import Any

from lal.registry import import_attribute


def __getattr__(name: str) -> Any:
    """Return a name of `lal.streams.features`, with a warning."""
    if name.startswith("__"):
        raise AttributeError(name)
    warnings.warn(
        "lal.features.stream is now lal.streams.features; the old name goes with the next release",
        DeprecationWarning,
        stacklevel=2,
    )
    return import_attribute(f"lal.streams.features:{name}")
