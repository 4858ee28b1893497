"""Run one pool in one host library, in that library's own environment; prints JSON.

Run by `host_parity` beside this file; needs the core packages and the host, nothing else.
"""

import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import Any

import numpy as np

from lal.checks import check_strategy
from lal.errors import LalError, UnknownNameError
from lal.features import DEFAULT_CANDIDATE_FEATURES, DEFAULT_CONTEXT_FEATURES, FEATURES
from lal.integrations.numpy_loop import label_loop
from lal.policies.pool_policy import PoolPolicy
from lal.registry import require
from lal.strategies.base import STRATEGIES

N_QUERIES = 15
N_ROWS = 200
N_COLUMNS = 6
SIZES = (2, 5)
"""Classes of the pools that are run."""


def random_network() -> PoolPolicy:
    """Return a policy that reads every default feature: whatever a host changes, it notices."""
    rng = np.random.default_rng(0)
    width = sum(FEATURES[i].dim for i in DEFAULT_CANDIDATE_FEATURES + DEFAULT_CONTEXT_FEATURES)
    ops = [
        {"op": "concat", "in": ["candidates", "context"], "out": ["x"]},
        {"op": "affine", "in": ["x"], "out": ["h"], "weight": "w1"},
        {"op": "tanh", "in": ["h"], "out": ["a"]},
        {"op": "affine", "in": ["a"], "out": ["u"], "weight": "w2"},
    ]
    return PoolPolicy(
        name="random network",
        candidate_features=DEFAULT_CANDIDATE_FEATURES,
        context_features=DEFAULT_CONTEXT_FEATURES,
        program={"ops": ops, "output": "u"},
        tensors={"w1": rng.normal(size=(8, width)) / 4, "w2": rng.normal(size=(1, 8))},
    )


@dataclass(frozen=True, eq=False)
class Game:
    """A pool, its true labels, the rows labelled first, and the policy that is run."""

    n_classes: int
    policy: Any
    X: np.ndarray = field(init=False)
    y: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Draw overlapping clusters, the same on every machine."""
        rng = np.random.default_rng(self.n_classes)
        y = np.arange(N_ROWS) % self.n_classes
        centres = 1.5 * rng.normal(size=(self.n_classes, N_COLUMNS))
        object.__setattr__(self, "X", centres[y] + rng.normal(size=(N_ROWS, N_COLUMNS)))
        object.__setattr__(self, "y", y)

    @property
    def start(self) -> np.ndarray:
        """One row of each class: rows 0 to C - 1."""
        return np.arange(self.n_classes)

    def learner(self) -> Any:
        """Return a classifier solved so tightly that the order of rows does not show."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(tol=1e-10, max_iter=10_000)

    def find_rows(self, X: Any) -> list[int]:
        """Return which pool rows these samples are, by content."""
        places = {row.tobytes(): i for i, row in enumerate(self.X)}
        return [places[np.ascontiguousarray(row).tobytes()] for row in np.asarray(X)]

    def plain(self) -> list[int]:
        """Return what the plain loop asks for."""
        rows, _ = label_loop(
            self.policy,
            self.X,
            lambda asked: self.y[asked].tolist(),
            self.learner(),
            start=self.start.tolist(),
            n_queries=N_QUERIES,
        )
        asked: list[int] = rows[self.n_classes :].tolist()
        return asked


@dataclass(frozen=True)
class Played:
    """What happened in a host.

    Attributes:
        asked: Pool rows that the strategy named, in order.
        labelled: Pool rows that the host's own store holds afterwards, the start left out.
        right: Whether each stored label is the true one of its row.
    """

    asked: list[int]
    labelled: list[int]
    right: bool


def play_numpy(game: Game) -> Played:
    """Run in the plain loop, its y read back."""
    rows, y = label_loop(
        game.policy,
        game.X,
        lambda asked: game.y[asked].tolist(),
        game.learner(),
        start=game.start.tolist(),
        n_queries=N_QUERIES,
    )
    held = [i for i, label in enumerate(y) if label is not None]
    right = all(y[i] == game.y[i] for i in held)
    return Played(rows[game.n_classes :].tolist(), _new(held, game), right)


def play_skactiveml(game: Game) -> Played:
    """Run with scikit-activeml's conventions."""
    from skactiveml.classifier import SklearnClassifier

    from lal.integrations.skactiveml import LearnedQueryStrategy

    y = np.full(N_ROWS, np.nan)
    y[game.start] = game.y[game.start]
    strategy = LearnedQueryStrategy(game.policy, random_state=0)
    asked = []
    for _ in range(N_QUERIES):
        chosen = strategy.query(game.X, y, SklearnClassifier(game.learner()))
        asked += chosen.tolist()
        y[chosen] = game.y[chosen]
    held = np.flatnonzero(~np.isnan(y))
    return Played(asked, _new(held.tolist(), game), bool((y[held] == game.y[held]).all()))


