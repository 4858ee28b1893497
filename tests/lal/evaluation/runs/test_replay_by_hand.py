"""Finding the run of a result again, and the flat view of an episode, by hand."""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lal.data.view import make_geometry
from lal.errors import DataError, UsageError
from lal.evaluation.runs import replay
from lal.evaluation.runs.methods import FULL_LABEL
from lal.evaluation.runs.protocol import Protocol, Repetition
from lal.evaluation.runs.run import FULL
from lal.rng import generator
from lal.task import Part


@dataclass(frozen=True)
class Named:
    """A run whose key says what executes it."""

    method: Any
    engine: str = ""

    @property
    def key(self) -> str:
        return f"{self.engine} of 0123456789"


class Store(SimpleNamespace):
    """Results by key, and a manifest."""

    def manifest(self) -> dict[str, Any]:
        return {"protocol": json.loads(Protocol(seed=3).to_json()), "name": "manifest"}

    def keys(self) -> list[str]:
        return ["ab1", "ab2", "b"]

    def get(self, key: str) -> str:
        return f"result {key}"


def result(key: str, label: str) -> Any:
    return SimpleNamespace(key=key, about={"strategy": label})


def test_a_run_is_found_by_what_executed_it(monkeypatch: Any) -> None:
    given: list[Any] = []

    def make(manifest: Any, about: Any, method: Any) -> Named:
        given.append((manifest["name"], about["strategy"]))
        return Named(method)

    margin = SimpleNamespace(label="margin")
    monkeypatch.setattr(replay, "_make_run", make)
    monkeypatch.setattr(replay, "read_methods", lambda manifest: [margin])
    store: Any = Store()
    fast: Any = SimpleNamespace(name="fast@1")
    found: Any = replay.restore(store, result("reference of 0123456789", "margin"))
    assert found == Named(margin, "reference")
    found = replay.restore(store, result("reference of 0123456789", FULL_LABEL), fast)
    assert found == Named(FULL, "reference")
    found = replay.restore(store, result("fast@1 of 0123456789", "margin"), fast)
    assert found == Named(margin, "fast@1")
    assert given == [("manifest", name) for name in ("margin", FULL_LABEL, "margin")]
    with pytest.raises(DataError, match=r"^run fast@1 of 01 was executed by another release, prot"):
        replay.restore(store, result("fast@1 of 0123456789", "margin"))
    with pytest.raises(DataError, match="last evaluation lists no strategy 'entropy'"):
        replay.restore(store, result("x", "entropy"), fast)


def test_a_run_is_made_of_its_names(monkeypatch: Any) -> None:
    loaded: list[str] = []
    data: Any = SimpleNamespace(sha256="ab")

    def load(source: str) -> Any:
        loaded.append(source)
        return data

    monkeypatch.setattr(replay, "load_dataset", load)
    about = {"source": "made:up", "sha256": "ab", "dataset": "waves", "learner": "knn",
             "split": "2", "start": 1.0}  # fmt: skip
    run = replay._make_run(Store().manifest(), about, FULL)
    assert (run.protocol, run.dataset, run.learner) == (Protocol(seed=3), data, "knn")
    assert (run.repetition, run.method, loaded) == (Repetition(2, 1), FULL, ["made:up"])
    with pytest.raises(DataError, match="data set 'waves' is not the one that was evaluated"):
        replay._make_run(Store().manifest(), {**about, "sha256": "ac"}, FULL)


def test_a_key_is_named_by_its_beginning() -> None:
    store: Any = Store()
    found: Any = (replay.find_result(store, "b"), replay.find_result(store, "ab2"))
    assert found == ("result b", "result ab2")
    with pytest.raises(UsageError, match="2 runs have keys that start with 'ab'; expected one"):
        replay.find_result(store, "ab")
    with pytest.raises(UsageError, match="0 runs have keys that start with 'c'; expected one"):
        replay.find_result(store, "c")


