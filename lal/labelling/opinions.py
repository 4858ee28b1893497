"""What every annotator said: answers, notes, and the rows they were not sure about."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lal.errors import UsageError
from lal.labelling.journal import Event

NAMELESS = ""
"""Annotator of answers that were given without a name, as all of earlier releases."""

AGAIN = 20
"""Answers after which a row that the annotator was not sure about may be asked for again."""


@dataclass
class Opinions:
    """The answers of a project by annotator, as the standing events of its journal make them.

    Attributes:
        answers: Annotator to row to class code.
        declined: Annotator to labelled rows of which they would not give a second opinion.
        holders: Row to the annotator whose answer is its label.
        settled: Rows whose label somebody settled.
        unsure: Row without a label to annotators and when they said that they were not sure, as a
            number of events.
        notes: Row to the last note on it.
    """

    answers: dict[str, dict[int, int]] = field(default_factory=dict)
    declined: dict[str, set[int]] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    unsure: dict[int, dict[str, int]] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)

    def answer(self, by: str, row: int) -> int | None:
        """Return an annotator's answer to a row, if there is one."""
        return self.answers.get(by, {}).get(row)

    def give(self, by: str, row: int, code: int) -> None:
        """Take an annotator's answer to a row."""
        self.answers.setdefault(by, {})[row] = code
        self.holders.setdefault(row, by)
        self.unsure.pop(row, None)

    def owner(self, by: str, row: int) -> str | None:
        """Return whose answer an annotator changes: their own, or one without a name."""
        return next((name for name in (by, NAMELESS) if self.answer(name, row) is not None), None)

    def said(self, row: int) -> dict[str, int]:
        """Return all answers to a row by annotator."""
        return {by: rows[row] for by, rows in self.answers.items() if row in rows}

    def resting(self, by: str, n_events: int) -> set[int]:
        """Return the rows that an annotator was not sure about lately."""
        return {
            row for row, when in self.unsure.items() if by in when and n_events - when[by] < AGAIN
        }

    def open_to(self, by: str) -> Iterator[int]:
        """Yield the rows that others answered, of which an annotator has said nothing."""
        own, declined = self.answers.get(by, {}), self.declined.get(by, set())
        return (row for row in self.holders if row not in own and row not in declined)

    def disputed(self) -> dict[int, Mapping[str, int]]:
        """Return the rows with different answers, in row order."""
        rows = sorted({row for answers in self.answers.values() for row in answers})
        said = {row: self.said(row) for row in rows}
        return {row: found for row, found in said.items() if len(set(found.values())) > 1}


def annotator_name(name: object) -> str:
    """Return the name of an annotator; the empty one is nobody's.

    Raises:
        UsageError: It is not a text that can be read in a line.
    """
    if not isinstance(name, str) or name != name.strip() or not (name == "" or name.isprintable()):
        raise UsageError(
            f"an annotator is named by a text without spaces around it or line ends, got {name!r}"
        )
    return name


def note_text(note: object) -> str | None:
    """Return a note as one line; None for an empty one.

    Raises:
        UsageError: It is not a text.
    """
    if note is None:
        return None
    if not isinstance(note, str):
        raise UsageError(f"a note is a text, got {type(note).__name__}")
    return " ".join(note.split()) or None


def check_by(event: Event, by: str, name: str) -> None:
    """Refuse to take back what another annotator did.

    Raises:
        UsageError: The event is of another annotator.
    """
    if (event.by or NAMELESS) != by:
        whose = repr(event.by) if event.by else "somebody without a name"
        raise UsageError(
            f"the last answer, to row {name}, was given by {whose} and can be taken back by them "
            "only (--annotator, annotator=)"
        )
