"""What a labelling tool has shown and been told, on disk, and the order of its tasks."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lal.data.items import Item, Placed, item_columns
from lal.errors import DataError
from lal.labelling.journal import lock, open_to_append, sync_folder
from lal.labelling.pools import near_duplicate_share
from lal.labelling.query import ProjectQuery
from lal.labelling.ranking import rank_rows
from lal.serialization import parse_json
from lal.state import Strategy

EVERY = 10
"""Answers after which the model is fitted again, where nothing else is said."""


@dataclass(frozen=True)
class Settings:
    """How the tasks of a tool are ranked.

    Attributes:
        policy: A policy, a strategy, the name of one, or the path of a policy file.
        learner: As `lal.make_learner` takes it.
        every: New answers after which the model is fitted again.
        images: Folder that relative paths of images start from.
        seed: Seeds the learner and breaks ties.
    """

    policy: Strategy | str | Path = "margin"
    learner: object = "logistic_regression"
    every: int = EVERY
    images: Path = Path()
    seed: int = 0


class ToolProject:
    """Tasks and answers of one project of a labelling tool, kept in a file that only grows.

    A line is on the disk before a method returns, and a torn last line is cut off when the file is
    opened again: a killed process loses nothing that it acknowledged. All else follows from the
    lines, so a project that was killed goes on as one that was not.

    Args:
        path: The file of JSON lines, made when absent.
        classes: All classes.
        settings: How the tasks are ranked.

    Attributes:
        items: The tasks by id, in the order in which they were first seen.
        labels: The answers that stand, by the id of the task.
        fitted: The answers that the model was fitted to.
        set_aside: The tasks that were skipped when it was fitted.
        version: Answers, changes and withdrawals up to the last fit; 0 before the first.

    Raises:
        DataError: A line in the middle is damaged.
        UsageError: Another process has the file open.
    """

    def __init__(self, path: Path, classes: Sequence[str], settings: Settings) -> None:
        self.path, self.classes, self.settings = path, tuple(classes), settings
        self.items: dict[str, Item] = {}
        self.labels: dict[str, str] = {}
        self.fitted: dict[str, str] = {}
        self.set_aside: frozenset[str] = frozenset()
        self.version = 0
        self._n_answers = 0
        self._skipped: set[str] = set()
        self._by: dict[str, tuple[str, str]] = {}
        self._placed: tuple[tuple[int, int], dict[str, Placed]] | None = None
        self._query: tuple[int, ProjectQuery] | None = None
        fresh = not path.exists()
        self._file = open_to_append(path)
        try:
            lock(self._file, path)
            self._replay()
        except BaseException:
            self._file.close()
            raise
        if fresh:
            sync_folder(path.parent)

    def close(self) -> None:
        """Close the file, which lets others open it."""
        self._file.close()

    def add(self, items: Iterable[Item]) -> int:
        """Remember tasks that are new, and return how many were."""
        new = {item.id: item for item in items if item.id not in self.items}
        self._append([{"do": "task", **_content(item)} for item in new.values()])
        return len(new)

    def answer(self, task: str, label: str | None, by: str) -> None:
        """Write down an answer to a task; None says that it was skipped.

        Args:
            task: Id of a task that was added.
            label: Its class.
            by: What gave it, for `withdraw`: the id of the annotation.

        Raises:
            DataError: No such task, or no such class.
        """
        if task not in self.items:
            raise DataError(f"there is no task {task!r} yet; add it before its answer")
        if label is not None and label not in self.classes:
            known = ", ".join(map(repr, self.classes))
            raise DataError(f"{label!r} is not a class; expected one of {known}")
        if self._by.get(by) != (task, label or "") or self.labels.get(task) != label:
            self._append([{"do": "answer", "id": task, "label": label, "by": by}])

    def withdraw(self, by: str) -> None:
        """Take back what an annotation said; one that is not known is passed over."""
        if by in self._by:
            self._append([{"do": "withdraw", "by": by}])

    def fit(self) -> None:
        """Have the model fitted to all answers now."""
        if self.version < self._n_answers:
            self._append([{"do": "fit"}])

    def places(self) -> Mapping[str, Placed]:
        """Return the places of all tasks; those fitted to or skipped come last.

        The order stays as it is until the next fit, or until tasks are added.
        """
        key = (self.version, len(self.items))
        if self._placed is None or self._placed[0] != key:
            self._placed = (key, self._rank())
        return self._placed[1]

    def _rank(self) -> dict[str, Placed]:
        names = list(self.items)
        place = {name: row for row, name in enumerate(names)}
        known = {name: code for code, name in enumerate(self.classes)}  # the tool may drop one
        codes = {place[i]: known[label] for i, label in self.fitted.items() if label in known}
        query = self._make_query()
        if len(codes) == len(names):
            return {name: Placed(name, 1, 1.0, self.fitted[name], 1.0) for name in names}
        near = near_duplicate_share(list(self.items.values()))
        batch = min(self.settings.every, len(names) - len(codes))
        ranking = rank_rows(query, codes, batch_size=batch, near=near)
        n = len(ranking.rows)
        rank = {row: r for r, row in enumerate(ranking.rows.tolist(), start=1)}
        found = {}
        for row, name in enumerate(names):
            guess = ranking.predicted(row)
            label, proba = (None, None) if guess is None else (self.classes[guess[0]], guess[1])
            r = n + 1 if name in self.set_aside else rank.get(row, n + 1)
            found[name] = Placed(name, r, (r - 1) / n, label, proba)
        return found

    def _make_query(self) -> ProjectQuery:
        if self._query is None or self._query[0] != len(self.items):
            X = item_columns(list(self.items.values()), self.settings.images)
            query = ProjectQuery(
                X,
                policy=self.settings.policy,
                learner=self.settings.learner,
                n_classes=len(self.classes),
                seed=self.settings.seed,
            )
            self._query = (len(self.items), query)
        return self._query[1]

    def _append(self, events: Sequence[Mapping[str, Any]]) -> None:
        if not events:
            return
        lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events).encode()
        before = os.fstat(self._file.fileno()).st_size
        try:
            left = memoryview(lines)
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(before)
            raise DataError(
                f"cannot write {str(self.path)!r} ({error.strerror}); nothing was taken"
            ) from error
        for event in events:
            self._apply(event)

    def _replay(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        end = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:end].splitlines(), start=1):
            try:
                self._apply(parse_json(line))
            except (ValueError, TypeError, KeyError) as error:
                raise DataError(
                    f"line {number} of {str(self.path)!r} is damaged; restore the file from a copy"
                ) from error
        if end < len(content):  # a killed write left it; it was never acknowledged
            self._file.truncate(end)

    def _apply(self, event: Mapping[str, Any]) -> None:
        do = event["do"]
        if do == "task":
            item = Item(**{key: value for key, value in event.items() if key != "do"})
            self.items[item.id] = item
        elif do == "answer":
            self._set(event["id"], event["label"])
            if event["label"] is None:
                self._skipped.add(event["id"])
            self._by[event["by"]] = (event["id"], event["label"] or "")
        elif do == "withdraw":
            task, label = self._by.pop(event["by"])
            if self.labels.get(task) == label:
                self._set(task, None)
        if do == "fit" or self._n_answers - self.version >= self.settings.every:
            self.fitted, self.version = dict(self.labels), self._n_answers
            self.set_aside = frozenset(self._skipped)

    def _set(self, task: str, label: str | None) -> None:
        self.labels.pop(task, None)
        self._skipped.discard(task)
        if label is not None:
            self.labels[task] = label
        self._n_answers += 1


def _content(item: Item) -> dict[str, Any]:
    """Return what is kept of a task: its id and what is learned from."""
    kept = {"id": item.id, "text": item.text, "image": item.image, "fields": dict(item.fields)}
    return {key: value for key, value in kept.items() if value is not None and value != {}}
