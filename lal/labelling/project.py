"""LabellingProject: label a CSV file, row by row, without ever losing an answer."""

import operator
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from lal.errors import DataWarning, UsageError
from lal.labelling.agreement import (
    Agreement,
    Disagreement,
    SecondOpinions,
    agreements,
    disagreements,
)
from lal.labelling.answers_file import take_answers
from lal.labelling.checks import (
    CheckedAccuracy,
    CheckRows,
    checked_accuracy,
    checked_forecast,
)
from lal.labelling.content import Embed, one_column
from lal.labelling.forecast import Forecast
from lal.labelling.journal import Event
from lal.labelling.label_store import LabelStore
from lal.labelling.output import LabelledCopy
from lal.labelling.progress import Accuracy, Progress, cross_validated, labels_missing
from lal.labelling.query import ProjectQuery
from lal.labelling.stopping import Checkpoints, Stability, StoppingRule, make_rule
from lal.labelling.stopping.base import Said
from lal.labelling.table import Learned, Table, learned_columns, left_out, read_table
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
        check: Whether it was drawn at random and its label is kept apart.
        again: Whether another annotator has answered it, and a second opinion is asked for.
    """

    row: int
    name: str
    cells: Mapping[str, str]
    guess: Mapping[str, float]
    why: tuple[str, ...]
    check: bool = False
    again: bool = False


class LabellingProject:
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
        text: Column of texts, the only one learned from when given.
        image: Column of paths of images, the only one learned from when given.
        embedding: Column of lists of numbers, the only one learned from when given.
        images: Folder that relative paths of images start from.
        embed: Function from a list of texts, or of paths of images, to an array with a row for
            each, in place of our simple features.
        check_every: One question in so many is for a row that was drawn at random and is kept
            apart to measure the accuracy; 0 for none.
        annotator: Who answers; the journal keeps it.
        overlap_every: One question in so many is for a row that another annotator has answered;
            0 for none, 1 for all of those rows first.
        seed: Seeds the learner and breaks ties.

    Raises:
        DataError: A table or a journal that cannot be used.
        UsageError: Too few classes, a journal of another table, or arguments of the wrong kind.

    Warns:
        DataWarning: Cells of the target may not mean what they seem to.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        target: str,
        classes: Sequence[object] | None = None,
        id_column: str | None = None,
        policy: Strategy | str | Path = "margin",
        learner: object = "logistic_regression",
        journal: str | Path | None = None,
        ignore: Sequence[str] = (),
        text: str | None = None,
        image: str | None = None,
        embedding: str | None = None,
        images: str | Path | None = None,
        embed: Embed | None = None,
        check_every: int = 0,
        annotator: str = "",
        overlap_every: int = 0,
        seed: int = 0,
    ) -> None:
        self.table: Table = read_table(path)
        self.learned: Learned = learned_columns(
            self.table,
            left_out(self.table, target, id_column, ignore),
            content=one_column(
                text=text, image=image, embedding=embedding, images=images, embed=embed
            ),
        )
        where = self.table.path.with_suffix(".journal.jsonl") if journal is None else journal
        if not isinstance(where, str | Path):
            raise UsageError(f"a journal is given by its path, got {type(where).__name__}")
        self.store = LabelStore(
            self.table,
            target=target,
            classes=classes,
            id_column=id_column,
            journal=Path(where),
            annotator=annotator,
        )
        try:
            self.checks = CheckRows(self.store, every=check_every, seed=seed)
            self.second = SecondOpinions(self.store, every=overlap_every, seed=seed)
            self.query = ProjectQuery(
                self.learned.X,
                policy=policy,
                learner=learner,
                n_classes=len(self.classes),
                seed=seed,
            )
            for note in self.store.notes:
                warnings.warn(note, DataWarning, stacklevel=2)
        except BaseException:
            self.close()
            raise
        self._copy = LabelledCopy(self.store)
        self._rules: dict[str, StoppingRule] = {}
        self._state: tuple[int, QueryState] | None = None
        self._suggested: tuple[tuple[int, int], tuple[Suggestion, ...]] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.store.classes

    def label(self, row: int, label: object, *, note: str | None = None) -> None:
        """Write down an answer; on return it is on the disk. See `LabelStore.label`."""
        self.store.label(row, label, note=note)

    def change(self, row: int, label: object, *, note: str | None = None) -> None:
        """Replace an answer given in this project. See `LabelStore.change`."""
        self.store.change(row, label, note=note)

    def skip(self, row: int, *, note: str | None = None) -> None:
        """Put a row aside; it is not queried again. See `LabelStore.skip`."""
        self.store.skip(row, note=note)

    def unsure(self, row: int, *, note: str | None = None) -> None:
        """Put a row aside for now; it is not queried again soon. See `LabelStore.unsure`."""
        self.store.unsure(row, note=note)

    def settle(self, row: int, label: object, *, note: str | None = None) -> None:
        """Say which label stands where annotators differ. See `LabelStore.settle`."""
        self.store.settle(row, label, note=note)

    def agreements(self) -> list[Agreement]:
        """Return how far every two annotators agree on the rows that both answered."""
        return agreements(self.store)

    def disagreements(self) -> list[Disagreement]:
        """Return the rows that annotators answered differently."""
        return disagreements(self.store)

    def undo(self, row: int | None = None) -> Event:
        """Take back the last answer or skip that stands, and return it. See `LabelStore.undo`."""
        return self.store.undo(row)

    def take_answers(self, path: str | Path) -> int:
        """Write down the answers of a CSV file, return how many. See `answers_file`."""
        taken = take_answers(self.store, path)
        self._copy.keep(Path(path))
        return taken

    def picture(self, row: int) -> Path | None:
        """Return the file of a row's image, if it is a picture in the folder of images."""
        content = self.learned.content
        if content is None or not 0 <= row < self.table.n_rows:
            return None
        return content.picture(self.table.row(row)[content.column])

    def progress(self) -> Progress:
        """Return how far the project is."""
        return self.store.progress()

    def state(self) -> QueryState:
        """Return what the policy may look at now; made once between changes of the labels."""
        version = self.store.labels_version
        if self._state is None or self._state[0] != version:
            self._state = (version, self.query.state(self.store.training))
        return self._state[1]

    def suggest(self, n: int = 1) -> tuple[Suggestion, ...]:
        """Return the next n rows to label, best first; fewer where fewer are left.

        Skipped rows are never among them, nor rows with a label, but where `overlap_every` asks for
        second opinions. Rows that the annotator was not sure about lately come last. Between two
        changes the same call gives the same rows and costs nothing.
        """
        try:
            n = operator.index(n)
        except TypeError:
            raise UsageError(f"expected a whole number of rows to suggest, got {n!r}") from None
        if n < 1:
            raise UsageError(f"expected at least 1 row to suggest, got {n}")
        n = min(n, self.progress().n_left + len(self.second.open))
        if n == 0:
            return ()
        asked = (self.store.version, n)
        if self._suggested is None or self._suggested[0] != asked:
            state = self.state()
            rows = tuple(self._suggestion(state, row) for row in self._next(state, n))
            self._suggested = (asked, rows)
        return self._suggested[1]

    def _next(self, state: QueryState, n: int) -> list[int]:
        """Return the next rows: the policy's, with reserved and answered ones in their places."""
        reserved, again = self.checks.open, self.second.open
        check_places = set(self.checks.due(n))
        again_places = set(sorted(self.second.due(n) - check_places)[: len(again)])
        hidden = self.store.skipped.keys() | self.checks.hidden | self.store.resting
        n_open = len(np.setdiff1d(state.open, list(hidden)))
        n_policy = min(n - len(check_places) - len(again_places), n_open)
        chosen = self.query.choose(state, hidden, n_policy).tolist() if n_policy else []
        rows: list[int] = []
        for place in range(n):
            due = reserved if place in check_places else again if place in again_places else []
            queue = next((rows for rows in (due, chosen, reserved, again) if rows), None)
            if queue is not None:
                rows.append(queue.pop(0))
        return rows + self._resting(state, n - len(rows))

    def _resting(self, state: QueryState, n: int) -> list[int]:
        """Return rows that the annotator was not sure about, for when no other is left."""
        if n == 0:
            return []
        resting = self.store.resting
        reserved = sorted(resting & self.checks.hidden)
        free = resting - self.checks.hidden
        n_policy = min(n, len(free))
        hidden = set(state.open.tolist()) - free
        chosen = self.query.choose(state, hidden, n_policy).tolist() if n_policy else []
        return [*chosen, *reserved][:n]

    def _suggestion(self, state: QueryState, row: int) -> Suggestion:
        cells = self.table.row(row)
        cells.pop(self.store.target, None)
        guess: dict[str, float] = {}
        again = row in self.store.labels
        if state.proba is not None and not again:
            best = np.argsort(-state.proba[row], kind="stable").tolist()
            guess = {self.classes[c]: float(state.proba[row, c]) for c in best}
        check = row in self.store.reserved and not again
        why = () if check or again else self.query.reasons(state, row)
        return Suggestion(row, self.store.name(row), cells, guess, why, check, again)

    def accuracy(self) -> Accuracy | None:
        """Return the cross-validated accuracy on the labelled rows; None with too few labels.

        The policy chose most of these rows, often because they are hard, so the share is that of
        the rows asked, not of the whole table.
        """
        return cross_validated(
            self.query.learner,
            self.query.X[self.store.rows],
            self.store.codes,
            n_classes=len(self.classes),
            seed=self.query.seed,
        )

    def accuracy_line(self) -> str:
        """Return the accuracy as a sentence, or why there is none."""
        checked = self.checked_accuracy()
        if checked is not None:
            return str(checked)
        missing = labels_missing(self.store.codes)
        return missing if missing else f"{self.accuracy()}; {CAVEAT}"

    def checked_accuracy(self) -> CheckedAccuracy | None:
        """Return the accuracy on the random rows kept apart; None with fewer than five."""
        return checked_accuracy(self.store, self._checkpoints)

    def forecast(self) -> Forecast | None:
        """Return what the learning curve on the rows kept apart says about more labels.

        Returns:
            None before there are 50 labels to learn from and five rows kept apart.
        """
        return checked_forecast(self.store, self._checkpoints)

    @cached_property
    def _checkpoints(self) -> Checkpoints:
        query = self.query
        return Checkpoints(query.learner, query.X, n_classes=query.n_classes, seed=query.seed)

    def stability(self) -> Stability:
        """Return what the stopping rule says; see `StabilisingPredictions`."""
        said: Any = self.stopping("stabilising_predictions")
        stability: Stability = said
        return stability

    def stopping(self, rule: str) -> Said:
        """Return what a stopping rule says about the labels so far.

        Args:
            rule: A name in `lal.labelling.stopping.STOPPING_RULES`, or ``NAME:THRESHOLD``.

        Raises:
            UnknownNameError: No such rule.
            UsageError: A threshold that the rule cannot use.
        """
        return self.stopping_rule(rule).judge(list(self.store.training.items()))

    def stopping_rule(self, rule: str) -> StoppingRule:
        """Return a stopping rule for this project, the same one for the same name."""
        if rule not in self._rules:
            self._rules[rule] = make_rule(rule, self._checkpoints)
        return self._rules[rule]

    def write(self, path: str | Path) -> None:
        """Write the table with the labels filled in, atomically; skipped rows stay empty.

        Raises:
            UsageError: The path is an input's, or holds something else than an earlier copy.
            DataError: The file cannot be written.
        """
        self._copy.write(Path(path))

    def check_output(self, path: str | Path) -> None:
        """Refuse what `write` would refuse, before anything is done."""
        self._copy.check(Path(path))

    def close(self) -> None:
        """Close the journal."""
        self.store.journal.close()

    def __enter__(self) -> "LabellingProject":
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
