"""Second opinions: rows that two annotators answer, how far they agree, where they differ."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lal.errors import UsageError
from lal.labelling.answers_file import ROW
from lal.labelling.label_store import LabelStore
from lal.labelling.stopping.stabilising import kappa
from lal.labelling.table import ABOUT_ANSWERS
from lal.rng import generator


class SecondOpinions:
    """Chooses rows that others have answered, for the annotator to answer as well.

    They come in an order that was drawn at random, once for the table, the seed and the annotator;
    their agreement then speaks for the rows that were asked of others.

    Args:
        store: Labels of the project.
        every: One question in so many is such a row; 0 for none, 1 for all of them.
        seed: Seed of the order.

    Raises:
        UsageError: `every` is negative, or nobody is named.
    """

    def __init__(self, store: LabelStore, *, every: int, seed: int) -> None:
        if every < 0:
            raise UsageError(f"overlap_every must be at least 0, got {every}")
        if every and not store.annotator:
            raise UsageError(
                "a second opinion is that of a named annotator; say who answers (annotator=, "
                "--annotator)"
            )
        self.store, self.every = store, every
        rng = generator(seed, "second opinions", store.fingerprint, store.annotator)
        self._place = rng.permutation(store.table.n_rows) if every else None

    @property
    def open(self) -> list[int]:
        """Rows to ask for, in order."""
        place = self._place
        if place is None:
            return []
        rows = self.store.opinions.open_to(self.store.annotator)
        return sorted(rows, key=lambda row: int(place[row]))

    def due(self, n: int) -> set[int]:
        """Return which of the next n questions, counted from 0, are such rows."""
        if not self.every:
            return set()
        own = len(self.store.opinions.answers.get(self.store.annotator, ()))
        return {i for i in range(n) if (own + i + 1) % self.every == self.every // 2}


@dataclass(frozen=True)
class Agreement:
    """How far two annotators agree on the rows that both answered.

    Attributes:
        annotators: Their names; the empty one is that of answers without a name.
        n_rows: Rows that both answered.
        share: Share of them with equal answers.
        kappa: Cohen's kappa: agreement beyond chance, 1 when they always agree; 0 where both gave
            one and the same class throughout, where it is undefined.
    """

    annotators: tuple[str, str]
    n_rows: int
    share: float
    kappa: float

    def __str__(self) -> str:
        """Return it as a sentence."""
        first, second = map(shown_name, self.annotators)
        rows = "1 row" if self.n_rows == 1 else f"{self.n_rows} rows"
        return (
            f"{first} and {second} agree on {self.share:.0%} of {rows} "
            f"(Cohen's kappa {self.kappa:.2f})"
        )


@dataclass(frozen=True)
class Disagreement:
    """A row with answers that differ.

    Attributes:
        row: Its position.
        name: Its id, or its number from 1.
        answers: Class by annotator.
        label: The class that stands.
        settled: Whether somebody settled it.
        note: The last note on it.
    """

    row: int
    name: str
    answers: Mapping[str, str]
    label: str
    settled: bool
    note: str

    def __str__(self) -> str:
        """Return it as a line."""
        said = ", ".join(f"{shown_name(by)} says {label}" for by, label in self.answers.items())
        stands = f"{self.label} stands{', settled' if self.settled else ''}"
        return f"row {self.name}: {said}; {stands}{f' ({self.note})' if self.note else ''}"


def shown_name(annotator: str) -> str:
    """Return what an annotator is called in a sentence."""
    return annotator or "(no name)"


def agreements(store: LabelStore) -> list[Agreement]:
    """Return how far every two annotators agree who answered a row both."""
    found = []
    for first, second in combinations(sorted(store.opinions.answers), 2):
        one, other = store.opinions.answers[first], store.opinions.answers[second]
        both = sorted(one.keys() & other.keys())
        if not both:
            continue
        a, b = (np.array([given[row] for row in both], dtype=np.int64) for given in (one, other))
        known = kappa(a, b, len(store.classes))
        found.append(Agreement((first, second), len(both), float(np.mean(a == b)), known))
    return found


def disagreements(store: LabelStore) -> list[Disagreement]:
    """Return the rows with answers that differ, in row order."""
    opinions, classes = store.opinions, store.classes
    return [
        Disagreement(
            row,
            store.name(row),
            {by: classes[code] for by, code in said.items()},
            classes[store.labels[row]],
            row in opinions.settled,
            opinions.notes.get(row, ""),
        )
        for row, said in opinions.disputed().items()
    ]


def disagreements_csv(store: LabelStore) -> str:
    """Return the rows with answers that differ as a CSV: an answer a column, and what stands."""
    people = sorted(store.opinions.answers)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=store.table.csv.delimiter, lineterminator="\n")
    people_shown = [shown_name(by) for by in people]
    key = store.id_column or ROW
    writer.writerow([key, *people_shown, store.target, "settled", ABOUT_ANSWERS[1]])
    for found in disagreements(store):
        said = [found.answers.get(by, "") for by in people]
        settled = "yes" if found.settled else ""
        writer.writerow([found.name, *said, found.label, settled, found.note])
    return out.getvalue()