def play_modal(game: Game) -> Played:
    """Run with modAL's `ActiveLearner`: query, teach, take the row out of the pool."""
    from lal.integrations.modal import LearnedQuery, load

    query = LearnedQuery(game.policy)
    learner = load("modAL.models").ActiveLearner(
        game.learner(),
        query_strategy=query,
        X_training=game.X[game.start],
        y_training=game.y[game.start],
    )
    return _modal_loop(game, learner, learner)


def play_modal_committee(game: Game) -> Played:
    """Run with a `Committee` of one."""
    from lal.integrations.modal import LearnedQuery, load

    query, models = LearnedQuery(game.policy), load("modAL.models")
    member = models.ActiveLearner(
        game.learner(), X_training=game.X[game.start], y_training=game.y[game.start]
    )
    return _modal_loop(game, models.Committee([member], query_strategy=query), member)


def _modal_loop(game: Game, learner: Any, store: Any) -> Played:
    left = np.arange(game.n_classes, N_ROWS)
    asked = []
    for _ in range(N_QUERIES):
        place, rows = learner.query(game.X[left])
        asked += left[place].tolist()
        learner.teach(rows, game.y[left[place]])
        left = np.delete(left, place)
    labelled = game.find_rows(store.X_training)
    right = bool((store.y_training == game.y[labelled]).all())
    return Played(asked, labelled[game.n_classes :], right)


def play_alipy(game: Game) -> Played:
    """Run in a loop over ALiPy's index collections, its oracle and its label repository."""
    from lal.integrations.alipy import LearnedQuery, load

    oracles = load("alipy.oracle")
    oracle = oracles.Oracle(game.y)
    start = game.start
    store = oracles.MatrixRepository(
        labels=game.y[start].tolist(), indexes=start.tolist(), examples=game.X[start].tolist()
    )
    known = load("alipy.index").IndexCollection(start.tolist())
    unknown = load("alipy.index").IndexCollection(list(range(game.n_classes, N_ROWS)))
    strategy = LearnedQuery(game.X, game.y, policy=game.policy)
    asked = []
    for _ in range(N_QUERIES):
        X, y, _ = store.get_training_data()
        chosen = strategy.select(known, unknown, model=game.learner().fit(X, y))
        labels, _ = oracle.query_by_index(chosen)
        store.update_query(labels=labels, indexes=chosen, examples=game.X[chosen].tolist())
        asked += chosen
        known.update(chosen)
        unknown.difference_update(chosen)
    X, y, _ = store.get_training_data()
    labelled = game.find_rows(X)
    return Played(asked, _new(labelled, game), bool((y == game.y[labelled]).all()))


def play_alipy_experiment(game: Game) -> Played:
    """Run in ALiPy's `AlExperiment`, one thread."""
    from lal.integrations.alipy import LearnedQuery, load

    model = game.learner()
    experiment = load("alipy.experiment").AlExperiment(
        game.X,
        game.y,
        model=model,
        stopping_criteria="num_of_queries",
        stopping_value=N_QUERIES,
    )
    rows = list(range(N_ROWS))
    experiment.set_data_split([rows], [rows], [rows[: game.n_classes]], [rows[game.n_classes :]])
    experiment.set_query_strategy(LearnedQuery, policy=game.policy, model=model)
    experiment.set_performance_metric("accuracy_score")
    experiment.start_query(multi_thread=False)
    (state,) = experiment.get_experiment_result()
    asked = [int(state.get_state(i)["select_index"][0]) for i in range(N_QUERIES)]
    # The experiment keeps no labels; what it was taught shows in the model it leaves behind.
    rows = [*game.start.tolist(), *asked]
    again = game.learner().fit(game.X[rows], game.y[rows])
    return Played(asked, asked, np.allclose(model.coef_, again.coef_, atol=1e-6))


def play_small_text(game: Game) -> Played:
    """Run with small-text's `PoolBasedActiveLearner`: query, update."""
    from lal.integrations.small_text import EXTRA, LearnedQueryStrategy

    library = require("small_text", EXTRA)
    strategy = LearnedQueryStrategy(game.policy)
    dataset = library.SklearnDataset(game.X, game.y, target_labels=np.arange(game.n_classes))
    factory = library.SklearnClassifierFactory(game.learner(), game.n_classes)
    learner = library.PoolBasedActiveLearner(factory, strategy, dataset)
    learner.initialize_data(game.start, game.y[game.start])
    asked = []
    for _ in range(N_QUERIES):
        chosen = learner.query(num_samples=1)
        asked += chosen.tolist()
        learner.update(game.y[chosen])
    labelled = np.asarray(learner.indices_labeled)
    right = bool((np.asarray(learner.y) == game.y[labelled]).all())
    return Played(asked, labelled[game.n_classes :].tolist(), right)


