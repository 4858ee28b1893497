"""States made by formulas, so that they are the same on every machine and numpy version."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from lal.arrays import Floats, Ints
from lal.data.view import make_geometry
from lal.state import QueryState


class FakeModel:
    """A model whose members and variance are functions of the rows."""

    def __init__(self, n_classes: int) -> None:
        self.n_classes = n_classes

    def predict_proba(self, X: Floats) -> Floats:
        proba: Floats = self.committee_proba(X).mean(axis=0)
        return proba

    def predict(self, X: Floats) -> Ints:
        codes: Ints = np.argmax(self.predict_proba(X), axis=1)
        return codes

    def committee_proba(self, X: Floats) -> Floats:
        steps = np.arange(1, self.n_classes + 1)
        members = [np.exp(np.sin(m + 3.0 * X[:, :1] * steps + X[:, 1:2])) for m in range(3)]
        return np.stack([m / m.sum(axis=1, keepdims=True) for m in members])

    def pixel_proba(self, X: Floats) -> Floats:
        steps = np.arange(1, self.n_classes + 1)
        pixels = [np.exp(2.0 * np.sin(m + X[:, :1] * steps - X[:, 1:2])) for m in range(4)]
        return np.stack([m / m.sum(axis=1, keepdims=True) for m in pixels], axis=1)

    def variance(self, X: Floats) -> Floats:
        return 0.2 + np.cos(X[:, 0]) ** 2


@dataclass(frozen=True, eq=False)
class Case:
    """What a state is made from, so that tests can change one thing and rebuild it."""

    X: Floats
    labelled: Ints
    labels: Ints
    n_classes: int
    ready: bool = True
    budget: int | None = None
    classes_known: bool = False

    def state(self, **changes: Any) -> QueryState:
        model = FakeModel(self.n_classes) if self.ready else None
        values: dict[str, Any] = {
            "X": self.X,
            "geometry": make_geometry(self.X),
            "labelled": self.labelled,
            "labels": self.labels,
            "n_classes": self.n_classes,
            "classes_known": self.classes_known,
            "proba": None if model is None else model.predict_proba(self.X),
            "model": model,
            "budget": self.budget,
        }
        return QueryState(**(values | changes))


def formula_rows(n: int, d: int) -> Floats:
    i, j = np.arange(1, n + 1)[:, None], np.arange(1, d + 1)[None, :]
    rows: Floats = np.sin(i * (0.7 + 0.31 * j)) + 0.5 * np.cos(0.37 * i * j) + 0.1 * j
    return rows


def make_case(n: int, d: int, n_classes: int, n_labelled: int, **fields: Any) -> Case:
    labelled = np.unique((np.arange(n_labelled) * 7) % n).astype(np.int64)
    labels = (np.arange(len(labelled)) * np.arange(1, len(labelled) + 1)) % max(n_classes, 1)
    if len(labelled) >= n_classes:
        labels[:n_classes] = np.arange(n_classes)
    return Case(formula_rows(n, d), labelled, labels.astype(np.int64), n_classes, **fields)


def all_cases() -> dict[str, Case]:
    flat = make_case(40, 3, 2, 6)
    return {
        "binary": make_case(60, 4, 2, 9),
        "five classes": make_case(80, 6, 5, 23, budget=40),
        "thirty classes": make_case(120, 3, 30, 70),
        "unseen classes": replace(make_case(60, 4, 2, 9), n_classes=4, classes_known=True),
        "no labels": make_case(50, 4, 0, 0, ready=False),
        "labels none, probabilities given": replace(make_case(50, 4, 3, 0)),
        "one class": make_case(50, 4, 1, 3, ready=False),
        "more labels than columns": make_case(60, 2, 3, 40),
        "constant rows": replace(flat, X=np.ones((40, 3))),
        "one row": make_case(1, 2, 2, 0, ready=False),
        "beyond the reference set": make_case(1300, 3, 3, 20),
    }


CASES = all_cases()


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def cases() -> dict[str, Case]:
    return CASES
