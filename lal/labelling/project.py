"""Campaign: label a CSV file, row by row, without ever losing an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType

import numpy as np

from lal.errors import DataError, UsageError
from lal.labelling.journal import Event
from lal.labelling.label_store import Ledger, Progress
from lal.labelling.progress import Accuracy, cross_validated, labels_missing
from lal.labelling.query import Asking
from lal.labelling.stopping import StabilisingPredictions, Stability
from lal.labelling.table import Learned, Table, learned_columns, read_table, write_text
from lal.state import QueryState, Strategy

CAVEAT = (
    "the policy chose these rows, often the hardest, so on the whole table it may well be higher"
)
"""What goes with every accuracy on rows that were not drawn at random."""


@dataclass(frozen=True)
class Suggestion:
    """A row to label.

    Attributes:
        row: Its position, from 0.
        name: Its id, or its number from 1.
        cells: All its cells but the target, by column.
        guess: Probability of every class, likeliest first; empty before there is a model.
        why: What spoke for it, in plain words; empty where the policy does not say.
    """

    row: int
    name: str
    cells: Mapping[str, str]
    guess: Mapping[str, float]
    why: tuple[str, ...]


class Campaign:
    """A table being labelled. The table itself is never written to; answers go to a journal.

    Use it in a ``with`` block, or `close` it; meanwhile no other process can open the journal.

    Args:
        path: CSV file (UTF-8) with a header; the target column may be partly filled, or absent.
        target: Column of labels.
        classes: All classes; those in the target column when None.
        id_column: Column of unique ids; rows are known by their number without one.
        policy: A policy, a strategy, the name of one, or the path of a policy file.
        learner: As `lal.make_learner` takes it.
        journal: Where answers are kept; ``NAME.journal.jsonl`` beside the table when None.
        ignore: Columns that are shown but not learned from.
        seed: Seeds the learner and breaks ties.

    Raises:
        DataError: A table or a journal that cannot be used.
        UsageError: Too few classes, or a journal of another table.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        target: str,
        classes: Sequence[str] | None = None,
        id_column: str | None = None,
        policy: Strategy | str | Path = "margin",
        learner: object = "logistic_regression",
        journal: str | Path | None = None,
        ignore: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        self.table: Table = read_table(path)
        self.learned: Learned = learned_columns(
            self.table, _left_out(self.table, target, id_column, ignore)
        )
        where = self.table.path.with_suffix(".journal.jsonl") if journal is None else Path(journal)
        self.ledger = Ledger(
            self.table, target=target, classes=classes, id_column=id_column, journal=where
        )
        try:
            self.asking = Asking(
                self.learned.X,
                policy=policy,
                learner=learner,
                n_classes=len(self.classes),
                seed=seed,
            )
        except BaseException:
            self.close()
            raise
        self._state: tuple[int, QueryState] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.ledger.classes

    def label(self, row: int, label: str) -> None:
        """Write down an answer; on return it is on the disk. See `Ledger.label`."""
        self.ledger.label(row, label)

    def skip(self, row: int) -> None:
        """Put a row aside; it is not asked again. See `Ledger.skip`."""
        self.ledger.skip(row)

    def undo(self) -> Event:
        """Take back the last answer or skip that stands, and return it. See `Ledger.undo`."""
        return self.ledger.undo()

    def take_answers(self, path: str | Path) -> int:
        """Write down the answers of a CSV file, return how many. See `Ledger.take_answers`."""
        return self.ledger.take_answers(path)

    def progress(self) -> Progress:
        """Return how far the campaign is."""
        return self.ledger.progress()

    def state(self) -> QueryState:
        """Return what the policy may look at now; made once between changes."""
        if self._state is None or self._state[0] != self.ledger.version:
            self._state = (self.ledger.version, self.asking.state(self.ledger.labels))
        return self._state[1]

    def suggest(self, n: int = 1) -> tuple[Suggestion, ...]:
        """Return the next n rows to label, best first; fewer where fewer are left.

        Rows with a label and skipped rows are never among them.
        """
        if n < 1:
            raise UsageError(f"expected at least 1 row to suggest, got {n}")
        n = min(n, self.progress().n_left)
        if n == 0:
            return ()
        state = self.state()
        rows = self.asking.choose(state, self.ledger.skipped.keys(), n).tolist()
        return tuple(self._suggestion(state, row) for row in rows)

    def _suggestion(self, state: QueryState, row: int) -> Suggestion:
        cells = dict(zip(self.table.header, self.table.rows[row], strict=True))
        cells.pop(self.ledger.target, None)
        guess: dict[str, float] = {}
        if state.proba is not None:
            best = np.argsort(-state.proba[row], kind="stable").tolist()
            guess = {self.classes[c]: float(state.proba[row, c]) for c in best}
        why = self.asking.reasons(state, row)
        return Suggestion(row, self.ledger.name(row), cells, guess, why)

    def accuracy(self) -> Accuracy | None:
        """Return the cross-validated accuracy on the labelled rows; None with too few labels.

        The policy chose most of these rows, often because they are hard, so the share is that of
        the rows asked, not of the whole table.
        """
        return cross_validated(
            self.asking.learner,
            self.asking.X[self.ledger.rows],
            self.ledger.codes,
            n_classes=len(self.classes),
            seed=self.asking.seed,
        )

    def accuracy_line(self) -> str:
        """Return the accuracy as a sentence, or why there is none."""
        missing = labels_missing(self.ledger.codes)
        return missing if missing else f"{self.accuracy()}; {CAVEAT}"

    @cached_property
    def _rule(self) -> StabilisingPredictions:
        asking = self.asking
        return StabilisingPredictions(
            asking.learner, asking.X, n_classes=asking.n_classes, seed=asking.seed
        )

    def stability(self) -> Stability:
        """Return what the stopping rule says; see `StabilisingPredictions`."""
        return self._rule.judge(list(self.ledger.labels.items()))

    def write(self, path: str | Path) -> None:
        """Write the table with the labels filled in, atomically; skipped rows stay empty.

        Raises:
            UsageError: The path is the table's own.
            DataError: The file cannot be written.
        """
        path = Path(path)
        if path.resolve() == self.table.path.resolve():
            raise UsageError(f"{str(path)!r} is the table itself, which is never changed")
        try:
            write_text(path, self.table.filled(self.ledger.target, self.ledger.cells()))
        except OSError as error:
            raise DataError(
                f"cannot write {str(path)!r} ({error.strerror}); the answers are safe in "
                f"{str(self.ledger.journal.path)!r}"
            ) from error

    def close(self) -> None:
        """Close the journal."""
        self.ledger.journal.close()

    def __enter__(self) -> "Campaign":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the journal."""
        self.close()


def _left_out(
    table: Table, target: str, id_column: str | None, ignore: Sequence[str]
) -> dict[str, str]:
    """Return the columns that are no features, with the reason."""
    for name in (*ignore, *filter(None, [id_column])):
        table.place(name)
    reasons = dict.fromkeys(ignore, "left out on request")
    if id_column is not None:
        reasons[id_column] = "it is the id"
    return reasons | {target: "it is the target"}