def play_libact(game: Game) -> Played:
    """Run over libact's `Dataset`: make_query, update."""
    from lal.integrations.libact import EXTRA, LearnedQuery

    known = game.y[: game.n_classes].tolist()
    libact = require("libact.base.dataset", EXTRA)
    dataset = libact.Dataset(game.X, known + [None] * (N_ROWS - game.n_classes))
    strategy = LearnedQuery(dataset, game.policy, model=game.learner())
    asked = []
    for _ in range(N_QUERIES):
        entry = strategy.make_query()
        asked.append(entry)
        dataset.update(entry, game.y[entry])
    X, y = dataset.get_labeled_entries()
    labelled = game.find_rows(X)
    return Played(asked, _new(labelled, game), y == game.y[labelled].tolist())


def play_baal(game: Game) -> Played:
    """Run in baal's `ActiveLearningLoop` over an `ActiveLearningDataset`."""
    import torch

    from lal.integrations.baal import EXTRA, LearnedScores, ranking

    active = require("baal.active", EXTRA)

    items = torch.utils.data.TensorDataset(torch.from_numpy(game.X), torch.from_numpy(game.y))
    dataset = active.ActiveLearningDataset(items)
    dataset.label(game.start.tolist())
    scores = LearnedScores(dataset, game.policy, clf=game.learner())
    loop = require("baal.active.active_loop", EXTRA).ActiveLearningLoop(
        dataset, scores, ranking(), query_size=1
    )
    asked = []
    for _ in range(N_QUERIES):
        before = dataset.labelled.copy()
        loop.step()
        asked += np.flatnonzero(dataset.labelled & ~before).tolist()
    held = game.find_rows(torch.stack([dataset[i][0] for i in range(len(dataset))]).numpy())
    right = [int(dataset[i][1]) for i in range(len(dataset))] == game.y[held].tolist()
    return Played(asked, _new(held, game), right)


def _new(rows: list[int], game: Game) -> list[int]:
    """Return the rows that are no start rows; these hosts do not keep the order of labelling."""
    return sorted(int(row) for row in rows if row >= game.n_classes)


PLAYS: dict[str, tuple[str, dict[str, Callable[[Game], Played]]]] = {
    "numpy": ("numpy", {"plain loop": play_numpy}),
    "skactiveml": ("scikit-activeml", {"query": play_skactiveml}),
    "modal": (
        "modAL-python",
        {"ActiveLearner": play_modal, "Committee": play_modal_committee},
    ),
    "alipy": ("alipy", {"loop": play_alipy, "AlExperiment": play_alipy_experiment}),
    "small-text": ("small-text", {"PoolBasedActiveLearner": play_small_text}),
    "libact": ("libact", {"Dataset": play_libact}),
    "baal": ("baal", {"ActiveLearningLoop": play_baal}),
}
"""Host: its distribution, and the ways to run in it."""

PROBABILITIES_ONLY = ("Committee",)
"""Ways in which the host shows no model, so only policies that read probabilities can agree."""


def check_names(host: str) -> dict[str, str]:
    """Return each of the host's strategies that we offer, and what the checker says of it."""
    if host not in STRATEGIES.prefixes() or host == "skactiveml":
        return {}
    module = import_module(f"lal.integrations.{host}_strategies")
    said = {}
    for name in module.OFFERED:
        try:
            check_strategy(f"{host}:{name}")
            said[f"{host}:{name}"] = "ok"
        except LalError as error:
            said[f"{host}:{name}"] = str(error)
    return said


def main(host: str) -> list[dict[str, Any]]:
    """Run every pool with every policy in every way of the host; return one record each."""
    if host not in PLAYS:
        raise UnknownNameError(f"unknown host {host!r}; known: {', '.join(PLAYS)}")
    distribution, ways = PLAYS[host]
    records = []
    for way, play in ways.items():
        for policy in ("margin", random_network()):
            if way in PROBABILITIES_ONLY and policy != "margin":
                continue
            for n_classes in SIZES:
                game = Game(n_classes, policy)
                played, plain = play(game), game.plain()
                records.append(
                    {
                        "host": host,
                        "version": metadata.version(distribution),
                        "way": way,
                        "policy": policy if isinstance(policy, str) else policy.name,
                        "n_classes": n_classes,
                        "asked": played.asked,
                        "plain": plain,
                        "labelled_as_asked": sorted(played.labelled) == sorted(played.asked),
                        "labels_right": played.right,
                    }
                )
    return records


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    found = {"records": main(sys.argv[1]), "strategies": check_names(sys.argv[1])}
    print("\nPARITY " + json.dumps(found))
