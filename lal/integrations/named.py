"""Other libraries' strategies by name: which are offered, which are not, and why."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

from lal.errors import UnknownNameError

T = TypeVar("T")


def pick(prefix: str, name: str, offered: Mapping[str, T], refused: Mapping[str, str]) -> T:
    """Return what is offered under a name.

    Args:
        prefix: What stands before the colon.
        name: What stands behind it.
        offered: Names that work.
        refused: Names of the library that do not, with the reason and a way out.

    Raises:
        UnknownNameError: Not offered; says why, or has the nearest names.
    """
    if name in offered:
        return offered[name]
    if name in refused:
        raise UnknownNameError(f"'{prefix}:{name}' cannot be used: {refused[name]}")
    near = difflib.get_close_matches(name, list(offered), n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    raise UnknownNameError(
        f"'{prefix}:{name}' is unknown; {hint}known: {', '.join(sorted(offered))}"
    )
