"""An interactive labelling session, shared by the prompt and the web page."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from lal.errors import LalError, UsageError
from lal.labelling import LabellingProject
from lal.labelling.answers_file import ROW
from lal.labelling.checks import forecast_lines
from lal.labelling.progress import labels_missing
from lal.labelling.project import Suggestion

EVERY = 10
"""Answers after which accuracy and stopping rule are looked at again and the output is written."""


WITH_CLASS = ("label", "change", "settle")
"""What is done with a class."""

WORDS = {"unsure": "not sure"}
"""What is done, where people call it otherwise."""


class LabellingSession:
    """Labels a project and keeps its output file up to date.

    Args:
        project: What is labelled.
        out: The CSV file with the labels filled in.
        stop: Name of the stopping rule that is looked at, as `LabellingProject.stopping` takes it;
            none when empty.
        reach: Accuracies whose labels are forecast, where rows are kept apart.
    """

    def __init__(
        self,
        project: LabellingProject,
        *,
        out: Path,
        stop: str = "",
        reach: Sequence[float] = (),
    ) -> None:
        if wrong := [a for a in reach if not 0.0 < a <= 1.0]:
            raise UsageError(f"an accuracy is a share above 0 and at most 1, got {wrong[0]!r}")
        if stop:
            project.stopping_rule(stop)  # a wrong name is refused before anything is asked
        self.project, self.out, self.stop, self.reach = project, out, stop, reach
        self._news: tuple[str, ...] = ()
        self._looked_at: tuple[int, bool] | None = None

    def about(self) -> list[str]:
        """Return what is labelled and what is learned from, in lines."""
        learned, table = self.project.learned, self.project.table
        lines = [f"{table.path.name}: learning from {', '.join(learned.used)}"]
        target = self.project.store.target
        unused = [
            f"{name or 'one'} ({why})" for name, why in learned.unused.items() if name != target
        ]
        return lines + ([f"not learned from: {', '.join(unused)}"] if unused else [])

    def next(self) -> Suggestion | None:
        """Return the row to query, or None when none is left."""
        rows = self.project.suggest(1)
        return rows[0] if rows else None

    def act(
        self, do: str, row: int | None = None, label: str | None = None, *, note: str | None = None
    ) -> str:
        """Do what a person asked for and return what was done.

        Args:
            do: ``"label"``, ``"skip"``, ``"unsure"``, ``"change"``, ``"settle"`` or ``"undo"``.
            row: Row that it is done to; for undo, the row of the last answer as it was shown, or
                None to take back whatever was last.
            label: Its class.
            note: What the person wrote about the row.

        Raises:
            LalError: It cannot be done; nothing has changed then.
        """
        project = self.project
        if do == "undo":
            event = project.undo(row)
            what = event.do if event.label is None else f"{event.do} {event.label}"
            return f"took back the {WORDS.get(what, what)} of row {event.name}"
        if row is None or (do in WITH_CLASS and label is None):
            raise UsageError(f"{do} needs a row, and {', '.join(WITH_CLASS)} a class")
        if do in WITH_CLASS:
            give = {"label": project.label, "change": project.change, "settle": project.settle}[do]
            give(row, label, note=note)
            return f"row {project.store.name(row)} is {label}{'' if do == 'label' else ' now'}"
        if do == "unsure":
            project.unsure(row, note=note)
            return f"not sure about row {project.store.name(row)}; it is asked again later"
        project.skip(row, note=note)
        return f"skipped row {project.store.name(row)}"

    def look(self) -> bool:
        """Renew accuracy, stopping rule and output file once every ten labels; say whether."""
        codes = self.project.store.codes
        now = (len(codes) // EVERY, labels_missing(codes) is None)
        if now == self._looked_at:
            return False
        self._looked_at = now
        self._news = (self.project.accuracy_line(), *self._forecast())
        if self.stop:
            self._news += (f"stopping rule: {self.project.stopping(self.stop)}",)
        try:
            self.save()
        except LalError as error:  # the answers are in the journal; labelling goes on
            self._news += (str(error),)
        return True

    def _forecast(self) -> list[str]:
        said = self.project.forecast()
        return [] if said is None else forecast_lines(said, self.reach)

    @property
    def news(self) -> tuple[str, ...]:
        """Accuracy, stopping rule, and what went wrong with the output, as last looked at."""
        missing = labels_missing(self.project.store.codes)
        return self._news if missing is None else (missing, *self._news[1:])

    def second_opinions(self) -> list[str]:
        """Return how far annotators agree, and how many rows are to be settled."""
        lines = [str(found) for found in self.project.agreements()]
        n_open = sum(not found.settled for found in self.project.disagreements())
        return lines + ([f"{n_open} disagreements to settle"] if n_open else [])

    def save(self) -> None:
        """Write the output file."""
        self.project.write(self.out)

    def closing(self) -> list[str]:
        """Return what a session ends with: progress, accuracy, skipped rows, output file."""
        progress = self.project.progress()
        lines = [str(progress), self.project.accuracy_line()]
        if progress.skipped:
            lines.append(f"skipped rows: {', '.join(progress.skipped)}")
        if progress.unsure:
            lines.append(f"not sure about rows: {', '.join(progress.unsure)}")
        lines += self.second_opinions()
        return [*lines, f"labels are in {self.out}"]


def reason(suggestion: Suggestion) -> str:
    """Return why a row is queried, in one line."""
    if suggestion.again:
        return "answered by another annotator; your answer shows how far you agree"
    if suggestion.check:
        return "drawn at random and kept apart, to measure the accuracy"
    if not suggestion.guess:
        return "no model yet: two classes must be labelled first, until then the choice is random"
    shown = list(suggestion.guess.items())[:3]
    likely = "the model says " + ", ".join(f"{name} {share:.0%}" for name, share in shown)
    if not suggestion.why:
        return likely
    return f"{likely}; what spoke for it: {'; '.join(suggestion.why)}"


def suggestions_csv(project: LabellingProject, rows: Sequence[Suggestion]) -> str:
    """Return rows as a CSV with an empty target column, ready to be filled in as answers."""
    store = project.store
    columns = [name for name in project.table.header if name != store.target]
    numbered = [] if store.id_column else [ROW]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=project.table.csv.delimiter, lineterminator="\n")
    writer.writerow([*numbered, *columns, store.target, "_why"])
    for row in rows:
        number = [row.name] if numbered else []
        writer.writerow([*number, *(row.cells[name] for name in columns), "", reason(row)])
    return out.getvalue()
