"""Unknown names outside a registry: the nearest known ones, and the errors that name them."""

import difflib
import re
import unicodedata
from collections.abc import Sequence

from lal.errors import UnknownNameError


def similar_names(name: str, known: Sequence[str], *, cutoff: float = 0.5) -> list[str]:
    """Return up to three known names near a name, nearest first; case and spaces do not count.

    Args:
        name: What was asked for.
        known: What there is.
        cutoff: Least similarity by `difflib`, 0 to 1.
    """
    plain: dict[str, str] = {}
    for other in known:
        plain.setdefault(_plain(other), other)
    near = difflib.get_close_matches(_plain(name), plain, n=3, cutoff=cutoff)
    return [plain[other] for other in near]


def nearest_name(name: str, known: Sequence[str]) -> str:
    """Return "did you mean ...? " with the nearest names, or nothing."""
    near = similar_names(name, known)
    return f"did you mean {' or '.join(map(repr, near))}? " if near else ""


def nearest_name_error(kind: str, name: str, known: Sequence[str]) -> UnknownNameError:
    """Return the error for an unknown name, with the nearest known ones."""
    hint = nearest_name(name, known)
    return UnknownNameError(f"unknown {kind} {name!r}; {hint}known: {', '.join(known)}")


def visible_text(name: str) -> str:
    """Return a text without invisible characters, and with one code for each accented letter."""
    visible = (c for c in name if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", "".join(visible))


def look_alikes(classes: Sequence[str]) -> str | None:
    """Return what is wrong with class names that differ, but not to the eye; None if nothing is."""
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(visible_text(name), name)
        if other != name:
            return (
                f"the classes {other!a} and {name!a} look alike and would be two; write them the "
                "same way"
            )
    return None


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.casefold()) or name