@pytest.mark.parametrize(("most", "n_shown"), [(6, 6), (2, 4), (99, 12)])
def test_a_view_shows_what_was_asked_and_others_at_random(
    monkeypatch: Any, most: int, n_shown: int
) -> None:
    """Twelve rows; one strategy asked for 7, 2 and 9, the other for 2 and 4."""
    X = np.random.default_rng(0).normal(size=(12, 2))
    pool = Part(X, np.arange(12) % 3)
    data = SimpleNamespace(class_names=("a", "b", "c"))
    run = SimpleNamespace(task=lambda: SimpleNamespace(pool=pool), split_seed=5, dataset=data)
    about = {"dataset": "waves", "learner": "knn", "split": "1", "start": "2", "metric": "accuracy",
             "n_start": "2"}  # fmt: skip
    results: Any = [
        SimpleNamespace(about={**about, "strategy": name}, queried=np.array(rows), n_labels=[2, 3],
                        metrics={"accuracy": f"curve of {name}"})
        for name, rows in (("one", [7, 2, 9]), ("two", [2, 4]))
    ]  # fmt: skip
    monkeypatch.setattr(replay, "MOST_ROWS", most)
    monkeypatch.setattr(
        replay, "_make_run",
        lambda manifest, about, method: run if (about["strategy"], method) == ("one", FULL) else 0,
    )  # fmt: skip
    store: Any = Store()
    view = replay.view_episode(store, results)
    asked = np.array([2, 4, 7, 9])
    others = np.array([0, 1, 3, 5, 6, 8, 10, 11])
    drawn = generator(5, "report view").choice(others, n_shown - 4, replace=False)
    shown = np.sort([*asked, *drawn])
    flat, axes = replay.flat_view(make_geometry(X).Z)
    assert view.points.tolist() == flat[shown].tolist()
    assert view.classes.tolist() == (shown % 3).tolist()
    for track, one in zip(view.tracks, results, strict=True):
        assert track.strategy == one.about["strategy"]
        assert shown[track.queried].tolist() == one.queried.tolist()
        told: Any = (track.n_labels, track.values)
        assert told == ([2, 3], f"curve of {track.strategy}")
    assert (view.dataset, view.learner, view.split, view.start) == ("waves", "knn", 1, 2)
    assert (view.class_names, view.axes) == (("a", "b", "c"), axes)
    assert (view.n_pool, view.n_start) == (12, 2)


def test_few_columns_are_shown_as_they_are() -> None:
    one, text = replay.flat_view(np.array([[1.0], [3.0], [2.0]]))
    assert (one.tolist(), text) == ([[0, 0], [1000, 0], [500, 0]], "the one column")
    two, text = replay.flat_view(np.array([[1.0, 8.0], [3.0, 8.0], [1.5, 8.0]]))
    assert (two.tolist(), text) == ([[0, 0], [1000, 0], [250, 0]], "the two columns")
    assert two.dtype == np.int64


def test_many_columns_are_shown_by_two_principal_components() -> None:
    Z = np.random.default_rng(1).normal(size=(30, 4)) * [1.0, 5.0, 2.0, 0.5] + 3.0
    found, text = replay.flat_view(Z)
    sizes, axes = np.linalg.eigh(np.cov(Z.T))
    flat = np.empty((30, 2))
    for i, axis in enumerate((axes[:, -1], axes[:, -2])):
        flat[:, i] = Z @ (axis * np.sign(axis[np.abs(axis).argmax()]))
    wanted = 1000 * (flat - flat.min(axis=0)) / np.ptp(flat, axis=0)
    assert np.abs(found - wanted).max() <= 0.5 + 1e-6
    share = 100 * sizes[-2:].sum() / sizes.sum()
    assert text == f"two principal components, {share:.0f} % of the variance"
    same, text = replay.flat_view(np.ones((3, 4)))
    assert not same.any()
    assert text == "two principal components, 0 % of the variance"
