"""Which row to query next, and why, from the labels as they stand."""

from collections.abc import Mapping, Set
from functools import cached_property
from pathlib import Path

import numpy as np

from lal.arrays import Ints, Rows
from lal.data.view import make_geometry
from lal.errors import UsageError
from lal.features import FEATURES
from lal.learners import make_learner
from lal.learners.pool_aware import bind_pool
from lal.policies.kinds import list_policies, load_as
from lal.policies.pool_policy import PoolPolicy
from lal.rng import Streams, integer_seed
from lal.state import Geometry, QueryState, Strategy
from lal.strategies.base import make_strategy, select

N_REASONS = 3
"""Reasons that are given for a row, at most."""

WORDS = {
    "margin": "how close the two likeliest classes are",
    "margin_rank": "how close the two likeliest classes are, compared with other rows",
    "margin_z": "how close the two likeliest classes are, compared with other rows",
    "max_proba": "how sure the model is",
    "entropy": "how evenly the model spreads over the classes",
    "min_distance": "how far it is from the nearest labelled row",
    "min_distance_rank": "how far it is from the nearest labelled row, compared with others",
    "mean_distance": "how far it is from the labelled rows",
    "mean_distance_rank": "how far it is from the labelled rows, compared with others",
    "predicted_distance": "how far it is from labelled rows of the class it is taken for",
    "other_distance": "how far it is from labelled rows of the other classes",
    "distance_margin": "how near it is to labelled rows of two classes at once",
    "neighbour_entropy": "how mixed the labels around it are",
    "density": "how many rows are much like it",
    "wide_density": "how many rows are roughly like it",
    "density_rank": "how many rows are much like it, compared with others",
    "wide_density_rank": "how many rows are roughly like it, compared with others",
    "uncovered": "how many rows like it have no labelled row near by",
    "novelty": "how new it is next to the labelled rows",
    "leverage": "how little the labelled rows say about its values",
    "studentised_margin": "how close the classes are, given how little is known here",
    "nearest_disagreement": "whether the model contradicts the nearest labelled row",
    "scarcity": "how rarely its likely class was labelled",
    "herding": "how many uncertain rows like it lack a labelled row",
    "herding_rank": "how many uncertain rows like it lack a labelled row, compared with others",
    "max_herding": "how much of the rows a label here would reach",
    "max_herding_rank": "how much of the rows a label here would reach, compared with others",
    "rarity": "how rare its likely class is among the rows",
    "rarity_rank": "how rare its likely class is among the rows, compared with others",
    "dense_doubt": "how unsure the model is about many rows like it",
    "uncovered_doubt": "how unsure the model is where labels are missing",
}
"""Candidate features in plain words; both directions can speak for a row."""


def load_strategy(name: str | Path) -> Strategy:
    """Return a shipped policy, a policy file, or a strategy; a policy's name wins.

    Raises:
        UnknownNameError: Nothing has that name.
        PolicyFileError: The file cannot be loaded.
    """
    text = str(name)
    if text.endswith(".safetensors") or text in list_policies(PoolPolicy.kind):
        return load_as(PoolPolicy, name)
    return make_strategy(text)


class ProjectQuery:
    """Turns labels into states, states into the next rows, and rows into reasons.

    The geometry of the rows is made once, so a query costs a fit and one pass over the rows.

    Args:
        X: Encoded rows, shape (N, d).
        policy: A policy, a strategy, the name of one, or the path of a policy file.
        learner: As `lal.make_learner` takes it.
        n_classes: C; classes are known.
        seed: Seeds the learner and breaks ties.
    """

    def __init__(
        self,
        X: Rows,
        *,
        policy: Strategy | str | Path,
        learner: object,
        n_classes: int,
        seed: int,
    ) -> None:
        self.X = X
        self.policy = load_strategy(policy) if isinstance(policy, str | Path) else policy
        self.learner = bind_pool(make_learner(learner), X)
        self.n_classes = n_classes
        self.seed = seed

    @cached_property
    def geometry(self) -> Geometry:
        """The view of the rows."""
        return make_geometry(self.X)

    def query_seed(self, n_labelled: int) -> int:
        """Return the seed of the query on `n_labelled` labels: resumed equals undisturbed."""
        return integer_seed(self.seed, "campaign", n_labelled)  # the stream's name, kept for good

    def state(self, codes: Mapping[int, int]) -> QueryState:
        """Return the state of the labels given as row to class code, as `query` would make it."""
        rows = np.array(sorted(codes), dtype=np.int64)
        labels = np.array([codes[i] for i in rows.tolist()], dtype=np.int64)
        model = None
        if len(np.unique(labels)) >= 2:
            seed = Streams(self.query_seed(len(rows))).learner_seed(len(rows))
            model = self.learner.fit(self.X[rows], labels, n_classes=self.n_classes, seed=seed)
        return QueryState(
            X=self.X,
            geometry=self.geometry,
            labelled=rows,
            labels=labels,
            n_classes=self.n_classes,
            classes_known=True,
            proba=None if model is None else model.predict_proba(self.X),
            model=model,
            learner=self.learner,
        )

    def choose(self, state: QueryState, skipped: Set[int], n: int) -> Ints:
        """Return the rows to query next, best first, without labelled and skipped ones.

        Raises:
            UsageError: Fewer than n rows are left.
        """
        left = np.setdiff1d(state.open, np.array(sorted(skipped), dtype=np.int64))
        if not 1 <= n <= len(left):
            raise UsageError(f"{n} rows were asked for and {len(left)} are left to label")
        streams = Streams(self.query_seed(len(state.labelled)))
        rng, ties = streams["strategy"], streams["ties"]
        if not hasattr(self.policy, "select_batch"):
            return select(self.policy, state, rng, ties, n, rows=left)
        # Such a strategy chooses among all open rows; so many more that n remain after skips.
        wanted = min(n + len(state.open) - len(left), len(state.open))
        picked = select(self.policy, state, rng, ties, wanted)
        return picked[np.isin(picked, left)][:n]

    def reasons(self, state: QueryState, row: int) -> tuple[str, ...]:
        """Return what spoke for a row, the strongest first, in plain words.

        Only policies that explain themselves give reasons. A feature speaks for a row when the
        utility would fall if the feature had its median over the rows.
        """
        if not isinstance(self.policy, PoolPolicy):
            return ()
        changes = self.policy.explain_state(state, row)
        strongest = sorted(changes, key=changes.__getitem__)[:N_REASONS]
        return tuple(in_words(name) for name in strongest if changes[name] < 0)


def in_words(feature: str) -> str:
    """Return a candidate feature in plain words."""
    name = feature.partition("@")[0]
    if name in WORDS:
        return WORDS[name]
    told = (FEATURES[feature].compute.__doc__ or feature).strip().splitlines()[0]
    return told.rstrip(".")
