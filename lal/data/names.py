"""Errors for unknown names outside a registry."""

import difflib
from collections.abc import Sequence

from lal.errors import UnknownNameError


def nearest_name_error(kind: str, name: str, known: Sequence[str]) -> UnknownNameError:
    """Return the error for an unknown name, with the nearest known ones."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    return UnknownNameError(f"unknown {kind} {name!r}; {hint}known: {', '.join(known)}")
