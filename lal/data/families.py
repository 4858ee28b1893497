"""Families: which data sets are relatives and must stay on one side of a split."""

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Protocol

from lal.errors import DataError

CONTENT_DIGITS = 16
"""Digits of a data set's SHA-256 that the table of families keeps."""


class HasFamily(Protocol):
    """A data set, a suite entry or a task."""

    @property
    def name(self) -> str:
        """Name for messages."""
        ...

    @property
    def family(self) -> str:
        """Relatives share it."""
        ...


@cache
def _table() -> dict[str, dict[str, str]]:
    """Return three look-ups to families: by COLLECTION:NAME, by bare name, by content."""
    raw = json.loads(files("lal.data").joinpath("families.json").read_text(encoding="utf-8"))
    table: dict[str, dict[str, str]] = {"members": {}, "aliases": {}, "content": {}}
    for family, keys in raw["families"].items():
        for kind, found in table.items():
            found.update(dict.fromkeys(keys[kind], family))
    return table


@cache
def ambiguous_names() -> dict[str, tuple[str, ...]]:
    """Return bare names that stand for unrelated data sets in different collections."""
    raw = json.loads(files("lal.data").joinpath("families.json").read_text(encoding="utf-8"))
    return {name: tuple(families) for name, families in raw["ambiguous"].items()}


def get_family(what: str | HasFamily) -> str:
    """Return the family of a data set.

    Args:
        what: A data set, or a name: ``"dev:heart"``, ``"sklearn:iris"``, ``"synthetic:xor@3"``, or
            a bare name (which is its own family when nobody knows it).

    Raises:
        DataError: A bare name that unrelated data sets carry.
    """
    if not isinstance(what, str):
        return what.family
    known = _known_family(what)
    if known is not None:
        return known
    if what in ambiguous_names():
        raise DataError(
            f"{what!r} names unrelated data sets ({'; '.join(ambiguous_names()[what])}); "
            f"say which collection, for example 'sklearn:{what}' or 'dev:{what}'"
        )
    return what.partition("@")[0]


def family_for(name: str, source: str, sha256: str) -> str:
    """Return the family of new data: by content, else by source, else by name, else its own.

    A file whose bare name is ambiguous is its own family unless its content is known.
    """
    by_content = _table()["content"].get(sha256[:CONTENT_DIGITS])
    if by_content is not None:
        return by_content
    return _known_family(source) or _known_family(name) or name


def _known_family(name: str) -> str | None:
    table = _table()
    member = table["members"].get(name.partition("@")[0])
    if member is not None or ":" in name:
        return member
    if name in _family_names():
        return name
    return table["aliases"].get(name.lower().replace("-", "_").replace(" ", "_"))


@cache
def _family_names() -> frozenset[str]:
    return frozenset(_table()["aliases"].values()) | frozenset(_table()["members"].values())


def assert_disjoint(train: Iterable[str | HasFamily], held_out: Iterable[str | HasFamily]) -> None:
    """Refuse a split with relatives on both sides.

    Args:
        train: Data sets (or names) that something is learned from.
        held_out: Data sets (or names) that it is judged on.

    Raises:
        DataError: Some family is on both sides; the message names them all.
    """
    ours, theirs = _by_family(train), _by_family(held_out)
    shared = sorted(set(ours) & set(theirs))
    if shared:
        detail = "; ".join(
            f"{family}: {', '.join(ours[family])} against {', '.join(theirs[family])}"
            for family in shared
        )
        raise DataError(
            f"{len(shared)} famil{'y is' if len(shared) == 1 else 'ies are'} both in training and "
            f"held out ({detail}); keep relatives on one side"
        )


def _by_family(items: Iterable[str | HasFamily]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in items:
        name = item if isinstance(item, str) else item.name
        found.setdefault(get_family(item), []).append(name)
    return found
